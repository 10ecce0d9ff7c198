"""Runs what pack.sh has packed on this machine's GPU, beside the peers that are there.

    python3 run.py [--parts corpus,products,convolutions,models,training] [--seconds S]
                   [--minutes M] [--json FILE] [--only REGEX]
                   [--peers torch,torch.compile,onnxruntime] [--profile]

Needs NVIDIA's driver and numpy; torch and onnxruntime-gpu are compared with if they are
installed. Times are of the GPU alone unless it says "step": medians, in milliseconds.
A ratio is the peer's time over Weft's: above 1 Weft is faster. Parts whose time is over
are skipped, which is said. With --profile, models and steps are run for the times of
their kernels alone, and no peer is asked. Ends with 1 if a result is wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import platform
import re
import sys
import tempfile
import time
from typing import Any, Callable

import numpy as np
import pattern
import peers
import recorded
import weftrt

HERE = pathlib.Path(__file__).resolve().parent
PARTS = ["corpus", "products", "convolutions", "models", "training"]
TORCH = {"torch": False, "torch.compile": True}  # whether the model is compiled
PEERS = [*TORCH, "onnxruntime"]

# How far a result may be from the one that was computed for it: the root of the mean
# square of the differences over that of the result. f32 differs by the order of sums;
# the others round operands (2^-8 for bf16, 2^-11 for f16 and tf32), which few
# layers of a model multiply.
BOUNDS = {"f32": 1e-4, "tf32": 1e-2, "f16": 2e-2, "bf16": 1e-1}


def to_float(array: np.ndarray, code: int) -> np.ndarray:
    if code == weftrt.BF16:
        return (array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array.astype(np.float64)


def distance(got: np.ndarray, wanted: np.ndarray) -> float:
    if got.shape != wanted.shape or not np.isfinite(got).all():
        return math.inf
    scale = math.sqrt(float(np.mean(wanted**2))) or 1.0
    return math.sqrt(float(np.mean((got - wanted) ** 2))) / scale


class Report:
    def __init__(self, emulated: bool):
        self.emulated = emulated
        self.rows: list[dict[str, Any]] = []
        self.skipped: list[str] = []
        self.wrong: list[str] = []

    def skip(self, what: str) -> None:
        self.skipped.append(what)
        print(f"  skipped: {what}", flush=True)

    def check(self, what: str, right: bool, why: str = "") -> None:
        if not right:
            self.wrong.append(f"{what}: {why}")
            print(f"  WRONG {what}: {why}", flush=True)

    def row(self, part: str, name: str, sizes: str, dtype: str, times: dict, **more) -> None:
        weft = times.get("weft")
        ratios = {p: t / weft for p, t in times.items() if p != "weft" and t and weft}
        shown = None if self.emulated else {p: t * 1e3 for p, t in times.items() if t}
        self.rows.append(
            {"part": part, "case": name, "sizes": sizes, "type": dtype, "ms": shown,
             "ratio": None if self.emulated else ratios, **more}
        )  # fmt: skip
        cells = [f"{peer} {time * 1e3:9.4f} ms" for peer, time in times.items() if time]
        cells += [f"{peer}/weft {ratio:6.3f}" for peer, ratio in ratios.items()]
        text = "  ".join(cells) if not self.emulated else "emulated: no times"
        extra = "  ".join(f"{k} {v:.2e}" for k, v in more.items() if isinstance(v, float))
        print(f"  {name:14s} {sizes:20s} {dtype:5s} {text}  {extra}", flush=True)


class Bench:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.end = time.monotonic() + args.minutes * 60
        self.manifest = json.loads((HERE / "manifest.json").read_text())
        self.runtime = weftrt.Runtime(HERE / "lib/libweft-rt.so")
        self.gpu = self.runtime.gpu()
        name = self.gpu.name.decode()
        self.report = Report(emulated="emulator" in name)
        self.absent = peers.absent()
        self.peers = args.peers.split(",")
        print(f"{name}, sm_{self.gpu.major}{self.gpu.minor}; programs for {self.manifest['arch']}")
        for peer, why in self.absent.items():
            self.report.skip(f"{peer}: {why}")

    def late(self, what: str) -> bool:
        if time.monotonic() < self.end:
            return False
        self.report.skip(f"{what}: the time is over")
        return True

    def wanted(self, name: str) -> bool:
        return re.search(self.args.only, name) is not None

    def time_weft(self, program: weftrt.Program, run: Callable) -> float | None:
        """The median time of the kernels of a run."""
        for _ in range(3):
            run()
        times, end = [], time.perf_counter() + self.args.seconds
        while len(times) < 5 or time.perf_counter() < end:
            run()
            times.append(program.device_seconds())
            if self.report.emulated:
                return None
        return float(np.median(times)) or None

    def profile(self, name: str, program: weftrt.Program, run: Callable, most: int = 12) -> None:
        """Prints the kernels of a run that take longest: medians of some runs."""
        for _ in range(5):
            run()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "trace.json"
            program.write_trace(path)
            events = [e for e in json.loads(path.read_text())["traceEvents"] if e["ph"] == "X"]
        program.close()
        kernels: dict[str, dict[int, float]] = {}
        nodes = {}
        for event in events:
            runs = kernels.setdefault(event["name"], {})
            number = event["args"]["run"]
            runs[number] = runs.get(number, 0) + event["dur"]
            nodes[event["name"]] = event["args"]["nodes"]
        medians = {kernel: float(np.median([*runs.values()])) for kernel, runs in kernels.items()}
        print(f"  {name}: {len(medians)} kernels, {sum(medians.values()):.1f} us")
        for kernel in sorted(medians, key=medians.get, reverse=True)[:most]:
            what = " ".join(str(nodes[kernel]).split())
            print(f"    {medians[kernel]:9.1f} us  {kernel}: {what[:100]}")

    def asked(self, peer: str) -> bool:
        """Whether the machine has a peer and the user wants it; torch.compile comes with torch."""
        return peer in self.peers and peer.split(".")[0] not in self.absent

    def try_peer(self, what: str, measure: Callable[[], float]) -> float | None:
        if self.late(what):
            return None
        try:
            return measure()
        except Exception as error:  # noqa: BLE001 - a peer's trouble is not ours
            self.report.skip(f"{what}: {type(error).__name__}: {str(error)[:200]}")
            return None


def check_result(entry: dict, got: np.ndarray, wanted: np.ndarray) -> str:
    """What is wrong with a result of the corpus, or "". As weft-test-kernels compares."""
    if got.tobytes() == wanted.tobytes():
        return ""
    code, bound = entry["type"], entry["bound"]
    if not bound or code not in (1, 10, 11, weftrt.BF16):
        if np.issubdtype(got.dtype, np.floating) and np.array_equal(got, wanted, equal_nan=True):
            return ""
        return f"{int((got != wanted).sum())} of {got.size} elements differ"
    x, y = to_float(got, code), to_float(wanted, code)
    finite = np.isfinite(y)
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True) or not np.isfinite(x[finite]).all():
        return "infinities or NaN differ"
    x, y = x[finite], y[finite]
    squares = max(float((y**2).sum()), y.size * entry["magnitude"] ** 2)
    mean = math.sqrt(squares / y.size) if y.size else 0.0
    # Both sides may be off by the bound.
    if (np.abs(x - y) > 2 * 64 * math.sqrt(bound) * (np.abs(y) + mean)).any():
        return f"an element is off by {float(np.abs(x - y).max()):.3g}"
    errors = float(((x - y) ** 2).sum())
    if errors <= 4 * bound * squares:
        return ""
    return f"the normalised mean squared error is {errors / squares:.3g}, the bound {4 * bound:.3g}"


def run_corpus(bench: Bench) -> None:
    """All kernels of test/Kernel/table.py, against what the emulator made of them."""
    seen, equal, total = set(), 0, 0
    for name in bench.manifest["corpus"]:
        if not bench.wanted(name) or bench.late(f"corpus {name}"):
            continue
        program = weftrt.Program(bench.runtime, HERE / "corpus" / f"{name}.so", time_runs=0)
        raw = (HERE / "corpus" / f"{name}.bin").read_bytes()
        at = 0

        def take(entry: dict) -> np.ndarray:
            nonlocal at
            if "low" in entry:
                state = np.frombuffer(raw, np.uint64, recorded.STATE_WORDS, at)
                at += state.nbytes
                return recorded.random_input(entry, state)
            dtype = weftrt.dtype_of(entry["type"])
            count = math.prod(entry["dims"])
            array = np.frombuffer(raw, dtype, count, at).reshape(entry["dims"])
            at += count * dtype.itemsize
            return array

        for run in json.loads((HERE / "corpus" / f"{name}.json").read_text()):
            inputs = [take(entry) for entry in run["inputs"]]
            results = [(entry, take(entry)) for entry in run["results"]]
            try:
                made = program.bind(inputs)()
            except weftrt.Error as error:
                bench.report.check(f"corpus {run['results'][0]['case']}", False, str(error))
                continue
            for tensor, (entry, wanted) in zip(made, results):
                got = weftrt.to_array(tensor)
                seen.add(entry["case"])
                total += 1
                equal += got.tobytes() == wanted.tobytes()
                why = check_result(entry, got, wanted)
                bench.report.check(f"corpus {entry['case']}", not why, why)
        program.close()
    print(f"  {len(seen)} cases, {total} results, {equal} of them with the same bits")
    bench.report.rows.append(
        {"part": "corpus", "cases": len(seen), "results": total, "same_bits": equal}
    )


def time_node(
    bench: Bench, program: weftrt.Program, run: Callable, what: str,
    stored: list[np.ndarray], dtype: str, prepare: Callable,
) -> dict[str, float | None]:  # fmt: skip
    """The times of a node and of torch's, which `prepare` makes of its operands: `what` is
    the library behind it, sizes and type."""
    times = {"weft": bench.time_weft(program, run)}
    if bench.asked("torch"):

        def measure():
            peers.set_tf32(dtype == "tf32")
            run = prepare(*(peers.to_torch(one, dtype) for one in stored))
            return peers.device_seconds(run, bench.args.seconds)

        times[what.split()[0]] = bench.try_peer(what, measure)
    return times


def report_node(
    bench: Bench, part: str, case: str, sizes: str, dtype: str, times: dict, error: float,
    operations: float,
) -> None:  # fmt: skip
    bench.report.check(f"{case} {sizes} {dtype}", error <= BOUNDS[dtype], f"off by {error:.2e}")
    more = {"error": error}
    if times["weft"]:
        more["tflops"] = operations / times["weft"] / 1e12
    bench.report.row(part, case, sizes, dtype, times, **more)


def run_products(bench: Bench) -> None:
    """Products of matrices, against cuBLAS by way of torch."""
    for entry in bench.manifest["products"]:
        name, dtype, (m, n, k) = entry["name"], entry["type"], entry["sizes"]
        sizes = f"{m} x {n} x {k}"
        if not bench.wanted(name) or bench.late(f"product {sizes} {dtype}"):
            continue
        program = weftrt.Program(bench.runtime, HERE / "products" / f"{name}.so", time_runs=1)
        code = program.inputs[0].dtype
        a = pattern.numbers((m, k), 1, 1 / math.sqrt(k))
        b = pattern.numbers((k, n), 2, 1)
        stored = [narrow(one, code) for one in (a, b)]
        run = program.bind(stored)
        got = to_float(weftrt.to_array(run()[0]), code)
        rows = np.linspace(0, m - 1, min(m, 16)).astype(int)
        wanted = to_float(stored[0], code)[rows] @ to_float(stored[1], code)
        error = distance(got[rows], wanted)
        times = time_node(bench, program, run, f"cuBLAS {sizes} {dtype}", stored, dtype, peers.product)
        report_node(bench, "products", "matmul", sizes, dtype, times, error, 2 * m * n * k)
        program.close()


def convolve_at(x: np.ndarray, w: np.ndarray, stride: int, places: np.ndarray) -> np.ndarray:
    """The elements of a convolution, padded by half of the taps, at [image, filter, row, column]."""
    half = w.shape[2] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (half, half), (half, half)))
    found = []
    for image, number, row, column in places:
        i, j = row * stride, column * stride
        found.append((padded[image, :, i : i + w.shape[2], j : j + w.shape[3]] * w[number]).sum())
    return np.array(found)


def run_convolutions(bench: Bench) -> None:
    """Convolutions, against cuDNN by way of torch."""
    for entry in bench.manifest["convolutions"]:
        name, dtype = entry["name"], entry["type"]
        images, channels, size, filters, taps, stride = entry["sizes"]
        sizes = f"{images} x {channels} x {size}^2, {filters} of {taps}^2 / {stride}"
        if not bench.wanted(name) or bench.late(f"convolution {sizes} {dtype}"):
            continue
        program = weftrt.Program(bench.runtime, HERE / "convolutions" / f"{name}.so", time_runs=1)
        code, depth = program.inputs[0].dtype, channels * taps**2
        x = pattern.numbers((images, channels, size, size), 1, 1)
        w = pattern.numbers((filters, channels, taps, taps), 2, 1 / math.sqrt(depth))
        stored = [narrow(one, code) for one in (x, w)]
        run = program.bind(stored)
        got = to_float(weftrt.to_array(run()[0]), code)
        random = np.random.Generator(np.random.PCG64(5))
        places = np.stack([random.integers(0, most, 64) for most in got.shape], axis=1)
        wanted = convolve_at(*(to_float(one, code) for one in stored), stride, places)
        error = distance(got[tuple(places.T)], wanted)
        times = time_node(bench, program, run, f"cuDNN {sizes} {dtype}", stored, dtype,
                          lambda a, b: peers.convolution(a, b, stride))  # fmt: skip
        report_node(bench, "convolutions", "conv", sizes, dtype, times, error, 2 * got.size * depth)
        program.close()


def narrow(array: np.ndarray, code: int) -> np.ndarray:
    """f32 as the type of a program's input; bf16 rounds to the nearest even."""
    if code == weftrt.BF16:
        bits = array.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return array.astype(weftrt.dtype_of(code))


