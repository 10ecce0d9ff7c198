// RUN: weft-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @sizes_fold
//   CHECK-DAG:   %[[FIXED:.+]] = arith.constant 32 : index
//   CHECK-DAG:   %[[GIVEN:.+]] = arith.constant 48 : index
//   CHECK-DAG:   %[[NONE:.+]] = arith.constant 0 : index
//   CHECK-DAG:   %[[LIMIT:.+]] = arith.constant 281474976710656 : index
//       CHECK:   return %[[FIXED]], %[[GIVEN]], %[[NONE]], %[[LIMIT]]
func.func @sizes_fold() -> (index, index, index, index) {
  %c3 = arith.constant 3 : index
  %minus = arith.constant -3 : index
  %huge = arith.constant 9223372036854775807 : index
  %0 = host.size tensor<8xf32>
  %1 = host.size tensor<?x8xi16>(%c3)
  %2 = host.size tensor<?x8xi16>(%minus)
  %3 = host.size tensor<?x?xf32>(%huge, %c3)
  return %0, %1, %2, %3 : index, index, index, index
}

// A byte each, however narrow.
// CHECK-LABEL: func.func @narrow_elements
//       CHECK:   arith.constant 8 : index
func.func @narrow_elements() -> index {
  %0 = host.size tensor<8xi1>
  return %0 : index
}

// CHECK-LABEL: func.func @unused_memory
//  CHECK-NEXT:   return
func.func @unused_memory(%bytes: index) {
  %0 = host.alloc %bytes
  %1 = host.allocate %bytes
  return
}
