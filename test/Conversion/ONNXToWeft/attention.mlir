// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file | FileCheck %s

// The scale is on the queries; no mask, so nothing stands between the
// contraction and the softmax.
// CHECK-LABEL: func.func @plain(
//  CHECK-SAME:     %[[Q:.+]]: tensor<2x3x4x16xf32>, %[[K:.+]]: tensor<2x3x6x16xf32>, %[[V:.+]]: tensor<2x3x6x8xf32>
//       CHECK:   %[[SCALED:.+]] = weft.mul %[[Q]]
//       CHECK:   %[[S:.+]] = weft.contract %[[SCALED]], %[[K]] batch [0, 1] x [0, 1] contract [3] x [3]
//       CHECK:   %[[P:.+]] = weft.softmax %[[S]] axis 3
//       CHECK:   weft.contract %[[P]], %[[V]] batch [0, 1] x [0, 1] contract [3] x [2]
func.func @plain(%q: tensor<2x3x4x16xf32>, %k: tensor<2x3x6x16xf32>, %v: tensor<2x3x6x8xf32>) -> tensor<2x3x4x8xf32> {
  %y = "onnx.Attention"(%q, %k, %v) : (tensor<2x3x4x16xf32>, tensor<2x3x6x16xf32>, tensor<2x3x6x8xf32>) -> tensor<2x3x4x8xf32>
  return %y : tensor<2x3x4x8xf32>
}

// -----

// Query heads that share a key head become rows; keys are not repeated.
// CHECK-LABEL: func.func @grouped(
//  CHECK-SAME:     %{{.+}}: tensor<1x8x4x16xf32>, %[[K:.+]]: tensor<1x2x6x16xf32>
//       CHECK:   weft.reshape %{{.+}} to tensor<1x2x16x16xf32>
//       CHECK:   weft.contract %{{.+}}, %[[K]] {{.+}} -> tensor<1x2x16x6xf32>
//       CHECK:   weft.reshape %{{.+}} to tensor<1x8x4x6xf32>
//       CHECK:   weft.softmax
func.func @grouped(%q: tensor<1x8x4x16xf32>, %k: tensor<1x2x6x16xf32>, %v: tensor<1x2x6x8xf32>) -> tensor<1x8x4x8xf32> {
  %y = "onnx.Attention"(%q, %k, %v) : (tensor<1x8x4x16xf32>, tensor<1x2x6x16xf32>, tensor<1x2x6x8xf32>) -> tensor<1x8x4x8xf32>
  return %y : tensor<1x8x4x8xf32>
}

// -----

// Every query has a key, so no row needs to be cleared.
// CHECK-LABEL: func.func @causal(
//       CHECK:   weft.select
//   CHECK-NOT:   weft.reduce any
//       CHECK:   weft.softmax
//   CHECK-NOT:   weft.select
func.func @causal(%q: tensor<1x2x64x16xf32>) -> tensor<1x2x64x16xf32> {
  %y = "onnx.Attention"(%q, %q, %q) {is_causal = 1 : i64} : (tensor<1x2x64x16xf32>, tensor<1x2x64x16xf32>, tensor<1x2x64x16xf32>) -> tensor<1x2x64x16xf32>
  return %y : tensor<1x2x64x16xf32>
}

// -----

// CHECK-LABEL: func.func @mask(
//  CHECK-SAME:     %[[MASK:[^ ]+]]: tensor<4x4xi1>
//       CHECK:   %[[M:.+]] = weft.reshape %[[MASK]] : tensor<4x4xi1> to tensor<1x1x4x4xi1>
//       CHECK:   weft.select
//       CHECK:   %[[P:.+]] = weft.softmax
//       CHECK:   %[[ANY:.+]] = weft.reduce any %[[M]] axes [3]
//       CHECK:   weft.select %{{.+}}, %[[P]],
func.func @mask(%q: tensor<1x2x4x16xf32>, %mask: tensor<4x4xi1>) -> tensor<1x2x4x16xf32> {
  %y = "onnx.Attention"(%q, %q, %q, %mask) : (tensor<1x2x4x16xf32>, tensor<1x2x4x16xf32>, tensor<1x2x4x16xf32>, tensor<4x4xi1>) -> tensor<1x2x4x16xf32>
  return %y : tensor<1x2x4x16xf32>
}

