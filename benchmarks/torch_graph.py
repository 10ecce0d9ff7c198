"""ONNX graphs as functions of torch's tensors, for the operators that they have."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

import torch
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


def _gather(attributes, x, i):
    axis = attributes.get("axis", 0)
    if i.dim() and axis == 0 and x.dim() == 2:  # words: none counts from the end
        return functional.embedding(i, x)
    i = i % x.shape[axis]  # torch counts from the front alone
    picked = x.index_select(axis, i.reshape(-1))
    return picked.reshape(x.shape[:axis] + i.shape + x.shape[axis + 1 :])


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
    "Gather": _gather,
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


# Kind, attributes, names of operands, names of results.
Node = tuple[str, Mapping[str, Any], Sequence[str], Sequence[str]]


def function(
    nodes: Sequence[Node],
    constants: Mapping[str, torch.Tensor],
    lists: Mapping[str, list],
    result: str,
) -> Callable[[Mapping[str, torch.Tensor]], torch.Tensor]:
    """A function of the values of tensors by name, which returns `result`. `lists` are
    constants that operators take as lists of numbers."""
    plan = [(OPERATORS[kind], kind in ("Reshape", "Squeeze"), *rest) for kind, *rest in nodes]

    def run(given: Mapping[str, torch.Tensor]) -> torch.Tensor:
        values = {**constants, **given, "": None}
        for operator, has_list, attributes, inputs, outputs in plan:
            operands = [values[name] for name in inputs]
            if has_list:
                operands[1] = lists[inputs[1]]
            results = operator(attributes, *operands)
            if len(outputs) == 1:
                results = (results,)
            for name, value in zip(outputs, results):
                values[name] = value
        return values[result]

    return run
