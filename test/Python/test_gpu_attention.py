"""Attention on a GPU, which is emulated: its results, its memory, and what its kernels do."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import numpy as np
import onnx
import pytest
import weft
from onnx import TensorProto, helper, numpy_helper

WEFT = os.environ.get("WEFT_TOOL", "weft")
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()
DRIVER = {"WEFT_LIBCUDA": str(BUILD / "fake-cuda/libcuda.so.1")}
HEADS, WIDTHS = 4, (64, 128, 256)

# Heads are split from and joined into rows, and some keys are masked.
MODEL = """<ir_version: 10, opset_import: ["": 23]>
attend ({element}[1,{length},{width}] q, {element}[1,{length},{width}] k, {element}[1,{length},{width}] v,
        bool[{length},{length}] mask) => ({element}[1,{length},{width}] y)
{{ y = Attention<q_num_heads={heads}, kv_num_heads={heads}>(q, k, v, mask) }}
"""


def write(folder, element, length, width):
    path = folder / f"{element}_{width}.onnxtxt"
    path.write_text(MODEL.format(element=element, length=length, width=HEADS * width, heads=HEADS))
    return path


def run(*arguments, **variables):
    done = subprocess.run(
        [WEFT, *map(str, arguments)], capture_output=True, text=True, timeout=120,
        env=dict(os.environ, **DRIVER, **variables),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def driver(monkeypatch):
    for name, value in DRIVER.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("element, bound", [("float", 1e-5), ("float16", 2e-3)])
def test_scores_are_in_no_memory(tmp_path, element, bound):
    length, width = 192, 16
    model = write(tmp_path, element, length, width)
    draw = np.random.default_rng(1)
    dtype = np.float32 if element == "float" else np.float16
    q, k, v = (draw.standard_normal((1, length, HEADS * width)).astype(dtype) for _ in range(3))
    mask = draw.random((length, length)) < 0.7
    mask[5] = False  # a row without a key
    cpu, gpu = weft.compile(model), weft.compile(model, target="cuda")
    wanted, found = cpu(q, k, v, mask), gpu(q, k, v, mask)
    np.testing.assert_allclose(found.astype(float), wanted.astype(float), atol=bound)
    assert not found[0, 5].any()
    # The mask in f32 is as large as the scores of one head; the rest is vectors.
    scores = HEADS * length * length * np.dtype(dtype).itemsize
    assert cpu.arena_bytes >= scores
    assert gpu.arena_bytes < length * length * 4 + 131072 < scores


def write_trainable(folder, length, width):
    """Attention over products with three weights."""
    draw = np.random.default_rng(2)
    weights = [
        numpy_helper.from_array((draw.standard_normal((width, width)) / 6).astype(np.float32), f"w{part}")
        for part in "qkv"
    ]
    nodes = [helper.make_node("MatMul", ["x", f"w{part}"], [part], name=f"to_{part}") for part in "qkv"]
    nodes.append(
        helper.make_node(
            "Attention", list("qkv"), ["y"], name="attend", q_num_heads=HEADS, kv_num_heads=HEADS
        )
    )
    shape = [1, length, width]
    graph = helper.make_graph(
        nodes, "trainable",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        weights,
    )  # fmt: skip
    path = folder / "trainable.onnx"
    opset = helper.make_opsetid("", 23)
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[opset]), path)
    return path


def test_a_step_keeps_no_scores(tmp_path):
    length = 512
    model = write_trainable(tmp_path, length, 32)
    places = {}
    for target in ("cpu", "cuda"):
        text = run(
            "compile", model, "--train", "loss=mse optimizer=sgd", "--target", target,
            "--emit", "host", "-o", "-",
        ).stdout  # fmt: skip
        places[target] = max(map(int, re.findall(r"host.arena %c(\d+)", text)))
    # Where the last buffer begins.
    scores = HEADS * length * length * 4
    assert places["cpu"] > scores
    assert places["cuda"] < scores / 2


@pytest.mark.parametrize("element", ["float", "float16", "bfloat16"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_banks_conflict(tmp_path, element, width):
    model = write(tmp_path, element, 72, width)
    counters = tmp_path / "counters.json"
    run("run", model, "--random", "--target", "cuda", WEFT_FAKECUDA_COUNTERS=str(counters))
    kernels = [of for name, of in json.loads(counters.read_text()).items() if "attention" in name]
    assert kernels
    for of in kernels:
        assert of["shared_wavefronts"] <= 1.1 * of["ideal_shared_wavefronts"]
        assert (of["mma"] > 0) == (element != "float")


def find_ptxas():
    for folder in (os.environ.get("CUDA_HOME"), "/usr/local/cuda"):
        if folder and (path := pathlib.Path(folder, "bin/ptxas")).exists():
            return path
    return shutil.which("ptxas")


@pytest.mark.skipif(find_ptxas() is None, reason="ptxas is not installed")
@pytest.mark.parametrize("element", ["float", "float16"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_spills(tmp_path, element, width):
    ptx = tmp_path / "model.ptx"
    run("compile", write(tmp_path, element, 96, width), "--target", "cuda", "--emit", "ptx", "-o", ptx)
    for arch in ("sm_80", "sm_90a"):
        done = subprocess.run(
            [find_ptxas(), "-v", f"-arch={arch}", ptx, "-o", os.devnull],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        spills = re.findall(r"(\d+) bytes spill", done.stderr)
        assert spills and not any(map(int, spills)), done.stderr
