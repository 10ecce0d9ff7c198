// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}sum: formula, right
func.func @sum(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3xf64> {
  %y = weft.reduce sum %x axes [1] : tensor<3x5xf64>
  return %y : tensor<3xf64>
}

//     CHECK: {{^}}sum_leading: formula, right
func.func @sum_leading(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<5xf64> {
  %y = weft.reduce sum %x axes [0] : tensor<3x5xf64>
  return %y : tensor<5xf64>
}

//     CHECK: {{^}}sum_all: formula, right
func.func @sum_all(%x: tensor<3x2x2xf64>) -> tensor<f64> {
  %y = weft.reduce sum %x axes [0, 1, 2] : tensor<3x2x2xf64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}sum_apart: formula, right
func.func @sum_apart(%x: tensor<2x3x2x4xf64>) -> tensor<3x4xf64> {
  %y = weft.reduce sum %x axes [0, 2] : tensor<2x3x2x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}sum_none: formula, right
func.func @sum_none(%x: tensor<3x4xf64>) -> tensor<3x4xf64> {
  %y = weft.reduce sum %x axes [] : tensor<3x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}sum_symbolic: formula, right
func.func @sum_symbolic(%x: tensor<?x4x?xf64>) -> tensor<4xf64> {
  %y = weft.reduce sum %x axes [0, 2] : tensor<?x4x?xf64>
  return %y : tensor<4xf64>
}

//     CHECK: {{^}}prod: formula, right
func.func @prod(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3xf64> {
  %y = weft.reduce prod %x axes [1] : tensor<3x5xf64>
  return %y : tensor<3xf64>
}

//     CHECK: {{^}}prod_leading: formula, right
func.func @prod_leading(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<5xf64> {
  %y = weft.reduce prod %x axes [0] : tensor<3x5xf64>
  return %y : tensor<5xf64>
}

//     CHECK: {{^}}prod_all: formula, right
func.func @prod_all(%x: tensor<3x2x2xf64>) -> tensor<f64> {
  %y = weft.reduce prod %x axes [0, 1, 2] : tensor<3x2x2xf64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}prod_apart: formula, right
func.func @prod_apart(%x: tensor<2x3x2x4xf64>) -> tensor<3x4xf64> {
  %y = weft.reduce prod %x axes [0, 2] : tensor<2x3x2x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}prod_none: formula, right
func.func @prod_none(%x: tensor<3x4xf64>) -> tensor<3x4xf64> {
  %y = weft.reduce prod %x axes [] : tensor<3x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}prod_symbolic: formula, right
func.func @prod_symbolic(%x: tensor<?x4x?xf64>) -> tensor<4xf64> {
  %y = weft.reduce prod %x axes [0, 2] : tensor<?x4x?xf64>
  return %y : tensor<4xf64>
}

//     CHECK: {{^}}max: formula, right
func.func @max(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3xf64> {
  %y = weft.reduce max %x axes [1] : tensor<3x5xf64>
  return %y : tensor<3xf64>
}

//     CHECK: {{^}}max_leading: formula, right
func.func @max_leading(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<5xf64> {
  %y = weft.reduce max %x axes [0] : tensor<3x5xf64>
  return %y : tensor<5xf64>
}

//     CHECK: {{^}}max_all: formula, right
func.func @max_all(%x: tensor<3x2x2xf64>) -> tensor<f64> {
  %y = weft.reduce max %x axes [0, 1, 2] : tensor<3x2x2xf64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}max_apart: formula, right
func.func @max_apart(%x: tensor<2x3x2x4xf64>) -> tensor<3x4xf64> {
  %y = weft.reduce max %x axes [0, 2] : tensor<2x3x2x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}max_none: formula, right
func.func @max_none(%x: tensor<3x4xf64>) -> tensor<3x4xf64> {
  %y = weft.reduce max %x axes [] : tensor<3x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}max_symbolic: formula, right
func.func @max_symbolic(%x: tensor<?x4x?xf64>) -> tensor<4xf64> {
  %y = weft.reduce max %x axes [0, 2] : tensor<?x4x?xf64>
  return %y : tensor<4xf64>
}

//     CHECK: {{^}}min: formula, right
func.func @min(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3xf64> {
  %y = weft.reduce min %x axes [1] : tensor<3x5xf64>
  return %y : tensor<3xf64>
}

//     CHECK: {{^}}min_leading: formula, right
func.func @min_leading(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<5xf64> {
  %y = weft.reduce min %x axes [0] : tensor<3x5xf64>
  return %y : tensor<5xf64>
}

//     CHECK: {{^}}min_all: formula, right
func.func @min_all(%x: tensor<3x2x2xf64>) -> tensor<f64> {
  %y = weft.reduce min %x axes [0, 1, 2] : tensor<3x2x2xf64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}min_apart: formula, right
func.func @min_apart(%x: tensor<2x3x2x4xf64>) -> tensor<3x4xf64> {
  %y = weft.reduce min %x axes [0, 2] : tensor<2x3x2x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}min_none: formula, right
func.func @min_none(%x: tensor<3x4xf64>) -> tensor<3x4xf64> {
  %y = weft.reduce min %x axes [] : tensor<3x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}min_symbolic: formula, right
func.func @min_symbolic(%x: tensor<?x4x?xf64>) -> tensor<4xf64> {
  %y = weft.reduce min %x axes [0, 2] : tensor<?x4x?xf64>
  return %y : tensor<4xf64>
}

//     CHECK: {{^}}sum_empty: formula, right
func.func @sum_empty(%x: tensor<0x4xf64>) -> tensor<4xf64> {
  %y = weft.reduce sum %x axes [0] : tensor<0x4xf64>
  return %y : tensor<4xf64>
}

//     CHECK: {{^}}prod_empty: formula, right
func.func @prod_empty(%x: tensor<0x4xf64>) -> tensor<4xf64> {
  %y = weft.reduce prod %x axes [0] : tensor<0x4xf64>
  return %y : tensor<4xf64>
}

// A zero leaves a gradient to itself, two leave none to each other.
//     CHECK: {{^}}prod_with_zeros: formula, right
func.func @prod_with_zeros(%x: tensor<3x3xf64>) -> tensor<3xf64> {
  %zeros = weft.constant dense<[[1.0, 0.0, 2.0], [0.0, 0.0, 1.0], [1.0, 3.0, 1.0]]> : tensor<3x3xf64>
  %z = weft.mul %x, %zeros : tensor<3x3xf64>
  %y = weft.reduce prod %z axes [1] : tensor<3x3xf64>
  return %y : tensor<3xf64>
}
