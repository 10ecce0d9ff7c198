"""Training of ONNX models."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
from typing import Any, Iterable, Iterator, Mapping, Sequence

import numpy as np

from weft import _weft, losses
from weft.arrays import CODES, DTYPES, as_array
from weft.function import Error, Port, _bytes, _failure
from weft.preprocess import PROPERTY, Preprocess, encode

# What safetensors calls the types that states have.
_SAFE = {"float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64", "bfloat16": "BF16"}


@dataclasses.dataclass(frozen=True)
class SGD:
    """Gradient descent, with momentum if it is not 0."""

    rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    name = "sgd"


@dataclasses.dataclass(frozen=True)
class Adam:
    """Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015."""

    rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    name = "adam"


@dataclasses.dataclass(frozen=True)
class AdamW(Adam):
    """Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019."""

    weight_decay: float = 0.01
    name = "adamw"


@dataclasses.dataclass(frozen=True)
class LAMB(Adam):
    """You et al., "Large Batch Optimization for Deep Learning", 2020."""

    epsilon: float = 1e-6
    name = "lamb"


@dataclasses.dataclass(frozen=True)
class Adagrad:
    """Duchi et al., "Adaptive Subgradient Methods", 2011."""

    rate: float = 0.01
    epsilon: float = 1e-10
    weight_decay: float = 0.0
    name = "adagrad"


@dataclasses.dataclass(frozen=True)
class RMSProp:
    """Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012."""

    rate: float = 0.01
    decay: float = 0.99
    momentum: float = 0.0
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    name = "rmsprop"


@dataclasses.dataclass(frozen=True)
class FunctionOptimizer:
    """An ONNX function of the model, or of a file (its path has no spaces), that
    makes of rate, step, parameter, gradient and states the new parameter and
    states."""

    function: str  # DOMAIN.NAME
    rate: float = 0.01
    file: str | None = None

    @property
    def name(self) -> str:
        place = f" optimizer-file={self.file}" if self.file else ""
        return f"function:{self.function}{place}"


def _settings(optimizer: Any, loss: str | None, others: Mapping[str, Any]) -> str:
    """The text that the compiler reads (`weft compile --help`)."""
    if optimizer is None:
        words, numbers = ["algorithm=true"], {}
        if loss is not None:
            words += losses.settings(loss)
    else:
        words = [*losses.settings(loss or "cross-entropy"), f"optimizer={optimizer.name}"]
        numbers = {f.name: getattr(optimizer, f.name) for f in dataclasses.fields(optimizer)}
        for key in ("rate", "function", "file"):
            numbers.pop(key, None)
    for key, value in {**numbers, **others}.items():
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str):
            value = ",".join(repr(float(number)) for number in value)
        words.append(f"{key.replace('_', '-')}={value}")
    return " ".join(words)


def _buffers(arrays: Sequence[np.ndarray]) -> list[tuple]:
    return [(a.ctypes.data, a.nbytes, CODES[a.dtype], list(a.shape)) for a in arrays]


class Trainer:
    """A model, compiled as a training step, and its state.

    model: the path of an ONNX file.
    loss: such as ``weft.CrossEntropy(label_smoothing=0.1)``, or the name of one:
        cross-entropy, bce, mse, l1, huber, or output:NAME [cross-entropy].
    optimizer: None for a model that brings its training along (training info):
    then `rate` is the learning rate, and the loss is known. What the training
    info initializes starts from what the file holds.
    accumulate: batches of an update; it is that of as many at once.
    preprocess: an ONNX graph (a path, bytes, or a ModelProto) that batches go
        through, in `fit` on a thread ahead of the step; `inputs` are then what it
        takes, and the exported model carries it (see `weft.compile`).
    seed: of what the model draws at random.
    target: what steps run on, "cpu" or "cuda". On a GPU the state stays there from
        step to step.
    memory_budget: the most bytes that a step may be planned to take, as in
        `weft.compile`.
    tf32: whether products of f32 on a GPU may round their operands, as in `weft.compile`.
    settings: those of `weft train --set`, as ``bn="train"``, ``clip_norm=1.0``,
        ``class_weights=[1, 2, 0.5]``, ``precision="bf16"``.
    """

    def __init__(
        self,
        model: str | os.PathLike,
        *,
        loss: Any = None,
        optimizer: Any = SGD(),
        rate: float | None = None,
        accumulate: int = 1,
        preprocess: Any = None,
        seed: int = 0,
        threads: int = 0,
        target: str = "cpu",
        mcpu: str | None = None,
        cuda_arch: str | None = None,
        memory_budget: int | str | None = None,
        tf32: bool = False,
        **settings: Any,
    ):
        self._path = os.fspath(model)
        self._accumulate = accumulate
        if accumulate != 1:
            settings["accumulate"] = accumulate
        self._settings = _settings(optimizer, loss, settings)
        self.rate = optimizer.rate if rate is None and optimizer is not None else rate
        if self.rate is None:
            raise Error("error: without an optimizer 'rate' is needed")
        self._seed = seed
        self._source = source = _weft.Source(
            self._path, mcpu, None, None, self._settings, None, target, cuda_arch,
            _bytes(memory_budget), None, tf32,
        )
        try:
            self._trainer = _weft.Trainer.compile(source, threads)
        except _weft.Failure as failure:
            raise _failure(failure) from None
        self.inputs = [
            Port(name, DTYPES[code], tuple(dims)) for name, code, dims in self._trainer.inputs()
        ]
        self._front = None
        if preprocess is not None:
            self._front = Preprocess(encode(preprocess), self.inputs, mcpu)
            self.inputs = self._front.ports
        # The arrays are the trainer's memory, which is of before the last step until
        # the state is fetched.
        self._memory = {
            name: data.view(DTYPES[code]).reshape(dims)
            for name, _, code, dims, data in _weft.Trainer.states(self._trainer)
        }
        self._of_model = [name for name, own, *_ in _weft.Trainer.states(self._trainer) if own]
        self.metrics: dict[str, float] = {}

    def step(self, *batch: Any, rate: float | None = None, last: bool = False) -> float:
        """Takes a batch (arrays in the order of `inputs`, the labels last) of an
        update, which the last of its `accumulate` batches makes, and returns the
        loss, before it, of those so far; `metrics` has what else is told of them.
        rate: the learning rate, by default the optimizer's. last: whether the
        update is made with this batch in any case. Raises an Error that names the
        node that is to blame where the loss is infinite or NaN; then nothing has
        changed."""
        return self._step(self._prepare(batch), rate, last)

    def _prepare(self, batch: Sequence[Any]) -> list[np.ndarray]:
        """The arrays that the step takes, of a batch as `inputs` are."""
        self._check_count(batch)
        if self._front is not None:
            batch = self._front(batch)
        return [as_array(value) for value in batch]

    def _step(self, arrays: Sequence[np.ndarray], rate: float | None, last: bool) -> float:
        buffers = _buffers(arrays)
        rate = self.rate if rate is None else rate
        try:
            if last and self._accumulate > 1:
                self._memory["weft.batches"][...] = self._accumulate - 1
                self._trainer.changed("weft.batches")
            self.metrics = self._trainer.step(buffers, rate, self._seed)
        except _weft.Failure as failure:
            raise _failure(failure) from None
        loss = self.metrics["loss"]
        if not np.isfinite(loss):
            why = self._trainer.explain(self._source, buffers, rate, self._seed)
            raise Error(
                f"error: WFT6301: the loss of update {self.steps + 1} is {loss}; {why}; "
                "nothing has changed"
            )
        return loss

    def _in_order(self, batch: Any) -> Sequence[Any]:
        """The arrays of a batch in the order of `inputs`."""
        if not isinstance(batch, Mapping):
            return batch
        names = [port.name for port in self.inputs]
        if set(batch) != set(names):
            found, wanted = (", ".join(map(repr, one)) for one in (batch, names))
            raise Error(f"error: a batch has {found}, wanted {wanted}")
        return [batch[name] for name in names]

    def fit(self, batches: Iterable[Any]) -> list[float]:
        """Makes an update of each `accumulate` batches, and one of what is left;
        the losses. A batch is a tuple or list of arrays, or a mapping by the
        names of `inputs`. Takes any iterator, such as a torch DataLoader: what has
        ``__dlpack__`` is read in place."""
        losses = []
        iterator = iter(batches) if self._front is None else self._ahead(batches)
        batch, arrays = next(iterator, None), None
        while batch is not None:
            arrays = self._arrays(batch) if arrays is None else arrays
            upcoming = next(iterator, None)
            following = self._expect(upcoming)
            loss = self._step(arrays, None, upcoming is None)
            if self._accumulate == 1 or self._state("weft.batches") == 0:
                losses.append(loss)
            batch, arrays = upcoming, following
        return losses

    def _arrays(self, batch: Any) -> list[np.ndarray]:
        """The arrays of a batch that `fit` is given."""
        if isinstance(batch, concurrent.futures.Future):
            return batch.result()
        return self._prepare(self._in_order(batch))

    def _ahead(self, batches: Iterable[Any]) -> Iterator[concurrent.futures.Future]:
        """The arrays of batches that a graph makes, while others are stepped
        through."""
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            waiting: collections.deque[concurrent.futures.Future] = collections.deque()
            for batch in batches:
                waiting.append(thread.submit(self._arrays, batch))
                if len(waiting) > 2:
                    yield waiting.popleft()
            yield from waiting

    def _expect(self, batch: Any) -> list[np.ndarray] | None:
        """Tells the batch of the step after the next one; its arrays, or None if there
        are none, or something is wrong with them, which is told when they are due."""
        try:
            arrays = None if batch is None else self._arrays(batch)
            if arrays is not None:
                self._trainer.expect(_buffers(arrays))
            return arrays
        except (Error, KeyError, TypeError, ValueError):
            return None

    def _check_count(self, batch: Sequence[Any]) -> None:
        if len(batch) != len(self.inputs):
            names = ", ".join(repr(port.name) for port in self.inputs)
            raise Error(f"error: got {len(batch)} arrays, wanted {len(self.inputs)}: {names}")

    def _state(self, name: str = "") -> Any:
        """The memory of a state, or of all by name, with its value as it is now."""
        try:
            self._trainer.fetch(name)
        except _weft.Failure as failure:
            raise _failure(failure) from None
        return self._memory[name] if name else self._memory

    @property
    def loss_scale(self) -> float | None:
        """What the next losses are multiplied by with ``precision="f16"``: a step
        in which a gradient overflows makes no update and halves it."""
        return float(self._state("weft.scale")) if "weft.scale" in self._memory else None

    @property
    def steps(self) -> int:
        """Updates made so far."""
        return self._trainer.steps()

    @property
    def planned_bytes(self) -> int:
        """The bytes of memory that steps take, as planned: the state and, from
        the first step on, the arena."""
        return self._trainer.arena_bytes() + sum(a.nbytes for a in self._memory.values())

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Copies of the model's trained tensors, by name."""
        states = self._state()
        return {name: states[name].copy() for name in self._of_model}

    @property
    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that steps change, by name."""
        return {name: array.copy() for name, array in self._state().items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Sets what `state` gave."""
        if set(state) != set(self._memory):
            odd = sorted(set(state) ^ set(self._memory))
            raise Error(f"error: the states differ in {', '.join(map(repr, odd))}")
        for name, array in self._memory.items():
            value = np.asarray(state[name])
            if value.shape != array.shape or value.dtype != array.dtype:
                raise Error(
                    f"error: state {name!r} is {value.dtype} {list(value.shape)}, wanted "
                    f"{array.dtype} {list(array.shape)}"
                )
        for name, array in self._memory.items():
            array[...] = state[name]
        self._trainer.changed("")

    def save(self, path: str | os.PathLike) -> None:
        """Writes the state as a safetensors file, which appears when complete."""
        header: dict[str, Any] = {}
        end = 0
        states = self._state()
        for name, array in states.items():
            begin, end = end, end + array.nbytes
            header[name] = {
                "dtype": _SAFE[str(array.dtype)],
                "shape": list(array.shape),
                "data_offsets": [begin, end],
            }
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path = os.fspath(path)
        try:
            with open(path + ".tmp", "wb") as file:
                file.write(len(text).to_bytes(8, "little") + text)
                for array in states.values():
                    file.write(array.tobytes())
                file.flush()
                os.fsync(file.fileno())
            os.replace(path + ".tmp", path)
        except OSError:
            pathlib.Path(path + ".tmp").unlink(missing_ok=True)
            raise

    def load(self, path: str | os.PathLike) -> None:
        """Goes on from what `save` or a checkpoint of `weft train` wrote."""
        names = {name: dtype for dtype, name in _SAFE.items()}
        with open(path, "rb") as file:
            data = file.read()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        header.pop("__metadata__", None)
        state = {}
        for name, entry in header.items():
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            dtype = next(d for d in CODES if str(d) == names[entry["dtype"]])
            state[name] = np.frombuffer(data[begin:end], dtype).reshape(entry["shape"])
        self.load_state(state)

    def export(self, path: str | os.PathLike, *, merge_preprocess: bool = False) -> None:
        """Writes the model's file with the trained tensors in it. With a graph for
        samples, the file carries it; or, with `merge_preprocess`, has it in front
        and is of the newest operator set."""
        properties = {"weft.train.settings": self._settings, "weft.train.updates": str(self.steps)}
        if self._front is not None:
            properties[PROPERTY] = self._front.text
        elif merge_preprocess:
            raise Error("error: the trainer has no graph for samples to merge")
        path = os.fspath(path)
        try:
            self._trainer.export(self._path, path, [t for pair in properties.items() for t in pair])
            if merge_preprocess:
                _weft.export_merged(path, self._front.text, path)
        except _weft.Failure as failure:
            raise _failure(failure) from None
