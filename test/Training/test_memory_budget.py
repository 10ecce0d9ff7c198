"""Training that would take more memory than it may is refused before its first step."""

import os
import pathlib
import subprocess

import data
import numpy as np
import pytest
import weft

WEFT = os.environ.get("WEFT_TOOL", "weft")
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()
MLP = pathlib.Path(__file__).parent / "Peers/mlp.onnx"


@pytest.fixture(autouse=True)
def driver(monkeypatch):
    monkeypatch.setenv("WEFT_LIBCUDA", str(BUILD / "fake-cuda/libcuda.so.1"))


def train(folder, *flags):
    x, labels = data.make("vectors")
    np.savez(folder / "data.npz", x=x[:80], labels=labels[:80])
    return subprocess.run(
        [WEFT, "train", MLP, "--data", folder / "data.npz", "--batch", "8", "--epochs", "1",
         "--quiet", *flags],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_tool_refuses(tmp_path, target):
    refused = train(tmp_path, "--target", target, "--memory-budget", "10kB")
    assert refused.returncode == 1
    assert "error: WFT5310: the run is planned to take " in refused.stderr
    assert 'of the parameter "' in refused.stderr
    assert "take a smaller batch, or several for an update (accumulate)" in refused.stderr
    assert "(now N = 8)" in refused.stderr
    assert train(tmp_path, "--target", target, "--memory-budget", "1GiB").returncode == 0


def test_validation_counts_too(tmp_path):
    planned = weft.Trainer(MLP, threads=1)
    x, labels = data.make("vectors")
    planned.step(x[:8], labels[:8])
    budget = str(planned.planned_bytes + x[:8].nbytes * 2 + labels[:8].nbytes * 2 + 1000)
    refused = train(tmp_path, "--split", "0.2", "--memory-budget", budget)
    assert refused.returncode == 1
    assert " bytes and validation " in refused.stderr
    assert train(tmp_path, "--memory-budget", budget).returncode == 0


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_library_refuses(target):
    x, labels = data.make("vectors")
    trainer = weft.Trainer(MLP, target=target, memory_budget="200KiB", threads=1)
    loss = trainer.step(x[:8], labels[:8])
    before = trainer.state
    with pytest.raises(weft.Error, match="WFT5310: .*in the arena for .*now N = 4096"):
        trainer.step(np.repeat(x[:8], 512, 0), np.repeat(labels[:8], 512, 0))
    for name, array in trainer.state.items():
        np.testing.assert_array_equal(array, before[name])
    assert trainer.step(x[:8], labels[:8]) < loss
    with pytest.raises(weft.Error, match="is no size of memory"):
        weft.Trainer(MLP, memory_budget="much")
