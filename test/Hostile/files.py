"""Files that are damaged, lie about themselves, or lead somewhere else."""

import os
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from case import HEAD, add, check, f32, file, to_npy

OPSETS = [helper.make_opsetid("", 28)]


def model(nodes=None, initializers=(), inputs=None, outputs=None):
    """y = x + w, unless told otherwise."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes or [helper.make_node("Add", ["x", "w"], ["y"], "n")], "net",
        inputs if inputs is not None else [value("x", TensorProto.FLOAT, [1024])],
        outputs or [value("y", TensorProto.FLOAT, [1024])], list(initializers),
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=10)


def weights(**changes):
    """An initializer `w` of 1024 numbers, with fields changed."""
    tensor = numpy_helper.from_array(f32(1024), "w")
    for field, value in changes.items():
        tensor.ClearField(field)
        if isinstance(value, list):
            getattr(tensor, field).extend(value)
        else:
            setattr(tensor, field, value)
    return tensor


SOUND = model(initializers=[weights()]).SerializeToString()


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, payload):
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


# ===------------------------------------------------------------------------===#
# Bytes
# ===------------------------------------------------------------------------===#

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89" + bytes(40)
file("file-empty", "WFT1002", ["graph"], b"")
file("file-is-a-png", "WFT1002", ["not an ONNX model"], PNG)
file("file-of-zeros", "WFT1002", ["not an ONNX model"], bytes(4096))
file("file-of-ones", "WFT1002", ["not an ONNX model"], b"\xff" * 4096)
file("file-cut-in-half", "WFT1002", ["truncated"], SOUND[: len(SOUND) // 2])
file("file-lacks-last-byte", "WFT1002", ["truncated"], SOUND[:-1])
file("length-beyond-file", "WFT1002", ["4294967295 bytes"],
     varint(7 << 3 | 2) + varint(2**32 - 1) + bytes(100))
file("length-beyond-64-bits", "WFT1002", ["length"],
     varint(7 << 3 | 2) + b"\xff" * 10 + bytes(100))
file("length-of-all-ones", "WFT1002", ["18446744073709551615 bytes"],
     varint(7 << 3 | 2) + varint(2**64 - 1) + bytes(100))
file("varint-without-end", "WFT1002", ["number"], b"\x08" + b"\xff" * 64)
file("field-zero", "WFT1002", ["field"], b"\x02\x04abcd" + bytes(8))
file("group-field", "WFT1002", ["not an ONNX model"], b"\x0b" + bytes(8))
file("graph-is-a-number", "WFT1002", ["graph"], varint(7 << 3) + varint(5))
file("graph-is-missing", "WFT1002", ["no graph"], b"\x08\x0a")
nested = b""
for _ in range(150):
    nested = field(1, field(5, field(6, nested)))
file("graphs-nested-deeply", "WFT1002", ["deeply"], field(7, nested))
deep_type = b""
for _ in range(5000):
    deep_type = field(4, field(1, deep_type))
file("types-nested-deeply", "WFT1002", ["not an ONNX model"],
     field(7, field(11, field(1, b"x") + field(2, deep_type))))
check("text-of-nonsense", "WFT1002", ["line: 2"], "( => ) { y = = }")
check("text-nested-deeply", "WFT1002", ["nested too deeply"], "(" * 5000 + "x")
check("text-unfinished", "WFT1002", [], "(float[2] x) => (float[2] y) { y = Relu")


def path_case(name, code, says, prepare):
    """A path that is no file to read."""

    def make(folder):
        prepare(folder)
        return ["check", "{}/m.onnx"]

    add(name, code, says, make)


path_case("path-is-missing", "WFT1001", ["m.onnx'", "No such file"], lambda folder: None)
path_case("path-is-a-folder", "WFT1001", ["m.onnx'"], lambda folder: (folder / "m.onnx").mkdir())
path_case("path-is-a-pipe", "WFT1001", ["m.onnx'"], lambda folder: os.mkfifo(folder / "m.onnx"))
path_case("path-is-a-loop", "WFT1001", ["m.onnx'"],
          lambda folder: (folder / "m.onnx").symlink_to("m.onnx"))
path_case("path-is-a-device", "WFT1001", ["m.onnx'"],
          lambda folder: (folder / "m.onnx").symlink_to("/dev/zero"))

# ===------------------------------------------------------------------------===#
# Tensors
# ===------------------------------------------------------------------------===#


def tensor(name, says, **changes):
    file("tensor-" + name, "WFT1009", ["tensor 'w'", *says],
         lambda: model(initializers=[weights(**changes)]))


tensor("short", ["4096 bytes", "found 100"], raw_data=bytes(100))
tensor("long", ["4096 bytes", "found 5000"], raw_data=bytes(5000))
tensor("empty", ["4096 bytes", "found 0"], raw_data=b"")
tensor("negative", ["negative"], dims=[-1024])
tensor("negative-twice", ["negative"], dims=[-32, -32])
tensor("overflow", ["too large"], dims=[2**40, 2**40])
tensor("overflow-to-fit", ["too large"], dims=[2**62, 16, 64])
tensor("overflow-to-zero", ["too large"], dims=[2**32, 2**32])
tensor("lies-about-size", ["found 4096"], dims=[2**31])
tensor("type-unknown", ["type 99"], data_type=99)
tensor("type-undefined", ["type 0"], data_type=0)
tensor("type-of-other-size", ["8192 bytes", "found 4096"], data_type=TensorProto.INT64)
tensor("strings-missing", ["1024 strings", "found 0"], data_type=TensorProto.STRING, raw_data=b"")


def segment():
    changed = weights()
    changed.segment.begin, changed.segment.end = 0, 10
    return model(initializers=[changed])


file("tensor-segment", "WFT1009", ["tensor 'w'", "segments"], segment)


def fields(data_type, name, values, dims):
    def make():
        made = TensorProto(name="w", data_type=data_type, dims=dims)
        getattr(made, name).extend(values)
        return model(initializers=[made])

    return make


file("tensor-in-wrong-field", "WFT1009", ["tensor 'w'", "found 0"],
     fields(TensorProto.FLOAT, "int64_data", [1, 2], [2]))
file("tensor-field-short", "WFT1009", ["tensor 'w'", "8 bytes", "found 4"],
     fields(TensorProto.FLOAT, "float_data", [1], [2]))


def sparse(indices, dims, count=2):
    def make():
        made = model([helper.make_node("Add", ["x", "w"], ["y"], "n")])
        made.graph.sparse_initializer.append(onnx.SparseTensorProto(
            values=numpy_helper.from_array(f32(count), "w"),
            indices=numpy_helper.from_array(np.array(indices, np.int64), "i"), dims=dims))
        return made

    return make


file("sparse-index-outside", "WFT1009", ["'w'", "index 1024"], sparse([1, 1024], [1024]))
file("sparse-index-negative", "WFT1009", ["'w'", "index -1"], sparse([-1, 4], [1024]))
file("sparse-index-extreme", "WFT1009", ["'w'"], sparse([[0, 0], [2**62, 2**62]], [32, 32]))
file("sparse-count", "WFT1009", ["'w'", "2 values"], sparse([1, 2, 3], [1024]))
file("sparse-too-large", "WFT1009", ["'w'", "too large"], sparse([1, 2], [2**40]))

# ===------------------------------------------------------------------------===#
# External data
# ===------------------------------------------------------------------------===#


def external(name, says, prepare=None, **entries):
    def make(folder):
        (folder.parent / "secret.bin").write_bytes(bytes(8192))
        (folder / "w.bin").write_bytes(bytes(4096 + 64))
        if prepare:
            prepare(folder)
        stored = weights(raw_data=b"")
        stored.ClearField("raw_data")
        stored.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            stored.external_data.add(key=key, value=value)
        made = model(initializers=[stored])
        (folder / "m.onnx").write_bytes(made.SerializeToString())
        return ["check", "{}/m.onnx"]

    code = "WFT1009" if says else ""
    add("external-" + name, code, ["tensor 'w'", *says] if says else ["no problem"], make)


external("sound", [], location="w.bin", offset="64", length="4096")
external("up", ["'../secret.bin'", "out of the model's folder"], location="../secret.bin")
external("up-inside", ["out of the model's folder"], location="sub/../../secret.bin")
external("absolute", ["absolute"], location="/etc/passwd")
external("link", ["'link.bin'", "out of the model's folder"],
         lambda folder: (folder / "link.bin").symlink_to(folder.parent / "secret.bin"),
         location="link.bin")
external("linked-folder", ["out of the model's folder"],
         lambda folder: (folder / "sub").symlink_to(folder.parent), location="sub/secret.bin")
external("missing", ["'none.bin'", "No such file"], location="none.bin")
external("nameless", ["no file name"], location="")
external("zero-byte", ["no file name"], location="w.bin\0.txt")
external("folder", ["sub"], lambda folder: (folder / "sub").mkdir(), location="sub")
external("pipe", ["pipe"], lambda folder: os.mkfifo(folder / "pipe"), location="pipe")
external("itself", ["4096 at offset 0"], lambda folder: (folder / "w.bin").write_bytes(bytes(10)),
         location="w.bin")
external("beyond-end", ["4096 at offset 128"], location="w.bin", offset="128")
external("offset-negative", ["offset '-1'"], location="w.bin", offset="-1")
external("offset-overflow", ["offset"], location="w.bin", offset=str(2**63))
external("offset-beyond-64-bits", ["offset"], location="w.bin", offset=str(2**70))
external("offset-wraps", ["offset"], location="w.bin", offset=str(2**64 - 4096))
external("offset-is-text", ["offset 'x'"], location="w.bin", offset="x")
external("length-short", ["4096 bytes", "4000"], location="w.bin", length="4000")
external("length-huge", ["4096 bytes"], location="w.bin", length=str(2**64 - 1))


def bytes_without_folder(folder):
    made = weights(raw_data=b"")
    made.data_location = TensorProto.EXTERNAL
    made.external_data.add(key="location", value="w.bin")
    made.external_data.add(key="weft.ref", value="7")
    (folder / "m.onnx").write_bytes(model(initializers=[made]).SerializeToString())
    return ["check", "{}/m.onnx"]


# Marks that only the importer itself may set.
add("external-forged-mark", "WFT1009", ["tensor 'w'"], bytes_without_folder)

# ===------------------------------------------------------------------------===#
# Values and names
# ===------------------------------------------------------------------------===#


def with_input(change):
    def make():
        made = model(initializers=[weights()])
        change(made.graph.input[0])
        return made

    return make


file("input-without-type", "WFT1011", ["input 'x'"],
     with_input(lambda value: value.ClearField("type")))
file("input-of-unknown-type", "WFT1013", ["node 'n' (Add)", "type 99"],
     with_input(lambda value: setattr(value.type.tensor_type, "elem_type", 99)))
file("input-without-name", "WFT1003", ["no name"],
     lambda: model(initializers=[weights()], inputs=[
         helper.make_tensor_value_info(name, TensorProto.FLOAT, [1024]) for name in ("x", "")]))

ODD = "a\x01\n%s%n{}\"\\'<>é"


def odd_names(name):
    def make(folder):
        value = helper.make_tensor_value_info
        made = model([helper.make_node("Neg", [name], ["y"], name * 2)], (),
                     [value(name, TensorProto.FLOAT, [2])], [value("y", TensorProto.FLOAT, [2])])
        (folder / "m.onnx").write_bytes(made.SerializeToString())
        return ["run", "{}/m.onnx", "--random", "--profile", "{}/trace.json"]

    return make


add("works-odd-names", "", ["y: f32 [2]"], odd_names(ODD))
add("works-long-names", "", ["y: f32 [2]"], odd_names("n" * (1 << 20)))


def not_utf8(folder):
    made = model([helper.make_node("Neg", ["QQQQ"], ["y"], "node")], (),
                 [helper.make_tensor_value_info("QQQQ", TensorProto.FLOAT, [2])],
                 [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])])
    (folder / "m.onnx").write_bytes(made.SerializeToString().replace(b"QQQQ", b"\xff\xfe\x80\xc0"))
    return ["run", "{}/m.onnx", "--random", "--profile", "{}/trace.json"]


add("works-names-not-utf8", "", ["y: f32 [2]"], not_utf8)


def chain(folder):
    lines = "\n".join(f"  v{i + 1} = Neg (v{i})" for i in range(4000))
    (folder / "m.onnxtxt").write_text(
        HEAD + f"net (float[2] v0) => (float[2] v4000) {{\n{lines}\n}}\n")
    return ["run", "{}/m.onnxtxt", "--random"]


add("works-long-chain", "", ["v4000: f32 [2]"], chain)

# ===------------------------------------------------------------------------===#
# Programs, IR and places to write to
# ===------------------------------------------------------------------------===#

RELU = HEAD + "net (float[2] x) => (float[2] y) { y = Relu (x) }\n"


def program(name, code, says, data):
    def make(folder):
        (folder / "m.so").write_bytes(data)
        return ["run", "{}/m.so", "--random"]

    add("program-" + name, code, says, make)


ELF = b"\x7fELF\x02\x01\x01" + bytes(9)
program("empty", "WFT5101", ["m.so"], b"")
program("text", "WFT5101", ["m.so"], b"int main() {}\n" * 100)
program("head-only", "WFT5101", ["m.so"], ELF)
program("other-machine", "WFT5101", ["m.so"],
        ELF + b"\x03\x00\xb7\x00" + (1).to_bytes(4, "little") + bytes(4096))


def compiled(name, code, says, source):
    """A library that a C compiler makes of `source`."""

    def make(folder):
        (folder / "m.c").write_text(source)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "m.so", folder / "m.c"], check=True)
        return ["run", "{}/m.so", "--random"]

    add("program-" + name, code, says, make)


compiled("nothing", "WFT5102", ["m.so", "weft_program_query"], "int x;\n")
compiled("other-abi", "WFT5103", ["m.so", "ABI"],
         "const void *weft_program_query(unsigned abi) { return 0; }\n")
compiled("lies-about-abi", "WFT5103", ["ABI version 77"],
         "static unsigned head[64] = {77};\n"
         "const void *weft_program_query(unsigned abi) { return head; }\n")
compiled("of-zeros", "WFT5104", ["head"],
         "static unsigned head[64];\n"
         "const void *weft_program_query(unsigned abi) { head[0] = abi; return head; }\n")
add("program-missing", "WFT5101", ["m.so", "No such file"], lambda folder: ["run", "{}/m.so"])


def ir(name, says, text, *args):
    def make(folder):
        (folder / "m.mlir").write_text(text)
        return ["compile", "{}/m.mlir", "-o", "{}/out/m.so", *args]

    add("ir-" + name, "WFT3001", says, make)


ir("nonsense", [], "this is no IR\n", "--start-at=tensor")
ir("unverified", ["softmax", "axis 2"],
   "func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {\n"
   "  %y = weft.softmax %x axis 2 : tensor<2x3xf32>\n"
   "  return %y : tensor<2x3xf32>\n}\n", "--start-at=tensor")
ir("without-main", ["main"], "module {}\n", "--start-at=tensor")


def command(name, code, says, *args, exit=1):
    def make(folder):
        (folder / "m.onnxtxt").write_text(RELU)
        (folder / "x.npy").write_bytes(to_npy(f32(2)))
        return list(args)

    add(name, code, says, make, exit)


command("stage-unknown", "WFT6001", ["'nowhere'"], "compile", "{}/m.onnxtxt", "-o", "{}/m.so",
        "--start-at=nowhere")
command("cpu-unknown", "WFT6001", ["'z80'"], "compile", "{}/m.onnxtxt", "-o", "{}/m.so",
        "--mcpu=z80")
command("output-folder-missing", "WFT3002", ["{}".format("no/such"), "No such file"], "compile",
        "{}/m.onnxtxt", "-o", "{}/no/such/m.so")
command("output-is-a-folder", "WFT3002", ["inside", "directory"], "compile",
        "{}/m.onnxtxt", "-o", "{}")
command("outputs-in-a-file", "WFT6005", ["x.npy"], "run", "{}/m.onnxtxt", "--random",
        "--outputs", "{}/x.npy/out")
command("trace-nowhere", "WFT5004", ["trace.json"], "run", "{}/m.onnxtxt", "--random",
        "--profile", "{}/no/such/trace.json")
