// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}plain: formula, right
func.func @plain(%x: tensor<2x3x5x6xf64>, %g: tensor<2x4x3x4xf64>) -> tensor<4x3x3x3xf64> {
  %w = weft.conv_filter %x, %g strides [1, 1] low [0, 0] high [0, 0]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<2x3x5x6xf64>, tensor<2x4x3x4xf64> -> tensor<4x3x3x3xf64>
  return %w : tensor<4x3x3x3xf64>
}

//     CHECK: {{^}}padded: formula, right
func.func @padded(%x: tensor<2x3x5x6xf64>, %g: tensor<2x4x5x6xf64>) -> tensor<4x3x3x3xf64> {
  %w = weft.conv_filter %x, %g strides [1, 1] low [1, 1] high [1, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<2x3x5x6xf64>, tensor<2x4x5x6xf64> -> tensor<4x3x3x3xf64>
  return %w : tensor<4x3x3x3xf64>
}

//     CHECK: {{^}}asymmetric: formula, right
func.func @asymmetric(%x: tensor<1x2x5x6xf64>, %g: tensor<1x3x5x6xf64>) -> tensor<3x2x3x2xf64> {
  %w = weft.conv_filter %x, %g strides [1, 1] low [2, 0] high [0, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<1x2x5x6xf64>, tensor<1x3x5x6xf64> -> tensor<3x2x3x2xf64>
  return %w : tensor<3x2x3x2xf64>
}

//     CHECK: {{^}}strided: formula, right
func.func @strided(%x: tensor<2x3x7x8xf64>, %g: tensor<2x2x4x4xf64>) -> tensor<2x3x3x3xf64> {
  %w = weft.conv_filter %x, %g strides [2, 2] low [1, 1] high [1, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<2x3x7x8xf64>, tensor<2x2x4x4xf64> -> tensor<2x3x3x3xf64>
  return %w : tensor<2x3x3x3xf64>
}

//     CHECK: {{^}}strided_unused_rows: formula, right
func.func @strided_unused_rows(%x: tensor<2x3x8x9xf64>, %g: tensor<2x2x3x2xf64>) -> tensor<2x3x3x2xf64> {
  %w = weft.conv_filter %x, %g strides [3, 4] low [1, 0] high [0, 0]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<2x3x8x9xf64>, tensor<2x2x3x2xf64> -> tensor<2x3x3x2xf64>
  return %w : tensor<2x3x3x2xf64>
}

//     CHECK: {{^}}strided_wide: formula, right
func.func @strided_wide(%x: tensor<1x2x9xf64>, %g: tensor<1x2x2xf64>) -> tensor<2x2x2xf64> {
  %w = weft.conv_filter %x, %g strides [4] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x2x9xf64>, tensor<1x2x2xf64> -> tensor<2x2x2xf64>
  return %w : tensor<2x2x2xf64>
}

//     CHECK: {{^}}more_padding_than_taps: formula, right
func.func @more_padding_than_taps(%x: tensor<1x2x4x4xf64>, %g: tensor<1x3x8x5xf64>) -> tensor<3x2x2x1xf64> {
  %w = weft.conv_filter %x, %g strides [1, 2] low [3, 2] high [2, 3]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<1x2x4x4xf64>, tensor<1x3x8x5xf64> -> tensor<3x2x2x1xf64>
  return %w : tensor<3x2x2x1xf64>
}

//     CHECK: {{^}}cropped: formula, right
func.func @cropped(%x: tensor<1x2x7x8xf64>, %g: tensor<1x3x3x3xf64>) -> tensor<3x2x2x3xf64> {
  %w = weft.conv_filter %x, %g strides [1, 2] low [-1, -2] high [-2, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<1x2x7x8xf64>, tensor<1x3x3x3xf64> -> tensor<3x2x2x3xf64>
  return %w : tensor<3x2x2x3xf64>
}

//     CHECK: {{^}}dilated: formula, right
func.func @dilated(%x: tensor<1x2x7x8xf64>, %g: tensor<1x3x6x8xf64>) -> tensor<3x2x3x2xf64> {
  %w = weft.conv_filter %x, %g strides [1, 1] low [2, 1] high [1, 2]
      input_dilation [1, 1] filter_dilation [2, 3] groups 1
      : tensor<1x2x7x8xf64>, tensor<1x3x6x8xf64> -> tensor<3x2x3x2xf64>
  return %w : tensor<3x2x3x2xf64>
}

//     CHECK: {{^}}dilated_strided: formula, right
func.func @dilated_strided(%x: tensor<1x2x9x10xf64>, %g: tensor<1x3x3x4xf64>) -> tensor<3x2x3x2xf64> {
  %w = weft.conv_filter %x, %g strides [2, 3] low [2, 1] high [1, 2]
      input_dilation [1, 1] filter_dilation [3, 2] groups 1
      : tensor<1x2x9x10xf64>, tensor<1x3x3x4xf64> -> tensor<3x2x3x2xf64>
  return %w : tensor<3x2x3x2xf64>
}

//     CHECK: {{^}}pointwise: formula, right
func.func @pointwise(%x: tensor<2x3x3x3xf64>, %g: tensor<2x4x3x3xf64>) -> tensor<4x3x1x1xf64> {
  %w = weft.conv_filter %x, %g strides [1, 1] low [0, 0] high [0, 0]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<2x3x3x3xf64>, tensor<2x4x3x3xf64> -> tensor<4x3x1x1xf64>
  return %w : tensor<4x3x1x1xf64>
}

//     CHECK: {{^}}pointwise_strided: formula, right
func.func @pointwise_strided(%x: tensor<2x3x5x4xf64>, %g: tensor<2x4x3x2xf64>) -> tensor<4x3x1x1xf64> {
  %w = weft.conv_filter %x, %g strides [2, 2] low [0, 0] high [0, 0]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<2x3x5x4xf64>, tensor<2x4x3x2xf64> -> tensor<4x3x1x1xf64>
  return %w : tensor<4x3x1x1xf64>
}

//     CHECK: {{^}}groups: formula, right
func.func @groups(%x: tensor<2x4x5x5xf64>, %g: tensor<2x6x5x3xf64>) -> tensor<6x2x3x3xf64> {
  %w = weft.conv_filter %x, %g strides [1, 2] low [1, 1] high [1, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 2
      : tensor<2x4x5x5xf64>, tensor<2x6x5x3xf64> -> tensor<6x2x3x3xf64>
  return %w : tensor<6x2x3x3xf64>
}

//     CHECK: {{^}}depthwise: formula, right
func.func @depthwise(%x: tensor<2x3x5x5xf64>, %g: tensor<2x3x3x5xf64>) -> tensor<3x1x3x3xf64> {
  %w = weft.conv_filter %x, %g strides [2, 1] low [1, 1] high [1, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 3
      : tensor<2x3x5x5xf64>, tensor<2x3x3x5xf64> -> tensor<3x1x3x3xf64>
  return %w : tensor<3x1x3x3xf64>
}

//     CHECK: {{^}}depthwise_twice: formula, right
func.func @depthwise_twice(%x: tensor<1x2x5x5xf64>, %g: tensor<1x4x6x5xf64>) -> tensor<4x1x2x3xf64> {
  %w = weft.conv_filter %x, %g strides [1, 1] low [1, 1] high [1, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 2
      : tensor<1x2x5x5xf64>, tensor<1x4x6x5xf64> -> tensor<4x1x2x3xf64>
  return %w : tensor<4x1x2x3xf64>
}

//     CHECK: {{^}}transposed: formula, right
func.func @transposed(%x: tensor<1x3x4x4xf64>, %g: tensor<1x2x9x9xf64>) -> tensor<2x3x3x3xf64> {
  %w = weft.conv_filter %x, %g strides [1, 1] low [2, 2] high [2, 2]
      input_dilation [2, 2] filter_dilation [1, 1] groups 1
      : tensor<1x3x4x4xf64>, tensor<1x2x9x9xf64> -> tensor<2x3x3x3xf64>
  return %w : tensor<2x3x3x3xf64>
}

//     CHECK: {{^}}transposed_output_padding: formula, right
func.func @transposed_output_padding(%x: tensor<1x2x3x4xf64>, %g: tensor<1x2x8x12xf64>) -> tensor<2x2x3x2xf64> {
  %w = weft.conv_filter %x, %g strides [1, 1] low [2, 1] high [3, 2]
      input_dilation [2, 3] filter_dilation [1, 1] groups 1
      : tensor<1x2x3x4xf64>, tensor<1x2x8x12xf64> -> tensor<2x2x3x2xf64>
  return %w : tensor<2x2x3x2xf64>
}

//     CHECK: {{^}}transposed_groups_dilated: formula, right
func.func @transposed_groups_dilated(%x: tensor<2x4x3x4xf64>, %g: tensor<2x2x3x9xf64>) -> tensor<2x2x3x2xf64> {
  %w = weft.conv_filter %x, %g strides [2, 1] low [2, 1] high [1, 2]
      input_dilation [3, 2] filter_dilation [2, 1] groups 2
      : tensor<2x4x3x4xf64>, tensor<2x2x3x9xf64> -> tensor<2x2x3x2xf64>
  return %w : tensor<2x2x3x2xf64>
}

//     CHECK: {{^}}one_dimension: formula, right
func.func @one_dimension(%x: tensor<2x3x9xf64>, %g: tensor<2x4x4xf64>) -> tensor<4x3x4xf64> {
  %w = weft.conv_filter %x, %g strides [2] low [1] high [1]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<2x3x9xf64>, tensor<2x4x4xf64> -> tensor<4x3x4xf64>
  return %w : tensor<4x3x4xf64>
}

//     CHECK: {{^}}three_dimensions: formula, right
func.func @three_dimensions(%x: tensor<1x2x3x4x3xf64>, %g: tensor<1x2x4x2x3xf64>) -> tensor<2x2x2x2x3xf64> {
  %w = weft.conv_filter %x, %g strides [1, 2, 1] low [1, 0, 1] high [1, 0, 1]
      input_dilation [1, 1, 1] filter_dilation [1, 1, 1] groups 1
      : tensor<1x2x3x4x3xf64>, tensor<1x2x4x2x3xf64> -> tensor<2x2x2x2x3xf64>
  return %w : tensor<2x2x2x2x3xf64>
}

//     CHECK: {{^}}no_dimension: formula, right
func.func @no_dimension(%x: tensor<2x3xf64>, %g: tensor<2x4xf64>) -> tensor<4x3xf64> {
  %w = weft.conv_filter %x, %g strides [] low [] high []
      input_dilation [] filter_dilation [] groups 1
      : tensor<2x3xf64>, tensor<2x4xf64> -> tensor<4x3xf64>
  return %w : tensor<4x3xf64>
}

//     CHECK: {{^}}no_positions: formula, right
func.func @no_positions(%x: tensor<1x2x2xf64>, %g: tensor<1x2x0xf64>) -> tensor<2x2x4xf64> {
  %w = weft.conv_filter %x, %g strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x2x2xf64>, tensor<1x2x0xf64> -> tensor<2x2x4xf64>
  return %w : tensor<2x2x4xf64>
}

//     CHECK: {{^}}begun: formula, right
func.func @begun(%x: tensor<2x2x5xf64>, %g: tensor<2x3x4xf64>, %c: tensor<3x2x2xf64>) -> tensor<3x2x2xf64> {
  %w = weft.conv_filter %x, %g init(%c : tensor<3x2x2xf64>) strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<2x2x5xf64>, tensor<2x3x4xf64> -> tensor<3x2x2xf64>
  return %w : tensor<3x2x2xf64>
}
