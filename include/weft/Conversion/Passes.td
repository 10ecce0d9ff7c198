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

#endif // WEFT_CONVERSION_PASSES
