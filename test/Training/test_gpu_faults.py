"""Each call of the driver fails in turn while the tools run a model and train one: they
say what it was and what to do, crash nowhere, leave nothing behind on the GPU, and what was
saved before is whole."""

import os
import pathlib
import re
import subprocess

import data
import numpy as np
import pytest

WEFT = os.environ.get("WEFT_TOOL", "weft")
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", "build/dev")).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
MLP = pathlib.Path(__file__).parent / "Peers/mlp.onnx"
CALLS = re.findall(
    r"^WEFT_DRIVER_CALL\((\w+),", (ROOT / "lib/Runtime/CUDA/driver_table.def").read_text(), re.M
)

# What is released is gone even if the driver complains, a graph that can't be updated is
# made anew, and a batch that can't be copied ahead is copied when it is due. The others
# serve to describe errors.
MAY_FAIL = {
    "cuCtxPopCurrent_v2", "cuDevicePrimaryCtxRelease_v2", "cuEventDestroy_v2", "cuGetErrorName",
    "cuGetErrorString", "cuGraphExecDestroy", "cuGraphExecUpdate_v2", "cuMemFreeHost",
    "cuMemFree_v2", "cuMemGetInfo_v2", "cuModuleUnload", "cuStreamDestroy_v2",
}  # fmt: skip
AHEAD = {
    "cuEventCreate", "cuEventRecord", "cuMemAlloc_v2", "cuMemHostAlloc", "cuMemcpyHtoDAsync_v2",
    "cuStreamCreateWithPriority", "cuStreamSynchronize",
}  # fmt: skip


def run(*words, check=None, **environment):
    # Without a toolkit, programs have PTX, which is all that the emulator looks at.
    result = subprocess.run(
        [WEFT, *words], capture_output=True, text=True, timeout=60,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("WEFT_FAKECUDA")},
            "WEFT_LIBCUDA": str(BUILD / "fake-cuda/libcuda.so.1"),
            **environment,
        },
    )  # fmt: skip
    if check is not None:
        assert result.returncode == check, result.stderr
    return result


def count_calls(folder, *words):
    """How often each call is made."""
    log = folder / "calls.log"
    run(*words, check=0, WEFT_FAKECUDA_LOG=str(log))
    text = log.read_text()
    log.unlink()
    return {name: len(re.findall(rf"^{name}\(", text, re.M)) for name in CALLS}


