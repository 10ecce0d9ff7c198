// RUN: weft-opt %s -dispatch-form | FileCheck %s

// A mask of what a product stores in any case is computed where it is read, and
// not stored.
// CHECK-LABEL: func.func @mask(
//       CHECK:   %[[Y:.+]] = dispatch.region {{.*}} -> tensor<8x8xf32> {
//       CHECK:     weft.contract
//   CHECK-NOT:     weft.compare
//       CHECK:   dispatch.region ins({{.*}}%[[Y]]
//       CHECK:     weft.contract
//       CHECK:     weft.compare
//       CHECK:     weft.select
//   CHECK-NOT:   dispatch.region
func.func @mask(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>, %zero: tensor<8x8xf32>)
    -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %y = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %c = weft.compare le %y, %zero : tensor<8x8xf32>
  %g = weft.contract %y, %b batch [] x [] contract [1] x [0]
      : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %r = weft.select %c, %zero, %g : tensor<8x8xi1>, tensor<8x8xf32>
  return %y, %r : tensor<8x8xf32>, tensor<8x8xf32>
}

// What the product does not store for others stays where it is.
// CHECK-LABEL: func.func @not_stored(
//       CHECK:   dispatch.region
//       CHECK:     weft.contract
//       CHECK:     weft.tanh
//       CHECK:     dispatch.yield
//       CHECK:   dispatch.region
func.func @not_stored(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>) -> tensor<8xf32> {
  %y = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %t = weft.tanh %y : tensor<8x8xf32>
  %r = weft.reduce sum %t axes [0] : tensor<8x8xf32>
  return %r : tensor<8xf32>
}

// Two sums of rows of one tensor, the second of which needs the first, and what
// is made of both, as in the gradient of a normalisation.
// CHECK-LABEL: func.func @rows(
//       CHECK:   dispatch.region
//       CHECK:     weft.contract
//       CHECK:   dispatch.region
//       CHECK:     weft.reduce sum
//       CHECK:     weft.reduce sum
//       CHECK:     weft.sub
//   CHECK-NOT:   dispatch.region
func.func @rows(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>, %x: tensor<8x8xf32>)
    -> (tensor<8xf32>, tensor<8xf32>, tensor<8x8xf32>) {
  %g = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %p = weft.mul %g, %x : tensor<8x8xf32>
  %s = weft.reduce sum %p axes [1] : tensor<8x8xf32>
  %t = weft.reduce sum %g axes [1] : tensor<8x8xf32>
  %m = weft.mul %s, %t : tensor<8xf32>
  %w = weft.broadcast %m dims [0] : tensor<8xf32> to tensor<8x8xf32>
  %d = weft.sub %g, %w : tensor<8x8xf32>
  return %s, %t, %d : tensor<8xf32>, tensor<8xf32>, tensor<8x8xf32>
}

// Rows of different axes stay apart.
// CHECK-LABEL: func.func @other_axes(
//       CHECK:   dispatch.region
//       CHECK:   dispatch.region
func.func @other_axes(%x: tensor<8x8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %s = weft.reduce sum %x axes [0] : tensor<8x8xf32>
  %t = weft.reduce sum %x axes [1] : tensor<8x8xf32>
  return %s, %t : tensor<8xf32>, tensor<8xf32>
}

// Nor does a sum join one that others lead to from it.
// CHECK-LABEL: func.func @through_a_product(
//       CHECK:   dispatch.region
//       CHECK:     weft.reduce
//       CHECK:   dispatch.region
//       CHECK:     weft.contract
//       CHECK:   dispatch.region
//       CHECK:     weft.reduce
func.func @through_a_product(%x: tensor<8x8xf32>, %b: tensor<8x8xf32>) -> tensor<8xf32> {
  %s = weft.reduce sum %x axes [1] : tensor<8x8xf32>
  %q = weft.contract %s, %b batch [] x [] contract [0] x [0]
      : tensor<8xf32>, tensor<8x8xf32> -> tensor<8xf32>
  %w = weft.broadcast %q dims [0] : tensor<8xf32> to tensor<8x8xf32>
  %p = weft.mul %x, %w : tensor<8x8xf32>
  %t = weft.reduce sum %p axes [1] : tensor<8x8xf32>
  return %t : tensor<8xf32>
}
