"""Reductions, softmax, normalisations and what is fused around them."""

import itertools

from function import FLOATS, Function

KINDS = ("sum", "prod", "max", "min")
SIZES = (1, 2, 3, 5, 7, 15, 16, 17, 31, 33, 97)


def reductions():
    # Every subset of the axes of tensors of rank one to four.
    for shape in ([33], [5, 17], [3, 7, 16], [2, 3, 5, 9]):
        rank = len(shape)
        for count in range(1, rank + 1):
            for axes in itertools.combinations(range(rank), count):
                f = Function(f"reduce_r{rank}_" + "".join(map(str, axes)))
                x = f.arg(shape, range=(0.7, 1.4))
                f.ret(*[f.reduce(kind, x, axes) for kind in KINDS])
    for element in FLOATS + ("i8", "i32", "i64", "ui8", "ui32"):
        f = Function(f"reduce_{element}")
        x = f.arg([5, 31], element, (0.7, 1.4) if element in FLOATS else None)
        f.ret(*[f.reduce(kind, x, axes) for kind in KINDS for axes in ([0], [1], [0, 1])])
    f = Function("reduce_logic")
    x = f.arg([9, 3], "i1")
    f.ret(*[f.reduce(kind, x, axes) for kind in ("all", "any") for axes in ([0], [1], [0, 1])])
    f = Function("reduce_nothing")
    x = f.arg([3, 0])
    f.ret(*[f.reduce(kind, x, axes) for kind in KINDS for axes in ([1], [0], [0, 1])])
    f = Function("reduce_special", exact=True)
    x = f.arg([17, 9], special=True)
    f.ret(*[f.reduce(kind, x, [axis]) for kind in ("max", "min") for axis in (0, 1)])
    for size in SIZES:
        f = Function(f"reduce_size_{size}")
        x, y = f.arg([3, size], range=(0.5, 1.5)), f.arg([size, 3], range=(0.5, 1.5))
        f.ret(f.reduce("sum", x, [1]), f.reduce("max", x, [1]), f.reduce("sum", y, [0]))
    for axes in ([0], [1], [2], [0, 2]):
        f = Function("reduce_dynamic_" + "".join(map(str, axes)), sizes=[
            {"N": n, "M": m} for n, m in ((3, 97), (1, 1), (5, 0), (0, 3), (33, 16))])
        x = f.arg(["N", 4, "M"], range=(0.8, 1.2))
        f.ret(*[f.reduce(kind, x, axes) for kind in KINDS])


def arg_reductions():
    for element in FLOATS + ("i8", "i64", "ui8"):
        for shape, axis in (([5, 31], 1), ([31, 5], 0), ([3, 16, 7], 1), ([97], 0)):
            f = Function(f"arg_reduce_{element}_r{len(shape)}_{axis}", exact=True)
            x = f.arg(shape, element)
            kept = [s for i, s in enumerate(shape) if i != axis]
            f.ret(*[f.op(f"weft.arg_reduce {kind} {x.name} axis {axis}{last} : {x.type}",
                         kept, "i64") for kind in ("max", "min") for last in ("", " last")])
    f = Function("arg_reduce_ties", exact=True)
    x = f.arg([7, 33], "i32", (0, 2))
    f.ret(*[f.op(f"weft.arg_reduce {kind} {x.name} axis 1{last} : {x.type}", [7], "i64")
            for kind in ("max", "min") for last in ("", " last")])


