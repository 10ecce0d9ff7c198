"""Losses of 100 steps against those that torch recorded (Peers/make.py)."""

import csv
import functools
import json
import os
import pathlib
import subprocess

import data
import numpy as np
import onnx
import pytest
import weft

PEERS = pathlib.Path(__file__).parent / "Peers"
WEFT = os.environ.get("WEFT_TOOL", "weft")
RECORD = json.loads((PEERS / "losses.json").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trains a model once: a folder with `{threads}.onnx`, and the losses."""

    @functools.cache
    def run(name, threads=1):
        folder = tmp_path_factory.mktemp(f"{name}-{threads}")
        return folder, train(folder, name, threads)

    return run


def train(folder, name, threads):
    record = RECORD[name]
    x, labels = data.make(record["data"])
    np.savez(folder / "data.npz", x=x, labels=labels)
    log = folder / f"{threads}.csv"
    command = [
        WEFT, "train", PEERS / f"{name}.onnx", "--data", folder / "data.npz", "--in-order",
        "--batch", str(data.BATCH), "--epochs", "1", "--lr", str(record["rate"]),
        "--csv", log, "--log-every", "1", "--quiet", "--threads", str(threads),
        "-o", folder / f"{threads}.onnx",
    ]  # fmt: skip
    for setting in record["settings"].split():
        command += ["--set", setting]
    subprocess.run(command, check=True, timeout=120)
    with open(log) as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", RECORD)
def test_losses_are_those_of_torch(name, trained):
    # A step's rounding differs, and what it changes grows with the steps: 1e-4
    # is wide enough for f32 and far below what any mistake makes.
    _, losses = trained(name)
    assert len(losses) == data.STEPS
    np.testing.assert_allclose(losses, RECORD[name]["losses"], rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", RECORD)
def test_the_trained_file_is_sound(name, trained):
    folder, _ = trained(name)
    before = onnx.load(PEERS / f"{name}.onnx")
    after = onnx.load(folder / "1.onnx")
    onnx.checker.check_model(after, full_check=True)
    settings = {entry.key: entry.value for entry in after.metadata_props}
    assert RECORD[name]["settings"] in settings["weft.train.settings"]
    assert settings["weft.train.updates"] == "100"
    # All but the values of the weights is as it was.
    changed = 0
    for old, new in zip(before.graph.initializer, after.graph.initializer, strict=True):
        if old.SerializeToString() != new.SerializeToString():
            changed += 1
            new.CopyFrom(old)
    del after.metadata_props[:]
    assert changed > 0 and after == before


@pytest.mark.parametrize("name", RECORD)
def test_onnxruntime_gives_the_same_scores(name, trained):
    onnxruntime = pytest.importorskip("onnxruntime")
    folder, _ = trained(name)
    x = data.make(RECORD[name]["data"])[0][:32]
    session = onnxruntime.InferenceSession(folder / "1.onnx")
    (wanted,) = session.run(None, {"x": x})
    np.testing.assert_allclose(weft.compile(folder / "1.onnx")(x), wanted, rtol=1e-4, atol=1e-4)


def test_threads_give_the_same_bits(trained):
    (one, losses), (two, others) = trained("residual", 1), trained("residual", 2)
    assert losses == others
    assert (one / "1.onnx").read_bytes() == (two / "2.onnx").read_bytes()
