//===- WeftStructured.td - Reductions, windows, contractions --------------===//

#ifndef WEFT_DIALECT_WEFT_IR_WEFTSTRUCTURED
#define WEFT_DIALECT_WEFT_IR_WEFTSTRUCTURED

include "weft/Dialect/Weft/IR/WeftBase.td"

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

def Weft_ReduceKind
    : Weft_I64EnumAttr<"ReduceKind", "how elements are combined",
                       ["sum", "prod", "max", "min", "all", "any"]>;
def Weft_ReduceKindAttr
    : EnumAttr<Weft_Dialect, Weft_ReduceKind, "reduce_kind">;

def Weft_ReduceOp
    : Weft_IndexedOp<"reduce", [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Formula", ["countFlops"]> {
  let summary = "Elements combined along axes";
  let description = [{
    The reduced `axes` (rising) are removed from the shape. An empty reduction
    gives the identity: 0, 1, the lowest or the highest value, true or false.
    f16 and bf16 accumulate in f32. `max` and `min` give NaN if there is one.
    `all` and `any` take i1.

    With `+` for `sum`, `*` for `prod` and so on:
    `y[i] = x[i, 0] + x[i, 1] + ... + x[i, n - 1]`.

    Saved for the gradient: nothing for `sum`; the input for `prod`, the input
    and the output for `max` and `min`; truth values have none. Equal extremes
    share evenly.

    Example:

    ```mlir
    %y = weft.reduce sum %x axes [1] : tensor<2x8xf32>
    ```
  }];
  let arguments = (ins Weft_ReduceKindAttr:$kind, Weft_NumberTensor:$input,
                       DenseI64ArrayAttr:$axes);
  let results = (outs Weft_NumberTensor:$result);
  let assemblyFormat = "$kind $input `axes` $axes attr-dict `:` type($input)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{ bool isCheap() { return false; } }];
}

