"""What is wrong with data, files and disks is one clear error, and costs nothing
that was trained."""

import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import zipfile
import zlib

import numpy as np
import onnx
import pytest

WEFT = os.path.abspath(os.environ.get("WEFT_TOOL", "weft"))
SAMPLES, FEATURES, CLASSES = 96, 8, 3


def model(batch="N", features=FEATURES):
    """A model whose weights take two thousand bytes."""
    draw = np.random.default_rng(3)
    weights = {"v": draw.normal(size=(features, 48)), "w": draw.normal(size=(48, CLASSES))}
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Flatten", ["x"], ["f"]),
            onnx.helper.make_node("MatMul", ["f", "v"], ["h"]),
            onnx.helper.make_node("Relu", ["h"], ["r"]),
            onnx.helper.make_node("MatMul", ["r", "w"], ["y"]),
        ],
        "small",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, features])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [batch, CLASSES])],
        [
            onnx.numpy_helper.from_array((value * 0.3).astype(np.float32), name)
            for name, value in weights.items()
        ],
    )
    imports = [onnx.helper.make_opsetid("", 21)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=10)


def good():
    """Samples whose label is the largest of the first three features."""
    x = np.random.default_rng(0).normal(size=(SAMPLES, FEATURES)).astype(np.float32)
    return x, x[:, :CLASSES].argmax(1)


def files(folder):
    """All files below a folder with their contents."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def folder(tmp_path):
    onnx.save(model(), tmp_path / "m.onnx")
    x, y = good()
    np.savez(tmp_path / "d.npz", x=x, y=y)
    return tmp_path


def run(folder, *arguments, data="d.npz", epochs=3, limit=None):
    """Trains; returns the exit code and what was said. limit: of a file's bytes."""

    def prepare():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [WEFT, "train", "m.onnx", "--data", data, "--batch", "8", "--lr", "0.1", "--epochs",
         str(epochs), *map(str, arguments)],
        capture_output=True, text=True, cwd=folder, timeout=120,
        preexec_fn=prepare if limit is not None else None,
    )  # fmt: skip
    return done.returncode, done.stderr


def refused(folder, wanted, *arguments, **options):
    """Checks that training ends with one error of the text and changes no file."""
    before = files(folder)
    code, said = run(folder, *arguments, **options)
    assert code == 1, said
    errors = [line for line in said.splitlines() if "error:" in line]
    assert len(errors) == 1 and re.search(wanted, errors[0]), said
    assert files(folder) == before
    return errors[0]


# Data that are found when they are opened


def test_ragged_arrays(folder):
    x, y = good()
    np.savez(folder / "d.npz", x=x, y=y[:-1])
    refused(folder, r"WFT6105: array 'x' of 'd.npz' has 96 samples.*has 95.*give both as many")
    rows = np.empty(2, object)
    rows[:] = [[1.0, 2.0], [1.0]]
    np.savez(folder / "d.npz", x=rows, y=y[:2])
    refused(folder, r"WFT6103: array 'x' of 'd.npz'.*objects")
    np.savez(folder / "d.npz", x=x[:, :5], y=y)
    refused(folder, r"WFT6104: samples of array 'x' of 'd.npz' are f32 \[5\].*f32 \[8\]; reshape")
    table = [",".join(map(str, row)) for row in np.c_[x, y]]
    table[40] += ",1"
    header = ",".join([*(f"c{i}" for i in range(FEATURES)), "y"])
    (folder / "d.csv").write_text("\n".join([header, *table]))
    refused(folder, r"WFT6102: 'd.csv', line 42 has 10 fields, wanted 9", data="d.csv")


def test_damaged_archives(folder):
    whole = (folder / "d.npz").read_bytes()
    for cut in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        (folder / "d.npz").write_bytes(whole[:cut])
        refused(folder, r"WFT610[123]: '?.*d\.npz")
    (folder / "d.npz").write_bytes(b"not an archive at all" * 100)
    refused(folder, r"WFT6102: 'd.npz'")
    x, y = good()
    np.savez_compressed(folder / "d.npz", x=x, y=y)
    with zipfile.ZipFile(folder / "d.npz") as archive:
        at = archive.getinfo("x.npy").header_offset + 500
    broken = bytearray((folder / "d.npz").read_bytes())
    broken[at] ^= 0x55
    (folder / "d.npz").write_bytes(broken)
    refused(folder, r"WFT6102: .*x.npy.*d\.npz|WFT6102: .*d\.npz.*x.npy")


def test_data_that_are_no_file(folder):
    refused(folder, r"WFT6101: 'gone.npz' can't be read: No such file", data="gone.npz")
    (folder / "empty").mkdir()
    refused(folder, r"WFT610\d: .*'empty'", data="empty")


