"""Writes models of these tests into a folder, with inputs for batches of 1, 3
and 64 and the outputs that ONNX's own evaluator gives for them:

    models.py FOLDER NAME...
"""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
random = np.random.default_rng(0)


def weight(name, *shape):
    values = random.standard_normal(shape).astype(np.float32) / 4
    return numpy_helper.from_array(values, name)


def value(name, shape, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def save(name, nodes, inputs, outputs, weights):
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, os.path.join(folder, name + ".onnx"))
    return model


def node(name, op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, name=name, **attributes)


def convolutional():
    nodes = [
        node("conv1", "Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        node("act1", "Relu", ["c1"], ["r1"]),
        node("pool", "MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2],
             strides=[2, 2]),
        node("depthwise", "Conv", ["p1", "w2"], ["c2"], group=8,
             pads=[1, 1, 1, 1]),
        node("skip", "Add", ["c2", "p1"], ["s"]),
        node("act2", "Relu", ["s"], ["r2"]),
        node("mean", "GlobalAveragePool", ["r2"], ["g"]),
        node("flat", "Flatten", ["g"], ["f"]),
        node("head", "Gemm", ["f", "w3", "b3"], ["l"], transB=1),
        node("prob", "Softmax", ["l"], ["y"], axis=1),
    ]
    weights = [weight("w1", 8, 3, 3, 3), weight("b1", 8),
               weight("w2", 8, 1, 3, 3), weight("w3", 10, 8), weight("b3", 10)]
    return save("convolutional", nodes, [value("x", ["N", 3, 12, 12])],
                [value("y", ["N", 10])], weights)


def transformer():
    """One block of attention with a mask from the data, and a gated MLP."""
    heads = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in
             {"split": [0, 0, 4, 8], "merge": [0, 0, 32]}.items()]
    scale = [numpy_helper.from_array(np.array(8 ** -0.5, np.float32), "scale"),
             numpy_helper.from_array(np.array(-1e9, np.float32), "low"),
             numpy_helper.from_array(np.array(0, np.float32), "zero")]
    nodes = [
        node("embed", "Gather", ["table", "ids"], ["e"]),
        node("norm1", "LayerNormalization", ["e", "g1", "n1"], ["h"]),
        node("unmask1", "Unsqueeze", ["keep", "axes"], ["m1"]),
        node("bias", "Where", ["m1", "zero", "low"], ["m"]),
    ]
    for part in "qkv":
        nodes += [
            node(part + "_proj", "MatMul", ["h", "w" + part], [part + "0"]),
            node(part + "_split", "Reshape", [part + "0", "split"],
                 [part + "1"]),
            node(part + "_heads", "Transpose", [part + "1"], [part + "2"],
                 perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]),
        ]
    nodes += [
        node("scores", "MatMul", ["q2", "k2"], ["a0"]),
        node("scaled", "Mul", ["a0", "scale"], ["a1"]),
        node("masked", "Add", ["a1", "m"], ["a2"]),
        node("attend", "Softmax", ["a2"], ["a3"], axis=-1),
        node("mixed", "MatMul", ["a3", "v2"], ["o0"]),
        node("unheads", "Transpose", ["o0"], ["o1"], perm=[0, 2, 1, 3]),
        node("merged", "Reshape", ["o1", "merge"], ["o2"]),
        node("out_proj", "MatMul", ["o2", "wo"], ["o3"]),
        node("residual1", "Add", ["o3", "e"], ["r"]),
        node("norm2", "LayerNormalization", ["r", "g1", "n1"], ["t"]),
        node("up", "MatMul", ["t", "wu"], ["u"]),
        node("gelu", "Gelu", ["u"], ["ge"]),
        node("down", "MatMul", ["ge", "wd"], ["d"]),
        node("residual2", "Add", ["d", "r"], ["y"]),
    ]
    weights = heads + scale + [
        weight("table", 50, 32), weight("g1", 32), weight("n1", 32),
        numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
        weight("wq", 32, 32), weight("wk", 32, 32), weight("wv", 32, 32),
        weight("wo", 32, 32), weight("wu", 32, 64), weight("wd", 64, 32)]
    return save("transformer", nodes,
                [value("ids", ["N", "T"], TensorProto.INT64),
                 value("keep", ["N", "T"], TensorProto.BOOL)],
                [value("y", ["N", "T", 32])], weights)


def recurrent():
    nodes = [
        node("lstm", "LSTM", ["x", "w", "r", "b"], ["y0", "h", "c"],
             hidden_size=16),
        node("squeeze", "Squeeze", ["y0", "one"], ["y1"]),
        node("head", "MatMul", ["y1", "wh"], ["y"]),
    ]
    weights = [weight("w", 1, 64, 8), weight("r", 1, 64, 16),
               weight("b", 1, 128), weight("wh", 16, 4),
               numpy_helper.from_array(np.array([1], np.int64), "one")]
    return save("recurrent", nodes, [value("x", ["T", "N", 8])],
                [value("y", ["T", "N", 4]), value("h", [1, "N", 16])], weights)