// -----

// CHECK-LABEL: func.func @packed_heads(
//       CHECK:   weft.reshape %{{.+}} to tensor<?x5x2x8xf32>
//       CHECK:   weft.transpose %{{.+}} [0, 2, 1, 3]
//       CHECK:   weft.softmax
//       CHECK:   weft.transpose %{{.+}} [0, 2, 1, 3]
//       CHECK:   weft.reshape %{{.+}} to tensor<?x5x16xf32>
func.func @packed_heads(%q: tensor<?x5x16xf32>) -> tensor<?x5x16xf32> {
  %y = "onnx.Attention"(%q, %q, %q) {q_num_heads = 2 : i64, kv_num_heads = 2 : i64} : (tensor<?x5x16xf32>, tensor<?x5x16xf32>, tensor<?x5x16xf32>) -> tensor<?x5x16xf32>
  return %y : tensor<?x5x16xf32>
}

// -----

// One time step needs no loop.
// CHECK-LABEL: func.func @linear_attention_step(
//   CHECK-NOT:   scf.for
//       CHECK:   weft.contract
func.func @linear_attention_step(%q: tensor<2x1x8xf32>, %k: tensor<2x1x4xf32>, %v: tensor<2x1x6xf32>) -> tensor<2x1x12xf32> {
  %y, %s = "onnx.LinearAttention"(%q, %k, %v) {update_rule = "linear", q_num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x1x8xf32>, tensor<2x1x4xf32>, tensor<2x1x6xf32>) -> (tensor<2x1x12xf32>, tensor<2x2x2x3xf32>)
  return %y : tensor<2x1x12xf32>
}

// -----

// CHECK-LABEL: func.func @linear_attention(
//       CHECK:   scf.for %{{.+}} = %{{.+}} to %{{.+}} step %{{.+}} iter_args({{.+}}) -> (tensor<2x2x2x3xf32>, tensor<2x7x12xf32>)
//       CHECK:     weft.update_slice
func.func @linear_attention(%q: tensor<2x7x8xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>) -> tensor<2x7x12xf32> {
  %y, %s = "onnx.LinearAttention"(%q, %k, %v) {update_rule = "linear", q_num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x7x8xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>) -> (tensor<2x7x12xf32>, tensor<2x2x2x3xf32>)
  return %y : tensor<2x7x12xf32>
}

// -----

// CHECK-LABEL: func.func @rotary_embedding(
//       CHECK:   weft.gather %{{.+}}, %{{.+}} axis 0
//       CHECK:   weft.concat
func.func @rotary_embedding(%x: tensor<2x4x3x8xf32>, %cos: tensor<50x4xf32>, %sin: tensor<50x4xf32>, %p: tensor<2x3xi64>) -> tensor<2x4x3x8xf32> {
  %y = "onnx.RotaryEmbedding"(%x, %cos, %sin, %p) : (tensor<2x4x3x8xf32>, tensor<50x4xf32>, tensor<50x4xf32>, tensor<2x3xi64>) -> tensor<2x4x3x8xf32>
  return %y : tensor<2x4x3x8xf32>
}

// -----

// CHECK-LABEL: func.func @causal_conv(
//       CHECK:   weft.pad %{{.+}} low [0, 0, 2] high [0, 0, 0]
//       CHECK:   weft.conv {{.+}} groups 4
//       CHECK:   weft.slice %{{.+}} [0, 0, 5] [2, 4, 2] [1, 1, 1]
func.func @causal_conv(%x: tensor<2x4x5xf32>, %w: tensor<4x1x3xf32>) -> (tensor<2x4x5xf32>, tensor<2x4x2xf32>) {
  %y, %s = "onnx.CausalConvWithState"(%x, %w) : (tensor<2x4x5xf32>, tensor<4x1x3xf32>) -> (tensor<2x4x5xf32>, tensor<2x4x2xf32>)
  return %y, %s : tensor<2x4x5xf32>, tensor<2x4x2xf32>
}
