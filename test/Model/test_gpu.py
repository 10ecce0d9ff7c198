"""Whole models on a GPU, which is emulated: their outputs are those of the CPU,
and of torch where it recorded them, and two runs give the same bits."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
import shrink
import test_models
import weft

BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()
# On a machine with a GPU, its driver may be named instead of the emulator.
LIBCUDA = os.environ.get("WEFT_LIBCUDA", str(BUILD / "fake-cuda/libcuda.so.1"))
# CPU and GPU add up the same products in orders of their own: of n terms, up to
# a few thousand here, about sqrt(n) * 2^-24 of the largest output, layer after
# layer, of which these models have up to 121.
BOUND = 1e-5


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WEFT_LIBCUDA", LIBCUDA)


@pytest.mark.parametrize("name", shrink.NAMES)
def test_light_model(name: str):
    model = shrink.light(name)
    port = model.graph.input[0]
    shape = [dim.dim_value for dim in port.type.tensor_type.shape.dim]
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    cpu = weft.compile(model.SerializeToString())(x)
    function = weft.compile(model.SerializeToString(), target="cuda")
    gpu, again = function(x), function(x)
    assert gpu.tobytes() == again.tobytes()
    assert np.abs(cpu).max() > 0 and np.isfinite(cpu).all()
    np.testing.assert_allclose(gpu, cpu, rtol=0, atol=BOUND * np.abs(cpu).max())


@pytest.mark.parametrize("path", test_models.MODELS, ids=lambda path: path.stem)
def test_exported_model(path: pathlib.Path):
    """Convolutions, a transformer's encoder and decoder, and an LSTM, with sizes
    that are known only when they run."""
    function = weft.compile(path, target="cuda")
    for inputs, wanted in test_models.data_sets(path):
        outputs, again = function.run(inputs), function.run(inputs)
        for got, other, want in zip(outputs, again, wanted, strict=True):
            assert got.tobytes() == other.tobytes()
            np.testing.assert_allclose(got, want, test_models.RTOL, test_models.ATOL)
