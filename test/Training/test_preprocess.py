"""A graph that samples go through: in training, in the trained file, in use."""

import base64
import json
import os
import struct
import subprocess
import zlib

import numpy as np
import onnx
import onnxruntime
import pytest
import weft
from onnx import TensorProto, helper, numpy_helper

WEFT = os.path.abspath(os.environ.get("WEFT_TOOL", "weft"))
SAMPLES, FEATURES, CLASSES = 60, 5, 3


def build(nodes, inputs, outputs, tensors=(), version=21):
    """A model; inputs and outputs are name, element type and sizes."""
    values = [[helper.make_tensor_value_info(*one) for one in many] for many in (inputs, outputs)]
    constants = [numpy_helper.from_array(np.asarray(v), k) for k, v in dict(tensors).items()]
    graph = helper.make_graph(nodes, "graph", *values, constants)
    imports = [helper.make_opsetid("", version)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def classifier(features=2 * FEATURES):
    draw = np.random.default_rng(3)
    tensors = {
        "v": draw.normal(size=(features, 16)).astype(np.float32) * 0.3,
        "w": draw.normal(size=(16, CLASSES)).astype(np.float32) * 0.3,
    }
    nodes = [
        helper.make_node("MatMul", ["x", "v"], ["h"], "first"),
        helper.make_node("Tanh", ["h"], ["t"]),
        helper.make_node("MatMul", ["t", "w"], ["y"], "second"),
    ]
    sizes = ["N", features], ["N", CLASSES]
    return build(
        nodes, [("x", TensorProto.FLOAT, sizes[0])], [("y", TensorProto.FLOAT, sizes[1])], tensors
    )


def doubling(batch="N", output=("x", TensorProto.FLOAT), version=13):
    """Numbers from 0 to 255 and their squares, both around zero. Its values have
    the names of the model's."""
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["h", "v"], ["c"]),
        helper.make_node("Div", ["c", "w"], ["z"], "first"),
        helper.make_node("Mul", ["z", "z"], ["t"]),
        helper.make_node("Concat", ["z", "t"], [output[0]], axis=1),
    ]
    if output[1] != TensorProto.FLOAT:
        nodes[-1].output[0] = "f"
        nodes.append(helper.make_node("Cast", ["f"], [output[0]], to=output[1]))
    if output[0] == "x":
        nodes[0].input[0] = "bytes"
    inputs = [(nodes[0].input[0], TensorProto.UINT8, [batch, FEATURES])]
    return build(
        nodes, inputs, [(*output, [batch, 2 * FEATURES])],
        {"v": np.float32(127.5), "w": np.full(FEATURES, 64, np.float32)}, version,
    )  # fmt: skip


def data():
    draw = np.random.default_rng(5)
    x = draw.integers(0, 256, (SAMPLES, FEATURES)).astype(np.uint8)
    return x, x[:, :CLASSES].argmax(1)


