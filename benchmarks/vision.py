"""Convolutional networks and a vision transformer."""

from __future__ import annotations

from graph import Graph


def vgg16(batch=1, size: int = 224, width: int = 64, classes: int = 1000) -> Graph:
    """For images of `size` (a multiple of 32), with `width` channels at first."""
    g = Graph("vgg16")
    x, channels = g.input("input", [batch, 3, size, size]), 3
    w = width
    plan = [w, w, 0, 2 * w, 2 * w, 0, 4 * w, 4 * w, 4 * w, 0]
    plan += [8 * w, 8 * w, 8 * w, 0, 8 * w, 8 * w, 8 * w, 0]
    for index, width in enumerate(plan):
        if width == 0:
            x = g.op(
                "MaxPool", x, ceil_mode=0, dilations=[1, 1],
                kernel_shape=[2, 2], pads=[0] * 4, strides=[2, 2],
            )  # fmt: skip
            continue
        x = g.op("Relu", g.conv(x, f"features.{index}", channels, width, 3, pad=1))
        channels = width
    # The adaptive pooling to 7x7, of what is 7x7 already.
    x = g.op("AveragePool", x, kernel_shape=[1, 1], strides=[1, 1])
    x = g.op("Flatten", x, axis=1)
    pixels, hidden = (size // 32) ** 2, 64 * w
    x = g.op("Relu", g.gemm(x, "classifier.0", channels * pixels, hidden, 2.0))
    x = g.op("Relu", g.gemm(x, "classifier.3", hidden, hidden, 2.0))
    x = g.gemm(x, "classifier.6", hidden, classes)
    g.output(x, "output", [batch, classes])
    return g


def _bottleneck(g: Graph, x: str, cin: int, mid: int, stride: int) -> str:
    y = g.op("Relu", g.conv(x, "conv1", cin, mid, 1))
    y = g.op("Relu", g.conv(y, "conv2", mid, mid, 3, stride, 1))
    y = g.conv(y, "conv3", mid, 4 * mid, 1, gain=0.2)
    if stride != 1 or cin != 4 * mid:
        x = g.conv(x, "downsample.0", cin, 4 * mid, 1, stride, gain=1.0)
    return g.op("Relu", g.op("Add", y, x))


def resnet50(
    batch=1, size: int = 224, width: int = 64, classes: int = 1000, depths=(3, 4, 6, 3)
) -> Graph:
    """For images of `size` (a multiple of 32), with `width` channels at first, and
    as many blocks in each stage."""
    g = Graph("resnet50")
    x = g.input("input", [batch, 3, size, size])
    x = g.op("Relu", g.conv(x, "conv1", 3, width, 7, 2, 3))
    x = g.op(
        "MaxPool", x, ceil_mode=0, dilations=[1, 1], kernel_shape=[3, 3],
        pads=[1] * 4, strides=[2, 2],
    )  # fmt: skip
    channels = width
    for stage, blocks in enumerate(depths):
        mid = width << stage
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            with g.inside(f"layer{stage + 1}.{block}"):
                x = _bottleneck(g, x, channels, mid, stride)
            channels = 4 * mid
    x = g.op("Flatten", g.op("GlobalAveragePool", x), axis=1)
    g.output(g.gemm(x, "fc", channels, classes), "output", [batch, classes])
    return g


# kernel, expanded channels, channels, squeeze-excite, hard swish, stride
_MOBILENET = [
    (3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1), (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1), (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1), (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
]  # fmt: skip


def _squeeze_excite(g: Graph, x: str, channels: int) -> str:
    squeezed = (channels // 4 + 4) // 8 * 8
    y = g.op("GlobalAveragePool", x)
    y = g.op("Relu", g.conv(y, "fc1", channels, squeezed, 1))
    y = g.conv(y, "fc2", squeezed, channels, 1)
    return g.op("Mul", g.op("HardSigmoid", y, alpha=1 / 6, beta=0.5), x)


def mobilenet_v3_large(batch=1) -> Graph:
    g = Graph("mobilenet_v3_large")
    x = g.input("input", [batch, 3, 224, 224])
    x = g.op("HardSwish", g.conv(x, "features.0.0", 3, 16, 3, 2, 1))
    channels = 16
    for index, (k, mid, out, excite, swish, stride) in enumerate(_MOBILENET):
        activation = "HardSwish" if swish else "Relu"
        with g.inside(f"features.{index + 1}"):
            y = x
            if mid != channels:
                y = g.op(activation, g.conv(y, "block.0.0", channels, mid, 1))
            y = g.conv(y, "block.1.0", mid, mid, k, stride, k // 2, groups=mid)
            y = g.op(activation, y)
            if excite:
                with g.inside("block.2"):
                    y = _squeeze_excite(g, y, mid)
            y = g.conv(y, "block.3.0", mid, out, 1, gain=1.0)
            x = g.op("Add", y, x) if stride == 1 and out == channels else y
        channels = out
    x = g.op("HardSwish", g.conv(x, "features.16.0", 160, 960, 1))
    x = g.op("Flatten", g.op("GlobalAveragePool", x), axis=1)
    x = g.op("HardSwish", g.gemm(x, "classifier.0", 960, 1280, 2.0))
    g.output(g.gemm(x, "classifier.3", 1280, 1000), "output", [batch, 1000])
    return g


def _self_attention(g: Graph, x: str, length: int, width: int, heads: int) -> str:
    """torch.nn.MultiheadAttention, batch first, of batch 1."""
    size = width // heads
    x = g.op("Transpose", x, perm=[1, 0, 2])
    qkv = g.linear(x, "in_proj", width, 3 * width)
    qkv = g.reshape(qkv, [length, 1, 3, width])
    qkv = g.op("Unsqueeze", qkv, g.constant([0]))
    qkv = g.op("Transpose", qkv, perm=[3, 1, 2, 0, 4])
    qkv = g.op("Squeeze", qkv, g.constant([3]))
    parts = []
    for index in range(3):
        part = g.op("Gather", qkv, g.constant(index), axis=0)
        part = g.reshape(part, [length, heads, size])
        part = g.op("Transpose", part, perm=[1, 0, 2])
        parts.append(g.reshape(part, [1, heads, length, size]))
    y = g.attention(*parts, size)
    y = g.op("Transpose", y, perm=[2, 0, 1, 3])
    y = g.gemm(g.reshape(y, [length, width]), "out_proj", width, width)
    return g.op("Transpose", g.reshape(y, [length, 1, width]), perm=[1, 0, 2])


def vit_b_16() -> Graph:
    g = Graph("vit_b_16")
    width, length, heads = 768, 197, 12
    x = g.input("input", [1, 3, 224, 224])
    x = g.conv(x, "conv_proj", 3, width, 16, 16, gain=1.0)
    x = g.op("Transpose", g.reshape(x, [1, width, 196]), perm=[0, 2, 1])
    token = g.weight("class_token", (1, 1, width), 0.02)
    token = g.op("Expand", token, g.constant([1, 1, width]))
    x = g.op("Concat", token, x, axis=1)
    x = g.op("Add", x, g.weight("pos_embedding", (1, length, width), 0.02))
    for layer in range(12):
        with g.inside(f"encoder.layers.{layer}"):
            y = g.layer_norm(x, "ln_1", width, 1e-6)
            with g.inside("self_attention"):
                y = _self_attention(g, y, length, width, heads)
            x = g.op("Add", y, x)
            y = g.layer_norm(x, "ln_2", width, 1e-6)
            y = g.gelu_erf(g.linear(y, "mlp.0", width, 4 * width))
            x = g.op("Add", x, g.linear(y, "mlp.3", 4 * width, width))
    x = g.layer_norm(x, "encoder.ln", width, 1e-6)
    x = g.op("Gather", x, g.constant(0), axis=1)
    g.output(g.gemm(x, "heads.head", width, 1000), "output", [1, 1000])
    return g
