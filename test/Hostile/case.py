"""One row of the table: what weft is given, and what it must say of it."""

from __future__ import annotations

import dataclasses
import io
import pathlib
from typing import Any, Callable, Sequence

import numpy as np

# Said in front of graphs in ONNX's text syntax.
HEAD = '<ir_version: 10, opset_import: ["" : 28]>\n'


@dataclasses.dataclass(frozen=True)
class Case:
    """A run of the tool on files that `make` writes into an empty folder.

    make: returns the arguments, in which "{}" stands for the folder.
    code: the code of the one error, or "" if the run must succeed.
    says: what the error (or the output, for a success) must contain.
    """

    name: str
    make: Callable[[pathlib.Path], Sequence[str]]
    code: str
    says: Sequence[str]
    exit: int


CASES: list[Case] = []


def add(
    name: str,
    code: str,
    says: Sequence[str],
    make: Callable[[pathlib.Path], Sequence[str]],
    exit: int | None = None,
) -> None:
    """Adds a case. The exit code follows from `code` unless it is given."""
    assert all(case.name != name for case in CASES), name
    CASES.append(Case(name, make, code, says, (1 if code else 0) if exit is None else exit))


def check(name: str, code: str, says: Sequence[str], graph: str, head: str = HEAD) -> None:
    """A graph in ONNX's text syntax that `weft check` must refuse."""

    def make(folder: pathlib.Path) -> Sequence[str]:
        (folder / "m.onnxtxt").write_text(head + "net " + graph)
        return ["check", "{}/m.onnxtxt"]

    add(name, code, says, make, 77 if code == "WFT2003" else None)


def file(name: str, code: str, says: Sequence[str], data: bytes | Callable[[], Any]) -> None:
    """A binary model, as bytes or a ModelProto, that must be refused."""

    def make(folder: pathlib.Path) -> Sequence[str]:
        model = data() if callable(data) else data
        if not isinstance(model, bytes):
            model = model.SerializeToString()
        (folder / "m.onnx").write_bytes(model)
        return ["check", "{}/m.onnx"]

    add(name, code, says, make)


def to_npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def run(
    name: str,
    code: str,
    says: Sequence[str],
    graph: str,
    head: str = HEAD,
    args: Sequence[str] = (),
    exit: int | None = None,
    threads: int = 2,
    **inputs: Any,
) -> None:
    """A graph that compiles, and inputs, arrays or bytes of a .npy file, that
    it must refuse, or else take."""

    def make(folder: pathlib.Path) -> Sequence[str]:
        (folder / "m.onnxtxt").write_text(head + "net " + graph)
        command = ["run", "{}/m.onnxtxt", "--threads", str(threads)]
        if "--outputs" not in args:
            command += ["--outputs", "{}/out"]
        for key, value in inputs.items():
            data = value if isinstance(value, bytes) else to_npy(np.asarray(value))
            (folder / f"{key}.npy").write_bytes(data)
            command += ["--input", f"{key}={{}}/{key}.npy"]
        return [*command, *args]

    add(name, code, says, make, exit)


def f32(*shape: int) -> np.ndarray:
    """Small numbers in an array of this shape."""
    return (np.arange(np.prod(shape), dtype=np.float32) % 7 - 3).reshape(shape)


def i64(*values: Any) -> np.ndarray:
    return np.array(values, np.int64)
