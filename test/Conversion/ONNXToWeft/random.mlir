// RUN: weft-opt %s --allow-unregistered-dialect -convert-onnx-to-weft -split-input-file | FileCheck %s

// In inference nothing is dropped.
// CHECK-LABEL: func.func @inference(
//  CHECK-SAME:     %[[X:.+]]: tensor<4xf32>
//       CHECK:   return %[[X]]
func.func @inference(%x: tensor<4xf32>) -> tensor<4xf32> {
  %n = "onnx.none"() : () -> none
  %y, %m = "onnx.Dropout"(%x) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi1>)
  return %y : tensor<4xf32>
}

// -----

// Nodes with equal seeds draw from different streams.
// CHECK-LABEL: func.func @streams(
//       CHECK:   weft.random_uniform %{{.+}} stream 0
//       CHECK:   weft.random_uniform %{{.+}} stream 1
func.func @streams(%x: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
  %a = "onnx.RandomUniformLike"(%x) {seed = 1.0 : f32} : (tensor<?xf32>) -> tensor<?xf32>
  %b = "onnx.RandomUniformLike"(%x) {seed = 1.0 : f32} : (tensor<?xf32>) -> tensor<?xf32>
  return %a, %b : tensor<?xf32>, tensor<?xf32>
}
