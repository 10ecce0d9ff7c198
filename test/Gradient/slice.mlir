// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}plain: formula, right {{.*}}, second, right
func.func @plain(%x: tensor<4x6xf64>) -> tensor<2x3xf64> {
  %y = weft.slice %x [1, 2] [2, 3] [1, 1] : tensor<4x6xf64> to tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

//     CHECK: {{^}}strided: formula, right {{.*}}, second, right
func.func @strided(%x: tensor<4x8xf64>) -> tensor<2x3xf64> {
  %y = weft.slice %x [1, 0] [2, 3] [2, 3] : tensor<4x8xf64> to tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

//     CHECK: {{^}}turned: formula, right {{.*}}, second, right
func.func @turned(%x: tensor<4x8xf64>) -> tensor<4x3xf64> {
  %y = weft.slice %x [3, 7] [4, 3] [-1, -3] : tensor<4x8xf64> to tensor<4x3xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}single_of_wide_stride: formula, right {{.*}}, second, right
func.func @single_of_wide_stride(%x: tensor<8xf64>) -> tensor<1xf64> {
  %y = weft.slice %x [5] [1] [-9] : tensor<8xf64> to tensor<1xf64>
  return %y : tensor<1xf64>
}

// The offset of an empty part may be anything.
//     CHECK: {{^}}nothing: formula, right {{.*}}, second, right
func.func @nothing(%x: tensor<4x8xf64>) -> tensor<0x8xf64> {
  %y = weft.slice %x [7, 0] [0, 8] [1, 1] : tensor<4x8xf64> to tensor<0x8xf64>
  return %y : tensor<0x8xf64>
}

//     CHECK: {{^}}of_nothing: formula, right {{.*}}, second, right
func.func @of_nothing(%x: tensor<0x8xf64>) -> tensor<0x3xf64> {
  %y = weft.slice %x [-1, 0] [0, 3] [-1, 2] : tensor<0x8xf64> to tensor<0x3xf64>
  return %y : tensor<0x3xf64>
}

//     CHECK: {{^}}scalar: formula, right {{.*}}, second, right
func.func @scalar(%x: tensor<f64>) -> tensor<f64> {
  %y = weft.slice %x [] [] [] : tensor<f64> to tensor<f64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}symbolic: formula, right {{.*}}, second, right
func.func @symbolic(%x: tensor<?x8xf64> {test.shape = array<i64: 4, 8>}) -> tensor<?x3xf64> {
  %o = arith.constant 1 : index
  %n = arith.constant 2 : index
  %y = weft.slice %x [%o, 7] [%n, 3] [1, -2] : tensor<?x8xf64> to tensor<?x3xf64>
  return %y : tensor<?x3xf64>
}

//     CHECK: {{^}}symbolic_stride: formula, right {{.*}}, second, right
func.func @symbolic_stride(%x: tensor<9x8xf64>) -> tensor<?x3xf64> {
  %n = arith.constant 3 : index
  %s = arith.constant 4 : index
  %t = arith.constant -3 : index
  %y = weft.slice %x [0, 6] [%n, 3] [%s, %t] : tensor<9x8xf64> to tensor<?x3xf64>
  return %y : tensor<?x3xf64>
}

//     CHECK: {{^}}symbolic_nothing: formula, right {{.*}}, second, right
func.func @symbolic_nothing(%x: tensor<?xf64> {test.shape = array<i64: 0>}) -> tensor<?xf64> {
  %n = arith.constant 0 : index
  %s = arith.constant -1 : index
  %y = weft.slice %x [-1] [%n] [%s] : tensor<?xf64> to tensor<?xf64>
  return %y : tensor<?xf64>
}
