"""Runs ONNX's backend test suite through Weft and holds the result against the
list of expected failures.

    suite.py [--only REGEX] [--jobs N] [--update] [--list] [--target cuda [--light]]

Each case is compiled and run in a process that can be lost without harm. A case
that fails and is not in expected_failures.txt fails the run, and so does one
that is in it and passes: the list may only shrink.
"""

from __future__ import annotations

import argparse
import glob
import multiprocessing
import os
import pathlib
import re
import sys
import time
import traceback

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case import model as model_cases
from onnx.backend.test.case import node as node_cases
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

LIST = pathlib.Path(__file__).parent / "expected_failures.txt"
TIMEOUT = 120  # seconds; the slowest case takes a few


def _read(path: str, type_proto: onnx.TypeProto):
    """The value in a file of a test data set."""
    data = pathlib.Path(path).read_bytes()
    if type_proto.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if type_proto.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def _from_folder(folder: str):
    """Model and data sets of a case that lies on disk."""
    path = os.path.join(folder, "model.onnx")
    model = onnx.load(path)
    sets = []
    for data in sorted(glob.glob(os.path.join(folder, "test_data_set_*"))):
        values = []
        for kind, ports in (
            ("input", model.graph.input),
            ("output", model.graph.output),
        ):
            count = len(glob.glob(os.path.join(data, f"{kind}_*.pb")))
            values.append(
                [
                    _read(os.path.join(data, f"{kind}_{i}.pb"), ports[i].type)
                    for i in range(count)
                ]
            )
        sets.append(tuple(values))
    return path, sets


def _light(path: str):
    """A real architecture, with ONNX's own inputs and expected output."""
    model = onnx.load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = []
    for port in model.graph.input:
        if port.name in weights:
            continue
        shape = [d.dim_value for d in port.type.tensor_type.shape.dim]
        count = int(np.prod(shape))
        inputs.append((np.arange(count).reshape(shape) / count).astype(np.float32))
    output = onnx.TensorProto.FromString(
        pathlib.Path(path.replace(".onnx", "_output_0.pb")).read_bytes()
    )
    return path, [(inputs, [numpy_helper.to_array(output)])]


