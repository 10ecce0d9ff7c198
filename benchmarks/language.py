"""Transformers of text, a recurrent network and small networks."""

from __future__ import annotations

import math

import numpy as np
from graph import Graph
from onnx import TensorProto


def _split_heads(g: Graph, x: str, length: int, heads: int, size: int) -> str:
    x = g.reshape(x, [1, length, heads, size])
    return g.op("Transpose", x, perm=[0, 2, 1, 3])


def _merge_heads(g: Graph, x: str, length: int, width: int) -> str:
    return g.reshape(g.op("Transpose", x, perm=[0, 2, 1, 3]), [1, length, width])


def _bert_embeddings(g: Graph, ids: str, types: str, length: int, width: int) -> str:
    words = g.weight("word_embeddings.weight", (30522, width), 0.02)
    kinds = g.weight("token_type_embeddings.weight", (2, width), 0.02)
    places = g.weight("position_embeddings.weight", (512, width), 0.02)
    positions = g.constant(np.arange(length)[None])
    x = g.op("Add", g.op("Gather", words, ids), g.op("Gather", kinds, types))
    x = g.op("Add", x, g.op("Gather", places, positions))
    return g.layer_norm(x, "LayerNorm", width, 1e-12)


def bert_base(length: int = 128) -> Graph:
    g = Graph("bert_base")
    width, heads, size = 768, 12, 64
    ids, mask, types = (
        g.input(name, [1, length], TensorProto.INT64)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    )
    with g.inside("embeddings"):
        x = _bert_embeddings(g, ids, types, length, width)
    mask = g.op("Unsqueeze", mask, g.constant([1]))
    mask = g.op("Unsqueeze", mask, g.constant([2]))
    mask = g.op("Expand", mask, g.constant([1, 1, length, length]))
    mask = g.op("Cast", mask, to=TensorProto.FLOAT)
    mask = g.op("Sub", g.scalar(1), mask)
    hidden = g.op("Cast", mask, to=TensorProto.BOOL)
    mask = g.op("Where", hidden, g.scalar(np.finfo(np.float32).min), mask)
    for layer in range(12):
        with g.inside(f"encoder.layer.{layer}"):
            q, k, v = (
                _split_heads(
                    g, g.linear(x, f"attention.self.{part}", width, width),
                    length, heads, size,
                )  # fmt: skip
                for part in ("query", "key", "value")
            )
            y = _merge_heads(g, g.attention(q, k, v, size, mask), length, width)
            y = g.linear(y, "attention.output.dense", width, width)
            y = g.op("Add", y, x)
            x = g.layer_norm(y, "attention.output.LayerNorm", width, 1e-12)
            y = g.linear(x, "intermediate.dense", width, 4 * width)
            y = g.linear(g.gelu_erf(y), "output.dense", 4 * width, width)
            x = g.layer_norm(g.op("Add", y, x), "output.LayerNorm", width, 1e-12)
    first = g.op("Gather", x, g.constant(0), axis=1)
    pooled = g.op("Tanh", g.gemm(first, "pooler.dense", width, width))
    # An output that the pooler reads as well: the exporter names it by a node.
    g.output(g.op("Identity", x), "last_hidden_state", [1, length, width])
    g.output(pooled, "pooler_output", [1, width])
    return g


def _conv1d(g: Graph, x: str, name: str, length: int, n_in: int, n_out: int) -> str:
    """GPT-2's dense layer, which is written as a product of matrices."""
    with g.inside(name):
        w = g.weight("weight", (n_in, n_out), 0.02)
        b = g.weight("bias", (n_out,), 0.02)
        y = g.op("Gemm", g.reshape(x, [-1, n_in]), w, b, alpha=1.0, beta=1.0)
        return g.reshape(y, [1, length, n_out])


