"""weft.Trainer makes the steps of `weft train`."""

import json
import pathlib

import data
import numpy as np
import onnx
import pytest
import weft

PEERS = pathlib.Path(__file__).parent / "Peers"
LOSSES = json.loads((PEERS / "losses.json").read_text())


def batches(kind, count):
    x, labels = data.make(kind)
    for i in range(count):
        part = slice(i * data.BATCH, (i + 1) * data.BATCH)
        yield x[part], labels[part]


def make(**options):
    optimizer = weft.SGD(0.05, momentum=0.9)
    return weft.Trainer(PEERS / "mlp.onnx", optimizer=optimizer, **options)


def test_steps_have_the_losses_of_torch():
    trainer = make()
    losses = trainer.fit(batches("vectors", data.STEPS))
    # As in test_peers.py.
    np.testing.assert_allclose(losses, LOSSES["mlp"]["losses"], rtol=1e-4, atol=0)
    assert trainer.steps == data.STEPS
    assert 0 <= trainer.metrics["accuracy"] <= 1


def test_other_settings_reach_the_compiler():
    trainer = weft.Trainer(
        PEERS / "convolutional.onnx",
        optimizer=weft.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
        bn="train",
    )
    losses = trainer.fit(batches("images", 10))
    np.testing.assert_allclose(losses, LOSSES["convolutional"]["losses"][:10], rtol=1e-4, atol=0)


def test_a_saved_state_goes_on_to_the_same_bits(tmp_path):
    whole, first, second = make(), make(), make()
    losses = whole.fit(batches("vectors", 8))
    begun = first.fit(batches("vectors", 4))
    first.save(tmp_path / "state.safetensors")
    second.load(tmp_path / "state.safetensors")
    rest = second.fit(list(batches("vectors", 8))[4:])
    assert begun + rest == losses
    for name, value in whole.state.items():
        np.testing.assert_array_equal(second.state[name], value)


def test_the_exported_file_holds_the_parameters(tmp_path):
    trainer = make()
    trainer.fit(batches("vectors", 3))
    trainer.export(tmp_path / "tuned.onnx")
    model = onnx.load(tmp_path / "tuned.onnx")
    onnx.checker.check_model(model)
    for tensor in model.graph.initializer:
        wanted = trainer.parameters[tensor.name]
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), wanted)


def test_what_is_wrong_is_said():
    trainer = make()
    ((x, labels),) = batches("vectors", 1)
    before = trainer.state
    with pytest.raises(weft.Error, match="got 1 arrays, wanted 2: 'x', 'labels'"):
        trainer.step(x)
    with pytest.raises(weft.Error, match="WFT5207"):
        trainer.step(x, labels[:3])
    with pytest.raises(weft.Error, match="state 'weft.step' is"):
        trainer.load_state({**before, "weft.step": np.zeros(2)})
    with pytest.raises(weft.Error, match="'loss' is 'hinge', wanted"):
        weft.Trainer(PEERS / "mlp.onnx", loss="hinge")
    for name, value in trainer.state.items():
        np.testing.assert_array_equal(before[name], value)


def test_nothing_flows_through_a_rectifier_at_zero(tmp_path):
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 21]>
        rectified (float[2, 3] x) => (float[2, 2] y)
        <float[3, 2] w = {1, 2, 3, 4, 5, 6}, float[2] b = {0, 1}>
        { p = MatMul(x, w) s = Add(p, b) y = Relu(s) }
    """)
    onnx.save(model, tmp_path / "model.onnx")
    trainer = weft.Trainer(tmp_path / "model.onnx", loss="mse", optimizer=weft.SGD(0.5))
    trainer.step(np.zeros((2, 3), np.float32), np.full((2, 2), 3, np.float32))
    # The mean of squares falls by 0.5 * 2 * (3 - 1) / 2 for the second column.
    np.testing.assert_allclose(trainer.parameters["b"], [0, 2])
