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

#endif // WEFT_CONVERSION_PASSES
