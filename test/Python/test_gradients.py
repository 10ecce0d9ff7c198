"""weft.value_and_grad, and losses as objects."""

import numpy as np
import onnx
import pytest
import weft
from textmodel import parse

LINEAR = """
linear (float[N, 3] x) => (float[N, 4] y)
<float[3, 4] w = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12}, float[4] b = {0.5, -0.5, 0.25, 1}>
{ p = MatMul(x, w) y = Add(p, b) }
"""


@pytest.fixture
def linear(tmp_path):
    onnx.save(parse(LINEAR), tmp_path / "linear.onnx")
    return tmp_path / "linear.onnx"


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def weights():
    model = parse(LINEAR)
    return [onnx.numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer]


def close(found, wanted):
    # A few dozen operations in f32.
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_gradients_of_inputs_and_weights(linear):
    f = weft.value_and_grad(linear, ["x", "w", "b"], loss=weft.MSE())
    x, target = numbers(5, 3), numbers(5, 4, seed=1)
    w, b = weights()
    difference = x @ w + b - target
    for _ in range(2):  # nothing changes in between
        loss, gradients = f(x, target)
        close(loss, np.mean(difference**2))
        slope = 2 * difference / difference.size
        assert list(gradients) == ["x", "w", "b"]
        close(gradients["x"], slope @ w.T)
        close(gradients["w"], x.T @ slope)
        close(gradients["b"], slope.sum(0))
    # They own their memory.
    before = {name: value.copy() for name, value in gradients.items()}
    f(x + 1, target)
    for name, value in before.items():
        np.testing.assert_array_equal(gradients[name], value)


def test_other_weights(linear):
    f = weft.value_and_grad(linear, "w", loss="mse")
    x, target = numbers(5, 3), numbers(5, 4, seed=1)
    f.set_parameters({"w": np.zeros((3, 4), np.float32)})
    difference = weights()[1] - target
    loss, gradients = f(x, target)
    close(loss, np.mean(difference**2))
    close(gradients["w"], x.T @ (2 * difference / difference.size))
    np.testing.assert_array_equal(f.parameters["w"], np.zeros((3, 4)))
    with pytest.raises(weft.Error, match="there is no parameter 'v'; known are 'w'"):
        f.set_parameters({"v": np.zeros(3)})
    with pytest.raises(weft.Error, match=r"parameter 'w' is float32 \[3\], wanted float32 \[3, 4\]"):
        f.set_parameters({"w": np.zeros(3, np.float32)})


def softmax(scores):
    e = np.exp(scores - scores.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def cross_entropy(scores, labels, smoothing, ignored):
    """The loss and its gradient."""
    counts = labels != ignored
    wanted = np.full(scores.shape, smoothing / scores.shape[1])
    wanted[np.arange(len(labels))[counts], labels[counts]] += 1 - smoothing
    p = softmax(scores)
    losses = -(wanted * np.log(p)).sum(1)
    return losses[counts].mean(), counts[:, None] * (p - wanted) / counts.sum()



LOSSES = {
    "cross-entropy": (weft.CrossEntropy(), lambda y, t: cross_entropy(y, t, 0, None)),
    "smoothed": (
        weft.CrossEntropy(label_smoothing=0.2, ignore_index=1),
        lambda y, t: cross_entropy(y, t, 0.2, 1),
    ),
    "mse": (weft.MSE(), lambda y, t: (np.mean((y - t) ** 2), 2 * (y - t) / y.size)),
    "l1": (weft.L1(), lambda y, t: (np.mean(abs(y - t)), np.sign(y - t) / y.size)),
    "huber": (
        weft.Huber(delta=0.5),
        lambda y, t: (
            np.mean(np.where(abs(y - t) <= 0.5, (y - t) ** 2 / 2, 0.5 * (abs(y - t) - 0.25))),
            np.clip(y - t, -0.5, 0.5) / y.size,
        ),
    ),
    "bce": (
        weft.BCE(),
        lambda y, t: (
            np.mean(np.logaddexp(0, y) - y * t),
            (1 / (1 + np.exp(-y)) - t) / y.size,
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_losses(linear, name):
    loss, formula = LOSSES[name]
    x = numbers(6, 3) * 0.2
    w, b = weights()
    if isinstance(loss, weft.CrossEntropy):
        target = np.array([0, 1, 2, 3, 1, 0])
    else:
        target = np.random.default_rng(2).uniform(size=(6, 4)).astype(np.float32)
    value, slope = formula(x @ w + b, target)
    found, gradients = weft.value_and_grad(linear, ["w"], loss=loss)(x, target)
    close(found, value)
    close(gradients["w"], x.T @ slope)
    # A trainer takes it, too.
    trainer = weft.Trainer(linear, loss=loss, optimizer=weft.SGD(0.5))
    close(trainer.step(x, target), value)
    close(trainer.parameters["w"], w - 0.5 * (x.T @ slope))


class Foreign:
    """A tensor of another library."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_tensors_of_other_libraries(linear):
    f = weft.value_and_grad(linear, ["x"], loss=weft.MSE())
    x, target = numbers(5, 3), numbers(5, 4, seed=1)
    _, wanted = f(x, target)
    _, gradients = f(Foreign(x), Foreign(target))
    np.testing.assert_array_equal(np.from_dlpack(Foreign(gradients["x"])), wanted["x"])


class Loader:
    """What a DataLoader of torch is to its user: it can be iterated over more than once, and
    gives lists of tensors."""

    def __init__(self, x, labels, size, keys=None):
        self.x, self.labels, self.size, self.keys = x, labels, size, keys

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __iter__(self):
        for i in range(0, len(self.x), self.size):
            batch = [Foreign(a[i : i + self.size]) for a in (self.x, self.labels)]
            yield dict(zip(self.keys, batch)) if self.keys else batch


def test_iterators_of_batches(linear):
    x = numbers(20, 3)
    labels = x.argmax(1)

    def fit(batches):
        return weft.Trainer(linear, optimizer=weft.SGD(0.1)).fit(batches)

    parts = [(x[i : i + 6], labels[i : i + 6]) for i in range(0, 20, 6)]
    wanted = fit(parts)
    assert len(wanted) == 4
    assert fit(iter(parts)) == fit(Loader(x, labels, 6)) == wanted
    assert fit(Loader(x, labels, 6, ["x", "labels"])) == wanted
    with pytest.raises(weft.Error, match="a batch has 'x', 'y', wanted 'x', 'labels'"):
        fit(Loader(x, labels, 6, ["x", "y"]))


def test_what_is_wrong_is_said(linear):
    with pytest.raises(weft.Error, match="no input and no trained tensor 'v'"):
        weft.value_and_grad(linear, ["w", "v"])
    with pytest.raises(weft.Error, match="WFT2303"):
        weft.value_and_grad(linear, ["v"])
    with pytest.raises(weft.Error, match="name at least one"):
        weft.value_and_grad(linear, [])
    f = weft.value_and_grad(linear, ["w"])
    with pytest.raises(weft.Error, match="got 1 arrays, wanted 2: 'x', 'labels'"):
        f(numbers(2, 3))
    with pytest.raises(weft.Error, match="WFT5301"):
        f(numbers(2, 3), np.array([0, 4]))
