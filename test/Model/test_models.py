"""Compiles models that torch's exporters wrote (see export.py), each once, and
compares its outputs with torch's for inputs of several sizes."""

from __future__ import annotations

import functools
import pathlib

import numpy as np
import pytest
import weft

INPUTS = pathlib.Path(__file__).parent / "Inputs"
MODELS = sorted(INPUTS.glob("*.onnx"))
# A sum of n products that is added up in another order differs by about
# sqrt(n) * 2^-24 of its largest part; n is below 200 here, and a dozen such sums
# follow each other.
RTOL, ATOL = 1e-4, 1e-5


@functools.lru_cache(maxsize=None)
def compiled(path: pathlib.Path, threads: int) -> weft.Function:
    return weft.compile(path, threads=threads)


def data_sets(path: pathlib.Path) -> list[tuple[dict, list]]:
    """Inputs by name and outputs in order."""
    sets: dict[str, tuple[dict, dict]] = {}
    for key, value in np.load(path.with_suffix(".npz")).items():
        index, kind, port = key.split("/")
        sets.setdefault(index, ({}, {}))[kind == "output"][port] = value
    return [
        (inputs, [outputs[str(i)] for i in range(len(outputs))])
        for inputs, outputs in sets.values()
    ]


def test_there_are_models():
    names = {path.stem.split("-")[0] for path in MODELS}
    assert names == {"convolutional", "decoder", "encoder", "recurrent"}
    assert len(MODELS) == 12


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_agrees_with_torch(path: pathlib.Path):
    function = compiled(path, threads=1)
    for inputs, wanted in data_sets(path):
        outputs = function.run(inputs)
        for got, want in zip(outputs, wanted, strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, RTOL, ATOL)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_threads_do_not_change_a_bit(path: pathlib.Path):
    inputs, _ = data_sets(path)[-1]
    one = compiled(path, threads=1).run(inputs)
    many = compiled(path, threads=3).run(inputs)
    for a, b in zip(one, many, strict=True):
        assert a.tobytes() == b.tobytes()
