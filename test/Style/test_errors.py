"""docs/Errors.md lists just the codes that errors have."""

import re

from style import ROOT


def used_codes():
    used = set()
    for folder in ("lib", "tools", "python"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".cpp", ".c", ".h", ".py"):
                used |= set(re.findall(r"WFT(\d{4})", path.read_text()))
    # Those that are put together from a number.
    for path, pattern in (
        ("lib/Import/Model.h", r"^  \w+ = (\d{4}),"),
        ("lib/CAPI/Session.h", r"^  \w+ = (\d{4}),"),
        ("include/weft/Runtime/Data/Status.h", r"^  \w+ = (\d{4}),"),
        ("include/weft-rt/status.h", r"X\(WEFT_\w+, (\d{4}),"),
    ):
        used |= set(re.findall(pattern, (ROOT / path).read_text(), re.MULTILINE))
    return used


def test_each_code_is_explained():
    text = (ROOT / "docs/Errors.md").read_text()
    cells = re.findall(r"^\|[^|]*", text, re.MULTILINE)
    listed = {code for cell in cells for code in re.findall(r"WFT(\d{4})", cell)}
    assert listed == used_codes()
