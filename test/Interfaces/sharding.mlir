// RUN: weft-opt %s --weft-test-sharding -o /dev/null | FileCheck %s

// What each split needs of the operands, and what its parts are; computed in
// parts and joined, it is what the whole is.
// CHECK-NOT: WRONG

func.func @splits(%a: tensor<3x6xf32>, %c: tensor<3x6xi1>,
                  %l: tensor<4x3x5x6xf32>, %r: tensor<6x4x7x5xf32>,
                  %m: tensor<4x6xf32>, %n: tensor<6x8xf32>, %i: tensor<4x8xf32>,
                  %query: tensor<4x6x5xf32>, %key: tensor<4x8x5xf32>, %value: tensor<4x8x3xf32>,
                  %bias: tensor<4x6x8xf32>) {
  //      CHECK: weft.tanh:
  // CHECK-NEXT:   (0) -> 0: right
  // CHECK-NEXT:   (1) -> 1: right
  %0 = weft.tanh %a : tensor<3x6xf32>

  //      CHECK: weft.select:
  // CHECK-NEXT:   (0, 0, 0) -> 0: right
  // CHECK-NEXT:   (1, 1, 1) -> 1: right
  %1 = weft.select %c, %a, %a : tensor<3x6xi1>, tensor<3x6xf32>

  // The batch, a free dimension of each side, and two sums.
  //      CHECK: weft.contract:
  // CHECK-NEXT:   (0, 1) -> 0: right
  // CHECK-NEXT:   (1, whole) -> 1: right
  // CHECK-NEXT:   (whole, 2) -> 2: right
  // CHECK-NEXT:   (2, 3) -> sum: right
  // CHECK-NEXT:   (3, 0) -> sum: right
  %2 = weft.contract %l, %r batch [0] x [1] contract [2, 3] x [3, 0]
      : tensor<4x3x5x6xf32>, tensor<6x4x7x5xf32> -> tensor<4x3x7xf32>

  // A sum that begins somewhere is not split.
  //      CHECK: weft.contract:
  // CHECK-NEXT:   (0, whole, 0) -> 0: right
  // CHECK-NEXT:   (whole, 1, 1) -> 1: right
  //  CHECK-NOT:   sum
  %3 = weft.contract %m, %n init(%i : tensor<4x8xf32>) batch [] x [] contract [1] x [0]
      : tensor<4x6xf32>, tensor<6x8xf32> -> tensor<4x8xf32>

  // Keys can't be split: each part would need the sums of the others.
  //      CHECK: weft.attention:
  // CHECK-NEXT:   (0, 0, 0, 0) -> 0, 0: right
  // CHECK-NEXT:   (1, whole, whole, 1) -> 1, 1: right
  %4, %5 = weft.attention %query, %key, %value bias %bias scale 0.5
      : tensor<4x6x5xf32>, tensor<4x8x5xf32>, tensor<4x8x3xf32>, tensor<4x6x8xf32> -> tensor<4x6x3xf32>, tensor<4x6xf32>
  return
}