def softmaxes():
    for element in FLOATS:
        for shape, axis in (([5, 31], 1), ([31, 5], 0), ([2, 7, 16], 1), ([2, 3, 5, 17], 3)):
            f = Function(f"softmax_{element}_r{len(shape)}_{axis}")
            x = f.arg(shape, element, (-6, 6))
            f.ret(f.softmax(x, axis))
    for size in SIZES:
        f = Function(f"softmax_size_{size}")
        x, y = f.arg([3, size], range=(-20, 20)), f.arg([size, 3])
        f.ret(f.softmax(x, 1), f.softmax(y, 0))
    f = Function("softmax_dynamic", sizes=[
        {"N": n, "M": m} for n, m in ((3, 97), (1, 1), (0, 5), (16, 33))])
    x = f.arg(["N", "M"])
    f.ret(f.softmax(x, 1), f.softmax(x, 0))
    f = Function("softmax_masked")
    x, mask = f.arg([2, 5, 17]), f.arg([17], "i1")
    low = f.splat(-10000, x)
    scaled = f.binary("mul", x, f.splat(0.125, x))
    s = f.softmax(f.select(f.broadcast(mask, [2], x.shape), scaled, low), 2)
    f.ret(s, f.binary("mul", s, x))
    f = Function("log_softmax")
    x = f.arg([5, 33])
    centred = f.binary("sub", x, f.broadcast(f.reduce("max", x, [1]), [0], x.shape))
    total = f.unary("log", f.reduce("sum", f.unary("exp", centred), [1]))
    f.ret(f.binary("sub", centred, f.broadcast(total, [0], x.shape)))


def normalisations():
    for element in FLOATS:
        for shape, axes in (([5, 31], [1]), ([3, 7, 16], [2]), ([2, 6, 5, 3], [2, 3]), ([7, 5], [0]),
                            ([2, 3, 5, 7], [1, 2, 3])):
            f = Function(f"normalize_{element}_r{len(shape)}_" + "".join(map(str, axes)))
            x = f.arg(shape, element)
            f.ret(f.normalize(x, axes), f.normalize(x, axes, 1e-6, rms=True))
    for size in SIZES[1:]:
        f = Function(f"layer_norm_{size}")
        x, g, b = f.arg([4, size]), f.arg([size], range=(0.5, 2)), f.arg([size])
        y = f.normalize(x, [1])
        wide = [f.broadcast(v, [1], x.shape) for v in (g, b)]
        f.ret(f.binary("add", f.binary("mul", y, wide[0]), wide[1]))
    f = Function("layer_norm_dynamic", sizes=[{"N": n, "M": m} for n, m in ((3, 97), (1, 5), (16, 33))])
    x, r, g = f.arg(["N", "M"]), f.arg(["N", "M"]), f.arg(["M"])
    total = f.binary("add", x, r)
    f.ret(f.binary("mul", f.normalize(total, [1]), f.broadcast(g, [1], x.shape)), total)
    f = Function("instance_norm")
    x, g, b = f.arg([2, 5, 7, 3]), f.arg([5], range=(0.5, 2)), f.arg([5])
    y = f.binary("mul", f.normalize(x, [2, 3]), f.broadcast(g, [1], x.shape))
    f.ret(f.unary("tanh", f.binary("add", y, f.broadcast(b, [1], x.shape))))
    f = Function("group_norm")
    x, g = f.arg([2, 6, 5, 3]), f.arg([6], range=(0.5, 2))
    grouped = f.normalize(f.reshape(x, [2, 3, 30]), [2])
    f.ret(f.binary("mul", f.reshape(grouped, x.shape), f.broadcast(g, [1], x.shape)))


def normalize_gradient(f, x, g, axes, rms=False):
    """The gradient of f.normalize(), as its rule has it."""
    kept = [i for i in range(x.rank) if i not in axes]
    count = 1
    for axis in axes:
        count *= x.shape[axis]

    def over(rows):
        return f.broadcast(rows, kept, x.shape)

    def mean(value):
        total = f.reduce("sum", value, axes)
        return f.binary("div", total, f.splat(count, total))

    distance = x if rms else f.binary("sub", x, over(mean(x)))
    variance = mean(f.binary("mul", distance, distance))
    deviation = f.unary("sqrt", f.binary("add", variance, f.splat(0.001, variance)))
    scale = over(f.binary("div", f.splat(1, variance), deviation))
    y = f.binary("mul", distance, scale)
    h = f.binary("sub", g, f.binary("mul", y, over(mean(f.binary("mul", g, y)))))
    return f.binary("mul", scale, h if rms else f.binary("sub", h, over(mean(h))))


