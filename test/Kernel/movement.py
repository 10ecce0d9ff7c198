"""Ops that move and choose elements, that sort, and that scan."""

import itertools

from function import FLOATS, Function

ELEMENTS = FLOATS + ("i8", "i16", "i64", "ui32", "i1", "f8E4M3FN", "i4")


def reorder():
    for shape in ([5, 17], [3, 5, 7], [2, 3, 4, 5]):
        for permutation in itertools.permutations(range(len(shape))):
            f = Function("transpose_" + "".join(map(str, permutation)))
            x = f.arg(shape)
            y = f.transpose(x, permutation)
            f.ret(y, f.unary("neg", y))
    for m, n in ((1, 33), (33, 1), (8, 8), (16, 31), (64, 65), (0, 3)):
        f = Function(f"transpose_{m}x{n}")
        f.ret(f.transpose(f.arg([m, n]), [1, 0]), f.transpose(f.arg([m, n], "i8"), [1, 0]))
    f = Function("transpose_dynamic", sizes=[{"N": n, "M": m} for n, m in ((3, 17), (1, 1), (0, 3), (64, 9))])
    f.ret(f.transpose(f.arg(["N", 4, "M"]), [2, 1, 0]))
    f = Function("transpose_twice_around_chain")
    x = f.transpose(f.arg([2, 5, 7, 9]), [0, 2, 3, 1])
    f.ret(f.transpose(f.unary("tanh", f.binary("add", x, f.broadcast(f.arg([5]), [3], x.shape))), [0, 3, 1, 2]))
    f = Function("reshapes")
    x = f.arg([4, 6, 5])
    f.ret(f.reshape(x, [24, 5]), f.reshape(f.unary("exp", x), [2, 2, 30]),
          f.unary("neg", f.reshape(f.transpose(x, [2, 0, 1]), [120])),
          f.reshape(f.broadcast(f.arg([5]), [1], [3, 5]), [15]))
    f = Function("reshape_dynamic", sizes=[{"N": n} for n in (3, 1, 0, 17)])
    x = f.arg(["N", 4, 5])
    f.ret(f.reshape(x, ["N", 20]), f.unary("exp", f.reshape(f.unary("neg", x), ["N", 2, 10])))


def parts():
    cases = (([0], [17], [1]), ([3], [7], [1]), ([1], [8], [2]), ([16], [17], [-1]), ([15], [5], [-3]),
             ([4], [0], [1]), ([16], [1], [1]))
    for number, (offsets, sizes, strides) in enumerate(cases):
        f = Function(f"slice_{number}")
        x, y = f.arg([17]), f.arg([5, 17])
        s = f.slice(y, [1] + offsets, [3] + sizes, [1] + strides)
        f.ret(f.slice(x, offsets, sizes, strides), s, f.unary("tanh", s))
    f = Function("slice_outer")
    x = f.arg([9, 4, 5])
    f.ret(f.slice(x, [2, 0, 0], [5, 4, 5], [1, 1, 1]), f.slice(x, [8, 0, 0], [9, 4, 5], [-1, 1, 1]),
          f.slice(x, [0, 3, 0], [9, 2, 5], [1, -2, 1]))
    f = Function("slice_dynamic", sizes=[{"N": n} for n in (3, 1, 0, 33)])
    x = f.arg(["N", 9])
    f.ret(f.slice(x, [0, 2], ["N", 5], [1, 1]), f.unary("exp", f.slice(x, [0, 8], ["N", 9], [1, -1])))
    for number, (shapes, axis) in enumerate((
            (([3, 5], [2, 5]), 0), (([3, 5], [3, 1], [3, 17]), 1), (([2, 3, 4], [2, 7, 4]), 1),
            (([0, 5], [3, 5]), 0), (([5],), 0), (([1, 8, 9], [1, 3, 9], [1, 1, 9], [1, 16, 9]), 1))):
        f = Function(f"concat_{number}")
        values = [f.arg(s) for s in shapes]
        y = f.concat(values, axis)
        computed = [f.unary("exp", v) if i % 2 else v for i, v in enumerate(values)]
        f.ret(y, f.unary("neg", y), f.concat(computed, axis))
    f = Function("concat_dynamic", sizes=[{"N": n, "M": m} for n, m in ((3, 5), (1, 0), (0, 4), (16, 17))])
    f.ret(f.concat([f.arg(["N", 5]), f.arg(["M", 5])], 0))
    for number, (low, high) in enumerate((([0, 1], [0, 1]), ([2, 0], [0, 3]), ([0, 0], [1, 0]), ([5, 17], [3, 16]))):
        f = Function(f"pad_{number}")
        x = f.arg([3, 9])
        y = f.pad(x, f.arg([]), low, high)
        f.ret(y, f.binary("mul", y, y), f.pad(f.unary("exp", x), f.constant(1), low, high))
    f = Function("pad_empty")
    f.ret(f.pad(f.arg([0, 3]), f.constant(7), [1, 0], [2, 2]))
    for number, (low, high, interior) in enumerate((([0, 1], [0, 1], [0, 2]), ([2, 0], [0, 3], [3, 0]),
                                                    ([0, 16], [1, 0], [1, 1]))):
        f = Function(f"pad_interior_{number}")
        x = f.arg([3, 9])
        f.ret(f.pad(x, f.arg([]), low, high, interior), f.pad(f.unary("exp", x), f.constant(1), low, high, interior))
    f = Function("pad_interior_dynamic", sizes=[{"N": n, "M": m} for n, m in ((3, 5), (1, 17), (0, 4))])
    f.ret(f.pad(f.arg(["N", "M"]), f.constant(0), [0, 1], [2, 0], [2, 1]))
    f = Function("update_slice")
    d, s = f.arg([8, 9]), f.arg([3, 4])
    text = f"weft.update_slice {s.name} into {d.name} [2, 5] : {s.type}, {d.type}"
    f.ret(f.op(text, d.shape, "f32"))
    for element in ELEMENTS:
        f = Function(f"move_{element}", exact=True)
        x, y = f.arg([5, 9], element), f.arg([5, 3], element)
        zero = f.slice(f.reshape(y, [15]), [0], [1], [1])
        f.ret(f.transpose(x, [1, 0]), f.concat([x, y], 1), f.slice(x, [1, 8], [3, 4], [1, -2]),
              f.pad(x, f.reshape(zero, []), [1, 0], [0, 2]), f.broadcast(y, [0, 2], [5, 4, 3]),
              f.reshape(x, [3, 15]))
    f = Function("iota")
    f.ret(*[f.op(f"weft.iota axis {axis} : tensor<3x17x{t}>", [3, 17], t)
            for axis in (0, 1) for t in ("i64", "i32", "f32")])


