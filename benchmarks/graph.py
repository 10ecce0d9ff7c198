"""Builds ONNX models with random weights, in the node patterns of exporters."""

from __future__ import annotations

import math
import pathlib
import zlib
from typing import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
# Weights of this size and more go to a file beside the model if the model is
# large; smaller ones, which shapes may depend on, stay in it.
EXTERNAL_BYTES = 1024
LARGE_MODEL_BYTES = 64 << 20


class Graph:
    """A model under construction. Values are names; weights depend on the
    model's and their own name alone, so that a model is the same each time."""

    def __init__(self, name: str):
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.weights: dict[str, np.ndarray] = {}
        self.scope: list[str] = []
        self._count = 0

    def __enter__(self) -> "Graph":
        return self

    def __exit__(self, *_) -> None:
        self.scope.pop()

    def inside(self, name: str) -> "Graph":
        """Prefixes the names of nodes and weights made in the `with` block."""
        self.scope.append(name)
        return self

    def input(self, name: str, shape: Sequence, dtype=TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, shape: Sequence) -> None:
        """Makes `value`, which no node may read afterwards, an output."""
        for node in self.nodes:
            node.output[:] = [name if v == value else v for v in node.output]
        self.outputs.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        )

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes):
        """Adds a node; its result, or a list of them if there are several."""
        self._count += 1
        path = "/" + "/".join([*self.scope, f"{kind}_{self._count}"])
        results = [f"{path}_output_{i}" for i in range(outputs)]
        self.nodes.append(
            helper.make_node(kind, list(inputs), results, path, **attributes)
        )
        return results[0] if outputs == 1 else results

    def weight(self, name: str, shape: Sequence[int], std: float) -> str:
        """A tensor of normally distributed numbers."""
        full = ".".join([*self.scope, name])
        seed = zlib.crc32(f"{self.name}/{full}".encode())
        values = np.random.default_rng(seed).standard_normal(shape, np.float32)
        values *= np.float32(std)
        self.weights[full] = values
        return full

    def constant(self, values, dtype=np.int64) -> str:
        """A small constant; equal ones are one."""
        array = np.asarray(values, dtype)
        key = zlib.crc32(array.tobytes() + str((array.shape, array.dtype)).encode())
        name = f"onnx::Constant_{key}"
        self.weights[name] = array
        return name

    def scalar(self, value: float) -> str:
        return self.constant(value, np.float32)

    # Layers as exporters write them.

    def conv(self, x, name, cin, cout, k, stride=1, pad=0, groups=1, gain=2.0):
        """A convolution with bias, which a folded BatchNormalization leaves."""
        fan_in = cin // groups * k * k
        with self.inside(name):
            w = self.weight(
                "weight", (cout, cin // groups, k, k), math.sqrt(gain / fan_in)
            )
            b = self.weight("bias", (cout,), 0.02)
            return self.op(
                "Conv", x, w, b, dilations=[1, 1], group=groups,
                kernel_shape=[k, k], pads=[pad] * 4, strides=[stride] * 2,
            )  # fmt: skip

    def gemm(self, x, name, n_in, n_out, gain=1.0):
        """A dense layer on a matrix."""
        with self.inside(name):
            w = self.weight("weight", (n_out, n_in), math.sqrt(gain / n_in))
            b = self.weight("bias", (n_out,), 0.02)
            return self.op("Gemm", x, w, b, alpha=1.0, beta=1.0, transB=1)

    def linear(self, x, name, n_in, n_out, std=0.02):
        """A dense layer on a tensor of rank 3."""
        with self.inside(name):
            w = self.weight("weight", (n_in, n_out), std)
            b = self.weight("bias", (n_out,), 0.02)
            return self.op("Add", b, self.op("MatMul", x, w))

    def layer_norm(self, x, name, size, epsilon=1e-5):
        with self.inside(name):
            w = self.weight("weight", (size,), 0.1)
            self.weights[w] += 1
            b = self.weight("bias", (size,), 0.02)
            return self.op("LayerNormalization", x, w, b, axis=-1, epsilon=epsilon)

    def reshape(self, x, shape):
        return self.op("Reshape", x, self.constant(shape), allowzero=0)

    def gelu_erf(self, x):
        half = self.op("Div", x, self.scalar(math.sqrt(2)))
        one = self.op("Add", self.op("Erf", half), self.scalar(1))
        return self.op("Mul", self.op("Mul", x, one), self.scalar(0.5))

    def gelu_tanh(self, x):
        cube = self.op("Pow", x, self.scalar(3))
        inner = self.op("Add", x, self.op("Mul", cube, self.scalar(0.044715)))
        scaled = self.op("Mul", inner, self.scalar(math.sqrt(2 / math.pi)))
        one = self.op("Add", self.op("Tanh", scaled), self.scalar(1))
        return self.op("Mul", self.op("Mul", x, self.scalar(0.5)), one)

    def attention(self, q, k, v, head_size, mask=None, guard=True):
        """Attention of heads [batch, head, position, channel], as torch writes
        scaled_dot_product_attention below opset 23; with `guard`, as it does where
        a mask may hide all."""
        root = self.scalar(head_size**-0.25)
        q = self.op("Mul", q, root)
        k = self.op("Mul", self.op("Transpose", k, perm=[0, 1, 3, 2]), root)
        scores = self.op("MatMul", q, k)
        if mask is not None:
            scores = self.op("Add", scores, mask)
        p = self.op("Softmax", scores, axis=-1)
        if guard:
            p = self.op("Where", self.op("IsNaN", p), self.scalar(0), p)
        return self.op("MatMul", p, v)

    def save(self, path: pathlib.Path) -> None:
        """Writes the model, and its weights beside it if they are large."""
        large = sum(w.nbytes for w in self.weights.values()) >= LARGE_MODEL_BYTES
        data_path = path.with_suffix(".data")
        initializers = []
        with open(data_path, "wb") as data:
            for name, values in self.weights.items():
                if not large or values.nbytes < EXTERNAL_BYTES:
                    initializers.append(numpy_helper.from_array(values, name))
                    continue
                data.write(bytes(-data.tell() % 4096))
                tensor = TensorProto(
                    name=name,
                    dims=values.shape,
                    data_type=helper.np_dtype_to_tensor_dtype(values.dtype),
                    data_location=TensorProto.EXTERNAL,
                )
                for key, value in (
                    ("location", data_path.name),
                    ("offset", data.tell()),
                    ("length", values.nbytes),
                ):
                    tensor.external_data.add(key=key, value=str(value))
                initializers.append(tensor)
                values.tofile(data)
        if not large:
            data_path.unlink()
        graph = helper.make_graph(
            self.nodes, self.name, self.inputs, self.outputs, initializers
        )
        model = helper.make_model(
            graph,
            producer_name="weft benchmarks",
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        model.ir_version = 8
        path.write_bytes(model.SerializeToString())
        onnx.checker.check_model(str(path), full_check=True)
