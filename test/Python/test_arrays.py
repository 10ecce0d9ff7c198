"""Element types, and memory shared with numpy and by DLPack."""

import ml_dtypes
import numpy as np
import onnx
import pytest
import weft
from onnx import helper
from textmodel import parse

PLAIN = ["float32", "float64", "float16", "int8", "int16", "int32", "int64",
         "uint8", "uint16", "uint32", "uint64", "bool"]  # fmt: skip
NARROW = ["bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
          "float8_e5m2fnuz", "int4", "uint4"]  # fmt: skip


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name, None) or name)


def identity(dtype, opset=21):
    """A model that reverses a vector, whatever its elements are."""
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    graph = helper.make_graph(
        [helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])],
        "g",
        [helper.make_tensor_value_info("x", kind, [2, 3])],
        [helper.make_tensor_value_info("y", kind, [3, 2])],
    )
    return helper.make_model(
        graph, ir_version=10, opset_imports=[helper.make_opsetid("", opset)]
    )


@pytest.mark.parametrize("name", PLAIN + NARROW)
def test_element_types(name):
    dtype = dtype_of(name)
    f = weft.compile(identity(dtype))
    x = np.array([[0, 1, 2], [3, 1, 0]]).astype(dtype)
    y = f(x)
    assert y.dtype == dtype and f.inputs[0].dtype == dtype
    assert y.tobytes() == np.ascontiguousarray(x.T).tobytes()


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_arithmetic_in_half_precision(name):
    dtype = dtype_of(name)
    kind = "float16" if name == "float16" else "bfloat16"
    f = weft.compile(
        parse(f"g ({kind}[4] a, {kind}[4] b) => ({kind}[4] y) {{ y = Mul(a, b) }}")
    )
    a = np.array([1, 2, 3, 0.5], dtype)
    y = f(a, a)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.astype(np.float32), [1, 4, 9, 0.25])


def test_quantized_to_four_bits():
    f = weft.compile(
        parse(
            """
            g (float[4] x) => (float[4] y, int4[4] q)
            <float scale = {0.5}, int4 zero = {0}>
            { q = QuantizeLinear(x, scale, zero)
              y = DequantizeLinear(q, scale, zero) }
            """
        )
    )
    y, q = f(np.array([1, -1, 100, 0.2], np.float32))
    assert q.dtype == ml_dtypes.int4
    np.testing.assert_array_equal(q.astype(int), [2, -2, 7, 0])
    np.testing.assert_array_equal(y, [1, -1, 3.5, 0])


def seen_by(f, *inputs):
    """The addresses of the inputs as they went to the runtime."""
    seen = []

    class Spy:
        def __init__(self, program):
            self.program = program

        def run(self, buffers, outputs):
            seen.extend(buffer[0] for buffer in buffers)
            return self.program.run(buffers, outputs)

    program, f._program = f._program, None
    f._program = Spy(program)
    try:
        result = f(*inputs)
    finally:
        f._program = program
    return seen, result


@pytest.fixture
def negate():
    return weft.compile(parse("g (float[N] x) => (float[N] y) { y = Neg(x) }"))


def test_numpy_inputs_are_read_in_place(negate):
    x = np.arange(5, dtype=np.float32)
    for part in (x, x[1:], x[2:4]):
        seen, y = seen_by(negate, part)
        assert seen == [part.ctypes.data]
        np.testing.assert_array_equal(y, -part)


def test_inputs_that_are_not_contiguous_are_copied(negate):
    x = np.arange(10, dtype=np.float32)[::2]
    np.testing.assert_array_equal(negate(x), -x)


class Foreign:
    """A tensor of a library that speaks DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **kwargs):
        return weft.dlpack(self.array).__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return 1, 0


def test_dlpack_inputs_are_read_in_place(negate):
    x = np.arange(5, dtype=np.float32)
    seen, y = seen_by(negate, Foreign(x))
    assert seen == [x.ctypes.data]
    np.testing.assert_array_equal(y, -x)


def test_results_own_the_memory_that_was_written(negate):
    y = negate(np.arange(5, dtype=np.float32))
    assert y.flags.writeable and y.ctypes.data % 64 == 0
    shared = np.from_dlpack(y)
    assert shared.ctypes.data == y.ctypes.data


def test_given_arrays_are_written_in_place(negate):
    room = np.empty(6, np.float32)[1:]
    (y,) = negate.run([np.arange(5, dtype=np.float32)], out=[room])
    assert y.ctypes.data == room.ctypes.data
    np.testing.assert_array_equal(room, -np.arange(5, dtype=np.float32))


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_dlpack_of_types_that_numpy_does_not_exchange(name):
    dtype = dtype_of(name)
    f = weft.compile(identity(dtype))
    x = np.array([[0, 1, 2], [3, 1, 0]]).astype(dtype)
    seen, y = seen_by(f, Foreign(x))
    assert seen == [x.ctypes.data]
    assert y.tobytes() == np.ascontiguousarray(x.T).tobytes()


def test_torch(negate):
    torch = pytest.importorskip("torch")
    x = torch.arange(5, dtype=torch.float32)
    seen, y = seen_by(negate, x)
    assert seen == [x.data_ptr()]
    back = torch.from_dlpack(y)
    assert back.data_ptr() == y.ctypes.data
    assert torch.equal(back, -x)
    f = weft.compile(identity(dtype_of("bfloat16")))
    x = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)
    seen, y = seen_by(f, x)
    assert seen == [x.data_ptr()]
    back = torch.from_dlpack(weft.dlpack(y))
    assert back.data_ptr() == y.ctypes.data
    assert torch.equal(back, x.T)
