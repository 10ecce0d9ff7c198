// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}elements_set: formula, right {{.*}}, second, right
func.func @elements_set(%x: tensor<4x3xf64>, %u: tensor<3x2xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[0, -1], [0, 3], [2, -1]]> : tensor<3x2xi64>
  %y = weft.scatter_elements set %x, %i, %u axis 0
      : tensor<4x3xf64>, tensor<3x2xi64>, tensor<3x2xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}elements_set_symbolic: formula, right {{.*}}, second, right
func.func @elements_set_symbolic(
    %x: tensor<?x4xf64> {test.shape = array<i64: 3, 4>},
    %i: tensor<3x?xi64> {test.shape = array<i64: 3, 5>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?xf64> {test.shape = array<i64: 3, 5>}) -> tensor<?x4xf64> {
  %y = weft.scatter_elements set %x, %i, %u axis 1
      : tensor<?x4xf64>, tensor<3x?xi64>, tensor<?x?xf64>
  return %y : tensor<?x4xf64>
}

//     CHECK: {{^}}nd_set: formula, right {{.*}}, second, right
func.func @nd_set(%x: tensor<4x3xf64>, %u: tensor<2x2x3xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[[0], [-1]], [[3], [1]]]> : tensor<2x2x1xi64>
  %y = weft.scatter_nd set %x, %i, %u
      : tensor<4x3xf64>, tensor<2x2x1xi64>, tensor<2x2x3xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}nd_set_batch: formula, right {{.*}}, second, right
func.func @nd_set_batch(
    %x: tensor<?x4x3xf64> {test.shape = array<i64: 2, 4, 3>},
    %i: tensor<?x?x1xi64> {test.shape = array<i64: 2, 6, 1>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?x3xf64> {test.shape = array<i64: 2, 6, 3>}) -> tensor<?x4x3xf64> {
  %y = weft.scatter_nd set %x, %i, %u batch_dims 1
      : tensor<?x4x3xf64>, tensor<?x?x1xi64>, tensor<?x?x3xf64>
  return %y : tensor<?x4x3xf64>
}

//     CHECK: {{^}}elements_add: formula, right {{.*}}, second, right
func.func @elements_add(%x: tensor<4x3xf64>, %u: tensor<3x2xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[0, -1], [0, 3], [2, -1]]> : tensor<3x2xi64>
  %y = weft.scatter_elements add %x, %i, %u axis 0
      : tensor<4x3xf64>, tensor<3x2xi64>, tensor<3x2xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}elements_add_symbolic: formula, right {{.*}}, second, right
func.func @elements_add_symbolic(
    %x: tensor<?x4xf64> {test.shape = array<i64: 3, 4>},
    %i: tensor<3x?xi64> {test.shape = array<i64: 3, 5>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?xf64> {test.shape = array<i64: 3, 5>}) -> tensor<?x4xf64> {
  %y = weft.scatter_elements add %x, %i, %u axis 1
      : tensor<?x4xf64>, tensor<3x?xi64>, tensor<?x?xf64>
  return %y : tensor<?x4xf64>
}

//     CHECK: {{^}}nd_add: formula, right {{.*}}, second, right
func.func @nd_add(%x: tensor<4x3xf64>, %u: tensor<2x2x3xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[[0], [-1]], [[3], [1]]]> : tensor<2x2x1xi64>
  %y = weft.scatter_nd add %x, %i, %u
      : tensor<4x3xf64>, tensor<2x2x1xi64>, tensor<2x2x3xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}nd_add_batch: formula, right {{.*}}, second, right
