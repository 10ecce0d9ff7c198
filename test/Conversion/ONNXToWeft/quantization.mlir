// RUN: weft-opt %s --allow-unregistered-dialect -convert-onnx-to-weft -split-input-file | FileCheck %s

// The sum with the zero point is clamped as a float, before the conversion.
// CHECK-LABEL: func.func @quantize(
//       CHECK:   weft.div
//       CHECK:   weft.round
//       CHECK:   weft.add
//       CHECK:   weft.max
//       CHECK:   weft.min
//       CHECK:   weft.cast %{{.+}} saturate : tensor<2x3xf32> to tensor<2x3xui8>
func.func @quantize(%x: tensor<2x3xf32>, %s: tensor<f32>, %z: tensor<ui8>) -> tensor<2x3xui8> {
  %y = "onnx.QuantizeLinear"(%x, %s, %z) : (tensor<2x3xf32>, tensor<f32>, tensor<ui8>) -> tensor<2x3xui8>
  return %y : tensor<2x3xui8>
}

// -----

// One scale for each pair of columns; the last one is half used.
// CHECK-LABEL: func.func @dequantize_blocks(
//       CHECK:   weft.broadcast %{{.+}} to tensor<2x2x2xf32>
//       CHECK:   weft.slice %{{.+}} : tensor<2x4xf32> to tensor<2x3xf32>
//       CHECK:   weft.mul
func.func @dequantize_blocks(%x: tensor<2x3xi8>, %s: tensor<2x2xf32>) -> tensor<2x3xf32> {
  %y = "onnx.DequantizeLinear"(%x, %s) {axis = 1 : i64, block_size = 2 : i64} : (tensor<2x3xi8>, tensor<2x2xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @matmul_integer(
//       CHECK:   weft.contract %{{.+}} : tensor<4x3xi32>, tensor<3x2xi32> -> tensor<4x2xi32>
func.func @matmul_integer(%a: tensor<4x3xui8>, %b: tensor<3x2xi8>, %z: tensor<ui8>) -> tensor<4x2xi32> {
  %y = "onnx.MatMulInteger"(%a, %b, %z) : (tensor<4x3xui8>, tensor<3x2xi8>, tensor<ui8>) -> tensor<4x2xi32>
  return %y : tensor<4x2xi32>
}
