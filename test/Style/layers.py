"""Fails when a library includes a header of a room above it."""

import pathlib
import re
import sys

LEVEL = {
    "Support": 0, "Interfaces": 1, "Dialect": 2, "Conversion": 3, "Import": 3,
    "Codegen": 3, "Target": 4, "Pipelines": 5, "CAPI": 6,
}  # fmt: skip
# Rooms that share nothing with the compiler but the program's contract.
APART = {"Runtime"}

root, bad = pathlib.Path(sys.argv[1]), []
sources = [p for ext in ("cpp", "h", "c") for p in sorted(root.glob(f"lib/**/*.{ext}"))]
for source in sources:
    here = source.relative_to(root).parts[1]
    for other in re.findall(r'#include "weft/(\w+)/', source.read_text()):
        if here in APART:
            bad.append(f"{source}: {here} may not include the compiler's {other}")
        elif LEVEL[other] > LEVEL[here]:
            bad.append(f"{source}: {here} may not include {other}")
    onnx = re.search(r'#include ["<]onnx/', source.read_text())
    if onnx and here != "Import":
        bad.append(f"{source}: only Import may include ONNX's headers")
if not sources:
    bad.append(f"{root}: there is no source")
sys.exit("\n".join(bad) or 0)