func.func @nd_add_batch(
    %x: tensor<?x4x3xf64> {test.shape = array<i64: 2, 4, 3>},
    %i: tensor<?x?x1xi64> {test.shape = array<i64: 2, 6, 1>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?x3xf64> {test.shape = array<i64: 2, 6, 3>}) -> tensor<?x4x3xf64> {
  %y = weft.scatter_nd add %x, %i, %u batch_dims 1
      : tensor<?x4x3xf64>, tensor<?x?x1xi64>, tensor<?x?x3xf64>
  return %y : tensor<?x4x3xf64>
}

//     CHECK: {{^}}elements_mul: formula, right {{.*}}, second, right
func.func @elements_mul(%x: tensor<4x3xf64>, %u: tensor<3x2xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[0, -1], [0, 3], [2, -1]]> : tensor<3x2xi64>
  %y = weft.scatter_elements mul %x, %i, %u axis 0
      : tensor<4x3xf64>, tensor<3x2xi64>, tensor<3x2xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}elements_mul_symbolic: formula, right {{.*}}, second, right
func.func @elements_mul_symbolic(
    %x: tensor<?x4xf64> {test.shape = array<i64: 3, 4>},
    %i: tensor<3x?xi64> {test.shape = array<i64: 3, 5>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?xf64> {test.shape = array<i64: 3, 5>}) -> tensor<?x4xf64> {
  %y = weft.scatter_elements mul %x, %i, %u axis 1
      : tensor<?x4xf64>, tensor<3x?xi64>, tensor<?x?xf64>
  return %y : tensor<?x4xf64>
}

//     CHECK: {{^}}nd_mul: formula, right {{.*}}, second, right
func.func @nd_mul(%x: tensor<4x3xf64>, %u: tensor<2x2x3xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[[0], [-1]], [[3], [1]]]> : tensor<2x2x1xi64>
  %y = weft.scatter_nd mul %x, %i, %u
      : tensor<4x3xf64>, tensor<2x2x1xi64>, tensor<2x2x3xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}nd_mul_batch: formula, right {{.*}}, second, right
func.func @nd_mul_batch(
    %x: tensor<?x4x3xf64> {test.shape = array<i64: 2, 4, 3>},
    %i: tensor<?x?x1xi64> {test.shape = array<i64: 2, 6, 1>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?x3xf64> {test.shape = array<i64: 2, 6, 3>}) -> tensor<?x4x3xf64> {
  %y = weft.scatter_nd mul %x, %i, %u batch_dims 1
      : tensor<?x4x3xf64>, tensor<?x?x1xi64>, tensor<?x?x3xf64>
  return %y : tensor<?x4x3xf64>
}

//     CHECK: {{^}}elements_max: formula, right {{.*}}, second, right
func.func @elements_max(%x: tensor<4x3xf64>, %u: tensor<3x2xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[0, -1], [0, 3], [2, -1]]> : tensor<3x2xi64>
  %y = weft.scatter_elements max %x, %i, %u axis 0
      : tensor<4x3xf64>, tensor<3x2xi64>, tensor<3x2xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}elements_max_symbolic: formula, right {{.*}}, second, right
func.func @elements_max_symbolic(
    %x: tensor<?x4xf64> {test.shape = array<i64: 3, 4>},
    %i: tensor<3x?xi64> {test.shape = array<i64: 3, 5>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?xf64> {test.shape = array<i64: 3, 5>}) -> tensor<?x4xf64> {
  %y = weft.scatter_elements max %x, %i, %u axis 1
      : tensor<?x4xf64>, tensor<3x?xi64>, tensor<?x?xf64>
  return %y : tensor<?x4xf64>
}

//     CHECK: {{^}}nd_max: formula, right {{.*}}, second, right
func.func @nd_max(%x: tensor<4x3xf64>, %u: tensor<2x2x3xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[[0], [-1]], [[3], [1]]]> : tensor<2x2x1xi64>
  %y = weft.scatter_nd max %x, %i, %u
      : tensor<4x3xf64>, tensor<2x2x1xi64>, tensor<2x2x3xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}nd_max_batch: formula, right {{.*}}, second, right