def expected(model, **inputs):
    """What onnxruntime makes."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, inputs)[0]


def run(folder, *arguments, code=0):
    done = subprocess.run(
        [WEFT, *map(str, arguments)], capture_output=True, text=True, cwd=folder, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def train(folder, *arguments, code=0, file="d.npz"):
    return run(
        folder, "train", "m.onnx", "--data", file, "--batch", "8", "--lr", "0.1", "--epochs", "3",
        *arguments, code=code,
    )  # fmt: skip


def weights(path):
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def properties(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


@pytest.fixture
def folder(tmp_path):
    onnx.save(classifier(), tmp_path / "m.onnx")
    onnx.save(doubling(output=("out", TensorProto.FLOAT)), tmp_path / "prep.onnx")
    x, y = data()
    np.savez(tmp_path / "d.npz", x=x, y=y)
    np.savez(tmp_path / "made.npz", x=expected(doubling(), bytes=x), y=y)
    return tmp_path


# In training


def test_samples_go_through_the_graph(folder):
    """As if they had been made before; by any number of threads."""
    said = train(folder, "--preprocess", "prep.onnx", "-o", "a.onnx", "--split", "0.2")
    assert "accuracy" in said
    train(folder, file="made.npz").count("loss")
    train(folder, "-o", "b.onnx", "--split", "0.2", file="made.npz")
    one, other = weights(folder / "a.onnx"), weights(folder / "b.onnx")
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1e-4, atol=1e-5)
        assert np.abs(value - weights(folder / "m.onnx")[name]).max() > 1e-3
    for threads in (0, 3):
        train(folder, "--preprocess", "prep.onnx", "-o", "c.onnx", "--split", "0.2",
              "--data-threads", threads)  # fmt: skip
        assert (folder / "c.onnx").read_bytes() == (folder / "a.onnx").read_bytes()


def test_a_run_goes_on_with_the_same_graph_only(folder):
    arguments = ["--preprocess", "prep.onnx", "--checkpoint-dir", "ck", "--save-every", "5"]
    train(folder, *arguments, "-o", "whole.onnx")
    for newest in sorted((folder / "ck").iterdir())[1:]:
        newest.unlink()
    train(folder, *arguments, "--resume", "-o", "resumed.onnx")
    assert (folder / "resumed.onnx").read_bytes() == (folder / "whole.onnx").read_bytes()
    said = train(folder, "--checkpoint-dir", "ck", "--resume", code=1, file="made.npz")
    assert "WFT6204" in said and "resume with the same --preprocess" in said
    other = doubling(output=("out", TensorProto.FLOAT))
    other.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float32(100), "v"))
    onnx.save(other, folder / "prep.onnx")
    assert "WFT6204" in train(folder, *arguments, "--resume", code=1)


def test_tables(folder):
    x, y = data()
    lines = [",".join(map(str, [*row, label])) for row, label in zip(x, y)]
    (folder / "d.csv").write_text("\n".join(["a,b,c,d,e,label", *lines]))
    train(folder, "--preprocess", "prep.onnx", "-o", "a.onnx")
    train(folder, "--preprocess", "prep.onnx", "-o", "b.onnx", file="d.csv")
    assert (folder / "a.onnx").read_bytes() == (folder / "b.onnx").read_bytes()


# In the trained file


def test_the_trained_file_carries_the_graph(folder):
    """All else of it is as ever, and it is put in front where raw samples come."""
    train(folder, "--preprocess", "prep.onnx", "-o", "tuned.onnx")
    onnx.checker.check_model(folder / "tuned.onnx", full_check=True)
    tuned = onnx.load(folder / "tuned.onnx")
    stored = base64.b64decode(properties(folder / "tuned.onnx")["weft.preprocess"])
    assert stored == (folder / "prep.onnx").read_bytes()
    x, _ = data()
    made = np.load(folder / "made.npz")["x"]
    wanted = expected(tuned, x=made)

    np.save(folder / "x.npy", x)
    run(folder, "run", "tuned.onnx", "--raw", "--input", "x=x.npy", "--outputs", "raw")
    run(folder, "run", "m.onnx", "--preprocess", "prep.onnx", "--input", "x=x.npy")
    run(folder, "verify", "tuned.onnx", "--raw", "--random", "--dim", "N=7")
    run(folder, "bench", "tuned.onnx", "--raw", "--seconds", "0.01")
    run(folder, "compile", "tuned.onnx", "--raw", "-o", "tuned.so")
    run(folder, "run", "tuned.so", "--input", "x=x.npy", "--outputs", "so")
    run(folder, "run", "tuned.onnx", "--data", "d.npz", "--batch", "7", "--outputs", "data")
    for result in ("raw", "so", "data"):
        np.testing.assert_allclose(
            np.load(folder / result / "output_0.npy"), wanted, rtol=1e-4, atol=1e-5
        )
    for graph in (True, folder / "prep.onnx", (folder / "prep.onnx").read_bytes()):
        function = weft.compile(folder / "tuned.onnx", preprocess=graph)
        np.testing.assert_allclose(function(x), wanted, rtol=1e-4, atol=1e-5)


def test_a_merged_file(folder):
    train(folder, "--preprocess", "prep.onnx", "-o", "tuned.onnx")
    train(folder, "--preprocess", "prep.onnx", "--merge-preprocess", "-o", "merged.onnx")
    onnx.checker.check_model(folder / "merged.onnx", full_check=True)
    merged = onnx.load(folder / "merged.onnx")
    assert [i.name for i in merged.graph.input] == ["x"]
    assert merged.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    assert "weft.preprocess" not in properties(folder / "merged.onnx")
    assert "weft.train.settings" in properties(folder / "merged.onnx")
    for name, value in weights(folder / "tuned.onnx").items():
        np.testing.assert_array_equal(weights(folder / "merged.onnx")[name], value)
    x, _ = data()
    wanted = expected(onnx.load(folder / "tuned.onnx"), x=np.load(folder / "made.npz")["x"])
    np.testing.assert_allclose(expected(merged, x=x), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(weft.compile(folder / "merged.onnx")(x), wanted, 1e-4, 1e-5)


def test_names_of_inputs(folder):
    """An output of the input's name is that; a name that the model has is kept
    apart."""
    onnx.save(doubling(), folder / "prep.onnx")
    x, _ = data()
    wanted = weft.compile(folder / "m.onnx")(np.load(folder / "made.npz")["x"])
    function = weft.compile(folder / "m.onnx", preprocess=folder / "prep.onnx")
    assert [port.name for port in function.inputs] == ["bytes"]
    np.testing.assert_allclose(function(bytes=x), wanted, rtol=1e-4, atol=1e-5)
    graph = doubling(output=("out", TensorProto.FLOAT))
    graph.graph.input[0].name = graph.graph.node[0].input[0] = "w"
    graph.graph.initializer[1].name = graph.graph.node[2].input[1] = "u"
    function = weft.compile(folder / "m.onnx", preprocess=graph)
    assert [port.name for port in function.inputs] == ["preprocess/w"]
    np.testing.assert_allclose(function(x), wanted, rtol=1e-4, atol=1e-5)


# Images


def png(pixels):
    """A PNG file of u8 [height, width, 3]."""

    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip


def scaling(size=6, crop=True):
    """Images of any size, of bytes, become f32 [3, size, size]."""
    nodes = [
        helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Shape", ["planes"], ["front"], start=0, end=2),
        helper.make_node("Concat", ["front", "sides"], ["sizes"], axis=0),
        helper.make_node("Resize", ["planes", "", "", "sizes"], ["scaled"], mode="linear"),
        helper.make_node("Sub", ["scaled", "mean"], ["around"]),
        helper.make_node("Div", ["around", "deviation"], ["x"]),
    ]
    if not crop:
        nodes[4].input[0] = "planes"
        nodes[5].input[0] = "planes"
        del nodes[2:5]
    height, width = (size, size) if crop else ("H", "W")
    tensors = {
        "sides": np.array([size, size]),
        "mean": np.array([120, 110, 100], np.float32).reshape(3, 1, 1),
        "deviation": np.array([60, 61, 62], np.float32).reshape(3, 1, 1),
    }
    return build(
        nodes, [("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [("x", TensorProto.FLOAT, ["N", 3, height, width])], tensors,
    )  # fmt: skip


def convolution(size=6, batch="N"):
    draw = np.random.default_rng(3)
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    tensors = {
        "k": draw.normal(size=(8, 3, 3, 3)).astype(np.float32) * 0.3,
        "w": draw.normal(size=(8, 2)).astype(np.float32) * 0.3,
    }
    return build(
        nodes, [("x", TensorProto.FLOAT, [batch, 3, size, size])],
        [("y", TensorProto.FLOAT, [batch, 2])], tensors,
    )  # fmt: skip


@pytest.fixture
def images(tmp_path):
    """Images of all sizes; the classes are a dark and a bright one."""
    draw = np.random.default_rng(7)
    pixels = []
    for number, name in enumerate(("bright", "dark")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(8):
            height, width = draw.integers(4, 12, 2)
            shade = 180 - 120 * number
            image = draw.integers(shade - 40, shade + 40, (height, width, 3)).astype(np.uint8)
            (tmp_path / "images" / name / f"{i}.png").write_bytes(png(image))
            pixels.append(image)
    onnx.save(convolution(), tmp_path / "m.onnx")
    onnx.save(scaling(), tmp_path / "prep.onnx")
    return tmp_path, pixels


@pytest.mark.parametrize("batch", ("N", 4))
def test_images_of_any_size(images, batch):
    folder, pixels = images
    onnx.save(convolution(batch=batch), folder / "m.onnx")
    arguments = ["--preprocess", "prep.onnx", "--random-flip", "--split", "0.25"]
    said = train(folder, *arguments, "--optimizer", "adam", "-o", "t.onnx", file="images")
    assert "accuracy" in said and "2 classes, from 0: bright, dark" in said
    assert json.loads(properties(folder / "t.onnx")["weft.train.input"]) == {"channels": 3}
    # Training and use agree; as does onnxruntime.
    said = run(folder, "run", "t.onnx", "--data", "images", "--outputs", "out")
    got = np.load(folder / "out" / "output_0.npy")
    tuned = onnx.load(folder / "t.onnx")
    made = np.concatenate([expected(scaling(), image=one[None]) for one in pixels])
    batches = [made] if batch == "N" else np.split(made, 4)
    wanted = np.concatenate([expected(tuned, x=one) for one in batches])
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    names = ["bright", "dark"]
    for i, row in enumerate(got):
        assert f"sample {i}: {names[row.argmax()]} (" in said
    # With a batch of one the images may differ in size there, too.
    function = weft.compile(folder / "t.onnx", preprocess=True, batch_dim="samples")
    for image, row in zip(pixels, wanted):
        np.testing.assert_allclose(function(image[None])[0], row, rtol=1e-4, atol=1e-4)


def test_images_that_are_scaled_and_cropped_in_front(images):
    folder, _ = images
    arguments = ["--preprocess", "prep.onnx", "--image-size", "8", "--resize", "9"]
    train(folder, *arguments, "--random-crop", "-o", "t.onnx", file="images")
    stored = json.loads(properties(folder / "t.onnx")["weft.train.input"])
    assert stored == {"channels": 3, "crop": [8, 8], "shorter_side": 9}
    run(folder, "run", "t.onnx", "--data", "images", "--outputs", "out")
    run(folder, "run", "t.onnx", "--data", "images", *arguments[2:], "--outputs", "again")
    one, other = (np.load(folder / name / "output_0.npy") for name in ("out", "again"))
    np.testing.assert_array_equal(one, other)
    # Also images of no class.
    run(folder, "run", "t.onnx", "--data", "images/dark", "--outputs", "dark")
    np.testing.assert_array_equal(np.load(folder / "dark" / "output_0.npy"), one[8:])


def test_flags_are_stored_as_well(images):
    """Without a graph, mean, deviation and sizes are what samples are given in
    use."""
    folder, _ = images
    train(folder, "--mean", "0.4,0.5,0.6", "--std", "0.2", "--resize", "7", "-o", "t.onnx",
          "--split", "0.25", file="images")  # fmt: skip
    run(folder, "run", "t.onnx", "--data", "images", "--outputs", "out")
    flags = ["--mean", "0.4,0.5,0.6", "--std", "0.2", "--resize", "7"]
    bare = onnx.load(folder / "t.onnx")
    del bare.metadata_props[:]
    onnx.save(bare, folder / "bare.onnx")
    run(folder, "run", "bare.onnx", "--data", "images", *flags, "--outputs", "again")
    run(folder, "run", "bare.onnx", "--data", "images", "--outputs", "other")
    one, other, odd = (
        np.load(folder / name / "output_0.npy") for name in ("out", "again", "other")
    )
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - odd).max() > 1e-3


# What is wrong


def refused(folder, graph, wanted, *arguments, file="d.npz"):
    onnx.save(graph, folder / "prep.onnx")
    said = train(folder, "--preprocess", "prep.onnx", "-o", "t.onnx", *arguments, code=1, file=file)
    errors = [line for line in said.splitlines() if "error:" in line]
    assert len(errors) == 1 and wanted in errors[0], said
    assert not (folder / "t.onnx").exists()


def test_graphs_that_do_not_fit(folder):
    refused(
        folder, doubling(output=("x", TensorProto.DOUBLE)),
        "WFT6104: the graph for samples makes 'x', f64 [10] of a sample, but the program takes "
        "'x', f32 [10], 'labels', i64 []; give its output the name, the element type and the "
        "sizes of one of these",
    )  # fmt: skip
    graph = doubling()
    graph.graph.output.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, None))
    refused(folder, graph, "WFT1016: 'prep.onnx': a graph for samples has one output")
    graph = doubling()
    del graph.graph.node[-1:]
    graph.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", FEATURES])
    )
    refused(folder, graph, "makes 'z', f32 [5] of a sample, but the program takes 'x', f32 [10]")
    refused(folder, doubling(), "mean and deviation", "--mean", "1")
    (folder / "prep.onnx").write_bytes(b"no model")
    said = train(folder, "--preprocess", "prep.onnx", code=1)
    assert "error: WFT1002" in said
    assert "--merge-preprocess requires --preprocess" in train(folder, "--merge-preprocess", code=2)
    assert "WFT6010: 'm.onnx' carries no graph for samples" in run(
        folder, "run", "m.onnx", "--raw", "--random", code=1
    )
    onnx.save(doubling(), folder / "prep.onnx")
    assert "a training step takes what the graph has made" in run(
        folder, "compile", "m.onnx", "--train", "--preprocess", "prep.onnx", "-o", "s.so", code=1
    )
    with pytest.raises(weft.Error, match="carries no graph for samples"):
        weft.compile(folder / "m.onnx", preprocess=True)
    with pytest.raises(weft.Error, match="WFT1016: the graph for samples: its output 'x', DOUBLE"):
        weft.compile(folder / "m.onnx", preprocess=doubling(output=("x", TensorProto.DOUBLE)))


def test_sizes_that_depend_on_the_sample(images):
    folder, _ = images
    refused(
        folder, scaling(crop=False), "WFT6104: of sample 0 the graph for samples makes f32 [1, 3, ",
        file="images",
    )  # fmt: skip
    # Those of the first may be right by chance.
    first = sorted((folder / "images" / "bright").iterdir())[0]
    first.write_bytes(png(np.zeros((6, 6, 3), np.uint8)))
    refused(
        folder, scaling(crop=False), "'x' takes one f32 [3, 6, 6]; have it scale or crop to that",
        file="images",
    )  # fmt: skip


def test_samples_that_become_no_numbers(folder):
    graph = doubling(output=("x", TensorProto.FLOAT))
    graph.graph.node[2].input[1] = "c"  # 0 / 0
    graph.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float32(7), "v"))
    x, y = data()
    x[x == 7] = 8
    x[4, 2] = 7
    np.savez(folder / "d.npz", x=x, y=y)
    refused(folder, graph, "WFT6106: of sample 4 the graph for samples makes a NaN for 'x'")


# In Python


def test_trainer(folder):
    x, y = data()
    made = np.load(folder / "made.npz")["x"]
    raw = weft.Trainer(folder / "m.onnx", optimizer=weft.Adam(0.01), preprocess=folder / "prep.onnx")
    plain = weft.Trainer(folder / "m.onnx", optimizer=weft.Adam(0.01))
    assert [(port.name, port.dtype) for port in raw.inputs] == [("x", np.uint8), ("labels", np.int64)]
    parts = [slice(at, at + 7) for at in range(0, SAMPLES, 7)]
    losses = raw.fit([(x[part], y[part]) for part in parts])
    wanted = plain.fit([{"x": made[part], "labels": y[part]} for part in parts])
    np.testing.assert_allclose(losses, wanted, rtol=1e-4)
    np.testing.assert_allclose(raw.step(x[:4], y[:4]), plain.step(made[:4], y[:4]), rtol=1e-4)
    raw.export(folder / "tuned.onnx")
    raw.export(folder / "merged.onnx", merge_preprocess=True)
    scores = weft.compile(folder / "tuned.onnx")(made)
    np.testing.assert_allclose(
        weft.compile(folder / "tuned.onnx", preprocess=True)(x), scores, rtol=1e-4, atol=1e-5
    )
    merged = onnx.load(folder / "merged.onnx")
    np.testing.assert_allclose(expected(merged, x=x), scores, rtol=1e-4, atol=1e-5)
    with pytest.raises(weft.Error, match="got 1 arrays, wanted 2: 'x', 'labels'"):
        raw.step(x[:4])
    with pytest.raises(weft.Error, match="no graph for samples to merge"):
        plain.export(folder / "other.onnx", merge_preprocess=True)
    with pytest.raises(weft.Error, match="the graph for samples makes 'x', float64"):
        weft.Trainer(folder / "m.onnx", preprocess=doubling(output=("x", TensorProto.DOUBLE)))
