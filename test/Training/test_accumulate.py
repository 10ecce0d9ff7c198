"""Several batches of an update give the bits of a single one that holds them."""

import os
import pathlib
import subprocess

import data
import numpy as np
import onnx
import pytest
import weft

PEERS = pathlib.Path(__file__).parent / "Peers"
WEFT = os.environ.get("WEFT_TOOL", "weft")
# All samples of a sum are of one image or sequence after the other. Not so in a
# recurrent net, whose gradients are sums over time first.
MODELS = {"mlp": "vectors", "convolutional": "images", "residual": "images",
          "transformer": "sequences", "embedding": "words"}  # fmt: skip


def model_state(trainer):
    """What an update leaves behind, without sums that begin anew."""
    skipped = ("weft.batches", "weft.loss", "weft.weight", "weft.hits", "weft.labels")
    return {
        name: value
        for name, value in trainer.state.items()
        if name not in skipped and ".gradient" not in name
    }


def train(name, batch, accumulate, updates=4, **settings):
    trainer = weft.Trainer(
        PEERS / f"{name}.onnx", optimizer=weft.AdamW(1e-3), accumulate=accumulate, **settings
    )
    x, labels = data.make(MODELS[name])
    count = updates * batch * accumulate
    parts = [slice(i, i + batch) for i in range(0, count, batch)]
    losses = trainer.fit((x[part], labels[part]) for part in parts)
    assert trainer.steps == updates
    return losses, trainer


def assert_same(one, other):
    assert one[0] == other[0]
    wanted = model_state(one[1])
    for name, value in model_state(other[1]).items():
        np.testing.assert_array_equal(value, wanted[name], err_msg=name)


@pytest.mark.parametrize("name", MODELS)
def test_batches_give_the_bits_of_a_single_one(name):
    whole = train(name, 24, 1, clip_norm=0.5)
    for batch in (1, 8):
        assert_same(whole, train(name, batch, 24 // batch, clip_norm=0.5))


def test_batches_of_any_size_weigh_as_many_labels_as_they_have():
    # A mean of means would give the two batches the same weight.
    x, labels = data.make("vectors")
    labels[[1, 3, 6]] = -1
    options = dict(optimizer=weft.SGD(0.1), ignore_index=-1)
    whole = weft.Trainer(PEERS / "mlp.onnx", **options)
    loss = whole.step(x[:7], labels[:7])
    parts = weft.Trainer(PEERS / "mlp.onnx", accumulate=2, **options)
    parts.step(x[:4], labels[:4])
    assert parts.steps == 0
    assert parts.step(x[4:7], labels[4:7]) == loss
    assert parts.metrics == whole.metrics
    assert_same((0, whole), (0, parts))


def test_a_batch_without_labels_adds_nothing():
    x, labels = data.make("vectors")
    options = dict(optimizer=weft.SGD(0.1), ignore_index=-1)
    whole = weft.Trainer(PEERS / "mlp.onnx", **options)
    loss = whole.step(x[4:8], labels[4:8])
    parts = weft.Trainer(PEERS / "mlp.onnx", accumulate=2, **options)
    assert parts.step(x[:4], np.full_like(labels[:4], -1)) == 0
    assert parts.step(x[4:8], labels[4:8]) == loss
    assert_same((0, whole), (0, parts))


def test_fewer_batches_are_an_update_where_they_are_the_last():
    x, labels = data.make("vectors")
    batches = [(x[i : i + 4], labels[i : i + 4]) for i in range(0, 20, 4)]
    parts = weft.Trainer(PEERS / "mlp.onnx", accumulate=3, optimizer=weft.Adam())
    whole = weft.Trainer(PEERS / "mlp.onnx", optimizer=weft.Adam())
    assert parts.fit(batches) == [
        whole.step(x[:12], labels[:12]),
        whole.step(x[12:20], labels[12:20]),
    ]
    assert_same((0, whole), (0, parts))


def test_a_state_amidst_an_update_goes_on_to_the_same_bits(tmp_path):
    x, labels = data.make("images")
    batches = [(x[i : i + 4], labels[i : i + 4]) for i in range(0, 32, 4)]
    options = dict(accumulate=4, optimizer=weft.Adam(), bn="train")
    whole, first, second = (
        weft.Trainer(PEERS / "convolutional.onnx", **options) for _ in range(3)
    )
    for batch in batches:
        whole.step(*batch)
    for batch in batches[:3]:
        first.step(*batch)
    first.save(tmp_path / "state.safetensors")
    second.load(tmp_path / "state.safetensors")
    for batch in batches[3:]:
        second.step(*batch)
    assert second.steps == whole.steps == 2
    for name, value in whole.state.items():
        np.testing.assert_array_equal(second.state[name], value, err_msg=name)


def test_the_tool_gives_the_bits_of_a_larger_batch(tmp_path):
    x, labels = data.make("images")
    # 30 batches of 5, of which the last update takes two; 8 of 20 and one of 10.
    np.savez(tmp_path / "data.npz", x=x[:150], labels=labels[:150])
    for batch, accumulate in ((20, 1), (5, 4)):
        command = [
            WEFT, "train", PEERS / "residual.onnx", "--data", tmp_path / "data.npz", "--batch", str(batch),
            "--accumulate", str(accumulate), "--epochs", "3", "--optimizer", "momentum", "--quiet",
            "--schedule", "cosine", "--csv", tmp_path / f"{batch}.csv", "--log-every", "1",
            "-o", tmp_path / f"{batch}.onnx",
        ]  # fmt: skip
        subprocess.run(command, check=True, timeout=300)
    one, other = (onnx.load(tmp_path / f"{batch}.onnx") for batch in (20, 5))
    assert list(one.graph.initializer) == list(other.graph.initializer)
    one, other = (
        [line.split(",")[:6] for line in (tmp_path / f"{batch}.csv").read_text().splitlines()]
        for batch in (20, 5)
    )
    assert len(one) == 1 + 3 * 8
    assert one == other
