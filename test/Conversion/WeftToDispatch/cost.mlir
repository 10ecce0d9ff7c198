// RUN: weft-opt %s --dispatch-form | FileCheck %s

// A softmax reads its input three times. A cheap chain is computed each time; a
// dear one is stored.

// CHECK-LABEL: func.func @cheap(
//       CHECK:   dispatch.region
//       CHECK:     weft.tanh
//       CHECK:     weft.softmax
//   CHECK-NOT:   dispatch.region
func.func @cheap(%x: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %0 = weft.tanh %x : tensor<8x64xf32>
  %1 = weft.softmax %0 axis 1 : tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @dear(
//       CHECK:   dispatch.region
//       CHECK:     weft.exp
//       CHECK:   dispatch.region
//       CHECK:     weft.softmax
func.func @dear(%x: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %0 = weft.tanh %x : tensor<8x64xf32>
  %1 = weft.sin %0 : tensor<8x64xf32>
  %2 = weft.exp %1 : tensor<8x64xf32>
  %3 = weft.softmax %2 axis 1 : tensor<8x64xf32>
  return %3 : tensor<8x64xf32>
}

// Read once, the same chain is computed where it is used.
// CHECK-LABEL: func.func @dear_once(
//       CHECK:   dispatch.region
//       CHECK:     weft.exp
//       CHECK:     weft.reduce
//   CHECK-NOT:   dispatch.region
func.func @dear_once(%x: tensor<8x64xf32>) -> tensor<8xf32> {
  %0 = weft.tanh %x : tensor<8x64xf32>
  %1 = weft.sin %0 : tensor<8x64xf32>
  %2 = weft.exp %1 : tensor<8x64xf32>
  %3 = weft.reduce sum %2 axes [1] : tensor<8x64xf32>
  return %3 : tensor<8xf32>
}
