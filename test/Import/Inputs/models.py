"""Writes binary models, sound and broken ones, into a folder."""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

folder = sys.argv[1]
os.makedirs(os.path.join(folder, "model"), exist_ok=True)


def path(name):
    return os.path.join(folder, "model", name)


def make(initializers, nodes=None, inputs=(), output=("y", [None])):
    """A model that adds its initializers to nothing: y = Identity(w)."""
    nodes = nodes or [helper.make_node("Identity", ["w"], ["y"])]
    graph = helper.make_graph(
        nodes, "net", list(inputs),
        [helper.make_tensor_value_info(output[0], TensorProto.FLOAT,
                                       output[1])],
        initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 28)],
                             ir_version=13)


def save(name, model):
    with open(path(name), "wb") as file:
        file.write(model if isinstance(model, bytes)
                   else model.SerializeToString())


def external(name, location, offset=None, length=None, size=1024):
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[size],
                         data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset),
                       ("length", length)):
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    return tensor


values = np.arange(1024, dtype=np.float32)
large = numpy_helper.from_array(values, "w")
save("large.onnx", make([large]))

# The same numbers in a typed field.
typed = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1024],
                    float_data=values.tolist())
save("typed.onnx", make([typed]))

# Four bits each, in raw data and in a typed field.
packed = [
    TensorProto(name="raw", data_type=TensorProto.INT4, dims=[3],
                raw_data=b"\x21\x0f"),
    TensorProto(name="field", data_type=TensorProto.UINT4, dims=[3],
                int32_data=[0x21, 0x0f]),
    TensorProto(name="half", data_type=TensorProto.FLOAT16, dims=[2],
                int32_data=[0x3c00, 0xc000]),
    TensorProto(name="flags", data_type=TensorProto.BOOL, dims=[3],
                raw_data=b"\x01\x00\x01"),
    numpy_helper.from_array(values[:2], "w"),
]
save("small.onnx", make(packed, output=("y", [2])))

# Sparse: 5 at 1, 7 at 3.
sparse = onnx.SparseTensorProto(
    values=numpy_helper.from_array(np.array([5, 7], np.float32), "w"),
    indices=numpy_helper.from_array(np.array([1, 3], np.int64), "i"), dims=[4])
model = make([], output=("y", [4]))
model.graph.sparse_initializer.append(sparse)
save("sparse.onnx", model)

# An initializer that is an input too.
save("override.onnx",
     make([numpy_helper.from_array(values[:2], "w")],
          inputs=[helper.make_tensor_value_info("w", TensorProto.FLOAT, [2])],
          output=("y", [2])))

# External data: good, small, and pointing where it must not.
with open(path("weights.bin"), "wb") as file:
    file.write(b"\0" * 64 + values.tobytes())
with open(os.path.join(folder, "secret.bin"), "wb") as file:
    file.write(values.tobytes())
if not os.path.islink(path("link.bin")):
    os.symlink("../secret.bin", path("link.bin"))
save("external.onnx", make([external("w", "weights.bin", 64, 4096)]))
save("external-small.onnx",
     make([external("w", "weights.bin", 68, 8, 2)], output=("y", [2])))
save("external-up.onnx", make([external("w", "../secret.bin")]))
save("external-absolute.onnx",
     make([external("w", os.path.join(os.path.abspath(folder), "secret.bin"))]))
save("external-link.onnx", make([external("w", "link.bin")]))
save("external-missing.onnx", make([external("w", "none.bin")]))
save("external-short.onnx", make([external("w", "weights.bin", 128, 4096)]))
save("external-length.onnx", make([external("w", "weights.bin", 64, 4000)]))
save("external-number.onnx", make([external("w", "weights.bin", -1, 4096)]))

# Broken ones.
good = make([large]).SerializeToString()
save("truncated.onnx", good[:-300])
save("empty.onnx", b"")
save("noise.onnx", bytes(range(255, 0, -1)) * 10)
# A graph that claims to be longer than the file.
save("lying.onnx", b"\x08\x0d\x3a\xff\xff\xff\xff\x0f" + b"\0" * 100)
# Graphs in attributes of nodes in graphs, 2000 deep.
deep = b""
for _ in range(2000):
    for tag in (b"\x32", b"\x2a", b"\x0a"):
        size, length = len(deep), b""
        while size >= 128:
            length += bytes([size % 128 + 128])
            size //= 128
        deep = tag + length + bytes([size]) + deep
size, length = len(deep), b""
while size >= 128:
    length += bytes([size % 128 + 128])
    size //= 128
save("deep.onnx", b"\x3a" + length + bytes([size]) + deep)
short = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1024],
                    raw_data=b"\0" * 100)
save("short.onnx", make([short]))
huge = TensorProto(name="w", data_type=TensorProto.FLOAT,
                   dims=[2**40, 2**40], raw_data=b"\0" * 4)
save("huge.onnx", make([huge]))
negative = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-4],
                       raw_data=b"\0" * 16)
save("negative.onnx", make([negative]))
# Each function calls the one before it ten times.
functions = []
for level in range(12):
    op = "Neg" if level == 0 else f"f{level - 1}"
    domain = "" if level == 0 else "local"
    names = ["a"] + [f"t{i}" for i in range(9)] + ["b"]
    functions.append(helper.make_function(
        "local", f"f{level}", ["a"], ["b"],
        [helper.make_node(op, [names[i]], [names[i + 1]], domain=domain)
         for i in range(10)],
        [helper.make_opsetid("", 28), helper.make_opsetid("local", 1)]))
bomb = make([large], [helper.make_node("f11", ["w"], ["y"], domain="local")])
bomb.functions.extend(functions)
bomb.opset_import.append(helper.make_opsetid("local", 1))
save("bomb.onnx", bomb)
