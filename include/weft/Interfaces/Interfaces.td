//===- Interfaces.td - What passes may ask of ops they do not know --------===//

#ifndef WEFT_INTERFACES_INTERFACES
#define WEFT_INTERFACES_INTERFACES

include "mlir/IR/OpBase.td"

def EvaluableOpInterface : OpInterface<"EvaluableOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op that the reference evaluator can run. It is the oracle of the tests,
    the constant folder, and `weft run --reference`.
  }];
  let methods = [InterfaceMethod<
    /*desc=*/[{
      Computes the results from concrete operands by naive loops. Operands of
      `index` type arrive as rank-0 tensors of i64. Shapes come from the
      operands' values, not from the op's possibly dynamic types. Fails, after
      an error at the op's location, where the operands' values are illegal
      (an index out of range, say).
    }],
    "::mlir::FailureOr<::llvm::SmallVector<::weft::HostTensor>>", "evaluate",
    (ins "::llvm::ArrayRef<::weft::HostTensor>":$operands)>];
}

def ScalarOpInterface : OpInterface<"ScalarOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An elementwise op: element i of the result depends on element i of each
    operand alone.
  }];
  let methods = [InterfaceMethod<
    /*desc=*/[{
      Emits arith and math ops that compute one result element from one element
      of each operand, and returns it. Integers arrive signless, whatever the
      signedness of the tensor's element type.
    }],
    "::mlir::Value", "buildScalar",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
         "::mlir::ValueRange":$elements)>];
}

def IndexedOpInterface : OpInterface<"IndexedOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op with one result, any element of which can be computed on its own. Such
    ops are fused by computing their elements where they are used.
  }];
  let methods = [
    InterfaceMethod<
      /*desc=*/[{
        Emits code that computes the result's element at `indices` (one value of
        `index` type per dimension, each within the result's bounds) at the
        emitter's insertion point. Integers are emitted signless.
      }],
      "::mlir::Value", "emitElement",
      (ins "::weft::ElementEmitter &":$emitter,
           "::llvm::ArrayRef<::mlir::Value>":$indices)>,
    InterfaceMethod<
      /*desc=*/[{
        Says whether an element costs no more than a few instructions beyond
        those of its operands' elements, so that computing it again in each
        consumer beats storing it. Reductions and contractions say no.
      }],
      "bool", "isCheap", (ins), [{}], /*defaultImplementation=*/[{
        return true;
      }]>
  ];
}

def LoopOpInterface : OpInterface<"LoopOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op whose results are made by loops over whole tensors: scatter, sort,
    cumulative sums and the like.
  }];
  let methods = [InterfaceMethod<
    /*desc=*/[{
      Emits loops that store every element of every result.
    }],
    "void", "emitLoops", (ins "::weft::LoopEmitter &":$emitter)>];
}

def CostOpInterface : OpInterface<"CostOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op that knows its arithmetic cost. What does not implement it costs one
    operation per result element.
  }];
  let methods = [InterfaceMethod<
    /*desc=*/[{
      Returns the number of floating-point operations (a multiply-add counts as
      two), or `ShapedType::kDynamic` if a size that it depends on is symbolic.
    }],
    "int64_t", "countFlops", (ins)>];
}

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op that knows its gradient. What does not implement it has none: a pass
    that needs one fails there, by the op's name, and never goes on as if it
    were zero.
  }];
  let methods = [InterfaceMethod<
    /*desc=*/[{
      Emits the gradient of each operand at the insertion point of `builder`,
      given the gradient of each result. `operandGrads` gets one entry per
      operand, in order; an entry left null means that no gradient flows there.
      The op's operands and results may be used; the line "Saved for the
      gradient" of the op's description says which.
    }],
    "::llvm::LogicalResult", "buildGradient",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGrads,
         "::llvm::SmallVectorImpl<::mlir::Value> &":$operandGrads)>];
}

def ShardableOpInterface : OpInterface<"ShardableOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op that can be cut into parts that several processors compute.
  }];
  let methods = [InterfaceMethod<
    /*desc=*/[{
      Says how the operands are cut if the first result is cut along
      `dimension`: for each operand the dimension that is cut with it, or -1 if
      every part needs the whole operand. Fails if that dimension can't be cut.
    }],
    "::llvm::FailureOr<::llvm::SmallVector<int64_t>>", "getOperandCuts",
    (ins "int64_t":$dimension)>];
}

#endif // WEFT_INTERFACES_INTERFACES
