"""A run that comes to infinity or NaN ends, whole, and names who made it."""

import os
import pathlib
import subprocess

import numpy as np
import onnx
import pytest
import weft
from onnx import TensorProto, helper, numpy_helper

WEFT = os.environ.get("WEFT_TOOL", "weft")
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()


@pytest.fixture(autouse=True)
def driver(monkeypatch):
    monkeypatch.setenv("WEFT_LIBCUDA", str(BUILD / "fake-cuda/libcuda.so.1"))


def write(path, nodes, outputs, **initializers):
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [name], name=f"/{name}") for name, kind, *inputs in nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info(outputs, TensorProto.FLOAT, ["N", 3])],
        [
            numpy_helper.from_array(np.asarray(value, np.float32), name)
            for name, value in initializers.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    onnx.save(model, path)
    return path


@pytest.fixture
def forward(tmp_path):
    """exp overflows where x is large."""
    nodes = [("scaled", "Mul", "x", "w"), ("grown", "Exp", "scaled"), ("y", "Sub", "grown", "b")]
    return write(tmp_path / "forward.onnx", nodes, "y", w=[1.0, 2.0, 3.0], b=[0.5, 0.5, 0.5])


@pytest.fixture
def backward(tmp_path):
    """The root of zero is fine, but its derivative is not."""
    nodes = [("moved", "Add", "x", "b"), ("root", "Sqrt", "moved")]
    return write(tmp_path / "backward.onnx", nodes, "root", b=[0.0, 0.0, 0.0])


X = np.array([[0.5, 0.25, 0.125], [1, 100, 0.5]], np.float32)
LABELS = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_the_node_is_named(forward, target):
    trainer = weft.Trainer(forward, loss="mse", target=target)
    before = trainer.state
    with pytest.raises(weft.Error) as caught:
        trainer.step(X, LABELS)
    assert "the loss of update 1 is inf" in str(caught.value)
    assert "node '/grown' (weft.exp) makes the first number that is not finite" in str(caught.value)
    assert "element 4 of tensor<2x3xf32> is inf; its operands are from 0.375 to 200" in str(
        caught.value
    )
    for name, value in trainer.state.items():
        np.testing.assert_array_equal(value, before[name])
    # It goes on with other data.
    trainer.step(X[:1], LABELS[:1])
    assert trainer.steps == 1


def test_the_gradient_of_a_node_is_named(backward):
    x = np.array([[4, 0, 1]], np.float32)
    trainer = weft.Trainer(backward, loss="mse", check="gradients")
    before = trainer.state
    with pytest.raises(weft.Error, match="the gradient of node '/root' .* makes the first number"):
        trainer.step(x, LABELS[:1] + 1)
    for name, value in trainer.state.items():
        np.testing.assert_array_equal(value, before[name])
    assert trainer.steps == 0


def test_a_spoiled_weight_is_named(backward):
    x = np.array([[4, 0, 1]], np.float32)
    trainer = weft.Trainer(backward, loss="mse")
    trainer.step(x, LABELS[:1] + 1)
    with pytest.raises(weft.Error, match="'b' was not finite before it.*check=gradients"):
        trainer.step(x, LABELS[:1] + 1)


def test_the_tool_names_the_node_and_keeps_the_checkpoint(forward, tmp_path):
    x = np.tile(X[:1], (12, 1))
    x[9, 1] = 1000
    np.savez(tmp_path / "data.npz", x=x, labels=np.tile(LABELS[:1], (12, 1)))
    command = [
        WEFT, "train", forward, "--loss", "mse", "--data", tmp_path / "data.npz", "--batch", "2",
        "--accumulate", "2", "--in-order", "--checkpoint-dir", tmp_path / "c", "--save-every", "1",
        "--lr", "1e-3", "-o", tmp_path / "tuned.onnx",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "the loss of update 3 (epoch 1, batch 5) is inf" in done.stderr
    assert "node '/grown' (weft.exp) makes the first number that is not finite" in done.stderr
    assert not (tmp_path / "tuned.onnx").exists()
    assert (tmp_path / "c" / "update-000000000002.safetensors").exists()


def test_a_run_of_a_model_names_the_node(forward, tmp_path):
    np.save(tmp_path / "x.npy", X)
    command = [WEFT, "run", forward, "--input", f"x={tmp_path / 'x.npy'}", "--check-nan"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "WFT6009: node '/grown' (weft.exp) makes the first number" in done.stderr
    np.save(tmp_path / "x.npy", X[:1])
    subprocess.run(command, check=True, capture_output=True, timeout=60)
