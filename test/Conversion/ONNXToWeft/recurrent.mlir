// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file | FileCheck %s

// The inputs of all steps are projected by one contraction in front of the
// loop.
// CHECK-LABEL: func.func @lstm(
//  CHECK-SAME:     %[[X:.+]]: tensor<?x2x3xf32>, %[[W:.+]]: tensor<1x16x3xf32>, %[[R:.+]]: tensor<1x16x4xf32>
//       CHECK:   weft.contract %[[X]], %[[W]] batch [] x [] contract [2] x [2]
//       CHECK:   scf.for
//       CHECK:     weft.contract %{{.+}}, %[[R]] batch [0] x [0] contract [2] x [2]
//       CHECK:     weft.update_slice
func.func @lstm(%x: tensor<?x2x3xf32>, %w: tensor<1x16x3xf32>, %r: tensor<1x16x4xf32>) -> (tensor<?x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>) {
  %y, %h, %c = "onnx.LSTM"(%x, %w, %r) {hidden_size = 4 : i64, weft.outputs = ["y", "h", "c"]} : (tensor<?x2x3xf32>, tensor<1x16x3xf32>, tensor<1x16x4xf32>) -> (tensor<?x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>)
  return %y, %h, %c : tensor<?x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>
}

// -----

// Both directions advance in one loop.
// CHECK-LABEL: func.func @bidirectional(
//       CHECK:   scf.for
//       CHECK:     weft.concat %{{.+}}, %{{.+}} axis 0
//   CHECK-NOT:   scf.for
func.func @bidirectional(%x: tensor<5x2x3xf32>, %w: tensor<2x4x3xf32>, %r: tensor<2x4x4xf32>) -> tensor<2x2x4xf32> {
  %y, %h = "onnx.RNN"(%x, %w, %r) {direction = "bidirectional", hidden_size = 4 : i64, weft.outputs = ["", "h"]} : (tensor<5x2x3xf32>, tensor<2x4x3xf32>, tensor<2x4x4xf32>) -> (none, tensor<2x2x4xf32>)
  return %h : tensor<2x2x4xf32>
}

// -----

// A sequence that has ended keeps its state.
// CHECK-LABEL: func.func @sequence_lens(
//       CHECK:   scf.for
//       CHECK:     weft.compare lt
//       CHECK:     weft.select
func.func @sequence_lens(%x: tensor<5x2x3xf32>, %w: tensor<1x12x3xf32>, %r: tensor<1x12x4xf32>, %lens: tensor<2xi32>) -> tensor<1x2x4xf32> {
  %none = "onnx.none"() : () -> none
  %y, %h = "onnx.GRU"(%x, %w, %r, %none, %lens) {hidden_size = 4 : i64, weft.outputs = ["", "h"]} : (tensor<5x2x3xf32>, tensor<1x12x3xf32>, tensor<1x12x4xf32>, none, tensor<2xi32>) -> (none, tensor<1x2x4xf32>)
  return %h : tensor<1x2x4xf32>
}
