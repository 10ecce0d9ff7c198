"""What kernels ask of memory, as the emulator counts it: no more sectors of 32
bytes than what they read and write fills, and no bank conflicts."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
sys.path.append(str(ROOT / "test/Kernel"))
from attention import attention  # noqa: E402
from function import TABLE, Function  # noqa: E402

WEFT = os.environ.get("WEFT_TOOL", "weft")
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()
BYTES = {"f64": 8, "i64": 8, "f32": 4, "f16": 2, "bf16": 2, "i8": 1, "i1": 1}


def sectors(*tensors):
    """Of 32 bytes, which the elements of tensors fill: (elements, type), ..."""
    return sum(count * BYTES[element] // 32 for count, element in tensors)


def count(folder, *values):
    """The counters of the kernels of a program, added up."""
    values[0].ret(*values[1:])
    (folder / "model.mlir").write_text(TABLE.pop()[1])
    subprocess.run(
        [WEFT, "run", folder / "model.mlir", "--start-at", "tensor", "--random", "--target", "cuda"],
        check=True,
        timeout=120,
        capture_output=True,
        env=dict(
            os.environ,
            WEFT_LIBCUDA=str(BUILD / "fake-cuda/libcuda.so.1"),
            WEFT_FAKECUDA_COUNTERS=str(folder / "counters.json"),
        ),
    )
    kernels = json.loads((folder / "counters.json").read_text()).values()
    return {name: sum(kernel[name] for kernel in kernels) for name in next(iter(kernels))}


@pytest.mark.parametrize("element", ["f32", "f64", "f16", "bf16", "i8", "i64"])
@pytest.mark.parametrize("shape", [[96, 64], [8192], [6, 32, 32]])
def test_elementwise(tmp_path, element, shape):
    f = Function("main")
    x, y = f.arg(shape, element), f.arg(shape, element)
    size = 1
    for n in shape:
        size *= n
    counters = count(tmp_path, f, f.unary("neg", f.binary("add", x, y)))
    assert counters["global_sectors"] == sectors(*[(size, element)] * 3)
    # A request of a warp moves 512 bytes.
    assert counters["global_requests"] == 3 * size * BYTES[element] // 512


def test_what_does_not_fill_the_last_access(tmp_path):
    f = Function("main")
    x = f.arg([8195])
    counters = count(tmp_path, f, f.unary("neg", x))
    assert counters["global_sectors"] <= sectors(*[(8192, "f32")] * 2) + 2 * 3


def test_mixed_types(tmp_path):
    f = Function("main")
    x = f.arg([64, 64], "i8")
    counters = count(tmp_path, f, f.cast(x, "f32"))
    assert counters["global_sectors"] == sectors((4096, "i8"), (4096, "f32"))


@pytest.mark.parametrize("dims, shape", [([1], [64]), ([0], [64]), ([], [])])
def test_broadcast(tmp_path, dims, shape):
    f = Function("main")
    x, b = f.arg([64, 64]), f.arg(shape)
    counters = count(tmp_path, f, f.binary("mul", x, f.broadcast(b, dims, x.shape)))
    # Requests for what is broadcast: a vector along the rows is read as x is;
    # else each of the 32 warps wants no more than two rows' elements.
    extra = sectors((4096, "f32")) if dims == [1] else 2 * 32
    assert counters["global_sectors"] <= sectors(*[(4096, "f32")] * 2) + extra


@pytest.mark.parametrize("element", ["f32", "f16", "i8"])
def test_copies(tmp_path, element):
    f = Function("main")
    x, y = f.arg([64, 64], element), f.arg([64, 64], element)
    counters = count(tmp_path, f, f.concat([x, y], 1), f.concat([x, y], 0))
    assert counters["global_sectors"] == sectors(*[(8192, element)] * 4)


def test_slices_and_pads(tmp_path):
    f = Function("main")
    x = f.arg([64, 128])
    part = f.slice(x, [8, 32], [32, 64], [1, 1])
    wide = f.pad(x, f.constant(0.0), [1, 32], [1, 32])
    counters = count(tmp_path, f, part, wide)
    moved = [(32 * 64, "f32")] * 2 + [(64 * 128, "f32"), (66 * 192, "f32")]
    assert counters["global_sectors"] == sectors(*moved)


@pytest.mark.parametrize("element", ["f64", "f32", "f16", "i8"])
@pytest.mark.parametrize(
    "shape, permutation",
    [
        ([128, 96], [1, 0]),
        ([4, 64, 32], [0, 2, 1]),
        ([2, 32, 8, 8], [0, 2, 3, 1]),
        ([2, 8, 8, 32], [0, 3, 1, 2]),
        ([2, 3, 4, 64, 32], [0, 2, 1, 4, 3]),
    ],
)
def test_transposes(tmp_path, element, shape, permutation):
    f = Function("main")
    x = f.arg(shape, element)
    size = 1
    for n in shape:
        size *= n
    counters = count(tmp_path, f, f.unary("neg", f.transpose(x, permutation)))
    assert counters["global_sectors"] == sectors(*[(size, element)] * 2)
    assert counters["shared_requests"] > 0
    assert counters["shared_wavefronts"] == counters["ideal_shared_wavefronts"]


def test_transposes_of_few_columns(tmp_path):
    f = Function("main")
    x, y = f.arg([1024, 3]), f.arg([3, 1024])
    counters = count(tmp_path, f, f.transpose(x, [1, 0]), f.transpose(y, [1, 0]))
    assert counters["global_sectors"] <= 1.1 * sectors(*[(3072, "f32")] * 4)
    assert counters["shared_wavefronts"] <= 1.1 * counters["ideal_shared_wavefronts"]


@pytest.mark.parametrize("element", ["f32", "f16"])
@pytest.mark.parametrize("shape, axes", [([64, 256], [1]), ([512, 64], [0]), ([16, 32, 64], [0, 2])])
def test_rows(tmp_path, element, shape, axes):
    f = Function("main")
    x = f.arg(shape, element)
    size = 1
    for n in shape:
        size *= n
    counters = count(tmp_path, f, f.reduce("sum", x, axes))
    # What is read, and a sector for each of the few results and parts of them.
    assert counters["global_sectors"] <= sectors((size, element)) + 512


def test_softmax(tmp_path):
    f = Function("main")
    x = f.arg([64, 256])
    counters = count(tmp_path, f, f.softmax(x, 1))
    # Read for the maximum, and kept for the sum and for the result.
    assert counters["global_sectors"] == sectors(*[(64 * 256, "f32")] * 2)


@pytest.mark.parametrize("element", ["f32", "f16", "f64"])
@pytest.mark.parametrize("is_deep", [False, True])
def test_sums_of_columns_and_rows(tmp_path, element, is_deep):
    """As gradients of biases are: the matrix is read 16 bytes by each thread."""
    f = Function("main")
    ones = f.broadcast(f.constant(1, element=element), [], [2048])
    x = f.arg([64, 2048] if is_deep else [2048, 64], element)
    sums = f.contract(x, ones, contract=([1], [0])) if is_deep else f.contract(ones, x, contract=([0], [0]))
    counters = count(tmp_path, f, sums)
    # Parts of sums go to memory and back where blocks share the depth.
    parts = 64 * 64
    assert counters["global_sectors"] <= sectors((2048 * 64, element)) + 2 * parts * BYTES[element] // 16
    assert counters["global_requests"] <= 2048 * 64 * BYTES[element] // 512 + 2 * parts // 16


@pytest.mark.parametrize("element", ["f32", "f16"])
def test_product_of_a_row_and_a_matrix(tmp_path, element):
    f = Function("main")
    x, w = f.arg([1, 2048], element), f.arg([2048, 64], element)
    counters = count(tmp_path, f, f.contract(x, w, contract=([1], [0]), element="f32"))
    # The row is read again for each 128 bytes of a row of the matrix.
    matrix = sectors((2048 * 64, element))
    assert counters["global_sectors"] <= matrix + matrix // 4 + 64 * 64


# A block reads its tile of 64 queries once, and all keys and values.
@pytest.mark.parametrize("element", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("is_split", [False, True])
def test_attention(tmp_path, element, is_split):
    f = Function("main")
    shape = [2, 128, 4, 64] if is_split else [2, 4, 128, 64]
    q, k, v = (f.arg(shape, element) for _ in range(3))
    if is_split:
        q, k, v = (f.transpose(x, [0, 2, 1, 3]) for x in (q, k, v))
    counters = count(tmp_path, f, *attention(f, q, k, v))
    size = 2 * 4 * 128 * 64
    # A logarithm per row: warps of f32 write four neighbours at a time, half a sector.
    logarithms = [(size // 64, "f32")] * (2 if element == "f32" else 1)
    assert counters["global_sectors"] == sectors(*[(size, element)] * 6, *logarithms)


# A thread computes one element, and neighbours read neighbours: per tap as many
# sectors as the elements fill, or 1.25 times as many where rows are not aligned.
@pytest.mark.parametrize("kind", ["max", "sum"])
def test_windows(tmp_path, kind):
    f = Function("main")
    x = f.arg([2, 8, 64, 64])
    y = f.window("reduce_window", kind, x, [1, 1, 3, 3], low=[0, 0, 1, 1], high=[0, 0, 1, 1])
    counters = count(tmp_path, f, y)
    size = sectors((2 * 8 * 64 * 64, "f32"))
    assert counters["global_sectors"] <= size * (9 * 1.25 + 1)


def test_gradient_of_averages(tmp_path):
    f = Function("main")
    g = f.arg([2, 8, 64, 64])
    y = f.spread(g, None, [2, 8, 64, 64], [1, 1, 3, 3], low=[0, 0, 1, 1], high=[0, 0, 1, 1])
    counters = count(tmp_path, f, y)
    size = sectors((2 * 8 * 64 * 64, "f32"))
    assert counters["global_sectors"] <= size * (9 * 1.25 + 1)
