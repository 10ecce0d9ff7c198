"""Made-up numbers that take hardly any room in an archive, and are the same everywhere."""

from __future__ import annotations

from typing import Sequence

import numpy as np

# A prime, so that rows of matrices differ; short enough for any packer to notice.
PERIOD = 4099


def numbers(shape: Sequence[int], shift: int, scale: float, add: float = 0.0) -> np.ndarray:
    """Normally distributed numbers that come again after PERIOD elements."""
    one = np.random.Generator(np.random.PCG64(1)).standard_normal(PERIOD, np.float32)
    one = np.roll(one, shift) * np.float32(scale) + np.float32(add)
    return np.resize(one, shape)
