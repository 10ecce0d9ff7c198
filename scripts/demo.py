"""Shows what Weft makes of the real architectures inside the onnx package.

Called by scripts/demo.sh. Fails if an output is not the official one.
"""

import collections
import json
import os
import pathlib
import sys
import tempfile
import time

import numpy as np
import onnx
import weft
from onnx import numpy_helper

LIGHT = pathlib.Path(onnx.__file__).parent / "backend/test/data/light"
# ONNX's own test runner allows as much.
RELATIVE, ABSOLUTE = 1e-3, 1e-7


def official(path):
    """A model's input and output as ONNX's test runner has them."""
    model = onnx.load(path, load_external_data=False)
    weights = {tensor.name for tensor in model.graph.initializer}
    (port,) = (p for p in model.graph.input if p.name not in weights)
    shape = [d.dim_value for d in port.type.tensor_type.shape.dim]
    count = int(np.prod(shape))
    x = (np.arange(count).reshape(shape) / count).astype(np.float32)
    output = path.with_name(path.stem + "_output_0.pb").read_bytes()
    wanted = numpy_helper.to_array(onnx.TensorProto.FromString(output))
    return len(model.graph.node), x, wanted


def median_ms(f, x, seconds):
    """The median time of runs for as long as `seconds`."""
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        began = time.perf_counter()
        f(x)
        times.append(time.perf_counter() - began)
    return 1e3 * sorted(times)[len(times) // 2]


def show_all():
    """One line per model; the number of those with another output."""
    print(f"{'model':16} {'nodes':>5} {'kernels':>7} {'compiled':>9} {'arena':>8} "
          f"{'one run':>9}  against the official output")  # fmt: skip
    wrong = 0
    for path in sorted(LIGHT.glob("light_*.onnx")):
        nodes, x, wanted = official(path)
        began = time.perf_counter()
        f = weft.compile(path)
        compiled = time.perf_counter() - began
        y = f(x)
        same = np.allclose(y, wanted, RELATIVE, ABSOLUTE)
        wrong += not same
        error = np.max(np.abs(y - wanted))
        print(f"{path.stem[6:]:16} {nodes:5} {len(f.kernels):7} {compiled:7.1f} s "
              f"{f.arena_bytes / 2**20:5.1f} MB {median_ms(f, x, 0.4):6.1f} ms  "
              f"{'equal' if same else 'WRONG'}, farthest {error:.1e}")  # fmt: skip
    return wrong


def time_by_kernel(f, x):
    """Microseconds that each kernel takes in five runs."""
    for _ in range(5):
        f(x)
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace.json")
        f.write_trace(trace)
        events = json.loads(pathlib.Path(trace).read_text())
    events = events["traceEvents"] if isinstance(events, dict) else events
    spent = collections.Counter()
    for event in events:
        if event.get("ph") == "X":
            spent[event["name"]] += event["dur"]
    return spent


def show_kernels(name, most=8):
    """Where a model's time goes, by kernel and by what it was made of."""
    path = LIGHT / f"light_{name}.onnx"
    _, x, _ = official(path)
    operators = {
        node.name or node.output[0]: node.op_type
        for node in onnx.load(path).graph.node
    }
    f = weft.compile(path, profile=True)
    spent, nodes = time_by_kernel(f, x), dict(f.kernels)
    print(f"\nwhere {name}'s time goes: the first {most} of {len(spent)} kernels, "
          "and the ONNX nodes that each computes")  # fmt: skip
    for kernel, time_spent in spent.most_common(most):
        made_of = collections.Counter(operators.get(node, "") for node in nodes[kernel])
        text = ", ".join(
            f"{count} {kind}" for kind, count in made_of.items()
            if kind and not kind.startswith("Constant")
        )  # fmt: skip
        share = 100 * time_spent / spent.total()
        print(f"  {share:5.1f} %  {kernel:16} {text}")


def main():
    wrong = show_all()
    show_kernels("resnet50")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
