"""What training minimises, as objects."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class CrossEntropy:
    """Of scores per class, ``[N, classes, ...]``, against class numbers ``[N, ...]``; the mean
    over the labels that count, as ``torch.nn.CrossEntropyLoss``.

    label_smoothing: the part of each label that is spread over all classes.
    ignore_index: a label that counts for nothing.
    """

    label_smoothing: float = 0.0
    ignore_index: int | None = None
    name = "cross-entropy"


@dataclasses.dataclass(frozen=True)
class BCE:
    """Binary cross-entropy of scores (before the sigmoid, or of the model's last one) against
    probabilities, as ``torch.nn.BCEWithLogitsLoss``."""

    name = "bce"


@dataclasses.dataclass(frozen=True)
class MSE:
    """The mean of squared differences."""

    name = "mse"


@dataclasses.dataclass(frozen=True)
class L1:
    """The mean of absolute differences."""

    name = "l1"


@dataclasses.dataclass(frozen=True)
class Huber:
    """Half the square of differences up to `delta`, linear beyond, as
    ``torch.nn.HuberLoss``."""

    delta: float = 1.0
    name = "huber"


@dataclasses.dataclass(frozen=True)
class Output:
    """An output of the model that is the loss."""

    output: str

    @property
    def name(self) -> str:
        return f"output:{self.output}"


def settings(loss: object) -> list[str]:
    """What the compiler reads of a loss: an object of this module, or its name."""
    if isinstance(loss, str):
        return [f"loss={loss}"]
    words = [f"loss={loss.name}"]
    if isinstance(loss, CrossEntropy):
        if loss.label_smoothing:
            words.append(f"label-smoothing={loss.label_smoothing}")
        if loss.ignore_index is not None:
            words.append(f"ignore-index={loss.ignore_index}")
    if isinstance(loss, Huber):
        words.append(f"huber-delta={loss.delta}")
    return words
