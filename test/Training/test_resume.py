"""A run that is killed again and again ends with the bits of one that is not."""

import os
import pathlib
import random
import signal
import subprocess
import time

import data
import numpy as np

WEFT = os.environ.get("WEFT_TOOL", "weft")
PEERS = pathlib.Path(__file__).parent / "Peers"
KILLS = 20


def command(folder, name):
    return [
        WEFT, "train", PEERS / "convolutional.onnx", "--data", folder / "data.npz", "--batch", "32",
        "--optimizer", "adam", "--bn", "train", "--epochs", "20", "--lr", "1e-3", "--quiet",
        "--checkpoint-dir", folder / name, "--save-every", "3", "-o", folder / f"{name}.onnx",
    ]  # fmt: skip


def test_killed_runs_end_with_the_same_bits(tmp_path):
    x, labels = data.make("images")
    np.savez(tmp_path / "data.npz", x=x[:640], labels=labels[:640])
    began = time.monotonic()
    subprocess.run(command(tmp_path, "whole"), check=True, timeout=300)
    whole = time.monotonic() - began

    draw = random.Random(1)
    kills = 0
    while True:
        started = any((tmp_path / "killed").glob("*.safetensors"))
        process = subprocess.Popen(command(tmp_path, "killed") + ["--resume"] * started)
        if kills < KILLS:
            time.sleep(draw.uniform(0.2, 1.0) * whole)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                continue
        assert process.wait(timeout=300) == 0
        if kills == KILLS:
            break
        # It came to its end: once more from the start, to be killed.
        for path in (tmp_path / "killed").iterdir():
            path.unlink()
    assert (tmp_path / "killed.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()
