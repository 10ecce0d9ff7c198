"""weft train on every form of data, as a process."""

import json
import os
import struct
import subprocess
import zlib

import numpy as np
import onnx
import pytest

TOOL = os.environ.get("WEFT_TOOL") and os.path.abspath(os.environ["WEFT_TOOL"])
MODEL = """
<ir_version: 10, opset_import: ["" : 21]>
linear (float[N, {features}] x) => (float[N, {classes}] y)
<float[{features}, {classes}] w = {{{zeros}}}, float[{classes}] b = {{{bias}}}>
{{ p = MatMul(x, w) y = Add(p, b) }}
"""
IMAGE_MODEL = """
<ir_version: 10, opset_import: ["" : 21]>
images (float[N, 3, 4, 4] image) => (float[N, 2] y)
<float[48, 2] w = {{{zeros}}}, float[2] b = {{0, 0}}>
{{ f = Flatten(image) p = MatMul(f, w) y = Add(p, b) }}
"""


def zeros(count):
    return ", ".join(["0"] * count)


@pytest.fixture
def train(tmp_path):
    """Trains a model of text, and returns the report and what was said."""
    if not TOOL:
        pytest.skip("WEFT_TOOL does not name the tool")

    def run(model, *arguments, rc=0):
        path = tmp_path / "model.onnxtxt"
        path.write_text(model)
        done = subprocess.run(
            [TOOL, "train", path, "--json", *map(str, arguments)],
            capture_output=True, text=True, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == rc, done.stderr
        return json.loads(done.stdout) if rc == 0 else None, done.stderr

    return run


def linear(features, classes):
    return MODEL.format(
        features=features, classes=classes, zeros=zeros(features * classes), bias=zeros(classes)
    )


def png(color, size=(6, 5)):
    """A PNG file of one colour."""

    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    width, height = size
    rows = (b"\0" + bytes(color) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip


def points(count, features=3):
    """Points whose label is the largest coordinate."""
    x = np.random.default_rng(0).normal(size=(count, features)).astype(np.float32)
    return x, x.argmax(1)


def test_arrays(train, tmp_path):
    x, y = points(200)
    np.savez(tmp_path / "d.npz", x=x.astype(np.float64), y=y.astype(np.int16))
    report, said = train(
        linear(3, 3), "--data", "d.npz", "--split", 0.25, "--lr", 0.5, "--epochs", 20
    )
    assert "150 samples in 5 batches of 32, 50 for validation" in said
    assert report["validation_accuracy"] > 0.9
    x[17, 2] = np.nan
    np.savez(tmp_path / "d.npz", x=x, y=y)
    _, said = train(linear(3, 3), "--data", "d.npz", rc=1)
    assert "error: WFT6106: array 'x' of 'd.npz' has NaN at [17, 2]" in said


def test_table(train, tmp_path):
    x, y = points(200)
    rows = [
        f"{a},{b},{['ant', 'bee', 'cat'][label]},{c}"
        for (a, b, c), label in zip(x, y, strict=True)
    ]
    (tmp_path / "d.csv").write_text("a,b,kind,c\n" + "\n".join(rows))
    (tmp_path / "v.csv").write_text("a,b,kind,c\n9,0,ant,1\n0,9,bee,1\n")
    report, said = train(
        linear(3, 3), "--data", "d.csv", "--validation", "v.csv", "--label", "kind",
        "--lr", 0.5, "--epochs", 20,
    )  # fmt: skip
    assert "3 classes, from 0: ant, bee, cat" in said
    assert report["validation_accuracy"] == 1
    _, said = train(linear(3, 3), "--data", "d.csv", rc=1)
    assert "WFT6104: 'd.csv' has no column called like a label" in said
    (tmp_path / "d.csv").write_text("a,b,kind,c\n1,,ant,3\n")
    _, said = train(linear(3, 3), "--data", "d.csv", "--label", "kind", rc=1)
    assert "'d.csv', line 2, column 'b': the value is missing" in said


def test_images(train, tmp_path):
    for name, color in (("blue", (10, 20, 250)), ("red", (240, 30, 0))):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(8):
            shade = [max(value - i, 0) for value in color]
            (tmp_path / "images" / name / f"{i}.png").write_bytes(png(shade, (6 + i, 5)))
    model = IMAGE_MODEL.format(zeros=zeros(96))
    arguments = [
        "--data", "images", "--split", 0.25, "--lr", 0.1, "--epochs", 10, "--batch", 4,
        "--resize", 5, "--random-crop", "--random-flip", "--mean", "0.5", "--std", "0.3,0.3,0.3",
    ]  # fmt: skip
    report, said = train(model, *arguments)
    assert "2 classes, from 0: blue, red" in said
    assert report["validation_accuracy"] == 1

    train(model, *arguments, "-o", "tuned.onnx")
    properties = {p.key: p.value for p in onnx.load(tmp_path / "tuned.onnx").metadata_props}
    assert json.loads(properties["weft.train.classes"]) == ["blue", "red"]
    described = json.loads(properties["weft.train.input"])
    assert described["std"] == pytest.approx([0.3] * 3)
    del described["std"]
    assert described == {"channels": 3, "crop": [4, 4], "shorter_side": 5, "mean": [0.5]}

    broken = tmp_path / "images" / "red" / "4.png"
    broken.write_bytes(broken.read_bytes()[:60])
    _, said = train(model, *arguments, rc=1)
    assert "error: WFT6111: 'images/red/4.png' can't be decoded" in said
    report, said = train(model, *arguments, "--skip-broken")
    assert "warning: skipped: WFT6111: 'images/red/4.png'" in said
    assert report["validation_accuracy"] == 1