def _array(value):
    """Data sets of node cases hold arrays, or messages where numpy has no such
    type."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value


def _from_memory(case):
    """Model and data sets of a case that ONNX makes as it is asked for."""
    sets = [
        tuple([_array(value) for value in values] for values in data)
        for data in case.data_sets
    ]
    return case.model, sets


def collect() -> dict[str, tuple]:
    """All cases: name to (function that loads it, rtol, atol)."""
    cases = {}
    for case in node_cases.collect_testcases(None):
        cases["node/" + case.name] = (
            lambda case=case: _from_memory(case),
            case.rtol,
            case.atol,
        )
    for kind in ("simple", "pytorch-operator", "pytorch-converted"):
        for case in load_model_tests(kind=kind):
            cases[f"{kind}/{case.name}"] = (
                lambda case=case: _from_folder(case.model_dir),
                case.rtol,
                case.atol,
            )
    for case in model_cases.collect_testcases():
        name = "simple/" + case.name
        if case.model is not None and name not in cases:
            cases[name] = (
                lambda case=case: _from_memory(case),
                case.rtol,
                case.atol,
            )
    data = os.path.join(os.path.dirname(onnx.__file__), "backend/test/data/light")
    for path in sorted(glob.glob(os.path.join(data, "*.onnx"))):
        name = os.path.splitext(os.path.basename(path))[0]
        rtol = 2e-3 if "densenet" in name else 1e-3  # as ONNX's suite has it
        cases["light/" + name] = (lambda path=path: _light(path), rtol, 1e-7)
    return cases


# What kernels run on.
TARGET = "cpu"
# The last program, which holds the GPU's context: to make one takes longer than a case.
LAST: list = []


def run_case(case: tuple) -> str:
    """"" if the case passes, else what is wrong in one line."""
    import weft

    load, rtol, atol = case
    try:
        model, sets = load()
        function = weft.compile(model, threads=1, target=TARGET)
        for inputs, outputs in sets:
            results = function.run(list(inputs))
            LAST[:] = [function]
            Runner.assert_similar_outputs(list(outputs), results, rtol, atol)
    except weft.UnsupportedError as error:
        return "unsupported: " + str(error).splitlines()[0]
    except weft.Error as error:
        return "error: " + (str(error).splitlines() or ["no message"])[0]
    except AssertionError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return "mismatch: " + " ".join(lines[:3])
    except Exception:  # noqa: BLE001 - the case failed, whatever it was
        return "exception: " + traceback.format_exc().splitlines()[-1]
    return ""


def _work(cases: dict, connection) -> None:
    while True:
        name = connection.recv()
        if name is None:
            return
        connection.send(run_case(cases[name]))


class Worker:
    """A process that runs cases, and is replaced when one kills it."""

    def __init__(self, cases: dict):
        self.cases = cases
        self.start()

    def start(self) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(
            target=_work, args=(self.cases, theirs), daemon=True
        )
        self.process.start()
        theirs.close()
        self.name = None

    def give(self, name: str) -> None:
        self.name = name
        self.began = time.monotonic()
        self.connection.send(name)

    def take(self) -> str | None:
        """The result, if there is one yet."""
        try:
            if self.connection.poll():
                return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            code = self.process.exitcode
            self.start()
            return f"crash: the process ended with {code}"
        if time.monotonic() - self.began > TIMEOUT:
            self.process.kill()
            self.start()
            return f"timeout: no result after {TIMEOUT} s"
        return None


def run_all(cases: dict, names: list[str], jobs: int, report) -> dict[str, str]:
    results: dict[str, str] = {}
    waiting = list(reversed(names))
    idle = [Worker(cases) for _ in range(jobs)]
    busy: list[Worker] = []
    while waiting or busy:
        while waiting and idle:
            worker = idle.pop()
            worker.give(waiting.pop())
            busy.append(worker)
        multiprocessing.connection.wait([w.connection for w in busy], timeout=1)
        for worker in list(busy):
            name = worker.name
            result = worker.take()
            if result is not None:
                results[name] = result
                report(name, result)
                busy.remove(worker)
                idle.append(worker)
    return results


def read_list(target: str) -> dict[str, str]:
    """Reasons by case; "[cpu]" or "[cuda]" before one says where it holds alone."""
    expected = {}
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            only = re.match(r"\[(\w+)\] ", reason)
            if not only or only[1] == target:
                expected[name] = reason.strip()
    return expected


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="run the cases that match")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true", help="print each result")
    parser.add_argument(
        "--update", action="store_true", help="take passing cases off the list"
    )
    parser.add_argument(
        "--light", action="store_true", help="with whole models on a GPU, too"
    )
    parser.add_argument(
        "--target", default="cpu", choices=["cpu", "cuda"], help="what kernels run on"
    )
    args = parser.parse_args()
    global TARGET
    TARGET = args.target
    cases = collect()
    names = [name for name in cases if re.search(args.only, name)]
    # Whole models take too long where the GPU is emulated.
    if args.target == "cuda" and not args.light:
        names = [name for name in names if not name.startswith("light/")]
    began = time.monotonic()
    expected = read_list(args.target)
    wrong = 0

    def report(name: str, failure: str) -> None:
        nonlocal wrong
        if args.list and failure:
            print(name, failure[:400], flush=True)
        elif failure and name not in expected:
            print(f"FAIL {name}: {failure[:400]}", flush=True)
        elif not failure and name in expected and not args.update:
            print(f"FAIL {name}: passes, so it must leave the list", flush=True)
        wrong += bool(failure) != (name in expected)

    results = run_all(cases, names, args.jobs, report)
    if args.update:
        keep = [
            line
            for line in LIST.read_text().splitlines()
            if (name := line.split(" ")[0]) not in expected or results.get(name, "failed")
        ]
        LIST.write_text("\n".join(keep) + "\n")
    passed = sum(not failure for failure in results.values())
    print(f"{passed} of {len(names)} cases in {time.monotonic() - began:.0f} s")
    known = len(names) - passed - wrong
    print(f"{passed} passed, {wrong} failed, {max(known, 0)} skipped")
    return 1 if wrong else 0


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    sys.exit(main())
