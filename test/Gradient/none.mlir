// RUN: weft-opt %s --weft-test-gradient -o /dev/null | FileCheck %s

// What has no gradient says so.
// CHECK: arg_reduce: zero
func.func @arg_reduce(%x: tensor<3x5xf64>) -> tensor<3xi64> {
  %y = weft.arg_reduce max %x axis 1 : tensor<3x5xf64>
  return %y : tensor<3xi64>
}

// CHECK: iota: source
func.func @iota() -> tensor<5xf64> {
  %y = weft.iota axis 0 : tensor<5xf64>
  return %y : tensor<5xf64>
}
