//===- WeftGradient.td - Gradients that a model asks for ------------------===//

#ifndef WEFT_DIALECT_WEFT_IR_WEFTGRADIENT
#define WEFT_DIALECT_WEFT_IR_WEFTGRADIENT

include "weft/Dialect/Weft/IR/WeftBase.td"

// Both ops live from the lowering of a model's nodes to the pass
// expand-gradients: they are not evaluated and have no kernels.

def Weft_IndependentOp : Op<Weft_Dialect, "independent", [
    Pure, SameOperandsAndResultType,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "A tensor that a gradient is asked for";
  let description = [{
    The input itself, kept apart from what it is computed from or equal to, so
    that nothing folds through it: `y = x`. `tensor` is what the model calls it.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    %w = weft.independent %c "fc1.weight" : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$input, StrAttr:$tensor);
  let results = (outs Weft_FloatTensor:$result);
  let assemblyFormat = "$input $tensor attr-dict `:` type($input)";
}

def Weft_GradientOp : Op<Weft_Dialect, "gradient", [
    Pure, DeclareOpInterfaceMethods<InferTypeOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "The gradient of a tensor by others";
  let description = [{
    Stands for what `expand-gradients` puts in its place: with `x` one of `xs`,
    `g[i] = d(y[0] + y[1] + ...) / dx[i]`, where the `xs` count as independent of
    each other. It is zero where `y` does not depend on `x`.

    Saved for the gradient: what the ops that it stands for need; it has none
    itself.

    Example:

    ```mlir
    %g:2 = weft.gradient %loss by %w, %b : tensor<f32> by tensor<4x8xf32>, tensor<8xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$y, Variadic<Weft_FloatTensor>:$xs);
  let results = (outs Variadic<Weft_FloatTensor>:$gradients);
  let assemblyFormat = [{
    $y `by` $xs attr-dict `:` type($y) `by` type($xs)
  }];
}

#endif // WEFT_DIALECT_WEFT_IR_WEFTGRADIENT
