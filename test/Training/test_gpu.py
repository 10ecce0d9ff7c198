"""Steps on a GPU, which is emulated, come to the losses of steps on the CPU."""

import csv
import os
import pathlib
import re
import subprocess

import data
import digits
import numpy as np
import onnx
import pytest
import weft
from onnx import numpy_helper

WEFT = os.environ.get("WEFT_TOOL", "weft")
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()
# On a machine with a GPU, its driver may be named instead of the emulator.
LIBCUDA = os.environ.get("WEFT_LIBCUDA", str(BUILD / "fake-cuda/libcuda.so.1"))
PEERS = pathlib.Path(__file__).parent / "Peers"

# Both compute in f32, in orders of their own: sums of a few hundred terms differ
# by some roundings of 6e-8, which 20 updates carry on.
BOUND = 1e-4


def train(folder, model, target, name, *flags):
    log = folder / f"{name}.csv"
    subprocess.run(
        [
            WEFT, "train", model, "--data", folder / "data.npz", "--batch", "8",
            "--epochs", "2", "--lr", "1e-3", "--optimizer", "adam", "--bn", "train", "--in-order",
            "--quiet", "--target", target, "--log-every", "1", "--csv", log,
            "-o", folder / f"{name}.onnx", *flags,
        ],
        check=True,
        timeout=300,
        env=dict(os.environ, WEFT_LIBCUDA=LIBCUDA),
    )  # fmt: skip
    return (folder / f"{name}.onnx").read_bytes(), log.read_text()


def read_losses(text):
    return [float(row["loss"]) for row in csv.DictReader(text.splitlines()) if row["loss"]]


def compare(folder, model):
    """Trains `model` on the data in `folder`: the CPU's losses are those of the GPU."""
    _, cpu = train(folder, model, "cpu", "cpu")
    once, gpu = train(folder, model, "cuda", "once")
    again, _ = train(folder, model, "cuda", "again")
    assert once == again
    cpu, gpu = read_losses(cpu), read_losses(gpu)
    assert len(cpu) >= 20
    np.testing.assert_allclose(gpu, cpu, rtol=BOUND)


@pytest.mark.parametrize(
    "model, kind",
    [("mlp", "vectors"), ("convolutional", "images"), ("transformer", "sequences")],
)
def test_losses_are_those_of_the_cpu(tmp_path, model, kind):
    x, labels = data.make(kind)
    np.savez(tmp_path / "data.npz", x=x[:80], labels=labels[:80])
    compare(tmp_path, PEERS / f"{model}.onnx")


# Attention on a GPU keeps probabilities in f32 that are rounded on the CPU, by
# up to 2 ** -9.
def test_losses_of_narrow_products(tmp_path):
    x, labels = data.make("sequences")
    np.savez(tmp_path / "data.npz", x=x[:80], labels=labels[:80])
    model = PEERS / "transformer.onnx"
    cpu, gpu = (
        read_losses(train(tmp_path, model, target, target, "--precision", "bf16")[1])
        for target in ("cpu", "cuda")
    )
    np.testing.assert_allclose(gpu, cpu, rtol=1e-2)


def test_handwritten_digits(tmp_path):
    """The network and the data of the demo, with Dropout."""
    digits.make_data(tmp_path)
    with np.load(tmp_path / "train.npz") as every:
        np.savez(tmp_path / "data.npz", x=every["x"][:80], y=every["y"][:80])
    digits.make_model(tmp_path / "digits.onnx")
    compare(tmp_path, tmp_path / "digits.onnx")


def copied(log, call):
    """The bytes that each such call was to copy."""
    return [int(size) for size in re.findall(rf"^{call}\(\w+, \w+, (\d+),", log, re.M)]


