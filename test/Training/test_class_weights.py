"""Cross-entropy with a weight for each class, by its formula, which is torch's."""

import os
import subprocess

import numpy as np
import onnx
import pytest
import weft
from onnx import TensorProto, helper, numpy_helper

WEFT = os.environ.get("WEFT_TOOL", "weft")
WEIGHTS = [1.0, 0.25, 3.0]
RATE = 0.5


@pytest.fixture
def linear(tmp_path):
    """Scores that are a bias, so that its gradient is that of the scores."""
    bias = np.array([0.3, -1.2, 0.7], np.float32)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "bias"], ["scores"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    onnx.save(model, tmp_path / "linear.onnx")
    return tmp_path / "linear.onnx", bias


def reference(scores, labels, smoothing=0.0, ignored=None):
    """The loss and its gradient by the scores, in f64."""
    weights = np.array(WEIGHTS)
    counts = labels != ignored if ignored is not None else np.full(len(labels), True)
    scores, labels = scores[counts].astype(np.float64), labels[counts]
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    share = np.full_like(logs, smoothing / 3) * weights
    share[np.arange(len(labels)), labels] += (1 - smoothing) * weights[labels]
    total = weights[labels].sum()
    gradient = (share.sum(1, keepdims=True) * np.exp(logs) - share) / total
    return -(share * logs).sum() / total, gradient


@pytest.mark.parametrize("smoothing", (0.0, 0.2))
@pytest.mark.parametrize("ignored", (None, -100))
@pytest.mark.parametrize("accumulate", (1, 2))
def test_formula(linear, smoothing, ignored, accumulate):
    model, bias = linear
    draw = np.random.default_rng(3)
    x = draw.standard_normal((10, 3)).astype(np.float32)
    labels = draw.integers(0, 3, 10)
    options = {"label_smoothing": smoothing}
    if ignored is not None:
        options["ignore_index"] = ignored
        labels[[0, 7]] = ignored
    trainer = weft.Trainer(
        model, optimizer=weft.SGD(RATE), class_weights=WEIGHTS, accumulate=accumulate, **options
    )
    for part in np.split(np.arange(10), [3] if accumulate == 2 else []):
        loss = trainer.step(x[part], labels[part])
    wanted, gradient = reference(x + bias, labels, smoothing, ignored)
    assert loss == pytest.approx(wanted, rel=1e-6)
    moved = (bias - trainer.parameters["bias"]) / RATE
    np.testing.assert_allclose(moved, gradient.sum(0), rtol=1e-4, atol=1e-6)


def test_the_tool_takes_numbers_and_files(linear, tmp_path):
    model, _ = linear
    draw = np.random.default_rng(3)
    np.savez(
        tmp_path / "data.npz",
        x=draw.standard_normal((10, 3)).astype(np.float32),
        labels=draw.integers(0, 3, 10),
    )
    np.save(tmp_path / "weights.npy", WEIGHTS)
    for name, weights in {"numbers": "1,0.25,3", "file": tmp_path / "weights.npy"}.items():
        command = [
            WEFT, "train", model, "--data", tmp_path / "data.npz", "--class-weights", weights,
            "--epochs", "2", "--batch", "5", "--quiet", "-o", tmp_path / f"{name}.onnx",
        ]  # fmt: skip
        subprocess.run(command, check=True, timeout=60)
    one, other = (onnx.load(tmp_path / f"{name}.onnx") for name in ("numbers", "file"))
    assert one.graph.initializer[0] == other.graph.initializer[0]
    settings = {entry.key: entry.value for entry in one.metadata_props}
    assert "class-weights=1,0.25,3" in settings["weft.train.settings"]


def test_balanced_weights_are_of_the_labels_for_training(linear, tmp_path):
    model, _ = linear
    draw = np.random.default_rng(3)
    labels = np.repeat([0, 2], [6, 3])
    x = draw.standard_normal((9, 3)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, labels=labels)

    def train(weights, name, *arguments):
        command = [
            WEFT, "train", model, "--data", tmp_path / "data.npz", "--class-weights", weights,
            "--epochs", "2", "--batch", "5", "--quiet", "-o", tmp_path / name, *arguments,
        ]  # fmt: skip
        subprocess.run(command, check=True, timeout=60)
        return (tmp_path / name).read_bytes()

    # 9 / (2 * 6), a class without labels, 9 / (2 * 3).
    assert train("balanced", "a.onnx") == train("0.75,1,1.5", "b.onnx")
    # With 0 ignored one class is left.
    arguments = "--set", "ignore-index=0"
    assert train("balanced", "a.onnx", *arguments) == train("1,1,1", "b.onnx", *arguments)
    # What is put aside does not count.
    train("balanced", "a.onnx", "--split", "0.4")
    entries = {e.key: e.value for e in onnx.load(tmp_path / "a.onnx").metadata_props}
    one, _, other = (
        float(word) for word in
        entries["weft.train.settings"].split("class-weights=")[1].split()[0].split(",")
    )  # fmt: skip
    assert 1 / one + 1 / other == pytest.approx(2) and one != 0.75


def test_weights_that_do_not_fit_are_refused(linear, tmp_path):
    model, _ = linear
    with pytest.raises(weft.Error, match="one of 2 classes, as there are that many class weights"):
        weft.Trainer(model, class_weights=[1, 2])
    with pytest.raises(weft.Error, match="'class-weights' is '1,-2,3', wanted a number for each"):
        weft.Trainer(model, class_weights="1,-2,3")
    with pytest.raises(weft.Error, match="'class-weights' is '0,0,0', wanted"):
        weft.Trainer(model, class_weights="0,0,0")
    np.save(tmp_path / "weights.npy", np.ones((2, 3), np.float32))
    command = [
        WEFT, "train", model, "--data", tmp_path / "data.npz", "--class-weights",
        tmp_path / "weights.npy",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "weights.npy' is of f32 [2, 3], wanted f32 or f64 [classes]" in done.stderr
