// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//===----------------------------------------------------------------------===//
// Reshape, transpose, broadcast
//===----------------------------------------------------------------------===//

//     CHECK: {{^}}reshape: formula, right {{.*}}, second, right
func.func @reshape(%x: tensor<3x4xf64>) -> tensor<2x6xf64> {
  %y = weft.reshape %x : tensor<3x4xf64> to tensor<2x6xf64>
  return %y : tensor<2x6xf64>
}

//     CHECK: {{^}}reshape_symbolic: formula, right {{.*}}, second, right
func.func @reshape_symbolic(%x: tensor<?x4xf64> {test.shape = array<i64: 3, 4>})
    -> tensor<?x2x2xf64> {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?x4xf64>
  %y = weft.reshape %x sizes(%n) : tensor<?x4xf64> to tensor<?x2x2xf64>
  return %y : tensor<?x2x2xf64>
}

//     CHECK: {{^}}reshape_scalar: formula, right {{.*}}, second, right
func.func @reshape_scalar(%x: tensor<1x1xf64>) -> tensor<f64> {
  %y = weft.reshape %x : tensor<1x1xf64> to tensor<f64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}reshape_empty: formula, right {{.*}}, second, right
func.func @reshape_empty(%x: tensor<0x4xf64>) -> tensor<3x0xf64> {
  %y = weft.reshape %x : tensor<0x4xf64> to tensor<3x0xf64>
  return %y : tensor<3x0xf64>
}

//     CHECK: {{^}}transpose: formula, right {{.*}}, second, right
func.func @transpose(%x: tensor<2x3x4xf64>) -> tensor<4x2x3xf64> {
  %y = weft.transpose %x [2, 0, 1] : tensor<2x3x4xf64>
  return %y : tensor<4x2x3xf64>
}

//     CHECK: {{^}}transpose_symbolic: formula, right {{.*}}, second, right
func.func @transpose_symbolic(%x: tensor<2x?x4xf64> {test.shape = array<i64: 2, 3, 4>})
    -> tensor<4x2x?xf64> {
  %y = weft.transpose %x [2, 0, 1] : tensor<2x?x4xf64>
  return %y : tensor<4x2x?xf64>
}

//     CHECK: {{^}}transpose_scalar: formula, right {{.*}}, second, right
func.func @transpose_scalar(%x: tensor<f64>) -> tensor<f64> {
  %y = weft.transpose %x [] : tensor<f64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}broadcast: formula, right {{.*}}, second, right
func.func @broadcast(%x: tensor<3x1xf64>) -> tensor<2x3x4xf64> {
  %y = weft.broadcast %x dims [1, 2] : tensor<3x1xf64> to tensor<2x3x4xf64>
  return %y : tensor<2x3x4xf64>
}

//     CHECK: {{^}}broadcast_scalar: formula, right {{.*}}, second, right
func.func @broadcast_scalar(%x: tensor<f64>) -> tensor<2x3xf64> {
  %y = weft.broadcast %x dims [] : tensor<f64> to tensor<2x3xf64>
  return %y : tensor<2x3xf64>
}

//     CHECK: {{^}}broadcast_ones: formula, right {{.*}}, second, right
func.func @broadcast_ones(%x: tensor<1x3xf64>) -> tensor<1x1x3xf64> {
  %y = weft.broadcast %x dims [1, 2] : tensor<1x3xf64> to tensor<1x1x3xf64>
  return %y : tensor<1x1x3xf64>
}

//     CHECK: {{^}}broadcast_to_nothing: formula, right {{.*}}, second, right
func.func @broadcast_to_nothing(%x: tensor<1x3xf64>) -> tensor<0x3xf64> {
  %y = weft.broadcast %x dims [0, 1] : tensor<1x3xf64> to tensor<0x3xf64>
  return %y : tensor<0x3xf64>
}

// Whether the size is one shows when it runs: here it is,
//     CHECK: {{^}}broadcast_one: formula, right {{.*}}, second, right
func.func @broadcast_one(%x: tensor<?x3xf64> {test.shape = array<i64: 1, 3>})
    -> tensor<2x?x3xf64> {
  %n = arith.constant 4 : index
  %y = weft.broadcast %x dims [1, 2] sizes(%n) : tensor<?x3xf64> to tensor<2x?x3xf64>
  return %y : tensor<2x?x3xf64>
}

