"""ONNX's Gradient operator, against central differences in f64."""

import numpy as np
import pytest
import weft
from onnx import TensorProto, helper, numpy_helper

TRAINING = "ai.onnx.preview.training"
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid(TRAINING, 1)]


def gradient(inputs, outputs, xs, y, zs=()):
    attributes = {"xs": xs, "y": y} | ({"zs": list(zs)} if zs else {})
    return helper.make_node("Gradient", inputs, outputs, domain=TRAINING, **attributes)


def run(nodes, inputs, outputs, weights=None):
    """The outputs of a model of f64; `outputs` are names and ranks."""

    def port(name, rank):
        return helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None] * rank)

    graph = helper.make_graph(
        nodes,
        "g",
        [port(name, value.ndim) for name, value in inputs.items()],
        [port(name, rank) for name, rank in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=10)
    return weft.compile(model, threads=1).run(list(inputs.values()))


def differences(function, x, step=1e-5):
    result = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        above, below = x.copy(), x.copy()
        above[i] += step
        below[i] -= step
        result[i] = (function(above) - function(below)) / (2 * step)
    return result


RANDOM = np.random.default_rng(1)
X, W, B = RANDOM.normal(size=(5, 3)), RANDOM.normal(size=(4, 3)), RANDOM.normal(size=4)
NET = [
    helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
    helper.make_node("MatMul", ["x", "t"], ["h"]),
    helper.make_node("Add", ["h", "b"], ["s"]),
    helper.make_node("Tanh", ["s"], ["a"]),
    helper.make_node("Mul", ["a", "a"], ["q"]),
    helper.make_node("ReduceSum", ["q"], ["loss"], keepdims=0),
]


def net(x=X, w=W, b=B):
    return (np.tanh(x @ w.T + b) ** 2).sum()


def test_by_initializers_and_inputs():
    node = gradient(["w", "b", "x"], ["dw", "db", "dx"], ["w", "b", "x"], "loss")
    got = run([*NET, node], {"x": X}, {"loss": 0, "dw": 2, "db": 1, "dx": 2}, {"w": W, "b": B})
    np.testing.assert_allclose(got[0], net())
    np.testing.assert_allclose(got[1], differences(lambda w: net(w=w), W), rtol=1e-7)
    np.testing.assert_allclose(got[2], differences(lambda b: net(b=b), B), rtol=1e-7)
    np.testing.assert_allclose(got[3], differences(lambda x: net(x=x), X), rtol=1e-7)


def test_outputs_that_are_left_out():
    node = gradient(["w", "b", "x"], ["", "db"], ["w", "b"], "loss", ["x"])
    (got,) = run([*NET, node], {"x": X}, {"db": 1}, {"w": W, "b": B})
    np.testing.assert_allclose(got, differences(lambda b: net(b=b), B), rtol=1e-7)


def test_by_what_is_computed_and_what_is_equal():
    nodes = [
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Exp", ["x"], ["e"]),
        helper.make_node("Mul", ["e", "same"], ["p"]),
        helper.make_node("Mul", ["p", "x"], ["y"]),
        gradient(["e", "x", "same"], ["de", "dx", "ds"], ["e", "x", "same"], "y"),
        gradient(["x"], ["d"], ["x"], "y"),
    ]
    de, dx, ds, d = run(nodes, {"x": X}, dict.fromkeys(["de", "dx", "ds", "d"], 2))
    np.testing.assert_allclose(de, X * X)
    np.testing.assert_allclose(dx, np.exp(X) * X)
    np.testing.assert_allclose(ds, np.exp(X) * X)
    np.testing.assert_allclose(d, (X * X + 2 * X) * np.exp(X))


def test_nothing_flows_through_zs():
    nodes = [
        helper.make_node("Exp", ["x"], ["e"]),
        helper.make_node("Mul", ["e", "x"], ["y"]),
        gradient(["x", "e"], ["dx"], ["x"], "y", ["e"]),
    ]
    (dx,) = run(nodes, {"x": X}, {"dx": 2})
    np.testing.assert_allclose(dx, np.exp(X))


def test_zero_where_nothing_depends():
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0),
        helper.make_node("Neg", ["x"], ["n"]),
        gradient(["w", "n"], ["dw", "dn"], ["w", "n"], "y"),
    ]
    dw, dn = run(nodes, {"x": X}, {"dw": 2, "dn": 2}, {"w": W})
    np.testing.assert_array_equal(dw, np.zeros_like(W))
    np.testing.assert_array_equal(dn, np.zeros_like(X))


