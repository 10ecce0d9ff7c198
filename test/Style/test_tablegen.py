"""Every op, pass and option is documented, and every pass has its test."""

import re

from style import expect_none, instances, name, records, tracked


def test_ops_are_described():
    problems = {}
    for path, op in instances("Op"):
        full = f"{op['opDialect']['def'].split('_')[0].lower()}.{op['opName']}"
        text = op["description"] or ""
        wanted = {
            "summary": bool(op["summary"]) and not op["summary"].endswith("."),
            "description": bool(text.strip()),
            "example": "```mlir" in text,
        }
        if full.startswith("weft."):
            wanted["'Saved for the gradient:' line"] = "Saved for the gradient:" in text
        lacks = [what for what, there in wanted.items() if not there]
        if lacks:
            problems[full] = f"{name(path)}: {full} has no proper {', '.join(lacks)}"
    expect_none(problems)


def test_passes_are_described():
    problems = {}
    for path, one in instances("PassBase"):
        flag = one["argument"]
        text = one["description"] or ""
        lacks = [w for w in ("Requires:", "Ensures:") if w not in text]
        if not one["summary"] or one["summary"].endswith("."):
            lacks.append("summary")
        if lacks:
            problems[flag] = f"{name(path)}: {flag} lacks {', '.join(lacks)}"
    expect_none(problems)


def test_options_are_described():
    problems, seen = {}, 0
    for path in tracked("Passes.td"):
        data = records(path)
        for kind in ("Option", "ListOption"):
            for key in data["!instanceof"].get(kind, []):
                seen += 1
                option = data[key]
                if not option["description"]:
                    problems[option["argument"]] = (
                        f"{name(path)}: option {option['argument']} says nothing"
                    )
    assert seen, "there is no option of any pass"
    expect_none(problems)


def room_of(flag: str) -> str:
    """convert-onnx-to-weft is tested in test/Conversion/ONNXToWeft."""
    return re.sub("^convert-", "", flag).replace("-", "")


def test_each_pass_has_a_test_of_its_name():
    tests = {}
    for path in tracked(".mlir"):
        runs = " ".join(re.findall(r"^// RUN:(.*)$", path.read_text(), re.MULTILINE))
        tests[path] = re.findall(r"(?<=[\s'\"(,])-?-?([\w-]+)", runs)
    problems = {}
    for _, one in instances("PassBase"):
        flag = one["argument"]
        names = {flag, flag.split("-", 1)[1]}
        if not any(
            flag in flags
            and (path.stem in names or path.parent.name.lower() == room_of(flag))
            for path, flags in tests.items()
        ):
            problems[flag] = f"{flag} has no test called {' or '.join(sorted(names))}.mlir"
    expect_none(problems)


def test_every_test_of_ir_runs():
    problems = {}
    for path in tracked(".mlir", ".onnxtxt"):
        if not re.search(r"RUN:", path.read_text()):
            problems[name(path)] = f"{name(path)} runs nothing"
    expect_none(problems)
