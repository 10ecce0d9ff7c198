//===- WeftElementwise.td - Ops that work element by element --------------===//

#ifndef WEFT_DIALECT_WEFT_IR_WEFTELEMENTWISE
#define WEFT_DIALECT_WEFT_IR_WEFTELEMENTWISE

include "weft/Dialect/Weft/IR/WeftBase.td"

class Weft_UnaryOp<string mnemonic, Type tensor, string phrase, string formula,
                   string saved, string gradient = "Formula">
    : Weft_ElementwiseOp<mnemonic, [SameOperandsAndResultType], gradient> {
  let summary = phrase;
  let description = "Computes `" # formula # [{` for each element `x`.

    Saved for the gradient: }] # saved # [{.

    Example:

    ```mlir
    %y = weft.}] # mnemonic # [{ %x : tensor<2x?x}] # !if(!eq(tensor, Weft_IntTensor), "i32", "f32") # [{>
    ```
  }];
  let arguments = (ins tensor:$input);
  let results = (outs tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

class Weft_BinaryOp<string mnemonic, Type tensor, string phrase, string formula,
                   string saved, string gradient = "Formula">
    : Weft_ElementwiseOp<mnemonic, [SameOperandsAndResultType], gradient> {
  let summary = phrase;
  let description = "Computes `" # formula # [{` for each pair of elements `a`
    and `b`.

    Saved for the gradient: }] # saved # [{.

    Example:

    ```mlir
    %y = weft.}] # mnemonic # [{ %a, %b : tensor<2x?x}] # !if(!eq(tensor, Weft_IntTensor), "i32", "f32") # [{>
    ```
  }];
  let arguments = (ins tensor:$lhs, tensor:$rhs);
  let results = (outs tensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Unary
//===----------------------------------------------------------------------===//

def Weft_AbsOp : Weft_UnaryOp<"abs", Weft_NumberTensor,
    "Absolute value",
    "|x|", "the input">;
def Weft_AcosOp : Weft_UnaryOp<"acos", Weft_FloatTensor,
    "Inverse cosine",
    "acos(x)", "the input">;
def Weft_AcoshOp : Weft_UnaryOp<"acosh", Weft_FloatTensor,
    "Inverse hyperbolic cosine",
    "acosh(x)", "the input">;
def Weft_AsinOp : Weft_UnaryOp<"asin", Weft_FloatTensor,
    "Inverse sine",
    "asin(x)", "the input">;
def Weft_AsinhOp : Weft_UnaryOp<"asinh", Weft_FloatTensor,
    "Inverse hyperbolic sine",
    "asinh(x)", "the input">;
def Weft_AtanOp : Weft_UnaryOp<"atan", Weft_FloatTensor,
    "Inverse tangent",
    "atan(x)", "the input">;
def Weft_AtanhOp : Weft_UnaryOp<"atanh", Weft_FloatTensor,
    "Inverse hyperbolic tangent",
    "atanh(x)", "the input">;
def Weft_CeilOp : Weft_UnaryOp<"ceil", Weft_FloatTensor,
    "Smallest integer not below",
    "ceil(x)", "nothing (it is zero)", "Zero">;
def Weft_CosOp : Weft_UnaryOp<"cos", Weft_FloatTensor,
    "Cosine",
    "cos(x)", "the input">;
def Weft_CoshOp : Weft_UnaryOp<"cosh", Weft_FloatTensor,
    "Hyperbolic cosine",
    "cosh(x)", "the input">;
def Weft_ErfOp : Weft_UnaryOp<"erf", Weft_FloatTensor,
    "Error function",
    "2 / sqrt(pi) * integral of exp(-t^2) from 0 to x", "the input">;
def Weft_ExpOp : Weft_UnaryOp<"exp", Weft_FloatTensor,
    "Exponential",
    "exp(x)", "the output">;
def Weft_FloorOp : Weft_UnaryOp<"floor", Weft_FloatTensor,
    "Largest integer not above",
    "floor(x)", "nothing (it is zero)", "Zero">;
def Weft_LogOp : Weft_UnaryOp<"log", Weft_FloatTensor,
    "Natural logarithm",
    "log(x)", "the input">;
def Weft_LogisticOp : Weft_UnaryOp<"logistic", Weft_FloatTensor,
    "Logistic sigmoid",
    "1 / (1 + exp(-x))", "the output">;
def Weft_NegOp : Weft_UnaryOp<"neg", Weft_NumberTensor,
    "Negation",
    "-x", "nothing">;
def Weft_NotOp : Weft_UnaryOp<"not", Weft_IntTensor,
    "Bitwise complement; logical for i1",
    "~x", "nothing (integers have none)", "Zero">;
def Weft_RoundOp : Weft_UnaryOp<"round", Weft_FloatTensor,
    "Nearest integer, ties to even",
    "round_half_even(x)", "nothing (it is zero)", "Zero">;
def Weft_SignOp : Weft_UnaryOp<"sign", Weft_NumberTensor,
    "Sign: -1, 0 or 1; NaN stays NaN",
    "(x > 0) - (x < 0)", "nothing (it is zero)", "Zero">;
def Weft_SinOp : Weft_UnaryOp<"sin", Weft_FloatTensor,
    "Sine",
    "sin(x)", "the input">;
def Weft_SinhOp : Weft_UnaryOp<"sinh", Weft_FloatTensor,
    "Hyperbolic sine",
    "sinh(x)", "the input">;
def Weft_SqrtOp : Weft_UnaryOp<"sqrt", Weft_FloatTensor,
    "Square root",
    "sqrt(x)", "the output">;
def Weft_TanOp : Weft_UnaryOp<"tan", Weft_FloatTensor,
    "Tangent",
    "tan(x)", "the output">;
def Weft_TanhOp : Weft_UnaryOp<"tanh", Weft_FloatTensor,
    "Hyperbolic tangent",
    "tanh(x)", "the output">;

//===----------------------------------------------------------------------===//
// Binary
//===----------------------------------------------------------------------===//

def Weft_AddOp : Weft_BinaryOp<"add", Weft_NumberTensor,
    "Sum; integers wrap",
    "a + b", "nothing"> {
  let hasCanonicalizeMethod = 1;
}
def Weft_AndOp : Weft_BinaryOp<"and", Weft_IntTensor,
    "Bitwise and; logical for i1",
    "a & b", "nothing (integers have none)", "Zero">;
def Weft_DivOp : Weft_BinaryOp<"div", Weft_NumberTensor,
    "Quotient; integers truncate towards zero",
    "a / b", "the divisor and the output">;
def Weft_MaxOp : Weft_BinaryOp<"max", Weft_NumberTensor,
    "Larger of two; NaN if either is NaN",
    "max(a, b)", "the inputs">;
def Weft_MinOp : Weft_BinaryOp<"min", Weft_NumberTensor,
    "Smaller of two; NaN if either is NaN",
    "min(a, b)", "the inputs">;
def Weft_MulOp : Weft_BinaryOp<"mul", Weft_NumberTensor,
    "Product; integers wrap",
    "a * b", "the inputs">;
def Weft_OrOp : Weft_BinaryOp<"or", Weft_IntTensor,
    "Bitwise or; logical for i1",
    "a | b", "nothing (integers have none)", "Zero">;
def Weft_PowOp : Weft_BinaryOp<"pow", Weft_NumberTensor,
    "Power",
    "a ^ b", "the inputs and the output">;
def Weft_RemOp : Weft_BinaryOp<"rem", Weft_NumberTensor,
    "Remainder with the sign of the dividend, as C's % and fmod",
    "a - trunc(a / b) * b", "the inputs and the output">;
def Weft_ShlOp : Weft_BinaryOp<"shl", Weft_IntTensor,
    "Shift left; zero if the amount reaches the width",
    "a << b", "nothing (integers have none)", "Zero">;
def Weft_ShrOp : Weft_BinaryOp<"shr", Weft_IntTensor,
    "Shift right, arithmetic if signed; all sign bits if the amount reaches the width",
    "a >> b", "nothing (integers have none)", "Zero">;
def Weft_SubOp : Weft_BinaryOp<"sub", Weft_NumberTensor,
    "Difference; integers wrap",
    "a - b", "nothing">;
def Weft_XorOp : Weft_BinaryOp<"xor", Weft_IntTensor,
    "Bitwise exclusive or",
    "a ^ b", "nothing (integers have none)", "Zero">;

//===----------------------------------------------------------------------===//
// Predicates, selection, conversion
//===----------------------------------------------------------------------===//

def Weft_ComparePredicate
    : Weft_I64EnumAttr<"ComparePredicate", "how two elements are compared",
                       ["eq", "ne", "lt", "le", "gt", "ge"]>;
def Weft_ComparePredicateAttr
    : EnumAttr<Weft_Dialect, Weft_ComparePredicate, "compare_predicate">;

def Weft_CompareOp
    : Weft_ElementwiseOp<"compare", [SameTypeOperands,
                                     SameOperandsAndResultShape,
                                     DeclareOpInterfaceMethods<InferTypeOpInterface>],
                         "Zero"> {
  let summary = "Comparison of two elements";
  let description = [{
    Every comparison with NaN is false, except `ne`, which is true. Unsigned
    integers compare as such.

    Computes `a < b`, or the like by the predicate.

    Saved for the gradient: nothing (truth values have none).

    Example:

    ```mlir
    %y = weft.compare lt %a, %b : tensor<4xf32>
    ```
  }];
  let arguments = (ins Weft_ComparePredicateAttr:$predicate,
                       Weft_Tensor:$lhs, Weft_Tensor:$rhs);
  let results = (outs Weft_BoolTensor:$result);
  let assemblyFormat = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs)";
}

