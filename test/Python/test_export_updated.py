"""Copies of models with other weights: what changes, and what stays."""

import ctypes
import os
import pathlib

import ml_dtypes
import numpy as np
import onnx
import pytest
import weft
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from weft.arrays import CODES

MAX_RANK = 16


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("bytes", ctypes.c_int64), ("dtype", ctypes.c_int),
        ("rank", ctypes.c_int32), ("dims", ctypes.c_int64 * MAX_RANK),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def library():
    package = pathlib.Path(weft.__file__).parent
    # An installed package has the library in it, a build beside its folder.
    folder = package if (package / "lib").is_dir() else package.parents[1]
    header = (pathlib.Path(__file__).parents[2] / "include/weft-rt/program.h").read_text()
    assert f"#define WEFT_MAX_RANK {MAX_RANK}" in header
    return ctypes.CDLL(str(folder / "lib/libweft.so"))


class Update(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("value", Tensor)]


@pytest.fixture
def export(library):
    def run(path, output, tensors, metadata=None):
        """The message; empty if the export succeeded."""
        arrays = [np.ascontiguousarray(array) for array in tensors.values()]
        updates = (Update * len(arrays))()
        for update, name, array in zip(updates, tensors, arrays):
            update.name, to = name.encode(), update.value
            to.data, to.bytes = array.ctypes.data, array.nbytes
            to.dtype, to.rank = CODES[array.dtype], array.ndim
            to.dims[: array.ndim] = array.shape
        pairs = [text.encode() for pair in (metadata or {}).items() for text in pair]
        message = ctypes.c_char_p()
        outcome = library.weft_export_updated(
            str(path).encode(), str(output).encode(), len(arrays), updates,
            len(pairs) // 2, (ctypes.c_char_p * len(pairs))(*pairs),
            ctypes.byref(message))  # fmt: skip
        assert (outcome == 0) == (not message.value)
        return (message.value or b"").decode()
    return run


def make_model(*initializers, nodes=(), **fields):
    """A model that sums the means of its initializers, each cast to float."""
    nodes = list(nodes)
    for i, tensor in enumerate(initializers):
        nodes.append(helper.make_node("Cast", [tensor.name], [f"c{i}"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("ReduceMean", [f"c{i}"], [f"m{i}"], keepdims=0))
    nodes.append(helper.make_node("Sum", [f"m{i}" for i in range(len(initializers))], ["y"]))
    graph = helper.make_graph(
        nodes, "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
        list(initializers), doc_string="a graph")  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)],
                             ir_version=10, producer_name="someone", **fields)


def random(*shape, dtype="float32"):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def initializer(path, name):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    return numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == name))


def differing(a, b):
    """The first and the last place where two files of one size differ."""
    a, b = (np.frombuffer(pathlib.Path(f).read_bytes(), np.uint8) for f in (a, b))
    assert len(a) == len(b)
    places = np.flatnonzero(a != b)
    return (places[0], places[-1]) if len(places) else None


def test_only_the_bytes_of_raw_data_change(tmp_path, export):
    model = make_model(numpy_helper.from_array(random(4, 3), "w"),
                       numpy_helper.from_array(random(3), "b"))
    # Fields that no schema knows stay, too.
    old = model.SerializeToString() + b"\xfa\x3e\x03abc"
    (tmp_path / "in.onnx").write_bytes(old)
    new = random(4, 3) + 10
    assert not export(tmp_path / "in.onnx", tmp_path / "out.onnx", {"w": new})
    written = (tmp_path / "out.onnx").read_bytes()
    at = old.index(random(4, 3).tobytes())
    assert written == old[:at] + new.tobytes() + old[at + new.nbytes :]
    np.testing.assert_array_equal(initializer(tmp_path / "out.onnx", "w"), new)


def test_nothing_changes_without_changes(tmp_path, export):
    model = make_model(numpy_helper.from_array(random(4, 3), "w"))
    onnx.save(model, tmp_path / "in.onnx")
    assert not export(tmp_path / "in.onnx", tmp_path / "out.onnx", {})
    assert differing(tmp_path / "in.onnx", tmp_path / "out.onnx") is None


