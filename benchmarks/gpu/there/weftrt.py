"""Compiled programs by way of the runtime library's C interface (weft-rt/weft.h)."""

from __future__ import annotations

import ctypes
import os
from ctypes import (
    POINTER, Structure, byref, c_char, c_char_p, c_float, c_int32, c_int64, c_uint32, c_void_p,
)  # fmt: skip
from typing import Sequence

import numpy as np

MOST_RANK = 16

# Types as ONNX counts them. What numpy lacks is carried as integers.
DTYPES = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64,
    9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64, 16: np.uint16,
}  # fmt: skip
BF16 = 16


def dtype_of(code: int) -> np.dtype:
    return np.dtype(DTYPES.get(code, np.uint8))


class Tensor(Structure):
    _fields_ = [
        ("data", c_void_p), ("bytes", c_int64), ("dtype", c_int32), ("rank", c_int32),
        ("dims", c_int64 * MOST_RANK),
    ]  # fmt: skip


class Dim(Structure):
    _fields_ = [("size", c_int64), ("symbol", c_int32)]


class Port(Structure):
    _fields_ = [
        ("name", c_char_p), ("dtype", c_int32), ("rank", c_int32), ("dims", POINTER(Dim)),
        ("role", c_int32), ("twin", c_int32), ("initial", c_int32), ("early", c_int32),
    ]  # fmt: skip


class ProgramHead(Structure):
    _fields_ = [
        ("abi", c_uint32), ("name", c_char_p), ("producer", c_char_p), ("target", c_char_p),
        ("num_inputs", c_int32), ("num_outputs", c_int32), ("num_symbols", c_int32),
        ("num_constants", c_int32), ("num_kernels", c_int32), ("inputs", POINTER(Port)),
        ("outputs", POINTER(Port)),
    ]  # fmt: skip


class Options(Structure):
    _fields_ = [
        ("threads", c_int32), ("spin_microseconds", c_int32), ("parallel_for", c_void_p),
        ("parallel_for_user", c_void_p), ("announce", c_void_p), ("observe", c_void_p),
        ("observe_user", c_void_p), ("profile", c_int32), ("time_runs", c_int32),
        ("device", c_int32), ("memory_budget", c_int64),
    ]  # fmt: skip


class Gpu(Structure):
    _fields_ = [
        ("name", c_char * 128), ("major", c_int32), ("minor", c_int32),
        ("multiprocessors", c_int32), ("memory_bytes", c_int64), ("shared_bytes", c_int64),
    ]  # fmt: skip


class Error(RuntimeError):
    """What the runtime says."""


class Runtime:
    def __init__(self, path: str):
        self.library = library = ctypes.CDLL(os.path.abspath(path))
        library.weft_last_error.restype = c_char_p
        library.weft_model_program.restype = POINTER(ProgramHead)
        library.weft_session_device_time.restype = c_int64
        library.weft_trainer_session.restype = c_void_p
        for name, *types in (
            ("weft_gpu_describe", c_int32, POINTER(Gpu)),
            ("weft_model_open", c_char_p, POINTER(c_void_p)),
            ("weft_model_program", c_void_p),
            ("weft_model_release", c_void_p),
            ("weft_session_create", c_void_p, POINTER(Options), POINTER(c_void_p)),
            ("weft_session_release", c_void_p),
            ("weft_session_device_time", c_void_p),
            ("weft_session_write_trace", c_void_p, c_char_p),
            ("weft_session_run", c_void_p, c_int32, c_void_p, c_int32, c_void_p),
            ("weft_trainer_create", c_void_p, POINTER(Options), POINTER(c_void_p)),
            ("weft_trainer_release", c_void_p),
            ("weft_trainer_session", c_void_p),
            ("weft_trainer_expect", c_void_p, c_int32, c_void_p),
            ("weft_step", c_void_p, c_int32, c_void_p, c_float, c_int64, c_int32, c_void_p),
        ):
            getattr(library, name).argtypes = types

    def check(self, status: int) -> None:
        if status:
            raise Error(self.library.weft_last_error().decode())

    def gpu(self) -> Gpu:
        gpu = Gpu()
        self.check(self.library.weft_gpu_describe(0, byref(gpu)))
        return gpu

    def options(self, **fields) -> Options:
        options = Options()
        self.library.weft_session_options_init(byref(options))
        for name, value in fields.items():
            setattr(options, name, value)
        return options


