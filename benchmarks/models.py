"""The models that are timed, made once into a folder of the build tree.

    models.py [NAME...]     makes the models, all if none is named
"""

from __future__ import annotations

import pathlib
import sys
from typing import Callable

import language
import numpy as np
import onnx
import vision
from graph import Graph

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "models"

MODELS: dict[str, Callable[[], Graph]] = {
    "vgg16": vision.vgg16,
    "resnet50": vision.resnet50,
    "mobilenet_v3_large": vision.mobilenet_v3_large,
    "bert_base": language.bert_base,
    "gpt2": language.gpt2,
    "vit_b_16": vision.vit_b_16,
    "lstm": language.lstm,
    "digits_mlp": language.digits_mlp,
}

# The same with a batch of any size.
SYMBOLIC: dict[str, Callable[[], Graph]] = {
    "resnet50": lambda: vision.resnet50("N"),
    "digits_mlp": lambda: language.digits_mlp("N"),
}

# What is trained, and by which optimizer.
TRAINING: dict[str, tuple[Callable[[], Graph], str]] = {
    "digits_mlp": (lambda: language.digits_mlp(32), "sgd"),
    "lstm": (lambda: language.lstm(64, batch=16), "sgd"),
    "transformer": (lambda: language.transformer(8), "sgd"),
    "vgg16": (lambda: vision.vgg16(4), "momentum"),
    "resnet50": (lambda: vision.resnet50(8), "momentum"),
}

# m, n, k
PRODUCTS = [(1024, 1024, 1024), (256, 3072, 768)]


def _sources_time() -> float:
    here = pathlib.Path(__file__).parent
    names = ("graph.py", "vision.py", "language.py")
    return max((here / name).stat().st_mtime for name in names)


def _make(file: str, builder: Callable[[], Graph]) -> pathlib.Path:
    """The path of a model, which is made unless it is newer than its sources."""
    path = FOLDER / f"{file}.onnx"
    if not path.exists() or path.stat().st_mtime < _sources_time():
        FOLDER.mkdir(parents=True, exist_ok=True)
        builder().save(path)
    return path


def model(name: str) -> pathlib.Path:
    return _make(name, MODELS[name])


def symbolic(name: str) -> pathlib.Path:
    return _make(f"{name}_symbolic", SYMBOLIC[name])


def trained(name: str) -> pathlib.Path:
    return _make(f"{name}_trained", TRAINING[name][0])


def product(m: int, n: int, k: int, weight: bool) -> pathlib.Path:
    kind = "weight" if weight else "input"
    return _make(
        f"matmul_{m}x{n}x{k}_{kind}", lambda: language.matmul(m, n, k, weight)
    )


def inputs(path: pathlib.Path, batch: int = 1) -> dict[str, np.ndarray]:
    """Made-up inputs, the same each time; symbolic sizes are `batch`."""
    graph = onnx.load(path, load_external_data=False).graph
    random = np.random.default_rng(1)
    result = {}
    for port in graph.input:
        dims = port.type.tensor_type.shape.dim
        shape = [d.dim_value if d.HasField("dim_value") else batch for d in dims]
        if port.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            result[port.name] = random.standard_normal(shape, np.float32)
        elif port.name == "attention_mask":
            result[port.name] = np.ones(shape, np.int64)
        else:
            kinds = 2 if port.name == "token_type_ids" else 30000
            result[port.name] = random.integers(0, kinds, shape, np.int64)
    return result


if __name__ == "__main__":
    for wanted in sys.argv[1:] or MODELS:
        print(model(wanted))
