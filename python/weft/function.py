"""Compiled models as functions of arrays."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Mapping, Sequence

import numpy as np

from weft import _weft


class Error(RuntimeError):
    """A model or an input that is wrong; the text is the tool's."""


class UnsupportedError(Error):
    """A sound model that asks for something Weft has no lowering of."""


def _dtypes() -> dict[int, np.dtype]:
    """Numpy's type for each of ONNX's, as far as it has one."""
    table = {
        1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16,
        6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64,
        12: np.uint32, 13: np.uint64,
    }  # fmt: skip
    try:
        import ml_dtypes
    except ImportError:
        return {code: np.dtype(dtype) for code, dtype in table.items()}
    extra = {
        16: "bfloat16", 17: "float8_e4m3fn", 18: "float8_e4m3fnuz",
        19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4",
        23: "float4_e2m1fn", 24: "float8_e8m0fnu", 25: "uint2", 26: "int2",
    }  # fmt: skip
    for code, name in extra.items():
        if hasattr(ml_dtypes, name):
            table[code] = getattr(ml_dtypes, name)
    return {code: np.dtype(dtype) for code, dtype in table.items()}


_DTYPES = _dtypes()
_CODES = {dtype: code for code, dtype in _DTYPES.items()}


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output. A dimension is a size, a symbol's name, or None for
    a size that depends on the data."""

    name: str
    dtype: np.dtype
    dims: tuple[int | str | None, ...]


def _as_array(value: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
        value = np.from_dlpack(value)
    return np.ascontiguousarray(value).reshape(np.shape(value))


def _failure(failure: Exception) -> Error:
    code, text = failure.args
    return (UnsupportedError if code == 77 else Error)(text.strip())


class Function:
    """A compiled model. Calling it runs it; not by two threads at once."""

    def __init__(self, program: _weft.Program):
        self._program = program
        self.inputs = [self._port(port) for port in program.ports(False)]
        self.outputs = [self._port(port) for port in program.ports(True)]

    @staticmethod
    def _port(port: tuple[str, int, list]) -> Port:
        name, code, dims = port
        return Port(name, _DTYPES[code], tuple(dims))

    def run(self, inputs: Sequence[Any] | Mapping[str, Any]) -> list[np.ndarray]:
        """All outputs, given the inputs in order or by name."""
        if isinstance(inputs, Mapping):
            unknown = set(inputs) - {port.name for port in self.inputs}
            missing = [p.name for p in self.inputs if p.name not in inputs]
            if unknown or missing:
                raise Error(
                    f"inputs {sorted(unknown)} are not the model's, and "
                    f"{missing} are missing"
                )
            inputs = [inputs[port.name] for port in self.inputs]
        arrays = [_as_array(value) for value in inputs]
        buffers = []
        for array in arrays:
            code = _CODES.get(array.dtype)
            if code is None:
                raise Error(f"arrays of {array.dtype} can't be inputs")
            buffers.append(
                (array.ctypes.data, array.nbytes, code, list(array.shape))
            )
        try:
            results = self._program.run(buffers)
        except _weft.Failure as failure:
            raise _failure(failure) from None
        return [
            np.frombuffer(data, _DTYPES[code]).reshape(dims)
            for data, code, dims in results
        ]

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """The output, or a tuple of them if there are several."""
        results = self.run(named if named else inputs)
        return results[0] if len(results) == 1 else tuple(results)

    @property
    def arena_bytes(self) -> int:
        """Bytes of working memory that the last run took."""
        return self._program.arena_bytes()

    @property
    def kernels(self) -> list[tuple[str, list[str]]]:
        """Each kernel with the names of the ONNX nodes that it computes."""
        return [(k, nodes.split("\n")) for k, nodes in self._program.kernels()]

    def write_trace(self, path: str | os.PathLike) -> None:
        """Writes the launches so far as a Chrome trace; needs profile=True."""
        self._program.write_trace(os.fspath(path))


def compile(
    model: Any,
    *,
    mcpu: str | None = None,
    dims: Mapping[str, tuple[int, int]] | None = None,
    threads: int = 0,
    profile: bool = False,
    dump_stages: str | os.PathLike | None = None,
) -> Function:
    """Compiles a model into this process.

    model: a path, the bytes of a model, or an onnx.ModelProto.
    dims: limits of symbolic sizes, as {"N": (1, 64)}.
    threads: of a run; 0 for as many as there are processors.
    dump_stages: a folder that gets the IR of each stage.
    """
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    elif not isinstance(model, bytes):
        model = os.fspath(model)
    limits = None
    if dims:
        limits = ",".join(f"{n}={low}:{high}" for n, (low, high) in dims.items())
    dump = os.fspath(dump_stages) if dump_stages is not None else None
    try:
        return Function(
            _weft.Program.compile(model, mcpu, limits, dump, threads, profile)
        )
    except _weft.Failure as failure:
        raise _failure(failure) from None


def load(
    path: str | os.PathLike, *, threads: int = 0, profile: bool = False
) -> Function:
    """Opens a program that `weft compile` wrote."""
    try:
        return Function(_weft.Program.open(os.fspath(path), threads, profile))
    except _weft.Failure as failure:
        raise _failure(failure) from None
