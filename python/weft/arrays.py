"""Arrays of Weft's element types, from and to other libraries."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from weft import _weft

# Numpy's type for each of ONNX's. An element narrower than a byte takes one.
DTYPES: dict[int, np.dtype] = {
    code: np.dtype(dtype)
    for code, dtype in {
        1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16,
        6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64,
        12: np.uint32, 13: np.uint64,
        16: ml_dtypes.bfloat16,
        17: ml_dtypes.float8_e4m3fn, 18: ml_dtypes.float8_e4m3fnuz,
        19: ml_dtypes.float8_e5m2, 20: ml_dtypes.float8_e5m2fnuz,
        21: ml_dtypes.uint4, 22: ml_dtypes.int4,
        23: ml_dtypes.float4_e2m1fn, 24: ml_dtypes.float8_e8m0fnu,
        25: ml_dtypes.uint2, 26: ml_dtypes.int2,
    }.items()
}  # fmt: skip
CODES = {dtype: code for code, dtype in DTYPES.items()}

# DLPack's code and bits of the types that numpy can't exchange.
_DLPACK = {
    np.dtype(ml_dtypes.bfloat16): (4, 16),
    np.dtype(ml_dtypes.float8_e4m3fn): (10, 8),
    np.dtype(ml_dtypes.float8_e4m3fnuz): (11, 8),
    np.dtype(ml_dtypes.float8_e5m2): (12, 8),
    np.dtype(ml_dtypes.float8_e5m2fnuz): (13, 8),
    np.dtype(ml_dtypes.float8_e8m0fnu): (14, 8),
}
_FROM_DLPACK = {key: dtype for dtype, key in _DLPACK.items()}


class _Bytes:
    """Memory of another library as numpy can see it."""

    def __init__(self, address: int, size: int, owner: Any):
        self.__array_interface__ = {
            "version": 3, "typestr": "|u1", "shape": (size,),
            "data": (address, True),
        }  # fmt: skip
        self.owner = owner


def _import(value: Any) -> np.ndarray:
    """A tensor of another library, in place."""
    address, code, bits, dims, owner = _weft.read_dlpack(value)
    dtype = _FROM_DLPACK.get((code, bits))
    if dtype is None:
        raise TypeError(
            f"DLPack elements of code {code} and {bits} bits have no type here"
        )
    size = int(np.prod(dims)) * dtype.itemsize
    if not size:
        return np.empty(dims, dtype)
    return np.asarray(_Bytes(address, size, owner)).view(dtype).reshape(dims)


def as_array(value: Any) -> np.ndarray:
    """The value as a contiguous array, without a copy if it is one already."""
    if not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
        try:
            value = np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError):
            value = _import(value)
    # ascontiguousarray() makes a vector of a scalar.
    return np.ascontiguousarray(value).reshape(np.shape(value))


def dlpack(array: np.ndarray) -> Any:
    """The array as an object with ``__dlpack__``, in place, also if its type is
    one that numpy does not export, such as bfloat16."""
    key = _DLPACK.get(array.dtype)
    if key is None:
        return array
    array = np.ascontiguousarray(array)
    return _weft.write_dlpack(array.ctypes.data, *key, list(array.shape), array)
