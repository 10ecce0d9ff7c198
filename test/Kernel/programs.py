"""Control flow, attention and recurrent chains: several kernels each."""

from function import FLOATS, Function


def attention(f, q, k, v, mask=None, scale=0.25):
    """Softmax(q k^T scale + mask) v, heads and batch in front."""
    s = f.contract(q, k, ([0, 1], [0, 1]), ([3], [3]))
    s = f.binary("mul", s, f.splat(scale, s))
    if mask:
        s = f.binary("add", s, f.broadcast(mask, [2, 3], s.shape))
    p = f.softmax(s, 3)
    return f.contract(p, v, ([0, 1], [0, 1]), ([3], [2]))


def attentions():
    for element in FLOATS:
        f = Function(f"attention_{element}")
        q, k, v = (f.arg([2, 3, s, 8], element) for s in (9, 17, 17))
        f.ret(attention(f, q, k, v))
    for s, t, d in ((1, 1, 1), (1, 33, 16), (16, 16, 64), (31, 7, 5), (2, 97, 15)):
        f = Function(f"attention_{s}_{t}_{d}")
        f.ret(attention(f, f.arg([1, 2, s, d]), f.arg([1, 2, t, d]), f.arg([1, 2, t, d]), f.arg([s, t])))
    f = Function("attention_dynamic", sizes=[{"B": b, "S": s} for b, s in ((1, 7), (2, 33), (3, 1))])
    q, k, v = (f.arg(["B", 2, "S", 8]) for _ in range(3))
    f.ret(attention(f, q, k, v, f.arg(["S", "S"])))
    f = Function("attention_layer")
    x, mask = f.arg([2, 7, 16]), f.arg([7, 7])
    heads = []
    for _ in range(3):
        y = f.contract(x, f.arg([16, 16], range=(-0.5, 0.5)), contract=([2], [0]))
        y = f.binary("add", y, f.broadcast(f.arg([16]), [2], y.shape))
        heads.append(f.transpose(f.reshape(y, [2, 7, 4, 4]), [0, 2, 1, 3]))
    y = attention(f, *heads, mask, 0.5)
    y = f.reshape(f.transpose(y, [0, 2, 1, 3]), [2, 7, 16])
    y = f.contract(y, f.arg([16, 16]), contract=([2], [0]))
    f.ret(f.normalize(f.binary("add", x, y), [2]))
    f = Function("rotary_embedding")
    x, c, s = f.arg([2, 3, 7, 8]), f.arg([7, 8]), f.arg([7, 8])
    low, high = (f.slice(x, [0, 0, 0, at], [2, 3, 7, 4], [1, 1, 1, 1]) for at in (0, 4))
    turned = f.concat([f.unary("neg", high), low], 3)
    cos, sin = (f.broadcast(v, [2, 3], x.shape) for v in (c, s))
    f.ret(f.binary("add", f.binary("mul", x, cos), f.binary("mul", turned, sin)))
    f = Function("feed_forward")
    x = f.arg([5, 16])
    y = f.matmul(f.normalize(x, [1], rms=True), f.arg([16, 40], range=(-0.5, 0.5)))
    gate = f.matmul(x, f.arg([16, 40], range=(-0.5, 0.5)))
    y = f.binary("mul", f.binary("mul", gate, f.unary("logistic", gate)), y)
    f.ret(f.binary("add", x, f.matmul(y, f.arg([40, 16], range=(-0.3, 0.3)))))


def loop(f, count, carried, body, bound=None):
    """`scf.for` over `count` steps; `body` maps (index, values) to values."""
    begin, step = f.index(0), f.index(1)
    end = bound or f.index(count)
    index, result = f.fresh(), f.fresh()
    inner = [type(v)(f.fresh(), v.shape, v.element) for v in carried]
    inits = ", ".join(f"{a.name} = {b.name}" for a, b in zip(inner, carried))
    types = ", ".join(v.type for v in carried)
    f.lines.append(f"{result}:{len(carried)} = scf.for {index} = {begin} to {end} step {step}"
                   f" iter_args({inits}) -> ({types}) {{")
    after = body(index, inner)
    f.lines.append(f"scf.yield {', '.join(v.name for v in after)} : {types}")
    f.lines.append("}")
    return [type(v)(f"{result}#{i}", v.shape, v.element) for i, v in enumerate(carried)]


