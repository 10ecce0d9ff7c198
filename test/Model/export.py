"""Writes the models of this folder: networks.py through both of torch's
exporters, with inputs and torch's outputs.

    python -m venv elsewhere && elsewhere/bin/pip install torch onnxscript
    elsewhere/bin/python test/Model/export.py [REGEX]

Not needed for running the tests. The TorchScript exporter ends at opset 20, knows
no RMSNorm, and writes the length that it sees into torch's own attention;
torch.export unrolls recurrent cells.
"""

from __future__ import annotations

import pathlib
import re
import sys
import warnings
from functools import partial
from typing import Callable

import networks
import numpy as np
import onnx
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
# (name, does it go through torch.export, opset)
EXPORTERS = [("script", False, 18), ("export", True, 18), ("export", True, 23)]
LARGEST = 100_000  # bytes of a file
# Models that are right for the length that they were exported with alone.
FIXED_LENGTH = [("encoder", "script"), ("recurrent", "export")]


def image(batch: int, size: int) -> dict[str, torch.Tensor]:
    return {"image": torch.randn(batch, 3, size, size)}


def tokens(batch: int, length: int) -> torch.Tensor:
    return torch.randint(0, 50, (batch, length))


def padded(batch: int, length: int, name: str, hide: bool) -> dict[str, torch.Tensor]:
    """Sentences of which all but the first end early."""
    ends = torch.tensor([max(1, length - 2 * row) for row in range(batch)])
    present = torch.arange(length)[None] < ends[:, None]
    return {"ids": tokens(batch, length), name: ~present if hide else present.long()}


# Name: network, function that makes inputs, sizes of the data sets, and the axes of
# the inputs whose sizes are symbolic. The exporter is told by a flag: is it the
# one on torch.export?
Case = tuple[Callable[[bool], nn.Module], Callable, list[tuple], dict]
SENTENCE = {0: "batch", 1: "length"}
CASES: dict[str, Case] = {
    "convolutional": (
        lambda modern: networks.Convolutional(),
        image,
        [(2, 20), (1, 20), (3, 20)],
        {"image": {0: "batch"}},
    ),
    "decoder": (
        lambda modern: networks.Decoder(
            partial(nn.RMSNorm, eps=1e-6) if modern else networks.Norm
        ),
        partial(padded, name="present", hide=False),
        [(2, 7), (1, 12), (3, 4)],
        {"ids": SENTENCE, "present": SENTENCE},
    ),
    "encoder": (
        lambda modern: networks.Encoder(),
        partial(padded, name="padding", hide=True),
        [(2, 9), (1, 5), (3, 16)],
        {"ids": SENTENCE, "padding": SENTENCE},
    ),
    "recurrent": (
        lambda modern: networks.Recurrent(),
        lambda batch, length: {"ids": tokens(batch, length)},
        [(2, 6), (1, 11), (3, 3)],
        {"ids": SENTENCE},
    ),
}


def settle(network: nn.Module) -> None:
    """Gives BatchNormalization statistics that are not 0 and 1."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.normal_(1, 0.2)
            module.bias.data.normal_(0, 0.2)


def write(network: nn.Module, path: pathlib.Path, example, axes, modern, opset):
    options = {"input_names": list(example), "opset_version": opset}
    if modern:
        dims = {name: torch.export.Dim.AUTO for name in ("batch", "length")}
        options["dynamic_shapes"] = {
            port: {axis: dims[name] for axis, name in names.items()}
            for port, names in axes.items()
        }
    else:
        options["dynamic_axes"] = axes
    torch.onnx.export(
        network,
        tuple(example.values()),
        str(path),
        dynamo=modern,
        external_data=False,
        verbose=False,
        **options,
    )
    model = onnx.load(path)
    # Not part of what the model computes, and larger than it.
    del model.metadata_props[:]
    for node in [*model.graph.node, *(n for f in model.functions for n in f.node)]:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    onnx.save(model, path)
    got = next(o.version for o in model.opset_import if o.domain == "")
    assert got == opset, f"{path.name} has opset {got}"
    size = path.stat().st_size
    assert size < LARGEST, f"{path.name} has {size} bytes"


def make(name: str, exporter: str, modern: bool, opset: int) -> None:
    build, inputs, sizes, axes = CASES[name]
    torch.manual_seed(7)
    network = build(modern).eval()
    settle(network)
    if (name, exporter) in FIXED_LENGTH:
        sizes = [(batch, sizes[0][1]) for batch, _ in sizes]
    sets = [inputs(*size) for size in sizes]
    path = HERE / "Inputs" / f"{name}-{exporter}-{opset}.onnx"
    with torch.no_grad():
        write(network, path, sets[0], axes, modern, opset)
        arrays = {}
        for index, values in enumerate(sets):
            outputs = network(*values.values())
            if isinstance(outputs, torch.Tensor):
                outputs = (outputs,)
            for port, value in values.items():
                arrays[f"{index}/input/{port}"] = value.numpy()
            for position, value in enumerate(outputs):
                arrays[f"{index}/output/{position}"] = value.numpy()
    np.savez_compressed(path.with_suffix(".npz"), **arrays)
    print(path.name, path.stat().st_size)


def main() -> None:
    warnings.simplefilter("ignore")
    torch.backends.mha.set_fastpath_enabled(False)
    (HERE / "Inputs").mkdir(exist_ok=True)
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for name in CASES:
        for exporter, modern, opset in EXPORTERS:
            if re.search(wanted, f"{name}-{exporter}-{opset}"):
                make(name, exporter, modern, opset)


if __name__ == "__main__":
    main()
