"""A library includes no header of a room above it."""

import re

from style import ROOT, name, tracked

LEVEL = {
    "Support": 0, "Interfaces": 1, "Dialect": 2, "Autodiff": 3, "Conversion": 3, "Import": 3,
    "Codegen": 3, "Target": 4, "Training": 4, "Verify": 4, "Pipelines": 5, "CAPI": 6,
}  # fmt: skip
# Rooms that share nothing with the compiler but the program's contract.
APART = {"PTXEmulator", "Runtime"}


def in_library(folder):
    return [p for p in tracked(".cpp", ".h", ".c") if name(p).startswith(folder)]


def test_includes_go_down():
    bad = []
    for source in in_library("lib/") + in_library("include/weft/"):
        parts = source.relative_to(ROOT).parts
        here = parts[1] if parts[0] == "lib" else parts[2]
        for other in re.findall(r'#include "weft/(\w+)/', source.read_text()):
            if here in APART or other in APART:
                allowed = here == other
            else:
                allowed = LEVEL[other] <= LEVEL[here]
            if not allowed:
                bad.append(f"{name(source)}: {here} may not include {other}")
    assert not bad, "\n".join(bad)


def test_only_import_includes_onnx():
    bad = [
        name(source)
        for source in in_library("lib/") + in_library("include/")
        if re.search(r'#include ["<]onnx/', source.read_text())
        and not name(source).startswith("lib/Import/")
    ]
    assert not bad, bad


def test_the_runtime_stands_alone():
    bad = [
        f"{name(source)}: {other}"
        for source in in_library("lib/Runtime/") + in_library("include/weft-rt/")
        for other in re.findall(r'#include ["<]((?:llvm|mlir|weft-c)/\S+)[">]', source.read_text())
    ]
    assert not bad, bad
