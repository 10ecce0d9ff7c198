"""Training steps of ONNX models in torch."""

from __future__ import annotations

from typing import Callable

import numpy as np
import onnx
import steps
import torch
import torch_graph
from onnx import helper
from torch.nn import functional


def forward(model: onnx.ModelProto) -> Callable:
    """A function of the values of tensors by name, which returns the scores."""
    _, fixed = steps.tensors(model)
    lists = {name: value.tolist() for name, value in fixed.items() if value.dtype == np.int64}
    constants = {name: torch.from_numpy(np.array(value)) for name, value in fixed.items()}
    nodes = [
        (
            node.op_type,
            {a.name: helper.get_attribute_value(a) for a in node.attribute},
            list(node.input),
            list(node.output),
        )
        for node in model.graph.node
    ]
    return torch_graph.function(nodes, constants, lists, model.graph.output[0].name)


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