def control():
    """A loop whose trip count is an input, with a branch inside."""
    def branch(name, op):
        return helper.make_graph(
            [node(name, op, ["v", "step"], [name + "_out"])], name, [],
            [value(name + "_out", ["N", 6])])

    body = helper.make_graph([
        node("even", "Mod", ["i", "two"], ["rest"]),
        node("is_odd", "Cast", ["rest"], ["odd"], to=TensorProto.BOOL),
        node("choose", "If", ["odd"], ["next"],
             then_branch=branch("grow", "Add"),
             else_branch=branch("shrink", "Mul")),
        node("go", "Identity", ["cond"], ["cond_out"]),
        node("norm", "ReduceSum", ["next", "rows"], ["sum"], keepdims=0),
    ], "body", [value("i", [], TensorProto.INT64),
                value("cond", [], TensorProto.BOOL), value("v", ["N", 6])],
        [value("cond_out", [], TensorProto.BOOL), value("next", ["N", 6]),
         value("sum", [6])])
    nodes = [
        node("first", "MatMul", ["x", "w"], ["v0"]),
        node("loop", "Loop", ["times", "yes", "v0"], ["v1", "sums"], body=body),
        node("last", "Tanh", ["v1"], ["y"]),
    ]
    weights = [weight("w", 5, 6), weight("step", 6),
               numpy_helper.from_array(np.array(2, np.int64), "two"),
               numpy_helper.from_array(np.array([0], np.int64), "rows"),
               numpy_helper.from_array(np.array(True), "yes")]
    return save("control", nodes, [value("x", ["N", 5]),
                                   value("times", [], TensorProto.INT64)],
                [value("y", ["N", 6]), value("sums", ["L", 6])], weights)


def perceptron():
    """Needs no functions of a mathematical library."""
    nodes = [
        node("hidden", "Gemm", ["x", "w1", "b1"], ["h"]),
        node("act", "Relu", ["h"], ["r"]),
        node("scores", "MatMul", ["r", "w2"], ["s"]),
        node("best", "ReduceMax", ["s", "last"], ["m"], keepdims=1),
        node("loss", "Sub", ["s", "m"], ["y"]),
    ]
    weights = [weight("w1", 20, 33), weight("b1", 33), weight("w2", 33, 10),
               numpy_helper.from_array(np.array([1], np.int64), "last")]
    return save("perceptron", nodes, [value("x", ["N", 20])],
                [value("y", ["N", 10])], weights)


def names():
    """Names that are no identifiers, and one that ends a comment."""
    return save("names", [node("add", "Add", ["a.b", "a/b"], ["*/x"])],
                [value("a.b", [2]), value("a/b", [2])], [value("*/x", [2])],
                [])


def memory():
    """Half-precision weights in a field of integers: in no file as needed."""
    values = random.standard_normal(64 * 64).astype(np.float16)
    typed = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT16,
                             dims=[64, 64],
                             int32_data=values.view(np.uint16).tolist())
    return save("memory", [node("product", "MatMul", ["x", "w"], ["y"])],
                [value("x", ["N", 64], TensorProto.FLOAT16)],
                [value("y", ["N", 64], TensorProto.FLOAT16)], [typed])


def large():
    """100 MB of weights, which are a hole in a file."""
    count = 25_000_000
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT,
                              dims=[count], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="large.bin")
    with open(os.path.join(folder, "large.bin"), "wb") as file:
        file.truncate(4 * count)
    graph = helper.make_graph([node("add", "Add", ["x", "w"], ["y"])], "large",
                              [value("x", [1])], [value("y", [count])],
                              [tensor])
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[
        helper.make_opsetid("", 21)]), os.path.join(folder, "large.onnx"))


def data_set(model, name, inputs):
    """Writes inputs and expected outputs as ONNX's own test data."""
    at = os.path.join(folder, name)
    os.makedirs(at, exist_ok=True)
    outputs = ReferenceEvaluator(model).run(None, inputs)

    def write(kind, number, array, label):
        tensor = numpy_helper.from_array(np.asarray(array), label)
        with open(os.path.join(at, f"{kind}_{number}.pb"), "wb") as file:
            file.write(tensor.SerializeToString())

    for number, (label, array) in enumerate(inputs.items()):
        write("input", number, array, label)
    for number, array in enumerate(outputs):
        write("output", number, array, model.graph.output[number].name)


def floats(*shape):
    return random.standard_normal(shape).astype(np.float32)


def masked(batch):
    keep = random.random((batch, 7)) < 0.7
    keep[:, 0] = True
    return {"ids": random.integers(0, 50, (batch, 7)), "keep": keep}


MODELS = {
    "convolutional": (convolutional,
                      lambda batch: {"x": floats(batch, 3, 12, 12)}),
    "transformer": (transformer, masked),
    "recurrent": (recurrent, lambda batch: {"x": floats(5, batch, 8)}),
    "control": (control, lambda batch: {"x": floats(batch, 5),
                                        "times": np.array(batch, np.int64)}),
    "perceptron": (perceptron, lambda batch: {"x": floats(batch, 20)}),
    "memory": (memory,
               lambda batch: {"x": floats(batch, 64).astype(np.float16)}),
    "names": (names, lambda batch: {"a.b": floats(2), "a/b": floats(2)}),
}
for name in sys.argv[2:]:
    if name == "large":
        large()
        continue
    make, inputs = MODELS[name]
    made = make()
    for batch in (1, 3, 64):
        data_set(made, f"{name}_{batch}", inputs(batch))
