"""Samples that a small model can learn, the same wherever they are made."""

import numpy as np

BATCH, STEPS = 16, 100

SHAPES = {"vectors": (20,), "images": (1, 8, 8), "sequences": (8, 6), "words": (7,)}


def make(kind):
    """Returns x and labels (of 5 classes) of all steps."""
    draw = np.random.Generator(np.random.PCG64(7))
    count = BATCH * STEPS
    labels = draw.integers(0, 5, count)
    if kind == "words":
        return (10 * labels[:, None] + draw.integers(0, 14, (count, *SHAPES[kind]))) % 50, labels
    centres = draw.standard_normal((5, *SHAPES[kind]))
    x = centres[labels] + draw.standard_normal((count, *SHAPES[kind]))
    return x.astype(np.float32), labels