# Data that are found when they are used


def spoiled(what):
    """Data with a mistake in sample 90, and what is said of it."""
    x, y = good()
    if what == "NaN":
        x[90, 2] = np.nan
        return x, y, r"WFT6106: array 'x' of 'd.npz' has NaN at \[90, 2\] \(row 90\)"
    y[90] = {"label too large": CLASSES, "label below zero": -1}[what]
    return x, y, (
        rf"WFT5301: index {y[90]} is out of range for size 3: labels; 'labels' of sample 90 "
        rf"is {y[90]}; correct it, or leave the sample out"
    )  # fmt: skip


@pytest.mark.parametrize("what", ["NaN", "label too large", "label below zero"])
def test_a_bad_sample_costs_nothing(folder, what):
    """Once it is corrected, the run goes on to the bits of one without it."""
    code, said = run(folder, "-o", "whole.onnx")
    assert code == 0, said
    good_data = (folder / "d.npz").read_bytes()
    x, y, wanted = spoiled(what)
    np.savez(folder / "d.npz", x=x, y=y)
    code, said = run(folder, "--checkpoint-dir", "ck", "-o", "t.onnx", "--in-order")
    assert code == 1 and re.search(wanted, said), said
    assert "the state after update 11 is saved as 'ck/update-000000000011.safetensors'; the same command" in said
    assert [p.name for p in (folder / "ck").iterdir()] == ["update-000000000011.safetensors"]
    assert not (folder / "t.onnx").exists()

    (folder / "d.npz").write_bytes(good_data)
    code, said = run(folder, "--in-order", "-o", "whole.onnx")
    assert code == 0, said
    code, said = run(folder, "--checkpoint-dir", "ck", "--resume", "-o", "t.onnx", "--in-order")
    assert code == 0, said
    assert (folder / "t.onnx").read_bytes() == (folder / "whole.onnx").read_bytes()


def test_a_bad_sample_without_a_folder_for_checkpoints(folder):
    x, y, wanted = spoiled("NaN")
    np.savez(folder / "d.npz", x=x, y=y)
    said = refused(folder, wanted, "--in-order", "-o", "t.onnx")
    assert "the state after update 11 is lost, as there is no folder for checkpoints" in said


def test_a_bad_label_among_those_for_validation(folder):
    x, y = good()
    y[5] = 17
    np.savez(folder / "v.npz", x=x, y=y)
    refused(folder, r"WFT5301: index 17 is out of range for size 3: labels; 'labels' of sample 5 ",
            "--validation", "v.npz")  # fmt: skip


def test_ignored_labels_are_none_of_the_bad_ones(folder):
    x, y = good()
    y[::7] = -100
    np.savez(folder / "d.npz", x=x, y=y)
    code, said = run(folder, "--set", "ignore-index=-100")
    assert code == 0, said
    y[3] = 3
    np.savez(folder / "d.npz", x=x, y=y)
    refused(folder, r"WFT5301: index 3 is out of range.*sample 3 ", "--set", "ignore-index=-100")


def png(shade):
    """A grey PNG file of 2 by 4 pixels."""

    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 4, 2, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([shade]) * 4 for _ in range(2))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip


def test_truncated_images(folder):
    changed = model()
    dims = changed.graph.input[0].type.tensor_type.shape
    dims.CopyFrom(onnx.helper.make_tensor_type_proto(1, ["N", 1, 2, 4]).tensor_type.shape)
    onnx.save(changed, folder / "m.onnx")
    for kind in range(CLASSES):
        (folder / "images" / str(kind)).mkdir(parents=True)
        for i in range(8):
            (folder / "images" / str(kind) / f"{i}.png").write_bytes(png(80 * kind + i))
    bad = folder / "images" / "1" / "3.png"
    whole = bad.read_bytes()
    for cut in (0, 20, len(whole) - 20):
        bad.write_bytes(whole[:cut])
        shutil.rmtree(folder / "ck", ignore_errors=True)
        code, said = run(folder, "--checkpoint-dir", "ck", "--in-order", data="images")
        assert code == 1 and "error: WFT6111: 'images/1/3.png' can't be decoded" in said
        assert "the state after update 1 is saved" in said
    bad.write_bytes(whole)
    code, said = run(folder, "--checkpoint-dir", "ck", "--in-order", "--resume", data="images")
    assert code == 0 and "batch 1, update 1" in said, said


# Places that can't be written to


