"""Models that bring their training along are trained by it."""

import csv
import json
import os
import subprocess

import numpy as np
import onnx
import pytest
import weft
from onnx import TensorProto, helper, numpy_helper

WEFT = os.environ.get("WEFT_TOOL", "weft")
TRAINING = "ai.onnx.preview.training"
BATCH, STEPS = 8, 6

DRAW = np.random.default_rng(3)
X = DRAW.standard_normal((BATCH * STEPS, 3)).astype(np.float32)
TARGET = (X @ np.array([[1.0], [-2.0], [0.5]]) + 0.3).astype(np.float32)
W, B = np.zeros((3, 1), np.float32) + 0.1, np.zeros(1, np.float32)


def port(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def tensor(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


def node(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs, outputs, **attributes)


def bind(message, **pairs):
    for key, value in pairs.items():
        message.add(key=key, value=value)


def momentum_info(rate=0.05):
    """Least squares by a Momentum node, whose factor of the gradient changes
    after the first step."""
    nodes = [
        node("Sub", ["y", "target"], ["error"]),
        node("Mul", ["error", "error"], ["square"]),
        node("ReduceMean", ["square"], ["loss"], keepdims=0),
        node("Gradient", ["w", "b", "x", "target"], ["dw", "db"], domain=TRAINING,
             xs=["w", "b"], zs=["x", "target"], y="loss"),
        node("Momentum", ["R", "T", "w", "b", "dw", "db", "vw", "vb"],
             ["w_new", "b_new", "vw_new", "vb_new"], domain=TRAINING,
             alpha=0.9, beta=0.5, norm_coefficient=0.0, mode="standard"),
        node("Add", ["T", "one"], ["T_new"]),
    ]  # fmt: skip
    algorithm = helper.make_graph(
        nodes,
        "algorithm",
        [port("target", ["N", 1])],
        [
            port("loss", []),
            port("w_new", [3, 1]),
            port("b_new", [1]),
            port("vw_new", [3, 1]),
            port("vb_new", [1]),
            port("T_new", [], TensorProto.INT64),
        ],
        [
            tensor("R", np.float32(rate)),
            tensor("T", np.int64(0)),
            tensor("one", np.int64(1)),
            tensor("vw", np.zeros_like(W)),
            tensor("vb", np.zeros_like(B)),
        ],
    )
    info = onnx.TrainingInfoProto(algorithm=algorithm)
    bind(info.update_binding, w="w_new", b="b_new", vw="vw_new", vb="vb_new", T="T_new")
    return info


def make_model(*infos, weights=None):
    weights = weights or {"w": W, "b": B}
    graph = helper.make_graph(
        [node("MatMul", ["x", "w"], ["p"]), node("Add", ["p", "b"], ["y"])],
        "net",
        [port("x", ["N", 3])],
        [port("y", ["N", 1])],
        [tensor(name, value) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(TRAINING, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    model.training_info.extend(infos)
    return model


def simulate(rates, w=W, b=B):
    """What momentum_info() does; the losses, w and b."""
    losses = []
    w, b = w.astype(np.float64), b.astype(np.float64)
    vw, vb = np.zeros_like(w), np.zeros_like(b)
    for step, rate in enumerate(rates):
        part = slice(step * BATCH, (step + 1) * BATCH)
        error = X[part] @ w + b - TARGET[part]
        losses.append((error**2).mean())
        factor = 0.5 if step else 1.0
        vw = 0.9 * vw + factor * (2 / BATCH) * X[part].T @ error
        vb = 0.9 * vb + factor * (2 / BATCH) * error.sum(0)
        w, b = w - rate * vw, b - rate * vb
    return losses, w, b


def train(folder, model, *flags, epochs=1, output="out.onnx", fails=False):
    """Trains; the losses."""
    onnx.save(model, folder / "in.onnx")
    np.savez(folder / "data.npz", x=X, target=TARGET)
    command = [
        WEFT, "train", folder / "in.onnx", "--data", folder / "data.npz", "--in-order",
        "--batch", str(BATCH), "--epochs", str(epochs), "--csv", folder / "log.csv", "--log-every", "1",
        "--threads", "1", "-o", folder / output, *flags,
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if fails:
        assert result.returncode in (1, 2), result.stderr
        return result.stderr
    assert result.returncode == 0, result.stderr
    with open(folder / "log.csv") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def initializers(graph):
    return {t.name: numpy_helper.to_array(t) for t in graph.initializer}


def test_the_algorithm_is_what_trains(tmp_path):
    model = make_model(momentum_info())
    onnx.checker.check_model(model)
    wanted, w, b = simulate([0.05] * STEPS)
    np.testing.assert_allclose(train(tmp_path, model), wanted, rtol=1e-5)
    after = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(after)
    weights, states = (
        initializers(after.graph),
        initializers(after.training_info[0].algorithm),
    )
    np.testing.assert_allclose(weights["w"], w, rtol=1e-5)
    np.testing.assert_allclose(weights["b"], b, rtol=1e-5)
    assert states["T"] == STEPS and np.abs(states["vw"]).min() > 0
    # All else stays: the file trains on where it ended.
    assert after.training_info[0].algorithm.node == model.training_info[0].algorithm.node
    assert train(tmp_path, after)[0] < wanted[0]


def test_the_rate_is_the_models_or_that_of_the_flags(tmp_path):
    model = make_model(momentum_info(rate=0.02))
    np.testing.assert_allclose(train(tmp_path, model), simulate([0.02] * STEPS)[0], rtol=1e-5)
    losses = train(tmp_path, model, "--lr", "0.1", "--schedule", "linear")
    rates = [0.1 * (1 - i / STEPS) for i in range(STEPS)]
    np.testing.assert_allclose(losses, simulate(rates)[0], rtol=1e-5)


def test_an_optimizer_of_the_flags_wins(tmp_path):
    losses = train(
        tmp_path, make_model(momentum_info()), "--optimizer", "sgd", "--loss", "mse", "--lr", "0.05"
    )
    assert losses[0] == pytest.approx(simulate([0.05])[0][0], rel=1e-5)
    assert losses[2] != pytest.approx(simulate([0.05] * 3)[0][2], rel=1e-3)


def initialized():
    info = momentum_info()
    info.initialization.CopyFrom(
        helper.make_graph(
            [
                node("Constant", [], ["start"], value=tensor("", np.full_like(W, 0.5))),
                node("RandomUniform", [], ["r"], shape=[1], low=2.0, high=3.0),
                node("Constant", [], ["zero"], value=tensor("", np.int64(0))),
            ],
            "initialization",
            [],
            [port("start", [3, 1]), port("r", [1]), port("zero", [], TensorProto.INT64)],
        )
    )
    bind(info.initialization_binding, w="start", b="r", T="zero")
    return make_model(info)


def test_initialization_comes_first(tmp_path):
    losses = train(tmp_path, initialized(), "--lr", "1e-30")
    after = initializers(onnx.load(tmp_path / "out.onnx").graph)
    np.testing.assert_array_equal(after["w"], np.full_like(W, 0.5))
    assert 2 <= after["b"][0] < 3
    assert losses[0] == pytest.approx(simulate([0.0], after["w"], after["b"])[0][0], rel=1e-5)
    kept = train(tmp_path, initialized(), "--keep-values")
    np.testing.assert_allclose(kept, simulate([0.05] * STEPS)[0], rtol=1e-5)


def test_what_only_initialization_assigns_to_is_written(tmp_path):
    info = momentum_info()
    del info.update_binding[1]  # of b
    info.initialization.CopyFrom(
        helper.make_graph(
            [node("Constant", [], ["start"], value=tensor("", np.full_like(B, 0.25)))],
            "initialization",
            [],
            [port("start", [1])],
        )
    )
    bind(info.initialization_binding, b="start")
    train(tmp_path, make_model(info))
    after = initializers(onnx.load(tmp_path / "out.onnx").graph)
    np.testing.assert_array_equal(after["b"], [0.25])


def test_runs_go_on_from_checkpoints(tmp_path):
    def run(folder, epochs, *flags):
        folder = tmp_path / folder
        train(tmp_path, initialized(), "--checkpoint-dir", folder, *flags, epochs=epochs)

    run("whole", 2)
    whole = onnx.load(tmp_path / "out.onnx")
    run("parts", 1)
    run("parts", 2, "--resume")
    del whole.metadata_props[:]
    parts = onnx.load(tmp_path / "out.onnx")
    del parts.metadata_props[:]
    assert whole == parts


def test_validation_and_a_library(tmp_path):
    train(tmp_path, make_model(momentum_info()), "--split", "0.25")
    trainer = weft.Trainer(tmp_path / "in.onnx", optimizer=None, rate=0.05)
    losses = trainer.fit(
        (X[i : i + BATCH], TARGET[i : i + BATCH]) for i in range(0, len(X), BATCH)
    )
    np.testing.assert_allclose(losses, simulate([0.05] * STEPS)[0], rtol=1e-5)
    assert set(trainer.state) == {"w", "b", "vw", "vb", "T", "weft.step"}
    trainer.export(tmp_path / "library.onnx")
    states = initializers(onnx.load(tmp_path / "library.onnx").training_info[0].algorithm)
    assert states["T"] == STEPS


def test_several_algorithms_see_what_those_before_assign(tmp_path):
    """First w moves by a step, then b by one of the loss at the new w."""

    def step(x, key):
        nodes = [
            node("Sub", ["y", "target"], ["e" + key]),
            node("Mul", ["e" + key, "e" + key], ["s" + key]),
            node("ReduceMean", ["s" + key], ["loss" + key], keepdims=0),
            node("Gradient", [x], ["d" + key], domain=TRAINING, xs=[x], y="loss" + key),
            node("Mul", ["d" + key, "R" + key], ["m" + key]),
            node("Sub", [x, "m" + key], ["n" + key]),
        ]
        outputs = [port("loss" + key, []), port("n" + key, None)]
        algorithm = helper.make_graph(
            nodes,
            "algorithm" + key,
            [port("target", ["N", 1])],
            outputs,
            [tensor("R" + key, np.float32(0.05))],
        )
        info = onnx.TrainingInfoProto(algorithm=algorithm)
        bind(info.update_binding, **{x: "n" + key})
        return info

    losses = train(tmp_path, make_model(step("w", "1"), step("b", "2")))
    w, b = W.astype(np.float64), B.astype(np.float64)
    for i, loss in enumerate(losses):
        part = slice(i * BATCH, (i + 1) * BATCH)
        error = X[part] @ w + b - TARGET[part]
        assert loss == pytest.approx((error**2).mean(), rel=1e-5)
        w = w - 0.05 * (2 / BATCH) * X[part].T @ error
        error = X[part] @ w + b - TARGET[part]
        b = b - 0.05 * (2 / BATCH) * error.sum(0)
    np.testing.assert_allclose(
        initializers(onnx.load(tmp_path / "out.onnx").graph)["b"], b, rtol=1e-5
    )


def test_inspect_tells_of_it(tmp_path):
    onnx.save(initialized(), tmp_path / "in.onnx")
    text = subprocess.run(
        [WEFT, "inspect", tmp_path / "in.onnx"], check=True, capture_output=True, text=True
    ).stdout
    info = json.loads(text)["training"]
    assert info["loss"] == "loss" and info["inputs"] == ["x", "target"]
    assert info["rate"]["name"] == "R" and info["rate"]["default"] == pytest.approx(0.05)
    assert info["initialized"] == ["w", "b", "T"]
    assert [(u["name"], u["role"]) for u in info["updates"]] == [
        ("w", "parameter"), ("b", "parameter"), ("vw", "state"), ("vb", "state"), ("T", "state"),
    ]  # fmt: skip


def test_what_is_wrong_is_said(tmp_path):
    def fails(change, *flags):
        info = momentum_info()
        change(info)
        return train(tmp_path, make_model(info), *flags, fails=True)

    def rebind(index, **change):
        def apply(info):
            for field, value in change.items():
                setattr(info.update_binding[index], field, value)

        return apply

    text = fails(rebind(0, key="nothing"))
    assert "WFT1014: training info: update_binding assigns to 'nothing', which is no" in text
    text = fails(rebind(0, value="nothing"))
    assert "WFT1014: training info: update_binding assigns 'nothing' to 'w', but no" in text
    text = fails(rebind(0, key="b"))
    assert "WFT1014: training info: update_binding assigns to 'b' twice" in text
    text = fails(rebind(0, value="b_new"))
    assert "WFT2307: the training info assigns 'b_new' of tensor<1xf32> to 'w' of" in text
    text = fails(lambda info: info.ClearField("update_binding"))
    assert "WFT1014: training info: update_binding is empty" in text
    text = fails(lambda info: bind(info.initialization_binding, w="w"))
    assert "initialization_binding assigns 'w' to 'w', but no output of the init" in text
    text = fails(lambda info: None, "--freeze", "w")
    assert "'freeze' can't be set where the model's own algorithm trains" in text
    text = fails(lambda info: None, "--loss", "output:y")
    assert "WFT2307: the loss of the training info is tensor<?x1xf32>, wanted a" in text