def test_state_stays_on_the_gpu(tmp_path, monkeypatch):
    x, labels = data.make("vectors")
    np.savez(tmp_path / "data.npz", x=x[:80], labels=labels[:80])
    monkeypatch.setenv("WEFT_FAKECUDA_LOG", str(tmp_path / "calls.log"))
    # Without threads, the next batch is there when it is asked for.
    train(tmp_path, PEERS / "mlp.onnx", "cuda", "logged", "--data-threads", "0")
    log = (tmp_path / "calls.log").read_text()
    weights = [
        numpy_helper.to_array(one).nbytes
        for one in onnx.load(PEERS / "mlp.onnx").graph.initializer
    ]
    largest = max(weights)
    # Up: each parameter and both moments once. Down: each parameter, at the end.
    assert copied(log, "cuMemcpyHtoDAsync_v2").count(largest) == 3
    assert copied(log, "cuMemcpyDtoHAsync_v2").count(largest) == 1
    batches = 20 * (x[:8].nbytes + labels[:8].nbytes + 64)
    assert sum(copied(log, "cuMemcpyHtoDAsync_v2")) <= 3 * sum(weights) + batches
    # Batches are copied while the step before computes.
    assert log.count("cuStreamWaitEvent(") == 18  # all but an epoch's first


@pytest.fixture
def trainer(monkeypatch):
    monkeypatch.setenv("WEFT_LIBCUDA", LIBCUDA)

    def make(target="cuda", **more):
        return weft.Trainer(
            PEERS / "mlp.onnx", optimizer=weft.Adam(1e-3), target=target, threads=1, **more
        )

    return make


def test_library_keeps_state_on_the_gpu(trainer, tmp_path):
    x, labels = data.make("vectors")
    batches = [(x[i : i + 8], labels[i : i + 8]) for i in range(0, 48, 8)]
    kept, copied, cpu = trainer(), trainer(), trainer("cpu")
    losses = kept.fit(batches)
    for number, batch in enumerate(batches):
        assert copied.step(*batch) == losses[number]
        copied.load_state(copied.state)  # down and up again
        if number == 2:
            copied.save(tmp_path / "state.safetensors")
    np.testing.assert_allclose(losses, cpu.fit(batches), rtol=BOUND)
    assert kept.steps == copied.steps == 6
    state = kept.state
    for name, array in copied.state.items():
        np.testing.assert_array_equal(array, state[name])
    kept.load(tmp_path / "state.safetensors")
    assert kept.fit(batches[3:]) == losses[3:]
    with pytest.raises(weft.Error, match="WFT5301: index 99 is out of range"):
        kept.step(x[:8], np.full(8, 99))
    for name, array in kept.state.items():
        np.testing.assert_array_equal(array, state[name])
    kept.export(tmp_path / "tuned.onnx")
    weights = {
        one.name: numpy_helper.to_array(one)
        for one in onnx.load(tmp_path / "tuned.onnx").graph.initializer
    }
    for name, array in kept.parameters.items():
        np.testing.assert_array_equal(array, weights[name])


def test_rounded_operands_of_the_library(trainer):
    x, labels = data.make("vectors")
    exact, rounded = (trainer(tf32=tf32).step(x[:8], labels[:8]) for tf32 in (False, True))
    # Operands of 11 bits are off by at most 2^-11 each, in three layers.
    assert exact != rounded
    np.testing.assert_allclose(rounded, exact, rtol=1e-2)


def test_gradients_of_the_library(trainer):
    x, labels = data.make("vectors")
    names = ["0.weight", "x"]
    cpu, gpu = (
        weft.value_and_grad(PEERS / "mlp.onnx", names, target=target, threads=1)
        for target in ("cpu", "cuda")
    )
    for function in (cpu, gpu):
        function(x[:8], labels[:8])
        function.set_parameters({"0.weight": 2 * function.parameters["0.weight"]})
    (wanted, right), (loss, gradients) = (f(x[:8], labels[:8]) for f in (cpu, gpu))
    np.testing.assert_allclose(loss, wanted, rtol=BOUND)
    for name in names:
        np.testing.assert_allclose(gradients[name], right[name], rtol=1e-3, atol=1e-6)
