//===- Passes.td - One-way lowerings between dialects ---------------------===//

#ifndef WEFT_CONVERSION_PASSES
#define WEFT_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def ConvertONNXToWeftPass : Pass<"convert-onnx-to-weft", "::mlir::ModuleOp"> {
  let summary = "Lower ONNX nodes to `weft` tensor operations";
  let description = [{
    Rewrites every op of the `onnx` dialect in every function. What depends on
    constants and sizes alone is computed at once.

    Requires: nodes at the newest opset, ranked operands.
    Ensures: no `onnx` op is left; otherwise the pass fails after naming every
    node that has no lowering.
  }];
  let dependentDialects = ["::weft::WeftDialect"];
}

def FormDispatchesPass : Pass<"dispatch-form", "::mlir::func::FuncOp"> {
  let summary = "Group tensor operations that become one kernel";
  let description = [{
    Puts every `weft` op that needs a kernel into a `dispatch.region`:
    elementwise ops with the op that makes their operand (a product, a window, a
    reduction along rows) or with each other; index maps (broadcasts,
    transposes, slices) are copied to where they are used. Constants and
    reshapes stay outside: they are other names for memory.

    Requires: ranked tensors.
    Ensures: outside of regions, the only `weft` ops are constants and reshapes.
  }];
  let dependentDialects = ["::weft::dispatch::DispatchDialect"];
}

def JoinRegionsPass : Pass<"dispatch-join", "::mlir::func::FuncOp"> {
  let summary = "Join small regions whose results only leave the program";
  let description = [{
    Where launches take longer than what they compute, such as the updates of
    many small parameters: regions of elementwise ops whose results nothing in
    their block needs but its end become one region. So do regions that reduce
    tensors to a number each, from which the next goes on. Large ones stay alone,
    since what they read would have to be kept until the last of them runs. So do,
    of any size, the elementwise ones of the block's arguments that it begins
    with, such as weights in another type.

    Requires: regions, in an order in which they can run.
    Ensures: the same results.
  }];
  let options = [
    Option<"maxElements", "max-elements", "int64_t", "65536",
           "Regions with more elements stay alone">,
    Option<"maxWords", "max-words", "int64_t", "480",
           "A launch has this many addresses and numbers; the arguments of a "
           "CUDA kernel have room for 512">];
  let statistics = [Statistic<"numJoined", "joined", "Regions made of others">];
  let dependentDialects = ["::weft::dispatch::DispatchDialect"];
}

def ChooseInPlacePass : Pass<"dispatch-in-place", "::mlir::func::FuncOp"> {
  let summary = "Choose results that are made in the memory of an operand";
  let description = [{
    Sets `in_place` of regions: for the new value of a state (`weft.twin`), or of
    what a loop carries, if the region reads the old one element by element and,
    in a loop, nothing needs it afterwards; and for a region that does nothing
    but replace some elements of a tensor which a loop carries, or which a
    kernel has made, and which is not needed afterwards.

    Requires: regions, in an order in which they can run.
    Ensures: nothing else is changed.
  }];
  let dependentDialects = ["::weft::dispatch::DispatchDialect"];
}

def ConvertDispatchToHostPass
    : Pass<"convert-dispatch-to-host", "::mlir::ModuleOp"> {
  let summary = "Turn launches on tensors into a program on buffers";
  let description = [{
    Rewrites `@main` into a host program: inputs, outputs and constants become
    buffers, a launch gets memory for its results, sizes become arithmetic on
    the symbols of the inputs. A result that the program returns is written
    straight into the output. Memory whose size depends on symbols alone becomes
    `host.alloc`, other memory `host.allocate`. What a kernel makes in place is
    made in the memory of that operand if nothing else needs it, in loops as
    well; else the operand is copied first. New values of states are written
    after all else, in the order of the program: at once where the old value is
    not read any more, else by copies at the end. The module's attribute
    `weft.dim_ranges`, a dictionary of `array<i64: min, max>`, limits symbols.

    Requires: `dispatch.launch`, constants, sizes and `scf` are all that `@main`
    holds.
    Ensures: no tensor is left.
  }];
  let dependentDialects = ["::weft::host::HostDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
}

def ConvertHostToLLVMPass
    : Pass<"convert-host-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Turn the ops of the host program into calls of the runtime";
  let description = [{
    Gives `@main` the signature of a program's `run` function and
    `@arena_bytes` that of `arena_bytes` (weft-rt/program.h), and rewrites the
    ops of the host dialect. A call that fails ends the run.

    Requires: a planned arena, control flow lowered to `cf`.
    Ensures: functions hold no op of the host dialect. `host.data` and
    `dispatch.kernel` are kept for `host-emit-tables`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::cf::ControlFlowDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def HostEmitTablesPass : Pass<"host-emit-tables", "::mlir::ModuleOp"> {
  let summary = "Emit the tables that describe a compiled program";
  let description = [{
    Emits the `weft_program` of the module and `PREFIX_program_query`, gives the
    functions of the runtime bodies that go through the table of the run
    (weft-rt/entry.h), and makes all else internal. The bytes of a `#weft.extern` constant stay where they
    are: the table refers to an external global that carries the attribute, or
    to the file by its path.

    Requires: functions lowered to the LLVM dialect.
    Ensures: the module holds nothing but the LLVM dialect.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
  let options = [
    Option<"target", "target", "std::string", "\"cpu\"",
           "What the program says it was compiled for">,
    Option<"producer", "producer", "std::string", "\"weft\"",
           "What the program says it was compiled by">,
    Option<"filesByPath", "files-by-path", "bool", "false",
           "Let the runtime map the files of constants, for a program that "
           "stays on this machine">,
    Option<"prefix", "prefix", "std::string", "\"weft\"",
           "What the names of symbols begin with that other objects see, so "
           "that several programs can be linked into one">
  ];
}

def ExpandMathPass : Pass<"weft-expand-math"> {
  let summary = "Replace math functions of f32 and narrower by polynomials";
  let description = [{
    Functions of f16 and bf16 are computed in f32. What has no polynomial is
    left for libm, and all others too if `polynomials` is off.

    Requires: nothing.
    Ensures: see above.
  }];
  let options = [Option<"polynomials", "polynomials", "bool", "true",
                        "Replace functions that have a polynomial">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def ExpandNarrowFloatsPass : Pass<"weft-expand-narrow-floats"> {
  let summary = "Convert bf16, 8-bit and 4-bit floats by integer arithmetic";
  let description = [{
    Rewrites `arith.extf` from and `arith.truncf` to bf16 and floats of 8 and 4
    bits. Rounding is to nearest, ties to even; what is too large becomes NaN or
    infinity, whichever the type has, or else the largest number. f8E8M0FNU
    rounds up and takes the magnitude, as ONNX casts to it. Values of bf16
    become integers of 16 bits. Comparisons, and
    conversions from and to integers, go by way of f32.

    Requires: no other arithmetic on such types.
    Ensures: no conversion of such types, and no bf16, is left.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif // WEFT_CONVERSION_PASSES
