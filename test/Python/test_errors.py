"""What is wrong becomes an exception with the text of the tool."""

import os
import subprocess

import numpy as np
import onnx
import pytest
import weft
from textmodel import parse

TOOL = os.environ.get("WEFT_TOOL")


def tool(*args):
    """Exit code and text of the tool."""
    if not TOOL:
        pytest.skip("WEFT_TOOL does not name the tool")
    done = subprocess.run([TOOL, *args], capture_output=True, text=True)
    return done.returncode, done.stderr.strip()


def same_as_tool(path, kind, code):
    with pytest.raises(kind) as caught:
        weft.compile(path)
    assert tool("compile", path, "-o", os.devnull) == (code, str(caught.value))
    return str(caught.value)


def test_a_file_that_is_missing(tmp_path):
    assert "nowhere.onnx" in same_as_tool(tmp_path / "nowhere.onnx", weft.Error, 1)


def test_a_file_that_is_no_model(tmp_path):
    path = tmp_path / "junk.onnx"
    path.write_bytes(b"\x08junk")
    same_as_tool(path, weft.Error, 1)
    with pytest.raises(weft.Error):
        weft.compile(b"\x08junk")


def test_a_model_that_is_wrong(tmp_path):
    path = tmp_path / "wrong.onnx"
    model = parse(
        "g (float[2, 3] a, float[4, 5] b) => (float[2, 5] y) { [product] y = MatMul(a, b) }"
    )
    onnx.save(model, path)
    same_as_tool(path, weft.Error, 1)


def test_a_model_that_is_unsupported(tmp_path):
    path = tmp_path / "strings.onnx"
    onnx.save(
        parse(
            'g (string[2] x) => (string[2] y) { [upper] y = StringNormalizer <case_change_action = "UPPER"> (x) }'
        ),
        path,
    )
    same_as_tool(path, weft.UnsupportedError, 77)


@pytest.mark.parametrize(
    "inputs, message",
    [
        ([], "WFT5201.*got 0"),
        ([np.zeros((1, 3), np.float32)] * 2, "WFT5201.*got 2"),
        ([np.zeros((1, 3), np.float64)], 'WFT5203.*"x".*f64.*f32'),
        ([np.zeros(3, np.float32)], 'WFT5204.*"x".*rank 1, wanted 2'),
        ([np.zeros((1, 4), np.float32)], 'WFT5205.*"x".*4.*3'),
        ([np.zeros((1, 3), np.complex64)], "complex64"),
        ([np.array([["a", "b", "c"]])], "<U1"),
        ([np.zeros((1,) * 17, np.float32)], "rank 17"),
    ],
)
def test_inputs_that_do_not_fit(affine, inputs, message):
    f = weft.compile(affine)
    with pytest.raises(weft.Error, match=message):
        f.run(inputs)
    # The function is as good as before.
    np.testing.assert_array_equal(f(np.zeros((1, 3), np.float32)), [[1, 1, 1]])


def test_inputs_of_another_name(affine):
    f = weft.compile(affine)
    with pytest.raises(weft.Error, match="no input 'z'; input 'x' is missing"):
        f(z=np.zeros((1, 3), np.float32))


def test_symbols_that_contradict():
    f = weft.compile(
        parse("g (float[N] a, float[N] b) => (float[N] y) { y = Add(a, b) }")
    )
    with pytest.raises(weft.Error, match="WFT5207.*N"):
        f(np.zeros(2, np.float32), np.zeros(3, np.float32))


@pytest.mark.parametrize(
    "room, message",
    [
        (np.empty((1, 3), np.float64), "float64, wanted float32"),
        (np.empty((1, 6), np.float32)[:, ::2], "not contiguous"),
        (np.empty((1, 2), np.float32), "WFT5209.*8 bytes.*wanted 12"),
        (np.empty((3, 1), np.float32), r"\[3, 1\], wanted \[1, 3\]"),
    ],
)
def test_arrays_for_outputs_that_do_not_fit(affine, room, message):
    f = weft.compile(affine)
    with pytest.raises(weft.Error, match=message):
        f.run([np.zeros((1, 3), np.float32)], out=[room])


def test_read_only_arrays_for_outputs(affine):
    room = np.empty((1, 3), np.float32)
    room.flags.writeable = False
    with pytest.raises(weft.Error, match="writable"):
        weft.compile(affine).run([np.zeros((1, 3), np.float32)], out=[room])


def test_faults_of_a_run():
    f = weft.compile(
        parse(
            "g (float[3] x, int64[1] i) => (float[1] y) { y = Gather(x, i) }"
        )
    )
    with pytest.raises(weft.Error, match="WFT5301.*out of range"):
        f(np.zeros(3, np.float32), np.array([7]))


def test_programs_that_are_none(tmp_path):
    with pytest.raises(weft.Error, match="WFT5101"):
        weft.load(tmp_path / "none.so")


def test_saving_where_nothing_can_be_written(affine, tmp_path):
    with pytest.raises(weft.Error, match="no-such-folder"):
        weft.compile(affine).save(tmp_path / "no-such-folder" / "m.so")
