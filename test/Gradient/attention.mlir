// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

// Of positive vectors all scores are much the same, and so is what is subtracted
// to get their gradients.

//     CHECK: {{^}}plain: formula, right
func.func @plain(%q: tensor<3x4xf64> {test.range = [-2.0, 2.0]}, %k: tensor<5x4xf64> {test.range = [-2.0, 2.0]}, %v: tensor<5x2xf64> {test.range = [-2.0, 2.0]}) -> tensor<3x2xf64> {
  %y, %l = weft.attention %q, %k, %v scale 0.6
      : tensor<3x4xf64>, tensor<5x4xf64>, tensor<5x2xf64> -> tensor<3x2xf64>, tensor<3xf64>
  return %y : tensor<3x2xf64>
}

//     CHECK: {{^}}batch: formula, right
func.func @batch(%q: tensor<2x3x4xf64> {test.range = [-2.0, 2.0]}, %k: tensor<2x5x4xf64> {test.range = [-2.0, 2.0]}, %v: tensor<2x5x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x3x3xf64> {
  %y, %l = weft.attention %q, %k, %v scale 0.6 zero_empty
      : tensor<2x3x4xf64>, tensor<2x5x4xf64>, tensor<2x5x3xf64> -> tensor<2x3x3xf64>, tensor<2x3xf64>
  return %y : tensor<2x3x3xf64>
}

// The bias's gradient is made of contractions.
//     CHECK: {{^}}bias: formula, right
func.func @bias(%q: tensor<2x3x4xf64> {test.range = [-2.0, 2.0]}, %k: tensor<2x5x4xf64> {test.range = [-2.0, 2.0]}, %v: tensor<2x5x3xf64> {test.range = [-2.0, 2.0]}, %b: tensor<2x3x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x3x3xf64> {
  %y, %l = weft.attention %q, %k, %v bias %b scale 0.6
      : tensor<2x3x4xf64>, tensor<2x5x4xf64>, tensor<2x5x3xf64>, tensor<2x3x5xf64> -> tensor<2x3x3xf64>, tensor<2x3xf64>
  return %y : tensor<2x3x3xf64>
}

// The logarithms have a gradient, too.
//     CHECK: {{^}}logarithm: formula, right
func.func @logarithm(%q: tensor<1x2x3x2xf64> {test.range = [-2.0, 2.0]}, %k: tensor<1x2x4x2xf64> {test.range = [-2.0, 2.0]}, %v: tensor<1x2x4x3xf64> {test.range = [-2.0, 2.0]}, %b: tensor<1x2x3x4xf64> {test.range = [-2.0, 2.0]}) -> (tensor<1x2x3x3xf64>, tensor<1x2x3xf64>) {
  %y, %l = weft.attention %q, %k, %v bias %b scale 0.6
      : tensor<1x2x3x2xf64>, tensor<1x2x4x2xf64>, tensor<1x2x4x3xf64>, tensor<1x2x3x4xf64> -> tensor<1x2x3x3xf64>, tensor<1x2x3xf64>
  return %y, %l : tensor<1x2x3x3xf64>, tensor<1x2x3xf64>
}

// Of 16 bits, these are vectors that are multiplied by matrix instructions.
//     CHECK: {{^}}matrices: formula, right
func.func @matrices(%q: tensor<2x5x24xf64> {test.range = [-1.0, 1.0]}, %k: tensor<2x19x24xf64> {test.range = [-1.0, 1.0]}, %v: tensor<2x19x16xf64> {test.range = [-1.0, 1.0]}) -> tensor<2x5x16xf64> {
  %y, %l = weft.attention %q, %k, %v scale 0.3
      : tensor<2x5x24xf64>, tensor<2x19x24xf64>, tensor<2x19x16xf64> -> tensor<2x5x16xf64>, tensor<2x5xf64>
  return %y : tensor<2x5x16xf64>
}
