"""What `ptxas` says of kernels: none spills registers or has a stack, and the
registers and the shared memory of one kernel of each form do not rise above
those in figures.txt. After a change that makes kernels better, or is worth it:

    WEFT_BUILD=build/dev python test/Codegen/CUDA/test_figures.py

writes the file again. A new kind of kernel gets a case in CASES, from
test/Kernel/table.py, or a new one there."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

ROOT = pathlib.Path(__file__).parents[3]
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", ROOT / "build/dev")).resolve()
FIGURES = pathlib.Path(__file__).with_name("figures.txt")
ARCHS = "sm_80", "sm_90a"

# One case for each form of kernel, by regular expressions.
CASES = (
    "neighbours_(f32|f16|i8)_(1003|33x16)", "neighbours_broadcast", "neighbours_dynamic",  # elementwise
    "tile_(f32|i8)_70x65_10", "tile_f32_2x9x10x37_0312", "tile_of_computed",  # transposes
    "concat_1", "pad_1", "slice_1", "move_bf16", "update_slice", "iota", "random_uniform",  # movement
    "rows_f32_(1x70000|70x4|300x20|5x2048)", "columns_(3000x5_0|64x3x40_0|40x1000x3_01)",  # reductions
    "rows_(softmax|normalize)_(2x30000_1|500x40_1|700x40_0)", "rows_arg_2x30000_1", "layer_norm_97", "rows_totals",
    "gather_r2_0_q2_3", "gather_nd_b0_r3_q2", "embedding",  # indices that are data
    "scatter_elements_(add_f32|long_add_f32)", "scatter_nd_add_f32", "scatter_nd_wide",
    "top_k_f32", "sort_f32_3x5000_1_5000", "cumulative_sum_f32", "nonzero",  # orders and scans
    "pool_3x3_same", "spread_3x3_same", "average_pool",  # windows
    "blocks_(ragged|vectors|deep)_(f32|f16)_ta._tb.", "blocks_large_(f32|f16|f64)", "blocks_large_b?f16_boxes_.*", "blocks_(i32|init|dynamic)",  # products
    "vector_long_(f32|f16)_4096x48_tb.", "vector_long_ones_40x100x64",
    "blocks_conv(_f16|_filter)?", "linear_gelu", "contract_matrix_vector", "conv_2d_depthwise",
    "attend_(gradient_)?(64_32_64_64|18_17_256_130|f16_64|f16_96|f16_256|bias)",  # attention
    "lstm", "inverses", "determinants",
)  # fmt: skip

FORMS = f"^({'|'.join(CASES)})$"

# Convolutions that write their tensors with channels last, however small they
# are.
PACKED = "^packed_(filter_)?(3x3_f16|3x3_f32|large_f16)$"
ALL_PACKED, PACK = "^packed_", ("--cuda-pack-from=-1000000",)

# Registers that a kernel may have more than the file says.
SLACK = 4


def ptxas():
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    return shutil.which("ptxas", path=f"{home}/bin")


def assemble(path, arch):
    """(kernel, registers, bytes of shared memory, of spills, and of stack), ..."""
    run = subprocess.run(
        [ptxas(), "-v", f"-arch={arch}", path, "-o", f"{path}.{arch}.cubin"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, f"{path.name}: {run.stderr}"
    entries = re.findall(
        r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, "
        r"(\d+) bytes spill loads.*?Used (\d+) registers(?:[^\n]*?(\d+) bytes smem)?[^\n]*\n",
        run.stderr, re.S,
    )  # fmt: skip
    # Sines of f64 keep the digits of large arguments in an array, which comes
    # from libdevice with the digits of 2/pi.
    bodies = dict(re.findall(r"\.entry (\w+)\((.*?)\n}", path.read_text(), re.S))
    return [(name, int(registers), int(shared or 0), int(stores) + int(loads),
             0 if re.search("__internal_trig|__cudart_i2opi_d", bodies[name]) else int(stack))
            for name, stack, stores, loads, registers, shared in entries]  # fmt: skip


# Scripts that print cases. Gradients of one type are enough: other types are in the table.
TABLE = ("test/Kernel/table.py",)
GRADIENTS = ("test/Kernel/gradients.py", BUILD / "bin/weft-opt", "bf16")
LAYERS = ("test/Codegen/CUDA/Inputs/layers.py",)


def compile_cases(folder, arch, maker, only, batch, arguments):
    """PTX of the cases of a script whose names match `only`, as files named after cases."""
    cases = folder / "cases.mlir"
    made = subprocess.run([sys.executable, ROOT / maker[0], *maker[1:]],
                          capture_output=True, text=True, check=True)  # fmt: skip
    cases.write_text(made.stdout)
    made = folder / arch
    made.mkdir()
    subprocess.run(
        [BUILD / "bin/weft-test-kernels", cases, "--only", only, "--batch", str(batch), "--ptx", made,
         "--cuda-arch", arch, *arguments],
        check=True, timeout=300, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return sorted(made.glob("*.ptx"))


def measure(arch, maker=TABLE, only=".", batch=40, arguments=()):
    """By case and kernel: registers, shared memory, spills and stack."""
    with tempfile.TemporaryDirectory() as folder:
        paths = compile_cases(pathlib.Path(folder), arch, maker, only, batch, arguments)
        with ThreadPoolExecutor(2) as pool:
            results = pool.map(functools.partial(assemble, arch=arch), paths)
        return {(path.stem, name): figures for path, kernels in zip(paths, results) for name, *figures in kernels}


def get_version():
    text = subprocess.run([ptxas(), "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"release [\d.]+, (\S+)", text)[1]


def describe(version):
    """The text of the file of figures."""
    lines = [f"# registers / bytes of shared memory on {' and '.join(ARCHS)}, by ptxas {version}"]
    by_arch = [measure(arch, only=FORMS, batch=1) | measure(arch, only=PACKED, batch=1, arguments=PACK) for arch in ARCHS]
    for case, kernel in sorted(by_arch[0]):
        cells = ["{}/{}".format(*figures[case, kernel]) for figures in by_arch]
        lines.append(" ".join([case, kernel, *cells]))
    return "\n".join(lines) + "\n"


needs_ptxas = pytest.mark.skipif(ptxas() is None, reason="there is no ptxas")


@needs_ptxas
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("maker, only, least, arguments", [
    (TABLE, ".", 500, ()), (TABLE, ALL_PACKED, 60, PACK), (GRADIENTS, ".", 200, ()),
], ids=["table", "packed", "gradients"])  # fmt: skip
def test_no_kernel_spills(maker, only, least, arguments, arch):
    kernels = measure(arch, maker, only, arguments=arguments)
    assert len(kernels) > least
    bad = {kernel: figures for kernel, figures in kernels.items() if any(figures[2:])}
    assert not bad, "registers, shared memory, spills and stack"


# Convolutions of real sizes, to which other tiles are given.
@needs_ptxas
@pytest.mark.parametrize("arch, arguments", [("sm_80", ()), ("sm_90a", ()), ("sm_80", ("--cuda-tf32",))])
def test_no_layer_spills(arch, arguments):
    kernels = measure(arch, LAYERS, batch=1, arguments=arguments)
    assert len(kernels) > 50
    bad = {kernel: figures for kernel, figures in kernels.items() if any(figures[2:])}
    assert not bad, "registers, shared memory, spills and stack"


@needs_ptxas
def test_figures_do_not_rise():
    recorded = FIGURES.read_text().splitlines()
    version = get_version()
    if not recorded[0].endswith(f" {version}"):
        pytest.skip(f"figures.txt is not of ptxas {version}")
    found = {tuple(line.split()[:2]): line.split()[2:] for line in describe(version).splitlines()[1:]}
    wanted = {tuple(line.split()[:2]): line.split()[2:] for line in recorded[1:]}
    assert found.keys() == wanted.keys(), "write figures.txt again"
    risen = []
    for kernel, cells in wanted.items():
        for arch, was, now in zip(ARCHS, cells, found[kernel]):
            (registers, shared), (own, own_shared) = (map(int, cell.split("/")) for cell in (was, now))
            if own > registers + SLACK or own_shared > shared:
                risen.append(f"{' '.join(kernel)} on {arch}: {now}, was {was}")
    assert not risen


if __name__ == "__main__":
    FIGURES.write_text(describe(get_version()))
