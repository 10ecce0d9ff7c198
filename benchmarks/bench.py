"""Times Weft and the installed peers on the same models, interleaved.

    bench.py [--models A,B] [--threads 1,2] [--peers A,B] [--parts speed,...]
             [--training-peers A,B] [--rounds N] [--seconds S] [--build DIR]
             [--json FILE]

Parts: speed (each model on each engine), compile (seconds and memory of
compiling and of running, in child processes), products (matrix products as a
share of the core's peak), symbolic (a batch of any size against a fixed one),
training (steps of training, each engine in a process of its own; training.py
installs the peers).
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable, Mapping

import engines
import models
import numpy as np
import training

PARTS = ["speed", "compile", "products", "symbolic", "training"]


def burst(run: Callable, seconds: float) -> float:
    """The median seconds of runs that follow each other for a while. The first
    one, which finds other engines' data in the caches and their threads still
    spinning, does not count."""
    run()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def interleave(
    runs: Mapping[str, Callable], rounds: int, seconds: float
) -> dict[str, float]:
    """Medians over `rounds` rounds, in each of which everything runs in turn.
    The whole takes about `seconds`."""
    slot = seconds / (rounds * len(runs))
    times: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for _ in range(rounds):
        for name in order:
            times[name].append(burst(runs[name], slot))
        order.append(order.pop(0))
    return {name: statistics.median(values) for name, values in times.items()}


def relative_error(got: list[np.ndarray], wanted: list[np.ndarray]) -> float:
    """The largest difference as a share of the largest number of an output."""
    worst = 0.0
    for a, b in zip(got, wanted, strict=True):
        if a.shape != b.shape or not np.isfinite(a).all():
            return math.inf
        scale = float(np.abs(b).max()) or 1.0
        worst = max(worst, float(np.abs(a - b).max()) / scale)
    return worst


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(v) for v in values))


def measure_speed(args, threads: int) -> dict:
    """Milliseconds per engine and model, ratios, and errors against
    onnxruntime."""
    result = {}
    for name in args.models:
        if name not in models.MODELS:
            continue
        path = models.model(name)
        inputs = models.inputs(path)
        runs = {
            engine: engines.LOADERS[engine](path, threads, inputs)
            for engine in ["weft", *args.peers]
        }
        outputs = {engine: [np.array(o) for o in run()] for engine, run in runs.items()}
        times = interleave(runs, args.rounds, args.seconds)
        entry = {"ms": {e: t * 1e3 for e, t in times.items()}}
        if "onnxruntime" in outputs:
            entry["error"] = relative_error(outputs["weft"], outputs["onnxruntime"])
        entry["ratio"] = {e: times[e] / times["weft"] for e in args.peers}
        result[name] = entry
        print_speed_row(name, entry, args.peers)
    for peer in args.peers:
        ratios = [entry["ratio"][peer] for entry in result.values()]
        print(
            f"  {peer} / weft, geometric mean {geometric_mean(ratios):.3f}, "
            f"least {min(ratios):.3f}"
        )
    return result


def print_speed_row(name: str, entry: dict, peers: list[str]) -> None:
    cells = [f"  {name:20s} weft {entry['ms']['weft']:9.3f} ms"]
    for peer in peers:
        cells.append(
            f"{peer} {entry['ms'][peer]:9.3f} ms (ratio {entry['ratio'][peer]:.3f})"
        )
    if "error" in entry:
        cells.append(f"error {entry['error']:.1e}")
    print(", ".join(cells), flush=True)


# A process counts the memory of the one that started it as its own, so that this
# small one stands between.
MEASURE = """
import json, os, sys, time
start = time.perf_counter()
files = [(os.POSIX_SPAWN_DUP2, 2, 1)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=files)
_, status, usage = os.wait4(child, 0)
print(json.dumps([status, time.perf_counter() - start, usage.ru_maxrss * 1024]))
"""


def child(command: list[str]) -> tuple[float, int, str]:
    """Seconds, peak bytes of memory, and what the command said."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", MEASURE, *command],
        capture_output=True,
        text=True,
        check=True,
    )
    status, seconds, peak = json.loads(done.stdout)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return seconds, peak, done.stderr


