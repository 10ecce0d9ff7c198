"""Compiling, loading, saving and calling."""

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import weft
from textmodel import parse


def ramp(*dims):
    return np.arange(np.prod(dims), dtype=np.float32).reshape(dims)


@pytest.mark.parametrize("kind", ["proto", "bytes", "path", "pathlib", "text"])
def test_compiles_from(kind, affine, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(affine, path)
    text = tmp_path / "model.onnxtxt"
    text.write_text(onnx.printer.to_text(affine))
    model = {
        "proto": affine,
        "bytes": affine.SerializeToString(),
        "path": os.fspath(path),
        "pathlib": path,
        "text": text,
    }[kind]
    np.testing.assert_array_equal(weft.compile(model)(ramp(2, 3)), 2 * ramp(2, 3) + 1)


def test_ports(affine):
    f = weft.compile(affine)
    assert f.inputs == [weft.Port("x", np.dtype(np.float32), ("N", 3))]
    assert f.outputs == [weft.Port("y", np.dtype(np.float32), ("N", 3))]


def test_symbolic_sizes_are_free(affine):
    f = weft.compile(affine)
    for n in (1, 3, 64, 0, 7):
        y = f(ramp(n, 3))
        assert y.shape == (n, 3)
        np.testing.assert_array_equal(y, 2 * ramp(n, 3) + 1)


def test_symbolic_sizes_have_limits(affine):
    f = weft.compile(affine, dims={"N": (1, 4)})
    f(ramp(4, 3))
    with pytest.raises(weft.Error, match="WFT5206.*N"):
        f(ramp(5, 3))
    f(ramp(1, 3))


def test_sizes_that_depend_on_data():
    f = weft.compile(parse("g (float[N] x) => (int64[1, M] y) { y = NonZero(x) }"))
    y = f(np.array([0, 1, 0, 2], np.float32))
    np.testing.assert_array_equal(y, [[1, 3]])
    assert f(np.zeros(4, np.float32)).shape == (1, 0)


def test_inputs_by_name_and_several_outputs(two_outputs):
    f = weft.compile(two_outputs)
    a, b = np.array([1, 2], np.float32), np.array([3, 5], np.float32)
    for total, difference in (f(a, b), f(b=b, a=a), f.run([a, b]), f.run({"a": a, "b": b})):
        np.testing.assert_array_equal(total, [4, 7])
        np.testing.assert_array_equal(difference, [-2, -3])


def test_scalars():
    f = weft.compile(parse("g (float x) => (float y) { y = Neg(x) }"))
    y = f(np.float32(3))
    assert y.shape == () and y == -3


def test_results_outlive_later_runs_and_the_function(affine):
    f = weft.compile(affine)
    first = f(ramp(2, 3))
    kept = first.copy()
    second = f(ramp(2, 3) + 100)
    np.testing.assert_array_equal(first, kept)
    del f
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(second, kept + 200)


def test_results_may_be_inputs(affine):
    f = weft.compile(affine)
    y = ramp(2, 3)
    for _ in range(4):
        y = f(y)
    np.testing.assert_array_equal(y, 16 * ramp(2, 3) + 15)


def test_writes_into_given_arrays(two_outputs):
    f = weft.compile(two_outputs)
    a, b = np.array([1, 2], np.float32), np.array([3, 5], np.float32)
    total = np.empty(2, np.float32)
    results = f.run([a, b], out=[total, None])
    assert results[0] is total
    np.testing.assert_array_equal(total, [4, 7])
    np.testing.assert_array_equal(results[1], [-2, -3])


@pytest.mark.parametrize("ending", ["so", "o", "a"])
def test_saves(ending, affine, tmp_path):
    path = tmp_path / f"affine.{ending}"
    weft.compile(affine).save(path)
    assert path.stat().st_size > 0
    if ending == "so":
        f = weft.load(path)
        np.testing.assert_array_equal(f(ramp(2, 3)), 2 * ramp(2, 3) + 1)
        with pytest.raises(weft.Error, match="loaded"):
            f.save(tmp_path / "again.so")


def test_saved_programs_run_in_another_process(affine, tmp_path):
    weft.compile(affine).save(tmp_path / "affine.so")
    script = (
        "import sys, numpy as np, weft\n"
        "print(weft.load(sys.argv[1])(np.ones((1, 3), np.float32)).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "affine.so"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[[3.0, 3.0, 3.0]]"


def test_kernels_name_their_nodes(affine):
    ((_, nodes),) = weft.compile(affine).kernels
    assert [n for n in nodes if n in ("double", "shift")] == ["double", "shift"]


def test_profile(affine, tmp_path):
    f = weft.compile(affine, profile=True)
    f(ramp(2, 3))
    f.write_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())
    events = events["traceEvents"] if isinstance(events, dict) else events
    launches = [event for event in events if event.get("ph") == "X"]
    assert [event["name"] for event in launches] == [f.kernels[0][0]]
    assert "shift" in str(launches[0]["args"]["nodes"])


def test_threads_give_the_same_bits():
    rng = np.random.default_rng(0)
    model = parse(
        """
        g (float[64, 96] a, float[96, 80] b) => (float[64, 80] y)
        { c = MatMul(a, b) y = Softmax(c) }
        """
    )
    a = rng.standard_normal((64, 96), np.float32)
    b = rng.standard_normal((96, 80), np.float32)
    results = []
    for threads in (1, 2, 3):
        f = weft.compile(model, threads=threads)
        assert f.threads == threads
        results.append(f(a, b).tobytes())
    assert results[0] == results[1] == results[2]


def test_arena_is_told(affine):
    f = weft.compile(affine)
    f(ramp(2, 3))
    assert f.arena_bytes >= 0


def test_dumps_stages(affine, tmp_path):
    weft.compile(affine, dump_stages=tmp_path / "stages")
    names = sorted(path.name for path in (tmp_path / "stages").iterdir())
    assert names[0] == "1-import.mlir" and names[-1] == "7-object.mlir"


def test_mcpu(affine):
    f = weft.compile(affine, mcpu="x86-64")
    np.testing.assert_array_equal(f(ramp(1, 3)), 2 * ramp(1, 3) + 1)
    with pytest.raises(weft.Error, match="no-such-cpu"):
        weft.compile(affine, mcpu="no-such-cpu")


def test_backend(affine):
    from weft import backend

    assert backend.supports_device("CPU") and not backend.supports_device("CUDA")
    (y,) = backend.run_model(affine, [ramp(1, 3)])
    np.testing.assert_array_equal(y, [[1, 3, 5]])