def Weft_ArgReduceOp
    : Weft_IndexedOp<"arg_reduce", [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Zero", ["countFlops"]> {
  let summary = "The index of the largest or smallest element along an axis";
  let description = [{
    `axis` is removed from the shape. Of equal elements the first counts, with
    `last` the last.

    Saved for the gradient: nothing (indices have none).

    Example:

    ```mlir
    %y = weft.arg_reduce max %x axis 1 : tensor<2x8xf32>
    ```
  }];
  let arguments = (ins Weft_ReduceKindAttr:$kind, Weft_NumberTensor:$input,
                       I64Attr:$axis, UnitAttr:$last);
  let results = (outs RankedTensorOf<[I64]>:$result);
  let assemblyFormat = [{
    $kind $input `axis` $axis (`last` $last^)? attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{ bool isCheap() { return false; } }];
}

def Weft_CumulativeOp : Weft_LoopOp<"cumulative", [SameOperandsAndResultType],
                     "Formula", ["countFlops"]> {
  let summary = "Running sums or products along an axis";
  let description = [{
    With `exclusive` an element does not count itself; with `reverse` the axis
    runs from its end.

    `y[i] = x[0] + x[1] + ... + x[i]` along the axis, or `*` in place of `+`.

    Saved for the gradient: nothing for `sum`; the input and the output for
    `prod`.

    Example:

    ```mlir
    %y = weft.cumulative sum %x axis 1 exclusive : tensor<2x8xf32>
    ```
  }];
  let arguments = (ins Weft_ReduceKindAttr:$kind, Weft_NumberTensor:$input,
                       I64Attr:$axis, UnitAttr:$exclusive, UnitAttr:$reverse);
  let results = (outs Weft_NumberTensor:$result);
  let assemblyFormat = [{
    $kind $input `axis` $axis (`exclusive` $exclusive^)? (`reverse` $reverse^)?
    attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

class Weft_WindowOp<string mnemonic, string gradient>
    : Weft_IndexedOp<mnemonic, [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     gradient, ["countFlops"]> {
  let arguments = (ins Weft_ReduceKindAttr:$kind, Weft_NumberTensor:$input,
                       DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                       DenseI64ArrayAttr:$dilations);
  let results = (outs Weft_NumberTensor:$result);
  let assemblyFormat = [{
    $kind $input `window` $window `strides` $strides `low` $low `high` $high
    `dilations` $dilations attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{ bool isCheap() { return false; } }];
}

def Weft_ReduceWindowOp : Weft_WindowOp<"reduce_window", "Formula"> {
  let summary = "Elements combined within a sliding window";
  let description = [{
    All lists have one entry per dimension of the input; dimensions that are not
    pooled have a window of one. The size along a dimension is
    `(size + low + high - dilation * (window - 1) - 1) / stride + 1`, rounded
    down. Positions in the padding do not take part. The kind is `sum`, `max` or
    `min`.

    Saved for the gradient: nothing for `sum`; for `max` and `min` where the
    extreme elements lie (`weft.arg_reduce_window`). Of equal ones the first
    counts.

    Example:

    ```mlir
    %y = weft.reduce_window max %x window [1, 1, 2, 2] strides [1, 1, 2, 2]
        low [0, 0, 0, 0] high [0, 0, 0, 0] dilations [1, 1, 1, 1]
        : tensor<1x8x4x4xf32>
    ```
  }];
}

def Weft_ArgReduceWindowOp : Weft_WindowOp<"arg_reduce_window", "Zero"> {
  let summary = "Where the largest element of each window lies";
  let description = [{
    As `reduce_window max`, but the result (i64) is the row-major position,
    within the whole input, of the first largest element in each window.

    Saved for the gradient: nothing (indices have none).

    Example:

    ```mlir
    %y = weft.arg_reduce_window max %x window [1, 2] strides [1, 2] low [0, 0]
        high [0, 0] dilations [1, 1] : tensor<1x8xf32>
    ```
  }];
}

def Weft_SpreadWindowOp
    : Weft_IndexedOp<"spread_window", [AttrSizedOperandSegments], "Formula",
                     ["countFlops"]> {
  let summary = "For each element the sum of the windows that cover it";
  let description = [{
    The gradient of `weft.reduce_window` with the same attributes: `grad` has
    the shape of its result, the result that of its input. With `positions`, as
    `weft.arg_reduce_window` gives them, a window counts only for the element at
    its position. `sizes` gives the `?` sizes of the result in order.

    `y[i] = sum over p and t with p * stride + t * dilation - low = i of g[p]`,
    in each dimension

    Saved for the gradient: the positions.

    Example:

    ```mlir
    %y = weft.spread_window %g at %i window [1, 2] strides [1, 2] low [0, 0]
        high [0, 0] dilations [1, 1] : tensor<1x4xf32>, tensor<1x4xi64> -> tensor<1x8xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$grad,
                       Optional<RankedTensorOf<[I64]>>:$positions,
                       Variadic<Index>:$sizes,
                       DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                       DenseI64ArrayAttr:$dilations);
  let results = (outs Weft_FloatTensor:$result);
  let assemblyFormat = [{
    $grad (`at` $positions^)? `window` $window `strides` $strides `low` $low
    `high` $high `dilations` $dilations (`sizes` `(` $sizes^ `)`)? attr-dict `:`
    type($grad) (`,` type($positions)^)? `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{ bool isCheap() { return false; } }];
}

//===----------------------------------------------------------------------===//
// Normalisations
//===----------------------------------------------------------------------===//

def Weft_SoftmaxOp : Weft_IndexedOp<"softmax", [SameOperandsAndResultType],
                     "Formula", ["countFlops"]> {
  let summary = "Exponentials along one axis, scaled to sum to one";
  let description = [{
    Computes `exp(x - m) / sum(exp(x - m), axis)` where `m = max(x, axis)`. The
    subtraction keeps every exponent at or below zero, so no finite input
    overflows. f16 and bf16 are computed in f32. A row of nothing but -inf gives
    NaN.

    Saved for the gradient: the output.

    Example:

    ```mlir
    %y = weft.softmax %x axis 1 : tensor<2x10xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$input, I64Attr:$axis);
  let results = (outs Weft_FloatTensor:$result);
  let assemblyFormat = "$input `axis` $axis attr-dict `:` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{ bool isCheap() { return false; } }];
}

def Weft_NormalizeOp : Weft_IndexedOp<"normalize", [SameOperandsAndResultType],
                     "Formula", ["countFlops"]> {
  let summary = "Elements shifted to mean zero and scaled to variance one";
  let description = [{
    Over `axes` (rising): `(x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon)`.
    With `rms`, the mean is taken as zero: `x / sqrt(mean(x^2) + epsilon)`. The
    variance is computed in two passes. f16 and bf16 are computed in f32.

    Saved for the gradient: the input.

    Example:

    ```mlir
    %y = weft.normalize %x axes [1] epsilon 1.0e-5 : tensor<2x768xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$input, DenseI64ArrayAttr:$axes,
                       F64Attr:$epsilon, UnitAttr:$rms);
  let results = (outs Weft_FloatTensor:$result);
  let assemblyFormat = [{
    $input `axes` $axes `epsilon` $epsilon (`rms` $rms^)? attr-dict `:`
    type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{ bool isCheap() { return false; } }];
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

def Weft_ContractOp
    : Weft_IndexedOp<"contract", [DeclareOpInterfaceMethods<ShardableOpInterface>],
                     "Formula", ["countFlops"]> {
  let summary = "Sum of products over shared dimensions";
  let description = [{
    Dimensions `lhs_batch[i]` and `rhs_batch[i]` run together and come first in
    the result; `lhs_contract[i]` and `rhs_contract[i]` are summed over; then
    follow the other dimensions of lhs, then those of rhs, in order. Products
    are accumulated in the result's element type, f16 and bf16 in f32. Integers
    are widened by their own signedness first.

    With `init`, a tensor like the result, products are added to its elements
    one after the other, in the order in which the contracted dimensions are
    named: a contraction that begins where one over the first part of a
    dimension ended gives the bits of a single one over all of it.

    `y[b, m, n] = init[b, m, n] + sum over k of lhs[b, m, k] * rhs[b, k, n]`

    Saved for the gradient: lhs and rhs.

    Example:

    ```mlir
    %y = weft.contract %a, %b batch [0] x [0] contract [2] x [1]
        : tensor<8x128x64xf32>, tensor<8x64x32xf32> -> tensor<8x128x32xf32>
    ```
  }];
  let arguments = (ins Weft_NumberTensor:$lhs, Weft_NumberTensor:$rhs,
                       Optional<Weft_NumberTensor>:$init,
                       DenseI64ArrayAttr:$lhs_batch,
                       DenseI64ArrayAttr:$rhs_batch,
                       DenseI64ArrayAttr:$lhs_contract,
                       DenseI64ArrayAttr:$rhs_contract);
  let results = (outs Weft_NumberTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`init` `(` $init^ `:` type($init) `)`)? `batch` $lhs_batch
    `x` $rhs_batch `contract` $lhs_contract `x` $rhs_contract attr-dict `:`
    type($lhs) `,` type($rhs) `->` type($result)
  }];
  let builders = [OpBuilder<(ins
    "::mlir::Value":$lhs, "::mlir::Value":$rhs,
    "::llvm::ArrayRef<int64_t>":$lhsBatch, "::llvm::ArrayRef<int64_t>":$rhsBatch,
    "::llvm::ArrayRef<int64_t>":$lhsContract,
    "::llvm::ArrayRef<int64_t>":$rhsContract,
    CArg<"::mlir::Type", "{}">:$elementType)>];
  let extraClassDeclaration = [{
    bool isCheap() { return false; }
    /// Dimensions of lhs and rhs that are neither batch nor contracted, in order.
    ::llvm::SmallVector<int64_t> getLhsFree();
    ::llvm::SmallVector<int64_t> getRhsFree();
  }];
  let hasVerifier = 1;
}

def Weft_ConvOp : Weft_IndexedOp<"conv", [],
                     "Formula", ["countFlops"]> {
  let summary = "Convolution over any number of spatial dimensions";
  let description = [{
    The input is `[N, C, spatial...]`, the filter `[O, C / groups, spatial...]`,
    the result `[N, O, spatial...]`. As everywhere in neural networks this is a
    cross-correlation. Conceptually, `input_dilation - 1` zeros are put between
    the input's elements, then `low` and `high` zeros around them (a negative
    number crops); the filter's taps lie `filter_dilation` apart, and it moves by
    `strides`. A transposed convolution is one with input dilation. Accumulation
    as in `weft.contract`.

    `y[n, o, p] = sum over c and t of x[n, c, p * stride + t * dilation - low] *
    w[o, c, t]`, in each spatial dimension

    Saved for the gradient: the input and the filter.

    Example:

    ```mlir
    %y = weft.conv %x, %w strides [2, 2] low [1, 1] high [1, 1]
        input_dilation [1, 1] filter_dilation [1, 1] groups 1
        : tensor<1x3x224x224xf32>, tensor<64x3x3x3xf32> -> tensor<1x64x112x112xf32>
    ```
  }];
  let arguments = (ins Weft_NumberTensor:$input, Weft_NumberTensor:$filter,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$low,
                       DenseI64ArrayAttr:$high,
                       DenseI64ArrayAttr:$input_dilation,
                       DenseI64ArrayAttr:$filter_dilation, I64Attr:$groups);
  let results = (outs Weft_NumberTensor:$result);
  let assemblyFormat = [{
    $input `,` $filter `strides` $strides `low` $low `high` $high
    `input_dilation` $input_dilation `filter_dilation` $filter_dilation
    `groups` $groups attr-dict `:` type($input) `,` type($filter) `->`
    type($result)
  }];
  let builders = [OpBuilder<(ins
    "::mlir::Value":$input, "::mlir::Value":$filter,
    "::llvm::ArrayRef<int64_t>":$strides, "::llvm::ArrayRef<int64_t>":$low,
    "::llvm::ArrayRef<int64_t>":$high,
    "::llvm::ArrayRef<int64_t>":$inputDilation,
    "::llvm::ArrayRef<int64_t>":$filterDilation, "int64_t":$groups,
    CArg<"::mlir::Type", "{}">:$elementType)>];
  let extraClassDeclaration = [{ bool isCheap() { return false; } }];
  let hasVerifier = 1;
}

def Weft_ConvFilterOp
    : Weft_IndexedOp<"conv_filter", [AttrSizedOperandSegments], "Formula",
                     ["countFlops"]> {
  let summary = "Sums of what a convolution's taps meet, times a weight each";
  let description = [{
    The gradient of the filter of `weft.conv` with the same attributes: `grad`,
    `[N, O, spatial...]`, has the shape of that convolution's result, and the
    result `[O, C / groups, taps...]` the shape of its filter. `sizes` gives the
    symbolic numbers of taps in order. Accumulation, also onto an `init`, as in
    `weft.contract`: image by image, and position by position.

    `w[o, c, t] = init[o, c, t] + sum over n and p of x[n, c, p * stride + t * dilation - low] *
    g[n, o, p]`, in each spatial dimension

    Saved for the gradient: the input and the gradient.

    Example:

    ```mlir
    %w = weft.conv_filter %x, %g strides [2, 2] low [1, 1] high [1, 1]
        input_dilation [1, 1] filter_dilation [1, 1] groups 1
        : tensor<8x3x224x224xf32>, tensor<8x64x112x112xf32> -> tensor<64x3x3x3xf32>
    ```
  }];
  let arguments = (ins Weft_NumberTensor:$input, Weft_NumberTensor:$grad,
                       Variadic<Index>:$sizes,
                       Optional<Weft_NumberTensor>:$init,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$low,
                       DenseI64ArrayAttr:$high,
                       DenseI64ArrayAttr:$input_dilation,
                       DenseI64ArrayAttr:$filter_dilation, I64Attr:$groups);
  let results = (outs Weft_NumberTensor:$result);
  let assemblyFormat = [{
    $input `,` $grad (`init` `(` $init^ `:` type($init) `)`)?
    `strides` $strides `low` $low `high` $high
    `input_dilation` $input_dilation `filter_dilation` $filter_dilation
    `groups` $groups (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($input) `,`
    type($grad) `->` type($result)
  }];
  let extraClassDeclaration = [{ bool isCheap() { return false; } }];
  let hasVerifier = 1;
}

def Weft_DetOp
    : Weft_LoopOp<"det", [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Formula", ["countFlops"]> {
  let summary = "Determinants of square matrices";
  let description = [{
    Over the last two dimensions, by Gaussian elimination with partial pivoting.
    The second result is the room that the elimination works in: it has the
    input's shape and holds L (below the diagonal, which is all ones) and U of
    the matrix with its rows in the order of the pivots. f16 and bf16 are
    computed in f32, which is then its element type.

    Saved for the gradient: the input and the output. That of a singular matrix
    is NaN, as its inverse is not finite; none flows through the factors.

    Example:

    ```mlir
    %y, %lu = weft.det %x : tensor<5x3x3xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$input);
  let results = (outs Weft_FloatTensor:$result, Weft_FloatTensor:$factors);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def Weft_InverseOp
    : Weft_LoopOp<"inverse", [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Formula", ["countFlops"]> {
  let summary = "Inverses of square matrices";
  let description = [{
    Over the last two dimensions, by Gauss-Jordan elimination with partial
    pivoting. What is singular gives infinite elements or NaN. The second result
    is the room that the elimination works in. f16 and bf16 are computed in f32,
    which is then the results' element type.

    `x * y = 1`

    Saved for the gradient: the output; none flows through the room.

    Example:

    ```mlir
    %y, %room = weft.inverse %x : tensor<5x3x3xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$input);
  let results = (outs Weft_FloatTensor:$result, Weft_FloatTensor:$room);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasVerifier = 1;
}

#endif // WEFT_DIALECT_WEFT_IR_WEFTSTRUCTURED