def weight_bytes(path: pathlib.Path) -> int:
    data = path.with_suffix(".data")
    return path.stat().st_size + (data.stat().st_size if data.exists() else 0)


def measure_compile(args) -> dict:
    """What compiling, and one run of the result, cost in a fresh process."""
    weft = str(engines.BUILD / "bin" / "weft")
    result = {}
    for name in args.models:
        if name not in models.MODELS:
            continue
        path = models.model(name)
        with tempfile.TemporaryDirectory(dir=models.FOLDER) as folder:
            so = f"{folder}/{name}.so"
            seconds, peak, _ = child([weft, "compile", str(path), "-o", so])
            _, run_peak, text = child([weft, "run", so, "--random"])
        planned = re.search(r"arena: (\d+) bytes planned", text)
        entry = {
            "seconds": seconds,
            "peak_bytes": peak,
            "weight_bytes": weight_bytes(path),
            "run_peak_bytes": run_peak,
            "arena_bytes": int(planned.group(1)),
            "peers": {},
        }
        for peer in args.peers:
            command = [sys.executable, engines.__file__, peer, str(path), "2"]
            peer_seconds, peer_peak, _ = child(command)
            entry["peers"][peer] = {
                "load_and_run_seconds": peer_seconds,
                "peak_bytes": peer_peak,
            }
        result[name] = entry
        print_compile_row(name, entry)
    return result


def print_compile_row(name: str, entry: dict) -> None:
    def mb(count):
        return f"{count / 1e6:.0f} MB"

    cells = [
        f"  {name:20s} weights {mb(entry['weight_bytes'])}",
        f"compile {entry['seconds']:.2f} s and {mb(entry['peak_bytes'])}",
        f"run {mb(entry['run_peak_bytes'])} of which arena {mb(entry['arena_bytes'])}",
    ]
    for peer, cost in entry["peers"].items():
        cells.append(
            f"{peer} load and run {cost['load_and_run_seconds']:.2f} s and "
            f"{mb(cost['peak_bytes'])}"
        )
    print(", ".join(cells), flush=True)


def measure_products(args) -> dict:
    """Matrix products on one thread, in GFLOP/s, with the core's peak."""
    result = {}
    peak_run = engines.load_peak()
    for m, n, k in models.PRODUCTS:
        for weight in (True, False):
            path = models.product(m, n, k, weight)
            inputs = models.inputs(path)
            runs = {"peak": lambda: peak_run(200000)}
            for engine in ["weft", *args.peers]:
                runs[engine] = engines.LOADERS[engine](path, 1, inputs)
            if "onnxruntime" in runs:
                error = relative_error(runs["weft"](), runs["onnxruntime"]())
            else:
                error = None
            times = interleave(runs, args.rounds, args.seconds)
            peak = peak_run(200000) / times.pop("peak") / 1e9
            rates = {e: 2e-9 * m * n * k / t for e, t in times.items()}
            name = f"{m}x{n}x{k}, right side {'weight' if weight else 'input'}"
            result[name] = {"peak_gflops": peak, "gflops": rates, "error": error}
            shares = ", ".join(
                f"{e} {rate:.1f} ({rate / peak:.0%})" for e, rate in rates.items()
            )
            print(f"  {name}: peak {peak:.1f} GFLOP/s, {shares}", flush=True)
    return result


