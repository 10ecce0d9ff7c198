// RUN: weft-opt %s --weft-test-gradient -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}symbolic_batch: formula, right
func.func @symbolic_batch(%x: tensor<?x4x5x5xf64>, %w: tensor<6x2x3x3xf64>) -> tensor<?x6x3x3xf64> {
  %y = weft.conv %x, %w strides [2, 2] low [1, 1] high [1, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 2
      : tensor<?x4x5x5xf64>, tensor<6x2x3x3xf64> -> tensor<?x6x3x3xf64>
  return %y : tensor<?x6x3x3xf64>
}

//     CHECK: {{^}}symbolic_image: formula, right
func.func @symbolic_image(%x: tensor<2x3x?x?xf64> {test.shape = array<i64: 2, 3, 6, 5>}, %w: tensor<4x3x3x2xf64>) -> tensor<2x4x?x?xf64> {
  %y = weft.conv %x, %w strides [1, 1] low [1, 0] high [1, 1]
      input_dilation [1, 1] filter_dilation [2, 1] groups 1
      : tensor<2x3x?x?xf64>, tensor<4x3x3x2xf64> -> tensor<2x4x?x?xf64>
  return %y : tensor<2x4x?x?xf64>
}

//     CHECK: {{^}}symbolic_strided_5: formula, right
func.func @symbolic_strided_5(%x: tensor<1x2x?xf64> {test.shape = array<i64: 1, 2, 5>}, %w: tensor<3x2x3xf64>) -> tensor<1x3x?xf64> {
  %y = weft.conv %x, %w strides [3] low [1] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x2x?xf64>, tensor<3x2x3xf64> -> tensor<1x3x?xf64>
  return %y : tensor<1x3x?xf64>
}

//     CHECK: {{^}}symbolic_transposed_5: formula, right
func.func @symbolic_transposed_5(%x: tensor<1x2x?xf64> {test.shape = array<i64: 1, 2, 5>}, %w: tensor<3x2x3xf64>) -> tensor<1x3x?xf64> {
  %y = weft.conv %x, %w strides [3] low [1] high [2]
      input_dilation [2] filter_dilation [1] groups 1
      : tensor<1x2x?xf64>, tensor<3x2x3xf64> -> tensor<1x3x?xf64>
  return %y : tensor<1x3x?xf64>
}

//     CHECK: {{^}}symbolic_strided_6: formula, right
func.func @symbolic_strided_6(%x: tensor<1x2x?xf64> {test.shape = array<i64: 1, 2, 6>}, %w: tensor<3x2x3xf64>) -> tensor<1x3x?xf64> {
  %y = weft.conv %x, %w strides [3] low [1] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x2x?xf64>, tensor<3x2x3xf64> -> tensor<1x3x?xf64>
  return %y : tensor<1x3x?xf64>
}

//     CHECK: {{^}}symbolic_transposed_6: formula, right
func.func @symbolic_transposed_6(%x: tensor<1x2x?xf64> {test.shape = array<i64: 1, 2, 6>}, %w: tensor<3x2x3xf64>) -> tensor<1x3x?xf64> {
  %y = weft.conv %x, %w strides [3] low [1] high [2]
      input_dilation [2] filter_dilation [1] groups 1
      : tensor<1x2x?xf64>, tensor<3x2x3xf64> -> tensor<1x3x?xf64>
  return %y : tensor<1x3x?xf64>
}

//     CHECK: {{^}}symbolic_strided_7: formula, right
func.func @symbolic_strided_7(%x: tensor<1x2x?xf64> {test.shape = array<i64: 1, 2, 7>}, %w: tensor<3x2x3xf64>) -> tensor<1x3x?xf64> {
  %y = weft.conv %x, %w strides [3] low [1] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x2x?xf64>, tensor<3x2x3xf64> -> tensor<1x3x?xf64>
  return %y : tensor<1x3x?xf64>
}

//     CHECK: {{^}}symbolic_transposed_7: formula, right
func.func @symbolic_transposed_7(%x: tensor<1x2x?xf64> {test.shape = array<i64: 1, 2, 7>}, %w: tensor<3x2x3xf64>) -> tensor<1x3x?xf64> {
  %y = weft.conv %x, %w strides [3] low [1] high [2]
      input_dilation [2] filter_dilation [1] groups 1
      : tensor<1x2x?xf64>, tensor<3x2x3xf64> -> tensor<1x3x?xf64>
  return %y : tensor<1x3x?xf64>
}

//     CHECK: {{^}}symbolic_too_small: formula, right
func.func @symbolic_too_small(%x: tensor<1x2x?xf64> {test.shape = array<i64: 1, 2, 2>}, %w: tensor<3x2x4xf64>) -> tensor<1x3x?xf64> {
  %y = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x2x?xf64>, tensor<3x2x4xf64> -> tensor<1x3x?xf64>
  return %y : tensor<1x3x?xf64>
}

//     CHECK: {{^}}symbolic_channels: formula, right
func.func @symbolic_channels(%x: tensor<1x?x5xf64> {test.shape = array<i64: 1, 4, 5>}, %w: tensor<?x?x3xf64> {test.shape = array<i64: 6, 2, 3>}) -> tensor<1x?x3xf64> {
  %y = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 2
      : tensor<1x?x5xf64>, tensor<?x?x3xf64> -> tensor<1x?x3xf64>
  return %y : tensor<1x?x3xf64>
}
