"""What the style tests share."""

import functools
import json
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
LLVM = pathlib.Path(os.environ.get("WEFT_LLVM_BIN", "/usr/lib/llvm-22/bin"))


def tracked(*endings: str) -> list[pathlib.Path]:
    """The files of the project with these endings; never none."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    found = [ROOT / name for name in listed if name.endswith(endings)]
    found = [path for path in found if path.is_file()]
    assert found, f"there is no file that ends with {endings}"
    return found


def name(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


def waivers() -> dict[str, str]:
    """What may break a rule, and why: `subject: reason` per line."""
    result = {}
    for line in (pathlib.Path(__file__).parent / "waivers.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            subject, _, reason = line.partition(": ")
            assert reason, f"waivers.txt: '{subject}' has no reason"
            result[subject] = reason
    return result


def expect_none(problems: dict[str, str]) -> None:
    """Fails for each problem that is not waived; `problems` by subject."""
    allowed = waivers()
    bad = [text for subject, text in problems.items() if subject not in allowed]
    assert not bad, "\n" + "\n".join(bad)


def records(path: pathlib.Path) -> dict:
    """The TableGen records of a file."""
    done = subprocess.run(
        [LLVM / "llvm-tblgen", "--dump-json", "-I", ROOT / "include",
         "-I", LLVM.parent / "include", path],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@functools.cache
def instances(kind: str) -> list[tuple[pathlib.Path, dict]]:
    """The records of class `kind`, each with the file that defines it."""
    found = []
    for path in tracked(".td"):
        text = path.read_text()
        data = records(path)
        for key in data["!instanceof"].get(kind, []):
            if re.search(rf"^def {key}\b", text, re.MULTILINE):
                found.append((path, data[key]))
    assert found, f"there is no {kind} in any .td file"
    return found
