//===- DispatchOps.td - Groups of ops that become one kernel --------------===//

#ifndef WEFT_DIALECT_DISPATCH_IR_DISPATCHOPS
#define WEFT_DIALECT_DISPATCH_IR_DISPATCHOPS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Dispatch_Dialect : Dialect {
  let name = "dispatch";
  let cppNamespace = "::weft::dispatch";
  let summary = "Groups of ops that become one kernel";
  let description = [{
    Before code generation a `dispatch.region` holds the tensor ops of one
    kernel. Code generation turns each distinct region into functions and a
    `dispatch.kernel` that names them, and the region into a `dispatch.launch`.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
  let useDefaultAttributePrinterParser = 1;
}

def Dispatch_TensorMapAttr : AttrDef<Dispatch_Dialect, "TensorMap"> {
  let mnemonic = "tensor_map";
  let summary = "A tensor of which a task copies boxes";
  let description = [{
    The tensor at the address that is word `word` of the launch has elements of
    type `element` and `sizes`, the innermost dimension first; `strides[i]` are
    the bytes from one element to the next in dimension i + 1. A box has `box`
    elements. In shared memory, chunks of 16 bytes are exchanged within spans of
    `swizzle` bytes, if that is not 0. The runtime makes a tensor map of it at
    each launch (`weft_rt_device_tensor_map`).

    Example:

    ```mlir
    #dispatch.tensor_map<word = 0, element = f16, sizes = [256, 512],
                         strides = [512], box = [64, 128], swizzle = 128>
    ```
  }];
  let parameters = (ins "int64_t":$word, "::mlir::Type":$element,
                        "::mlir::DenseI64ArrayAttr":$sizes,
                        "::mlir::DenseI64ArrayAttr":$strides,
                        "::mlir::DenseI64ArrayAttr":$box,
                        DefaultValuedParameter<"int64_t", "0">:$swizzle);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Dispatch_DeviceTaskAttr : AttrDef<Dispatch_Dialect, "DeviceTask"> {
  let mnemonic = "device_task";
  let summary = "How a task is launched on a GPU";
  let description = [{
    A block has `threads` threads and runs `iterations` iterations of the task;
    there are as many blocks as that takes. The function has `arguments`
    arguments: the tensor maps `maps`, the words of the launch, the number of
    iterations (i64), and, if `can_fault` is set, the address of the run's
    `weft_device_fault` (weft-rt/program.h). A block has `shared` bytes of
    dynamic shared memory.

    Example:

    ```mlir
    #dispatch.device_task<threads = 256, iterations = 256, arguments = 4>
    ```
  }];
  let parameters = (ins "int32_t":$threads, "int64_t":$iterations,
                        "int32_t":$arguments,
                        DefaultValuedParameter<"bool", "false">:$can_fault,
                        DefaultValuedParameter<"int64_t", "0">:$shared,
                        OptionalParameter<"::mlir::ArrayAttr">:$maps);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    size_t getNumMaps() const { return getMaps() ? getMaps().size() : 0; }
  }];
}

class Dispatch_Op<string mnemonic, list<Trait> traits = []>
    : Op<Dispatch_Dialect, mnemonic, traits>;

