"""What the tests of the Python package share: small models."""

import pytest
from textmodel import parse


@pytest.fixture
def affine():
    """y = 2 x + 1 with a symbolic batch."""
    return parse(
        """
        affine (float[N, 3] x) => (float[N, 3] y)
        <float two = {2}, float one = {1}>
        { [double] d = Mul(x, two) [shift] y = Add(d, one) }
        """
    )


@pytest.fixture
def two_outputs():
    """The sum and the difference of two inputs."""
    return parse(
        """
        pair (float[2] a, float[2] b) => (float[2] sum, float[2] difference)
        { sum = Add(a, b) difference = Sub(a, b) }
        """
    )
