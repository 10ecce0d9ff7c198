// RUN: weft-opt %s -resolve-ranked-shaped-type-result-dims -canonicalize \
// RUN:   | FileCheck %s

// A dimension of one element less than the gaps between them; one without any
// has no gap either.
// CHECK-LABEL: func.func @pad_interior(
// CHECK-SAME:    %[[X:.+]]: tensor<?x4xf32>, %{{.+}}: tensor<f32>, %[[I:.+]]: index)
// CHECK-DAG:     %[[N:.+]] = tensor.dim %[[X]]
// CHECK-DAG:     %[[LESS:.+]] = arith.subi %[[N]], %c1
// CHECK-DAG:     %[[GAPS:.+]] = arith.maxsi %[[LESS]], %c0
// CHECK-DAG:     %[[BORDER:.+]] = arith.addi %[[N]], %c3
// CHECK-DAG:     %[[BETWEEN:.+]] = arith.muli %[[GAPS]], %c2
// CHECK-DAG:     %[[ROWS:.+]] = arith.addi %[[BORDER]], %[[BETWEEN]]
// CHECK-DAG:     %[[THREE:.+]] = arith.muli %[[I]], %c3
// CHECK-DAG:     %[[COLUMNS:.+]] = arith.addi %[[THREE]], %c4
// CHECK:         return %[[ROWS]], %[[COLUMNS]]
func.func @pad_interior(%x: tensor<?x4xf32>, %v: tensor<f32>, %i: index) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = weft.pad %x, %v low [1, 0] high [2, 0] interior [2, %i]
      : tensor<?x4xf32>, tensor<f32> to tensor<?x?xf32>
  %1 = tensor.dim %0, %c0 : tensor<?x?xf32>
  %2 = tensor.dim %0, %c1 : tensor<?x?xf32>
  return %1, %2 : index, index
}
