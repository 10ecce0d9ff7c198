"""Training with products of bf16 and f16 follows that in f32."""

import json
import pathlib

import data
import numpy as np
import pytest
import weft

PEERS = pathlib.Path(__file__).parent / "Peers"
RECORD = json.loads((PEERS / "losses.json").read_text())
MODELS = {"mlp": "vectors", "convolutional": "images", "transformer": "sequences"}
# bf16 rounds to 2^-9, f16 to 2^-12; after many updates the paths part a little.
BOUNDS = {"bf16": 0.05, "f16": 0.01}


def train(name, steps=60, **settings):
    trainer = weft.Trainer(PEERS / f"{name}.onnx", optimizer=weft.Adam(1e-2), **settings)
    x, labels = data.make(MODELS[name])
    parts = [slice(i, i + 16) for i in range(0, 16 * steps, 16)]
    return trainer.fit((x[part], labels[part]) for part in parts), trainer


@pytest.mark.parametrize("name", MODELS)
def test_losses_follow_those_of_f32(name):
    wanted, _ = train(name)
    assert np.mean(wanted[-10:]) < 0.5 * wanted[0]
    for precision, bound in BOUNDS.items():
        # Small enough to leave out no update, which would set it behind.
        losses, trainer = train(name, precision=precision, loss_scale=128)
        assert trainer.steps == 60
        assert all(value.dtype == np.float32 for value in trainer.parameters.values())
        assert losses != wanted
        np.testing.assert_allclose(losses, wanted, rtol=bound, atol=bound)


def test_overflow_leaves_an_update_out():
    trainer = weft.Trainer(PEERS / "mlp.onnx", precision="f16", loss_scale=2**30 - 64)
    x, labels = data.make("vectors")
    before = trainer.parameters
    scale = trainer.loss_scale
    loss = trainer.step(x[:16], labels[:16])
    assert np.isfinite(loss)
    assert trainer.steps == 0
    assert trainer.loss_scale == scale / 2
    for name, value in trainer.parameters.items():
        np.testing.assert_array_equal(value, before[name])
    losses = trainer.fit((x[:16], labels[:16]) for _ in range(40))
    assert len(losses) == 40
    assert 0 < trainer.steps < 40
    assert trainer.loss_scale < 2**20
    assert losses[-1] < loss


def test_the_scale_grows_again():
    trainer = weft.Trainer(PEERS / "mlp.onnx", precision="f16", loss_scale=2, loss_scale_interval=3)
    x, labels = data.make("vectors")
    scales = []
    for _ in range(7):
        trainer.step(x[:16], labels[:16])
        scales.append(trainer.loss_scale)
    assert scales == [2, 2, 4, 4, 4, 8, 8]


def test_the_scale_belongs_to_the_state(tmp_path):
    options = dict(precision="f16", optimizer=weft.Adam(), accumulate=2, loss_scale=2**24)
    x, labels = data.make("images")
    batches = [(x[i : i + 8], labels[i : i + 8]) for i in range(0, 320, 8)]
    whole, first, second = (
        weft.Trainer(PEERS / "convolutional.onnx", **options) for _ in range(3)
    )
    for batch in batches:
        whole.step(*batch)
    for batch in batches[:7]:
        first.step(*batch)
    first.save(tmp_path / "state.safetensors")
    second.load(tmp_path / "state.safetensors")
    for batch in batches[7:]:
        second.step(*batch)
    assert 0 < whole.steps < 20
    assert second.loss_scale == whole.loss_scale < 2**24
    for name, value in whole.state.items():
        np.testing.assert_array_equal(second.state[name], value, err_msg=name)


def test_the_scale_is_not_written_into_the_model(tmp_path):
    _, trainer = train("mlp", steps=2, precision="f16")
    trainer.export(tmp_path / "tuned.onnx")
    assert "weft.scale" not in trainer.parameters
    assert weft.compile(tmp_path / "tuned.onnx")(data.make("vectors")[0][:1]).shape == (1, 5)