def describe(arrays: Sequence[np.ndarray], ports: Sequence[Port]) -> ctypes.Array:
    """Tensors in the memory of contiguous arrays, which must outlive them."""
    tensors = (Tensor * len(arrays))()
    for tensor, array, port in zip(tensors, arrays, ports):
        # Memory of nothing has an address, too.
        tensor.data = array.ctypes.data
        tensor.bytes = array.nbytes
        tensor.dtype = port.dtype
        tensor.rank = array.ndim
        tensor.dims[: array.ndim] = array.shape
    return tensors


def to_array(tensor: Tensor) -> np.ndarray:
    """A copy of a tensor."""
    dims = list(tensor.dims[: tensor.rank])
    dtype = dtype_of(tensor.dtype)
    count = int(np.prod(dims))
    raw = ctypes.string_at(tensor.data, count * dtype.itemsize) if count else b""
    return np.frombuffer(raw, dtype).reshape(dims)


class Program:
    """A program in a shared library, and a session of it."""

    def __init__(self, runtime: Runtime, path: str, **options):
        self.runtime, self.model = runtime, c_void_p()
        self.session = c_void_p()
        library = runtime.library
        runtime.check(library.weft_model_open(str(path).encode(), byref(self.model)))
        self.head = library.weft_model_program(self.model).contents
        self.inputs = self.head.inputs[: self.head.num_inputs]
        self.outputs = self.head.outputs[: self.head.num_outputs]
        self.options = runtime.options(**options)
        self.start()

    def start(self) -> None:
        library = self.runtime.library
        self.runtime.check(
            library.weft_session_create(self.model, byref(self.options), byref(self.session))
        )

    def close(self) -> None:
        self.runtime.library.weft_session_release(self.session)
        self.runtime.library.weft_model_release(self.model)

    def bind(self, arrays: Sequence[np.ndarray]):
        """A function that runs the program on these arrays; its results are valid until
        the next run."""
        arrays = [np.asarray(array, order="C") for array in arrays]
        given = describe(arrays, self.inputs)
        made = (Tensor * len(self.outputs))()

        def run() -> ctypes.Array:
            arrays  # noqa: B018 - kept alive
            ctypes.memset(made, 0, ctypes.sizeof(made))
            self.runtime.check(
                self.runtime.library.weft_session_run(
                    self.session, len(given), given, len(made), made
                )
            )
            return made

        return run

    def device_seconds(self) -> float:
        """Of the last run."""
        return self.runtime.library.weft_session_device_time(self.session) / 1e9

    def write_trace(self, path: str) -> None:
        """The launches so far, if the session profiles, in the Chrome trace format."""
        self.runtime.check(
            self.runtime.library.weft_session_write_trace(self.session, str(path).encode())
        )


class Trainer(Program):
    """A program that is a training step."""

    def start(self) -> None:
        library = self.runtime.library
        self.trainer = c_void_p()
        self.runtime.check(
            library.weft_trainer_create(self.model, byref(self.options), byref(self.trainer))
        )
        self.session = c_void_p(library.weft_trainer_session(self.trainer))

    def close(self) -> None:
        self.runtime.library.weft_trainer_release(self.trainer)
        self.runtime.library.weft_model_release(self.model)

    def bind_step(self, arrays: Sequence[np.ndarray], rate: float):
        """A function that makes a step on these arrays and returns its loss."""
        arrays = [np.asarray(array, order="C") for array in arrays]
        data = [port for port in self.inputs if port.role == 0]
        given = describe(arrays, data)
        others = [port for port in self.outputs if port.twin < 0]
        loss = next(i for i, port in enumerate(others) if port.role == 5)
        made = (Tensor * len(others))()
        library = self.runtime.library

        def step() -> float:
            ctypes.memset(made, 0, ctypes.sizeof(made))
            # The next batch is the same.
            library.weft_trainer_expect(self.trainer, len(given), given)
            self.runtime.check(
                library.weft_step(self.trainer, len(given), given, rate, 0, len(made), made)
            )
            return float(ctypes.cast(made[loss].data, POINTER(c_float))[0])

        step.arrays = arrays
        return step
