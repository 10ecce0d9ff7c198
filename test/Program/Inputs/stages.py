"""Compiles a model with the dumps of all stages, and checks that each dump
parses, that compiling on from it gives the same object, and that every kernel
names ONNX nodes of the model:

    stages.py MODEL FOLDER
"""

import filecmp
import os
import re
import subprocess
import sys

import onnx

STAGES = ["import", "tensor", "differentiate", "dispatch", "kernel", "host", "object"]
model, folder = sys.argv[1:]


def run(*command):
    print(*command, flush=True)
    return subprocess.run(command, check=True, capture_output=True,
                          text=True).stdout


def at(name):
    return os.path.join(folder, name)


def same(one, other):
    if not filecmp.cmp(at(one), at(other), shallow=False):
        sys.exit(f"{model}: {one} and {other} differ")


def nodes_of(graph):
    for node in graph.node:
        # A node without a name goes by its first output.
        yield node.name or node.output[0]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from nodes_of(attribute.g)


os.makedirs(folder, exist_ok=True)
run("weft", "compile", model, "-o", at("direct.o"))
run("weft", "compile", model, "-o", at("again.o"))
run("weft", "compile", model, "-o", at("dumped.o"), "--dump-stages",
    at("stages"))
# The same input gives the same bytes, whether stages are dumped or not.
same("direct.o", "again.o")
same("direct.o", "dumped.o")

for number, stage in enumerate(STAGES, 1):
    dump = f"stages/{number}-{stage}.mlir"
    # It parses, and what was parsed prints as it was.
    run("weft-opt", at(dump), "-mlir-print-debuginfo", "-o", at("parsed.mlir"))
    run("weft-opt", at("parsed.mlir"), "-mlir-print-debuginfo", "-o",
        at("twice.mlir"))
    same("parsed.mlir", "twice.mlir")
    # It can be gone on from.
    run("weft", "compile", at(dump), "--start-at", stage, "-o",
        at("resumed.o"))
    same("direct.o", "resumed.o")
    # It can be stopped after.
    run("weft", "compile", model, "--stop-after", stage, "-o",
        at("stages/stopped.mlir"))
    same(dump, "stages/stopped.mlir")

known = set(nodes_of(onnx.load(model).graph))
kernels = re.findall(r"dispatch\.kernel @(\w+) .*nodes \[(.*?)\]",
                     open(at("stages/5-kernel.mlir")).read())
if not kernels:
    sys.exit(f"{model}: there is no kernel")
for kernel, names in kernels:
    names = re.findall(r'"([^"]*)"', names)
    if not names or not known.issuperset(names):
        sys.exit(f"{model}: kernel {kernel} lists {names}")
print(f"{model}: {len(kernels)} kernels, stages are sound")
