// RUN: weft-opt %s --allow-unregistered-dialect -convert-onnx-to-weft -split-input-file -verify-diagnostics

func.func @wrong_mode(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %n = "onnx.none"() : () -> none
  %s = weft.constant dense<1.0> : tensor<2xf32>
  // expected-error @below {{'mode' is 'quadratic'}}
  %y = "onnx.Resize"(%x, %n, %s) {mode = "quadratic"} : (tensor<1x4xf32>, none, tensor<2xf32>) -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// -----

func.func @too_few_operands(%r: tensor<f32>, %t: tensor<i64>, %x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @below {{it has 3 inputs, wanted 2 and a multiple of 3}}
  %y = "onnx.training.Adagrad"(%r, %t, %x) : (tensor<f32>, tensor<i64>, tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

func.func @wrong_coefficients(%x: tensor<2x3xf32>) -> tensor<2x2xf32> {
  // expected-error @below {{'coefficients' has 5 elements, wanted a multiple of 2}}
  %y = "onnx.ml.LinearRegressor"(%x) {targets = 2 : i64, coefficients = array<f32: 1.0, 2.0, 3.0, 4.0, 5.0>} : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
