"""Differentiates ONNX's operators and holds the gradients against differences.

    operators.py --bin FOLDER [--only REGEX] [--jobs N] [--list]

For each operator with floats among its inputs and outputs, a few of its node
tests are compiled to the tensor stage, computed in f64, differentiated and
compared with central differences at the test's inputs, a little off, so that no
kink is hit. Operators that are not differentiable are listed with the reason in
not_differentiable.txt, which may only shrink; what is wrong and not in the list
fails the run, and so does what is in it and right.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
from onnx.backend.test.case import node as node_cases

LIST = pathlib.Path(__file__).parent / "not_differentiable.txt"
TYPES = {"float16": "f64", "bfloat16": "f64", "float32": "f64", "float64": "f64", "bool": "i1"}
TYPES |= {f"{sign}int{n}": f"{'u' * bool(sign)}i{n}" for sign in ("", "u") for n in (8, 16, 32, 64)}
CASES = 2  # of an operator, the smallest
ELEMENTS = 4000  # the most that a case may have; the evaluator is slow
TIMEOUT = 20  # seconds; the slowest case takes a few
# Numbers that stand for sizes, places or times: nothing flows to them.
CONTROLS = {"Resize": (1, 2), "Upsample": (1,), "Range": (0, 1, 2), "Dropout": (1,)}
# Differences are good to about 1e-8 of what is compared, near poles to less.
TOLERANCE = 1e-5


def is_float(array) -> bool:
    return isinstance(array, np.ndarray) and TYPES.get(array.dtype.name) == "f64"


def collect() -> dict[str, list]:
    """Cases by operator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = node_cases.collect_testcases(None)
    table = collections.defaultdict(list)
    for case in cases:
        nodes = case.model.graph.node
        inputs, outputs = case.data_sets[0]
        if len(nodes) != 1 or "_expanded" in case.name:
            continue
        if not all(isinstance(x, np.ndarray) and x.dtype.name in TYPES for x in inputs):
            continue
        if not any(map(is_float, inputs)) or not any(map(is_float, outputs)):
            continue
        count = sum(x.size for x in (*inputs, *outputs) if isinstance(x, np.ndarray))
        if count <= ELEMENTS:
            name = (nodes[0].domain + "." if nodes[0].domain else "") + nodes[0].op_type
            table[name].append((count, case.name, case.model, inputs))
    return {name: sorted(cases, key=lambda c: c[:2])[:CASES] for name, cases in table.items()}


def attribute(array: np.ndarray, shift: float) -> str:
    """`array` as MLIR writes it; floats in f64, and a little more than they were."""
    kind = TYPES[array.dtype.name]
    if kind == "f64":
        array = array.astype(np.float64)
        array = array + shift * np.random.default_rng(1).uniform(0.2, 1, array.shape)
    text = "".join(f"{size}x" for size in array.shape)
    if array.size == 0:
        return f"dense<> : tensor<{text}{kind}>"
    if kind == "i1":
        return f"dense<{json.dumps(array.tolist())}> : tensor<{text}{kind}>"
    return f'dense<"0x{np.ascontiguousarray(array).tobytes().hex().upper()}"> : tensor<{text}{kind}>'


def first_error(text: str) -> str:
    for line in text.splitlines():
        if "error:" in line:
            return re.sub(r".*error: *", "", line)
    return (text.strip().splitlines() or ["no message"])[-1]


def run_case(tools: pathlib.Path, operator: str, model, inputs) -> str:
    """"" if the case passes, else what is wrong in one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        onnx.save(model, path / "model.onnx")
        run = lambda *command: subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        compiled = run(tools / "weft", "compile", path / "model.onnx", "--stop-after=tensor",
                       "-o", path / "model.mlir")
        if compiled.returncode:
            return ("no lowering: " if compiled.returncode == 77 else "error: ") + first_error(
                compiled.stderr)
        # Some inputs decide on shapes, and must be what they are.
        for shift in (1e-2, 0):
            lines = [attribute(x, shift) for x in inputs]
            (path / "inputs").write_text("\n".join(lines) + "\n")
            checked = run(tools / "weft-opt", path / "model.mlir", "-o", os.devnull,
                          f"--weft-test-model-gradient=inputs={path / 'inputs'}")
            if checked.returncode == 0:
                break
        if checked.returncode:
            return "error: " + first_error(checked.stderr)
    for line in checked.stdout.splitlines():
        _, number, error = line.split()
        if int(number) not in CONTROLS.get(operator, ()) and not float(error) < TOLERANCE:
            return f"wrong: by {error} of input {number}"
    return ""


def check(tools: pathlib.Path, operator: str, cases: list) -> str:
    """The failure of the first case that has one, or ""."""
    for _, name, model, inputs in cases:
        try:
            failure = run_case(tools, operator, model, inputs)
        except subprocess.TimeoutExpired:
            failure = f"error: no result after {TIMEOUT} s"
        if failure:
            return f"{failure} ({name})"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="where the tools are")
    parser.add_argument("--only", default="", help="run the operators that match")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true", help="print lines for the list")
    args = parser.parse_args()
    began = time.monotonic()
    expected = dict(line.split(" ", 1) for line in LIST.read_text().splitlines()
                    if line and not line.startswith("#"))
    table = {name: cases for name, cases in sorted(collect().items()) if re.search(args.only, name)}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        work = {name: pool.submit(check, args.bin, name, cases) for name, cases in table.items()}
        results = {name: future.result() for name, future in work.items()}
    wrong = 0
    for name, failure in results.items():
        if args.list and failure:
            print(name, failure[:200])
        elif failure and name not in expected:
            print(f"FAIL {name}: {failure[:300]}")
        elif not failure and name in expected:
            print(f"FAIL {name}: is right, so it must leave the list")
        wrong += bool(failure) != (name in expected)
    right = sum(not failure for failure in results.values())
    known = len(results) - right - wrong
    print(f"{right} of {len(results)} operators are differentiated, in {time.monotonic() - began:.0f} s")
    print(f"{right} passed, {wrong} failed, {max(known, 0)} skipped")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
