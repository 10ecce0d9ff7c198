"""What weft export-train writes is sound, and trains as the flags would have."""

import csv
import os
import pathlib
import subprocess

import data
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

PEERS = pathlib.Path(__file__).parent / "Peers"
WEFT = os.environ.get("WEFT_TOOL", "weft")
STEPS = 12


def train(folder, model, log, *flags):
    command = [
        WEFT, "train", model, "--data", folder / "data.npz", "--in-order", "--batch",
        str(data.BATCH), "--epochs", "1", "--csv", folder / log, "--log-every", "1", "--quiet",
        "--threads", "1", "-o", folder / f"{log}.onnx", *flags,
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=300)
    with open(folder / log) as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def export(folder, model, *flags):
    path = folder / "train.onnx"
    subprocess.run([WEFT, "export-train", model, "-o", path, *flags], check=True, timeout=60)
    written = onnx.load(path)
    onnx.checker.check_model(written, full_check=True)
    # The graph of a step is a model like others.
    whole = onnx.ModelProto()
    whole.CopyFrom(written)
    algorithm = whole.training_info[0].algorithm
    for field in ("node", "initializer", "input", "output", "value_info"):
        getattr(whole.graph, field).extend(getattr(algorithm, field))
    names = {t.name for t in written.graph.initializer}
    kinds = {node.op_type for node in algorithm.node}
    assert "Gradient" in kinds
    assert {b.key for b in written.training_info[0].update_binding} & names
    del whole.training_info[:]
    onnx.checker.check_model(whole)
    return path, kinds


def compare(folder, model, rate, flags, rtol=1e-6):
    path, kinds = export(folder, model, *flags, "--lr", str(rate))
    wanted = train(folder, model, "wanted.csv", *flags, "--lr", str(rate))
    got = train(folder, path, "got.csv")
    assert len(got) >= STEPS
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=0)
    return kinds


def arrange(folder, kind):
    x, labels = data.make(kind)
    count = data.BATCH * STEPS
    np.savez(folder / "data.npz", x=x[:count], labels=labels[:count])


OPTIMIZERS = {
    "sgd": "",
    "sgd weight-decay=0.01": "",
    "momentum": "Momentum",
    "nesterov weight-decay=0.01": "Momentum",
    "adam": "",
    "adamw": "",
    "adagrad": "Adagrad",
    "rmsprop momentum=0.5": "",
    "lamb": "",
}


def spell(settings):
    optimizer, *others = settings.split()
    flags = ["--optimizer", optimizer]
    for other in others:
        flags += ["--set", other]
    return flags


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer, tmp_path):
    arrange(tmp_path, "vectors")
    rate = 0.001 if "rmsprop" in optimizer else 0.01
    kinds = compare(tmp_path, PEERS / "mlp.onnx", rate, spell(optimizer))
    assert not OPTIMIZERS[optimizer] or OPTIMIZERS[optimizer] in kinds


LOSSES = [
    ["--set", "label-smoothing=0.1"],
    ["--set", "ignore-index=2"],
    ["--set", "ignore-index=2", "--set", "label-smoothing=0.1"],
    ["--set", "class-weights=1,0.5,2,1.5,3"],
    ["--set", "class-weights=1,0.5,2,1.5,3", "--set", "ignore-index=1"],
    ["--set", "clip-norm=0.5", "--set", "clip-value=0.05"],
]


@pytest.mark.parametrize("flags", LOSSES, ids=" ".join)
def test_losses_of_classes(flags, tmp_path):
    arrange(tmp_path, "vectors")
    compare(tmp_path, PEERS / "mlp.onnx", 0.05, [*flags, "--optimizer", "momentum"])


@pytest.mark.parametrize("loss", ["mse", "l1", "huber", "bce"])
def test_losses_of_numbers(loss, tmp_path):
    x, labels = data.make("vectors")
    count = data.BATCH * STEPS
    targets = np.eye(5, dtype=np.float32)[labels[:count]]
    np.savez(tmp_path / "data.npz", x=x[:count], labels=targets)
    compare(tmp_path, PEERS / "mlp.onnx", 0.05, ["--loss", loss, "--optimizer", "momentum"])


@pytest.mark.parametrize(
    ("name", "kind", "flags"),
    [
        ("convolutional", "images", ["--bn", "train"]),
        ("convolutional", "images", ["--bn", "frozen"]),
        ("residual", "images", []),
        ("recurrent", "sequences", []),
        ("transformer", "sequences", []),
        ("embedding", "words", []),
    ],
)
def test_models(name, kind, flags, tmp_path):
    arrange(tmp_path, kind)
    # What the steps round differently grows with them.
    compare(tmp_path, PEERS / f"{name}.onnx", 0.01, [*flags, "--optimizer", "momentum"], rtol=1e-5)


def make_other(folder, kind=TensorProto.FLOAT, nodes=None):
    """A small net with a softmax and dropout."""
    draw = np.random.default_rng(5)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    weights = {
        "w": draw.normal(size=(20, 8)) / 4,
        "b": np.zeros(8),
        "v": draw.normal(size=(8, 5)) / 2,
    }
    nodes = [
        helper.make_node("Cast", ["x"], ["c"], to=kind),
        helper.make_node("Gemm", ["c", "w", "b"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Dropout", ["r"], ["d"]),
        helper.make_node("MatMul", ["d", "v"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["p"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 20])],
        [helper.make_tensor_value_info("p", kind, ["N", 5])],
        [numpy_helper.from_array(value.astype(dtype), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
@pytest.mark.parametrize("optimizer", ["momentum", "adam", "adagrad"])
def test_dropout_and_types(kind, optimizer, tmp_path):
    arrange(tmp_path, "vectors")
    compare(tmp_path, make_other(tmp_path, kind), 0.01, ["--optimizer", optimizer])


def test_validation_and_more_training(tmp_path):
    arrange(tmp_path, "vectors")
    model = make_other(tmp_path)
    path, _ = export(tmp_path, model, "--optimizer", "adam")
    first = train(tmp_path, path, "first.csv", "--split", "0.25", "--lr", "0.02")
    # Weights stay where they are, what the optimizer remembers starts anew.
    then = train(tmp_path, tmp_path / "first.csv.onnx", "then.csv", "--lr", "0.02")
    assert then[0] < first[0]
    model = onnx.load(tmp_path / "then.csv.onnx")
    states = {t.name: numpy_helper.to_array(t) for t in model.training_info[0].algorithm.initializer}
    assert states["weft.step"] == len(then) and np.abs(states["w.mean"]).max() > 0


def test_what_is_wrong_is_said(tmp_path):
    def fails(*flags):
        command = [WEFT, "export-train", PEERS / "mlp.onnx", *flags]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert result.returncode == 1
        return result.stderr

    out = tmp_path / "out.onnx"
    assert "WFT2305: there is no output 'q'" in fails("-o", out, "--set", "output=q")
    assert "WFT2303" in fails("-o", out, "--freeze", ".")
    assert "'optimizer' is 'newton', wanted" in fails("-o", out, "--optimizer", "newton")
    text = fails("-o", out, "--set", "accumulate=2")
    assert "WFT2304: an update of several batches can't be written as training info" in text
    text = fails("-o", tmp_path / "out.onnxtxt")
    assert "ONNX's text syntax has no training info" in text
    assert not list(tmp_path.iterdir())
