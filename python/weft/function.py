"""Compiled models as functions of arrays."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Any, Mapping, Sequence

import numpy as np

from weft import _weft
from weft.arrays import CODES, DTYPES, as_array


class Error(RuntimeError):
    """A model or an input that is wrong; the text is the tool's."""


class UnsupportedError(Error):
    """A sound model that asks for something Weft has no lowering of."""


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output. A dimension is a size, a symbol's name, or None for
    a size that depends on the data."""

    name: str
    dtype: np.dtype
    dims: tuple[int | str | None, ...]


def _failure(failure: Exception) -> Error:
    code, text = failure.args
    return (UnsupportedError if code == 77 else Error)(text.strip())


class Function:
    """A compiled model. Calling it runs it; not by two threads at once."""

    def __init__(self, program: _weft.Program, source: _weft.Source | None):
        self._program = program
        self._source = source
        self.inputs = [self._port(port) for port in program.ports(False)]
        self.outputs = [self._port(port) for port in program.ports(True)]

    @staticmethod
    def _port(port: tuple[str, int, list]) -> Port:
        name, code, dims = port
        return Port(name, DTYPES[code], tuple(dims))

    def _in_order(self, inputs: Mapping[str, Any]) -> list[Any]:
        """The inputs in the model's order."""
        names = [port.name for port in self.inputs]
        problems = [f"the model has no input {n!r}" for n in inputs if n not in names]
        problems += [f"input {n!r} is missing" for n in names if n not in inputs]
        if problems:
            wanted = ", ".join(map(repr, names))
            raise Error(f"error: {'; '.join(problems)}; its inputs are {wanted}")
        return [inputs[name] for name in names]

    @staticmethod
    def _buffer(array: np.ndarray, what: str) -> tuple[int, int, int, list[int]]:
        code = CODES.get(array.dtype)
        if code is None:
            raise Error(f"error: {what} has elements of {array.dtype}, which no "
                        "model takes")
        return array.ctypes.data, array.nbytes, code, list(array.shape)

    def _output_buffers(self, out: Sequence[np.ndarray | None] | None) -> list:
        """Where outputs go: to the caller's arrays, or where there is room."""
        if out is None:
            out = [None] * len(self.outputs)
        if len(out) != len(self.outputs):
            raise Error(
                f"error: got {len(out)} arrays for outputs, wanted "
                f"{len(self.outputs)}"
            )
        buffers = []
        for port, array in zip(self.outputs, out):
            if array is None:
                buffers.append((0, 0, CODES[port.dtype], []))
                continue
            if array.dtype != port.dtype:
                raise Error(
                    f"error: the array for output {port.name!r} has elements of "
                    f"{array.dtype}, wanted {port.dtype}"
                )
            if not (array.flags.c_contiguous and array.flags.writeable):
                raise Error(
                    f"error: the array for output {port.name!r} is not "
                    "contiguous and writable"
                )
            buffers.append(self._buffer(array, f"output {port.name!r}"))
        return buffers

    def run(
        self,
        inputs: Sequence[Any] | Mapping[str, Any],
        out: Sequence[np.ndarray | None] | None = None,
    ) -> list[np.ndarray]:
        """All outputs, given the inputs in order or by name.

        out: arrays that are written to, None where a new one is wanted.
        """
        if isinstance(inputs, Mapping):
            inputs = self._in_order(inputs)
        arrays = [as_array(value) for value in inputs]
        buffers = [
            self._buffer(array, f"input {i}") for i, array in enumerate(arrays)
        ]
        try:
            results = self._program.run(buffers, self._output_buffers(out))
        except _weft.Failure as failure:
            raise _failure(failure) from None
        values = []
        for i, (data, code, dims) in enumerate(results):
            if data is not None:
                values.append(data.view(DTYPES[code]).reshape(dims))
                continue
            array = out[i]
            if list(array.shape) != dims:
                raise Error(
                    f"error: the array for output {self.outputs[i].name!r} has "
                    f"the sizes {list(array.shape)}, wanted {dims}"
                )
            values.append(array)
        return values

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """The output, or a tuple of them if there are several."""
        results = self.run(named if named else inputs)
        return results[0] if len(results) == 1 else tuple(results)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the program to a file, for `load`, C programs and `weft run`:
        a shared library, or an object (.o) or archive (.a) by the name. Compiles
        the model again."""
        if self._source is None:
            raise Error("error: the function was loaded from a program, not compiled")
        path = os.fspath(path)
        emit = {".o": "obj", ".a": "lib"}.get(os.path.splitext(path)[1], "so")
        try:
            self._source.save(path, emit)
        except _weft.Failure as failure:
            raise _failure(failure) from None

    @property
    def arena_bytes(self) -> int:
        """Bytes of working memory that the last run took."""
        return self._program.arena_bytes()

    @property
    def threads(self) -> int:
        """Threads of a run."""
        return self._program.threads()

    @property
    def kernels(self) -> list[tuple[str, list[str]]]:
        """Each kernel with the names of the ONNX nodes that it computes."""
        return [(k, nodes.split("\n")) for k, nodes in self._program.kernels()]

    def write_trace(self, path: str | os.PathLike) -> None:
        """Writes the launches so far as a Chrome trace; needs profile=True."""
        self._program.write_trace(os.fspath(path))


_UNITS = {"": 1} | {
    unit + end: base ** (power + 1)
    for base, end in ((1000, ""), (1000, "b"), (1024, "ib"))
    for power, unit in enumerate("kmgt")
}


def _bytes(size: int | str | None) -> int:
    """A number of bytes, which may be written as "2GiB" or "500MB"; 0 for None."""
    if size is None:
        return 0
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-zA-Z]*)\s*", str(size))
    unit = match and match[2].lower()
    if unit == "b":
        unit = ""
    if unit not in _UNITS:
        raise Error(f"error: {size!r} is no size of memory: wanted a number such as '2GiB'")
    return int(float(match[1]) * _UNITS[unit])


def compile(
    model: Any,
    *,
    target: str = "cpu",
    mcpu: str | None = None,
    cuda_arch: str | None = None,
    tf32: bool = False,
    dims: Mapping[str, tuple[int, int]] | None = None,
    batch_dim: str | None = None,
    preprocess: Any = None,
    threads: int = 0,
    profile: bool = False,
    memory_budget: int | str | None = None,
    dump_stages: str | os.PathLike | None = None,
) -> Function:
    """Compiles a model into this process.

    model: a path, the bytes of a model, or an onnx.ModelProto.
    target: what kernels run on, "cpu" or "cuda".
    mcpu: the processor, as LLVM calls it; this machine's if None.
    cuda_arch: the oldest GPU to run on; "sm_80" if None.
    tf32: whether products of f32 on a GPU may round their operands to 11 bits of
        precision, which tensor cores take.
    dims: limits of symbolic sizes, as {"N": (1, 64)}.
    batch_dim: a name for the first dimension of all inputs, which then takes any
        size, in a model that was exported for one.
    preprocess: a graph that is put in front of the model, given as models are; or
        True for the one that the model's file carries since it was trained with it.
    threads: of a run; 0 for as many as there are processors.
    memory_budget: the most bytes that a run may be planned to take, on the GPU with
        target="cuda"; a number, or text such as "2GiB". What is known to take more
        is not compiled, and a call that would take more is an Error.
    dump_stages: a folder that gets the IR of each stage.
    """
    from weft import preprocess as graphs  # which knows what functions are

    front = None
    if preprocess is not None and preprocess is not False:
        front = graphs.stored(model) if preprocess is True else graphs.encode(preprocess)
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    elif not isinstance(model, bytes):
        model = os.fspath(model)
    limits = None
    if dims:
        limits = ",".join(f"{n}={low}:{high}" for n, (low, high) in dims.items())
    dump = os.fspath(dump_stages) if dump_stages is not None else None
    source = _weft.Source(
        model, mcpu, limits, dump, None, batch_dim, target, cuda_arch, _bytes(memory_budget),
        front, tf32,
    )
    try:
        return Function(_weft.Program.compile(source, threads, profile), source)
    except _weft.Failure as failure:
        raise _failure(failure) from None


def load(
    path: str | os.PathLike,
    *,
    threads: int = 0,
    profile: bool = False,
    memory_budget: int | str | None = None,
) -> Function:
    """Opens a program that `weft compile` or `Function.save` wrote. memory_budget: as in
    `compile`; if None, what the program was compiled with."""
    budget = _bytes(memory_budget)
    try:
        return Function(_weft.Program.open(os.fspath(path), threads, profile, budget), None)
    except _weft.Failure as failure:
        raise _failure(failure) from None
