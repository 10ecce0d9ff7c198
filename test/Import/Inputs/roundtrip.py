"""Imports models, exports them and compares what they compute.

usage: roundtrip.py FOLDER (.onnx|.onnxtxt)
"""

import os
import subprocess
import sys

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

MODELS = {
    "attributes": """
<ir_version: 10, opset_import: ["" : 20], metadata_props: ["k": "v"]>
net (float[N,4] x) => (float[N,4] y, float[N,2] z)
  <float max = {0.5}, int64[2] parts = {2, 2}> {
  [clip] y = Clip (x, "", max)
  a, b = Split <axis: int = 1> (x, parts)
  z = HardSigmoid <alpha: float = 0.25> (b)
}""",
    "outputs": """
<ir_version: 10, opset_import: ["" : 20]>
net (float[N,4] x) => (float[N,4] x, float[N,4] y, float[N,4] y, float w)
  <float w = {2}> {
  y = Mul (x, w)
}""",
    "graphs": """
<ir_version: 10, opset_import: ["" : 20]>
net (float[N,4] x) => (float[N,4] y, float[M,N,4] all)
  <int64 n = {3}, bool yes = {1}> {
  r = If (yes) <
    then_branch = then () => (float[N,4] v) { v = Neg (x) },
    else_branch = else () => (float[N,4] v) { v = Identity (x) }
  >
  y, all = Loop (n, yes, r) <
    body = step (int64 i, bool more, float[N,4] v) => (bool go, float[N,4] w, float[N,4] w2) {
      go = Identity (more)
      w = Add (v, x)
      w2 = Neg (w)
    }
  >
}""",
    "old": """
<ir_version: 4, opset_import: ["" : 9]>
net (float[N,4] x) => (float[N,4] y)
  <float[4] scale = {1, 2, 3, 4}> {
  m = ReduceMean <axes: ints = [1], keepdims: int = 1> (x)
  c = Sub (x, m)
  s = Mul (c, scale)
  y = Softmax <axis: int = 1> (s)
}""",
    "sequence": """
<ir_version: 10, opset_import: ["" : 20]>
net (float[N,4] x) => (float[N,4] y) <int64 at = {1}> {
  n = Neg (x)
  s = SequenceConstruct (x, n)
  y = SequenceAt (s, at)
}""",
}


def translate(*arguments):
    subprocess.run(["weft-translate", *arguments], check=True)


def load(path):
    if path.endswith(".onnx"):
        return onnx.load(path)
    with open(path) as file:
        model = onnx.parser.parse_model(file.read())
    onnx.external_data_helper.load_external_data_for_model(
        model, os.path.dirname(path))
    return model


def compare(name, before, after):
    onnx.checker.check_model(after)
    assert [i.name for i in before.graph.input] == [
        i.name for i in after.graph.input], name
    assert list(before.graph.output) == list(after.graph.output), name
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    for want, got in zip(ReferenceEvaluator(before).run(None, {"x": x}),
                         ReferenceEvaluator(after).run(None, {"x": x})):
        np.testing.assert_allclose(want, got, rtol=1e-6, err_msg=name)


folder, suffix = sys.argv[1:]
weights = np.random.default_rng(0).standard_normal((4, 500), np.float32)
models = {name: onnx.parser.parse_model(text) for name, text in MODELS.items()}
models["large"] = onnx.parser.parse_model("""
<ir_version: 10, opset_import: ["" : 20]>
net (float[N,4] x) => (float[N,500] y) { y = MatMul (x, w) }""")
models["large"].graph.initializer.append(
    onnx.numpy_helper.from_array(weights, "w"))
for name, model in models.items():
    base = os.path.join(folder, name)
    onnx.save(model, base + ".in.onnx")
    translate("--onnx-to-mlir", base + ".in.onnx", "-o", base + ".mlir")
    translate("--mlir-to-onnx", base + ".mlir", "-o", base + ".out" + suffix)
    compare(name, model, load(base + ".out" + suffix))
    print(name, "ok")
