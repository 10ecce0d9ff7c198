"""Attention and its gradients: sizes around tiles, masks, and what is fused with it."""

from function import Function, Value


def attention(f, q, k, v, bias=None, scale=0.3, zero_empty=False, element=None):
    """The output and the logarithms."""
    element = element or q.element
    shape = q.shape[:-1] + [v.shape[-1]]
    y, l = f.fresh(), f.fresh()
    types = ", ".join(x.type for x in [q, k, v] + ([bias] if bias else []))
    outputs = Value(y, shape, element), Value(l, q.shape[:-1], "f64" if q.element == "f64" else "f32")
    f.lines.append(
        f"{y}, {l} = weft.attention {q.name}, {k.name}, {v.name}{f' bias {bias.name}' if bias else ''}"
        f" scale {scale:.6e}{' zero_empty' * zero_empty} : {types} -> {outputs[0].type}, {outputs[1].type}")
    return outputs


def gradients(f, q, k, v, l, g, d, bias=None, scale=0.3):
    """The gradients of query, key and value."""
    names = [f.fresh() for _ in range(3)]
    operands = [q, k, v, l, g, d]
    results = [Value(name, x.shape, x.element) for name, x in zip(names, operands)]
    types = ", ".join(x.type for x in operands + ([bias] if bias else []))
    f.lines.append(
        f"{', '.join(names)} = weft.attention_gradient {', '.join(x.name for x in operands)}"
        f"{f' bias {bias.name}' if bias else ''} scale {scale:.6e} : {types} -> {', '.join(x.type for x in results)}")
    return results


def arguments(f, batch, rows, keys, depth, width, element="f32"):
    return (f.arg(batch + [rows, depth], element), f.arg(batch + [keys, depth], element),
            f.arg(batch + [keys, width], element))


def backward(f, q, k, v, bias=None):
    """The gradients for one of the output that is an argument."""
    y, l = attention(f, q, k, v, bias)
    g = f.arg(y.shape, y.element)
    wide = "f32" if y.element in ("f16", "bf16") else y.element
    product = f.binary("mul", f.cast(g, wide), f.cast(y, wide)) if wide != y.element else f.binary("mul", g, y)
    f.ret(y, *gradients(f, q, k, v, l, g, f.reduce("sum", product, [product.rank - 1]), bias))


def sizes():
    # Tiles have 64, 32 or 16 rows, 32 or 16 columns, and vectors of 32 to 256.
    for rows, keys, depth, width in (
            (1, 1, 1, 1), (5, 7, 3, 2), (63, 33, 16, 16), (64, 32, 64, 64), (65, 65, 10, 33), (3, 200, 40, 64),
            (33, 31, 128, 96), (17, 40, 65, 128), (18, 17, 256, 130), (2, 20, 129, 8)):
        f = Function(f"attend_{rows}_{keys}_{depth}_{width}")
        f.ret(*attention(f, *arguments(f, [2], rows, keys, depth, width)))
        # Of a single key the gradients of query and key are zero.
        f = Function(f"attend_gradient_{rows}_{keys}_{depth}_{width}", magnitude=1.0)
        backward(f, *arguments(f, [2], rows, keys, depth, width))
    for element in ("f64", "f16", "bf16"):
        f = Function(f"attend_{element}")
        f.ret(*attention(f, *arguments(f, [2, 3], 9, 37, 24, 24, element)))
        f = Function(f"attend_gradient_{element}")
        backward(f, *arguments(f, [2, 3], 9, 37, 24, 24, element))
    for rows, keys, depth, width in ((70, 70, 64, 64), (40, 33, 128, 96), (20, 17, 256, 256)):
        f = Function(f"attend_f16_{width}")
        f.ret(*attention(f, *arguments(f, [2], rows, keys, depth, width, "f16")))
        f = Function(f"attend_gradient_f16_{width}")
        backward(f, *arguments(f, [2], rows, keys, depth, width, "f16"))
    f = Function("attend_no_batch")
    f.ret(*attention(f, *arguments(f, [], 12, 40, 8, 8)))
    f = Function("attend_long_vectors")  # without a kernel of its own
    f.ret(*attention(f, *arguments(f, [1], 3, 5, 300, 4)))
    f = Function("attend_gradient_long_vectors")
    backward(f, *arguments(f, [1], 3, 5, 300, 4))
    f = Function("attend_dynamic", sizes=[
        {"B": b, "M": m, "N": n} for b, m, n in ((2, 40, 70), (1, 1, 1), (3, 5, 0), (1, 0, 4), (0, 3, 3))])
    f.ret(*attention(f, *arguments(f, ["B", 2], "M", "N", 12, 20)))
    f = Function("attend_gradient_dynamic", magnitude=1.0, sizes=[
        {"B": b, "M": m, "N": n} for b, m, n in ((2, 40, 70), (1, 1, 1), (3, 5, 0), (1, 0, 4), (0, 3, 3))])
    backward(f, *arguments(f, ["B", 2], "M", "N", 12, 20))