def make_inputs(graph: dict, seed: int = 3) -> dict[str, np.ndarray]:
    random = np.random.Generator(np.random.PCG64(seed))
    return {
        name: random.standard_normal(one["shape"], np.float32)
        if one["type"] == 1
        else random.integers(0, 1000, one["shape"], np.int64)
        for name, one in graph["inputs"].items()
    }


def run_models(bench: Bench) -> None:
    """Inference, against torch, its compiler and onnxruntime."""
    for entry in bench.manifest["models"]:
        name, dtype = entry["name"], entry["type"]
        if not bench.wanted(name) or bench.late(f"model {name} {dtype}"):
            continue
        graph = json.loads((HERE / "models" / f"{entry['graph']}.json").read_text())
        inputs = make_inputs(graph)
        program = weftrt.Program(bench.runtime, HERE / "models" / f"{name}.so", time_runs=1,
                                 profile=bench.args.profile)  # fmt: skip
        given = [
            narrow(array, port.dtype) if array.dtype == np.float32 else array
            for array, port in zip(inputs.values(), program.inputs)
        ]
        run = program.bind(given)
        made = run()[0]
        got = to_float(weftrt.to_array(made), made.dtype)
        wanted = np.load(HERE / "models" / f"{entry['graph']}.npy").astype(np.float64)
        error = distance(got, wanted)
        bench.report.check(f"model {name}", error <= BOUNDS[dtype], f"off by {error:.2e}")
        if bench.args.profile:
            bench.profile(name, program, run)
            continue
        times = {"weft": bench.time_weft(program, run)}
        for peer in filter(bench.asked, TORCH):

            def measure(peer=peer):
                model = peers.TorchModel(graph, inputs, dtype)
                return peers.device_seconds(model.runner(TORCH[peer]), bench.args.seconds)

            times[peer] = bench.try_peer(f"{peer} {name}", measure)
        if bench.asked("onnxruntime") and dtype != "bf16":
            path = HERE / "models" / f"{entry['onnx']}.onnx"
            typed = {
                n: a.astype(np.float16) if dtype == "f16" and a.dtype == np.float32 else a
                for n, a in inputs.items()
            }

            def measure():
                run = peers.onnxruntime_runner(str(path), typed, dtype)
                return wall_seconds(run, bench.args.seconds)

            times["onnxruntime"] = bench.try_peer(f"onnxruntime {name}", measure)
        bench.report.row("models", entry["graph"], entry["sizes"], dtype, times, error=error)
        program.close()


