// RUN: weft-opt %s -resolve-ranked-shaped-type-result-dims -canonicalize \
// RUN:   | FileCheck %s

// The dimensions of the indices replace the axis.
// CHECK-LABEL: func.func @gather(
// CHECK-SAME:    %[[X:.+]]: tensor<?x?x?xf32>, %[[I:.+]]: tensor<?x?xi64>)
// CHECK-DAG:     %[[ZERO:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[ONE:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[TWO:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[A:.+]] = tensor.dim %[[X]], %[[ZERO]]
// CHECK-DAG:     %[[B:.+]] = tensor.dim %[[I]], %[[ZERO]]
// CHECK-DAG:     %[[C:.+]] = tensor.dim %[[I]], %[[ONE]]
// CHECK-DAG:     %[[D:.+]] = tensor.dim %[[X]], %[[TWO]]
// CHECK:         return %[[A]], %[[B]], %[[C]], %[[D]]
func.func @gather(%x: tensor<?x?x?xf32>, %i: tensor<?x?xi64>)
    -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %0 = weft.gather %x, %i axis 1 : tensor<?x?x?xf32>, tensor<?x?xi64>
  %1 = tensor.dim %0, %c0 : tensor<?x?x?x?xf32>
  %2 = tensor.dim %0, %c1 : tensor<?x?x?x?xf32>
  %3 = tensor.dim %0, %c2 : tensor<?x?x?x?xf32>
  %4 = tensor.dim %0, %c3 : tensor<?x?x?x?xf32>
  return %1, %2, %3, %4 : index, index, index, index
}

// CHECK-LABEL: func.func @gather_nd(
// CHECK-SAME:    %[[X:.+]]: tensor<2x5x?xf32>, %[[I:.+]]: tensor<2x?x1xi64>)
// CHECK-DAG:     %[[ONE:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[TWO:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[A:.+]] = tensor.dim %[[I]], %[[ONE]]
// CHECK-DAG:     %[[B:.+]] = tensor.dim %[[X]], %[[TWO]]
// CHECK:         return %[[A]], %[[B]]
func.func @gather_nd(%x: tensor<2x5x?xf32>, %i: tensor<2x?x1xi64>)
    -> (index, index) {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %0 = weft.gather_nd %x, %i batch_dims 1 : tensor<2x5x?xf32>, tensor<2x?x1xi64>
  %1 = tensor.dim %0, %c1 : tensor<2x?x?xf32>
  %2 = tensor.dim %0, %c2 : tensor<2x?x?xf32>
  return %1, %2 : index, index
}

// CHECK-LABEL: func.func @gather_elements(
// CHECK-SAME:    %{{.+}}: tensor<3xf32>, %[[I:.+]]: tensor<?xi64>)
// CHECK:         %[[D:.+]] = tensor.dim %[[I]]
// CHECK:         return %[[D]]
func.func @gather_elements(%x: tensor<3xf32>, %i: tensor<?xi64>) -> index {
  %c = arith.constant 0 : index
  %0 = weft.gather_elements %x, %i axis 0 : tensor<3xf32>, tensor<?xi64>
  %1 = tensor.dim %0, %c : tensor<?xf32>
  return %1 : index
}

// CHECK-LABEL: func.func @scatter(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<?xf32>
// CHECK:         %[[D:.+]] = tensor.dim %[[X]]
// CHECK:         return %[[D]]
func.func @scatter(%x: tensor<?xf32>, %i: tensor<2xi64>, %n: tensor<2x1xi64>,
                   %u: tensor<2xf32>) -> index {
  %c = arith.constant 0 : index
  %0 = weft.scatter_elements set %x, %i, %u axis 0
      : tensor<?xf32>, tensor<2xi64>, tensor<2xf32>
  %1 = weft.scatter_nd set %0, %n, %u
      : tensor<?xf32>, tensor<2x1xi64>, tensor<2xf32>
  %2 = tensor.dim %1, %c : tensor<?xf32>
  return %2 : index
}

// CHECK-LABEL: func.func @given_sizes(
// CHECK-SAME:    %[[N:[^:]+]]: index
// CHECK:         return %[[N]], %[[N]], %[[N]]
func.func @given_sizes(%n: index, %s: tensor<i64>, %x: tensor<3x4xf32>)
    -> (index, index, index) {
  %c1 = arith.constant 1 : index
  %0 = weft.random_uniform %s stream 0 sizes(%n) : tensor<i64>, tensor<2x?xf32>
  %v, %i = weft.top_k %x axis 1 size %n
      : tensor<3x4xf32> to tensor<3x?xf32>, tensor<3x?xi64>
  %z = weft.nonzero %x count %n : tensor<3x4xf32> to tensor<2x?xi64>
  %1 = tensor.dim %0, %c1 : tensor<2x?xf32>
  %2 = tensor.dim %i, %c1 : tensor<3x?xi64>
  %3 = tensor.dim %z, %c1 : tensor<2x?xi64>
  return %1, %2, %3 : index, index, index
}
