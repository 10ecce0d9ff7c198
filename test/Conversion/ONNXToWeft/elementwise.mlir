// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @broadcast(
//  CHECK-SAME:   %[[X:[a-z0-9]+]]: tensor<2x3xf32>, %[[B:[a-z0-9]+]]: tensor<3xf32>
//       CHECK:   %[[S:.+]] = weft.broadcast %[[B]] dims [1] : tensor<3xf32> to tensor<2x3xf32>
//       CHECK:   weft.sub %[[X]], %[[S]] : tensor<2x3xf32>
func.func @broadcast(%x: tensor<2x3xf32>, %b: tensor<3xf32>) -> tensor<2x3xf32> {
  %y = onnx.Sub(%x, %b) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// So that nothing flows back at zero.
// CHECK-LABEL: func.func @relu(
//  CHECK-SAME:   %[[X:[a-z0-9]+]]: tensor<4xf32>
//       CHECK:   %[[C:.+]] = weft.compare le %[[X]], %[[Z:.+]] : tensor<4xf32>
//       CHECK:   weft.select %[[C]], %[[Z]], %[[X]]
func.func @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @square(
//  CHECK-SAME:   %[[X:[a-z0-9]+]]: tensor<4xf32>
//       CHECK:   weft.mul %[[X]], %[[X]]
func.func @square(%x: tensor<4xf32>) -> tensor<4xf32> {
  %two = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %y = onnx.Pow(%x, %two) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// The sign of the divisor is taken.
// CHECK-LABEL: func.func @mod(
//       CHECK:   weft.rem
//       CHECK:   weft.xor
//       CHECK:   weft.select
func.func @mod(%a: tensor<4xi32>, %b: tensor<4xi32>) -> tensor<4xi32> {
  %y = onnx.Mod(%a, %b) : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %y : tensor<4xi32>
}

// -----

// CHECK-LABEL: func.func @fmod(
//       CHECK:   weft.rem
//   CHECK-NOT:   weft.select
func.func @fmod(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %y = onnx.Mod(%a, %b) {fmod = 1 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @clip_above_only(
//   CHECK-NOT:   weft.max
//       CHECK:   weft.min
func.func @clip_above_only(%x: tensor<4xf32>, %high: tensor<f32>) -> tensor<4xf32> {
  %none = onnx.none
  %y = onnx.Clip(%x, %none, %high) : (tensor<4xf32>, none, tensor<f32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @cast_saturates(
//       CHECK:   weft.cast %{{.+}} saturate : tensor<4xf32> to tensor<4xf8E4M3FN>
func.func @cast_saturates(%x: tensor<4xf32>) -> tensor<4xf8E4M3FN> {
  %y = onnx.Cast(%x) {to = 17 : i64} : (tensor<4xf32>) -> tensor<4xf8E4M3FN>
  return %y : tensor<4xf8E4M3FN>
}

// -----

// No exponential of a positive number.
// CHECK-LABEL: func.func @softplus(
//       CHECK:   %[[A:.+]] = weft.abs
//       CHECK:   %[[N:.+]] = weft.neg %[[A]]
//       CHECK:   weft.exp %[[N]]
//       CHECK:   weft.log
func.func @softplus(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = onnx.Softplus(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