def gpt2(length: int = 128) -> Graph:
    g = Graph("gpt2")
    width, heads, size, words = 768, 12, 64, 50257
    ids = g.input("input_ids", [1, length], TensorProto.INT64)
    wte = g.weight("wte.weight", (words, width), 0.02)
    wpe = g.weight("wpe.weight", (1024, width), 0.01)
    ids = g.reshape(ids, [-1, length])
    positions = g.constant(np.arange(length)[None])
    x = g.op("Add", g.op("Gather", wte, ids), g.op("Gather", wpe, positions))
    causal = np.tril(np.ones((1, 1, length, length), np.bool_))
    lowest = g.scalar(np.finfo(np.float32).min)
    mask = g.op("Where", g.constant(causal, np.bool_), g.scalar(0), lowest)
    for layer in range(12):
        with g.inside(f"h.{layer}"):
            y = g.layer_norm(x, "ln_1", width)
            y = _conv1d(g, y, "attn.c_attn", length, width, 3 * width)
            parts = g.op("Split", y, g.constant([width] * 3), outputs=3, axis=2)
            q, k, v = (_split_heads(g, p, length, heads, size) for p in parts)
            y = _merge_heads(g, g.attention(q, k, v, size, mask), length, width)
            y = _conv1d(g, y, "attn.c_proj", length, width, width)
            x = g.op("Add", y, x)
            y = g.layer_norm(x, "ln_2", width)
            y = _conv1d(g, y, "mlp.c_fc", length, width, 4 * width)
            y = _conv1d(g, g.gelu_tanh(y), "mlp.c_proj", length, 4 * width, width)
            x = g.op("Add", x, y)
    x = g.layer_norm(x, "ln_f", width)
    # The exporter transposes the tied weight and keeps both.
    head = np.ascontiguousarray(g.weights["wte.weight"].T)
    g.weights["lm_head.weight"] = head
    logits = g.op("MatMul", x, "lm_head.weight")
    g.output(logits, "logits", [1, length, words])
    return g


def transformer(batch: int, length: int = 64, width: int = 256) -> Graph:
    """A small one that puts texts of 1000 words into 10 classes."""
    g = Graph("transformer")
    heads, size, words, classes = 8, width // 8, 1000, 10
    ids = g.input("tokens", [batch, length], TensorProto.INT64)
    x = g.op("Gather", g.weight("words.weight", (words, width), 1.0), ids)
    x = g.op("Add", x, g.weight("places", (1, length, width), 0.1))
    for layer in range(4):
        with g.inside(f"layers.{layer}"):
            y = g.layer_norm(x, "norm1", width)
            q, k, v = (
                g.op(
                    "Transpose",
                    g.reshape(
                        g.linear(y, part, width, width, width**-0.5),
                        [batch, length, heads, size],
                    ),
                    perm=[0, 2, 1, 3],
                )
                for part in ("query", "key", "value")
            )
            y = g.op("Transpose", g.attention(q, k, v, size, guard=False), perm=[0, 2, 1, 3])
            y = g.reshape(y, [batch, length, width])
            x = g.op("Add", x, g.linear(y, "out", width, width, width**-0.5))
            y = g.layer_norm(x, "norm2", width)
            y = g.gelu_erf(g.linear(y, "linear1", width, 4 * width, width**-0.5))
            y = g.linear(y, "linear2", 4 * width, width, 0.5 * width**-0.5)
            x = g.op("Add", x, y)
    x = g.op("Gather", g.layer_norm(x, "norm", width), g.constant(-1), axis=1)
    g.output(g.gemm(x, "classifier", width, classes), "output", [batch, classes])
    return g


def lstm(length: int = 128, n_in: int = 256, hidden: int = 256, batch: int = 1) -> Graph:
    """One layer of torch.nn.LSTM, batch first, and a classifier."""
    g = Graph("lstm")
    x = g.input("input", [batch, length, n_in])
    x = g.op("Transpose", x, perm=[1, 0, 2])
    std = 1 / math.sqrt(hidden)
    w = g.weight("W", (1, 4 * hidden, n_in), std)
    r = g.weight("R", (1, 4 * hidden, hidden), std)
    b = g.weight("B", (1, 8 * hidden), 0.02)
    zero = g.constant(np.zeros((1, batch, hidden)), np.float32)
    y, _, _ = g.op("LSTM", x, w, r, b, "", zero, zero, outputs=3, hidden_size=hidden)
    y = g.op("Squeeze", y, g.constant([1]))
    y = g.op("Transpose", y, perm=[1, 0, 2])
    y = g.op("Gather", y, g.constant(-1), axis=1)
    g.output(g.gemm(y, "fc", hidden, 10), "output", [batch, 10])
    return g


def digits_mlp(batch=1) -> Graph:
    g = Graph("digits_mlp")
    x = g.input("input", [batch, 64])
    sizes = [64, 512, 512, 10]
    for layer, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
        x = g.gemm(x, f"{2 * layer}", n_in, n_out, 2.0)
        if layer + 2 < len(sizes):
            x = g.op("Relu", x)
    g.output(x, "output", [batch, 10])
    return g


def matmul(m: int, n: int, k: int, weight: bool) -> Graph:
    """A product [m, k] x [k, n] whose right side is a weight or an input."""
    g = Graph(f"matmul_{m}x{n}x{k}_{'weight' if weight else 'input'}")
    a = g.input("a", [m, k])
    b = g.weight("b", (k, n), 1.0) if weight else g.input("b", [k, n])
    g.output(g.op("MatMul", a, b), "output", [m, n])
    return g