@pytest.mark.parametrize("dtype,field", [
    ("float32", "float_data"), ("float64", "double_data"),
    ("float16", "int32_data"), ("bfloat16", "int32_data"),
])  # fmt: skip
def test_typed_data_keeps_its_form(tmp_path, export, dtype, field):
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    old = random(5, 2, dtype=dtype)
    tensor = TensorProto(name="w", data_type=kind, dims=[5, 2], doc_string="mine")
    values = old.view(np.uint16) if dtype.itemsize == 2 else old
    getattr(tensor, field).extend(values.flatten().tolist())
    onnx.save(make_model(tensor), tmp_path / "in.onnx")
    new = (random(5, 2) * 100 - 7).astype(dtype)
    assert not export(tmp_path / "in.onnx", tmp_path / "out.onnx", {"w": new})
    written = onnx.load(tmp_path / "out.onnx").graph.initializer[0]
    assert len(getattr(written, field)) == 10 and not written.HasField("raw_data")
    assert written.doc_string == "mine"
    assert initializer(tmp_path / "out.onnx", "w").tobytes() == new.tobytes()


def test_elements_with_tags_of_their_own(tmp_path, export):
    # What a writer that does not pack makes of two numbers.
    old = np.array([1, 2], "<f4")
    packed = TensorProto(data_type=TensorProto.FLOAT, dims=[2], name="w", float_data=old)
    loose = b"".join(b"\x25" + x.tobytes() for x in old)
    model = make_model(packed).SerializeToString()
    body = packed.SerializeToString()
    unpacked = body.replace(b"\x22\x08" + old.tobytes(), loose)
    assert model.count(body) == 1 and len(unpacked) == len(body)
    (tmp_path / "in.onnx").write_bytes(model.replace(body, unpacked))
    new = np.array([3, 4], "<f4")
    assert not export(tmp_path / "in.onnx", tmp_path / "out.onnx", {"w": new})
    wanted = unpacked.replace(loose, b"".join(b"\x25" + x.tobytes() for x in new))
    assert (tmp_path / "out.onnx").read_bytes() == model.replace(body, wanted)


def test_metadata(tmp_path, export):
    model = make_model(numpy_helper.from_array(random(2), "w"))
    helper.set_model_props(model, {"author": "a", "epochs": "1"})
    onnx.save(model, tmp_path / "in.onnx")
    assert not export(tmp_path / "in.onnx", tmp_path / "out.onnx", {},
                      {"epochs": "20", "note": "größer"})
    written = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(written)
    assert {p.key: p.value for p in written.metadata_props} == {
        "author": "a", "epochs": "20", "note": "größer"}  # fmt: skip
    assert len(written.metadata_props) == 3


def test_names_of_inner_graphs_are_others(tmp_path, export):
    inner = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["z"])], "inner", [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(random(2) + 1, "w")])  # fmt: skip
    nodes = [helper.make_node("If", ["c"], ["u"], then_branch=inner, else_branch=inner)]
    model = make_model(numpy_helper.from_array(np.array(True), "c"), nodes=nodes)
    onnx.save(model, tmp_path / "in.onnx")
    message = export(tmp_path / "in.onnx", tmp_path / "out.onnx", {"w": random(2)})
    assert "WFT1012" in message and "main graph has the name 'w'" in message
    assert not (tmp_path / "out.onnx").exists()


def save_external(folder, **sizes):
    folder.mkdir(exist_ok=True)
    model = make_model(*[numpy_helper.from_array(random(n), name) for name, n in sizes.items()])
    onnx.save(model, folder / "in.onnx", save_as_external_data=True, location="w.bin",
              size_threshold=0)  # fmt: skip


def test_external_data_in_another_folder(tmp_path, export):
    save_external(tmp_path / "a", u=1000, w=2000, v=30)
    (tmp_path / "b").mkdir()
    new = random(2000) + 10
    assert not export(tmp_path / "a/in.onnx", tmp_path / "b/out.onnx", {"w": new})
    assert differing(tmp_path / "a/in.onnx", tmp_path / "b/out.onnx") is None
    first, last = differing(tmp_path / "a/w.bin", tmp_path / "b/w.bin")
    tensor = onnx.load(tmp_path / "a/in.onnx", load_external_data=False).graph.initializer[1]
    offset = external_data_helper.ExternalDataInfo(tensor).offset or 0
    assert offset <= first and last < offset + new.nbytes
    np.testing.assert_array_equal(initializer(tmp_path / "b/out.onnx", "w"), new)
    np.testing.assert_array_equal(initializer(tmp_path / "b/out.onnx", "u"), random(1000))
    assert sorted(os.listdir(tmp_path / "b")) == ["out.onnx", "w.bin"]