def measure_symbolic(args, threads: int) -> dict:
    """Programs for any batch against those for a batch of 1, at batch 1."""
    result = {}
    for name in models.SYMBOLIC:
        paths = {"fixed": models.model(name), "symbolic": models.symbolic(name)}
        runs = {
            kind: engines.load_weft(path, threads, models.inputs(path))
            for kind, path in paths.items()
        }
        times = interleave(runs, args.rounds, args.seconds)
        ratio = times["symbolic"] / times["fixed"]
        errors = symbolic_errors(paths["symbolic"], threads)
        result[name] = {
            "ms": {kind: t * 1e3 for kind, t in times.items()},
            "symbolic_over_fixed": ratio,
            "errors": errors,
        }
        said = ", ".join(f"{error:.1e} at {n}" for n, error in errors.items())
        print(
            f"  {name}: fixed {times['fixed'] * 1e3:.3f} ms, symbolic "
            f"{times['symbolic'] * 1e3:.3f} ms, ratio {ratio:.3f}, errors {said}",
            flush=True,
        )
    return result


def symbolic_errors(path: pathlib.Path, threads: int) -> dict[int, float]:
    """Errors against onnxruntime, if it is installed, at some sizes of the batch."""
    if "onnxruntime" not in engines.installed():
        return {}
    errors = {}
    for batch in (1, 3, 64):
        inputs = models.inputs(path, batch)
        got, wanted = (
            engines.LOADERS[engine](path, threads, inputs)()
            for engine in ("weft", "onnxruntime")
        )
        errors[batch] = relative_error(got, wanted)
    return errors


def processor() -> str:
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"model name\s*: (.*)", text)
    return found.group(1) if found else platform.processor()


def parse_arguments() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return [part for part in text.split(",") if part]

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known_models = list(dict.fromkeys([*models.MODELS, *models.TRAINING]))
    parser.add_argument("--models", type=names, default=known_models)
    parser.add_argument("--threads", type=names, default=["1", "2"])
    parser.add_argument("--peers", type=names, default=engines.installed())
    parser.add_argument("--training-peers", type=names, default=training.installed())
    parser.add_argument("--parts", type=names, default=PARTS)
    parser.add_argument("--rounds", type=int, default=7, help="[7]")
    parser.add_argument(
        "--seconds", type=float, default=7, help="about how long to time a model [7]"
    )
    parser.add_argument(
        "--build", type=pathlib.Path, default=engines.BUILD, help="[build/dev]"
    )
    parser.add_argument("--json", help="file that gets all figures")
    args = parser.parse_args()
    for given, known in (
        (args.models, known_models),
        (args.peers, engines.LOADERS),
        (args.training_peers, training.PEERS),
        (args.parts, PARTS),
    ):
        for name in given:
            if name not in known:
                parser.error(f"'{name}' is none of {', '.join(known)}")
    return args


def main() -> None:
    args = parse_arguments()
    engines.BUILD = args.build
    facts = {
        "processor": processor(),
        "date": time.strftime("%Y-%m-%d"),
        "versions": {p: sys.modules[p].__version__ for p in args.peers if __import__(p)},
    }
    versions = ", ".join(f"{p} {v}" for p, v in facts["versions"].items())
    print(", ".join(filter(None, [facts["processor"], facts["date"], versions])))
    result = {"machine": facts}
    for threads in args.threads if "speed" in args.parts else []:
        print(f"speed, {threads} threads, batch 1", flush=True)
        result[f"speed_{threads}"] = measure_speed(args, int(threads))
    if "compile" in args.parts:
        print("compile time and memory", flush=True)
        result["compile"] = measure_compile(args)
    if "products" in args.parts:
        print("matrix products, 1 thread", flush=True)
        result["products"] = measure_products(args)
    for threads in args.threads if "symbolic" in args.parts else []:
        print(f"symbolic batch against fixed, {threads} threads", flush=True)
        result[f"symbolic_{threads}"] = measure_symbolic(args, int(threads))
    for threads in args.threads if "training" in args.parts else []:
        print(f"steps of training, {threads} threads", flush=True)
        result[f"training_{threads}"] = training.measure(args, int(threads))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
