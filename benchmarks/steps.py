"""Makes training steps on one engine, whenever bench.py tells it to.

    steps.py ENGINE MODEL OPTIMIZER THREADS BUILD

It runs in the engine's own Python. After the first steps it prints their losses,
as JSON. Then it reads seconds, one number a line: for each it makes steps for so
long, and prints the median of the seconds that one took. At the end of its input
it prints the most memory that it had, and what was planned where an engine plans.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import statistics
import sys
import tempfile
import time
import types
from typing import Callable

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

RATE = 1e-3
FIRST_STEPS = 3

# Takes the model's input and the numbers of the classes; the loss.
Step = Callable[[np.ndarray, np.ndarray], float]


def batch(model: onnx.ModelProto) -> tuple[np.ndarray, np.ndarray]:
    """A made-up batch, the same each time."""

    def shape(port) -> list[int]:
        return [d.dim_value for d in port.type.tensor_type.shape.dim]

    random = np.random.default_rng(1)
    port, scores = model.graph.input[0], model.graph.output[0]
    if port.type.tensor_type.elem_type == TensorProto.FLOAT:
        x = random.standard_normal(shape(port), np.float32)
    else:
        x = random.integers(0, 1000, shape(port), np.int64)
    rows, classes = shape(scores)
    return x, random.integers(0, classes, rows, np.int64)


def tensors(model: onnx.ModelProto) -> tuple[dict, dict]:
    """What is trained, and what is not, by name."""
    trained, fixed = {}, {}
    for tensor in model.graph.initializer:
        is_fixed = tensor.name.startswith("onnx::Constant")
        target = fixed if is_fixed else trained
        target[tensor.name] = numpy_helper.to_array(tensor).copy()
    return trained, fixed


def load_weft(path: str, optimizer: str, threads: int, build: str) -> Step:
    sys.path.insert(0, f"{build}/python")
    import weft

    momentum = 0.9 if optimizer == "momentum" else 0.0
    rule = weft.SGD(RATE, momentum=momentum)
    trainer = weft.Trainer(path, optimizer=rule, threads=threads)

    def step(x: np.ndarray, labels: np.ndarray) -> float:
        return trainer.step(x, labels)

    step.planned_bytes = lambda: trainer.planned_bytes
    return step


def load_torch(path: str, optimizer: str, threads: int, build: str) -> Step:
    import step_torch

    return step_torch.load(onnx.load(path), optimizer, threads, compiled=False)


def load_torch_compile(path: str, optimizer: str, threads: int, build: str) -> Step:
    import step_torch

    return step_torch.load(onnx.load(path), optimizer, threads, compiled=True)


def load_jax(path: str, optimizer: str, threads: int, build: str) -> Step:
    import step_jax

    return step_jax.load(onnx.load(path), optimizer)


def load_onnxruntime(path: str, optimizer: str, threads: int, build: str) -> Step:
    """onnxruntime-training, which has no momentum: its steps do less."""
    import onnxruntime

    # The package asks for torch at once, which these parts of it do not use.
    package = types.ModuleType("onnxruntime.training")
    package.__path__ = [str(pathlib.Path(onnxruntime.__file__).parent / "training")]
    sys.modules[package.__name__] = package
    from onnxruntime.training import api, artifacts

    model = onnx.load(path)
    names = list(tensors(model)[0])
    # Its gradient of this operator reads these results.
    for node in model.graph.node:
        if node.op_type == "LayerNormalization":
            node.output.extend([f"{node.name}/mean", f"{node.name}/scale"])
    folder = tempfile.TemporaryDirectory(dir=pathlib.Path(path).parent)
    artifacts.generate_artifacts(
        model,
        requires_grad=names,
        loss=artifacts.LossType.CrossEntropyLoss,
        optimizer=artifacts.OptimType.SGD,
        artifact_directory=folder.name,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    state = api.CheckpointState.load_checkpoint(f"{folder.name}/checkpoint")
    module = api.Module(
        f"{folder.name}/training_model.onnx", state, session_options=options
    )
    rule = api.Optimizer(f"{folder.name}/optimizer_model.onnx", module)
    rule.set_learning_rate(RATE)
    module.train()

    def step(x: np.ndarray, labels: np.ndarray) -> float:
        loss = module(x, labels)
        rule.step()
        module.lazy_reset_grad()
        return float(loss)

    return step


LOADERS = {
    "weft": load_weft,
    "torch": load_torch,
    "torch.compile": load_torch_compile,
    "jax": load_jax,
    "onnxruntime-training": load_onnxruntime,
}


def peak_bytes() -> int:
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status).group(1)) * 1024


def burst(run: Callable, seconds: float) -> float:
    """As bench.py's, but that a long step, which fills the caches anew anyway,
    is not made once more before those that count."""
    start = time.perf_counter()
    run()
    times = [time.perf_counter() - start]
    if times[0] < seconds / 2:
        times.clear()
    end = start + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    engine, path, optimizer, threads, build = sys.argv[1:]
    # What engines print is not for the one who reads the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    x, labels = batch(onnx.load(path, load_external_data=False))
    step = LOADERS[engine](path, optimizer, int(threads), build)
    losses = [float(step(x, labels)) for _ in range(FIRST_STEPS)]
    print(json.dumps(losses), file=answers)
    for line in sys.stdin:
        seconds = burst(lambda: step(x, labels), float(line))
        print(json.dumps(seconds), file=answers)
    planned = getattr(step, "planned_bytes", lambda: None)()
    print(json.dumps([peak_bytes(), planned]), file=answers)


if __name__ == "__main__":
    main()