def occurrences(count):
    return sorted({1, count // 2 + 1}) if count else []


def expect_error(result, call):
    """One error that names the call and says what to do."""
    assert result.returncode == 1, f"{call}: {result.returncode}\n{result.stderr}"
    errors = re.findall(r"^error: (WFT\d+): (.*)$", result.stderr, re.M)
    assert len(errors) == 1, result.stderr
    code, text = errors[0]
    assert code.startswith("WFT54"), text
    assert call in text or "the CUDA driver" in text, text
    assert re.search(r"; (try|take|compile|install|start|make|see|`weft doctor`)", text), text
    assert "fakecuda: leaked" not in result.stderr, result.stderr


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "mlp.so"
    run("compile", MLP, "--target", "cuda", "-o", path, check=0)
    return path


def test_run(program, tmp_path):
    words = ["run", program, "--random", "--dim", "N=4", "--outputs", tmp_path / "good"]
    counts = count_calls(tmp_path, *words)
    good = (tmp_path / "good/output_0.npy").read_bytes()
    tried = 0
    for call in CALLS:
        for nth in occurrences(counts[call]):
            words[-1] = tmp_path / f"{call}-{nth}"
            result = run(*words, WEFT_FAKECUDA_FAIL=f"{call}:{nth}={1 + nth % 2}")
            tried += 1
            if result.returncode == 0 and call in MAY_FAIL:
                assert (words[-1] / "output_0.npy").read_bytes() == good
                assert "fakecuda: leaked" not in result.stderr
                continue
            expect_error(result, call)
            assert not (words[-1] / "output_0.npy").exists()
    assert tried > 25


def test_run_with_tensor_maps(tmp_path):
    model = tmp_path / "model.mlir"
    model.write_text("""func.func @main(%x: tensor<392x72xf16>, %y: tensor<72x376xf16>) -> tensor<392x376xf32> {
      %0 = weft.contract %x, %y batch [] x [] contract [1] x [0] : tensor<392x72xf16>, tensor<72x376xf16> -> tensor<392x376xf32>
      return %0 : tensor<392x376xf32>
    }""")
    words = ["compile", model, "--start-at", "tensor", "--target", "cuda", "--cuda-arch", "sm_90a", "-o"]
    run(*words, tmp_path / "model.so", check=0)
    words = ["run", tmp_path / "model.so", "--random"]
    call = "cuTensorMapEncodeTiled"
    assert count_calls(tmp_path, *words)[call] == 2
    for nth in (1, 2):
        expect_error(run(*words, WEFT_FAKECUDA_FAIL=f"{call}:{nth}=1"), call)


def train(folder, name, *flags, check=None, **environment):
    return run(
        "train", MLP, "--data", folder / "data.npz", "--batch", "8", "--epochs", "2",
        "--optimizer", "momentum", "--save-every", "2", "--quiet", "--target", "cuda", "-O", "0",
        "--data-threads", "0",
        "--checkpoint-dir", folder / name, "-o", folder / f"{name}.onnx", *flags,
        check=check, **environment,
    )  # fmt: skip


def test_train(tmp_path):
    x, labels = data.make("vectors")
    np.savez(tmp_path / "data.npz", x=x[:40], labels=labels[:40])
    log = tmp_path / "calls.log"
    train(tmp_path, "good", check=0, WEFT_FAKECUDA_LOG=str(log))
    text = log.read_text()
    good = (tmp_path / "good.onnx").read_bytes()
    resumed = 0
    # Those that only starting makes fail in test_run().
    calls = [
        call
        for call in CALLS
        if call not in MAY_FAIL and re.search(rf"^{call}\(", text[text.find("cuMemAlloc") :], re.M)
    ]
    for number, call in enumerate(calls):
        nth = len(re.findall(rf"^{call}\(", text, re.M)) // 2 + 1
        name = f"failed-{call}"
        result = train(tmp_path, name, WEFT_FAKECUDA_FAIL=f"{call}:{nth}={1 + number % 2}")
        if result.returncode == 0 and call in AHEAD:
            assert (tmp_path / f"{name}.onnx").read_bytes() == good
            assert "fakecuda: leaked" not in result.stderr
            continue
        expect_error(result, call)
        assert not (tmp_path / f"{name}.onnx").exists()
        # Whatever was saved is the state of a run that never failed.
        saved = sorted((tmp_path / name).glob("*.safetensors"))
        if not saved or resumed >= 3:
            continue
        resumed += 1
        assert "checkpoint" in result.stderr or "is saved as" in result.stderr, result.stderr
        train(tmp_path, name, "--resume", check=0)
        assert (tmp_path / f"{name}.onnx").read_bytes() == good
    assert len(calls) > 10 and resumed == 3


@pytest.mark.parametrize(
    "environment, code, text",
    [
        ({"WEFT_LIBCUDA": "libno-such-cuda.so.1"}, "WFT5401", "there is no CUDA driver: .*; install NVIDIA's driver"),
        ({"WEFT_LIBCUDA": str(BUILD / "test/Runtime/CUDA/driver-old.so")}, "WFT5402", "is too old: it serves CUDA 11.4, needed is 12.0 or newer; install"),
        ({"WEFT_LIBCUDA": str(BUILD / "test/Runtime/CUDA/driver-no-gpu.so")}, "WFT5404", "finds no GPU: .*; make one visible"),
        ({"WEFT_FAKECUDA_SM": "75"}, "WFT5405", "the image has no PTX for sm_75; .*; compile with --cuda-arch"),
        ({"WEFT_FAKECUDA_MEMORY": "12000"}, "WFT5406", "CUDA_ERROR_OUT_OF_MEMORY .* of the 12000 bytes of the GPU are free; take a smaller batch"),
    ],
)  # fmt: skip
def test_what_the_machine_lacks(program, tmp_path, environment, code, text):
    x, labels = data.make("vectors")
    np.savez(tmp_path / "data.npz", x=x[:40], labels=labels[:40])
    for result in (
        run("run", program, "--random", "--dim", "N=200", **environment),
        train(tmp_path, "checkpoints", **environment),
    ):
        assert result.returncode == 1, result.stderr
        assert re.search(rf"^error: {code}: .*{text}", result.stderr, re.M), result.stderr
        assert "fakecuda: leaked" not in result.stderr