def gather(f, x, i, axis):
    shape = x.shape[:axis] + i.shape + x.shape[axis + 1:]
    return f.op(f"weft.gather {x.name}, {i.name} axis {axis} : {x.type}, {i.type}", shape, x.element)


def chosen():
    for shape, axis, indices in (([10, 4], 0, [2, 3]), ([3, 10], 1, [5]), ([2, 10, 5], 1, [3, 2]), ([10], 0, []),
                                 ([10, 33], 0, [17]), ([10, 4], 0, [0])):
        f = Function(f"gather_r{len(shape)}_{axis}_q{len(indices)}_{indices[-1] if indices else ''}")
        x, i = f.arg(shape), f.arg(indices, "i64", (-10, 9))
        y = gather(f, x, i, axis)
        f.ret(y, f.unary("tanh", y), gather(f, f.unary("exp", x), i, axis))
    for element in ELEMENTS:
        f = Function(f"gather_{element}", exact=True)
        f.ret(gather(f, f.arg([10, 5], element), f.arg([7], "i32", (0, 9)), 0))
    f = Function("embedding", sizes=[{"B": b, "S": s} for b, s in ((1, 7), (3, 16), (0, 4), (2, 1))])
    table, ids, position = f.arg([30, 16]), f.arg(["B", "S"], "i64", (0, 29)), f.arg(["S", 16])
    y = gather(f, table, ids, 0)
    f.ret(f.normalize(f.binary("add", y, f.broadcast(position, [1, 2], y.shape)), [2]))
    for axis, shape in ((0, [4, 7]), (1, [6, 3])):
        f = Function(f"gather_elements_{axis}")
        x, i = f.arg([6, 7]), f.arg(shape, "i64", (-6, 5))
        f.ret(f.op(f"weft.gather_elements {x.name}, {i.name} axis {axis} : {x.type}, {i.type}", shape, "f32"))
    for batch, x, i, out in ((0, [4, 5, 6], [7, 2], [7, 6]), (1, [3, 5, 6], [3, 4, 1], [3, 4, 6]),
                             (0, [4, 5], [2, 3, 2], [2, 3]), (2, [2, 3, 5], [2, 3, 1], [2, 3])):
        f = Function(f"gather_nd_b{batch}_r{len(x)}_q{len(i)}")
        x, i = f.arg(x), f.arg(i, "i64", (-3, 3))
        f.ret(f.op(f"weft.gather_nd {x.name}, {i.name} batch_dims {batch} : {x.type}, {i.type}", out, "f32"))