def masks():
    # Some of the rows have no key.
    for zero_empty in (False, True):
        f = Function(f"attend_empty_rows_{int(zero_empty)}")
        q, k, v = arguments(f, [2], 40, 50, 16, 16)
        row, each = f.arg([2, 40]), f.arg([2, 40, 50])
        whole = f.broadcast(row, [0, 1], [2, 40, 50])
        zero = f.splat(0, each)
        seen = f.binary("and", f.compare("gt", whole, zero), f.compare("gt", each, zero))
        lowest = f.op("weft.constant dense<0xFF800000> : tensor<f32>", [], "f32")
        bias = f.select(seen, each, f.broadcast(lowest, [], each.shape))
        f.ret(*attention(f, q, k, v, bias, zero_empty=zero_empty))
    # Tiles that are masked as wholes.
    for element in ("f32", "f16"):
        for gradient in (False, True):
            f = Function(f"attend_{'gradient_' * gradient}causal_{element}")
            q, k, v = arguments(f, [2], 150, 150, 16, 16, element)
            row, column = (f.op(f"weft.iota axis {dim} : tensor<150x150xi64>", [150, 150], "i64") for dim in (0, 1))
            zero = f.constant(0, (), "f32")
            lowest = f.op("weft.constant dense<0xFF800000> : tensor<f32>", [], "f32")
            seen = f.compare("le", column, row)
            mask = f.select(seen, *(f.broadcast(x, [], seen.shape) for x in (zero, lowest)))
            bias = f.broadcast(mask, [1, 2], [2, 150, 150])
            if gradient:
                backward(f, q, k, v, bias)
            else:
                f.ret(*attention(f, q, k, v, bias))
    # A bias that is the same for all heads, and one that is computed.
    f = Function("attend_bias")
    q, k, v = arguments(f, [2, 3], 35, 41, 8, 24)
    bias = f.broadcast(f.arg([2, 1, 35, 41]), [0, 1, 2, 3], [2, 3, 35, 41])
    f.ret(*attention(f, q, k, v, bias))
    f = Function("attend_gradient_bias")
    q, k, v = arguments(f, [2, 3], 35, 41, 8, 24)
    bias = f.broadcast(f.arg([2, 1, 35, 41]), [0, 1, 2, 3], [2, 3, 35, 41])
    backward(f, q, k, v, bias)
    # Probabilities are rounded to bf16 where they are multiplied in that type.
    f = Function("attend_bias_bf16", bound=1e-5)
    q, k, v = arguments(f, [2, 3], 5, 41, 8, 24, "bf16")
    f.ret(*attention(f, q, k, v, f.unary("neg", f.arg([2, 3, 5, 41], "f16")), element="f32"))
    # Beside scores that are large and equal, the logarithm of their number is lost.
    f = Function("attend_special")
    q, k, v = arguments(f, [1], 9, 17, 4, 4)
    f.ret(*attention(f, q, k, v, f.arg([1, 9, 17], special=True)))


def heads():
    # Heads that are split and joined by transposes, and scaled queries.
    f = Function("attend_heads")
    q, k, v = (f.transpose(f.arg([2, 21, 4, 16]), [0, 2, 1, 3]) for _ in range(3))
    q = f.binary("mul", q, f.splat(0.25, q))
    y, _ = attention(f, q, k, v, scale=1)
    f.ret(f.unary("tanh", f.reshape(f.transpose(y, [0, 2, 1, 3]), [2, 21, 64])))
    f = Function("attend_shared_keys")
    q = f.arg([2, 2, 3, 10, 16])
    k, v = (f.broadcast(f.arg([2, 2, 12, 16]), [0, 1, 3, 4], [2, 2, 3, 12, 16]) for _ in range(2))
    f.ret(attention(f, q, k, v)[0])


def add_cases():
    sizes()
    masks()
    heads()