// and here it is not.
//     CHECK: {{^}}broadcast_many: formula, right {{.*}}, second, right
func.func @broadcast_many(%x: tensor<?x3xf64> {test.shape = array<i64: 4, 3>})
    -> tensor<2x?x3xf64> {
  %n = arith.constant 4 : index
  %y = weft.broadcast %x dims [1, 2] sizes(%n) : tensor<?x3xf64> to tensor<2x?x3xf64>
  return %y : tensor<2x?x3xf64>
}

//     CHECK: {{^}}broadcast_both: formula, right {{.*}}, second, right
func.func @broadcast_both(%x: tensor<?x?xf64> {test.shape = array<i64: 1, 3>})
    -> tensor<5x3xf64> {
  %y = weft.broadcast %x dims [0, 1] : tensor<?x?xf64> to tensor<5x3xf64>
  return %y : tensor<5x3xf64>
}

//     CHECK: {{^}}broadcast_one_to_nothing: formula, right {{.*}}, second, right
func.func @broadcast_one_to_nothing(%x: tensor<?xf64> {test.shape = array<i64: 1>})
    -> tensor<0xf64> {
  %y = weft.broadcast %x dims [0] : tensor<?xf64> to tensor<0xf64>
  return %y : tensor<0xf64>
}

//     CHECK: {{^}}broadcast_nothing: formula, right {{.*}}, second, right
func.func @broadcast_nothing(%x: tensor<?xf64> {test.shape = array<i64: 0>})
    -> tensor<?xf64> {
  %zero = arith.constant 0 : index
  %y = weft.broadcast %x dims [0] sizes(%zero) : tensor<?xf64> to tensor<?xf64>
  return %y : tensor<?xf64>
}

//     CHECK: {{^}}broadcast_same_size: formula, right {{.*}}, second, right
func.func @broadcast_same_size(%x: tensor<?xf64> {test.shape = array<i64: 3>})
    -> tensor<2x?xf64> {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?xf64>
  %y = weft.broadcast %x dims [1] sizes(%n) : tensor<?xf64> to tensor<2x?xf64>
  return %y : tensor<2x?xf64>
}

//===----------------------------------------------------------------------===//
// Parts of tensors
//===----------------------------------------------------------------------===//

//     CHECK: {{^}}update_slice: formula, right {{.*}}, second, right
func.func @update_slice(%s: tensor<2x3xf64>, %d: tensor<5x4xf64>) -> tensor<5x4xf64> {
  %y = weft.update_slice %s into %d [2, 1] : tensor<2x3xf64>, tensor<5x4xf64>
  return %y : tensor<5x4xf64>
}

//     CHECK: {{^}}update_slice_symbolic: formula, right {{.*}}, second, right
func.func @update_slice_symbolic(%s: tensor<?x3xf64> {test.shape = array<i64: 2, 3>},
                                 %d: tensor<5x?xf64> {test.shape = array<i64: 5, 4>})
    -> tensor<5x?xf64> {
  %o = arith.constant 3 : index
  %y = weft.update_slice %s into %d [%o, 0] : tensor<?x3xf64>, tensor<5x?xf64>
  return %y : tensor<5x?xf64>
}

//     CHECK: {{^}}concat: formula, right {{.*}}, second, right
func.func @concat(%a: tensor<2x3xf64>, %b: tensor<2x1xf64>, %c: tensor<2x0xf64>,
                  %d: tensor<2x2xf64>) -> tensor<2x6xf64> {
  %y = weft.concat %a, %b, %c, %d axis 1
      : (tensor<2x3xf64>, tensor<2x1xf64>, tensor<2x0xf64>, tensor<2x2xf64>) -> tensor<2x6xf64>
  return %y : tensor<2x6xf64>
}

//     CHECK: {{^}}concat_symbolic: formula, right {{.*}}, second, right
func.func @concat_symbolic(%a: tensor<?x3xf64> {test.shape = array<i64: 2, 3>},
                           %b: tensor<1x?xf64> {test.shape = array<i64: 1, 3>},
                           %c: tensor<?x?xf64> {test.shape = array<i64: 2, 3>})
    -> tensor<?x3xf64> {
  %y = weft.concat %a, %b, %c axis 0
      : (tensor<?x3xf64>, tensor<1x?xf64>, tensor<?x?xf64>) -> tensor<?x3xf64>
  return %y : tensor<?x3xf64>
}

//     CHECK: {{^}}concat_twice: formula, right {{.*}}, second, right
func.func @concat_twice(%a: tensor<2xf64>) -> tensor<4xf64> {
  %y = weft.concat %a, %a axis 0 : (tensor<2xf64>, tensor<2xf64>) -> tensor<4xf64>
  return %y : tensor<4xf64>
}
