//===- WeftBase.td - Dialect, types and op bases of the tensor language ---===//

#ifndef WEFT_DIALECT_WEFT_IR_WEFTBASE
#define WEFT_DIALECT_WEFT_IR_WEFTBASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "weft/Interfaces/Interfaces.td"

def Weft_Dialect : Dialect {
  let name = "weft";
  let cppNamespace = "::weft";
  let summary = "The differentiable tensor language";
  let description = [{
    A closed set of pure operations on ranked tensors with value semantics.
    Every ONNX operator of every opset becomes a few of these. Shapes may hold
    symbolic sizes (`?`); where a result size does not follow from the operands
    it is passed as an `index` operand. Nothing broadcasts implicitly.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

// Signless integers are ONNX's signed ones; unsigned ones keep their sign.
def Weft_Int : AnyTypeOf<[I1, I<2>, I<4>, I8, I16, I32, I64, UI<2>, UI<4>, UI8,
                          UI16, UI32, UI64], "integer">;
def Weft_Float : AnyTypeOf<[F16, BF16, F32, F64], "f16, bf16, f32 or f64">;
def Weft_SmallFloat
    : AnyTypeOf<[F8E4M3FN, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ, F8E8M0FNU,
                 F4E2M1FN], "8-bit or 4-bit float">;
def Weft_Number : AnyTypeOf<[Weft_Int, Weft_Float], "number">;
def Weft_Element : AnyTypeOf<[Weft_Int, Weft_Float, Weft_SmallFloat],
                             "weft element">;

def Weft_Tensor : RankedTensorOf<[Weft_Element]>;
def Weft_NumberTensor : RankedTensorOf<[Weft_Number]>;
def Weft_FloatTensor : RankedTensorOf<[Weft_Float]>;
def Weft_IntTensor : RankedTensorOf<[Weft_Int]>;
def Weft_BoolTensor : RankedTensorOf<[I1]>;
def Weft_IndexTensor : RankedTensorOf<[I32, I64]>;

//===----------------------------------------------------------------------===//
// Op bases
//===----------------------------------------------------------------------===//

// Why an op has no rule for its gradient; see weft/Interfaces/Gradient.h.
class Weft_NoGradient<string reason>
    : ParamNativeOpTrait<"NoGradient", "::weft::GradientRule::" # reason> {
  let cppNamespace = "::weft";
}

// Every op is pure, can be evaluated on the host, tells the sizes of its results
// in terms of its operands, knows what it costs, and says what its gradient is:
// "Formula" for one that it builds, or the reason why there is none. `costs`
// names the methods of CostOpInterface that it defines by itself.
class Weft_Op<string mnemonic, list<Trait> traits = [],
              string gradient = "Pending", list<string> costs = []>
    : Op<Weft_Dialect, mnemonic,
         !listconcat([Pure, DeclareOpInterfaceMethods<EvaluableOpInterface>,
                      DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
                      DeclareOpInterfaceMethods<CostOpInterface, costs>],
                     !if(!eq(gradient, "Formula"),
                         [DeclareOpInterfaceMethods<DifferentiableOpInterface>],
                         [DifferentiableOpInterface, Weft_NoGradient<gradient>]),
                     traits)>;

// An op whose result element can be computed from its index.
class Weft_IndexedOp<string mnemonic, list<Trait> traits = [],
                     string gradient = "Pending", list<string> costs = []>
    : Weft_Op<mnemonic,
              !listconcat([DeclareOpInterfaceMethods<IndexedOpInterface>],
                          traits),
              gradient, costs>;

// An op whose result element at an index depends on the operands' elements at
// the same index alone. All of them have the same sizes and emit alike.
class Weft_ElementwiseOp<string mnemonic, list<Trait> traits = [],
                         string gradient = "Formula">
    : Weft_IndexedOp<mnemonic,
                     !listconcat([DeclareOpInterfaceMethods<ScalarOpInterface>,
                                  DeclareOpInterfaceMethods<ShardableOpInterface>],
                                 traits),
                     gradient, ["countFlops"]> {
  // Defined for those that have one.
  string gradientDefinition = !if(!eq(gradient, "Formula"), [{
    ::llvm::LogicalResult $cppClass::buildGradient(
        ::mlir::OpBuilder &builder, ::mlir::ValueRange resultGrads,
        ::llvm::SmallVectorImpl<::mlir::Value> &operandGrads) {
      return ::weft::detail::buildElementwiseGradient(*this, builder,
                                                      resultGrads, operandGrads);
    }
  }], "");
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::reifyResultShapes(
        ::mlir::OpBuilder &builder,
        ::mlir::ReifiedRankedShapedTypeDims &shapes) {
      return ::weft::detail::reifyElementwise(*this, builder, shapes);
    }
    ::mlir::Value $cppClass::emitElement(
        ::weft::ElementEmitter &emitter,
        ::llvm::ArrayRef<::mlir::Value> indices) {
      return ::weft::detail::emitElementwise(*this, emitter, indices);
    }
    double $cppClass::countFlops(const ::weft::OpShapes &shapes) {
      return ::weft::detail::countElementwise(*this, shapes);
    }
    void $cppClass::getSplitDims(::llvm::SmallVectorImpl<::weft::SplitDim> &dims) {
      ::weft::detail::getElementwiseSplits(*this, dims);
    }
  }] # gradientDefinition;
}

// An op that needs loops of its own over whole results.
class Weft_LoopOp<string mnemonic, list<Trait> traits = [],
                  string gradient = "Pending", list<string> costs = []>
    : Weft_Op<mnemonic,
              !listconcat([DeclareOpInterfaceMethods<LoopOpInterface>],
                          traits),
              gradient, costs>;

class Weft_I64EnumAttr<string name, string description, list<string> cases>
    : I32EnumAttr<name, description,
                  !foreach(i, !range(!size(cases)),
                           I32EnumAttrCase<cases[i], i>)> {
  let cppNamespace = "::weft";
  let genSpecializedAttr = 0;
}

#endif // WEFT_DIALECT_WEFT_IR_WEFTBASE
