// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file -verify-diagnostics

func.func @heads(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x4x8xf32>) -> tensor<1x3x4x8xf32> {
  // expected-error @below {{number of query heads 3 is not a multiple of the number of key heads 2}}
  %y = "onnx.Attention"(%q, %k, %k) : (tensor<1x3x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>) -> tensor<1x3x4x8xf32>
  return %y : tensor<1x3x4x8xf32>
}

// -----

func.func @no_head_counts(%q: tensor<1x4x8xf32>) -> tensor<1x4x8xf32> {
  // expected-error @below {{operands of rank 3 need 'q_num_heads' and 'kv_num_heads'}}
  %y = "onnx.Attention"(%q, %q, %q) : (tensor<1x4x8xf32>, tensor<1x4x8xf32>, tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return %y : tensor<1x4x8xf32>
}

// -----

func.func @missing_decay(%q: tensor<2x1x8xf32>) -> tensor<2x1x8xf32> {
  // expected-error @below {{'update_rule' "gated" needs 'decay'}}
  %y, %s = "onnx.LinearAttention"(%q, %q, %q) {update_rule = "gated", q_num_heads = 2 : i64, kv_num_heads = 2 : i64} : (tensor<2x1x8xf32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>) -> (tensor<2x1x8xf32>, tensor<2x2x4x4xf32>)
  return %y : tensor<2x1x8xf32>
}
