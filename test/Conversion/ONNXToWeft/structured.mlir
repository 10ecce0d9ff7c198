// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @reduce_mean(
//       CHECK:   %[[S:.+]] = weft.reduce sum %{{.+}} axes [1]
//       CHECK:   weft.reshape %[[S]] : tensor<2xf32> to tensor<2x1xf32>
//       CHECK:   weft.div
func.func @reduce_mean(%x: tensor<2x8xf32>) -> tensor<2x1xf32> {
  %axes = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %y = onnx.ReduceMean(%x, %axes) : (tensor<2x8xf32>, tensor<1xi64>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// -----

// Each axis is reduced or not, as is known at run time.
// CHECK-LABEL: func.func @reduce_runtime_axes(
// CHECK-COUNT-2: scf.if
func.func @reduce_runtime_axes(%x: tensor<2x8xf32>, %axes: tensor<1xi64>) -> tensor<?x?xf32> {
  %y = onnx.ReduceSum(%x, %axes) : (tensor<2x8xf32>, tensor<1xi64>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: func.func @gemm(
//       CHECK:   weft.contract %{{.+}}, %{{.+}} batch [] x [] contract [1] x [1]
//       CHECK:   weft.add
func.func @gemm(%a: tensor<4x8xf32>, %b: tensor<16x8xf32>, %c: tensor<16xf32>) -> tensor<4x16xf32> {
  %y = onnx.Gemm(%a, %b, %c) {transB = 1 : i64} : (tensor<4x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}

// -----

// CHECK-LABEL: func.func @einsum(
//       CHECK:   weft.contract %{{.+}}, %{{.+}} batch [0] x [0] contract [2] x [1]
func.func @einsum(%a: tensor<2x3x4xf32>, %b: tensor<2x4x5xf32>) -> tensor<2x3x5xf32> {
  %y = onnx.Einsum(%a, %b) {equation = "bij,bjk->bik"} : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}

// -----

// CHECK-LABEL: func.func @conv_same(
//       CHECK:   weft.conv %{{.+}}, %{{.+}} strides [2, 2] low [0, 0] high [1, 1]
func.func @conv_same(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<1x4x4x4xf32> {
  %y = onnx.Conv(%x, %w) {auto_pad = "SAME_UPPER", strides = array<i64: 2, 2>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<1x4x4x4xf32>
  return %y : tensor<1x4x4x4xf32>
}

// -----

// CHECK-LABEL: func.func @conv_transpose(
//       CHECK:   weft.slice %{{.+}} [0, 0, 2] [3, 4, 3] [1, 1, -1]
//       CHECK:   weft.conv %{{.+}}, %{{.+}} strides [1] low [2] high [3] input_dilation [2]
func.func @conv_transpose(%x: tensor<1x3x8xf32>, %w: tensor<3x4x3xf32>) -> tensor<1x4x18xf32> {
  %y = onnx.ConvTranspose(%x, %w) {strides = array<i64: 2>, output_padding = array<i64: 1>} : (tensor<1x3x8xf32>, tensor<3x4x3xf32>) -> tensor<1x4x18xf32>
  return %y : tensor<1x4x18xf32>
}

// -----

// CHECK-LABEL: func.func @max_pool_ceil(
//       CHECK:   weft.reduce_window max %{{.+}} window [1, 1, 3] strides [1, 1, 2] low [0, 0, 0] high [0, 0, 1]
func.func @max_pool_ceil(%x: tensor<1x1x4xf32>) -> tensor<1x1x2xf32> {
  %y = onnx.MaxPool(%x) {ceil_mode = 1 : i64, kernel_shape = array<i64: 3>, strides = array<i64: 2>} : (tensor<1x1x4xf32>) -> tensor<1x1x2xf32>
  return %y : tensor<1x1x2xf32>
}

// -----

// Statistics that are constant are one factor and one shift.
// CHECK-LABEL: func.func @batch_norm(
//       CHECK:   weft.constant dense<2.000000e+00> : tensor<3xf32>
//   CHECK-NOT:   weft.sqrt
//       CHECK:   weft.mul
//       CHECK:   weft.add
func.func @batch_norm(%x: tensor<1x3x4xf32>) -> tensor<1x3x4xf32> {
  %one = onnx.Constant() {value = dense<1.0> : tensor<3xf32>} : () -> tensor<3xf32>
  %two = onnx.Constant() {value = dense<2.0> : tensor<3xf32>} : () -> tensor<3xf32>
  %y = onnx.BatchNormalization(%x, %two, %one, %one, %one) {epsilon = 0.0 : f32} : (tensor<1x3x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x3x4xf32>
  return %y : tensor<1x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @layer_norm(
//       CHECK:   weft.normalize %{{.+}} axes [1]
//       CHECK:   weft.mul
//       CHECK:   weft.add
func.func @layer_norm(%x: tensor<2x8xf32>, %s: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<2x8xf32> {
  %y = onnx.LayerNormalization(%x, %s, %b) : (tensor<2x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<2x8xf32>
  return %y : tensor<2x8xf32>
}
