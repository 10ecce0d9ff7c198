"""Values of models together with their gradients."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from weft import _weft, losses
from weft.arrays import CODES, DTYPES, as_array
from weft.function import Error, Port, _failure


class ValueAndGrad:
    """A loss of a model and its gradients, as a function of a batch.

    inputs: what a call takes, the labels last.
    wrt: the names that gradients are of, in the order of the results.
    """

    def __init__(self, trainer: Any, wrt: Sequence[str]):
        self._trainer = trainer
        self.wrt = list(wrt)
        self.inputs = [
            Port(name, DTYPES[code], tuple(dims)) for name, code, dims in trainer.inputs()
        ]
        # The arrays are the program's memory.
        self._parameters = {
            name: data.view(DTYPES[code]).reshape(dims)
            for name, own, code, dims, data in _weft.Trainer.states(trainer)
            if own
        }

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Copies of the trained tensors, by name."""
        return {name: array.copy() for name, array in self._parameters.items()}

    def set_parameters(self, values: Mapping[str, Any]) -> None:
        """Sets some of the trained tensors for the calls to come."""
        arrays = {}
        for name, value in values.items():
            old = self._parameters.get(name)
            if old is None:
                known = ", ".join(map(repr, self._parameters))
                raise Error(f"error: there is no parameter {name!r}; known are {known}")
            array = as_array(value)
            if array.shape != old.shape or array.dtype != old.dtype:
                raise Error(
                    f"error: parameter {name!r} is {array.dtype} {list(array.shape)}, wanted "
                    f"{old.dtype} {list(old.shape)}"
                )
            arrays[name] = array
        for name, array in arrays.items():
            self._parameters[name][...] = array
            self._trainer.changed(name)

    def __call__(self, *batch: Any, seed: int = 0) -> tuple[float, dict[str, np.ndarray]]:
        """The loss of a batch (arrays in the order of `inputs`: numpy, or anything with
        ``__dlpack__``) and the gradient of each name in `wrt`, as numpy arrays, which have
        ``__dlpack__`` themselves (`weft.dlpack` for types that numpy lacks). seed: of
        what the model draws at random."""
        if len(batch) != len(self.inputs):
            names = ", ".join(repr(port.name) for port in self.inputs)
            raise Error(f"error: got {len(batch)} arrays, wanted {len(self.inputs)}: {names}")
        arrays = [as_array(value) for value in batch]
        for array, port in zip(arrays, self.inputs):
            if array.dtype not in CODES:
                raise Error(f"error: input {port.name!r} has elements of {array.dtype}, which "
                            "no model takes")
        buffers = [(a.ctypes.data, a.nbytes, CODES[a.dtype], list(a.shape)) for a in arrays]
        try:
            results = self._trainer.results(buffers, seed)
        except _weft.Failure as failure:
            raise _failure(failure) from None
        values = {
            name: data.view(DTYPES[code]).reshape(dims)
            for name, (code, dims, data) in results.items()
        }
        return float(values["loss"]), {name: values[f"{name}.gradient"] for name in self.wrt}


def value_and_grad(
    model: str | os.PathLike,
    wrt: Sequence[str],
    *,
    loss: Any = "cross-entropy",
    threads: int = 0,
    target: str = "cpu",
    mcpu: str | None = None,
    cuda_arch: str | None = None,
    **settings: Any,
) -> Callable[..., tuple[float, dict[str, np.ndarray]]]:
    """Compiles a model to a function that gives its loss and the loss's gradients:

        f = weft.value_and_grad("net.onnx", ["fc.weight", "x"], loss=weft.MSE())
        loss, gradients = f(x, labels)
        gradients["fc.weight"]

    model: the path of an ONNX file.
    wrt: names of inputs and of initializers of floats.
    loss: as `Trainer` takes it.
    target: what it runs on, "cpu" or "cuda".
    settings: those of `weft train --set`; Dropout is on unless ``dropout=False``.
    """
    wrt = [wrt] if isinstance(wrt, str) else list(wrt)
    if not wrt:
        raise Error("error: name at least one tensor to take gradients of")
    for name in wrt:
        if re.search(r"\s", name):
            raise Error(f"error: {name!r} has a space, which settings can't hold")
    pattern = "^(" + "|".join(map(_escape, wrt)) + ")$"
    words = [*losses.settings(loss), f"gradients={pattern}"]
    settings.setdefault("train", pattern)
    for key, value in settings.items():
        if isinstance(value, bool):
            value = str(value).lower()
        words.append(f"{key.replace('_', '-')}={value}")
    source = _weft.Source(
        os.fspath(model), mcpu, None, None, " ".join(words), None, target, cuda_arch
    )
    try:
        trainer = _weft.Trainer.compile(source, threads)
    except _weft.Failure as failure:
        raise _failure(failure) from None
    known = {name for name, own, *_ in _weft.Trainer.states(trainer) if own}
    known |= {name for name, *_ in trainer.inputs()}
    for name in wrt:
        if name not in known:
            raise Error(f"error: the model has no input and no trained tensor {name!r}")
    return ValueAndGrad(trainer, wrt)


def _escape(name: str) -> str:
    """The name as a POSIX regular expression that it alone matches."""
    return re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", name)
