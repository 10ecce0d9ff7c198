"""What is compared with: torch, its compiler, and onnxruntime, where they are installed."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, Mapping

import numpy as np
import pattern

try:
    import torch
    import torch_graph
except ImportError:
    torch = None
try:
    import onnxruntime
except ImportError:
    onnxruntime = None


def absent() -> dict[str, str]:
    """Peers that can't be asked, and why."""
    why = {}
    if torch is None:
        why["torch"] = "torch is not installed"
    elif not torch.cuda.is_available():
        why["torch"] = f"torch {torch.__version__} finds no GPU"
    if onnxruntime is None:
        why["onnxruntime"] = "onnxruntime is not installed"
    elif "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        why["onnxruntime"] = f"onnxruntime {onnxruntime.__version__} is not built for CUDA"
    return why


def versions() -> dict[str, str]:
    found = {}
    if torch is not None:
        found["torch"] = torch.__version__
    if onnxruntime is not None:
        found["onnxruntime"] = onnxruntime.__version__
    return found


def set_tf32(allowed: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def to_torch(array: np.ndarray, dtype: str) -> Any:
    """On the GPU; floats as `dtype` says, of which bf16 is carried by u16."""
    if array.dtype == np.uint16:
        tensor = torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    else:
        tensor = torch.from_numpy(np.array(array, order="C"))
    if tensor.is_floating_point():
        tensor = tensor.to(getattr(torch, {"f16": "float16", "bf16": "bfloat16"}.get(dtype, "float32")))
    return tensor.cuda()


def device_seconds(run: Callable, seconds: float) -> float:
    """The median time of runs on the GPU, by events around each."""
    run()
    torch.cuda.synchronize()
    times, end = [], time.perf_counter() + seconds
    begin, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    while len(times) < 5 or time.perf_counter() < end:
        begin.record()
        run()
        stop.record()
        stop.synchronize()
        times.append(begin.elapsed_time(stop) / 1e3)
    return float(np.median(times))


def product(x: Any, y: Any) -> Callable:
    return lambda: x @ y


def convolution(x: Any, w: Any, stride: int) -> Callable:
    """Of images whose channels are last in memory, as cuDNN likes them best."""
    x, w = (one.to(memory_format=torch.channels_last) for one in (x, w))

    def run():
        with torch.inference_mode():
            return torch.nn.functional.conv2d(x, w, stride=stride, padding=w.shape[2] // 2)

    return run


def weights_of(graph: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {
        name: pattern.numbers(one["shape"], one["shift"], one["scale"], one["add"])
        for name, one in graph["weights"].items()
    }


def forward(graph: Mapping[str, Any], dtype: str) -> Callable:
    """The graph as a function of parameters and inputs."""
    lists = {name: one["values"] for name, one in graph["constants"].items() if one["integer"]}
    constants = {
        name: to_torch(np.array(one["values"], np.int64 if one["integer"] else np.float32), dtype)
        for name, one in graph["constants"].items()
    }
    return torch_graph.function(graph["nodes"], constants, lists, graph["output"])


class TorchModel:
    """A model for inference."""

    def __init__(self, graph: Mapping[str, Any], inputs: Mapping[str, np.ndarray], dtype: str):
        set_tf32(dtype == "tf32")
        self.parameters = {n: to_torch(a, dtype) for n, a in weights_of(graph).items()}
        self.inputs = {n: to_torch(a, dtype) for n, a in inputs.items()}
        self.function = forward(graph, dtype)

    def runner(self, compiled: bool) -> Callable:
        def call(inputs):
            return self.function({**self.parameters, **inputs})

        function = torch.compile(call, mode="reduce-overhead") if compiled else call

        def run():
            with torch.inference_mode():
                return function(self.inputs)

        return run


class TorchStep:
    """A training step, as benchmarks/step_torch.py makes it."""

    def __init__(self, graph, inputs, labels, dtype, optimizer, rate, compiled):
        set_tf32(dtype == "tf32")
        self.parameters = {
            n: torch.nn.Parameter(to_torch(a, "f32")) for n, a in weights_of(graph).items()
        }
        self.host = [torch.from_numpy(a) for a in (*inputs.values(), labels)]
        self.names = list(inputs)
        function = forward(graph, "f32")
        self.rule = torch.optim.SGD(
            self.parameters.values(), rate, momentum=0.9 if optimizer == "momentum" else 0.0,
            fused=True,
        )  # fmt: skip
        narrow = {"f16": torch.float16, "bf16": torch.bfloat16}.get(dtype)

        def loss_of(*batch):
            context = torch.autocast("cuda", narrow) if narrow else contextlib.nullcontext()
            with context:
                scores = function({**self.parameters, **dict(zip(self.names, batch))})
            return torch.nn.functional.cross_entropy(scores.float(), batch[-1])

        self.loss_of = torch.compile(loss_of) if compiled else loss_of

    def __call__(self) -> float:
        loss = self.loss_of(*(one.cuda(non_blocking=True) for one in self.host))
        self.rule.zero_grad()
        loss.backward()
        self.rule.step()
        return loss.item()


def onnxruntime_runner(path: str, inputs: Mapping[str, np.ndarray], dtype: str) -> Callable:
    """Runs a model whose inputs and outputs stay on the GPU."""
    options = {"use_tf32": "1" if dtype == "tf32" else "0"}
    session = onnxruntime.InferenceSession(path, providers=[("CUDAExecutionProvider", options)])
    if session.get_providers()[0] != "CUDAExecutionProvider":
        raise RuntimeError("onnxruntime can't use the GPU")
    binding = session.io_binding()
    for name, array in inputs.items():
        value = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), "cuda", 0)
        binding.bind_ortvalue_input(name, value)
    for output in session.get_outputs():
        binding.bind_output(output.name, "cuda")

    def run():
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run
