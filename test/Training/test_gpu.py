"""Steps on a GPU, which is emulated, come to the losses of steps on the CPU."""

import csv
import os
import pathlib
import subprocess

import data
import digits
import numpy as np
import pytest

WEFT = os.environ.get("WEFT_TOOL", "weft")
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()
PEERS = pathlib.Path(__file__).parent / "Peers"

# Both compute in f32, in orders of their own: sums of a few hundred terms differ
# by some roundings of 6e-8, which 20 updates carry on.
BOUND = 1e-4


def train(folder, model, target, name):
    log = folder / f"{name}.csv"
    subprocess.run(
        [
            WEFT, "train", model, "--data", folder / "data.npz", "--batch", "8",
            "--epochs", "2", "--lr", "1e-3", "--optimizer", "adam", "--bn", "train", "--in-order",
            "--quiet", "--target", target, "--log-every", "1", "--csv", log,
            "-o", folder / f"{name}.onnx",
        ],
        check=True,
        timeout=300,
        env=dict(os.environ, WEFT_LIBCUDA=str(BUILD / "fake-cuda/libcuda.so.1")),
    )  # fmt: skip
    return (folder / f"{name}.onnx").read_bytes(), log.read_text()


def compare(folder, model):
    """Trains `model` on the data in `folder`: the CPU's losses are those of the GPU."""
    _, cpu = train(folder, model, "cpu", "cpu")
    once, gpu = train(folder, model, "cuda", "once")
    again, _ = train(folder, model, "cuda", "again")
    assert once == again
    cpu, gpu = (
        [float(row["loss"]) for row in csv.DictReader(text.splitlines()) if row["loss"]]
        for text in (cpu, gpu)
    )
    assert len(cpu) >= 20
    np.testing.assert_allclose(gpu, cpu, rtol=BOUND)


@pytest.mark.parametrize("model, kind", [("mlp", "vectors"), ("convolutional", "images")])
def test_losses_are_those_of_the_cpu(tmp_path, model, kind):
    x, labels = data.make(kind)
    np.savez(tmp_path / "data.npz", x=x[:80], labels=labels[:80])
    compare(tmp_path, PEERS / f"{model}.onnx")


def test_handwritten_digits(tmp_path):
    """The network and the data of the demo, with Dropout."""
    digits.make_data(tmp_path)
    with np.load(tmp_path / "train.npz") as every:
        np.savez(tmp_path / "data.npz", x=every["x"][:80], y=every["y"][:80])
    digits.make_model(tmp_path / "digits.onnx")
    compare(tmp_path, tmp_path / "digits.onnx")
