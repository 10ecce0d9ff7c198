// RUN: weft-opt %s --weft-test-gradient -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

// Products that have zeros among their factors. As to second derivatives these
// count as constants, so that those are not right here.

// One at each place, and several at one.
//     CHECK: {{^}}one_zero_each: formula, right
func.func @one_zero_each(%x: tensor<3xf64>, %u: tensor<4xf64> {test.range = [0.0, 0.0]}) -> tensor<3xf64> {
  %i = weft.constant dense<[0, 2, 1, 1]> : tensor<4xi64>
  %y = weft.scatter_elements mul %x, %i, %u axis 0
      : tensor<3xf64>, tensor<4xi64>, tensor<4xf64>
  return %y : tensor<3xf64>
}

//     CHECK: {{^}}zeros_and_others: formula, right
func.func @zeros_and_others(%x: tensor<3xf64>, %v: tensor<2xf64>) -> tensor<3xf64> {
  %i = weft.constant dense<[0, 1, 0, 0]> : tensor<4xi64>
  %z = weft.constant dense<0.0> : tensor<2xf64>
  %u = weft.concat %z, %v axis 0 : (tensor<2xf64>, tensor<2xf64>) -> tensor<4xf64>
  %y = weft.scatter_elements mul %x, %i, %u axis 0
      : tensor<3xf64>, tensor<4xi64>, tensor<4xf64>
  return %y : tensor<3xf64>
}

// A zero takes part in all products after it.
//     CHECK: {{^}}zeros: formula, right
func.func @zeros(%a: tensor<4x2xf64>, %z: tensor<4x1xf64> {test.range = [0.0, 0.0]},
            %b: tensor<4x2xf64>) -> tensor<4x5xf64> {
  %x = weft.concat %a, %z, %b axis 1
      : (tensor<4x2xf64>, tensor<4x1xf64>, tensor<4x2xf64>) -> tensor<4x5xf64>
  %y = weft.cumulative prod %x axis 1 : tensor<4x5xf64>
  return %y : tensor<4x5xf64>
}

//     CHECK: {{^}}zeros_exclusive: formula, right
func.func @zeros_exclusive(%a: tensor<4x2xf64>, %z: tensor<4x1xf64> {test.range = [0.0, 0.0]},
            %b: tensor<4x2xf64>) -> tensor<4x5xf64> {
  %x = weft.concat %a, %z, %b axis 1
      : (tensor<4x2xf64>, tensor<4x1xf64>, tensor<4x2xf64>) -> tensor<4x5xf64>
  %y = weft.cumulative prod %x axis 1 exclusive : tensor<4x5xf64>
  return %y : tensor<4x5xf64>
}

//     CHECK: {{^}}zeros_reverse: formula, right
func.func @zeros_reverse(%a: tensor<4x2xf64>, %z: tensor<4x1xf64> {test.range = [0.0, 0.0]},
            %b: tensor<4x2xf64>) -> tensor<4x5xf64> {
  %x = weft.concat %a, %z, %b axis 1
      : (tensor<4x2xf64>, tensor<4x1xf64>, tensor<4x2xf64>) -> tensor<4x5xf64>
  %y = weft.cumulative prod %x axis 1 reverse : tensor<4x5xf64>
  return %y : tensor<4x5xf64>
}

//     CHECK: {{^}}zeros_exclusive_reverse: formula, right
func.func @zeros_exclusive_reverse(%a: tensor<4x2xf64>, %z: tensor<4x1xf64> {test.range = [0.0, 0.0]},
            %b: tensor<4x2xf64>) -> tensor<4x5xf64> {
  %x = weft.concat %a, %z, %b axis 1
      : (tensor<4x2xf64>, tensor<4x1xf64>, tensor<4x2xf64>) -> tensor<4x5xf64>
  %y = weft.cumulative prod %x axis 1 exclusive reverse : tensor<4x5xf64>
  return %y : tensor<4x5xf64>
}

//     CHECK: {{^}}all_zeros: formula, right
func.func @all_zeros(%x: tensor<4x3xf64> {test.range = [0.0, 0.0]}) -> tensor<4x3xf64> {
  %y = weft.cumulative prod %x axis 1 : tensor<4x3xf64>
  return %y : tensor<4x3xf64>
}
