"""weft verify --grad tells right gradients from wrong ones, and which node is off."""

import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
import pytest

WEFT = os.environ.get("WEFT_TOOL", "weft")
PEERS = pathlib.Path(__file__).parent / "Peers"


def verify(model, *arguments):
    done = subprocess.run(
        [WEFT, "verify", model, "--grad", *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", ["mlp", "embedding", "recurrent", "transformer"])
def test_models_are_right(name):
    code, said, error = verify(PEERS / f"{name}.onnx", "--random", "--size", "N=2", "--json")
    assert code == 0, error
    result = json.loads(said)
    assert result["right"] and result["first_bad"] is None and result["error"] < 1e-5
    parameters = {t.name for t in onnx.load(PEERS / f"{name}.onnx").graph.initializer}
    checked = {t["name"]: t for t in result["tensors"]}
    assert {n for n, t in checked.items() if t["kind"] == "parameter"} <= parameters
    assert any(t["kind"] == "parameter" for t in checked.values())
    assert ("x" in checked) == (name != "embedding")


def test_statistics_of_a_batch_are_differentiated():
    code, said, error = verify(
        PEERS / "convolutional.onnx", "--random", "--size", "N=3", "--train", "bn=frozen"
    )
    assert code == 0, error
    assert "the gradients agree with differences" in said


def test_a_gradient_that_is_off_is_named(tmp_path):
    """At a kink there is a gradient, but no difference."""
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 21]>
        g (float[2, 3] x) => (float[2, 2] y) <float[3, 2] w = {1, 2, 3, 4, 5, 6}>
        { [smooth] s = Tanh(x) [bent] h = Relu(s) [last] y = MatMul(h, w) }""")
    onnx.save(model, tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.float32))
    given = ["--input", f"x={tmp_path / 'x.npy'}"]
    code, said, _ = verify(tmp_path / "m.onnx", *given)
    assert code == 1
    assert "WRONG  input      x " in said
    assert "the first node whose gradient is off is 'bent' (weft." in said
    code, said, _ = verify(tmp_path / "m.onnx", *given, "--json")
    result = json.loads(said)
    assert code == 1 and not result["right"] and result["first_bad"]["node"] == "bent"
    np.save(tmp_path / "x.npy", np.full((2, 3), 0.5, np.float32))
    assert verify(tmp_path / "m.onnx", *given)[0] == 0


def test_what_can_not_be_checked_is_an_error(tmp_path):
    code, _, error = verify(tmp_path / "gone.onnx", "--random")
    assert code == 1 and "WFT1001" in error
    code, _, error = verify(PEERS / "mlp.onnx")
    assert code == 2 and "input 'x' is missing" in error