def test_second_order():
    nodes = [
        *NET,
        gradient(["w", "x"], ["dw"], ["w"], "loss", ["x"]),
        helper.make_node("Mul", ["dw", "dw"], ["square"]),
        helper.make_node("ReduceSum", ["square"], ["penalty"], keepdims=0),
        gradient(["w", "x"], ["ddw", "ddx"], ["w", "x"], "penalty"),
    ]
    weights = {"w": W, "b": B}
    ddw, ddx = run(nodes, {"x": X}, {"ddw": 2, "ddx": 2}, weights)

    def penalty(x=X, w=W):
        (dw,) = run(nodes[:-3], {"x": x}, {"dw": 2}, {"w": w, "b": B})
        return (dw**2).sum()

    np.testing.assert_allclose(ddw, differences(lambda w: penalty(w=w), W), rtol=1e-6)
    np.testing.assert_allclose(ddx, differences(lambda x: penalty(x=x), X), rtol=1e-6)


def test_at_other_values():
    other = RANDOM.normal(size=(5, 4))
    nodes = [*NET, gradient(["o", "b"], ["dh", "db"], ["h", "b"], "loss")]
    dh, db = run(nodes, {"x": X, "o": other}, {"dh": 2, "db": 1}, {"w": W, "b": B})

    def rest(h=other, b=B):
        return (np.tanh(h + b) ** 2).sum()

    np.testing.assert_allclose(dh, differences(lambda h: rest(h=h), other), rtol=1e-7)
    np.testing.assert_allclose(db, differences(lambda b: rest(b=b), B), rtol=1e-7)


@pytest.mark.parametrize("flag", [True, False])
def test_in_a_branch(flag):
    def branch(name, nodes, output):
        port = helper.make_tensor_value_info(output, TensorProto.DOUBLE, [None, None])
        return helper.make_graph(nodes, name, [], [port])

    inside = [
        helper.make_node("Mul", ["w", "w"], ["v"]),
        helper.make_node("Mul", ["v", "w"], ["c"]),
        gradient(["w"], ["inner"], ["w"], "c"),
    ]
    nodes = [
        *NET,
        helper.make_node(
            "If",
            ["flag"],
            ["g"],
            then_branch=branch("a", [gradient(["w"], ["outer"], ["w"], "loss")], "outer"),
            else_branch=branch("b", inside, "inner"),
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.DOUBLE, X.shape),
            helper.make_tensor_value_info("flag", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("g", TensorProto.DOUBLE, W.shape)],
        [numpy_helper.from_array(W, "w"), numpy_helper.from_array(B, "b")],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=10)
    (got,) = weft.compile(model, threads=1).run([X, np.array(flag)])
    wanted = differences(lambda w: net(w=w), W) if flag else 3 * W**2
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_in_a_function():
    """Names in the attributes are those of the function's values, whatever they are
    called where it is inlined; also of two calls, and of one in another."""
    opsets = [*OPSETS, helper.make_opsetid("own", 1)]
    square = [
        helper.make_node("Mul", ["a", "b"], ["p"]),
        helper.make_node("Mul", ["p", "a"], ["q"]),
        helper.make_node("ReduceSum", ["q"], ["s"], keepdims=0),
        gradient(["a", "b"], ["d"], ["a"], "s", ["b"]),
    ]
    twice = [
        helper.make_node("slope", ["x", "y"], ["first"], domain="own"),
        helper.make_node("slope", ["first", "x"], ["second"], domain="own"),
    ]
    functions = [
        helper.make_function("own", "slope", ["a", "b"], ["d"], square, opsets),
        helper.make_function("own", "twice", ["x", "y"], ["first", "second"], twice, opsets),
    ]
    sizes = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, [3]) for n in "uvfs"]
    call = helper.make_node("twice", ["u", "v"], ["f", "s"], domain="own")
    graph = helper.make_graph([call], "g", sizes[:2], sizes[2:])
    model = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10)
    u, v = RANDOM.normal(size=(2, 3))
    first, second = weft.compile(model, threads=1).run([u, v])
    np.testing.assert_allclose(first, 2 * u * v)
    np.testing.assert_allclose(second, 2 * first * u)


def test_what_is_wrong_is_said():
    def fails(node, match):
        with pytest.raises(weft.Error, match=match):
            run([*NET, node], {"x": X}, {"g": 2}, {"w": W, "b": B})

    fails(gradient(["w"], ["g"], ["w"], "nothing"), "there is no tensor 'nothing' in front of")
    fails(gradient(["w"], ["g"], ["nothing"], "loss"), "there is no tensor 'nothing' in front of")
    fails(gradient(["w", "b"], ["g"], ["w"], "loss"), "has 2 inputs, wanted 1, one per name")
