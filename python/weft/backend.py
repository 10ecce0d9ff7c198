"""Weft as a backend of ONNX's own test runner (onnx.backend.base)."""

from __future__ import annotations

from typing import Any

import onnx
from onnx.backend.base import Backend, BackendRep

import weft


class WeftRep(BackendRep):
    """A prepared model."""

    def __init__(self, function: weft.Function):
        self.function = function

    def run(self, inputs: Any, **kwargs: Any) -> tuple:
        return tuple(self.function.run(inputs))


class WeftBackend(Backend):
    """Compiles each model for the processor at hand."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device.split(":")[0] == "CPU"

    @classmethod
    def prepare(
        cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any
    ) -> WeftRep:
        return WeftRep(weft.compile(model, **kwargs))

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple:
        return cls.prepare(model, device, **kwargs).run(inputs)


prepare = WeftBackend.prepare
run_model = WeftBackend.run_model
supports_device = WeftBackend.supports_device
