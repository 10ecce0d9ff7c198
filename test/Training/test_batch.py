"""Models that were exported for one size of the batch take any."""

import json
import os
import pathlib
import re
import subprocess

import data
import numpy as np
import onnx
import pytest
import weft
from onnx import numpy_helper

PEERS = pathlib.Path(__file__).parent / "Peers"
WEFT = os.environ.get("WEFT_TOOL", "weft")
TEXT = '<ir_version: 10, opset_import: ["" : 21]> g '


def parse(text):
    return onnx.parser.parse_model(TEXT + text)


def run_in_parts(model, x, size):
    """What the model makes of `x`, `size` samples at a time."""
    fixed = weft.compile(model)
    parts = [fixed.run([x[i : i + size]]) for i in range(0, len(x), size)]
    return [np.concatenate(part) for part in zip(*parts)]


@pytest.mark.parametrize("name,size", [
    (path.stem, int(path.stem[-1])) for path in sorted((PEERS / "Fixed").glob("*.onnx"))
])  # fmt: skip
def test_models_of_torch_with_a_fixed_batch(name, size):
    """What torch writes with the size of the batch in it: token of a class, states to begin
    with, rows of all samples in one dimension."""
    path = PEERS / "Fixed" / f"{name}.onnx"
    kind = {"recurrent": "sequences", "transformer": "sequences"}.get(name.split("-")[0], "images")
    x, _ = data.make(kind)
    free = weft.compile(path, batch_dim="N")
    assert free.inputs[0].dims[0] == "N"
    for count in (size, 2 * size, 3 * size):
        got = free.run([x[:count]])
        for a, b in zip(got, run_in_parts(path, x[:count], size), strict=True):
            # Sums of a few dozen products in f32, in another order.
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# Given x [B, 3, 4]; $B stands for the size of the batch, and $R for three times that.
FREE = {
    "merged rows": "(float[$B, 3, 4] x) => (float[$B, 3, 2] y)"
    " <int64[2] s = {$R, 4}, int64[3] t = {$B, 3, 2}, float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}>"
    " { f = Reshape(x, s) m = MatMul(f, w) y = Reshape(m, t) }",
    "moved behind another dimension": "(float[$B, 3, 4] x) => (float[$B, 12] y) <int64[2] s = {$B, 12}>"
    " { t = Transpose<perm = [1, 0, 2]>(x) r = Relu(t) u = Transpose<perm = [1, 0, 2]>(r)"
    " y = Reshape(u, s) }",
    "a rest elsewhere": "(float[$B, 3, 4] x) => (float[$B, 6, 2] y) <int64[3] s = {$B, -1, 2}>"
    " { y = Reshape(x, s) }",
    "expanded": "(float[$B, 3, 4] x) => (float[$B, 3, 2, 4] y)"
    " <int64[4] s = {$B, 3, 2, 4}, int64[1] a = {2}> { u = Unsqueeze(x, a) y = Expand(u, s) }",
    "sizes that are computed": "(float[$B, 3, 4] x) => (float[$B, 12] y)"
    " <int64[1] z = {0}, int64[1] o = {1}, int64[1] rest = {-1}>"
    " { s = Shape(x) n = Slice(s, z, o) t = Concat<axis = 0>(n, rest) y = Reshape(x, t) }",
    "filled with one number": "(float[$B, 3, 4] x) => (float[$B, 3, 5] y)"
    " <int64 one = {0}, int64[1] a = {0}, int64[2] rest = {3, 1}>"
    " { s = Shape(x) n = Gather(s, one) u = Unsqueeze(n, a) t = Concat<axis = 0>(u, rest)"
    " c = ConstantOfShape(t) y = Concat<axis = 2>(x, c) }",
    "an operand for all samples": "(float[$B, 3, 4] x) => (float[$B, 4, 4] y)"
    " <float[1, 1, 4] c = {1, 2, 3, 4}> { y = Concat<axis = 1>(c, x) }",
    "resized": "(float[$B, 3, 4] x) => (float[$B, 3, 8] y) <int64[3] s = {$B, 3, 8}>"
    " { y = Resize(x, , , s) }",
    "summed in an equation": "(float[$B, 3, 4] x) => (float[$B, 2] y)"
    " <float[3, 4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6}>"
    ' { y = Einsum<equation = "nij,ijk->nk">(x, w) }',
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("name", FREE)
def test_nodes_that_hold_the_batch_are_rewritten(name, size):
    if name == "an operand for all samples" and size == 4:
        pytest.skip("a model with a batch of 4 would hold four of them")
    text = FREE[name].replace("$B", str(size)).replace("$R", str(3 * size))
    model = parse(text)
    x = np.random.default_rng(0).normal(size=(8, 3, 4)).astype(np.float32)
    free = weft.compile(model, batch_dim="N")
    assert free.inputs[0].dims == ("N", 3, 4)
    np.testing.assert_allclose(free(x), run_in_parts(model, x, size)[0], rtol=1e-5, atol=1e-6)
    # Any other number, too.
    np.testing.assert_array_equal(free(x[:3]), free(x)[:3])


@pytest.mark.parametrize("text,wanted", [
    ("{ [n] y = ReduceMean(x) }", "node 'n' (ReduceMean): it reduces the samples of a batch to one"),
    ("<int64 i = {0}> { [n] y = Gather(x, i) }", "node 'n' (Gather): it takes some samples"),
    ("<int64[1] s = {0}, int64[1] e = {1}> { [n] y = Slice(x, s, e) }",
     "node 'n' (Slice): it takes some samples"),
    ("<int64[1] a = {0}> { [n] y = Squeeze(x, a) }", "it drops the dimension of the batch"),
    ("{ [n] y = Softmax<axis = 0>(x) }", "it works along the dimension of the batch"),
    ("{ [n] y = Concat<axis = 0>(x, x) }", "it works along the dimension of the batch"),
    ("<int64[2] s = {4, 3}> { t = Transpose<perm = [2, 1, 0]>(x) [n] y = Reshape(t, s) }",
     "output 'y' has the samples in a dimension with others"),
    ("<int64[2] s = {6, 2}> { t = Transpose<perm = [1, 0, 2]>(x) [n] y = Reshape(t, s) }",
     "output 'y' has the samples in a dimension with others"),
    ("{ [n] y = Add(x, c) }", "operand 'c' has 5 entries where the samples are"),
    ("{ t = Transpose<perm = [2, 1, 0]>(x) [n] y = MatMul(x, t) }", "it sums over|different places"),
    ("{ [n] y = NonZero(x) }", "node 'n' (NonZero): there is no rule"),
    ("{ s = Size(x) f = Cast<to = 1>(s) [n] y = Mul(x, f) }", "node (Size)|there is no rule"),
])  # fmt: skip
def test_nodes_that_mix_samples_are_named(tmp_path, text, wanted):
    model = parse(f"(float[1, 3, 4] x) => (y) {text}")
    model.graph.initializer.append(
        numpy_helper.from_array(np.arange(60, dtype=np.float32).reshape(5, 3, 4), "c")
    )
    with pytest.raises(weft.Error, match=r"WFT1015: the model takes batches of 1 only") as error:
        weft.compile(model, batch_dim="N")
    assert re.search(wanted.replace("(", r"\(").replace(")", r"\)"), str(error.value))


def train(model, folder, *arguments):
    done = subprocess.run(
        [WEFT, "train", model, "--data", folder / "data.npz", "--json", *map(str, arguments)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout), done.stderr


def test_training_with_another_batch(tmp_path):
    """The losses and weights of the model that was exported for any batch; the file that is
    written is the original with other weights."""
    x, labels = data.make("images")
    np.savez(tmp_path / "data.npz", x=x[:100], labels=labels[:100])
    fixed = PEERS / "Fixed" / "convolutional-1.onnx"
    free = onnx.load(fixed)
    for value in (free.graph.input[0], free.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(free, tmp_path / "free.onnx")
    arguments = ["--batch", 16, "--optimizer", "momentum", "--lr", 0.05, "--epochs", 3]
    one, said = train(fixed, tmp_path, *arguments, "-o", tmp_path / "fixed.tuned.onnx")
    other, _ = train(tmp_path / "free.onnx", tmp_path, *arguments, "-o", tmp_path / "free.tuned.onnx")
    # The last batch, of 4, is not left out.
    assert one["updates"] == 21 and "100 samples in 7 batches of 16" in said
    assert one == other
    tuned = onnx.load(tmp_path / "fixed.tuned.onnx")
    weights = [
        {t.name: numpy_helper.to_array(t) for t in onnx.load(tmp_path / f"{n}.tuned.onnx").graph.initializer}
        for n in ("fixed", "free")
    ]  # fmt: skip
    for name, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][name])
    original = onnx.load(fixed)
    assert tuned.graph.node == original.graph.node
    assert tuned.graph.input == original.graph.input and tuned.graph.output == original.graph.output


@pytest.mark.parametrize("name,kind", [("vit", "images"), ("recurrent", "sequences"),
                                       ("transformer", "sequences")])  # fmt: skip
def test_losses_do_not_depend_on_the_batch_of_the_file(name, kind):
    x, labels = data.make(kind)
    losses = []
    for size in (1, 4):
        trainer = weft.Trainer(PEERS / "Fixed" / f"{name}-{size}.onnx", optimizer=weft.Adam(1e-3))
        losses.append(trainer.fit((x[i : i + 7], labels[i : i + 7]) for i in range(0, 35, 7)))
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5, atol=0)


def test_training_keeps_a_batch_that_must_be(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, labels=x.argmax(1))
    model = parse(
        "(float[4, 3] x) => (float[4, 3] y) <float[3, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9}>"
        " { m = MatMul(x, w) a = ReduceMax<keepdims = 1>(m) [scaled] y = Div(m, a) }"
    )
    onnx.save(model, tmp_path / "m.onnx")
    report, said = train(tmp_path / "m.onnx", tmp_path, "--epochs", 2, "--split", 0.2)
    assert said.count("warning: WFT1015: the model takes batches of 4 only") == 1
    assert "(ReduceMax)" in said and report["updates"] == 8


def test_a_trainer_takes_any_batch(tmp_path):
    trainer = weft.Trainer(PEERS / "Fixed" / "convolutional-1.onnx")
    assert trainer.inputs[0].dims[0] == trainer.inputs[1].dims[0] == "batch"
    x, labels = data.make("images")
    assert trainer.step(x[:5], labels[:5]) > 0
    assert trainer.step(x[:7], labels[:7]) > 0
    trainer.export(tmp_path / "tuned.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "tuned.onnx"))
