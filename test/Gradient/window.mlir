// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}sum_pairs: formula, right
func.func @sum_pairs(%x: tensor<2x8xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x4xf64> {
  %y = weft.reduce_window sum %x window [1, 2] strides [1, 2]
      low [0, 0] high [0, 0] dilations [1, 1] : tensor<2x8xf64>
  return %y : tensor<2x4xf64>
}

//     CHECK: {{^}}sum_unused_row: formula, right
func.func @sum_unused_row(%x: tensor<1x1x7x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<1x1x3x2xf64> {
  %y = weft.reduce_window sum %x window [1, 1, 2, 2] strides [1, 1, 2, 2]
      low [0, 0, 0, 0] high [0, 0, 0, 0] dilations [1, 1, 1, 1] : tensor<1x1x7x5xf64>
  return %y : tensor<1x1x3x2xf64>
}

//     CHECK: {{^}}sum_overlapping: formula, right
func.func @sum_overlapping(%x: tensor<1x2x6x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<1x2x3x5xf64> {
  %y = weft.reduce_window sum %x window [1, 1, 3, 3] strides [1, 1, 2, 1]
      low [0, 0, 1, 1] high [0, 0, 1, 1] dilations [1, 1, 1, 1] : tensor<1x2x6x5xf64>
  return %y : tensor<1x2x3x5xf64>
}

//     CHECK: {{^}}sum_gaps: formula, right
func.func @sum_gaps(%x: tensor<2x9xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x2xf64> {
  %y = weft.reduce_window sum %x window [1, 2] strides [1, 4]
      low [0, 0] high [0, 0] dilations [1, 1] : tensor<2x9xf64>
  return %y : tensor<2x2xf64>
}

//     CHECK: {{^}}sum_dilated: formula, right
func.func @sum_dilated(%x: tensor<1x9xf64> {test.range = [-2.0, 2.0]}) -> tensor<1x9xf64> {
  %y = weft.reduce_window sum %x window [1, 3] strides [1, 1]
      low [0, 2] high [0, 2] dilations [1, 2] : tensor<1x9xf64>
  return %y : tensor<1x9xf64>
}

//     CHECK: {{^}}sum_dilated_strided: formula, right
func.func @sum_dilated_strided(%x: tensor<11xf64> {test.range = [-2.0, 2.0]}) -> tensor<4xf64> {
  %y = weft.reduce_window sum %x window [3] strides [3]
      low [1] high [2] dilations [2] : tensor<11xf64>
  return %y : tensor<4xf64>
}

//     CHECK: {{^}}sum_dilated_apart: formula, right
func.func @sum_dilated_apart(%x: tensor<12xf64> {test.range = [-2.0, 2.0]}) -> tensor<2xf64> {
  %y = weft.reduce_window sum %x window [2] strides [5]
      low [0] high [1] dilations [3] : tensor<12xf64>
  return %y : tensor<2xf64>
}

//     CHECK: {{^}}sum_asymmetric: formula, right
func.func @sum_asymmetric(%x: tensor<2x5x4xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x3x2xf64> {
  %y = weft.reduce_window sum %x window [1, 3, 2] strides [1, 2, 2]
      low [0, 2, 0] high [0, 0, 1] dilations [1, 1, 1] : tensor<2x5x4xf64>
  return %y : tensor<2x3x2xf64>
}

//     CHECK: {{^}}sum_batch_too: formula, right
func.func @sum_batch_too(%x: tensor<4x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x5xf64> {
  %y = weft.reduce_window sum %x window [2, 3] strides [2, 1]
      low [1, 0] high [0, 2] dilations [1, 1] : tensor<4x5xf64>
  return %y : tensor<2x5xf64>
}

//     CHECK: {{^}}sum_whole: formula, right
func.func @sum_whole(%x: tensor<2x3x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x1x1xf64> {
  %y = weft.reduce_window sum %x window [1, 3, 3] strides [1, 1, 1]
      low [0, 0, 0] high [0, 0, 0] dilations [1, 1, 1] : tensor<2x3x3xf64>
  return %y : tensor<2x1x1xf64>
}

//     CHECK: {{^}}sum_in_padding: formula, right
func.func @sum_in_padding(%x: tensor<2x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x4xf64> {
  %y = weft.reduce_window sum %x window [1, 2] strides [1, 2]
      low [0, 3] high [0, 2] dilations [1, 1] : tensor<2x3xf64>
  return %y : tensor<2x4xf64>
}

//     CHECK: {{^}}sum_symbolic: formula, right
func.func @sum_symbolic(%x: tensor<?x1x?xf64> {test.range = [-2.0, 2.0]}) -> tensor<?x1x?xf64> {
  %y = weft.reduce_window sum %x window [1, 1, 3] strides [1, 1, 1]
      low [0, 0, 1] high [0, 0, 1] dilations [1, 1, 1] : tensor<?x1x?xf64>
  return %y : tensor<?x1x?xf64>
}

//     CHECK: {{^}}max_pairs: formula, right
func.func @max_pairs(%x: tensor<2x8xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x4xf64> {
  %y = weft.reduce_window max %x window [1, 2] strides [1, 2]
      low [0, 0] high [0, 0] dilations [1, 1] : tensor<2x8xf64>
  return %y : tensor<2x4xf64>
}

//     CHECK: {{^}}max_unused_row: formula, right
func.func @max_unused_row(%x: tensor<1x1x7x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<1x1x3x2xf64> {
  %y = weft.reduce_window max %x window [1, 1, 2, 2] strides [1, 1, 2, 2]
      low [0, 0, 0, 0] high [0, 0, 0, 0] dilations [1, 1, 1, 1] : tensor<1x1x7x5xf64>
  return %y : tensor<1x1x3x2xf64>
}

//     CHECK: {{^}}max_overlapping: formula, right
func.func @max_overlapping(%x: tensor<1x2x6x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<1x2x3x5xf64> {
  %y = weft.reduce_window max %x window [1, 1, 3, 3] strides [1, 1, 2, 1]
      low [0, 0, 1, 1] high [0, 0, 1, 1] dilations [1, 1, 1, 1] : tensor<1x2x6x5xf64>
  return %y : tensor<1x2x3x5xf64>
}

//     CHECK: {{^}}max_gaps: formula, right
func.func @max_gaps(%x: tensor<2x9xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x2xf64> {
  %y = weft.reduce_window max %x window [1, 2] strides [1, 4]
      low [0, 0] high [0, 0] dilations [1, 1] : tensor<2x9xf64>
  return %y : tensor<2x2xf64>
}

//     CHECK: {{^}}max_dilated: formula, right
func.func @max_dilated(%x: tensor<1x9xf64> {test.range = [-2.0, 2.0]}) -> tensor<1x9xf64> {
  %y = weft.reduce_window max %x window [1, 3] strides [1, 1]
      low [0, 2] high [0, 2] dilations [1, 2] : tensor<1x9xf64>
  return %y : tensor<1x9xf64>
}

//     CHECK: {{^}}max_dilated_strided: formula, right
func.func @max_dilated_strided(%x: tensor<11xf64> {test.range = [-2.0, 2.0]}) -> tensor<4xf64> {
  %y = weft.reduce_window max %x window [3] strides [3]
      low [1] high [2] dilations [2] : tensor<11xf64>
  return %y : tensor<4xf64>
}

//     CHECK: {{^}}max_dilated_apart: formula, right
func.func @max_dilated_apart(%x: tensor<12xf64> {test.range = [-2.0, 2.0]}) -> tensor<2xf64> {
  %y = weft.reduce_window max %x window [2] strides [5]
      low [0] high [1] dilations [3] : tensor<12xf64>
  return %y : tensor<2xf64>
}

//     CHECK: {{^}}max_asymmetric: formula, right
func.func @max_asymmetric(%x: tensor<2x5x4xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x3x2xf64> {
  %y = weft.reduce_window max %x window [1, 3, 2] strides [1, 2, 2]
      low [0, 2, 0] high [0, 0, 1] dilations [1, 1, 1] : tensor<2x5x4xf64>
  return %y : tensor<2x3x2xf64>
}

//     CHECK: {{^}}max_batch_too: formula, right
func.func @max_batch_too(%x: tensor<4x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x5xf64> {
  %y = weft.reduce_window max %x window [2, 3] strides [2, 1]
      low [1, 0] high [0, 2] dilations [1, 1] : tensor<4x5xf64>
  return %y : tensor<2x5xf64>
}

//     CHECK: {{^}}max_whole: formula, right
func.func @max_whole(%x: tensor<2x3x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x1x1xf64> {
  %y = weft.reduce_window max %x window [1, 3, 3] strides [1, 1, 1]
      low [0, 0, 0] high [0, 0, 0] dilations [1, 1, 1] : tensor<2x3x3xf64>
  return %y : tensor<2x1x1xf64>
}

//     CHECK: {{^}}max_symbolic: formula, right
func.func @max_symbolic(%x: tensor<?x1x?xf64> {test.range = [-2.0, 2.0]}) -> tensor<?x1x?xf64> {
  %y = weft.reduce_window max %x window [1, 1, 3] strides [1, 1, 1]
      low [0, 0, 1] high [0, 0, 1] dilations [1, 1, 1] : tensor<?x1x?xf64>
  return %y : tensor<?x1x?xf64>
}

//     CHECK: {{^}}min_pairs: formula, right
func.func @min_pairs(%x: tensor<2x8xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x4xf64> {
  %y = weft.reduce_window min %x window [1, 2] strides [1, 2]
      low [0, 0] high [0, 0] dilations [1, 1] : tensor<2x8xf64>
  return %y : tensor<2x4xf64>
}

//     CHECK: {{^}}min_unused_row: formula, right
func.func @min_unused_row(%x: tensor<1x1x7x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<1x1x3x2xf64> {
  %y = weft.reduce_window min %x window [1, 1, 2, 2] strides [1, 1, 2, 2]
      low [0, 0, 0, 0] high [0, 0, 0, 0] dilations [1, 1, 1, 1] : tensor<1x1x7x5xf64>
  return %y : tensor<1x1x3x2xf64>
}

//     CHECK: {{^}}min_overlapping: formula, right
func.func @min_overlapping(%x: tensor<1x2x6x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<1x2x3x5xf64> {
  %y = weft.reduce_window min %x window [1, 1, 3, 3] strides [1, 1, 2, 1]
      low [0, 0, 1, 1] high [0, 0, 1, 1] dilations [1, 1, 1, 1] : tensor<1x2x6x5xf64>
  return %y : tensor<1x2x3x5xf64>
}

//     CHECK: {{^}}min_gaps: formula, right
func.func @min_gaps(%x: tensor<2x9xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x2xf64> {
  %y = weft.reduce_window min %x window [1, 2] strides [1, 4]
      low [0, 0] high [0, 0] dilations [1, 1] : tensor<2x9xf64>
  return %y : tensor<2x2xf64>
}

//     CHECK: {{^}}min_dilated: formula, right
func.func @min_dilated(%x: tensor<1x9xf64> {test.range = [-2.0, 2.0]}) -> tensor<1x9xf64> {
  %y = weft.reduce_window min %x window [1, 3] strides [1, 1]
      low [0, 2] high [0, 2] dilations [1, 2] : tensor<1x9xf64>
  return %y : tensor<1x9xf64>
}

//     CHECK: {{^}}min_dilated_strided: formula, right
func.func @min_dilated_strided(%x: tensor<11xf64> {test.range = [-2.0, 2.0]}) -> tensor<4xf64> {
  %y = weft.reduce_window min %x window [3] strides [3]
      low [1] high [2] dilations [2] : tensor<11xf64>
  return %y : tensor<4xf64>
}

//     CHECK: {{^}}min_dilated_apart: formula, right
func.func @min_dilated_apart(%x: tensor<12xf64> {test.range = [-2.0, 2.0]}) -> tensor<2xf64> {
  %y = weft.reduce_window min %x window [2] strides [5]
      low [0] high [1] dilations [3] : tensor<12xf64>
  return %y : tensor<2xf64>
}

//     CHECK: {{^}}min_asymmetric: formula, right
func.func @min_asymmetric(%x: tensor<2x5x4xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x3x2xf64> {
  %y = weft.reduce_window min %x window [1, 3, 2] strides [1, 2, 2]
      low [0, 2, 0] high [0, 0, 1] dilations [1, 1, 1] : tensor<2x5x4xf64>
  return %y : tensor<2x3x2xf64>
}

//     CHECK: {{^}}min_batch_too: formula, right
func.func @min_batch_too(%x: tensor<4x5xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x5xf64> {
  %y = weft.reduce_window min %x window [2, 3] strides [2, 1]
      low [1, 0] high [0, 2] dilations [1, 1] : tensor<4x5xf64>
  return %y : tensor<2x5xf64>
}

//     CHECK: {{^}}min_whole: formula, right
func.func @min_whole(%x: tensor<2x3x3xf64> {test.range = [-2.0, 2.0]}) -> tensor<2x1x1xf64> {
  %y = weft.reduce_window min %x window [1, 3, 3] strides [1, 1, 1]
      low [0, 0, 0] high [0, 0, 0] dilations [1, 1, 1] : tensor<2x3x3xf64>
  return %y : tensor<2x1x1xf64>
}

//     CHECK: {{^}}min_symbolic: formula, right
func.func @min_symbolic(%x: tensor<?x1x?xf64> {test.range = [-2.0, 2.0]}) -> tensor<?x1x?xf64> {
  %y = weft.reduce_window min %x window [1, 1, 3] strides [1, 1, 1]
      low [0, 0, 1] high [0, 0, 1] dilations [1, 1, 1] : tensor<?x1x?xf64>
  return %y : tensor<?x1x?xf64>
}
