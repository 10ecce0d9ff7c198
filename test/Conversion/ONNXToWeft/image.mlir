// RUN: weft-opt %s --allow-unregistered-dialect -convert-onnx-to-weft -split-input-file | FileCheck %s

// Indices are constants; nothing else is left of an axis that keeps its size.
// CHECK-LABEL: func.func @nearest(
//   CHECK-NOT:   weft.floor
//       CHECK:   %[[I:.+]] = weft.constant dense<[0, 0, 1, 1]> : tensor<4xi64>
//       CHECK:   weft.gather %{{.+}}, %[[I]] axis 3
//   CHECK-NOT:   weft.gather
func.func @nearest(%x: tensor<1x3x5x2xf32>) -> tensor<1x3x5x4xf32> {
  %n = "onnx.none"() : () -> none
  %s = weft.constant dense<[1.0, 1.0, 1.0, 2.0]> : tensor<4xf32>
  %y = "onnx.Resize"(%x, %n, %s) {mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"} : (tensor<1x3x5x2xf32>, none, tensor<4xf32>) -> tensor<1x3x5x4xf32>
  return %y : tensor<1x3x5x4xf32>
}

// -----

// CHECK-LABEL: func.func @linear(
//       CHECK:   weft.constant dense<[0, 0, 0, 1]> : tensor<4xi64>
//       CHECK:   weft.gather
//       CHECK:   weft.mul
//       CHECK:   weft.constant dense<[0, 1, 1, 1]> : tensor<4xi64>
//       CHECK:   weft.gather
//       CHECK:   weft.mul
//       CHECK:   weft.add
func.func @linear(%x: tensor<1x2xf32>) -> tensor<1x4xf32> {
  %n = "onnx.none"() : () -> none
  %s = weft.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %y = "onnx.Resize"(%x, %n, %s) {mode = "linear"} : (tensor<1x2xf32>, none, tensor<2xf32>) -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// -----

// What lies outside of the image reads as zero.
// CHECK-LABEL: func.func @grid_sample(
//       CHECK:   weft.gather_nd %{{.+}} batch_dims 1
//       CHECK:   weft.select
func.func @grid_sample(%x: tensor<1x2x4x4xf32>, %g: tensor<1x3x3x2xf32>) -> tensor<1x2x3x3xf32> {
  %y = "onnx.GridSample"(%x, %g) {mode = "nearest"} : (tensor<1x2x4x4xf32>, tensor<1x3x3x2xf32>) -> tensor<1x2x3x3xf32>
  return %y : tensor<1x2x3x3xf32>
}

// -----

// CHECK-LABEL: func.func @non_max_suppression(
//       CHECK:   scf.for
//       CHECK:     weft.arg_reduce max
//       CHECK:   %[[COUNT:.+]] = arith.index_cast
//       CHECK:   weft.nonzero %{{.+}} count
func.func @non_max_suppression(%b: tensor<1x6x4xf32>, %s: tensor<1x2x6xf32>) -> tensor<?x3xi64> {
  %m = weft.constant dense<3> : tensor<1xi64>
  %y = "onnx.NonMaxSuppression"(%b, %s, %m) : (tensor<1x6x4xf32>, tensor<1x2x6xf32>, tensor<1xi64>) -> tensor<?x3xi64>
  return %y : tensor<?x3xi64>
}