def scattered():
    for kind in ("set", "add", "mul", "max", "min"):
        for element in ("f32", "i32", "f16", "bf16"):
            f = Function(f"scatter_elements_{kind}_{element}", exact=True)
            x, i, u = f.arg([6, 7], element), f.arg([4, 5], "i64", (-6, 5)), f.arg([4, 5], element)
            text = f"weft.scatter_elements {kind} {x.name}, {i.name}, {u.name} axis"
            types = f"{x.type}, {i.type}, {u.type}"
            f.ret(f.op(f"{text} 0 : {types}", x.shape, element), f.op(f"{text} 1 : {types}", x.shape, element))
            f = Function(f"scatter_nd_{kind}_{element}", exact=True)
            x, i, u = f.arg([6, 7, 3], element), f.arg([4, 2], "i64", (-6, 5)), f.arg([4, 3], element)
            f.ret(f.op(f"weft.scatter_nd {kind} {x.name}, {i.name}, {u.name} : {x.type}, {i.type}, {u.type}",
                       x.shape, element))
    for name, x, i, u in (("wide", [9, 150], [20, 1], [20, 150]), ("planes", [9, 3, 70], [5, 2, 1], [5, 2, 3, 70]),
                          ("whole", [70], [3, 0], [3, 70])):
        f = Function(f"scatter_nd_{name}", exact=True)
        x, i, u = f.arg(x), f.arg(i, "i64", (-9, 8)), f.arg(u)
        f.ret(f.op(f"weft.scatter_nd add {x.name}, {i.name}, {u.name} : {x.type}, {i.type}, {u.type}", x.shape, "f32"))
    for name, x, i, u in (("slices", [3, 8, 67], [3, 20, 1], [3, 20, 67]), ("elements", [5, 8], [5, 20, 1], [5, 20]),
                          ("symbols", ["B", 8, "D"], ["B", "N", 1], ["B", "N", "D"])):
        sizes = [{"B": b, "N": n, "D": d} for b, n, d in ((2, 5, 3), (1, 7, 130), (0, 3, 3), (3, 0, 1), (2, 2, 0))]
        f = Function(f"scatter_nd_batch_{name}", exact=True, sizes=sizes if name == "symbols" else None)
        x, i, u = f.arg(x), f.arg(i, "i64", (-8, 7)), f.arg(u)
        f.ret(f.op(f"weft.scatter_nd add {x.name}, {i.name}, {u.name} batch_dims 1 : {x.type}, {i.type}, {u.type}",
                   x.shape, "f32"))
    f = Function("scatter_elements_planes", exact=True)
    x, i, u = f.arg([3, 6, 130]), f.arg([3, 7, 130], "i64", (-6, 5)), f.arg([3, 7, 130])
    f.ret(f.op(f"weft.scatter_elements add {x.name}, {i.name}, {u.name} axis 1 : {x.type}, {i.type}, {u.type}",
               x.shape, "f32"))
    # Many updates of few elements, and of rows that several blocks share.
    for name, x, u, axis in (("long", [700], [3000], 0), ("few", [5], [2000], 0), ("rows", [3, 300], [3, 600], 1),
                             ("columns", [300, 6], [600, 5], 0), ("many_rows", [150, 20], [150, 40], 1), ("short", [50, 9], [50, 20], 1)):
        for kind, element in (("add", "f32"), ("set", "f16"), ("max", "i32")):
            f = Function(f"scatter_elements_{name}_{kind}_{element}", exact=True)
            x_, i_, u_ = f.arg(x, element), f.arg(u, "i64", (-x[axis], x[axis] - 1)), f.arg(u, element)
            f.ret(f.op(f"weft.scatter_elements {kind} {x_.name}, {i_.name}, {u_.name} axis {axis} :"
                       f" {x_.type}, {i_.type}, {u_.type}", x, element))
    f = Function("scatter_elements_dynamic", sizes=[{"N": n, "M": m} for n, m in ((3, 17), (1, 400), (0, 4), (5, 0))],
                 exact=True)
    x, i, u = f.arg(["N", 40]), f.arg(["N", "M"], "i64", (-40, 39)), f.arg(["N", "M"])
    f.ret(f.op(f"weft.scatter_elements add {x.name}, {i.name}, {u.name} axis 1 : {x.type}, {i.type}, {u.type}",
               x.shape, "f32"))
    f = Function("scatter_of_computed_and_more")
    x, i, u = f.arg([16, 5]), f.arg([7, 1], "i64", (0, 15)), f.arg([7, 5])
    y, v = f.unary("tanh", x), f.unary("exp", u)
    s = f.op(f"weft.scatter_nd add {y.name}, {i.name}, {v.name} : {x.type}, {i.type}, {u.type}", x.shape, "f32")
    f.ret(f.binary("mul", s, y))