def normalisation_gradients():
    for shape, axes in (([5, 31], [1]), ([3, 7, 16], [2]), ([2, 6, 5, 3], [2, 3]), ([7, 5], [0]),
                        ([2, 3, 5, 7], [0, 2, 3]), ([33, 768], [1])):
        f = Function(f"normalize_gradient_r{len(shape)}_" + "".join(map(str, axes)) + f"_{shape[-1]}")
        x, g = f.arg(shape), f.arg(shape)
        f.ret(normalize_gradient(f, x, g, axes), normalize_gradient(f, x, g, axes, rms=True))
    f = Function("normalize_gradient_scaled", sizes=[{"N": n} for n in (1, 4, 33, 0)])
    x, g, scale = f.arg(["N", 17]), f.arg(["N", 17]), f.arg([17])
    f.ret(normalize_gradient(f, x, f.binary("mul", g, f.broadcast(scale, [1], x.shape)), [1]))
    f = Function("softmax_gradient")
    y, g = f.arg([7, 5, 33]), f.arg([7, 5, 33])
    total = f.reduce("sum", f.binary("mul", g, y), [2])
    f.ret(f.binary("mul", y, f.binary("sub", g, f.broadcast(total, [0, 1], y.shape))))
    f = Function("max_gradient")
    x, y, g = f.arg([7, 33]), f.arg([7]), f.arg([7])
    is_extreme = f.compare("eq", x, f.broadcast(y, [0], x.shape))
    count = f.reduce("sum", f.select(is_extreme, f.splat(1, x), f.splat(0, x)), [1])
    share = f.binary("div", g, count)
    f.ret(f.select(is_extreme, f.broadcast(share, [0], x.shape), f.splat(0, x)))


def fused_rows():
    f = Function("reduce_of_chain")
    x, y = f.arg([7, 33]), f.arg([33])
    squares = f.binary("mul", x, x)
    scaled = f.binary("add", squares, f.broadcast(y, [1], x.shape))
    f.ret(f.unary("sqrt", f.reduce("max", f.unary("exp", scaled), [1])))
    f = Function("mean_and_variance")
    x = f.arg([5, 31])
    total = f.reduce("sum", x, [1])
    mean = f.binary("div", total, f.splat(31, total))
    centred = f.binary("sub", x, f.broadcast(mean, [0], x.shape))
    variance = f.reduce("sum", f.binary("mul", centred, centred), [1])
    f.ret(mean, variance, centred)
    f = Function("l2_normalised")
    x = f.arg([3, 17, 5])
    norm = f.unary("sqrt", f.reduce("sum", f.binary("mul", x, x), [1]))
    f.ret(f.binary("div", x, f.broadcast(norm, [0, 2], x.shape)))
    f = Function("two_axes_of_one_input")
    x = f.arg([16, 33])
    f.ret(f.reduce("sum", x, [0]), f.reduce("sum", x, [1]), f.reduce("sum", x, [0, 1]))
    f = Function("reduce_of_reduce")
    x = f.arg([5, 7, 9])
    f.ret(f.reduce("max", f.reduce("sum", x, [2]), [1]))
    f = Function("reduce_of_transposed")
    x = f.arg([5, 7, 9])
    f.ret(f.reduce("sum", f.transpose(x, [2, 0, 1]), [1]), f.reduce("max", f.transpose(x, [1, 0, 2]), [2]))
    f = Function("reduce_of_broadcast")
    x = f.arg([5])
    f.ret(f.reduce("sum", f.broadcast(x, [0], [5, 7]), [1]), f.reduce("sum", f.broadcast(x, [1], [7, 5]), [0]))
    f = Function("softmax_of_product_of_rows")
    x, y = f.arg([4, 17]), f.arg([4, 17])
    p = f.softmax(f.binary("mul", x, y), 1)
    f.ret(f.reduce("sum", f.binary("mul", p, y), [1]), p)


def add_cases():
    reductions()
    arg_reductions()
    softmaxes()
    normalisations()
    normalisation_gradients()
    fused_rows()
