"""Weft and its peers behind one face: load a model, then run it."""

from __future__ import annotations

import ctypes
import importlib.util
import pathlib
import subprocess
import sys
from typing import Callable, Mapping

import models
import numpy as np

# The build tree whose Weft is measured; bench.py --build sets another one.
BUILD = models.ROOT / "build" / "dev"
Run = Callable[[], list[np.ndarray]]


def load_weft(path: pathlib.Path, threads: int, inputs: Mapping) -> Run:
    sys.path.insert(0, str(BUILD / "python"))
    import weft

    function = weft.compile(path, threads=threads)
    values = [inputs[port.name] for port in function.inputs]
    return lambda: function.run(values)


def load_onnxruntime(path: pathlib.Path, threads: int, inputs: Mapping) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, inputs)


def load_openvino(path: pathlib.Path, threads: int, inputs: Mapping) -> Run:
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(str(path)),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        },
    )
    request = compiled.create_infer_request()

    def run() -> list[np.ndarray]:
        results = request.infer(inputs, share_inputs=True, share_outputs=True)
        return [results[port] for port in compiled.outputs]

    return run


LOADERS = {
    "weft": load_weft,
    "onnxruntime": load_onnxruntime,
    "openvino": load_openvino,
}


def installed() -> list[str]:
    """The peers that this Python can import."""
    peers = [name for name in LOADERS if name != "weft"]
    return [name for name in peers if importlib.util.find_spec(name)]


def load_peak() -> Callable[[int], float]:
    """A function that does that many rounds of the core's fastest
    multiply-adds and returns how many operations that were."""
    source = pathlib.Path(__file__).parent / "peak.c"
    library = models.FOLDER / "peak.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        command = ["cc", "-O2", "-march=native", "-shared", "-fPIC", "-o"]
        subprocess.run([*command, str(library), str(source)], check=True)
    peak = ctypes.CDLL(str(library)).peak_run
    peak.restype = ctypes.c_double
    peak.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_float)]
    out = (ctypes.c_float * 16)()
    return lambda rounds: peak(rounds, out)


# What a child process runs to measure how much memory loading and running takes.
if __name__ == "__main__":
    name, model, thread_count = sys.argv[1:]
    model_path = pathlib.Path(model)
    LOADERS[name](model_path, int(thread_count), models.inputs(model_path))()
