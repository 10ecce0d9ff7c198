// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}border: formula, right {{.*}}, second, right
func.func @border(%x: tensor<2x3xf64>, %v: tensor<f64>) -> tensor<5x4xf64> {
  %y = weft.pad %x, %v low [1, 0] high [2, 1]
      : tensor<2x3xf64>, tensor<f64> to tensor<5x4xf64>
  return %y : tensor<5x4xf64>
}

//     CHECK: {{^}}between: formula, right {{.*}}, second, right
func.func @between(%x: tensor<2x3xf64>, %v: tensor<f64>) -> tensor<4x8xf64> {
  %y = weft.pad %x, %v low [1, 0] high [0, 1] interior [1, 2]
      : tensor<2x3xf64>, tensor<f64> to tensor<4x8xf64>
  return %y : tensor<4x8xf64>
}

//     CHECK: {{^}}pad_symbolic: formula, right {{.*}}, second, right
func.func @pad_symbolic(%x: tensor<?x3xf64> {test.shape = array<i64: 2, 3>}, %v: tensor<f64>)
    -> tensor<?x?xf64> {
  %l = arith.constant 1 : index
  %i = arith.constant 2 : index
  %y = weft.pad %x, %v low [%l, 0] high [0, 1] interior [0, %i]
      : tensor<?x3xf64>, tensor<f64> to tensor<?x?xf64>
  return %y : tensor<?x?xf64>
}

//     CHECK: {{^}}pad_nothing: formula, right {{.*}}, second, right
func.func @pad_nothing(%x: tensor<0x3xf64>, %v: tensor<f64>) -> tensor<3x3xf64> {
  %y = weft.pad %x, %v low [1, 0] high [2, 0] interior [5, 0]
      : tensor<0x3xf64>, tensor<f64> to tensor<3x3xf64>
  return %y : tensor<3x3xf64>
}

//     CHECK: {{^}}pad_scalar: formula, right {{.*}}, second, right
func.func @pad_scalar(%x: tensor<f64>, %v: tensor<f64>) -> tensor<f64> {
  %y = weft.pad %x, %v low [] high [] : tensor<f64>, tensor<f64> to tensor<f64>
  return %y : tensor<f64>
}
