"""Makes the folder that pack.sh packs: programs for GPUs, and what they should compute.

    make.py FOLDER [--build DIR] [--arch sm_80] [--tiny]

Weights are those of there/pattern.py, which compress to nearly nothing; what results
should be is computed here, by programs for the processor. With --tiny, sizes are those
that the emulator can run in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zlib
from typing import Any, Callable

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent), str(HERE / "there")]

import graph as graphs  # noqa: E402
import language  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import pattern  # noqa: E402
import run as there  # noqa: E402
import vision  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

MODELS: dict[str, tuple[Callable[[], graphs.Graph], str]] = {
    "digits_mlp": (lambda: language.digits_mlp(256), "batch 256"),
    "resnet50": (lambda: vision.resnet50(16), "batch 16"),
    "transformer": (lambda: language.transformer(32, 128, 768), "32 x 128 x 768"),
}
TRAINING = {
    "digits_mlp": (lambda: language.digits_mlp(256), "batch 256", "sgd"),
    "resnet50": (lambda: vision.resnet50(8), "batch 8", "momentum"),
    "transformer": (lambda: language.transformer(32, 128, 512), "32 x 128 x 512", "sgd"),
}
PRODUCTS = [
    (1024, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096), (16, 4096, 4096),
    (256, 3072, 768), (8192, 1024, 4096),
]  # fmt: skip
# Images, channels, height and width, filters, taps along each, strides.
CONVOLUTIONS = [
    (16, 64, 56, 64, 3, 1), (16, 128, 28, 128, 3, 1), (16, 256, 14, 256, 3, 1),
    (16, 512, 7, 512, 3, 1), (16, 1024, 14, 256, 1, 1), (16, 256, 56, 512, 1, 2),
]  # fmt: skip

TINY_MODELS = {
    "digits_mlp": (lambda: language.digits_mlp(4), "batch 4"),
    "transformer": (lambda: language.transformer(1, 8, 32), "1 x 8 x 32"),
}
TINY_TRAINING = {"digits_mlp": (lambda: language.digits_mlp(4), "batch 4", "momentum")}
TINY_PRODUCTS = [(64, 48, 32)]
TINY_CONVOLUTIONS = [(2, 16, 6, 16, 3, 1)]
TINY_CORPUS = "^(add|softmax|matmul)"

TYPES = {
    "f32": TensorProto.FLOAT, "tf32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16,
    "bf16": TensorProto.BFLOAT16,
}  # fmt: skip
RATE = 1e-3
STEPS = 3


class PatternGraph:
    """Makes graphs.Graph use weights of the pattern, and tells which."""

    def __init__(self):
        self.specs: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> dict[str, dict[str, Any]]:
        self.before = graphs.Graph.weight

        def weight(graph, name, shape, std):
            full = ".".join([*graph.scope, name])
            shift = zlib.crc32(full.encode()) % pattern.PERIOD
            graph.weights[full] = pattern.numbers(shape, shift, std)
            self.specs[full] = {"shape": list(shape), "shift": shift, "scale": std}
            return full

        graphs.Graph.weight = weight
        return self.specs

    def __exit__(self, *_) -> None:
        graphs.Graph.weight = self.before


def describe(graph: graphs.Graph, specs: dict) -> dict[str, Any]:
    """The graph as JSON, for there/peers.py."""

    def shape(port) -> list[int]:
        return [d.dim_value for d in port.type.tensor_type.shape.dim]

    weights, constants = {}, {}
    for name, values in graph.weights.items():
        if name not in specs:
            integer = bool(np.issubdtype(values.dtype, np.integer))
            constants[name] = {"values": values.tolist(), "integer": integer}
            continue
        # Scales of normalisations are shifted by one.
        first = pattern.numbers((1,), specs[name]["shift"], specs[name]["scale"])[0]
        add = round(float(values.flat[0] - first))
        weights[name] = {**specs[name], "add": add}
        again = pattern.numbers(values.shape, specs[name]["shift"], specs[name]["scale"], add)
        assert np.allclose(values, again, atol=1e-6), name
    nodes = [
        [
            node.op_type,
            {a.name: attribute(a) for a in node.attribute},
            list(node.input),
            list(node.output),
        ]
        for node in graph.nodes
    ]
    return {
        "inputs": {
            p.name: {"shape": shape(p), "type": p.type.tensor_type.elem_type} for p in graph.inputs
        },
        "output": graph.outputs[0].name,
        "scores": shape(graph.outputs[0]),
        "weights": weights,
        "constants": constants,
        "nodes": nodes,
    }


def attribute(one: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(one)
    return value.decode() if isinstance(value, bytes) else value


def convert(model: onnx.ModelProto, dtype: str) -> onnx.ModelProto:
    """The model with all its floats of another type."""
    if dtype in ("f32", "tf32"):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    code = TYPES[dtype]
    for tensor in copy.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = there.narrow(numpy_helper.to_array(tensor), code)
            tensor.raw_data = values.tobytes()
            tensor.data_type = code
    for port in (*copy.graph.input, *copy.graph.output):
        if port.type.tensor_type.elem_type == TensorProto.FLOAT:
            port.type.tensor_type.elem_type = code
    return copy


class Maker:
    def __init__(self, args: argparse.Namespace):
        self.args, self.out = args, pathlib.Path(args.folder).resolve()
        self.build = pathlib.Path(args.build).resolve()
        self.weft = self.build / "bin/weft"
        sys.path.insert(0, str(self.build / "python"))
        for part in (*there.PARTS, "lib"):
            (self.out / part).mkdir(parents=True)
        self.scratch = tempfile.TemporaryDirectory()
        flags = ["--cuda-tf32"]
        help_text = subprocess.run([self.weft, "compile", "--help"], capture_output=True, text=True)
        self.tf32 = flags if flags[0] in help_text.stdout else None
        self.types = ["f32", *(["tf32"] if self.tf32 else []), "f16", "bf16"]

    def compile(self, model: pathlib.Path, output: pathlib.Path, *flags: str) -> None:
        subprocess.run(
            [self.weft, "compile", model, "-o", output, "--target", "cuda", "--cuda-arch",
             self.args.arch, *flags],
            check=True,
        )  # fmt: skip
        print(f"  {output.name}: {output.stat().st_size >> 10} KiB", flush=True)

    def flags_of(self, dtype: str) -> list[str]:
        return self.tf32 if dtype == "tf32" else []

    def build_graph(self, name: str, make: Callable) -> tuple[dict, onnx.ModelProto]:
        with PatternGraph() as specs:
            graph = make()
        path = pathlib.Path(self.scratch.name) / f"{name}.onnx"
        graph.save(path)
        return describe(graph, specs), onnx.load(path)

    def corpus(self) -> list[str]:
        table = pathlib.Path(self.scratch.name) / "table.mlir"
        with open(table, "w") as file:
            subprocess.run(
                [sys.executable, ROOT / "test/Kernel/table.py"], stdout=file, check=True
            )
        only = ["--only", TINY_CORPUS] if self.args.tiny else []
        subprocess.run(
            [self.build / "bin/weft-test-kernels", table, "--cuda-arch", self.args.arch, *only,
             "--emit", self.out / "corpus"],
            check=True,
            env=dict(os.environ, WEFT_LIBCUDA=str(self.build / "fake-cuda/libcuda.so.1")),
        )  # fmt: skip
        return sorted(path.stem for path in (self.out / "corpus").glob("*.so"))

    def compile_node(self, part: str, name: str, node: onnx.NodeProto, dtype: str, *shapes) -> None:
        """A program of a node, which is given the shapes of its inputs and output."""
        ports = [
            helper.make_tensor_value_info(port, TYPES[dtype], shape)
            for port, shape in zip([*node.input, *node.output], shapes)
        ]
        graph = helper.make_graph([node], part, ports[:-1], ports[-1:])
        path = self.save(helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", graphs.OPSET)]), name)  # fmt: skip
        self.compile(path, self.out / part / f"{name}.so", *self.flags_of(dtype))

    def products(self) -> list[dict]:
        entries = []
        for m, n, k in TINY_PRODUCTS if self.args.tiny else PRODUCTS:
            for dtype in self.types:
                name = f"matmul_{m}_{n}_{k}_{dtype}"
                node = helper.make_node("MatMul", ["a", "b"], ["c"], "product")
                self.compile_node("products", name, node, dtype, [m, k], [k, n], [m, n])
                entries.append({"name": name, "type": dtype, "sizes": [m, n, k]})
        return entries

    def convolutions(self) -> list[dict]:
        entries = []
        for sizes in TINY_CONVOLUTIONS if self.args.tiny else CONVOLUTIONS:
            images, channels, size, filters, taps, stride = sizes
            for dtype in self.types:
                name = "conv_" + "_".join(map(str, sizes)) + f"_{dtype}"
                node = helper.make_node(
                    "Conv", ["x", "w"], ["y"], "convolution", pads=[taps // 2] * 4, strides=[stride] * 2
                )
                side = -(-size // stride)
                self.compile_node(
                    "convolutions", name, node, dtype, [images, channels, size, size],
                    [filters, channels, taps, taps], [images, filters, side, side],
                )  # fmt: skip
                entries.append({"name": name, "type": dtype, "sizes": sizes})
        return entries

    def save(self, model: onnx.ModelProto, name: str) -> pathlib.Path:
        model.ir_version = 8
        path = pathlib.Path(self.scratch.name) / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    def models(self) -> list[dict]:
        import weft

        entries, folder = [], self.out / "models"
        for name, (make, sizes) in (TINY_MODELS if self.args.tiny else MODELS).items():
            graph, model = self.build_graph(name, make)
            (folder / f"{name}.json").write_text(json.dumps(graph))
            inputs = there.make_inputs(graph)
            path = self.save(model, name)
            scores = weft.compile(path).run(list(inputs.values()))[0]
            np.save(folder / f"{name}.npy", scores)
            for dtype in self.types:
                typed = self.save(convert(model, dtype), f"{name}_{dtype}")
                self.compile(typed, folder / f"{name}_{dtype}.so", *self.flags_of(dtype))
                stored = f"{name}_{'f32' if dtype == 'tf32' else dtype}"
                if dtype != "bf16":
                    shutil.copy(typed, folder / f"{stored}.onnx")
                entries.append({"name": f"{name}_{dtype}", "graph": name, "type": dtype,
                                "sizes": sizes, "onnx": stored})  # fmt: skip
        return entries

    def training(self) -> list[dict]:
        import weft

        entries, folder = [], self.out / "training"
        for name, (make, sizes, rule) in (TINY_TRAINING if self.args.tiny else TRAINING).items():
            graph, model = self.build_graph(name, make)
            (folder / f"{name}.json").write_text(json.dumps(graph))
            path = self.save(model, name)
            inputs = there.make_inputs(graph)
            rows, classes = graph["scores"]
            random = np.random.Generator(np.random.PCG64(4))
            labels = random.integers(0, classes, rows, np.int64)
            optimizer = weft.SGD(RATE, momentum=0.9 if rule == "momentum" else 0.0)
            trainer = weft.Trainer(path, optimizer=optimizer)
            losses = [trainer.step(*inputs.values(), labels) for _ in range(STEPS)]
            for dtype in self.types:
                settings = f"loss=cross-entropy optimizer={rule}"
                if rule == "momentum":
                    settings += " momentum=0.9"
                if dtype in ("f16", "bf16"):
                    settings += f" precision={dtype}"
                self.compile(path, folder / f"{name}_{dtype}.so", "--train", settings,
                             *self.flags_of(dtype))  # fmt: skip
                entries.append({"name": f"{name}_{dtype}", "graph": name, "type": dtype,
                                "sizes": sizes, "optimizer": rule, "rate": RATE,
                                "losses": losses})  # fmt: skip
        return entries

    def run(self) -> None:
        manifest = {"arch": self.args.arch, "version": self.args.version}
        for part in there.PARTS:
            print(part, flush=True)
            manifest[part] = getattr(self, part)()
        (self.out / "manifest.json").write_text(json.dumps(manifest, indent=1))
        for path in (HERE / "there").glob("*.py"):
            shutil.copy(path, self.out)
        shutil.copy(HERE.parent / "torch_graph.py", self.out)
        shutil.copy(self.build / "lib/libweft-rt.so", self.out / "lib")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--build", default=ROOT / "build/dev")
    parser.add_argument("--arch", default="sm_80")
    parser.add_argument("--version", default="unknown")
    parser.add_argument("--tiny", action="store_true")
    Maker(parser.parse_args()).run()


if __name__ == "__main__":
    main()
