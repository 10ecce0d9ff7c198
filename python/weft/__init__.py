"""Weft compiles ONNX models to native code.

    import weft
    f = weft.compile("model.onnx")
    y = f(x)

Inputs are numpy arrays or anything that has ``__dlpack__`` or
``__array_interface__``; they are read in place if they are contiguous. Outputs
are numpy arrays that own the memory which the program wrote to.
"""

from weft.arrays import dlpack
from weft.function import Error, Function, Port, UnsupportedError, compile, load

__all__ = [
    "Error", "Function", "Port", "UnsupportedError", "compile", "dlpack", "load",
]  # fmt: skip
