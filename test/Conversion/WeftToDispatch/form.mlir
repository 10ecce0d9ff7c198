// RUN: weft-opt %s -dispatch-form | FileCheck %s

// Elementwise ops and the index map that they read through become one kernel.
// CHECK-LABEL: func.func @chain(
//  CHECK-SAME:     %[[X:.+]]: tensor<?x8xf32>, %[[B:.+]]: tensor<8xf32>)
//       CHECK:   %[[N:.+]] = tensor.dim %[[X]]
//       CHECK:   dispatch.region ins(%[[X]], %[[B]] : {{.+}}) scalars(%[[N]]) sizes(
//       CHECK:     weft.broadcast
//       CHECK:     weft.add
//       CHECK:     weft.tanh
//       CHECK:     dispatch.yield
//   CHECK-NOT:   dispatch.region
func.func @chain(%x: tensor<?x8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %0 = weft.broadcast %b dims [1] sizes(%n) : tensor<8xf32> to tensor<?x8xf32>
  %1 = weft.add %x, %0 : tensor<?x8xf32>
  %2 = weft.tanh %1 : tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// What follows a product is computed with it.
// CHECK-LABEL: func.func @epilogue(
//       CHECK:   dispatch.region
//       CHECK:     %[[P:.+]] = weft.contract
//       CHECK:     %[[S:.+]] = weft.add %[[P]]
//       CHECK:     dispatch.yield %[[S]]
func.func @epilogue(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<4x8xf32>, tensor<8x16xf32> -> tensor<4x16xf32>
  %1 = weft.add %0, %c : tensor<4x16xf32>
  return %1 : tensor<4x16xf32>
}

// A product of a product is not.
// CHECK-LABEL: func.func @two_products(
//       CHECK:   %[[FIRST:.+]] = dispatch.region
//       CHECK:   dispatch.region ins(%[[FIRST]]
func.func @two_products(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = weft.contract %a, %a batch [] x [] contract [1] x [0] : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %1 = weft.contract %0, %a batch [] x [] contract [1] x [0] : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}

// Reshapes are other names for memory and stay outside.
// CHECK-LABEL: func.func @views(
//       CHECK:   %[[IN:.+]] = weft.reshape
//       CHECK:   %[[OUT:.+]] = dispatch.region ins(%[[IN]]
//       CHECK:     weft.neg
//       CHECK:   weft.reshape %[[OUT]]
func.func @views(%x: tensor<4x4xf32>) -> tensor<2x8xf32> {
  %0 = weft.reshape %x : tensor<4x4xf32> to tensor<16xf32>
  %1 = weft.neg %0 : tensor<16xf32>
  %2 = weft.reshape %1 : tensor<16xf32> to tensor<2x8xf32>
  return %2 : tensor<2x8xf32>
}

// What a scatter reads is computed within it, and is no result of the region.
// CHECK-LABEL: func.func @before_scatter(
//       CHECK:   %[[Y:.+]] = dispatch.region ins(%{{.+}}) -> tensor<8xf32>
//       CHECK:     weft.neg
//       CHECK:     %[[S:.+]] = weft.scatter_nd
//       CHECK:     dispatch.yield %[[S]] : tensor<8xf32>
//       CHECK:   return %[[Y]]
func.func @before_scatter(%x: tensor<8xf32>, %i: tensor<4x1xi64>, %u: tensor<4xf32>) -> tensor<8xf32> {
  %0 = weft.neg %u : tensor<4xf32>
  %1 = weft.scatter_nd add %x, %i, %0 : tensor<8xf32>, tensor<4x1xi64>, tensor<4xf32>
  return %1 : tensor<8xf32>
}

// A reduction of what the first one's rows become is one more sweep over them.
// CHECK-LABEL: func.func @sweeps(
// CHECK:         dispatch.region
// CHECK:           weft.reduce
// CHECK:           weft.sub
// CHECK:           weft.reduce
// CHECK-NOT:     dispatch.region
// CHECK:         return
func.func @sweeps(%x: tensor<4x8xf32>) -> tensor<4xf32> {
  %sum = weft.reduce sum %x axes [1] : tensor<4x8xf32>
  %wide = weft.broadcast %sum dims [0] : tensor<4xf32> to tensor<4x8xf32>
  %distance = weft.sub %x, %wide : tensor<4x8xf32>
  %squares = weft.mul %distance, %distance : tensor<4x8xf32>
  %y = weft.reduce sum %squares axes [1] : tensor<4x8xf32>
  return %y : tensor<4xf32>
}

// Along other axes it is not.
// CHECK-LABEL: func.func @other_axes(
// CHECK:         dispatch.region
// CHECK:           weft.reduce
// CHECK:         dispatch.region
// CHECK:           weft.reduce
func.func @other_axes(%x: tensor<4x4xf32>) -> tensor<4xf32> {
  %sum = weft.reduce sum %x axes [1] : tensor<4x4xf32>
  %wide = weft.broadcast %sum dims [0] : tensor<4xf32> to tensor<4x4xf32>
  %distance = weft.sub %x, %wide : tensor<4x4xf32>
  %y = weft.reduce sum %distance axes [0] : tensor<4x4xf32>
  return %y : tensor<4xf32>
}

// A chain that only what follows a product reads is computed there, and so is
// one of the size of what a reduction gives. What the product itself reads is
// not: it would be computed again for each of its elements' uses.
// CHECK-LABEL: func.func @chains_of_followers(
//  CHECK-SAME:     %[[A:.+]]: tensor<4x8xf32>, %[[B:.+]]: tensor<8x16xf32>, %[[C:.+]]: tensor<4x16xf32>, %[[D:.+]]: tensor<16xf32>)
//       CHECK:   %[[NEG:.+]] = dispatch.region ins(%[[A]] : tensor<4x8xf32>)
//       CHECK:   %[[P:.+]] = dispatch.region ins(%[[NEG]], %[[B]], %[[C]] :
//       CHECK:     weft.contract
//       CHECK:     weft.mul
//       CHECK:     weft.add
//       CHECK:   dispatch.region ins(%[[P]], %[[D]] :
//       CHECK:     weft.reduce
//       CHECK:     weft.abs
//   CHECK-NOT:   dispatch.region
//       CHECK:   return
func.func @chains_of_followers(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<4x16xf32>, %d: tensor<16xf32>) -> (tensor<4x16xf32>, tensor<16xf32>) {
  %square = weft.mul %c, %c : tensor<4x16xf32>
  %abs = weft.abs %d : tensor<16xf32>
  %neg = weft.neg %a : tensor<4x8xf32>
  %0 = weft.contract %neg, %b batch [] x [] contract [1] x [0] : tensor<4x8xf32>, tensor<8x16xf32> -> tensor<4x16xf32>
  %1 = weft.add %0, %square : tensor<4x16xf32>
  %2 = weft.reduce sum %1 axes [0] : tensor<4x16xf32>
  %3 = weft.add %2, %abs : tensor<16xf32>
  return %1, %3 : tensor<4x16xf32>, tensor<16xf32>
}
