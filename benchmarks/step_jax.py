"""Training steps of ONNX models in JAX, for the operators that they have."""

from __future__ import annotations

import functools
from typing import Callable

import jax
import numpy as np
import onnx
import steps
from jax import lax
from jax import numpy as jnp
from onnx import helper


def _conv(attributes, x, w, b):
    top, left, bottom, right = attributes["pads"]
    y = lax.conv_general_dilated(
        x, w, attributes["strides"], [(top, bottom), (left, right)],
        rhs_dilation=attributes["dilations"], feature_group_count=attributes["group"],
    )  # fmt: skip
    return y + b[None, :, None, None]


def _window(attributes) -> tuple:
    top, left, bottom, right = attributes.get("pads", [0] * 4)
    pads = [(0, 0), (0, 0), (top, bottom), (left, right)]
    return (1, 1, *attributes["kernel_shape"]), (1, 1, *attributes["strides"]), pads


def _max_pool(attributes, x):
    return lax.reduce_window(x, -jnp.inf, lax.max, *_window(attributes))


def _average_pool(attributes, x):
    count = np.prod(attributes["kernel_shape"])
    return lax.reduce_window(x, 0.0, lax.add, *_window(attributes)) / count


def _gemm(attributes, x, w, b):
    return x @ (w.T if attributes.get("transB") else w) + b


def _layer_norm(attributes, x, w, b):
    mean = x.mean(-1, keepdims=True)
    variance = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + attributes["epsilon"]) * w + b


def _lstm(attributes, x, w, r, b, _, h, c):
    bias = b[0].reshape(2, -1).sum(0)
    given = x @ w[0].T + bias

    def cell(carried, now):
        h, c = carried
        i, o, f, g = jnp.split(now + h @ r[0].T, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    (h, c), y = lax.scan(cell, (h[0], c[0]), given)
    return y[:, None], h[None], c[None]


OPERATORS: dict[str, Callable] = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": _average_pool,
    "Conv": _conv,
    "Div": lambda a, x, y: x / y,
    "Erf": lambda a, x: lax.erf(x),
    "Flatten": lambda a, x: x.reshape(x.shape[0], -1),
    "Gather": lambda a, x, i: jnp.take(x, i, axis=a.get("axis", 0)),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdims=True),
    "LSTM": _lstm,
    "LayerNormalization": _layer_norm,
    "MatMul": lambda a, x, y: x @ y,
    "MaxPool": _max_pool,
    "Mul": lambda a, x, y: x * y,
    "Relu": lambda a, x: jax.nn.relu(x),
    "Reshape": lambda a, x, s: x.reshape(s.tolist()),
    "Softmax": lambda a, x: jax.nn.softmax(x, a["axis"]),
    "Squeeze": lambda a, x, axes: x.squeeze(tuple(axes.tolist())),
    "Transpose": lambda a, x: x.transpose(a["perm"]),
}


def forward(model: onnx.ModelProto, values: dict):
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        operands = [values[name] for name in node.input]
        results = OPERATORS[node.op_type](attributes, *operands)
        if len(node.output) == 1:
            results = (results,)
        values.update(zip(node.output, results))
    return values[model.graph.output[0].name]


def load(model: onnx.ModelProto, optimizer: str) -> steps.Step:
    trained, fixed = steps.tensors(model)
    port = model.graph.input[0].name
    momentum = 0.9 if optimizer == "momentum" else 0.0

    def loss_of(parameters, x, labels):
        scores = forward(model, {**fixed, **parameters, port: x, "": None})
        chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], 1)
        return -chosen.mean()

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters, velocities, x, labels):
        loss, grads = jax.value_and_grad(loss_of)(parameters, x, labels)
        if momentum:
            velocities = jax.tree.map(lambda v, g: momentum * v + g, velocities, grads)
            grads = velocities
        parameters = jax.tree.map(lambda p, g: p - steps.RATE * g, parameters, grads)
        return loss, parameters, velocities

    state = [jax.tree.map(jnp.asarray, trained), {}]
    if momentum:
        state[1] = jax.tree.map(jnp.zeros_like, state[0])
    trained.clear()
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")

    def step(x: np.ndarray, labels: np.ndarray) -> float:
        loss, *state[:] = update(*state, x, labels.astype(np.int32))
        return float(loss)

    return step
