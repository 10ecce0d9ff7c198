"""Every block of IR in the documents is IR: it parses and verifies."""

import re
import subprocess

from pages import BUILD, generated, written

BLOCK = re.compile(r"^( *)```mlir\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
VALUE = re.compile(r"%[\w$.-]+")
DEFINED = re.compile(r"^\s*(%[\w$.-]+(?:\s*,\s*%[\w$.-]+)*)(?::\d+)?\s*=", re.MULTILINE)
ARGUMENT = re.compile(r"(%[\w$.-]+):\s|[(,]\s*(%[\w$.-]+)\s*=")
CONFLICT = re.compile(
    r"use of value '(%[\w$.-]+)' expects different type than prior uses: "
    r"'(.+)' vs '(.+)'$"
)
SPLIT = "// -----\n"


class Block:
    """A block of a page, and the types of the values that it does not define."""

    def __init__(self, page, line, text):
        self.where = f"{page}:{line}"
        self.text = text
        known = {n for group in DEFINED.findall(text) for n in VALUE.findall(group)}
        known |= {name for pair in ARGUMENT.findall(text) for name in pair if name}
        self.free = {
            name: "none" for name in VALUE.findall(text) if name not in known
        }

    def source(self) -> str:
        """A module that holds the block."""
        text = self.text.strip()
        if text.startswith("!"):
            return f'"test.type"() : () -> {text}\n'
        if text.startswith("#") and not re.match(r"#[\w.]+\s*=", text):
            return f'"test.attribute"() {{value = {text}}} : () -> ()\n'
        lines = [f'{n} = "test.value"() : () -> {t}' for n, t in self.free.items()]
        return "\n".join([*lines, text, ""])


def blocks_of(page):
    text = page.read_text()
    for match in BLOCK.finditer(text):
        yield Block(page, text[: match.start()].count("\n") + 1, match[2])


def problems_of(blocks):
    """What weft-opt says of each block; learns the types of free values."""
    text, first = "", []
    for block in blocks:
        first.append(text.count("\n") + 1)
        text += block.source() + SPLIT
    done = subprocess.run(
        [BUILD / "bin/weft-opt", "-", "--split-input-file",
         "--allow-unregistered-dialect", "-o", "/dev/null"],
        input=text, capture_output=True, text=True,
    )  # fmt: skip
    problems = {}
    for line in done.stderr.splitlines():
        error = re.match(r".*?:(\d+):\d+: error: (.*)", line)
        if not error:
            continue
        index = max(i for i, at in enumerate(first) if at <= int(error[1]))
        problems.setdefault(index, []).append(error[2])
    assert done.returncode == 0 or problems, done.stderr
    return problems


def check(blocks):
    """Settles the types of free values, one per block and round, then reports."""
    for _ in range(12):
        problems = problems_of(blocks)
        learned = False
        for index, messages in problems.items():
            conflict = CONFLICT.match(messages[0])
            free = blocks[index].free
            if conflict and free.get(conflict[1]) == conflict[3] == "none":
                free[conflict[1]] = conflict[2]
                learned = True
        if not learned:
            break
    return [f"{blocks[i].where}: {texts[0]}" for i, texts in problems.items()]


def test_written_pages():
    blocks = [block for page in written() for block in blocks_of(page)]
    assert blocks
    assert not check(blocks)


def test_generated_pages():
    blocks = [block for page in generated() for block in blocks_of(page)]
    assert len(blocks) > 80
    bad = check(blocks)
    assert not bad, "\n" + "\n".join(bad)


def test_the_check_notices(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```mlir\n%y = weft.abs %x : tensor<4xf32>\n```\n"
        "```mlir\n%y = weft.no_such_op %x : tensor<4xf32>\n```\n"
        "```mlir\n%y = weft.sqrt %x : tensor<4xi32>\n```\n"
    )
    bad = check(list(blocks_of(page)))
    assert [text.split(": ")[0][-2:] for text in bad] == [":4", ":7"]
