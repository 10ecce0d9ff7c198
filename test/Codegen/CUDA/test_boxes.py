"""Products of sm_90a whose operands come as boxes of tensors: right in all modes of the
emulator, and bugs that are planted in the PTX are noticed by one, by a fault or by wrong
results."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[3]
sys.path.append(str(ROOT / "test/Kernel"))
from function import TABLE, Function  # noqa: E402

PTXAS = shutil.which("ptxas", path=f"{os.environ.get('CUDA_HOME', '/usr/local/cuda')}/bin")
WEFT = os.environ.get("WEFT_TOOL", "weft")
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()
MODES = "lazy", "race", "plain"

# Of rows, depth and columns: more parts than there is room for, each shape of tile, more
# rows of tiles than there are at a time, more tiles than blocks, a depth that blocks
# share.
SIZES = (392, 456, 376), (1664, 72, 2048), (2816, 264, 2560), (640, 72, 1152), (2048, 264, 1024), (136, 4104, 264)

WAIT = r"mbarrier\.try_wait\.parity[^;]*;\s*(@!p bra again;)\}(?=(?:(?!try_wait)[\s\S])*?%s)"
PARITY = r"mbarrier\.try_wait\.parity[^;]*, (%%r\d+);(?=(?:(?!try_wait)[\s\S])*?%s)"
# Each replaces the groups of all matches by something that is no longer.
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


# The same where blocks stay.
STAYING_BUGS = {
    "the last place of a tile is not given back": (
        r"wgmma\.wait_group\.sync\.aligned\s+0;(?:(?!bar\.sync)[\s\S])*?"
        r"(mbarrier\.arrive\.shared[^;]*;)", ""),
    "sums are overwritten": (r"bar\.sync\s+1, \d+;(?:(?!bar\.sync)[\s\S])*?(bar\.sync\s+1, \d+;)", ""),
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


# What ptxas says where it has to wait for products in the wrong places is C75 and two digits.
@pytest.mark.skipif(PTXAS is None, reason="there is no ptxas")
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_sums_stay_in_registers(tmp_path, size):
    f = Function("main")
    f.ret(f.matmul(f.arg([size[0], 4 * size[1]], "bf16"), f.arg([4 * size[1], size[2]], "bf16")))
    (tmp_path / "model.mlir").write_text(TABLE.pop()[1])
    subprocess.run(
        [WEFT, "compile", tmp_path / "model.mlir", "--start-at", "tensor", "--target", "cuda", "--cuda-arch", "sm_90a",
         "--emit", "ptx", "-o", tmp_path / "model.ptx"],
        check=True, capture_output=True,
    )  # fmt: skip
    made = subprocess.run(
        [PTXAS, "-v", "-arch=sm_90a", tmp_path / "model.ptx", "-o", tmp_path / "model.cubin"],
        check=True, capture_output=True, text=True,
    ).stderr  # fmt: skip
    assert re.search(r"Used \d+ registers", made)
    assert not re.search(r"C75\d\d|[1-9]\d* bytes (stack frame|spill)", made), made


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Programs that are right, and their results, by size."""
    made = {}
    for size in (SIZES[0], SIZES[2]):
        folder = tmp_path_factory.mktemp("program")
        compile_product(folder, *size, "f16")
        made[size] = folder / "gpu.so", run(folder / "gpu.so", folder / "right")
    return made


@pytest.mark.parametrize("bug", [*BUGS, *STAYING_BUGS])
def test_bug_is_noticed(programs, tmp_path, bug):
    path, right = programs[SIZES[0 if bug in BUGS else 2]]
    pattern, replacement = {**BUGS, **STAYING_BUGS}[bug]
    text = path.read_bytes().decode("latin-1")
    start = text.index(".entry contract_0_task(")
    matches = list(re.compile(pattern).finditer(text, start))
    assert matches, "the PTX has no such place"
    for match in matches:
        for begin, end in match.regs[1:]:
            assert len(replacement) <= end - begin and replacement != text[begin:end]
            text = text[:begin] + replacement.ljust(end - begin) + text[end:]
    planted = tmp_path / "planted.so"
    planted.write_bytes(text.encode("latin-1"))
    for mode in MODES:
        result = run(planted, tmp_path / mode, mode)
        if result is None or not np.array_equal(result, right):
            return
    pytest.fail("no mode notices")
