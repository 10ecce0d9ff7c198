// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}product: formula, right
func.func @product(%a: tensor<3x4xf64>, %b: tensor<4x5xf64>) -> tensor<3x5xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<3x4xf64>, tensor<4x5xf64> -> tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}transposed_lhs: formula, right
func.func @transposed_lhs(%a: tensor<4x3xf64>, %b: tensor<4x5xf64>) -> tensor<3x5xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [0] x [0]
      : tensor<4x3xf64>, tensor<4x5xf64> -> tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}transposed_rhs: formula, right
func.func @transposed_rhs(%a: tensor<3x4xf64>, %b: tensor<5x4xf64>) -> tensor<3x5xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [1] x [1]
      : tensor<3x4xf64>, tensor<5x4xf64> -> tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}transposed_both: formula, right
func.func @transposed_both(%a: tensor<4x3xf64>, %b: tensor<5x4xf64>) -> tensor<3x5xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [0] x [1]
      : tensor<4x3xf64>, tensor<5x4xf64> -> tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}batch: formula, right
func.func @batch(%a: tensor<2x3x4xf64>, %b: tensor<2x4x5xf64>) -> tensor<2x3x5xf64> {
  %y = weft.contract %a, %b batch [0] x [0] contract [2] x [1]
      : tensor<2x3x4xf64>, tensor<2x4x5xf64> -> tensor<2x3x5xf64>
  return %y : tensor<2x3x5xf64>
}

//     CHECK: {{^}}batch_within: formula, right
func.func @batch_within(%a: tensor<3x2x4xf64>, %b: tensor<4x5x2xf64>) -> tensor<2x3x5xf64> {
  %y = weft.contract %a, %b batch [1] x [2] contract [2] x [0]
      : tensor<3x2x4xf64>, tensor<4x5x2xf64> -> tensor<2x3x5xf64>
  return %y : tensor<2x3x5xf64>
}

//     CHECK: {{^}}two_batches: formula, right
func.func @two_batches(%a: tensor<2x3x4x5xf64>, %b: tensor<3x5x2x6xf64>) -> tensor<2x3x4x6xf64> {
  %y = weft.contract %a, %b batch [0, 1] x [2, 0] contract [3] x [1]
      : tensor<2x3x4x5xf64>, tensor<3x5x2x6xf64> -> tensor<2x3x4x6xf64>
  return %y : tensor<2x3x4x6xf64>
}

//     CHECK: {{^}}batches_swapped: formula, right
func.func @batches_swapped(%a: tensor<2x3x4x5xf64>, %b: tensor<3x5x2x6xf64>) -> tensor<3x2x4x6xf64> {
  %y = weft.contract %a, %b batch [1, 0] x [0, 2] contract [3] x [1]
      : tensor<2x3x4x5xf64>, tensor<3x5x2x6xf64> -> tensor<3x2x4x6xf64>
  return %y : tensor<3x2x4x6xf64>
}

//     CHECK: {{^}}two_contracted: formula, right
func.func @two_contracted(%a: tensor<2x3x4xf64>, %b: tensor<4x2x5xf64>) -> tensor<3x5xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [0, 2] x [1, 0]
      : tensor<2x3x4xf64>, tensor<4x2x5xf64> -> tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}three_contracted: formula, right
func.func @three_contracted(%a: tensor<2x3x4xf64>, %b: tensor<4x2x3xf64>) -> tensor<f64> {
  %y = weft.contract %a, %b batch [] x [] contract [0, 1, 2] x [1, 2, 0]
      : tensor<2x3x4xf64>, tensor<4x2x3xf64> -> tensor<f64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}several_free: formula, right
func.func @several_free(%a: tensor<2x3x4xf64>, %b: tensor<4x5x6xf64>) -> tensor<2x3x5x6xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [2] x [0]
      : tensor<2x3x4xf64>, tensor<4x5x6xf64> -> tensor<2x3x5x6xf64>
  return %y : tensor<2x3x5x6xf64>
}

//     CHECK: {{^}}outer: formula, right
func.func @outer(%a: tensor<3xf64>, %b: tensor<4x2xf64>) -> tensor<3x4x2xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [] x []
      : tensor<3xf64>, tensor<4x2xf64> -> tensor<3x4x2xf64>
  return %y : tensor<3x4x2xf64>
}

//     CHECK: {{^}}elementwise: formula, right
func.func @elementwise(%a: tensor<3x4xf64>, %b: tensor<4x3xf64>) -> tensor<3x4xf64> {
  %y = weft.contract %a, %b batch [0, 1] x [1, 0] contract [] x []
      : tensor<3x4xf64>, tensor<4x3xf64> -> tensor<3x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}dot: formula, right
func.func @dot(%a: tensor<3xf64>, %b: tensor<3xf64>) -> tensor<f64> {
  %y = weft.contract %a, %b batch [] x [] contract [0] x [0]
      : tensor<3xf64>, tensor<3xf64> -> tensor<f64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}matrix_vector: formula, right
func.func @matrix_vector(%a: tensor<3x4xf64>, %b: tensor<4xf64>) -> tensor<3xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<3x4xf64>, tensor<4xf64> -> tensor<3xf64>
  return %y : tensor<3xf64>
}

//     CHECK: {{^}}empty_depth: formula, right
func.func @empty_depth(%a: tensor<3x0xf64>, %b: tensor<0x4xf64>) -> tensor<3x4xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<3x0xf64>, tensor<0x4xf64> -> tensor<3x4xf64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}symbolic: formula, right
func.func @symbolic(%a: tensor<?x4x?xf64>, %b: tensor<?x?xf64>) -> tensor<?x4x?xf64> {
  %y = weft.contract %a, %b batch [] x [] contract [2] x [1]
      : tensor<?x4x?xf64>, tensor<?x?xf64> -> tensor<?x4x?xf64>
  return %y : tensor<?x4x?xf64>
}

//     CHECK: {{^}}begun: formula, right
func.func @begun(%a: tensor<4x3xf64>, %b: tensor<4x5xf64>, %c: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = weft.contract %a, %b init(%c : tensor<3x5xf64>) batch [] x [] contract [0] x [0]
      : tensor<4x3xf64>, tensor<4x5xf64> -> tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
