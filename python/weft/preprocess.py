"""Graphs that samples go through before a model sees them."""

from __future__ import annotations

import base64
import os
from typing import Any, Sequence

import numpy as np

from weft import _weft
from weft.function import Error, Function, Port, _failure

PROPERTY = "weft.preprocess"


def encode(graph: Any) -> str:
    """A graph (a path, the bytes of a model, or an onnx.ModelProto) as text that
    a model can carry."""
    if hasattr(graph, "SerializeToString"):
        graph = graph.SerializeToString()
    if isinstance(graph, bytes):
        return base64.b64encode(graph).decode()
    try:
        return _weft.encode_graph(os.fspath(graph))
    except _weft.Failure as failure:
        raise _failure(failure) from None


def stored(model: Any) -> str:
    """The graph that the model in a file carries, as text."""
    if not isinstance(model, (str, os.PathLike)):
        raise Error("error: the graph that a model carries is read from its file: give its path")
    try:
        text = _weft.read_property(os.fspath(model), PROPERTY)
    except _weft.Failure as failure:
        raise _failure(failure) from None
    if text is None:
        raise Error(
            f"error: WFT6010: '{os.fspath(model)}' carries no graph for samples, as weft train "
            "--preprocess stores it; give one"
        )
    return text


class Preprocess:
    """A compiled graph that makes one of the inputs of a model."""

    def __init__(self, text: str, ports: Sequence[Port], mcpu: str | None):
        self.text = text
        try:
            self._function = Function(_weft.Program.compile_graph(text, mcpu), None)
        except _weft.Failure as failure:
            raise _failure(failure) from None
        outputs = self._function.outputs
        if len(outputs) != 1:
            raise Error(f"error: the graph for samples has {len(outputs)} outputs, wanted one")
        fitting = [i for i, port in enumerate(ports) if self._fits(outputs[0], port)]
        named = [i for i, port in enumerate(ports) if port.name == outputs[0].name]
        chosen = [i for i in fitting if i in named] if named else fitting
        if len(chosen) != 1:
            raise Error(
                f"error: the graph for samples makes {self._describe(outputs[0])}, but the model "
                f"takes {', '.join(map(self._describe, ports))}; give its output the name, the "
                "element type and the sizes of one of these"
            )
        self.target = chosen[0]
        self._count = len(self._function.inputs)
        self.ports = [
            *ports[: self.target], *self._function.inputs, *ports[self.target + 1 :],
        ]  # fmt: skip

    @staticmethod
    def _describe(port: Port) -> str:
        return f"{port.name!r}, {port.dtype} {list(port.dims)}"

    @staticmethod
    def _fits(have: Port, want: Port) -> bool:
        return (
            have.dtype == want.dtype
            and len(have.dims) == len(want.dims)
            and all(
                one == other for one, other in zip(have.dims, want.dims)
                if isinstance(one, int) and isinstance(other, int)
            )
        )  # fmt: skip

    def __call__(self, batch: Sequence[Any]) -> list[Any]:
        """What the model takes, made of what `ports` are."""
        batch, end = list(batch), self.target + self._count
        if len(batch) != len(self.ports):
            names = ", ".join(repr(port.name) for port in self.ports)
            raise Error(f"error: got {len(batch)} arrays, wanted {len(self.ports)}: {names}")
        made: np.ndarray = self._function.run(batch[self.target : end])[0]
        return [*batch[: self.target], made, *batch[end:]]
