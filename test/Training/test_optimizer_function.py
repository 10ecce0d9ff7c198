"""Optimizers that are ONNX functions move weights as the built-in ones do."""

import csv
import os
import pathlib
import subprocess

import data
import numpy as np
import onnx
import pytest
import weft
from onnx import helper, numpy_helper

PEERS = pathlib.Path(__file__).parent / "Peers"
WEFT = os.environ.get("WEFT_TOOL", "weft")
STEPS = 12

FUNCTIONS = {
    "Descend": """<opset_import: ["" : 18], domain: "my.optimizers">
Descend (rate, step, x, g) => (y) {
  r = CastLike (rate, x)
  m = Mul (r, g)
  y = Sub (x, m)
}""",
    # With an attribute and a state.
    "Roll": """<opset_import: ["" : 18], domain: "my.optimizers">
Roll <keep: float = 0.9> (rate, step, x, g, speed) => (y, next) {
  k = Constant <value_float: float = @keep> ()
  c = CastLike (k, x)
  old = Mul (c, speed)
  next = Add (old, g)
  r = CastLike (rate, x)
  m = Mul (r, next)
  y = Sub (x, m)
}""",
    # With the step, two states, and a call of another function.
    "Adapt": """<opset_import: ["" : 18, "my.optimizers" : 1], domain: "my.optimizers">
Adapt (rate, step, x, g, mean, squares) => (y, m, v) {
  count = Cast <to = 11> (step)
  one = Constant <value = double {1}> ()
  b1 = Constant <value = double {0.9}> ()
  b2 = Constant <value = double {0.999}> ()
  p1 = Pow (b1, count)
  p2 = Pow (b2, count)
  d1 = Sub (one, p1)
  d2 = Sub (one, p2)
  c1 = CastLike (d1, x)
  c2 = CastLike (d2, x)
  m = my.optimizers.Mix <share = 0.9, rest = 0.1> (mean, g)
  gg = Mul (g, g)
  v = my.optimizers.Mix <share = 0.999, rest = 0.001> (squares, gg)
  rv = Sqrt (v)
  r2 = Sqrt (c2)
  q = Div (rv, r2)
  e = Constant <value_float = 1e-8> ()
  ee = CastLike (e, x)
  scale = Add (q, ee)
  r = CastLike (rate, x)
  a = Div (r, c1)
  t = Div (m, scale)
  move = Mul (a, t)
  y = Sub (x, move)
}""",
    "Mix": """<opset_import: ["" : 18], domain: "my.optimizers">
Mix <share, rest> (a, b) => (y) {
  s = Constant <value_float: float = @share> ()
  t = CastLike (s, a)
  o = Constant <value_float: float = @rest> ()
  w = CastLike (o, a)
  x = Mul (t, a)
  z = Mul (w, b)
  y = Add (x, z)
}""",
    "Few": """<opset_import: ["" : 18], domain: "my.optimizers">
Few (rate, step, x) => (y) { y = Sub (x, x) }""",
    "Flat": """<opset_import: ["" : 18], domain: "my.optimizers">
Flat (rate, step, x, g) => (y) { y = ReduceSum <keepdims = 0> (x) }""",
}


def with_functions(model):
    model.functions.extend(onnx.parser.parse_function(text) for text in FUNCTIONS.values())
    model.opset_import.append(helper.make_opsetid("my.optimizers", 1))
    model.ir_version = max(model.ir_version, 9)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("functions")
    x, labels = data.make("vectors")
    count = data.BATCH * STEPS
    np.savez(folder / "data.npz", x=x[:count], labels=labels[:count])
    onnx.save(with_functions(onnx.load(PEERS / "mlp.onnx")), folder / "own.onnx")
    # A file that has nothing else.
    graph = helper.make_graph([], "nothing", [], [])
    only = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(with_functions(only), folder / "optimizers.onnx")
    onnx.save(widened(onnx.load(folder / "own.onnx")), folder / "double.onnx")
    return folder


def widened(model):
    """The same in f64."""
    for tensor in model.graph.initializer:
        tensor.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
        )
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.t.data_type == onnx.TensorProto.FLOAT:
                value = numpy_helper.to_array(attribute.t).astype(np.float64)
                attribute.t.CopyFrom(numpy_helper.from_array(value))
    del model.graph.value_info[:]
    return model


def train(folder, model, *flags, fails=False):
    command = [
        WEFT, "train", model, "--data", folder / "data.npz", "--in-order", "--batch",
        str(data.BATCH), "--epochs", "1", "--csv", folder / "log.csv", "--log-every", "1",
        "--quiet", "--threads", "1", "--lr", "0.02", "-o", folder / "out.onnx", *flags,
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if fails:
        assert result.returncode == 1, result.stderr
        return result.stderr
    assert result.returncode == 0, result.stderr
    with open(folder / "log.csv") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("model", ["own.onnx", "double.onnx"])
@pytest.mark.parametrize(
    ("name", "other"), [("Descend", "sgd"), ("Roll", "momentum"), ("Adapt", "adam")]
)
def test_losses_are_those_of_the_built_in_ones(name, other, model, folder):
    wanted = train(folder, folder / model, "--optimizer", other)
    got = train(folder, folder / model, "--optimizer", f"function:my.optimizers.{name}")
    assert len(got) == STEPS
    # Numbers of functions are of f32, also where weights are of f64.
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=0)


def test_functions_of_another_file(folder):
    wanted = train(folder, PEERS / "mlp.onnx", "--optimizer", "momentum", "--split", "0.25")
    got = train(
        folder, PEERS / "mlp.onnx", "--optimizer", "function:my.optimizers.Roll",
        "--set", f"optimizer-file={folder / 'optimizers.onnx'}", "--split", "0.25",
    )  # fmt: skip
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=0)


def test_states_have_the_names_of_the_function(folder):
    trainer = weft.Trainer(folder / "own.onnx", optimizer=weft.FunctionOptimizer("my.optimizers.Adapt", 0.02))
    x, labels = data.make("vectors")
    trainer.step(x[: data.BATCH], labels[: data.BATCH])
    assert np.abs(trainer.state["0.weight.squares"]).max() > 0
    assert set(trainer.state) > {"0.weight", "0.weight.mean", "weft.step"}


def test_what_is_wrong_is_said(folder):
    def fails(*flags):
        return train(folder, folder / "own.onnx", *flags, fails=True)

    text = fails("--optimizer", "function:Nothing")
    assert "WFT1006: there is no function 'Nothing' that could be the optimizer; the file" in text
    text = fails("--optimizer", "function:my.optimizers.Few")
    assert "WFT1006: the function 'my.optimizers.Few' has 3 inputs and 1 outputs" in text
    text = fails("--optimizer", "function:my.optimizers.Flat")
    assert "WFT2308: output 0 of the optimizer is tensor<f32> for a weight of" in text
    text = fails("--set", "optimizer-file=x.onnx")
    assert "'optimizer-file' needs optimizer=function:DOMAIN.NAME" in text
    text = fails("--optimizer", "function:F", "--set", "optimizer-file=nowhere.onnx")
    assert "WFT1001: can't read 'nowhere.onnx'" in text
