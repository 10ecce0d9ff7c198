"""Trains a small convolutional network on scikit-learn's handwritten digits.

Called by scripts/demo.sh: `digits.py WEFT FOLDER` makes an untrained ONNX file
and data in FOLDER, trains with the tool WEFT, and classifies held-out digits with
the result. Fails if fewer than 98 % of them come out right.
"""

import csv
import pathlib
import subprocess
import sys
import time

import numpy as np
import onnx
import weft
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

HELD_OUT = 360
WANTED = 0.98


def make_data(folder):
    """`train.npz`, and the digits that are held out."""
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)[:, None]
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], digits.target[order].astype(np.int64)
    np.savez(folder / "train.npz", x=x[HELD_OUT:], y=y[HELD_OUT:])
    return x[:HELD_OUT], y[:HELD_OUT]


def make_model(path):
    """Two convolutions, each with pooling, and a hidden layer; nothing is trained."""
    draw = np.random.default_rng(1)
    weights = []

    def weight(name, *shape):
        # He et al., "Delving Deep into Rectifiers", 2015.
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0
        value = scale * draw.standard_normal(shape)
        weights.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def node(op, inputs, output, **attributes):
        return helper.make_node(op, inputs, [output], output, **attributes)

    square = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    halve = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        node("Conv", ["x", weight("w1", 32, 1, 3, 3), weight("b1", 32)], "conv1", **square),
        node("Relu", ["conv1"], "relu1"),
        node("MaxPool", ["relu1"], "pool1", **halve),
        node("Conv", ["pool1", weight("w2", 64, 32, 3, 3), weight("b2", 64)], "conv2", **square),
        node("Relu", ["conv2"], "relu2"),
        node("MaxPool", ["relu2"], "pool2", **halve),
        node("Flatten", ["pool2"], "flat"),
        node("Gemm", ["flat", weight("w3", 128, 256), weight("b3", 128)], "hidden", transB=1),
        node("Relu", ["hidden"], "relu3"),
        node("Dropout", ["relu3"], "dropped"),
        node("Gemm", ["dropped", weight("w4", 10, 128), weight("b4", 10)], "scores", transB=1),
        node("Softmax", ["scores"], "probabilities"),
    ]
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        weights,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model)
    onnx.save(model, path)


def draw_curve(path, width=48):
    """The loss of each epoch as a bar."""
    epochs = {}
    with open(path) as file:
        for row in csv.DictReader(file):
            if row["kind"] == "train":
                epochs.setdefault(int(row["epoch"]), []).append(float(row["loss"]))
    losses = {epoch: np.mean(values) for epoch, values in epochs.items()}
    for epoch, loss in losses.items():
        print(f"  epoch {epoch:2} {loss:7.4f} {'#' * round(width * loss / max(losses.values()))}")


def main(tool, folder):
    """Makes, trains, shows and checks."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = make_data(folder)
    make_model(folder / "untrained.onnx")
    command = [
        tool, "train", folder / "untrained.onnx", "--data", folder / "train.npz", "--split", "0.1",
        "--optimizer", "adamw", "--lr", "3e-3", "--schedule", "cosine", "--epochs", "30",
        "--csv", folder / "losses.csv", "-o", folder / "trained.onnx",
    ]  # fmt: skip
    print("  " + " ".join(str(word) for word in command))
    began = time.perf_counter()
    subprocess.run(command, check=True)
    print(f"  compiled and trained in {time.perf_counter() - began:.1f} s; loss by epoch:")
    draw_curve(folder / "losses.csv")
    before, after = (
        np.mean(weft.compile(folder / f"{name}.onnx")(x).argmax(1) == y)
        for name in ("untrained", "trained")
    )
    print(f"  {len(x)} digits that were held out: {before:.1%} right before, {after:.1%} after")
    return int(after < WANTED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], pathlib.Path(sys.argv[2])))