@pytest.mark.parametrize("flag,code", [
    ("-o", "WFT6005"), ("--checkpoint-dir", "WFT6201"), ("--csv", "WFT6206"),
    ("--logdir", "WFT6206"),
])  # fmt: skip
def test_unwritable_places_are_found_before_training(folder, flag, code):
    # What no one may write to, not even root.
    (folder / "file").write_text("I am no folder")
    said = refused(folder, f"{code}: .*file/t.onnx.*Not a directory", flag, "file/t.onnx")
    assert "epoch" not in said
    refused(folder, f"{code}: .*/proc/1/t.onnx", flag, "/proc/1/t.onnx")


def test_a_folder_in_the_place_of_a_file(folder):
    (folder / "sub").mkdir()
    refused(folder, "WFT6005: can't write 'sub': Is a directory", "-o", "sub")
    refused(folder, "WFT6206: .*'sub' can't be written: Is a directory", "--csv", "sub")
    refused(folder, "WFT6201: .*'m.onnx': Not a directory", "--checkpoint-dir", "m.onnx")


def test_devices_stay_what_they_are(folder):
    refused(folder, "WFT6005: can't write '/dev/null': it is no regular file", "-o", "/dev/null")
    code, said = run(folder, "--csv", "/dev/null")
    assert code == 0, said
    assert pathlib.Path("/dev/null").is_char_device()


# A full disk


@pytest.fixture
def disk(folder):
    """A disk of 40 kB, or else none."""
    path = folder / "disk"
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "none", path],
                          capture_output=True, check=False)  # fmt: skip
    if made.returncode:
        pytest.skip("no disk can be mounted here: " + made.stderr.decode())
    yield path
    subprocess.run(["umount", path], check=True)


def fill(path):
    """Leaves no room on a disk."""
    try:
        with open(path, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError:
        pass


def test_a_full_disk_keeps_the_last_checkpoint(folder, disk):
    code, said = run(folder, "--checkpoint-dir", "disk/ck", epochs=1)
    assert code == 0, said
    fill(disk / "ballast")
    arguments = ["--checkpoint-dir", "disk/ck", "--resume", "--keep", 1]
    said = refused(folder, "WFT6201: .*No space left on device.*the last checkpoint is", *arguments)
    assert "'disk/ck/update-000000000012.safetensors'" in said
    (disk / "ballast").unlink()
    code, said = run(folder, *arguments, "-o", "t.onnx")
    assert code == 0 and "resumed from 'disk/ck/update-000000000012.safetensors'" in said
    code, said = run(folder, "-o", "whole.onnx")
    assert code == 0, said
    assert (folder / "t.onnx").read_bytes() == (folder / "whole.onnx").read_bytes()


def test_a_full_disk_is_found_before_training(folder, disk):
    fill(disk / "ballast")
    refused(folder, "WFT6005: can't write 'disk/t.onnx': it will have .* bytes, but the disk has 0 "
            "left; make room", "-o", "disk/t.onnx")  # fmt: skip


def test_a_disk_that_fills_up_at_the_end(folder):
    """The model can't be written when it is due; the checkpoint can."""
    size = (folder / "m.onnx").stat().st_size
    checkpoint = 8 + 800 + 2 * size
    metadata = "x" * 2 * checkpoint
    changed = model()
    changed.doc_string = metadata
    onnx.save(changed, folder / "m.onnx")
    arguments = ["--checkpoint-dir", "ck", "-o", "t.onnx"]
    code, said = run(folder, *arguments, limit=checkpoint)
    assert code == 1 and "WFT1012: can't write 't.onnx'" in said and "File too large" in said
    assert "is in 'ck/update-000000000036.safetensors': the same command with --resume" in said
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["ck", "d.npz", "m.onnx"], names
    code, said = run(folder, *arguments, "--resume")
    assert code == 0 and "resumed from" in said, said
    code, said = run(folder, "-o", "whole.onnx")
    assert (folder / "t.onnx").read_bytes() == (folder / "whole.onnx").read_bytes()


def test_a_log_that_fills_up_is_no_reason_to_end(folder):
    """It stays readable, and the model comes out the same."""
    code, said = run(folder, "-o", "whole.onnx")
    assert code == 0, said
    code, said = run(folder, "-o", "t.onnx", "--csv", "/dev/full", "--log-every", 1)
    assert code == 1 and "WFT6206: the log '/dev/full' can't be written: No space left" in said
    code, said = run(folder, "-o", "t.onnx", "--csv", "log.csv", "--logdir", "events",
                     "--log-every", 1, limit=700 + (folder / "m.onnx").stat().st_size)  # fmt: skip
    assert code == 0 and "warning: WFT6206: 'events/" in said and "File too large" in said, said
    assert (folder / "t.onnx").read_bytes() == (folder / "whole.onnx").read_bytes()
