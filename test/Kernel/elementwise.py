"""Chains of elementwise ops, broadcasts and conversions."""

from function import FLOATS, Function

# Where each function is defined and smooth.
UNARY = {
    "abs": (-2, 2), "acos": (-0.9, 0.9), "acosh": (1.1, 4), "asin": (-0.9, 0.9),
    "asinh": (-3, 3), "atan": (-3, 3), "atanh": (-0.9, 0.9), "cos": (-6, 6), "cosh": (-3, 3),
    "erf": (-4, 4), "exp": (-5, 5), "log": (0.1, 9), "logistic": (-8, 8), "neg": (-2, 2),
    "sin": (-6, 6), "sinh": (-3, 3), "sqrt": (0, 9), "tan": (-1, 1), "tanh": (-4, 4),
}
STEPS = ("ceil", "floor", "round", "sign")
BINARY = ("add", "sub", "mul", "div", "max", "min", "pow", "rem")
INTEGERS = ("i8", "i16", "i32", "i64", "ui8", "ui16", "ui32", "ui64")
SMALL = ("f8E4M3FN", "f8E4M3FNUZ", "f8E5M2", "f8E5M2FNUZ", "f8E8M0FNU", "f4E2M1FN")
NARROW = ("i4", "ui4", "i2", "ui2")
SHAPES = ([], [1], [0], [7], [16], [33], [3, 17], [1, 97], [5, 1], [2, 3, 31], [128, 5])


def unary():
    for element in FLOATS:
        # Several functions make one case, each with a result of its own.
        for part, names in enumerate((list(UNARY)[:7], list(UNARY)[7:13], list(UNARY)[13:])):
            f = Function(f"unary_{element}_{part}")
            results = [f.unary(n, f.arg([3, 11], element, UNARY[n])) for n in names]
            f.ret(*results)
        f = Function(f"steps_{element}", exact=True)
        x = f.arg([97], element, (-3, 3))
        f.ret(*[f.unary(n, x) for n in STEPS])
        # Values at the ends of the type; pow and tan differ there by more than a
        # rounding, and are left out.
        f = Function(f"special_{element}", exact=True)
        x = f.arg([97], element, special=True)
        f.ret(*[f.unary(n, x) for n in list(UNARY) + list(STEPS)
                if n not in ("cos", "sin", "tan", "cosh", "sinh", "exp")])
    for element in INTEGERS:
        f = Function(f"unary_{element}")
        x = f.arg([33], element)
        f.ret(*[f.unary(n, x) for n in ("abs", "neg", "sign", "not")])


def binary():
    for element in FLOATS:
        f = Function(f"binary_{element}")
        a, b = f.arg([3, 17], element, (0.5, 3)), f.arg([3, 17], element, (0.5, 3))
        # A remainder jumps where a quotient is whole.
        f.ret(*[f.binary(n, a, b) for n in BINARY if n != "rem"])
        f = Function(f"binary_special_{element}", exact=True)
        a, b = f.arg([97], element, special=True), f.arg([97], element, special=True)
        f.ret(*[f.binary(n, a, b) for n in BINARY if n not in ("pow", "rem")],
              *[f.compare(p, a, b) for p in ("eq", "ne", "lt", "le", "gt", "ge")])
        f = Function(f"rem_{element}", exact=True)
        a, b = f.arg([97], element), f.arg([97], element, (0.5, 3))
        f.ret(f.binary("rem", a, b))
    for element in INTEGERS:
        f = Function(f"binary_{element}")
        a, b, c = f.arg([31], element), f.arg([31], element, (1, 5)), f.arg([31], element, (0, 9))
        results = [f.binary(n, a, b) for n in ("add", "sub", "mul", "div", "max", "min", "rem",
                                               "and", "or", "xor")]
        results += [f.binary(n, a, c) for n in ("shl", "shr")]
        results += [f.compare(p, a, c) for p in ("eq", "ne", "lt", "le", "gt", "ge")]
        f.ret(*results, f.binary("pow", b, b))
    f = Function("logic")
    a, b = f.arg([33], "i1"), f.arg([33], "i1")
    f.ret(f.binary("and", a, b), f.binary("or", a, b), f.binary("xor", a, b), f.unary("not", a))


def shapes():
    for number, shape in enumerate(SHAPES):
        f = Function(f"chain_shape_{number}")
        x, y = f.arg(shape), f.arg(shape, range=(0.5, 2))
        f.ret(f.unary("tanh", f.binary("add", f.binary("mul", x, y), f.binary("div", x, y))))
    for element in FLOATS:
        f = Function(f"chain_dynamic_{element}", sizes=[
            {"N": n, "M": m} for n, m in ((3, 97), (1, 1), (0, 5), (17, 16), (64, 33))])
        x, y = f.arg(["N", "M"], element), f.arg(["M"], element)
        z = f.broadcast(y, [1], ["N", "M"])
        f.ret(f.unary("logistic", f.binary("add", x, z)), f.binary("max", x, z))


