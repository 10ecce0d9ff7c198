"""Sound models with a few bytes changed, which may be refused or taken, but
must not end `weft check` in any other way."""

import pathlib
import random
import re
import subprocess
import tempfile

import onnx
import onnx.parser

import files

HEAD = '<ir_version: 10, opset_import: ["" : 20]>\n'
SEEDS = [
    """net (float[N,3,8,8] x) => (float[N,4,3,3] y) <float[4,3,3,3] w> {
      c = Conv <strides = [2, 2]> (x, w)
      y = Relu (c)
    }""",
    """net (float[2,3] x, int64[2] i) => (float[2,6] y) {
      s = Shape (x)
      g = Gather (x, i)
      c = Concat <axis = 1> (x, g)
      y = Softmax <axis = -1> (c)
    }""",
    """net (float[4] x, bool k) => (float[4] y) {
      y = If (k) <then_branch = t () => (float[4] a) { a = Neg (x) },
                  else_branch = e () => (float[4] b) { b = Exp (x) }>
    }""",
    """net (float[2] x, int64 m) => (float[2] y, float[K,2] z) {
      y, z = Loop (m, , x) <body = b (int64 i, bool d, float[2] v) =>
        (bool e, float[2] w, float[2] u) { e = Identity (d) w = Neg (v) u = Abs (v) }>
    }""",
]


def seeds() -> list[bytes]:
    models = [files.SOUND]
    for text in SEEDS:
        model = onnx.parser.parse_model(HEAD + text)
        for tensor in model.graph.initializer:
            tensor.raw_data = bytes(4 * 4 * 3 * 3 * 3)
        models.append(model.SerializeToString())
    # Most of a model of large weights is weights, which say nothing.
    return [model if len(model) < 2048 else model[:200] + model[-200:] for model in models]


def mutate(model: bytes, chance: random.Random) -> bytes:
    data = bytearray(model)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(data))
        match chance.randrange(5):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at] ^= 1 << chance.randrange(8)
            case 2:
                del data[at : at + chance.randrange(1, 9)]
            case 3:
                data[at:at] = data[at : at + chance.randrange(1, 17)]
            case 4:
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        if not data:
            data = bytearray(model)
    return bytes(data)


def run_mutants(bin: pathlib.Path, count: int) -> tuple[int, list[str]]:
    """How many were survived, and what was wrong with the others."""
    chance = random.Random(20)
    sound = seeds()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        paths = []
        for number in range(count):
            path = folder / f"{number}.onnx"
            path.write_bytes(mutate(chance.choice(sound), chance))
            paths.append(str(path))
        wrong, begin = [], 0
        while begin < count:
            # A crash ends the process; those behind it get a new one.
            done = subprocess.run([str(bin / "weft"), "check", *paths[begin:]],
                                  capture_output=True, timeout=600)
            text = (done.stdout + done.stderr).decode(errors="replace")
            heard = set(re.findall(r"^(?:\S+/)?(\d+)\.onnx: (?:no problem|refused)", text, re.M))
            missing = [n for n in range(begin, count) if str(n) not in heard]
            if done.returncode in (0, 1, 77) and not missing:
                break
            first = missing[0] if missing else count - 1
            saved = pathlib.Path(tempfile.gettempdir()) / f"weft-mutant-{first}.onnx"
            saved.write_bytes(pathlib.Path(paths[first]).read_bytes())
            wrong.append(f"mutant {saved}: exit code {done.returncode}: {text[-400:]}")
            begin = first + 1
    return count - len(wrong), wrong
