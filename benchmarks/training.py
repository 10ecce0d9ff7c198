"""Steps of training, by Weft and by peers that have a Python of their own.

    training.py [PEER...]   installs peers (all if none is named) below build/peers

Each engine is a process that makes steps when it is told to (steps.py), so that
they can run in turn, and each has a peak of memory of its own.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys

import engines
import models

PEERS_FOLDER = models.ROOT / "build" / "peers"

# The environment that a peer runs in, and what pip installs there.
PEERS = {
    "torch": ("torch", ["torch", "onnx"]),
    "torch.compile": ("torch", ["torch", "onnx"]),
    "jax": ("jax", ["jax", "onnx"]),
    "onnxruntime-training": (
        "onnxruntime-training",
        ["onnxruntime-training==1.19.2", "onnx<1.17", "numpy<2"],
    ),
}


def python_of(engine: str) -> pathlib.Path:
    if engine == "weft":
        return pathlib.Path(sys.executable)
    return PEERS_FOLDER / PEERS[engine][0] / "bin" / "python"


def installed() -> list[str]:
    return [peer for peer in PEERS if python_of(peer).exists()]


def install(peer: str) -> None:
    environment, packages = PEERS[peer]
    folder = PEERS_FOLDER / environment
    if not folder.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *packages], check=True)


class Engine:
    """A process that makes steps of a model."""

    def __init__(self, name: str, path: pathlib.Path, optimizer: str, threads: int):
        self.name = name
        self._log = path.parent / f"{path.stem}.{name}.log"
        command = [
            str(python_of(name)),
            str(pathlib.Path(__file__).parent / "steps.py"),
            *(name, str(path), optimizer, str(threads), str(engines.BUILD)),
        ]
        # What inductor compiles is kept, so that the next start is shorter.
        cache = {"TORCHINDUCTOR_CACHE_DIR": str(PEERS_FOLDER / "inductor")}
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **cache},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
            bufsize=1,
        )
        self.losses: list[float] = self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        said = self._log.read_text().strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"{self.name}: {said[-1]}")

    def measure(self, seconds: float) -> float:
        """The median of the seconds that steps take."""
        self._process.stdin.write(f"{seconds}\n")
        return self._answer()

    def end(self) -> tuple[int, int | None]:
        """The most bytes of memory that the process had, and those planned."""
        self._process.stdin.close()
        peak, planned = self._answer()
        self._process.wait()
        return peak, planned


def start(args, path: pathlib.Path, optimizer: str, threads: int) -> dict[str, Engine]:
    """The engines that can make steps of the model; says why others can't."""
    found = {}
    for name in ["weft", *args.training_peers]:
        try:
            found[name] = Engine(name, path, optimizer, threads)
        except RuntimeError as error:
            if name == "weft":
                raise
            print(f"    without {error}", flush=True)
    return found


def interleave(found: dict[str, Engine], rounds: int, seconds: float) -> dict[str, float]:
    slot = seconds / (rounds * len(found))
    times: dict[str, list[float]] = {name: [] for name in found}
    order = list(found)
    for _ in range(rounds):
        for name in order:
            times[name].append(found[name].measure(slot))
        order.append(order.pop(0))
    return {name: statistics.median(values) for name, values in times.items()}


def measure(args, threads: int) -> dict:
    """Milliseconds of a step and peak bytes per engine and model, the ratios of
    the peers' times to Weft's, and the largest difference of a first loss."""
    result = {}
    for name in args.models:
        if name not in models.TRAINING:
            continue
        path, optimizer = models.trained(name), models.TRAINING[name][1]
        found = start(args, path, optimizer, threads)
        times = interleave(found, args.rounds, args.seconds)
        own = found["weft"].losses
        entry = {
            "optimizer": optimizer,
            "ms": {e: t * 1e3 for e, t in times.items()},
            "ratio": {e: t / times["weft"] for e, t in times.items() if e != "weft"},
            "loss_error": {
                e: max(abs(a - b) / abs(b) for a, b in zip(own, engine.losses))
                for e, engine in found.items()
            },
        }
        ends = {e: engine.end() for e, engine in found.items()}
        entry["peak_bytes"] = {e: peak for e, (peak, _) in ends.items()}
        entry["planned_bytes"] = ends["weft"][1]
        result[name] = entry
        print_row(name, entry)
    return result


def print_row(name: str, entry: dict) -> None:
    print(f"  {name}, {entry['optimizer']}")
    for engine, ms in entry["ms"].items():
        cells = [f"    {engine:22s} {ms:10.3f} ms", f"{entry['peak_bytes'][engine] / 1e6:7.0f} MB"]
        if engine == "weft":
            cells.append(f"planned {entry['planned_bytes'] / 1e6:.0f} MB")
        else:
            cells.append(f"ratio {entry['ratio'][engine]:.3f}")
            cells.append(f"losses differ by {entry['loss_error'][engine]:.1e}")
        print(", ".join(cells), flush=True)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or PEERS:
        install(wanted)