func.func @nd_max_batch(
    %x: tensor<?x4x3xf64> {test.shape = array<i64: 2, 4, 3>},
    %i: tensor<?x?x1xi64> {test.shape = array<i64: 2, 6, 1>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?x3xf64> {test.shape = array<i64: 2, 6, 3>}) -> tensor<?x4x3xf64> {
  %y = weft.scatter_nd max %x, %i, %u batch_dims 1
      : tensor<?x4x3xf64>, tensor<?x?x1xi64>, tensor<?x?x3xf64>
  return %y : tensor<?x4x3xf64>
}

//     CHECK: {{^}}elements_min: formula, right {{.*}}, second, right
func.func @elements_min(%x: tensor<4x3xf64>, %u: tensor<3x2xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[0, -1], [0, 3], [2, -1]]> : tensor<3x2xi64>
  %y = weft.scatter_elements min %x, %i, %u axis 0
      : tensor<4x3xf64>, tensor<3x2xi64>, tensor<3x2xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}elements_min_symbolic: formula, right {{.*}}, second, right
func.func @elements_min_symbolic(
    %x: tensor<?x4xf64> {test.shape = array<i64: 3, 4>},
    %i: tensor<3x?xi64> {test.shape = array<i64: 3, 5>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?xf64> {test.shape = array<i64: 3, 5>}) -> tensor<?x4xf64> {
  %y = weft.scatter_elements min %x, %i, %u axis 1
      : tensor<?x4xf64>, tensor<3x?xi64>, tensor<?x?xf64>
  return %y : tensor<?x4xf64>
}

//     CHECK: {{^}}nd_min: formula, right {{.*}}, second, right
func.func @nd_min(%x: tensor<4x3xf64>, %u: tensor<2x2x3xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[[[0], [-1]], [[3], [1]]]> : tensor<2x2x1xi64>
  %y = weft.scatter_nd min %x, %i, %u
      : tensor<4x3xf64>, tensor<2x2x1xi64>, tensor<2x2x3xf64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}nd_min_batch: formula, right {{.*}}, second, right
func.func @nd_min_batch(
    %x: tensor<?x4x3xf64> {test.shape = array<i64: 2, 4, 3>},
    %i: tensor<?x?x1xi64> {test.shape = array<i64: 2, 6, 1>, test.range = [-4.0, 4.0]},
    %u: tensor<?x?x3xf64> {test.shape = array<i64: 2, 6, 3>}) -> tensor<?x4x3xf64> {
  %y = weft.scatter_nd min %x, %i, %u batch_dims 1
      : tensor<?x4x3xf64>, tensor<?x?x1xi64>, tensor<?x?x3xf64>
  return %y : tensor<?x4x3xf64>
}

//     CHECK: {{^}}nd_scalars: formula, right {{.*}}, second, right
func.func @nd_scalars(%x: tensor<3x3xf64>, %u: tensor<5xf64>) -> tensor<3x3xf64> {
  %i = weft.constant dense<[[0, 0], [1, -1], [2, 2], [-3, -3], [1, 2]]> : tensor<5x2xi64>
  %y = weft.scatter_nd set %x, %i, %u : tensor<3x3xf64>, tensor<5x2xi64>, tensor<5xf64>
  return %y : tensor<3x3xf64>
}

//     CHECK: {{^}}nd_whole: formula, right {{.*}}, second, right
func.func @nd_whole(%x: tensor<4xf64>, %u: tensor<3x4xf64>) -> tensor<4xf64> {
  %i = weft.constant dense<0> : tensor<3x0xi64>
  %y = weft.scatter_nd set %x, %i, %u : tensor<4xf64>, tensor<3x0xi64>, tensor<3x4xf64>
  return %y : tensor<4xf64>
}

//     CHECK: {{^}}no_updates: formula, right {{.*}}, second, right
func.func @no_updates(%x: tensor<4xf64>, %u: tensor<0xf64>) -> tensor<4xf64> {
  %i = weft.constant dense<0> : tensor<0x1xi64>
  %y = weft.scatter_nd mul %x, %i, %u : tensor<4xf64>, tensor<0x1xi64>, tensor<0xf64>
  return %y : tensor<4xf64>
}
