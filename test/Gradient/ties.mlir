// RUN: weft-opt %s --weft-test-gradient -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG

// Two equal ones share evenly, as the difference over both sides has it.
//     CHECK: {{^}}max_tie: formula, right
func.func @max_tie(%x: tensor<3x2xf64> {test.range = [1.0, 1.0]}) -> tensor<3xf64> {
  %y = weft.reduce max %x axes [1] : tensor<3x2xf64>
  return %y : tensor<3xf64>
}

// Two equal ones share evenly, as the difference over both sides has it.
//     CHECK: {{^}}min_tie: formula, right
func.func @min_tie(%x: tensor<3x2xf64> {test.range = [1.0, 1.0]}) -> tensor<3xf64> {
  %y = weft.reduce min %x axes [1] : tensor<3x2xf64>
  return %y : tensor<3xf64>
}
