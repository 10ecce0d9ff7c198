"""Contractions and convolutions, with what is fused before and after."""

from function import FLOATS, Function, Value

SIZES = (1, 2, 3, 5, 7, 15, 16, 17, 31, 33, 97)


# By name: input, filter, arguments.
CONVOLUTIONS = {
    "1d": ([2, 5, 31], [7, 5, 3], {}),
    "1d_strided": ([2, 5, 33], [7, 5, 4], {"strides": [3], "low": [2], "high": [1]}),
    "1d_dilated": ([1, 3, 40], [8, 3, 5], {"filter_dilation": [3], "low": [4], "high": [4]}),
    "1d_one_tap": ([2, 16, 17], [33, 16, 1], {}),
    "2d": ([1, 3, 9, 11], [5, 3, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "2d_batch": ([3, 6, 7, 7], [16, 6, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "2d_wide": ([1, 17, 15, 33], [31, 17, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "2d_many_channels": ([1, 97, 5, 5], [7, 97, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "2d_strided": ([2, 8, 15, 17], [16, 8, 3, 3], {"strides": [2, 2], "low": [1, 1], "high": [1, 1]}),
    "2d_strides_differ": ([1, 4, 13, 16], [6, 4, 3, 5], {"strides": [1, 3], "low": [0, 2], "high": [2, 0]}),
    "2d_stride_beyond_filter": ([1, 4, 13, 16], [6, 4, 2, 1], {"strides": [3, 2]}),
    "2d_dilated": ([1, 4, 17, 17], [6, 4, 3, 3], {"filter_dilation": [2, 3], "low": [2, 3], "high": [2, 3]}),
    "2d_asymmetric": ([1, 4, 9, 9], [6, 4, 3, 3], {"low": [0, 2], "high": [1, 0]}),
    "2d_cropped": ([1, 4, 9, 9], [6, 4, 3, 3], {"low": [-1, 0], "high": [0, -2]}),
    "2d_pointwise": ([2, 17, 7, 9], [33, 17, 1, 1], {}),
    "2d_pointwise_strided": ([1, 16, 9, 9], [31, 16, 1, 1], {"strides": [2, 2]}),
    "2d_seven_by_seven": ([1, 3, 20, 20], [16, 3, 7, 7], {"strides": [2, 2], "low": [3, 3], "high": [3, 3]}),
    "2d_filter_as_large": ([2, 5, 6, 7], [9, 5, 6, 7], {}),
    "2d_row": ([1, 5, 6, 33], [9, 5, 1, 7], {"low": [0, 3], "high": [0, 3]}),
    "2d_column": ([1, 5, 33, 6], [9, 5, 7, 1], {"low": [3, 0], "high": [3, 0]}),
    "2d_one_channel": ([2, 1, 9, 17], [1, 1, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "2d_one_pixel": ([3, 17, 1, 1], [5, 17, 1, 1], {}),
    "2d_all_padding": ([1, 2, 1, 1], [3, 2, 3, 3], {"low": [2, 2], "high": [2, 2]}),
    "2d_no_images": ([0, 3, 5, 5], [4, 3, 3, 3], {}),
    "2d_grouped": ([2, 12, 9, 7], [18, 4, 3, 3], {"groups": 3, "low": [1, 1], "high": [1, 1]}),
    "2d_grouped_pointwise": ([1, 8, 7, 7], [16, 2, 1, 1], {"groups": 4}),
    "2d_images_tall": ([5, 9, 7, 7], [260, 9, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "2d_images_many": ([33, 4, 5, 5], [6, 4, 3, 3], {"low": [1, 1], "high": [1, 1]}),
    "2d_images_strided": ([9, 6, 13, 13], [40, 6, 3, 3], {"strides": [2, 2], "low": [1, 1], "high": [1, 1]}),
    "2d_images_grouped": ([5, 12, 6, 5], [18, 4, 3, 3], {"groups": 3, "low": [1, 1], "high": [1, 1]}),
    "2d_images_pointwise": ([37, 40, 3, 5], [9, 40, 1, 1], {}),
    "2d_images_pointwise_deep": ([3, 400, 4, 4], [20, 400, 1, 1], {}),
    "2d_images_pointwise_grouped": ([6, 12, 3, 3], [8, 6, 1, 1], {"groups": 2}),
    "2d_depthwise_images": ([5, 7, 12, 13], [7, 1, 5, 5], {"groups": 7, "low": [2, 2], "high": [2, 2]}),
    "2d_depthwise_seven_by_seven": ([2, 3, 40, 41], [3, 1, 7, 7], {"groups": 3, "low": [3, 3], "high": [3, 3]}),
    "2d_depthwise": ([2, 17, 9, 11], [17, 1, 3, 3], {"groups": 17, "low": [1, 1], "high": [1, 1]}),
    "2d_depthwise_strided": ([1, 8, 15, 16], [8, 1, 5, 5], {"groups": 8, "strides": [2, 2], "low": [2, 2], "high": [2, 2]}),
    "2d_depthwise_dilated": ([1, 8, 15, 16], [8, 1, 3, 3], {"groups": 8, "filter_dilation": [2, 2], "low": [2, 2], "high": [2, 2]}),
    "2d_depthwise_multiplied": ([1, 5, 9, 9], [15, 1, 3, 3], {"groups": 5, "low": [1, 1], "high": [1, 1]}),
    "2d_depthwise_narrow": ([2, 3, 33, 2], [3, 1, 3, 2], {"groups": 3, "low": [0, 1]}),
    "2d_depthwise_wide": ([1, 3, 4, 97], [3, 1, 3, 3], {"groups": 3, "low": [1, 1], "high": [1, 1]}),
    "2d_transposed": ([1, 5, 5, 6], [7, 5, 3, 3], {"input_dilation": [2, 2], "low": [1, 1], "high": [2, 2]}),
    "2d_transposed_wide": ([2, 4, 4, 4], [6, 4, 4, 4], {"input_dilation": [3, 2], "low": [3, 3], "high": [2, 1]}),
    "2d_transposed_grouped": ([1, 6, 5, 5], [8, 3, 2, 2], {"input_dilation": [2, 2], "groups": 2, "low": [1, 1], "high": [1, 1]}),
    "2d_transposed_depthwise": ([1, 6, 5, 5], [6, 1, 3, 3], {"input_dilation": [2, 2], "groups": 6, "low": [1, 1], "high": [1, 1]}),
    "3d": ([1, 3, 5, 6, 7], [4, 3, 3, 3, 3], {"low": [1, 1, 1], "high": [1, 1, 1]}),
    "3d_strided": ([2, 2, 7, 7, 9], [4, 2, 3, 2, 3], {"strides": [2, 1, 2], "low": [1, 0, 1], "high": [0, 1, 1]}),
    "3d_depthwise": ([1, 4, 5, 5, 5], [4, 1, 3, 3, 3], {"groups": 4, "low": [1, 1, 1], "high": [1, 1, 1]}),
    "3d_transposed": ([1, 3, 3, 4, 3], [4, 3, 2, 2, 2], {"input_dilation": [2, 2, 2], "low": [1, 1, 1], "high": [1, 1, 1]}),
}


def matrix_sizes():
    # Sizes around those of the register tile and of the panels, each in turn.
    for size in SIZES:
        for m, k, n in ((size, 16, 33), (7, size, 17), (6, 8, size)):
            f = Function(f"matmul_{m}x{k}x{n}_{size}")
            f.ret(f.matmul(f.arg([m, k]), f.arg([k, n])))
    for m, k, n in ((64, 64, 64), (65, 129, 63), (1, 128, 128), (128, 128, 1), (13, 300, 40),
                    (0, 5, 3), (5, 0, 3), (5, 3, 0), (1, 1, 1)):
        f = Function(f"matmul_{m}x{k}x{n}")
        f.ret(f.matmul(f.arg([m, k]), f.arg([k, n])))


def matrix_orders():
    for ta in (False, True):
        for tb in (False, True):
            for outer in ([], [3], [2, 3]):
                f = Function(f"matmul_ta{ta:d}_tb{tb:d}_b{len(outer)}")
                a = f.arg(outer + ([17, 9] if ta else [9, 17]))
                b = f.arg(outer + ([21, 17] if tb else [17, 21]))
                f.ret(f.matmul(a, b, ta, tb))
    for element in FLOATS:
        f = Function(f"matmul_{element}")
        f.ret(f.matmul(f.arg([9, 17], element), f.arg([17, 33], element)))
    f = Function("matmul_f16_into_f32")
    f.ret(f.contract(f.arg([9, 17], "f16"), f.arg([17, 33], "f16"), contract=([1], [0]), element="f32"))
    for element in ("i8", "ui8", "i32", "i64"):
        f = Function(f"matmul_{element}")
        f.ret(f.contract(f.arg([9, 17], element), f.arg([17, 33], element), contract=([1], [0]),
                         element="i64" if element == "i64" else "i32"))
    f = Function("matmul_of_ui8_and_i8")
    f.ret(f.contract(f.arg([9, 17], "ui8"), f.arg([17, 33], "i8"), contract=([1], [0]), element="i32"))


def contractions():
    cases = {
        "batch_inside": ([5, 3, 7], [7, 3, 9], ([1], [1]), ([2], [0])),
        "batch_last": ([5, 7, 3], [9, 7, 3], ([2], [2]), ([1], [1])),
        "two_summed": ([3, 5, 7], [5, 7, 17], ([], []), ([1, 2], [0, 1])),
        "two_summed_crossed": ([3, 5, 7], [7, 5, 17], ([], []), ([1, 2], [1, 0])),
        "two_free": ([3, 5, 7], [7, 4, 6], ([], []), ([2], [0])),
        "free_split": ([3, 7, 5], [4, 7, 6], ([], []), ([1], [1])),
        "outer": ([7], [17], ([], []), ([], [])),
        "dot": ([97], [97], ([], []), ([0], [0])),
        "vector_matrix": ([33], [33, 17], ([], []), ([0], [0])),
        "matrix_vector": ([17, 33], [33], ([], []), ([1], [0])),
        "elementwise": ([5, 7], [5, 7], ([0, 1], [0, 1]), ([], [])),
        "row_dots": ([16, 33], [16, 33], ([0], [0]), ([1], [1])),
        "column_dots": ([33, 16], [33, 16], ([1], [1]), ([0], [0])),
        "batches_swapped": ([2, 3, 5, 7], [3, 2, 7, 4], ([0, 1], [1, 0]), ([3], [2])),
        "heads": ([2, 9, 3, 8], [2, 11, 3, 8], ([0, 2], [0, 2]), ([3], [3])),
    }
    for name, (a, b, batch, contract) in cases.items():
        f = Function(f"contract_{name}")
        f.ret(f.contract(f.arg(a), f.arg(b), batch, contract))
    f = Function("contract_dynamic", sizes=[
        {"M": m, "K": k, "N": n} for m, k, n in
        ((5, 17, 33), (1, 1, 1), (97, 3, 7), (0, 4, 5), (3, 0, 2), (16, 64, 128), (6, 31, 16))])
    f.ret(f.matmul(f.arg(["M", "K"]), f.arg(["K", "N"])))
    f = Function("contract_dynamic_batch", sizes=[
        {"B": b, "M": m} for b, m in ((1, 1), (3, 7), (0, 4), (2, 33))])
    f.ret(f.matmul(f.arg(["B", "M", 17]), f.arg(["B", 17, 9])), f.matmul(f.arg(["B", "M", 5]), f.arg([5, 33])))


def blocks():
    """Products of several tiles on a GPU: ragged ones, and those whose operands are read by vectors.

    The bounds are the usual ones: sums of up to 200 terms in f32, of numbers within 2, whatever the operands' type.
    """
    sizes = {"ragged": (67, 17, 75), "whole": (64, 16, 64), "vectors": (72, 24, 40), "tall": (140, 20, 12),
             "wide": (12, 20, 140), "deep": (24, 136, 24)}
    for name, (m, k, n) in sizes.items():
        for element in ("f32", "f16", "bf16") if name in ("ragged", "vectors", "deep") else ("f32",):
            for ta in (False, True):
                for tb in (False, True) if element != "bf16" else (ta,):
                    f = Function(f"blocks_{name}_{element}_ta{ta:d}_tb{tb:d}")
                    a, b = f.arg([k, m] if ta else [m, k], element), f.arg([n, k] if tb else [k, n], element)
                    f.ret(f.contract(a, b, contract=([1 - ta], [0 + tb]), element="f32"))
    # Tiles of 16 rows or columns, whose rows in shared memory are short.
    for element in ("f32", "f16", "bf16"):
        f = Function(f"blocks_narrow_{element}")
        f.ret(f.contract(f.arg([300, 72], element), f.arg([72, 16], element), contract=([1], [0]), element="f32"))
        f = Function(f"blocks_flat_{element}")
        f.ret(f.contract(f.arg([72, 16], element), f.arg([72, 300], element), contract=([0], [0]), element="f32"))
    for element in ("f64", "i32", "i64"):
        f = Function(f"blocks_{element}")
        f.ret(f.matmul(f.arg([68, 12], element), f.arg([12, 70], element)))
    for element in ("f16", "bf16"):
        f = Function(f"blocks_{element}_kept")
        f.ret(f.matmul(f.arg([72, 48], element), f.arg([48, 136], element)))
    # So many columns that the largest tiles are the best.
    for element in ("f32", "f16", "f64"):
        f, k = Function(f"blocks_large_{element}", sizes=[{"M": 9}]), 16 if element == "f16" else 9
        f.ret(f.contract(f.arg(["M", k], element), f.arg([k, 2048], element), contract=([1], [0]),
                         element="f32" if element == "f16" else element))
    for ta in (False, True):
        for tb in (False, True):
            f = Function(f"blocks_large_bf16_ta{ta:d}_tb{tb:d}", sizes=[{"M": 11}])
            a = f.arg([40, "M"] if ta else ["M", 40], "bf16")
            b = f.arg([1024, 40] if tb else [40, 1024], "bf16")
            f.ret(f.contract(a, b, contract=([1 - ta], [0 + tb]), element="f32"))
    f = Function("blocks_large_f16_conv", sizes=[{"N": 2}])
    f.ret(f.conv(f.arg(["N", 8, 10, 12], "f16"), f.arg([128, 8, 2, 1], "f16"), element="f32"))
    # So deep that blocks share the sums.
    for element in ("f32", "f16", "i32"):
        f = Function(f"blocks_split_{element}")
        a, b, c = f.arg([10, 1100], element), f.arg([1100, 12], element), f.arg([10, 12], "i32" if element == "i32" else "f32")
        f.ret(f.binary("add", f.contract(a, b, contract=([1], [0]), element=c.element), c))
    # A function each: those of one program are all run as often as that with the most sizes.
    for k in (0, 70, 1100):
        f = Function(f"blocks_split_dynamic_{k}", sizes=[{"K": k}])
        f.ret(f.matmul(f.arg(["K", 18]), f.arg(["K", 12]), True))
    f = Function("blocks_split_filter")
    f.ret(f.conv_filter(f.arg([9, 2, 12, 12]), f.arg([9, 4, 12, 12]), [4, 2, 3, 3], low=[1, 1], high=[1, 1]))
    f = Function("blocks_batch")
    f.ret(f.matmul(f.arg([3, 36, 20]), f.arg([3, 20, 40])))
    f = Function("blocks_init")
    f.ret(f.contract(f.arg([70, 50]), f.arg([50, 74]), contract=([1], [0]), init=f.arg([70, 74])))
    for m, k, n in ((70, 13, 60), (1, 40, 64), (69, 1, 65), (64, 0, 64)):
        f = Function("blocks_dynamic" if m == 70 else f"blocks_dynamic_{m}x{k}x{n}", sizes=[{"M": m, "K": k, "N": n}])
        f.ret(f.matmul(f.arg(["M", "K"]), f.arg(["K", "N"])))
    f = Function("blocks_after")
    x, w, b, r = f.arg([80, 24]), f.arg([24, 44]), f.arg([44]), f.arg([80, 44])
    y = f.binary("add", f.matmul(x, w), f.broadcast(b, [1], [80, 44]))
    f.ret(f.binary("add", f.unary("tanh", y), r))
    blocks_with_taps()
    # The matrix is along the depth, or not, and its rows are or are not whole vectors.
    for k, n in ((512, 12), (300, 40), (131, 33), (20, 70)):
        for tb in (False, True):
            f = Function(f"vector_{k}x{n}_tb{tb:d}")
            f.ret(f.matmul(f.arg([1, k]), f.arg([n, k] if tb else [k, n]), False, tb))
            f = Function(f"vector_right_{k}x{n}_ta{tb:d}")
            f.ret(f.matmul(f.arg([k, n] if tb else [n, k]), f.arg([k, 1]), tb))
    for element in ("f64", "i64", "f16"):
        f = Function(f"vector_{element}")
        f.ret(f.matmul(f.arg([2, 1, 130], element), f.arg([2, 130, 37], element)))


def vectors_shared_by_blocks():
    """Products of a long vector and a matrix with few rows or columns, whose depth blocks of a GPU share."""
    for element in ("f32", "f16", "bf16"):
        for k, n in ((4096, 48), (5003, 40), (4100, 17), (900, 264)):
            for tb in (False, True):
                f = Function(f"vector_long_{element}_{k}x{n}_tb{tb:d}")
                a, b = f.arg([1, k], element), f.arg([n, k] if tb else [k, n], element)
                f.ret(f.contract(a, b, contract=([1], [0 + tb]), element="f32"))
    for element in ("f64", "i32", "i64"):
        f = Function(f"vector_long_{element}")
        f.ret(f.matmul(f.arg([3, 1, 4000], element), f.arg([3, 4000, 10], element)))
    for element in ("f32", "f16"):
        f = Function(f"vector_long_dot_{element}", magnitude=1e2, bound=1e-9)  # so many terms
        f.ret(f.contract(f.arg([40000], element), f.arg([40000], element), contract=([0], [0]), element="f32"))
    f = Function("vector_long_wide")
    f.ret(f.matmul(f.arg([1, 1030]), f.arg([1030, 1028])))
    f = Function("vector_shallow_wide", sizes=[{"N": n} for n in (1, 0, 3000)])
    f.ret(f.matmul(f.arg([1, 6]), f.arg([6, 8200])), f.matmul(f.arg(["N", 6]), f.arg([6, 1])))
    # A number of rows that may be one, and a depth that the run tells.
    f = Function("vector_long_or_matrix", sizes=[{"M": m} for m in (1, 3, 0)])
    f.ret(f.matmul(f.arg(["M", 3000]), f.arg([3000, 20])))
    f = Function("vector_of_dynamic_depth", sizes=[{"K": k} for k in (0, 1, 70, 5000)])
    f.ret(f.matmul(f.arg(["K", 1]), f.arg(["K", 12]), True), f.matmul(f.arg([12, "K"]), f.arg(["K", 1])))
    # Gradients of biases: sums of columns, and what becomes of the parameter.
    for shape in ([40, 100, 64], [3000, 10], [2100, 33]):
        f, axes = Function(f"vector_long_ones_{'x'.join(map(str, shape))}"), list(range(len(shape) - 1))
        ones, bias = f.broadcast(f.constant(1), [], shape[:-1]), f.arg(shape[-1:])
        sums = f.contract(ones, f.arg(shape), contract=(axes, axes), init=f.splat(0, bias))
        f.ret(f.binary("add", bias, f.binary("mul", sums, f.splat(-0.01, bias))))
    # What is multiplied is computed, on either side.
    f = Function("vector_long_computed")
    x, y, z = f.arg([1, 2048]), f.arg([2048, 24]), f.arg([24, 2048])
    f.ret(f.matmul(f.unary("tanh", x), y), f.matmul(x, f.unary("tanh", y)),
          f.matmul(f.unary("tanh", x), z, False, True), f.matmul(x, f.unary("tanh", z), False, True))


def blocks_with_taps():
    pad = {"low": [1, 1], "high": [1, 1]}
    f = Function("blocks_conv")
    f.ret(f.conv(f.arg([2, 5, 12, 13]), f.arg([36, 5, 3, 3]), **pad))
    f = Function("blocks_conv_f16")
    f.ret(f.conv(f.arg([2, 8, 8, 8], "f16"), f.arg([36, 8, 3, 3], "f16"), element="f32", **pad))
    f = Function("blocks_conv_pointwise")
    f.ret(f.conv(f.arg([3, 16, 8, 8]), f.arg([40, 16, 1, 1])))
    f = Function("blocks_conv_filter")
    f.ret(f.conv_filter(f.arg([2, 5, 9, 8]), f.arg([2, 36, 9, 8]), [36, 5, 3, 3], **pad))


def blocks_of_images():
    """Convolutions without taps of images that fill 16 bytes, of which a tile has several."""
    for element in ("f32", "f16"):
        f = Function(f"blocks_conv_images_{element}")
        f.ret(f.conv(f.arg([5, 40, 4, 6], element), f.arg([36, 40, 1, 1], element)))
        f = Function(f"blocks_conv_groups_{element}", sizes=[{"N": 1}, {"N": 7}])
        f.ret(f.conv(f.arg(["N", 48, 8, 2], element), f.arg([40, 24, 1, 1], element), groups=2))


def blocks_with_epilogues():
    """Threads end neighbours together; rows of an odd number they end one by one."""
    for element in ("f16", "bf16"):
        for columns in (44, 45):
            f = Function(f"blocks_after_{element}_{columns}")
            x, w, r = f.arg([80, 24], element), f.arg([24, columns], element), f.arg([80, columns], element)
            y = f.binary("add", f.matmul(x, w), f.broadcast(f.arg([columns], element), [1], [80, columns]))
            f.ret(f.binary("max", f.binary("add", y, r), f.splat(0, y)))
        f = Function(f"blocks_after_conv_{element}", sizes=[{"N": 3}])
        y = f.conv(f.arg(["N", 16, 6, 6], element), f.arg([72, 16, 1, 1], element))
        y = f.binary("add", y, f.broadcast(f.arg([72], element), [1], ["N", 72, 6, 6]))
        f.ret(f.binary("max", f.binary("add", y, f.arg(["N", 72, 6, 6], element)), f.splat(0, y)))


def deep_blocks():
    """The largest tiles, with more parts of the depth than are in shared memory at a time."""
    for element, transposed, columns in (("f16", False, 6912), ("bf16", True, 6912), ("bf16", False, 1024), ("f32", False, 2048)):
        f = Function(f"blocks_large_{element}_deep_{columns}", sizes=[{"M": 2}])
        a = f.arg([264, "M"] if transposed else ["M", 264], element)
        b = f.arg([columns, 264] if transposed else [264, columns], element)
        f.ret(f.contract(a, b, contract=([0], [1]) if transposed else ([1], [0]), element="f32"))
    f = Function("blocks_large_f16_deep_conv", sizes=[{"N": 2}])
    f.ret(f.conv(f.arg(["N", 28, 6, 9], "f16"), f.arg([128, 28, 3, 3], "f16"), element="f32", low=[1, 1], high=[1, 1]))


def boxes():
    """Operands of 16 bits whose sizes are known, ragged and in all orders, batches, and what follows the product.
    More of these are in test/Codegen/CUDA/test_boxes.py."""
    for element, k, ta, tb in (("f16", 72, 0, 0), ("bf16", 40, 0, 1), ("bf16", 40, 1, 0), ("f16", 72, 1, 1)):
        f = Function(f"blocks_large_{element}_boxes_ta{ta}_tb{tb}")
        a, b = f.arg([k, 360] if ta else [360, k], element), f.arg([352, k] if tb else [k, 352], element)
        f.ret(f.contract(a, b, contract=([1 - ta], [tb]), element="f32"))
    # Heads that are split off a row, as of attention, and their gradients' turn.
    f = Function("blocks_large_f16_boxes_batch")
    a, b = f.transpose(f.arg([2, 104, 4, 40], "f16"), [0, 2, 1, 3]), f.transpose(f.arg([2, 104, 4, 40], "f16"), [0, 2, 3, 1])
    p = f.arg([2, 4, 104, 104], "f16")
    f.ret(f.contract(a, b, batch=([0, 1], [0, 1]), contract=([3], [2]), element="f32"),
          f.contract(p, b, batch=([0, 1], [0, 1]), contract=([2], [3]), element="f32"))
    f = Function("blocks_large_bf16_boxes_after")
    x, w, r = f.arg([392, 24], "bf16"), f.arg([24, 376], "bf16"), f.arg([392, 376], "bf16")
    y = f.binary("add", f.matmul(x, w), f.broadcast(f.arg([376], "bf16"), [1], [392, 376]))
    f.ret(f.binary("max", f.binary("add", y, r), f.splat(0, y)))


def sums_from_elsewhere():
    for m, k, n in ((1, 5, 1), (1, 300, 17), (1, 64, 256), (2, 40, 128), (9, 17, 33), (16, 700, 31), (13, 0, 5)):
        f = Function(f"contract_init_{m}x{k}x{n}")
        f.ret(f.contract(f.arg([m, k]), f.arg([k, n]), contract=([1], [0]), init=f.arg([m, n])))
    f = Function("contract_init_dynamic", sizes=[{"K": k} for k in (0, 1, 7, 32, 1000)])
    a, b = f.arg(["K", 9]), f.arg(["K", 33])
    f.ret(f.contract(a, b, contract=([0], [0]), init=f.arg([9, 33])))
    f = Function("contract_init_transposed")
    a, b, c = f.arg([40, 9]), f.arg([40, 33]), f.arg([33, 9])
    f.ret(f.contract(a, b, contract=([0], [0]), init=f.transpose(c, [1, 0])))
    f = Function("contract_init_and_after")
    a, b, c = f.arg([40, 9]), f.arg([40, 33]), f.arg([9, 33])
    f.ret(f.binary("add", f.contract(a, b, contract=([0], [0]), init=c), f.unary("tanh", c)))
    f = Function("contract_init_zero")
    f.ret(f.contract(f.arg([1, 40]), f.arg([33, 40]), contract=([1], [1]), init=f.splat(0, Like([1, 33]))))
    f = Function("contract_init_column_sums", sizes=[{"N": n} for n in (0, 1, 3, 40)])
    x = f.arg(["N", 33])
    ones = f.broadcast(f.constant(1), [], ["N"])
    f.ret(f.contract(ones, x, contract=([0], [0]), init=f.arg([33])))
    for element in ("f64", "f16", "bf16"):
        f = Function(f"contract_init_{element}")
        f.ret(f.contract(f.arg([9, 17], element), f.arg([17, 33], element), contract=([1], [0]),
                         init=f.arg([9, 33], element)))
    f = Function("contract_init_widened")
    f.ret(f.contract(f.arg([9, 17], "bf16"), f.arg([17, 33], "bf16"), contract=([1], [0]), element="f32",
                     init=f.arg([9, 33])))
    f = Function("contract_init_batch")
    f.ret(f.contract(f.arg([3, 9, 17]), f.arg([3, 17, 20]), ([0], [0]), ([2], [1]), init=f.arg([3, 9, 20])))


def fused_products():
    f = Function("linear_gelu")
    x, w, b = f.arg([9, 17]), f.arg([17, 33]), f.arg([33])
    y = f.binary("add", f.matmul(x, w), f.broadcast(b, [1], [9, 33]))
    half = f.binary("mul", y, f.splat(0.5, y))
    inner = f.unary("erf", f.binary("mul", y, f.splat(0.70710678, y)))
    f.ret(f.binary("mul", half, f.binary("add", inner, f.splat(1, y))))
    f = Function("linear_both_kept")
    x, w, r = f.arg([9, 17]), f.arg([17, 33]), f.arg([9, 33])
    y = f.matmul(x, w)
    f.ret(y, f.unary("tanh", f.binary("add", y, r)))
    f = Function("product_of_computed")
    x, g, w = f.arg([9, 17]), f.arg([17]), f.arg([17, 33])
    left = f.binary("mul", f.unary("tanh", x), f.broadcast(g, [1], x.shape))
    f.ret(f.matmul(left, w))
    f = Function("product_of_computed_right")
    x, w, s = f.arg([9, 17]), f.arg([17, 33], "i8"), f.arg([33], range=(0.1, 1))
    wide = f.binary("mul", f.cast(w, "f32"), f.broadcast(s, [1], w.shape))
    f.ret(f.matmul(x, wide))
    f = Function("product_of_transposed")
    x, w = f.arg([17, 9]), f.arg([33, 17])
    f.ret(f.matmul(f.transpose(x, [1, 0]), f.transpose(w, [1, 0])))
    f = Function("product_transposed_after")
    x, w = f.arg([2, 9, 15]), f.arg([2, 15, 33])
    f.ret(f.transpose(f.matmul(x, w), [0, 2, 1]))
    f = Function("product_of_broadcast")
    x, w = f.arg([3, 9, 17]), f.arg([17, 33])
    f.ret(f.matmul(x, f.broadcast(w, [1, 2], [3, 17, 33])))
    f = Function("product_of_slice_and_concat")
    x, y, w = f.arg([9, 40]), f.arg([9, 7]), f.arg([17, 33])
    part = f.slice(x, [0, 3], [9, 10], [1, 1])
    f.ret(f.matmul(f.concat([part, y], 1), w))
    f = Function("two_products_chained")
    x, w, v = f.arg([9, 17]), f.arg([17, 33]), f.arg([33, 5])
    f.ret(f.matmul(f.binary("max", f.matmul(x, w), f.splat(0, Like([9, 33]))), v))
    f = Function("sum_of_two_products")
    x, w, h, u = f.arg([3, 17]), f.arg([17, 20]), f.arg([3, 5]), f.arg([5, 20])
    f.ret(f.unary("tanh", f.binary("add", f.matmul(x, w), f.matmul(h, u))))
    f = Function("product_with_constant")
    x = f.arg([5, 8])
    w = f.constant([[((i * 7 + j * 3) % 11 - 5) / 4 for j in range(17)] for i in range(8)], [8, 17])
    f.ret(f.matmul(x, w))
    f = Function("quantised_product", exact=True)
    x, w, s = f.arg([9, 17], "ui8"), f.arg([17, 33], "i8"), f.arg([33], range=(0.01, 0.1))
    y = f.contract(x, w, contract=([1], [0]), element="i32")
    scaled = f.binary("mul", f.cast(y, "f32"), f.broadcast(s, [1], [9, 33]))
    f.ret(f.cast(f.unary("round", scaled), "i8", saturate=True))
    f = Function("product_then_softmax_then_sum")
    x, w = f.arg([9, 17]), f.arg([17, 33])
    y = f.matmul(x, w)
    f.ret(f.softmax(y, 1), f.reduce("sum", y, [0]))


class Like:
    """Stands for a value whose sizes and element are wanted."""

    def __init__(self, shape, element="f32"):
        self.shape, self.element = shape, element


def convolutions():
    for name, (x, w, arguments) in CONVOLUTIONS.items():
        f = Function(f"conv_{name}")
        f.ret(f.conv(f.arg(x), f.arg(w), **arguments))
    pad = {"low": [1, 1], "high": [1, 1]}
    for element in ("f64", "f16", "bf16"):
        f = Function(f"conv_{element}")
        f.ret(f.conv(f.arg([1, 5, 9, 9], element), f.arg([7, 5, 3, 3], element), **pad))
        f = Function(f"conv_depthwise_{element}")
        f.ret(f.conv(f.arg([1, 5, 9, 9], element), f.arg([5, 1, 3, 3], element), groups=5, **pad))
    f = Function("conv_exchanged_filter")
    f.ret(f.conv(f.arg([2, 37, 5, 5]), f.transpose(f.arg([37, 33, 1, 1]), [1, 0, 2, 3])))
    f = Function("conv_integers")
    f.ret(f.conv(f.arg([1, 5, 9, 9], "ui8"), f.arg([7, 5, 3, 3], "i8"), element="i32", **pad))
    for outputs in (1, 5, 6, 7, 8, 13, 64):
        f = Function(f"conv_outputs_{outputs}")
        f.ret(f.conv(f.arg([1, 8, 7, 7]), f.arg([outputs, 8, 3, 3]), **pad))
    for size in SIZES[2:]:
        f = Function(f"conv_width_{size}")
        f.ret(f.conv(f.arg([1, 4, 3, size]), f.arg([6, 4, 3, 3]), **pad),
              f.conv(f.arg([1, 4, 3, size]), f.arg([4, 1, 3, 3]), groups=4, **pad))
    f = Function("conv_dynamic_batch", sizes=[{"N": n} for n in (1, 3, 0, 7)])
    x, w = f.arg(["N", 6, 9, 9]), f.arg([8, 6, 3, 3])
    y = f.conv(x, w, strides=[2, 2], **pad)
    f.ret(y, f.conv(x, f.arg([6, 1, 3, 3]), groups=6, **pad))
    f = Function("conv_dynamic_image", sizes=[{"H": h, "W": w} for h, w in ((9, 11), (3, 3), (16, 5))])
    x = f.arg([1, 4, "H", "W"])
    f.ret(f.conv(x, f.arg([8, 4, 3, 3]), **pad), f.conv(x, f.arg([4, 1, 3, 3]), groups=4, **pad))


def filter_gradients():
    for name, (x, w, arguments) in CONVOLUTIONS.items():
        f = Function(f"conv_filter_{name}")
        windows = {key: value for key, value in arguments.items() if key != "groups"}
        result = f.window_of(Value("", x, "f32"), w, **windows)[0]
        f.ret(f.conv_filter(f.arg(x), f.arg(result), w, **arguments))
        f = Function(f"conv_filter_init_{name}")
        f.ret(f.conv_filter(f.arg(x), f.arg(result), w, init=f.arg(w), **arguments))
    pad = {"low": [1, 1], "high": [1, 1]}
    for element in ("f64", "f16", "bf16"):
        f = Function(f"conv_filter_{element}")
        f.ret(f.conv_filter(f.arg([2, 5, 9, 9], element), f.arg([2, 7, 9, 9], element),
                            [7, 5, 3, 3], **pad))
    f = Function("conv_filter_widened")
    f.ret(f.conv_filter(f.arg([2, 5, 9, 9], "f16"), f.arg([2, 7, 9, 9]), [7, 5, 3, 3],
                        element="f32", **pad))
    for outputs in (1, 6, 7, 13, 64):
        f = Function(f"conv_filter_outputs_{outputs}")
        f.ret(f.conv_filter(f.arg([2, 8, 7, 7]), f.arg([2, outputs, 7, 7]), [outputs, 8, 3, 3], **pad))
    f = Function("conv_filter_scaled")
    y = f.conv_filter(f.arg([2, 3, 9, 9]), f.arg([2, 7, 9, 9]), [7, 3, 3, 3], **pad)
    f.ret(f.binary("mul", y, f.arg([7, 3, 3, 3])))
    f = Function("conv_filter_dynamic_batch", sizes=[{"N": n} for n in (1, 3, 0, 7)])
    f.ret(f.conv_filter(f.arg(["N", 6, 9, 9]), f.arg(["N", 8, 9, 9]), [8, 6, 3, 3], **pad),
          f.conv_filter(f.arg(["N", 6, 5, 5]), f.arg(["N", 6, 5, 5]), [6, 1, 3, 3], groups=6, **pad))
    f = Function("conv_filter_dynamic_image", sizes=[{"H": h, "W": w} for h, w in ((9, 11), (3, 3), (16, 5))])
    f.ret(f.conv_filter(f.arg([2, 4, "H", "W"]), f.arg([2, 8, "H", "W"]), [8, 4, 3, 3], **pad))


def fused_convolutions():
    pad = {"low": [1, 1], "high": [1, 1]}

    def block(f, x, w, **arguments):
        y = f.conv(x, w, **arguments)
        y = f.binary("add", y, f.broadcast(f.arg([w.shape[0]]), [1], y.shape))
        return f.binary("max", y, f.splat(0, y))

    f = Function("conv_bias_relu")
    f.ret(block(f, f.arg([2, 5, 9, 9]), f.arg([17, 5, 3, 3]), **pad))
    f = Function("conv_residual")
    x, r = f.arg([1, 6, 7, 9]), f.arg([1, 13, 7, 9])
    y = f.conv(x, f.arg([13, 6, 3, 3]), **pad)
    f.ret(f.binary("max", f.binary("add", y, r), f.splat(0, y)))
    f = Function("conv_scaled_and_clipped")
    x, s = f.arg([1, 6, 9, 9]), f.arg([6], range=(0.5, 2))
    y = f.conv(x, f.arg([6, 1, 3, 3]), groups=6, **pad)
    y = f.binary("mul", y, f.broadcast(s, [1], y.shape))
    f.ret(f.binary("min", f.binary("max", y, f.splat(0, y)), f.splat(6, y)))
    f = Function("conv_hard_swish")
    y = f.conv(f.arg([1, 16, 7, 7]), f.arg([33, 16, 1, 1]))
    gate = f.binary("min", f.binary("max", f.binary("add", y, f.splat(3, y)), f.splat(0, y)), f.splat(6, y))
    f.ret(f.binary("div", f.binary("mul", y, gate), f.splat(6, y)))
    f = Function("conv_gated")
    y = f.conv(f.arg([1, 16, 7, 7]), f.arg([24, 16, 1, 1]))
    f.ret(f.binary("mul", y, f.unary("logistic", y)), y)
    f = Function("conv_of_computed")
    x, g = f.arg([1, 5, 9, 9]), f.arg([5])
    f.ret(f.conv(f.binary("mul", f.unary("tanh", x), f.broadcast(g, [1], x.shape)), f.arg([7, 5, 3, 3]), **pad))
    f = Function("conv_of_padded")
    x = f.pad(f.arg([1, 5, 9, 9]), f.constant(0), [0, 0, 1, 2], [0, 0, 2, 1])
    f.ret(f.conv(x, f.arg([7, 5, 3, 3])))
    f = Function("conv_chain")
    x = block(f, f.arg([1, 3, 16, 16]), f.arg([8, 3, 3, 3]), strides=[2, 2], **pad)
    x = block(f, x, f.arg([8, 1, 3, 3]), groups=8, **pad)
    x = block(f, x, f.arg([16, 8, 1, 1]))
    x = f.reduce("sum", x, [2, 3])
    f.ret(f.matmul(f.binary("div", x, f.splat(64, x)), f.arg([16, 10])))
    f = Function("conv_two_branches_concat")
    x = f.arg([1, 6, 7, 7])
    f.ret(f.concat([block(f, x, f.arg([5, 6, 1, 1])), block(f, x, f.arg([8, 6, 3, 3]), **pad), x], 1))
    f = Function("squeeze_excite")
    x = f.arg([2, 8, 7, 7])
    mean = f.reduce("sum", x, [2, 3])
    mean = f.binary("div", mean, f.splat(49, mean))
    gate = f.unary("logistic", f.matmul(f.matmul(mean, f.arg([8, 3])), f.arg([3, 8])))
    f.ret(f.binary("mul", x, f.broadcast(gate, [0, 1], x.shape)))
    f = Function("conv_transposed_bias")
    f.ret(block(f, f.arg([1, 5, 5, 5]), f.arg([7, 5, 3, 3]), input_dilation=[2, 2], low=[1, 1], high=[2, 2]))


def pooling():
    cases = {
        "2x2": ([1, 5, 8, 10], [1, 1, 2, 2], {"strides": [1, 1, 2, 2]}),
        "3x3": ([2, 3, 9, 11], [1, 1, 3, 3], {"strides": [1, 1, 2, 2], "low": [0, 0, 1, 1], "high": [0, 0, 1, 1]}),
        "3x3_same": ([1, 4, 7, 33], [1, 1, 3, 3], {"low": [0, 0, 1, 1], "high": [0, 0, 1, 1]}),
        "uneven": ([1, 4, 9, 12], [1, 1, 2, 5], {"strides": [1, 1, 3, 2], "low": [0, 0, 0, 2], "high": [0, 0, 1, 0]}),
        "dilated": ([1, 4, 9, 12], [1, 1, 3, 2], {"dilations": [1, 1, 2, 3]}),
        "1d": ([3, 5, 31], [1, 1, 4], {"strides": [1, 1, 3]}),
        "3d": ([1, 2, 5, 6, 7], [1, 1, 2, 3, 2], {"strides": [1, 1, 2, 1, 2]}),
        "over_channels": ([2, 9, 3, 5], [1, 5, 1, 1], {"low": [0, 2, 0, 0], "high": [0, 2, 0, 0]}),
        "whole": ([2, 3, 7, 7], [1, 1, 7, 7], {}),
        "one": ([2, 3, 1, 1], [1, 1, 1, 1], {}),
    }
    for name, (shape, window, arguments) in cases.items():
        f = Function(f"pool_{name}")
        x = f.arg(shape, range=(0.5, 1.5))
        f.ret(*[f.window("reduce_window", kind, x, window, **arguments)
                for kind in ("max", "sum", "min")],
              f.window("arg_reduce_window", "max", x, window, **arguments))
        f = Function(f"spread_{name}")
        x = f.arg(shape, range=(0.5, 1.5))
        places = f.window("arg_reduce_window", "max", x, window, **arguments)
        g = f.arg(places.shape)
        f.ret(f.spread(g, None, shape, window, **arguments),
              f.spread(g, places, shape, window, **arguments))
    for element in ("f64", "f16", "bf16"):
        f = Function(f"spread_{element}")
        f.ret(f.spread(f.arg([1, 3, 5, 5], element), None, [1, 3, 9, 9], [1, 1, 3, 3],
                       strides=[1, 1, 2, 2], low=[0, 0, 1, 1], high=[0, 0, 1, 1]))
    f = Function("spread_dynamic", sizes=[{"N": n, "H": h} for n, h in ((1, 9), (3, 4), (0, 5))])
    x = f.arg(["N", 3, "H", 9])
    places = f.window("arg_reduce_window", "max", x, [1, 1, 3, 3], low=[0, 0, 1, 1], high=[0, 0, 1, 1])
    g = f.window("reduce_window", "max", x, [1, 1, 3, 3], low=[0, 0, 1, 1], high=[0, 0, 1, 1])
    f.ret(f.spread(g, places, x.shape, [1, 1, 3, 3], low=[0, 0, 1, 1], high=[0, 0, 1, 1]))
    for element in ("f64", "f16", "bf16", "i8", "ui8", "i32"):
        f = Function(f"pool_{element}")
        x = f.arg([1, 3, 9, 9], element)
        f.ret(*[f.window("reduce_window", kind, x, [1, 1, 3, 3], strides=[1, 1, 2, 2], low=[0, 0, 1, 1],
                         high=[0, 0, 1, 1]) for kind in ("max", "sum")])
    for element in ("f32", "f64", "f16", "i32"):
        f = Function(f"pool_places_{element}", exact=True)
        x = f.arg([2, 3, 9, 9], element, special=element != "i32")
        arguments = {"strides": [1, 1, 2, 2], "low": [0, 0, 1, 1], "high": [0, 0, 1, 1]}
        f.ret(*[f.window(name, kind, x, [1, 1, 3, 3], **arguments)
                for kind in ("max", "min") for name in ("reduce_window", "arg_reduce_window")])
    f = Function("pool_places_dynamic", sizes=[{"N": n, "H": h} for n, h in ((1, 9), (3, 4), (0, 5))])
    x = f.arg(["N", 3, "H", 9])
    places = f.window("arg_reduce_window", "max", x, [1, 1, 3, 2], strides=[1, 1, 2, 1], low=[0, 0, 1, 1])
    f.ret(places, f.spread(f.window("reduce_window", "max", x, [1, 1, 3, 2], strides=[1, 1, 2, 1],
                                    low=[0, 0, 1, 1]),
                           places, x.shape, [1, 1, 3, 2], strides=[1, 1, 2, 1], low=[0, 0, 1, 1]))
    f = Function("spread_of_computed_and_more")
    x = f.arg([1, 5, 40, 300], range=(0.5, 1.5))
    window = {"strides": [1, 1, 2, 2], "low": [0, 0, 1, 1], "high": [0, 0, 1, 1]}
    places = f.window("arg_reduce_window", "max", x, [1, 1, 3, 3], **window)
    g = f.unary("tanh", f.arg(places.shape))
    f.ret(f.binary("mul", f.spread(g, places, x.shape, [1, 1, 3, 3], **window), x))
    f = Function("pool_dynamic", sizes=[{"N": n, "H": h} for n, h in ((1, 9), (3, 4), (0, 5))])
    x = f.arg(["N", 3, "H", 9])
    f.ret(f.window("reduce_window", "max", x, [1, 1, 2, 2], strides=[1, 1, 2, 2]),
          f.window("reduce_window", "sum", x, [1, 1, 3, 3], low=[0, 0, 1, 1], high=[0, 0, 1, 1]))
    f = Function("pool_special", exact=True)
    f.ret(f.window("reduce_window", "max", f.arg([1, 3, 9, 9], special=True), [1, 1, 3, 3]))
    f = Function("average_pool")
    x = f.arg([1, 5, 9, 9])
    y = f.window("reduce_window", "sum", x, [1, 1, 3, 3], low=[0, 0, 1, 1], high=[0, 0, 1, 1])
    ones = f.window("reduce_window", "sum", f.splat(1, x), [1, 1, 3, 3], low=[0, 0, 1, 1], high=[0, 0, 1, 1])
    f.ret(f.binary("div", y, ones))
    f = Function("pool_of_computed_and_more")
    x = f.arg([1, 5, 9, 9])
    y = f.window("reduce_window", "max", f.unary("tanh", x), [1, 1, 2, 2], strides=[1, 1, 2, 2])
    f.ret(f.binary("max", f.binary("add", y, f.broadcast(f.arg([5]), [1], y.shape)), f.splat(0, y)))


def add_cases():
    matrix_sizes()
    matrix_orders()
    contractions()
    blocks()
    vectors_shared_by_blocks()
    blocks_of_images()
    blocks_with_epilogues()
    deep_blocks()
    boxes()
    sums_from_elsewhere()
    fused_products()
    convolutions()
    filter_gradients()
    fused_convolutions()
    pooling()
