"""Convolutions, and gradients of filters, whose channels fill 16 bytes, so that a GPU can write their tensors with channels last first."""

from function import Function, Value

# Input, filter, and windows: images whose rows fill 16 bytes, 8, 4 or none, few and many taps.
PACKED = {
    "3x3": ([1, 64, 5, 7], [24, 64, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "wide": ([2, 32, 4, 8], [16, 32, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "strided": ([2, 40, 6, 10], [24, 40, 3, 3], {"strides": [2, 2], "low": [0, 1], "high": [1, 1]}),
    "grouped": ([1, 64, 2, 33], [16, 32, 2, 3], {"groups": 2, "filter_dilation": [1, 2], "low": [1, 2], "high": [0, 2]}),
    "unpadded": ([3, 16, 5, 7], [8, 16, 2, 2], {}),
    "cropped": ([1, 16, 9, 9], [16, 16, 3, 3], {"low": [-1, 1], "high": [0, -2]}),
    "1d": ([3, 24, 40], [16, 24, 5], {"low": [2], "high": [2]}),
    "3d": ([1, 16, 4, 5, 6], [8, 16, 2, 3, 2], {"low": [1, 0, 0], "high": [0, 1, 1]}),
    "7x7": ([1, 8, 9, 10], [16, 8, 7, 7], {"strides": [1, 2], "low": [3, 3], "high": [3, 3]}),
    "few_positions": ([3, 72, 3, 3], [16, 72, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "point": ([2, 16, 6, 8], [24, 16, 1, 1], {}),
    "point_odd": ([3, 72, 5, 7], [24, 72, 1, 1], {}),
    "point_strided": ([2, 16, 9, 12], [24, 16, 1, 1], {"strides": [2, 1], "low": [-1, 0], "high": [0, -2]}),
    "point_padded": ([2, 16, 5, 7], [24, 16, 1, 1], {"strides": [2, 2], "low": [1, 0], "high": [0, 1]}),
    "spread": ([2, 16, 5, 6], [24, 16, 3, 3], {"input_dilation": [2, 3], "low": [1, 2], "high": [2, 1]}),
}  # fmt: skip


def convolutions(element):
    for name, (x, w, arguments) in PACKED.items():
        if element == "bf16" and name != "3x3":
            continue
        f = Function(f"packed_{name}_{element}")
        f.ret(f.conv(f.arg(x, element), f.arg(w, element), **arguments))
        f = Function(f"packed_filter_{name}_{element}")
        windows = {key: value for key, value in arguments.items() if key != "groups"}
        result = f.window_of(Value("", x, element), w, **windows)[0]
        f.ret(f.conv_filter(f.arg(x, element), f.arg(result, element), w, **arguments))


def with_neighbours(element):
    """With operands that are computed, as in gradients, and what follows."""
    pad = {"low": [1, 1], "high": [1, 1]}
    f = Function(f"packed_turned_{element}")
    w = f.slice(f.arg([64, 16, 3, 3], element), [0, 0, 2, 2], [64, 16, 3, 3], [1, 1, -1, -1])
    f.ret(f.conv(f.arg([1, 64, 6, 8], element), f.transpose(w, [1, 0, 2, 3]), **pad))
    f = Function(f"packed_point_turned_{element}")
    w = f.transpose(f.arg([64, 24, 1, 1], element), [1, 0, 2, 3])
    f.ret(f.conv(f.arg([2, 64, 3, 5], element), w))
    f = Function(f"packed_fused_{element}")
    x, s, b = f.arg([1, 64, 6, 8], element), f.arg([64], element), f.arg([24], element)
    x = f.binary("max", f.binary("mul", x, f.broadcast(s, [1], x.shape)), f.splat(0, x))
    y = f.conv(x, f.arg([24, 64, 3, 3], element), **pad)
    y = f.binary("add", y, f.broadcast(b, [1], y.shape))
    f.ret(f.binary("max", f.binary("add", y, f.arg(y.shape, element)), f.splat(0, y)))
    f = Function(f"packed_filter_fused_{element}")
    x, g = f.arg([1, 64, 6, 8], element), f.arg([1, 24, 6, 8], element)
    x = f.binary("mul", x, f.broadcast(f.arg([64], element), [1], x.shape))
    y = f.conv_filter(x, g, [24, 64, 3, 3], **pad)
    f.ret(f.binary("add", y, f.binary("mul", f.arg(y.shape, element), f.splat(0.5, y))))


def add_cases():
    for element in ("f16", "bf16", "f32"):
        convolutions(element)
        with_neighbours(element)
    pad = {"low": [1, 1], "high": [1, 1]}
    f = Function("packed_filter_init")
    f.ret(f.conv_filter(f.arg([2, 16, 7, 7]), f.arg([2, 24, 7, 7]), [24, 16, 3, 3], init=f.arg([24, 16, 3, 3]), **pad))
    # So many images that blocks share them.
    for element in ("f16", "f32"):
        f = Function(f"packed_filter_split_{element}")
        f.ret(f.conv_filter(f.arg([8, 8, 9, 9], element), f.arg([8, 16, 9, 9], element), [16, 8, 3, 3], element="f32", **pad))
        f = Function(f"packed_split_{element}")
        f.ret(f.conv(f.arg([1, 136, 4, 4], element), f.arg([16, 136, 3, 3], element), element="f32", **pad))
    # Large tiles, which groups of warps multiply if they can.
    f = Function("packed_large_f16")
    f.ret(f.conv(f.arg([2, 16, 8, 8], "f16"), f.arg([72, 16, 3, 3], "f16"), element="f32", **pad))
    f = Function("packed_large_f32")
    f.ret(f.conv(f.arg([2, 16, 16, 16]), f.arg([40, 16, 2, 2]), low=[1, 0], high=[0, 1]))
    f = Function("packed_filter_large_f16")
    f.ret(f.conv_filter(f.arg([5, 16, 6, 7], "f16"), f.arg([5, 72, 6, 7], "f16"), [72, 16, 3, 3], element="f32", **pad))
