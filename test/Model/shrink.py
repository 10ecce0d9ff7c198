"""Makes the architectures that the `onnx` package ships ("light models") small
enough for an emulator: fewer channels, and random weights instead of constant
ones, which would make all channels the same."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import onnx
from onnx import numpy_helper

FOLDER = pathlib.Path(os.path.dirname(onnx.__file__)) / "backend/test/data/light"
NAMES = sorted(path.stem.removeprefix("light_") for path in FOLDER.glob("*.onnx"))
# Numbers from here on are channels, of which one of eight stays; below are
# channels of images, groups, sizes of kernels and batches.
SMALLEST = 16
# Groups of ShuffleNet leave few channels in each, VGG is large.
FACTORS = {"shufflenet": 1, "vgg19": 16}


def _weights(dims: list[int], random: np.random.Generator) -> np.ndarray:
    if len(dims) > 1:  # He et al. 2015: keeps the size of activations
        value = random.standard_normal(dims) * np.sqrt(2 / np.prod(dims[1:]))
    else:  # also variances, which are above zero
        value = random.uniform(0.5, 1.5, dims)
    return value.astype(np.float32)


class _Shrinker:
    def __init__(self, graph: onnx.GraphProto, factor: int):
        self.graph, self.factor = graph, factor
        self.constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.weights = {n.output[0] for n in graph.node if n.op_type == "ConstantOfShape"}

    def size(self, size: int) -> int:
        return size // self.factor if size >= SMALLEST else size

    def activation(self, dims: list[int]) -> list[int]:
        """Channels are dimension 1, or 2 behind groups."""
        channels = 2 if len(dims) == 5 else 1
        return [self.size(d) if i == channels else d for i, d in enumerate(dims)]

    def targets(self) -> dict[str, np.ndarray]:
        """What Reshape nodes make of tensors, by the name of the constant."""
        made = {}
        for node in self.graph.node:
            if node.op_type == "Reshape":
                dims = self.constants[node.input[1]].tolist()
                if node.input[0] in self.weights:
                    dims = [self.size(d) for d in dims]
                else:
                    dims = self.activation(dims)
                made[node.input[1]] = np.array(dims, np.int64)
        return made

    def initializers(self) -> dict[str, np.ndarray]:
        random, made, used = np.random.default_rng(7), {}, set()
        for node in self.graph.node:
            if node.op_type == "ConstantOfShape":
                dims = self.constants[node.input[0]].tolist()
                made[node.output[0]] = _weights([self.size(d) for d in dims], random)
            else:
                used.update(node.input)
        targets = self.targets()
        for name in sorted(used & self.constants.keys()):
            value = self.constants[name]
            if name in targets:
                value = targets[name]
            elif value.dtype == np.float32:
                value = _weights([self.size(d) for d in value.shape], random)
            made[name] = value
        return made


def light(name: str) -> onnx.ModelProto:
    """The light model `name`, shrunk, up to what its softmax takes."""
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    graph = model.graph
    shrinker = _Shrinker(graph, FACTORS.get(name, 8))
    made = shrinker.initializers()
    nodes = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    ports = [port for port in graph.input if port.name not in shrinker.constants]
    output = graph.output[0]
    if nodes[-1].op_type == "Softmax":  # 1 and zeros, if its input is large
        output.name = nodes.pop().input[0]
    dims = output.type.tensor_type.shape.dim
    for dim, size in zip(dims, shrinker.activation([d.dim_value for d in dims]), strict=True):
        dim.dim_value = size
    del graph.node[:], graph.input[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input.extend(ports)
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in made.items())
    model.ir_version = max(model.ir_version, 4)  # before, weights were inputs as well
    onnx.checker.check_model(model)
    return model
