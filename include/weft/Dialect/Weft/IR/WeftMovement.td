//===- WeftMovement.td - Ops that make, move and select elements ----------===//

#ifndef WEFT_DIALECT_WEFT_IR_WEFTMOVEMENT
#define WEFT_DIALECT_WEFT_IR_WEFTMOVEMENT

include "weft/Dialect/Weft/IR/WeftBase.td"

//===----------------------------------------------------------------------===//
// Sources
//===----------------------------------------------------------------------===//

def Weft_ExternAttr : AttrDef<Weft_Dialect, "Extern", [TypedAttrInterface]> {
  let mnemonic = "extern";
  let summary = "A tensor whose bytes stay in a file";
  let description = [{
    Names `size` bytes at `offset` of `file`, little-endian and row-major. The
    bytes are mapped when they are needed and never become part of the IR.
    Elements narrower than a byte are packed as ONNX packs them (low bits first)
    if `packed` is true. `file` is a path, or `memory:N` for bytes that the
    process itself holds.

    Example:

    ```mlir
    #weft.extern<"model.onnx", 1024, 64, false> : tensor<4x4xf32>
    ```
  }];
  let parameters = (ins AttributeSelfTypeParameter<"">:$type,
                        StringRefParameter<"">:$file, "int64_t":$offset,
                        "int64_t":$size, "bool":$packed);
  let assemblyFormat = "`<` $file `,` $offset `,` $size `,` $packed `>`";
}

