"""Weft compiles ONNX models to native code.

    import weft
    f = weft.compile("model.onnx")
    y = f(x)

    t = weft.Trainer("model.onnx", loss="cross-entropy", optimizer=weft.AdamW(1e-3))
    loss = t.step(x, labels)
    t.export("tuned.onnx")

Inputs are numpy arrays or anything that has ``__dlpack__`` or
``__array_interface__``; they are read in place if they are contiguous. Outputs
are numpy arrays that own the memory which the program wrote to.
"""

from weft.arrays import dlpack
from weft.function import Error, Function, Port, UnsupportedError, compile, load
from weft.train import LAMB, SGD, Adagrad, Adam, AdamW, FunctionOptimizer, RMSProp, Trainer

__all__ = [
    "Adagrad", "Adam", "AdamW", "Error", "Function", "FunctionOptimizer", "LAMB", "Port", "RMSProp", "SGD",
    "Trainer", "UnsupportedError", "compile", "dlpack", "load",
]  # fmt: skip
