// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}det: formula, right
func.func @det(%x: tensor<3x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<f64> {
  %y, %lu = weft.det %x : tensor<3x3xf64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}det_batch: formula, right
func.func @det_batch(%x: tensor<2x4x4xf64> {test.range = [-2.0, 2.0]}) -> tensor<2xf64> {
  %y, %lu = weft.det %x : tensor<2x4x4xf64>
  return %y : tensor<2xf64>
}

//     CHECK: {{^}}det_one: formula, right
func.func @det_one(%x: tensor<1x1xf64> {test.range = [-2.0, 2.0]}) -> tensor<f64> {
  %y, %lu = weft.det %x : tensor<1x1xf64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}det_symbolic: formula, right
func.func @det_symbolic(%x: tensor<?x3x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<?xf64> {
  %y, %lu = weft.det %x : tensor<?x3x3xf64>
  return %y : tensor<?xf64>
}

//     CHECK: {{^}}inverse: formula, right
func.func @inverse(%x: tensor<3x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x3xf64> {
  %y, %room = weft.inverse %x : tensor<3x3xf64>
  return %y : tensor<3x3xf64>
}

//     CHECK: {{^}}inverse_batch: formula, right
func.func @inverse_batch(%x: tensor<2x2x2xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x2x2xf64> {
  %y, %room = weft.inverse %x : tensor<2x2x2xf64>
  return %y : tensor<2x2x2xf64>
}

//     CHECK: {{^}}inverse_one: formula, right
func.func @inverse_one(%x: tensor<3x1x1xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x1x1xf64> {
  %y, %room = weft.inverse %x : tensor<3x1x1xf64>
  return %y : tensor<3x1x1xf64>
}

//     CHECK: {{^}}inverse_symbolic: formula, right
func.func @inverse_symbolic(%x: tensor<?x2x2xf64> {test.range = [-2.0, 2.0]}) -> tensor<?x2x2xf64> {
  %y, %room = weft.inverse %x : tensor<?x2x2xf64>
  return %y : tensor<?x2x2xf64>
}
