"""Products of sm_90a whose operands come as boxes of tensors: right in all modes of the
emulator, and bugs that are planted in the PTX are noticed by one, by a fault or by wrong
results."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[3]
sys.path.append(str(ROOT / "test/Kernel"))
from function import TABLE, Function  # noqa: E402

WEFT = os.environ.get("WEFT_TOOL", "weft")
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()
MODES = "plain", "race", "lazy"

# Of rows, depth and columns: more parts than there is room for, more rows of tiles than
# one, each shape of tile, a depth that blocks share.
SIZES = (392, 456, 376), (1664, 72, 2048), (2048, 72, 2048), (640, 72, 1152), (2048, 72, 1024), (136, 4104, 264)

WAIT = r"mbarrier\.try_wait\.parity[^;]*;\s*(@!p bra again;)\}(?=(?:(?!try_wait)[\s\S])*?%s)"
PARITY = r"mbarrier\.try_wait\.parity[^;]*, (%%r\d+);(?=(?:(?!try_wait)[\s\S])*?%s)"
# Each replaces the group of all matches by something that is no longer.
BUGS = {
    "no wait for a part": (WAIT % r"wgmma\.fence", ""),
    "no wait for a place": (WAIT % r"arrive\.expect_tx", ""),
    "places are waited for in the wrong phase": (PARITY % r"arrive\.expect_tx", "0"),
    "places are taken as never used": (PARITY % r"arrive\.expect_tx", "1"),
    "parts are waited for in the wrong phase": (PARITY % r"wgmma\.fence", "1"),
    "too few bytes": (r"mov\.b32\s+%r\d+, (16384);\s+(?=[^;]*;[^;]*expect_tx|mbarrier\.arrive\.expect_tx)", "8192"),
    "too many bytes": (r"mov\.b32\s+%r\d+, (16384);\s+(?=[^;]*;[^;]*expect_tx|mbarrier\.arrive\.expect_tx)", "16400"),
    "a place is not given back": (r"(mbarrier\.arrive\.shared[^;]*;)", ""),
    "a place is given back early": (r"commit_group\.sync\.aligned;\s+wgmma\.wait_group\.sync\.aligned\s+(1);(?=\s+@)", "2"),
    "sums are taken early": (r"wgmma\.wait_group\.sync\.aligned\s+(0);", "1"),
    "no barrier before sums": (r"(bar\.sync\s+1, \d+;)", ""),
    "no barrier after mbarriers are made": (r"(bar\.sync\s+0;)", ""),
}


def compile_product(folder, m, k, n, element, transposed=False):
    f = Function("main")
    a, b = f.arg([k, m] if transposed else [m, k], element), f.arg([n, k] if transposed else [k, n], element)
    f.ret(f.contract(a, b, contract=([0], [1]) if transposed else ([1], [0]), element="f32"))
    (folder / "model.mlir").write_text(TABLE.pop()[1])
    # Without a toolkit, programs have PTX.
    for name, words in (("gpu", ["--target", "cuda", "--cuda-arch", "sm_90a"]), ("cpu", [])):
        subprocess.run(
            [WEFT, "compile", folder / "model.mlir", "--start-at", "tensor", *words, "-o", folder / f"{name}.so"],
            check=True, capture_output=True, env=dict(os.environ, CUDA_HOME=str(folder)),
        )  # fmt: skip


def run(program, folder, mode="plain"):
    """The result, or nothing if the run fails."""
    folder.mkdir()
    result = subprocess.run(
        [WEFT, "run", program, "--random", "--outputs", folder],
        capture_output=True, timeout=120,
        env=dict(os.environ, WEFT_LIBCUDA=str(BUILD / "fake-cuda/libcuda.so.1"), WEFT_FAKECUDA_SM="90",
                 WEFT_FAKECUDA_MODE=mode),
    )  # fmt: skip
    return None if result.returncode else np.load(folder / "output_0.npy")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_all_modes(tmp_path, size):
    number = SIZES.index(size)
    compile_product(tmp_path, *size, ("f16", "bf16")[number % 2], transposed=number % 3 == 1)
    assert b"cp.async.bulk.tensor" in (tmp_path / "gpu.so").read_bytes()
    wanted = run(tmp_path / "cpu.so", tmp_path / "cpu")
    for mode in MODES:
        result = run(tmp_path / "gpu.so", tmp_path / mode, mode)
        assert result is not None
        assert np.abs(result - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A program that is right, and its result."""
    folder = tmp_path_factory.mktemp("program")
    compile_product(folder, *SIZES[0], "f16")
    return folder / "gpu.so", run(folder / "gpu.so", folder / "right")


@pytest.mark.parametrize("bug", BUGS)
def test_bug_is_noticed(program, tmp_path, bug):
    path, right = program
    pattern, replacement = BUGS[bug]
    text = path.read_bytes().decode("latin-1")
    start = text.index(".entry contract_0_task(")
    spans = [match.span(1) for match in re.compile(pattern).finditer(text, start)]
    assert spans, "the PTX has no such place"
    for begin, end in spans:
        assert len(replacement) <= end - begin and replacement != text[begin:end]
        text = text[:begin] + replacement.ljust(end - begin) + text[end:]
    planted = tmp_path / "planted.so"
    planted.write_bytes(text.encode("latin-1"))
    results = [run(planted, tmp_path / mode, mode) for mode in MODES]
    assert not all(result is not None and np.array_equal(result, right) for result in results)