def recurrent():
    for steps in (1, 5):
        f = Function(f"rnn_{steps}")
        x, h, w, r = f.arg([steps, 3, 7]), f.arg([3, 9]), f.arg([7, 9]), f.arg([9, 9], range=(-0.4, 0.4))

        def step(i, values):
            part = f.op(f"weft.slice {x.name} [{i}, 0, 0] [1, 3, 7] [1, 1, 1] : {x.type} to tensor<1x3x7xf32>",
                        [1, 3, 7], "f32")
            y = f.matmul(f.reshape(part, [3, 7]), w)
            return [f.unary("tanh", f.binary("add", y, f.matmul(values[0], r)))]
        f.ret(*loop(f, steps, [h], step))
    f = Function("lstm")
    x, h, c = f.arg([6, 2, 5]), f.arg([2, 8]), f.arg([2, 8])
    w, r, b = f.arg([5, 32]), f.arg([8, 32], range=(-0.4, 0.4)), f.arg([32])
    out = f.broadcast(f.constant(0), [], [6, 2, 8])

    def cell(i, values):
        h, c, out = values
        part = f.op(f"weft.slice {x.name} [{i}, 0, 0] [1, 2, 5] [1, 1, 1] : {x.type} to tensor<1x2x5xf32>",
                    [1, 2, 5], "f32")
        z = f.binary("add", f.matmul(f.reshape(part, [2, 5]), w), f.matmul(h, r))
        z = f.binary("add", z, f.broadcast(b, [1], z.shape))
        gates = [f.slice(z, [0, 8 * g], [2, 8], [1, 1]) for g in range(4)]
        i_gate, o_gate, f_gate = (f.unary("logistic", g) for g in gates[:3])
        c = f.binary("add", f.binary("mul", f_gate, c), f.binary("mul", i_gate, f.unary("tanh", gates[3])))
        h = f.binary("mul", o_gate, f.unary("tanh", c))
        row = f.reshape(h, [1, 2, 8])
        out = f.op(f"weft.update_slice {row.name} into {out.name} [{i}, 0, 0] : {row.type}, {out.type}",
                   out.shape, "f32")
        return [h, c, out]
    f.ret(*loop(f, 6, [h, c, out], cell))
    f = Function("loop_of_symbolic_length", sizes=[{"N": n, "M": m} for n, m in ((5, 3), (1, 1), (0, 4), (17, 0))])
    x, y = f.arg(["N"]), f.arg(["M"], range=(0.5, 1))
    f.ret(*loop(f, None, [y], lambda i, v: [f.unary("tanh", f.binary("add", v[0], y))], bound=f.size("N")), x)


def branches():
    f = Function("if_and_while")
    x, n = f.arg([3, 5], range=(0.1, 1)), f.arg([], "i64", (2, 5))
    limit = f.fresh()
    f.lines.append(f"{limit} = tensor.extract {n.name}[] : tensor<i64>")
    three, condition, result = f.fresh(), f.fresh(), f.fresh()
    f.lines += [f"{three} = arith.constant 3 : i64",
                f"{condition} = arith.cmpi sgt, {limit}, {three} : i64",
                f"{result} = scf.if {condition} -> {x.type} {{"]
    then = f.unary("exp", x)
    f.lines += [f"scf.yield {then.name} : {x.type}", "} else {"]
    other = f.binary("mul", x, f.unary("neg", x))
    f.lines += [f"scf.yield {other.name} : {x.type}", "}"]
    zero, one, out = f.fresh(), f.fresh(), f.fresh()
    i, v, j, u, go, after = (f.fresh() for _ in range(6))
    f.lines += [f"{zero} = arith.constant 0 : i64", f"{one} = arith.constant 1 : i64",
                f"{out}:2 = scf.while ({i} = {zero}, {v} = {x.name}) : (i64, {x.type}) -> (i64, {x.type}) {{",
                f"{go} = arith.cmpi slt, {i}, {limit} : i64",
                f"scf.condition({go}) {i}, {v} : i64, {x.type}", "} do {",
                f"^bb0({j}: i64, {u}: {x.type}):",
                f"{after} = arith.addi {j}, {one} : i64"]
    y = f.unary("tanh", f.binary("add", type(x)(u, x.shape, "f32"), x))
    f.lines += [f"scf.yield {after}, {y.name} : i64, {x.type}", "}"]
    f.ret(type(x)(result, x.shape, "f32"), type(x)(f"{out}#1", x.shape, "f32"))


def add_cases():
    attentions()
    recurrent()
    branches()