def Weft_IsNanOp
    : Weft_ElementwiseOp<"is_nan", [SameOperandsAndResultShape,
                                    DeclareOpInterfaceMethods<InferTypeOpInterface>],
                         "Zero"> {
  let summary = "Whether an element is NaN";
  let description = [{
    Computes `x != x`.

    Saved for the gradient: nothing (truth values have none).

    Example:

    ```mlir
    %y = weft.is_nan %x : tensor<4xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$input);
  let results = (outs Weft_BoolTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def Weft_SelectOp : Weft_ElementwiseOp<"select", [
    SameOperandsAndResultShape,
    AllTypesMatch<["on_true", "on_false", "result"]>]> {
  let summary = "One of two elements, by a condition";
  let description = [{
    Computes `c ? a : b`.

    Saved for the gradient: the condition.

    Example:

    ```mlir
    %y = weft.select %c, %a, %b : tensor<4xi1>, tensor<4xf32>
    ```
  }];
  let arguments = (ins Weft_BoolTensor:$condition, Weft_Tensor:$on_true,
                       Weft_Tensor:$on_false);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $condition `,` $on_true `,` $on_false attr-dict `:` type($condition) `,`
    type($result)
  }];
}

def Weft_CastOp : Weft_ElementwiseOp<"cast", [SameOperandsAndResultShape]> {
  let summary = "Conversion of the element type by value";
  let description = [{
    Follows ONNX's Cast: floats round to nearest, ties to even; float to integer
    truncates; integer to integer keeps the low bits; anything to i1 is
    `x != 0`. With `saturate`, a value beyond the range of an 8-bit or 4-bit
    float becomes the largest finite one of its sign; without it, infinity or,
    where the type has none, NaN. A float to integer cast with `saturate` clamps
    to the integer's range instead of being undefined; NaN becomes zero.
    f8E8M0FNU rounds the magnitude up and knows no sign. f4E2M1FN has nothing to
    overflow to, so it saturates in either case, and NaN becomes -0.

    Saved for the gradient: nothing.

    Example:

    ```mlir
    %y = weft.cast %x saturate : tensor<4xf32> to tensor<4xf8E4M3FN>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input, UnitAttr:$saturate);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = [{
    $input (`saturate` $saturate^)? attr-dict `:` type($input) `to` type($result)
  }];
}

def Weft_BitcastOp : Weft_ElementwiseOp<"bitcast", [SameOperandsAndResultShape], "Zero"> {
  let summary = "The same bits read as another element type of equal width";
  let description = [{
    The width of an element stays, and so do all sizes.

    Saved for the gradient: nothing (bits have none).

    Example:

    ```mlir
    %y = weft.bitcast %x : tensor<4xf32> to tensor<4xi32>
    ```
  }];
  let arguments = (ins Weft_Tensor:$input);
  let results = (outs Weft_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
}

#endif // WEFT_DIALECT_WEFT_IR_WEFTELEMENTWISE