def Dispatch_RegionOp : Dispatch_Op<"region", [
    IsolatedFromAbove, Pure, AttrSizedOperandSegments,
    SingleBlockImplicitTerminator<"YieldOp">,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "Tensor ops that are computed by one kernel";
  let description = [{
    The block has one argument per operand: first the tensors `inputs`, then the
    `index` values `scalars`. `result_sizes` gives the `?` sizes of all results,
    in order; inside the region they are not visible. The locations of the ops
    in the body name the ONNX nodes that the kernel computes.

    `in_place` has a number for each result: of the input in whose memory the
    result is made, or -1. The kernel finds that input in the result's memory,
    and reads none of its elements after it has written there.

    Example:

    ```mlir
    %y = dispatch.region ins(%x, %b : tensor<?x8xf32>, tensor<8xf32>)
        scalars(%n) sizes(%n) -> tensor<?x8xf32> {
    ^bb0(%x0: tensor<?x8xf32>, %b0: tensor<8xf32>, %n0: index):
      %0 = weft.broadcast %b0 dims [1] sizes(%n0) : tensor<8xf32> to tensor<?x8xf32>
      %1 = weft.add %x0, %0 : tensor<?x8xf32>
      dispatch.yield %1 : tensor<?x8xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs,
                       Variadic<Index>:$scalars,
                       Variadic<Index>:$result_sizes,
                       OptionalAttr<DenseI64ArrayAttr>:$in_place);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`ins` `(` $inputs^ `:` type($inputs) `)`)? (`scalars` `(` $scalars^ `)`)?
    (`sizes` `(` $result_sizes^ `)`)? (`in_place` $in_place^)? `->`
    type($results) attr-dict-with-keyword $body
  }];
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$results,
                                 "::mlir::ValueRange":$inputs,
                                 "::mlir::ValueRange":$scalars,
                                 "::mlir::ValueRange":$resultSizes), [{
    build($_builder, $_state, results, inputs, scalars, resultSizes,
          ::mlir::DenseI64ArrayAttr());
  }]>];
  let extraClassDeclaration = [{
    /// The op that ends the body.
    YieldOp getYield();
    /// The input in whose memory result `number` is made, or -1.
    int64_t getInPlaceInput(unsigned number) {
      return getInPlace() ? (*getInPlace())[number] : -1;
    }
  }];
  let hasVerifier = 1;
}

def Dispatch_YieldOp : Dispatch_Op<"yield", [
    Pure, Terminator, ReturnLike, HasParent<"RegionOp">]> {
  let summary = "The results of a region";
  let description = [{
    Ends the body of a `dispatch.region`.

    Example:

    ```mlir
    %y = dispatch.region ins(%x : tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%x0: tensor<4xf32>):
      %0 = weft.neg %x0 : tensor<4xf32>
      dispatch.yield %0 : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = "attr-dict ($results^ `:` type($results))?";
  let builders = [OpBuilder<(ins), [{ /* nothing to set */ }]>];
}

def Dispatch_KernelOp : Dispatch_Op<"kernel", [Symbol]> {
  let summary = "A kernel that was generated";
  let description = [{
    `tasks` are functions with the signature of `weft_task`
    (weft-rt/program.h), to be launched one after the other; `counts` are
    functions that take the same `args` pointer and return the number of
    iterations (i64) of each. `scratch_bytes` is what each thread needs, or, on a
    GPU, each launch.
    `nodes` are the names of the ONNX nodes that the kernel computes. `in_place`
    is that of the region, and `can_fault` is set if a task may report a fault.
    `device`, for a GPU, has a `#dispatch.device_task` for each task; the tasks
    are then functions that run there.

    The `args` of a launch are, in this order, one machine word each: the
    addresses of the inputs, the addresses of the results, on a GPU that of the
    scratch if there is any, the scalars, the `?` sizes of the inputs, the `?`
    sizes of the results.

    Example:

    ```mlir
    dispatch.kernel @softmax_3 tasks [@softmax_3_task] counts [@softmax_3_count]
        scratch 4096 nodes ["prob"]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypedArrayAttrBase<FlatSymbolRefAttr, "functions">:$tasks,
                       TypedArrayAttrBase<FlatSymbolRefAttr, "functions">:$counts,
                       I64Attr:$scratch_bytes,
                       StrArrayAttr:$nodes,
                       OptionalAttr<DenseI64ArrayAttr>:$in_place,
                       UnitAttr:$can_fault,
                       OptionalAttr<TypedArrayAttrBase<Dispatch_DeviceTaskAttr,
                                                       "device tasks">>:$device);
  let assemblyFormat = [{
    $sym_name `tasks` $tasks `counts` $counts `scratch` $scratch_bytes `nodes`
    $nodes (`in_place` $in_place^)? (`can_fault` $can_fault^)?
    (`device` $device^)? attr-dict
  }];
  let extraClassDeclaration = [{
    /// The input in whose memory result `number` is made, or -1.
    int64_t getInPlaceInput(unsigned number) {
      return getInPlace() ? (*getInPlace())[number] : -1;
    }
  }];
}

def Dispatch_LaunchOp : Dispatch_Op<"launch", [
    Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "A run of a kernel on tensors";
  let description = [{
    Stands where the `dispatch.region` stood, with the same operands and
    results.

    Example:

    ```mlir
    %y = dispatch.launch @softmax_3 ins(%x : tensor<?x8xf32>) sizes(%n) -> tensor<?x8xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel,
                       Variadic<AnyRankedTensor>:$inputs,
                       Variadic<Index>:$scalars,
                       Variadic<Index>:$result_sizes);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel (`ins` `(` $inputs^ `:` type($inputs) `)`)?
    (`scalars` `(` $scalars^ `)`)? (`sizes` `(` $result_sizes^ `)`)? `->`
    type($results) attr-dict
  }];
}

#endif // WEFT_DIALECT_DISPATCH_IR_DISPATCHOPS
