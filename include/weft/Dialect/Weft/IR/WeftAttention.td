//===- WeftAttention.td - Attention without its scores --------------------===//

#ifndef WEFT_DIALECT_WEFT_IR_WEFTATTENTION
#define WEFT_DIALECT_WEFT_IR_WEFTATTENTION

include "weft/Dialect/Weft/IR/WeftBase.td"

def Weft_AttentionOp : Weft_LoopOp<"attention",
    [DeclareOpInterfaceMethods<ShardableOpInterface>], "Formula",
    ["countFlops"]> {
  let summary = "Values weighted by the softmax of scores that are not kept";
  let description = [{
    The query is `[batch..., m, d]`, the key `[batch..., n, d]`, the value
    `[batch..., n, w]`, the bias `[batch..., m, n]`, the output `[batch..., m, w]`
    and the logarithms `[batch..., m]`. Query, key and value have the same
    element type; f16 and bf16 are computed in f32, in which the logarithms are,
    and rounded once, at the end.

    `s[i, j] = scale * (sum over c of q[i, c] * k[j, c]) + bias[i, j]`,
    `l[i] = log(sum over j of exp(s[i, j]))`,
    `y[i] = sum over j of exp(s[i, j] - l[i]) * v[j]`

    A row of nothing but -inf gives NaN, as `weft.softmax` does, and -inf as its
    logarithm; with `zero_empty` it gives zeros, and +inf. Without keys (n = 0)
    the output is zero. The weights of values add up to one however large the
    scores are; the gradient takes them from `l`, of which numbers like 1e9 leave
    few digits.

    Saved for the gradient: query, key, value, bias, the output and the
    logarithms. The probabilities are computed again. The bias's gradient, if it
    is wanted, is as large as the scores; the others take no such memory.

    Example:

    ```mlir
    %y, %l = weft.attention %q, %k, %v bias %b scale 0.125
        : tensor<8x128x64xf32>, tensor<8x256x64xf32>, tensor<8x256x32xf32>, tensor<8x128x256xf32>
        -> tensor<8x128x32xf32>, tensor<8x128xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$query, Weft_FloatTensor:$key,
                       Weft_FloatTensor:$value,
                       Optional<Weft_FloatTensor>:$bias,
                       F64Attr:$scale, UnitAttr:$zero_empty);
  let results = (outs Weft_FloatTensor:$output, Weft_FloatTensor:$logarithm);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`bias` $bias^)? `scale` $scale
    (`zero_empty` $zero_empty^)? attr-dict `:` type($query) `,` type($key) `,`
    type($value) (`,` type($bias)^)? `->` type($output) `,` type($logarithm)
  }];
  let hasVerifier = 1;
}

def Weft_AttentionGradientOp : Weft_LoopOp<"attention_gradient", [],
    "Formula", ["countFlops"]> {
  let summary = "The gradients of attention's query, key and value";
  let description = [{
    `logarithm` is that of `weft.attention` with the same query, key, value, bias
    and scale; `grad` is the gradient `g` of its output `y`, and `delta`, `[batch..., m]`,
    the sum of `g * y` along the last dimension, less the gradient of the
    logarithms. Computed in f32 where the operands are narrower, or in f64.

    `p[i, j] = exp(s[i, j] - l[i])`,
    `ds[i, j] = p[i, j] * ((sum over c of g[i, c] * v[j, c]) - delta[i])`,
    `dq[i] = scale * sum over j of ds[i, j] * k[j]`,
    `dk[j] = scale * sum over i of ds[i, j] * q[i]`,
    `dv[j] = sum over i of p[i, j] * g[i]`

    Saved for the gradient: all operands.

    Example:

    ```mlir
    %dq, %dk, %dv = weft.attention_gradient %q, %k, %v, %l, %g, %delta scale 0.125
        : tensor<8x128x64xf32>, tensor<8x256x64xf32>, tensor<8x256x32xf32>, tensor<8x128xf32>,
          tensor<8x128x32xf32>, tensor<8x128xf32>
        -> tensor<8x128x64xf32>, tensor<8x256x64xf32>, tensor<8x256x32xf32>
    ```
  }];
  let arguments = (ins Weft_FloatTensor:$query, Weft_FloatTensor:$key,
                       Weft_FloatTensor:$value, Weft_FloatTensor:$logarithm,
                       Weft_FloatTensor:$grad, Weft_FloatTensor:$delta,
                       Optional<Weft_FloatTensor>:$bias, F64Attr:$scale);
  let results = (outs Weft_FloatTensor:$query_gradient,
                      Weft_FloatTensor:$key_gradient,
                      Weft_FloatTensor:$value_gradient);
  let assemblyFormat = [{
    $query `,` $key `,` $value `,` $logarithm `,` $grad `,` $delta
    (`bias` $bias^)? `scale` $scale attr-dict `:` type($query) `,` type($key) `,`
    type($value) `,` type($logarithm) `,` type($grad) `,` type($delta)
    (`,` type($bias)^)? `->` type($query_gradient) `,` type($key_gradient) `,`
    type($value_gradient)
  }];
  let hasVerifier = 1;
}

#endif // WEFT_DIALECT_WEFT_IR_WEFTATTENTION
