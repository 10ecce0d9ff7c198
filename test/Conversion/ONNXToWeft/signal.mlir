// RUN: weft-opt %s --allow-unregistered-dialect -convert-onnx-to-weft -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @real_onesided(
//       CHECK:   weft.contract %{{.+}} : tensor<1x8xf64>, tensor<8x5xf64> -> tensor<1x5xf64>
//       CHECK:   weft.contract %{{.+}} : tensor<1x8xf64>, tensor<8x5xf64> -> tensor<1x5xf64>
//       CHECK:   weft.concat
func.func @real_onesided(%x: tensor<1x8x1xf32>) -> tensor<1x5x2xf32> {
  %y = "onnx.DFT"(%x) {onesided = 1 : i64} : (tensor<1x8x1xf32>) -> tensor<1x5x2xf32>
  return %y : tensor<1x5x2xf32>
}

// -----

// CHECK-LABEL: func.func @hann(
//       CHECK:   weft.constant dense<[0.000000e+00, 5.000000e-01, 1.000000e+00, 5.000000e-01]> : tensor<4xf32>
func.func @hann() -> tensor<4xf32> {
  %n = weft.constant dense<4> : tensor<i64>
  %y = "onnx.HannWindow"(%n) : (tensor<i64>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
