// RUN: weft-opt %s -resolve-ranked-shaped-type-result-dims -canonicalize \
// RUN:   | FileCheck %s

// CHECK-LABEL: func.func @reduce(
// CHECK-SAME:    %[[X:.+]]: tensor<2x?x4x?xf32>)
// CHECK-DAG:     %[[THREE:.+]] = arith.constant 3 : index
// CHECK:         %[[D:.+]] = tensor.dim %[[X]], %[[THREE]]
// CHECK:         return %[[D]]
func.func @reduce(%x: tensor<2x?x4x?xf32>) -> index {
  %c = arith.constant 1 : index
  %0 = weft.reduce sum %x axes [1, 2] : tensor<2x?x4x?xf32>
  %1 = tensor.dim %0, %c : tensor<2x?xf32>
  return %1 : index
}

// (d + 1 + 2 - 2 * (3 - 1) - 1) / 2 + 1 = d / 2
// CHECK-LABEL: func.func @window(
// CHECK-SAME:    %[[X:.+]]: tensor<?xf32>)
// CHECK-DAG:     %[[ZERO:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[TWO:.+]] = arith.constant 2 : index
// CHECK:         %[[D:.+]] = tensor.dim %[[X]], %[[ZERO]]
// CHECK:         %[[ROOM:.+]] = arith.maxsi %[[D]], %[[ZERO]]
// CHECK:         %[[SIZE:.+]] = arith.divui %[[ROOM]], %[[TWO]]
// CHECK:         return %[[SIZE]]
func.func @window(%x: tensor<?xf32>) -> index {
  %c = arith.constant 0 : index
  %0 = weft.reduce_window max %x window [3] strides [2] low [1] high [2]
      dilations [2] : tensor<?xf32>
  %1 = tensor.dim %0, %c : tensor<?xf32>
  return %1 : index
}

// Batch sizes come first, then the others of lhs, then those of rhs.
// CHECK-LABEL: func.func @contract(
// CHECK-SAME:    %[[A:.+]]: tensor<?x?x?xf32>, %[[B:.+]]: tensor<?x?x?xf32>)
// CHECK-DAG:     %[[ZERO:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[ONE:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[TWO:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[BATCH:.+]] = tensor.dim %[[A]], %[[TWO]]
// CHECK-DAG:     %[[M:.+]] = tensor.dim %[[A]], %[[ZERO]]
// CHECK-DAG:     %[[N:.+]] = tensor.dim %[[B]], %[[ONE]]
// CHECK:         return %[[BATCH]], %[[M]], %[[N]]
func.func @contract(%a: tensor<?x?x?xf32>, %b: tensor<?x?x?xf32>)
    -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %0 = weft.contract %a, %b batch [2] x [0] contract [1] x [2]
      : tensor<?x?x?xf32>, tensor<?x?x?xf32> -> tensor<?x?x?xf32>
  %1 = tensor.dim %0, %c0 : tensor<?x?x?xf32>
  %2 = tensor.dim %0, %c1 : tensor<?x?x?xf32>
  %3 = tensor.dim %0, %c2 : tensor<?x?x?xf32>
  return %1, %2, %3 : index, index, index
}

// (((d - 1) * 2 + 1) + 2 + 2 - (3 - 1) - 1) / 1 + 1
// CHECK-LABEL: func.func @conv(
// CHECK-SAME:    %[[X:.+]]: tensor<1x1x?xf32>
// CHECK-DAG:     %[[TWO:.+]] = arith.constant 2 : index
// CHECK:         %[[D:.+]] = tensor.dim %[[X]], %[[TWO]]
// CHECK:         arith.muli %{{.+}}, %[[TWO]]
// CHECK:         return
func.func @conv(%x: tensor<1x1x?xf32>, %w: tensor<1x1x3xf32>) -> index {
  %c = arith.constant 2 : index
  %0 = weft.conv %x, %w strides [1] low [2] high [2] input_dilation [2]
      filter_dilation [1] groups 1
      : tensor<1x1x?xf32>, tensor<1x1x3xf32> -> tensor<1x1x?xf32>
  %1 = tensor.dim %0, %c : tensor<1x1x?xf32>
  return %1 : index
}

// Known sizes need no code: (8 + 1 + 1 - 2) / 2 + 1 = 5
// CHECK-LABEL: func.func @static_sizes(
// CHECK:         %[[FIVE:.+]] = arith.constant 5 : index
// CHECK:         return %[[FIVE]]
func.func @static_sizes(%x: tensor<1x?x8xf32>, %w: tensor<4x?x2xf32>)
    -> index {
  %c = arith.constant 2 : index
  %0 = weft.conv %x, %w strides [2] low [1] high [1] input_dilation [1]
      filter_dilation [1] groups 1
      : tensor<1x?x8xf32>, tensor<4x?x2xf32> -> tensor<1x4x?xf32>
  %1 = tensor.dim %0, %c : tensor<1x4x?xf32>
  return %1 : index
}

// CHECK-LABEL: func.func @same_shape(
// CHECK-SAME:    %[[X:.+]]: tensor<?x4xf32>)
// CHECK:         %[[D:.+]] = tensor.dim %[[X]]
// CHECK:         return %[[D]]
func.func @same_shape(%x: tensor<?x4xf32>) -> index {
  %c = arith.constant 0 : index
  %0 = weft.softmax %x axis 1 : tensor<?x4xf32>
  %1 = weft.normalize %0 axes [1] epsilon 1.0e-5 : tensor<?x4xf32>
  %2 = weft.cumulative sum %1 axis 1 : tensor<?x4xf32>
  %3 = tensor.dim %2, %c : tensor<?x4xf32>
  return %3 : index
}

// CHECK-LABEL: func.func @det(
// CHECK-SAME:    %[[X:.+]]: tensor<?x3x3xf32>)
// CHECK:         %[[D:.+]] = tensor.dim %[[X]]
// CHECK:         return %[[D]]
func.func @det(%x: tensor<?x3x3xf32>) -> index {
  %c = arith.constant 0 : index
  %0, %1 = weft.det %x : tensor<?x3x3xf32>
  %2 = tensor.dim %0, %c : tensor<?xf32>
  return %2 : index
}
