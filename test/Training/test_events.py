"""The event files of a run, read by the rules of their format, tell what its CSV log tells."""

import csv
import os
import pathlib
import struct
import subprocess

import data
import numpy as np
import pytest

WEFT = os.environ.get("WEFT_TOOL", "weft")
PEERS = pathlib.Path(__file__).parent / "Peers"


def crc32c(content):
    """Castagnoli's sum, bit by bit, masked as the format says."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(content):
    """The records of a file, whose sums must be right."""
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        assert struct.unpack("<I", content[8:12])[0] == crc32c(content[:8])
        record = content[12 : 12 + length]
        assert len(record) == length
        assert struct.unpack("<I", content[12 + length : 16 + length])[0] == crc32c(record)
        yield record
        content = content[16 + length :]


def varint(content, at):
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(message):
    """The fields of a protobuf message: number to value."""
    found, at = {}, 0
    while at < len(message):
        key, at = varint(message, at)
        if key & 7 == 0:
            value, at = varint(message, at)
        else:
            if key & 7 == 2:
                size, at = varint(message, at)
            else:
                size = {1: 8, 5: 4}[key & 7]
            value, at = message[at : at + size], at + size
        found[key >> 3] = value
    return found


def scalars(path):
    """Tag and step to value."""
    events = [fields(record) for record in records(path.read_bytes())]
    assert events[0][3] == b"brain.Event:2"
    times = [struct.unpack("<d", event[1])[0] for event in events]
    assert times == sorted(times) and times[0] > 1e9
    result = {}
    for event in events[1:]:
        value = fields(fields(event[5])[1])
        result[value[1].decode(), event[2]] = struct.unpack("<f", value[2])[0]
    return result


def test_events_tell_what_the_log_tells(tmp_path):
    x, labels = data.make("vectors")
    np.savez(tmp_path / "data.npz", x=x[:160], labels=labels[:160])
    subprocess.run(
        [WEFT, "train", PEERS / "mlp.onnx", "--data", tmp_path / "data.npz", "--split", "0.2",
         "--epochs", "2", "--batch", "16", "--log-every", "2", "--schedule", "cosine", "--lr", "0.1",
         "--logdir", tmp_path / "events", "--csv", tmp_path / "log.csv", "--quiet"],
        check=True,
    )  # fmt: skip
    (path,) = (tmp_path / "events").iterdir()
    assert path.name.startswith("events.out.tfevents.")
    found = scalars(path)
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows].count("validation") == 2 and len(rows) == 10
    wanted = {
        (f"{row['kind']}/{name}", int(row["update"])): float(row[name])
        for row in rows
        for name in ("loss", "accuracy", "rate", "samples_per_second")
        if row[name]
    }
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        # The file holds f32, the log nine digits.
        assert found[key] == pytest.approx(value, rel=1e-6)


def test_a_damaged_record_is_noticed(tmp_path):
    """The sums are those of the format: a reader with its own finds every change."""
    content = bytearray(struct.pack("<Q", 3))
    content += struct.pack("<I", crc32c(bytes(content))) + b"abc" + struct.pack("<I", crc32c(b"abc"))
    assert list(records(bytes(content))) == [b"abc"]
    assert crc32c(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF
    content[13] ^= 1
    with pytest.raises(AssertionError):
        list(records(bytes(content)))