def wall_seconds(run: Callable, seconds: float) -> float:
    for _ in range(3):
        run()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def run_training(bench: Bench) -> None:
    """Steps of training: batch to the GPU, step, loss back."""
    for entry in bench.manifest["training"]:
        name, dtype = entry["name"], entry["type"]
        if not bench.wanted(name) or bench.late(f"training {name}"):
            continue
        graph = json.loads((HERE / "training" / f"{entry['graph']}.json").read_text())
        inputs = make_inputs(graph)
        rows, classes = graph["scores"]
        labels = np.random.Generator(np.random.PCG64(4)).integers(0, classes, rows, np.int64)
        trainer = weftrt.Trainer(
            bench.runtime, HERE / "training" / f"{name}.so", profile=bench.args.profile
        )
        step = trainer.bind_step([*inputs.values(), labels], entry["rate"])
        losses = [step() for _ in range(len(entry["losses"]))]
        error = max(abs(a / b - 1) for a, b in zip(losses, entry["losses"]))
        bench.report.check(f"training {name}", error <= BOUNDS[dtype], f"losses off by {error:.2e}")
        if bench.args.profile:
            bench.profile(name, trainer, step)
            continue
        times = {"weft": None if bench.report.emulated else wall_seconds(step, bench.args.seconds)}
        for peer in filter(bench.asked, TORCH):

            def measure(peer=peer):
                other = peers.TorchStep(
                    graph, inputs, labels, dtype, entry["optimizer"], entry["rate"], TORCH[peer]
                )
                return wall_seconds(other, bench.args.seconds)

            times[peer] = bench.try_peer(f"{peer} step of {name}", measure)
        bench.report.row("training", f"{entry['graph']} step", entry["sizes"], dtype, times, error=error)
        trainer.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement [0.5]")
    parser.add_argument("--minutes", type=float, default=9.0, help="for everything [9]")
    parser.add_argument("--only", default="", help="cases whose names match")
    parser.add_argument("--peers", default=",".join(PEERS), help="those to compare with")
    parser.add_argument("--profile", action="store_true", help="kernels' times, and no peers")
    parser.add_argument("--json", help="a file for the results")
    args = parser.parse_args()
    for peer in filter(None, args.peers.split(",")):
        if peer not in PEERS:
            parser.error(f"there is no peer {peer}: they are {', '.join(PEERS)}")
    began = time.monotonic()
    try:
        bench = Bench(args)
    except weftrt.Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    run = {"corpus": run_corpus, "products": run_products,
           "convolutions": run_convolutions, "models": run_models, "training": run_training}  # fmt: skip
    for part in args.parts.split(","):
        print(f"{part}: {run[part].__doc__}", flush=True)
        run[part](bench)
    report = bench.report
    if args.json:
        result = {
            "gpu": bench.gpu.name.decode(), "emulated": report.emulated,
            "date": time.strftime("%Y-%m-%d"), "host": platform.processor(),
            "weft": bench.manifest["version"], "arch": bench.manifest["arch"],
            "peers": peers.versions(), "rows": report.rows, "skipped": report.skipped,
            "wrong": report.wrong, "seconds": time.monotonic() - began,
        }  # fmt: skip
        pathlib.Path(args.json).write_text(json.dumps(result, indent=1) + "\n")
    print(f"{len(report.wrong)} wrong, {len(report.skipped)} skipped, "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