def Weft_ConstantOp
    : Weft_IndexedOp<"constant", [ConstantLike,
                                  DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Source", ["countBytesWritten"]> {
  let summary = "A constant tensor";
  let description = [{
    Small values are held as dense elements, large ones as `#weft.extern`.

    Saved for the gradient: nothing (it depends on nothing).

    Example:

    ```mlir
    %c = weft.constant dense<[1.0, 2.0]> : tensor<2xf32>
    ```
  }];
  let arguments = (ins TypedAttrInterface:$value);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Weft_IotaOp : Weft_IndexedOp<"iota", [],
                     "Source"> {
  let summary = "The index along one axis";
  let description = [{
    Element `(i0, i1, ...)` is `i_axis`. `sizes` gives the `?` sizes of the
    result in order.

    Saved for the gradient: nothing (it depends on nothing).

    Example:

    ```mlir
    %y = weft.iota axis 1 sizes(%n) : tensor<2x?xi64>
    ```
  }];
  let arguments = (ins Variadic<Index>:$sizes, I64Attr:$axis);
  let results = (outs Weft_NumberTensor:$result);
  let assemblyFormat = [{
    `axis` $axis (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def Weft_RandomUniformOp : Weft_IndexedOp<"random_uniform", [],
                     "Source", ["countFlops"]> {
  let summary = "Random numbers in [0, 1)";
  let description = [{
    Element number `i` is made from word `i mod 4` of Philox-4x32-10 (Salmon et
    al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC11) with `seed` as the
    key and `(i / 4, stream)` as the counter, so that it depends on nothing
    else. The upper 24 bits make a multiple of 2^-24.

    Saved for the gradient: nothing (it is zero).

    Example:

    ```mlir
    %y = weft.random_uniform %seed stream 3 sizes(%n) : tensor<i64>, tensor<2x?xf32>
    ```
  }];
  let arguments = (ins 0DTensorOf<[I64]>:$seed, Variadic<Index>:$sizes,
                       I64Attr:$stream);
  let results = (outs RankedTensorOf<[F32]>:$result);
  let assemblyFormat = [{
    $seed `stream` $stream (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($seed)
    `,` type($result)
  }];
  let extraClassDeclaration = [{ bool isCheap() { return false; } }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Index maps
//===----------------------------------------------------------------------===//

def Weft_ReshapeOp : Weft_IndexedOp<"reshape", [],
                     "Formula", ["countBytesRead", "countBytesWritten"]> {
  let summary = "The same elements in row-major order under another shape";
  let description = [{
    `sizes` gives the `?` sizes of the result in order. If a size is symbolic,
    the numbers of elements must agree at run time.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    %y = weft.reshape %x sizes(%n) : tensor<?x4x4xf32> to tensor<?x16xf32>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input, Variadic<Index>:$sizes);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $input (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($input) `to` type($result)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Weft_TransposeOp
    : Weft_IndexedOp<"transpose", [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Formula"> {
  let summary = "Permuted dimensions";
  let description = [{
    Dimension `i` of the result is dimension `permutation[i]` of the input.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    %y = weft.transpose %x [1, 0] : tensor<2x3xf32>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = "$input $permutation attr-dict `:` type($input)";
  let hasFolder = 1;
}

def Weft_BroadcastOp : Weft_IndexedOp<"broadcast", [], "Formula"> {
  let summary = "Repetition along new dimensions and along those of size one";
  let description = [{
    Dimension `i` of the input becomes dimension `dims[i]` of the result; `dims`
    rises. A size of one is repeated, any other must equal the result's; if it
    is symbolic, which of the two holds is decided at run time. `sizes` gives
    the `?` sizes of the result in order.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    %y = weft.broadcast %x dims [1] sizes(%n) : tensor<4xf32> to tensor<?x4xf32>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input, Variadic<Index>:$sizes,
                       DenseI64ArrayAttr:$dims);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $input `dims` $dims (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($input)
    `to` type($result)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Weft_SliceOp : Weft_IndexedOp<"slice", [AttrSizedOperandSegments],
                     "Formula", ["countBytesRead"]> {
  let summary = "A strided part of a tensor";
  let description = [{
    Element `i` along a dimension is the input's `offset + i * stride`. A stride
    may be negative, never zero. Where a static list holds the dynamic marker,
    the next `index` operand of that kind stands for it. Nothing is clamped: the
    part must lie within the input.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    %y = weft.slice %x [0, %o] [4, %s] [1, -1] : tensor<4x?xf32> to tensor<4x?xf32>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input, Variadic<Index>:$offsets,
                       Variadic<Index>:$sizes, Variadic<Index>:$strides,
                       DenseI64ArrayAttr:$static_offsets,
                       DenseI64ArrayAttr:$static_sizes,
                       DenseI64ArrayAttr:$static_strides);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $input custom<DynamicIndexList>($offsets, $static_offsets)
    custom<DynamicIndexList>($sizes, $static_sizes)
    custom<DynamicIndexList>($strides, $static_strides)
    attr-dict `:` type($input) `to` type($result)
  }];
  let builders = [OpBuilder<(ins
    "::mlir::Value":$input, "::llvm::ArrayRef<::mlir::OpFoldResult>":$offsets,
    "::llvm::ArrayRef<::mlir::OpFoldResult>":$sizes,
    "::llvm::ArrayRef<::mlir::OpFoldResult>":$strides)>];
  let extraClassDeclaration = [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedOffsets();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedSizes();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedStrides();
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Weft_UpdateSliceOp : Weft_IndexedOp<"update_slice", [
    AllTypesMatch<["dest", "result"]>,
    DeclareOpInterfaceMethods<UpdateOpInterface>], "Formula"> {
  let summary = "A tensor with a part replaced";
  let description = [{
    The result is `dest`, but `source` stands at `offsets`, with stride one. The
    part must lie within `dest`.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    %y = weft.update_slice %s into %d [%i, 0] : tensor<1x4xf32>, tensor<8x4xf32>
    ```
  }];
  let arguments = (ins Weft_Tensor:$source, Weft_Tensor:$dest,
                       Variadic<Index>:$offsets,
                       DenseI64ArrayAttr:$static_offsets);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $source `into` $dest custom<DynamicIndexList>($offsets, $static_offsets)
    attr-dict `:` type($source) `,` type($dest)
  }];
  let extraClassDeclaration = [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedOffsets();
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Weft_ConcatOp
    : Weft_IndexedOp<"concat", [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Formula"> {
  let summary = "Tensors one after the other along an axis";
  let description = [{
    Element `i` along the axis is that of the first input whose size, added to
    the sizes of those before, is above `i`.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    %y = weft.concat %a, %b axis 0 : (tensor<2x3xf32>, tensor<1x3xf32>) -> tensor<3x3xf32>
    ```
  }];
  let arguments = (ins Variadic<Weft_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $inputs `axis` $axis attr-dict `:` functional-type($inputs, $result)
  }];
  let hasFolder = 1;
}

def Weft_PadOp : Weft_IndexedOp<"pad", [AttrSizedOperandSegments],
                     "Formula"> {
  let summary = "A tensor with one value around and between its elements";
  let description = [{
    `low` and `high` elements of `value` are put before and after each
    dimension, and `interior` ones between any two neighbours. None is negative.
    No `interior` is the same as zeros.

    With `n` elements along a dimension, the result has
    `low + n + max(n - 1, 0) * interior + high`.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    %y = weft.pad %x, %v low [0, 1] high [0, %h] : tensor<4x4xf32>, tensor<f32> to tensor<4x?xf32>
    %z = weft.pad %x, %v low [0, 0] high [0, 0] interior [0, 2]
        : tensor<4x4xf32>, tensor<f32> to tensor<4x10xf32>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input, Weft_Tensor:$value,
                       Variadic<Index>:$low, Variadic<Index>:$high,
                       Variadic<Index>:$interior,
                       DenseI64ArrayAttr:$static_low,
                       DenseI64ArrayAttr:$static_high,
                       DenseI64ArrayAttr:$static_interior);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $value `low` custom<DynamicIndexList>($low, $static_low)
    `high` custom<DynamicIndexList>($high, $static_high)
    `` custom<Interior>($interior, $static_interior)
    attr-dict `:` type($input) `,` type($value) `to` type($result)
  }];
  let builders = [OpBuilder<(ins
    "::mlir::Value":$input, "::mlir::Value":$value,
    "::llvm::ArrayRef<::mlir::OpFoldResult>":$low,
    "::llvm::ArrayRef<::mlir::OpFoldResult>":$high,
    CArg<"::llvm::ArrayRef<::mlir::OpFoldResult>", "{}">:$interior)>];
  let extraClassDeclaration = [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedLow();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedHigh();
    /// One entry per dimension, zeros where none are given.
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedInterior();
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// Indices that are data
//===----------------------------------------------------------------------===//

def Weft_GatherOp
    : Weft_IndexedOp<"gather", [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Formula", ["countBytesRead"]> {
  let summary = "Slices of a tensor, chosen by an index tensor";
  let description = [{
    With the input of rank r and indices of rank q, the result has rank
    `r - 1 + q`: the dimensions of `indices` replace dimension `axis`. A negative
    index counts from the end. An index out of range is an error at run time.

    Saved for the gradient: the indices.

    Example:

    ```mlir
    %y = weft.gather %x, %i axis 0 : tensor<10x4xf32>, tensor<2x3xi64>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input, Weft_IndexTensor:$indices,
                       I64Attr:$axis);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $indices `axis` $axis attr-dict `:` type($input) `,` type($indices)
  }];
  let hasVerifier = 1;
}

def Weft_GatherElementsOp
    : Weft_IndexedOp<"gather_elements", [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Formula", ["countBytesRead"]> {
  let summary = "Elements of a tensor, one index each along an axis";
  let description = [{
    `y[i0, .., in] = x[i0, .., indices[i0, .., in], .., in]` with the index in
    place of `i_axis`. A negative index counts from the end. An index out of
    range is an error at run time.

    Saved for the gradient: the indices.

    Example:

    ```mlir
    %y = weft.gather_elements %x, %i axis 1 : tensor<3x8xf32>, tensor<3x2xi64>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input, Weft_IndexTensor:$indices,
                       I64Attr:$axis);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $indices `axis` $axis attr-dict `:` type($input) `,` type($indices)
  }];
  let hasVerifier = 1;
}

def Weft_GatherNDOp
    : Weft_IndexedOp<"gather_nd", [DeclareOpInterfaceMethods<InferTypeOpInterface>],
                     "Formula", ["countBytesRead"]> {
  let summary = "Slices of a tensor, chosen by index vectors";
  let description = [{
    The last dimension of `indices` (static) holds index vectors into the
    dimensions of `input` after the first `batch_dims`, which both share. See
    ONNX GatherND. A negative index counts from the end. An index out of range is
    an error at run time.

    Saved for the gradient: the indices.

    Example:

    ```mlir
    %y = weft.gather_nd %x, %i batch_dims 0 : tensor<4x5x6xf32>, tensor<7x2xi64>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input, Weft_IndexTensor:$indices,
                       I64Attr:$batch_dims);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $indices `batch_dims` $batch_dims attr-dict `:` type($input) `,`
    type($indices)
  }];
  let hasVerifier = 1;
}

def Weft_ScatterKind
    : Weft_I64EnumAttr<"ScatterKind", "how an update joins the old element",
                       ["set", "add", "mul", "max", "min"]>;
def Weft_ScatterKindAttr
    : EnumAttr<Weft_Dialect, Weft_ScatterKind, "scatter_kind">;

def Weft_ScatterElementsOp : Weft_LoopOp<"scatter_elements", [
    AllTypesMatch<["input", "result"]>],
                     "Formula", ["countFlops"]> {
  let summary = "A tensor with elements updated, one index each along an axis";
  let description = [{
    For each index of `updates` in row-major order,
    `y[i0, .., indices[i], .., in] = kind(y[..], updates[i])`, starting from the
    input. The order makes the result of repeated indices well defined. A
    negative index counts from the end. An index out of range is an error at run
    time.

    Saved for the gradient: the indices; for `mul` the input and the updates as
    well, for `max` and `min` also the output.

    Example:

    ```mlir
    %y = weft.scatter_elements add %x, %i, %u axis 0 : tensor<5x3xf32>, tensor<2x3xi64>, tensor<2x3xf32>
    ```
  }];
  let arguments = (ins Weft_ScatterKindAttr:$kind, Weft_Tensor:$input,
                       Weft_IndexTensor:$indices, Weft_Tensor:$updates,
                       I64Attr:$axis);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $kind $input `,` $indices `,` $updates `axis` $axis attr-dict `:`
    type($input) `,` type($indices) `,` type($updates)
  }];
  let hasVerifier = 1;
}

def Weft_ScatterNDOp : Weft_LoopOp<"scatter_nd", [
    AllTypesMatch<["input", "result"]>],
                     "Formula", ["countFlops"]> {
  let summary = "A tensor with slices updated by index vectors";
  let description = [{
    The last dimension of `indices` (static, k) holds index vectors into the k
    dimensions of the input after the first `batch_dims` (b, zero if left out),
    which both share; `updates` has the shape
    `indices.shape[:-1] ++ input.shape[b + k:]`. Updates are applied in row-major
    order. A negative index counts from the end. An index out of range is an
    error at run time.

    Saved for the gradient: the indices; for `mul` the input and the updates as
    well, for `max` and `min` also the output.

    Example:

    ```mlir
    %y = weft.scatter_nd set %x, %i, %u : tensor<8xf32>, tensor<4x1xi64>, tensor<4xf32>
    %z = weft.scatter_nd add %a, %j, %v batch_dims 1
        : tensor<2x8x5xf32>, tensor<2x4x1xi64>, tensor<2x4x5xf32>
    ```
  }];
  let arguments = (ins Weft_ScatterKindAttr:$kind, Weft_Tensor:$input,
                       Weft_IndexTensor:$indices, Weft_Tensor:$updates,
                       DefaultValuedAttr<I64Attr, "0">:$batch_dims);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $kind $input `,` $indices `,` $updates (`batch_dims` $batch_dims^)?
    attr-dict `:` type($input) `,` type($indices) `,` type($updates)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Order and selection
//===----------------------------------------------------------------------===//

def Weft_TopKOp : Weft_LoopOp<"top_k", [],
                     "Formula", ["countFlops"]> {
  let summary = "The largest or smallest elements along an axis, sorted";
  let description = [{
    The number of elements is the size of the results along `axis`; `sizes`
    holds it where it is symbolic. Equal elements keep the order of their
    indices. NaN counts as larger than all else. With the whole axis this is a
    stable sort.

    Saved for the gradient: the indices.

    Example:

    ```mlir
    %v, %i = weft.top_k %x axis 1 largest : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi64>
    ```
  }];
  let arguments = (ins Weft_NumberTensor:$input, Optional<Index>:$size,
                       I64Attr:$axis, UnitAttr:$largest);
  let results = (outs Weft_NumberTensor:$values, RankedTensorOf<[I64]>:$indices);
  let assemblyFormat = [{
    $input `axis` $axis (`largest` $largest^)? (`size` $size^)? attr-dict `:`
    type($input) `to` type($values) `,` type($indices)
  }];
  let hasVerifier = 1;
}

def Weft_NonZeroOp : Weft_LoopOp<"nonzero", [],
                     "Zero", ["countFlops"]> {
  let summary = "The indices of the elements that are not zero";
  let description = [{
    Column j of the result is the index of the j-th non-zero element in
    row-major order. `count`, the number of columns, must equal the number of
    non-zero elements; it is found by a reduction beforehand.

    Saved for the gradient: nothing (indices have none).

    Example:

    ```mlir
    %y = weft.nonzero %x count %n : tensor<2x3xi1> to tensor<2x?xi64>
    ```
  }];
  let arguments = (ins Weft_NumberTensor:$input, Index:$count);
  let results = (outs RankedTensorOf<[I64]>:$result);
  let assemblyFormat = [{
    $input `count` $count attr-dict `:` type($input) `to` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

def Weft_SizeRelation
    : Weft_I64EnumAttr<"SizeRelation", "how two sizes must be related",
                       ["equal", "oneOr", "atMost", "below", "nonNegative"]>;
def Weft_SizeRelationAttr
    : EnumAttr<Weft_Dialect, Weft_SizeRelation, "size_relation">;

def Weft_RequireSizesOp : Op<Weft_Dialect, "require_sizes", [
    MemoryEffects<[MemWrite]>, DeclareOpInterfaceMethods<EvaluableOpInterface>,
    DifferentiableOpInterface, Weft_NoGradient<"Source">]> {
  let summary = "The end of the run unless a relation between sizes holds";
  let description = [{
    Ops rely on sizes that fit together; where that can't be known before the
    run, such an op stands in front of them. `below` also wants `found` not to be
    negative; `nonNegative` does not look at `wanted`. `place` says where in the
    model this is.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    weft.require_sizes equal %m, %n "node 'a' (Add)"
    ```
  }];
  let arguments = (ins Weft_SizeRelationAttr:$relation, Index:$found,
                       Index:$wanted, StrAttr:$place);
  let assemblyFormat = "$relation $found `,` $wanted $place attr-dict";
  let hasCanonicalizeMethod = 1;
}

#endif // WEFT_DIALECT_WEFT_IR_WEFTMOVEMENT