def test_external_data_in_the_same_folder(tmp_path, export):
    save_external(tmp_path / "a", u=1000, w=2000)
    before = (tmp_path / "a/w.bin").read_bytes()
    new = random(2000) + 10
    assert not export(tmp_path / "a/in.onnx", tmp_path / "a/out.onnx", {"w": new})
    assert (tmp_path / "a/w.bin").read_bytes() == before
    assert sorted(os.listdir(tmp_path / "a")) == ["in.onnx", "out.onnx", "out.onnx.w.bin", "w.bin"]
    np.testing.assert_array_equal(initializer(tmp_path / "a/out.onnx", "w"), new)
    np.testing.assert_array_equal(initializer(tmp_path / "a/out.onnx", "u"), random(1000))
    # Where no tensor of a file changes, both models share it.
    assert not export(tmp_path / "a/in.onnx", tmp_path / "a/same.onnx", {}, {"k": "v"})
    assert not (tmp_path / "a/same.onnx.w.bin").exists()
    np.testing.assert_array_equal(initializer(tmp_path / "a/same.onnx", "w"), random(2000))


def test_in_place(tmp_path, export):
    model = make_model(numpy_helper.from_array(random(4), "w"))
    onnx.save(model, tmp_path / "in.onnx")
    assert not export(tmp_path / "in.onnx", tmp_path / "in.onnx", {"w": random(4) + 1})
    np.testing.assert_array_equal(initializer(tmp_path / "in.onnx", "w"), random(4) + 1)
    save_external(tmp_path / "a", w=20)
    message = export(tmp_path / "a/in.onnx", tmp_path / "a/in.onnx", {"w": random(20) + 1})
    assert "would replace its own external data" in message
    np.testing.assert_array_equal(initializer(tmp_path / "a/in.onnx", "w"), random(20))


def share_external(folder):
    save_external(folder, u=20, w=20)
    model = onnx.load(folder / "in.onnx", load_external_data=False)
    for entry in model.graph.initializer[1].external_data:
        if entry.key == "offset":
            entry.value = "0"
    onnx.save(model, folder / "in.onnx")


@pytest.mark.parametrize("make,tensors,wanted", [
    (None, {"x": random(3)}, "WFT1001: can't read"),
    (lambda f: save_external(f, w=3), {"x": random(3), "y": random(3)}, "main graph has the name 'x', 'y'"),
    (lambda f: save_external(f, w=3), {"w": random(4)}, "FLOAT[3], its replacement of 'tensor<4xf32>'"),
    (lambda f: save_external(f, w=3), {"w": random(3, dtype="float64")}, "its replacement of 'tensor<3xf64>'"),
    (share_external, {"w": random(20)}, "tensors 'u' and 'w' share external data"),
])  # fmt: skip
def test_what_is_wrong_leaves_nothing_behind(tmp_path, export, make, tensors, wanted):
    if make:
        make(tmp_path / "a")
    (tmp_path / "b").mkdir()
    message = export(tmp_path / "a/in.onnx", tmp_path / "b/out.onnx", tensors)
    assert wanted in message
    assert os.listdir(tmp_path / "b") == []


def test_constants_of_the_main_graph(tmp_path, export):
    nodes = [helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(random(3), "other"))]
    nodes.append(helper.make_node("Identity", ["k"], ["l"]))
    model = make_model(numpy_helper.from_array(random(3) + 1, "w"), nodes=nodes)
    onnx.save(model, tmp_path / "in.onnx")
    assert not export(tmp_path / "in.onnx", tmp_path / "out.onnx", {"k": random(3) + 2})
    written = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(written)
    value = numpy_helper.to_array(written.graph.node[0].attribute[0].t)
    np.testing.assert_array_equal(value, random(3) + 2)
    first, last = differing(tmp_path / "in.onnx", tmp_path / "out.onnx")
    assert last - first < 12
    assert "main graph has the name 'other'" in export(
        tmp_path / "in.onnx", tmp_path / "out.onnx", {"other": random(3)})  # fmt: skip


def test_text_becomes_binary(tmp_path, export):
    (tmp_path / "in.onnxtxt").write_text("""
        <ir_version: 10, opset_import: ["" : 21]>
        g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Mul(x, w) }""")
    new = np.array([3, 4], "float32")
    assert not export(tmp_path / "in.onnxtxt", tmp_path / "out.onnx", {"w": new})
    np.testing.assert_array_equal(initializer(tmp_path / "out.onnx", "w"), new)


def test_damage(tmp_path, export):
    data = make_model(numpy_helper.from_array(random(100), "w")).SerializeToString()
    (tmp_path / "in.onnx").write_bytes(data[:-50])
    message = export(tmp_path / "in.onnx", tmp_path / "out.onnx", {})
    assert "truncated or damaged" in message and not (tmp_path / "out.onnx").exists()