def broadcasts():
    cases = (([5], [1], [3, 5]), ([3, 1], [0, 1], [3, 5]), ([1, 5], [0, 1], [3, 5]),
             ([1], [1], [3, 5]), ([], [], [3, 5]), ([3], [0], [3, 7, 16]),
             ([7], [1], [3, 7, 16]), ([3, 16], [0, 2], [3, 7, 16]), ([1, 7, 1], [0, 1, 2], [3, 7, 16]),
             ([2, 1, 31], [0, 2, 3], [2, 5, 3, 31]), ([4, 1], [1, 2], [2, 4, 33]))
    for number, (small, dims, shape) in enumerate(cases):
        f = Function(f"broadcast_{number}")
        x, s = f.arg(shape), f.arg(small, range=(0.5, 2))
        wide = f.broadcast(s, dims, shape)
        f.ret(f.binary("mul", f.unary("exp", x), f.binary("sub", wide, x)), wide)
    f = Function("broadcast_of_computed")
    x, s = f.arg([3, 7, 16]), f.arg([7])
    inner = f.binary("add", f.unary("exp", s), f.unary("tanh", s))
    f.ret(f.binary("mul", x, f.broadcast(inner, [1], [3, 7, 16])), inner)
    # A size that may be one, which only the run tells.
    f = Function("broadcast_dynamic_one", sizes=[
        {"A": 1, "N": 3, "M": 5}, {"A": 5, "N": 2, "M": 5}, {"A": 1, "N": 1, "M": 1}])
    x, s = f.arg(["N", "M"]), f.arg(["A"])
    f.ret(f.binary("add", x, f.broadcast(s, [1], ["N", "M"])))


def casts():
    # Single numbers, of which a GPU makes several in one launch.
    f = Function("cast_numbers", exact=True)
    f.ret(*[f.cast(f.arg([], "f32"), "f64") for _ in range(3)])
    kinds = FLOATS + INTEGERS + ("i1",) + NARROW
    for source in kinds:
        f = Function(f"cast_from_{source}", exact=True)
        x = f.arg([33], source, (0, 3) if "i2" in source else (0, 7) if "i4" in source else None)
        targets = [t for t in kinds if t != source]
        if source in FLOATS:
            # Negative floats have no unsigned value.
            targets = [t for t in targets if not t.startswith("ui")]
        f.ret(*[f.cast(x, t) for t in targets])
        if source not in FLOATS:
            continue
        f = Function(f"cast_saturate_{source}", exact=True)
        x = f.arg([97], source, (-300, 300), special=True)
        f.ret(*[f.cast(x, t, saturate=True) for t in INTEGERS[:3] + INTEGERS[4:7] + NARROW])
        f = Function(f"cast_small_{source}", exact=True)
        x = f.arg([97], source, special=True)
        f.ret(*[f.cast(x, t, saturate=s) for t in SMALL for s in (True, False)])
    for source in SMALL:
        f = Function(f"cast_from_{source}", exact=True)
        x = f.arg([97], source, (0.01, 40) if source == "f8E8M0FNU" else (-7, 7))
        f.ret(*[f.cast(x, t) for t in FLOATS],
              *[f.cast(f.cast(x, "f32"), t, saturate=True) for t in SMALL if t != source])
    f = Function("cast_dequantize")
    x, s = f.arg([5, 31], "i8"), f.arg([5], range=(0.1, 1))
    f.ret(f.binary("mul", f.cast(x, "f32"), f.broadcast(s, [0], [5, 31])))
    f = Function("cast_quantize", exact=True)
    x = f.arg([5, 31], range=(-200, 200))
    f.ret(f.cast(f.unary("round", f.binary("div", x, f.splat(0.75, x))), "i8", saturate=True))
    f = Function("bitcasts", exact=True)
    results = []
    for source, target in (("f32", "i32"), ("i32", "ui32"), ("f16", "i16"), ("bf16", "ui16"),
                           ("f64", "i64"), ("f8E4M3FN", "i8"), ("i16", "bf16")):
        x = f.arg([17], source)
        results.append(f.op(f"weft.bitcast {x.name} : {x.type} to tensor<17x{target}>", [17], target))
    f.ret(*results)


def selects():
    for element in FLOATS + ("i8", "i64", "ui16", "i1", "f8E5M2"):
        f = Function(f"select_{element}", exact=True)
        c, a, b = f.arg([3, 31], "i1"), f.arg([3, 31], element), f.arg([3, 31], element)
        f.ret(f.select(c, a, b))
        if element not in FLOATS:
            continue
        f = Function(f"select_computed_{element}")
        x = f.arg([3, 31], element)
        f.ret(f.select(f.compare("lt", x, f.splat(0, x)), f.unary("exp", x), f.unary("neg", x)))
        f = Function(f"is_nan_{element}", exact=True)
        x = f.arg([97], element, special=True)
        f.ret(f.op(f"weft.is_nan {x.name} : {x.type}", [97], "i1"))
        # One constant or another, in a narrow type.
        f = Function(f"select_constants_{element}", exact=True)
        c = f.arg([33], "i1")
        f.ret(f.select(c, f.constant(2, [33], element), f.constant(5, [33], element)))


def several_results():
    f = Function("results_of_two_shapes")
    x, y = f.arg([3, 17]), f.arg([17])
    e = f.unary("exp", y)
    f.ret(f.binary("add", x, f.broadcast(e, [1], [3, 17])), e, f.unary("neg", x))
    f = Function("same_input_twice_and_returned")
    x = f.arg([33])
    f.ret(f.binary("mul", x, x), x, f.binary("mul", x, x))


def add_cases():
    unary()
    binary()
    shapes()
    broadcasts()
    casts()
    selects()
    several_results()