def sorted_and_summed():
    for element in FLOATS + ("i8", "i64", "ui8"):
        f = Function(f"top_k_{element}", exact=True)
        for shape, axis, k in (([5, 31], 1, 3), ([31, 5], 0, 31), ([2, 7, 3], 1, 1), ([97], 0, 97)):
            for largest in ("", " largest"):
                x = f.arg(shape, element)
                out = [k if d == axis else s for d, s in enumerate(shape)]
                to = "x".join(map(str, out))
                name = f.fresh()
                f.lines.append(f"{name}:2 = weft.top_k {x.name} axis {axis}{largest} : {x.type} to"
                               f" tensor<{to}x{element}>, tensor<{to}xi64>")
                f.results = getattr(f, "results", []) + [(f"{name}#0", out, element), (f"{name}#1", out, "i64")]
        f.ret(*[type(x)(*r) for r in f.results])
    # Rows that a block can't hold, or the blocks of a GPU share.
    for element in ("f32", "f16", "i64", "ui8"):
        for shape, axis, k in (([3, 5000], 1, 5000), ([9000, 2], 0, 9000), ([4, 2100], 1, 700), ([10000], 0, 7),
                               ([2, 4096], 1, 3000), ([33, 2100], 1, 4)):
            f = Function(f"sort_{element}_{'x'.join(map(str, shape))}_{axis}_{k}", exact=True)
            x = f.arg(shape, element, special=element[0] == "f")
            out = [k if d == axis else s for d, s in enumerate(shape)]
            to, name = "x".join(map(str, out)), f.fresh()
            f.lines.append(f"{name}:2 = weft.top_k {x.name} axis {axis}{' largest' if k % 2 else ''} : {x.type} to"
                           f" tensor<{to}x{element}>, tensor<{to}xi64>")
            f.ret(type(x)(f"{name}#0", out, element), type(x)(f"{name}#1", out, "i64"))
    for kind in ("sum", "prod"):
        for element in FLOATS + ("i32", "i64"):
            f = Function(f"cumulative_{kind}_{element}")
            x = f.arg([5, 7, 3], element, (0.8, 1.2) if element in FLOATS else (1, 2))
            f.ret(*[f.op(f"weft.cumulative {kind} {x.name} axis {axis}{e}{r} : {x.type}", x.shape, element)
                    for axis in (0, 1, 2) for e in ("", " exclusive") for r in ("", " reverse")])
    f = Function("cumulative_dynamic", sizes=[{"N": n, "M": m} for n, m in ((3, 17), (1, 1), (0, 4), (5, 0))])
    x = f.arg(["N", "M"])
    f.ret(*[f.op(f"weft.cumulative sum {x.name} axis {axis} : {x.type}", x.shape, "f32") for axis in (0, 1)])
    f = Function("nonzero", exact=True)
    x = f.arg([5, 7], "i32", (0, 1))
    is_set = f.cast(f.compare("ne", x, f.constant(0, [5, 7], "i32")), "i64")
    count = f.reduce("sum", is_set, [0, 1])
    scalar, index = f.fresh(), f.fresh()
    f.lines += [f"{scalar} = tensor.extract {count.name}[] : tensor<i64>",
                f"{index} = arith.index_cast {scalar} : i64 to index"]
    f.ret(f.op(f"weft.nonzero {x.name} count {index} : {x.type} to tensor<2x?xi64>", [2, "count"], "i64"))
    f = Function("determinants", bound=1e-8)  # a difference of products
    x = f.arg([5, 3, 3])
    name = f.fresh()
    f.lines.append(f"{name}:2 = weft.det {x.name} : {x.type}")
    f.ret(type(x)(f"{name}#0", [5], "f32"))
    f = Function("inverses", bound=1e-6)  # elements grow and are taken from each other
    x = f.arg([5, 3, 3])
    name = f.fresh()
    f.lines.append(f"{name}:2 = weft.inverse {x.name} : {x.type}")
    f.ret(type(x)(f"{name}#0", [5, 3, 3], "f32"))
    f = Function("random_uniform", exact=True)
    s = f.arg([], "i64")
    f.ret(f.op(f"weft.random_uniform {s.name} stream 3 : {s.type}, tensor<5x33xf32>", [5, 33], "f32"))


def add_cases():
    reorder()
    parts()
    chosen()
    scattered()
    sorted_and_summed()
