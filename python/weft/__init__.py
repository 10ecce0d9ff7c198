"""Weft compiles ONNX models to native code.

    import weft
    f = weft.compile("model.onnx")
    y = f(x)

    t = weft.Trainer("model.onnx", loss="cross-entropy", optimizer=weft.AdamW(1e-3))
    loss = t.step(x, labels)
    t.export("tuned.onnx")

    f = weft.value_and_grad("model.onnx", ["x", "fc.weight"], loss=weft.MSE())
    loss, gradients = f(x, targets)

Inputs are numpy arrays or anything that has ``__dlpack__`` or
``__array_interface__``; they are read in place if they are contiguous. Outputs
are numpy arrays that own the memory which the program wrote to.
"""

from weft.arrays import dlpack
from weft.function import Error, Function, Port, UnsupportedError, compile, load
from weft.gradient import ValueAndGrad, value_and_grad
from weft.losses import BCE, L1, MSE, CrossEntropy, Huber, Output
from weft.train import LAMB, SGD, Adagrad, Adam, AdamW, FunctionOptimizer, RMSProp, Trainer

__all__ = [
    "Adagrad", "Adam", "AdamW", "BCE", "CrossEntropy", "Error", "Function",
    "FunctionOptimizer", "Huber", "L1", "LAMB", "MSE", "Output", "Port", "RMSProp", "SGD", "Trainer", "UnsupportedError",
    "ValueAndGrad", "compile", "dlpack", "load", "value_and_grad",
]  # fmt: skip
