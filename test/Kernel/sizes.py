"""Sizes at which kernels, those of GPUs above all, divide their work: several
elements to a thread, tiles, rows that threads, warps and blocks share."""

from function import Function


def neighbours():
    for element in ("f64", "f32", "f16", "bf16", "i8", "i64", "i1", "f8E4M3FN"):
        for shape in ([1], [7], [16], [1003], [4096], [33, 16], [5, 3, 48], [9, 7]):
            f = Function(f"neighbours_{element}_{'x'.join(map(str, shape))}")
            x, y = f.arg(shape, element), f.arg(shape[-1:], element)
            wide = f.broadcast(y, [len(shape) - 1], shape)
            if element in ("i1", "f8E4M3FN"):
                f.ret(f.select(f.arg(shape, "i1"), x, wide))
            else:
                f.ret(f.binary("max", x, wide), f.unary("neg", x))
    f = Function("neighbours_of_many_types")
    x, y = f.arg([6, 40], "i8"), f.arg([6, 40], "f16")
    f.ret(f.binary("add", f.cast(x, "f32"), f.cast(y, "f32")), f.cast(y, "i8"), f.cast(x, "f64"))
    f = Function("neighbours_broadcast")
    x = f.arg([4, 6, 32])
    each = [f.broadcast(f.arg(s), d, x.shape) for s, d in (([4], [0]), ([6], [1]), ([4, 32], [0, 2]), ([], []))]
    for value in each:
        x = f.binary("add", x, value)
    f.ret(x, f.compare("lt", x, each[0]))
    f = Function("neighbours_dynamic", sizes=[{"N": n} for n in (1, 0, 3, 64, 1001)])
    x, y = f.arg(["N"]), f.arg(["N", 12])
    f.ret(f.unary("exp", x), f.unary("neg", y))


def tiles():
    for shape, permutation in (
            ([70, 65], [1, 0]), ([128, 3], [1, 0]), ([3, 500], [1, 0]), ([2, 40, 33], [0, 2, 1]),
            ([2, 9, 10, 37], [0, 3, 1, 2]), ([2, 37, 9, 10], [0, 2, 3, 1]), ([5, 6, 7, 4, 9], [4, 0, 1, 3, 2]),
            ([64, 1, 48], [2, 1, 0])):
        for element in ("f64", "f32", "f16", "i8"):
            f = Function(f"tile_{element}_{'x'.join(map(str, shape))}_{''.join(map(str, permutation))}")
            f.ret(f.transpose(f.arg(shape, element), permutation))
    f = Function("tile_of_computed")
    x, y = f.arg([50, 40]), f.arg([40, 50])
    b = f.broadcast(f.arg([50]), [1], y.shape)
    t = f.transpose(f.unary("exp", x), [1, 0])
    f.ret(f.binary("add", f.binary("mul", t, y), b), f.transpose(f.arg([50, 40], "i8"), [1, 0]))
    f = Function("tile_dynamic", sizes=[{"N": n, "M": m} for n, m in ((33, 70), (1, 1), (0, 5), (64, 64))])
    f.ret(f.transpose(f.arg(["N", 3, "M"]), [2, 1, 0]))


def rows():
    sizes = ((1, 70000), (3, 40000), (2, 9), (70, 4), (300, 20), (1100, 64), (40, 600), (5, 2048), (0, 7))
    for element in ("f32", "f16", "f64", "i32"):
        for count, size in sizes[:9 if element == "f32" else 5]:
            f = Function(f"rows_{element}_{count}x{size}", magnitude=1e-2 * size**0.5)
            x = f.arg([count, size], element, range=(-1, 1) if element[0] in "fb" else None)
            f.ret(f.reduce("sum", x, [1]), f.reduce("max", x, [1]))
    for shape, axes in (([3000, 5], [0]), ([2000, 70], [0]), ([9, 70], [0]), ([64, 3, 40], [0]), ([3, 50, 40], [1]),
                        ([16, 5, 12, 12], [0, 2, 3]), ([300, 40, 2], [1]), ([40, 1000, 3], [0, 1])):
        f = Function(f"columns_{'x'.join(map(str, shape))}_{''.join(map(str, axes))}", magnitude=1e-1)
        x = f.arg(shape, range=(-1, 1))
        f.ret(f.reduce("sum", x, axes), f.reduce("min", x, axes))
    for shape, axis in (([2, 30000], 1), ([30000, 2], 0), ([200, 70], 0), ([70, 200], 1)):
        f = Function(f"rows_arg_{shape[0]}x{shape[1]}_{axis}")
        x = f.arg(shape)
        f.ret(f.op(f"weft.arg_reduce max {x.name} axis {axis} : {x.type}",
                   [n for i, n in enumerate(shape) if i != axis], "i64"))
    for shape, axis in (([2, 30000], 1), ([3, 1000], 1), ([500, 40], 1), ([700, 40], 0)):
        f = Function(f"rows_softmax_{shape[0]}x{shape[1]}_{axis}")
        f.ret(f.softmax(f.arg(shape), axis))
        f = Function(f"rows_normalize_{shape[0]}x{shape[1]}_{axis}")
        x = f.arg(shape)
        f.ret(f.binary("add", x, f.normalize(x, [axis])))
    # Numbers that are made one from another and of whole tensors.
    f = Function("rows_totals", magnitude=1.0)
    total = f.arg([])
    for number, shape in enumerate(([70], [9, 33], [2000], [70], [3, 4, 5], [1], [40, 700])):
        x = f.arg(shape, "f16" if number == 2 else "f32")
        kind = ("max", "sum", "min")[number % 3]
        part = f.reduce(kind, f.unary("abs", x) if number < 4 else x, list(range(len(shape))))
        total = f.binary("add" if number % 2 else "max", total, f.cast(part, "f32") if number == 2 else part)
    f.ret(total)


def add_cases():
    neighbours()
    tiles()
    rows()
