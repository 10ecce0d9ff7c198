"""Training steps of ONNX models in torch, for the operators that they have."""

from __future__ import annotations

from typing import Callable

import numpy as np
import onnx
import steps
import torch
from onnx import helper
from torch.nn import functional


def _conv(attributes, x, w, b):
    return functional.conv2d(
        x, w, b, attributes["strides"], attributes["pads"][:2],
        attributes["dilations"], attributes["group"],
    )  # fmt: skip


def _max_pool(attributes, x):
    return functional.max_pool2d(
        x, attributes["kernel_shape"], attributes["strides"], attributes["pads"][:2]
    )


def _average_pool(attributes, x):
    return functional.avg_pool2d(x, attributes["kernel_shape"], attributes["strides"])


def _gemm(attributes, x, w, b):
    return functional.linear(x, w, b) if attributes.get("transB") else x @ w + b


def _layer_norm(attributes, x, w, b):
    return functional.layer_norm(x, w.shape, w, b, attributes["epsilon"])


def _lstm(attributes, x, w, r, b, _, h, c):
    """ONNX has the gates in the order i, o, f, c, torch in i, f, c, o."""
    i, o, f, g = range(4)

    def ordered(t):
        parts = t.chunk(4)
        return torch.cat([parts[i], parts[f], parts[g], parts[o]])

    weights = [ordered(w[0]), ordered(r[0]), *map(ordered, b[0].chunk(2))]
    y, h, c = torch.lstm(
        x, (h, c), weights, has_biases=True, num_layers=1, dropout=0.0,
        train=True, bidirectional=False, batch_first=False,
    )  # fmt: skip
    return y[:, None], h, c


OPERATORS: dict[str, Callable] = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": _average_pool,
    "Conv": _conv,
    "Div": lambda a, x, y: x / y,
    "Erf": lambda a, x: torch.erf(x),
    "Flatten": lambda a, x: x.flatten(1),
    "Gather": lambda a, x, i: functional.embedding(i, x)
    if i.dim()
    else x.select(a.get("axis", 0), -1),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "LSTM": _lstm,
    "LayerNormalization": _layer_norm,
    "MatMul": lambda a, x, y: x @ y,
    "MaxPool": _max_pool,
    "Mul": lambda a, x, y: x * y,
    "Relu": lambda a, x: torch.relu(x),
    "Reshape": lambda a, x, s: x.reshape(s),
    "Softmax": lambda a, x: x.softmax(a["axis"]),
    "Squeeze": lambda a, x, axes: x.squeeze(*axes),
    "Transpose": lambda a, x: x.permute(a["perm"]),
}


def forward(model: onnx.ModelProto) -> Callable:
    """A function of the values of tensors by name, which returns the scores."""
    _, fixed = steps.tensors(model)
    lists = {name: value.tolist() for name, value in fixed.items() if value.dtype == np.int64}
    constants = {name: torch.from_numpy(np.array(value)) for name, value in fixed.items()}
    nodes = []
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        nodes.append((OPERATORS[node.op_type], attributes, node))
    plan = [
        (function, attributes, n.op_type in ("Reshape", "Squeeze"), list(n.input), list(n.output))
        for function, attributes, n in nodes
    ]
    result = model.graph.output[0].name

    def run(given: dict) -> torch.Tensor:
        values = {**constants, **given, "": None}
        for function, attributes, has_list, inputs, outputs in plan:
            operands = [values[name] for name in inputs]
            if has_list:
                operands[1] = lists[inputs[1]]
            results = function(attributes, *operands)
            if len(outputs) == 1:
                results = (results,)
            for name, value in zip(outputs, results):
                values[name] = value
        return values[result]

    return run


def load(
    model: onnx.ModelProto, optimizer: str, threads: int, compiled: bool
) -> steps.Step:
    torch.set_num_threads(threads)
    trained, _ = steps.tensors(model)
    parameters = {
        name: torch.nn.Parameter(torch.from_numpy(value))
        for name, value in trained.items()
    }
    run, port = forward(model), model.graph.input[0].name
    rule = torch.optim.SGD(
        parameters.values(),
        steps.RATE,
        momentum=0.9 if optimizer == "momentum" else 0.0,
        fused=True,
    )

    def loss_of(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(run({**parameters, port: x}), labels)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step(x: np.ndarray, labels: np.ndarray) -> float:
        loss = loss_of(torch.from_numpy(x), torch.from_numpy(labels))
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss.item()

    return step
