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

def UpdateOpInterface : OpInterface<"UpdateOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op whose one result is an operand, of the same type, in which elements
    are replaced by those of another operand, each by one. If nothing needs the
    old tensor, its memory can become the result's, and no other element is
    touched.
  }];
  let methods = [
    InterfaceMethod<
      /*desc=*/[{ Returns the operand that is updated. }],
      "::mlir::OpOperand &", "getUpdated">,
    InterfaceMethod<
      /*desc=*/[{ Returns the operand that holds the new elements. }],
      "::mlir::OpOperand &", "getUpdates">,
    InterfaceMethod<
      /*desc=*/[{
        Emits the indices in the result of the element of `getUpdates()` at
        `indices`. They are within the result's bounds.
      }],
      "::llvm::SmallVector<::mlir::Value>", "emitTarget",
      (ins "::weft::ElementEmitter &":$emitter,
           "::llvm::ArrayRef<::mlir::Value>":$indices)>
  ];
}

def CostOpInterface : OpInterface<"CostOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op that knows what it costs, as functions of the sizes of its operands
    and results, all of which are concrete and fit the op's types. The costs are
    those of the op by itself: what fusion saves of memory is not in them.
  }];
  let methods = [
    InterfaceMethod<
      /*desc=*/[{
        Returns the number of arithmetic operations, of whatever type. A
        multiply-add counts as two, a function that is approximated by a
        polynomial as 16. Products with padding and with the zeros of a dilated
        input count as if they were computed. Ops that only move elements have
        none.
      }],
      "double", "countFlops", (ins "const ::weft::OpShapes &":$shapes), [{}],
      /*defaultImplementation=*/[{ return 0; }]>,
    InterfaceMethod<
      /*desc=*/[{
        Returns the bytes of operands that the op reads, each counted once.
      }],
      "double", "countBytesRead", (ins "const ::weft::OpShapes &":$shapes),
      [{}], /*defaultImplementation=*/[{
        return ::weft::countBytes($_op->getOperands(), shapes.operands);
      }]>,
    InterfaceMethod<
      /*desc=*/[{
        Returns the bytes of results that the op writes: all of them, unless
        they are other names for memory that is there.
      }],
      "double", "countBytesWritten", (ins "const ::weft::OpShapes &":$shapes),
      [{}], /*defaultImplementation=*/[{
        return ::weft::countBytes($_op->getResults(), shapes.results);
      }]>
  ];
  let extraClassDeclaration = [{
    ::weft::Cost getCost(const ::weft::OpShapes &shapes) {
      return {countFlops(shapes), countBytesRead(shapes),
              countBytesWritten(shapes)};
    }
  }];
}

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op that says what its gradient is. With L a number that depends on the
    op's results, the gradient of a value x is dL/dx, a tensor of the type of x.
    Every op of a differentiable dialect implements this: one that has no rule
    states the reason by the trait `NoGradient`.
  }];
  let methods = [
    StaticInterfaceMethod<
      /*desc=*/[{
        Returns whether there is a formula, and why not if there is none.
      }],
      "::weft::GradientRule", "getGradientRule", (ins), /*methodBody=*/[{
        return ::weft::detail::getGradientRule<ConcreteOp>();
      }]>,
    InterfaceMethod<
      /*desc=*/[{
        Emits the gradient of each operand at the insertion point of `builder`,
        given the gradient of each result. An entry of `resultGrads` is null
        exactly if that result is not a tensor of floats. Appends one entry per
        operand to `operandGrads`, of exactly the operand's type; an entry that
        is null means that no gradient flows there, as to integers. What is
        emitted may use the op's operands and results; the line "Saved for the
        gradient" of the op's description says which, so that the others need
        not be kept. Each op that is emitted has a rule of its own. An operand
        that occurs twice gets two entries, which the caller adds. Fails, after
        an error, where the rule is pending.
      }],
      "::llvm::LogicalResult", "buildGradient",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGrads,
           "::llvm::SmallVectorImpl<::mlir::Value> &":$operandGrads)>
  ];
}

def ShardableOpInterface : OpInterface<"ShardableOpInterface"> {
  let cppNamespace = "::weft";
  let description = [{
    An op whose work can be split among ranks by giving each a range of a
    dimension. An op without it is computed whole by every rank.
  }];
  let methods = [InterfaceMethod<
    /*desc=*/[{
      Appends every dimension along which the work may be split, those of the
      results first, in order. Running the op on the parts of its operands, with
      the types that follow from theirs, gives the parts of its results; what
      joins them is told by `combine`. Splits along several dimensions at once
      are splits one after the other.
    }],
    "void", "getSplitDims",
    (ins "::llvm::SmallVectorImpl<::weft::SplitDim> &":$dims)>];
}

#endif // WEFT_INTERFACES_INTERFACES
