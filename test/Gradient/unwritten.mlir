// RUN: weft-opt %s --weft-test-gradient -split-input-file -verify-diagnostics -o /dev/null | FileCheck %s

// An op whose rule is not written says so, and asking for it is an error.
// CHECK: softmax: pending
func.func @softmax(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  // expected-error @below {{'weft.softmax' op has a gradient, but no rule for it yet}}
  %y = weft.softmax %x axis 1 : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

// -----

// CHECK: arg_reduce: zero
func.func @arg_reduce(%x: tensor<3x5xf64>) -> tensor<3xi64> {
  %y = weft.arg_reduce max %x axis 1 : tensor<3x5xf64>
  return %y : tensor<3xi64>
}

// -----

// CHECK: iota: source
func.func @iota() -> tensor<5xf64> {
  %y = weft.iota axis 0 : tensor<5xf64>
  return %y : tensor<5xf64>
}
