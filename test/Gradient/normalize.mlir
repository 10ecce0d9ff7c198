// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}softmax: formula, right
func.func @softmax(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x5xf64> {
  %y = weft.softmax %x axis 1 : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}softmax_leading: formula, right
func.func @softmax_leading(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x5xf64> {
  %y = weft.softmax %x axis 0 : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}softmax_within: formula, right
func.func @softmax_within(%x: tensor<2x4x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x4x3xf64> {
  %y = weft.softmax %x axis 1 : tensor<2x4x3xf64>
  return %y : tensor<2x4x3xf64>
}

//     CHECK: {{^}}softmax_symbolic: formula, right
func.func @softmax_symbolic(%x: tensor<?x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<?x5xf64> {
  %y = weft.softmax %x axis 1 : tensor<?x5xf64>
  return %y : tensor<?x5xf64>
}

//     CHECK: {{^}}layer: formula, right
func.func @layer(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x5xf64> {
  %y = weft.normalize %x axes [1] epsilon 1.0e-3 : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}layer_rms: formula, right
func.func @layer_rms(%x: tensor<3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x5xf64> {
  %y = weft.normalize %x axes [1] epsilon 1.0e-3 rms : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}two_axes: formula, right
func.func @two_axes(%x: tensor<2x3x4xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x3x4xf64> {
  %y = weft.normalize %x axes [1, 2] epsilon 1.0e-3 : tensor<2x3x4xf64>
  return %y : tensor<2x3x4xf64>
}

//     CHECK: {{^}}batch: formula, right
func.func @batch(%x: tensor<3x2x2x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x2x2x3xf64> {
  %y = weft.normalize %x axes [0, 2, 3] epsilon 1.0e-3 : tensor<3x2x2x3xf64>
  return %y : tensor<3x2x2x3xf64>
}

//     CHECK: {{^}}batch_rms: formula, right
func.func @batch_rms(%x: tensor<3x2x4xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x2x4xf64> {
  %y = weft.normalize %x axes [0, 2] epsilon 1.0e-3 rms : tensor<3x2x4xf64>
  return %y : tensor<3x2x4xf64>
}

//     CHECK: {{^}}instance: formula, right
func.func @instance(%x: tensor<2x2x3x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x2x3x3xf64> {
  %y = weft.normalize %x axes [2, 3] epsilon 1.0e-3 : tensor<2x2x3x3xf64>
  return %y : tensor<2x2x3x3xf64>
}

//     CHECK: {{^}}layer_symbolic: formula, right
func.func @layer_symbolic(%x: tensor<?x?xf64> {test.range = [-2.0, 2.0]}) -> tensor<?x?xf64> {
  %y = weft.normalize %x axes [1] epsilon 1.0e-3 : tensor<?x?xf64>
  return %y : tensor<?x?xf64>
}

//     CHECK: {{^}}batch_symbolic: formula, right
func.func @batch_symbolic(%x: tensor<?x2x4xf64> {test.range = [-2.0, 2.0]}) -> tensor<?x2x4xf64> {
  %y = weft.normalize %x axes [0, 2] epsilon 1.0e-3 : tensor<?x2x4xf64>
  return %y : tensor<?x2x4xf64>
}

//     CHECK: {{^}}far_from_zero: formula, right
func.func @far_from_zero(%x: tensor<3x5xf64> {test.range = [30.0, 33.0]}) -> tensor<3x5xf64> {
  %y = weft.normalize %x axes [1] epsilon 1.0e-5 : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
