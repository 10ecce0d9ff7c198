// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

// What is read twice gets two gradients.
//     CHECK: {{^}}rows: formula, right {{.*}}, second, right
func.func @rows(%x: tensor<5x3xf64>) -> tensor<4x3xf64> {
  %i = weft.constant dense<[0, -1, 2, 0]> : tensor<4xi64>
  %y = weft.gather %x, %i axis 0 : tensor<5x3xf64>, tensor<4xi64>
  return %y : tensor<4x3xf64>
}

//     CHECK: {{^}}columns: formula, right {{.*}}, second, right
func.func @columns(%x: tensor<2x5x3xf64>) -> tensor<2x2x2x3xf64> {
  %i = weft.constant dense<[[0, -1], [2, 0]]> : tensor<2x2xi64>
  %y = weft.gather %x, %i axis 1 : tensor<2x5x3xf64>, tensor<2x2xi64>
  return %y : tensor<2x2x2x3xf64>
}

//     CHECK: {{^}}last_axis: formula, right {{.*}}, second, right
func.func @last_axis(%x: tensor<2x5xf64>) -> tensor<2x3xf64> {
  %i = weft.constant dense<[4, 4, -5]> : tensor<3xi32>
  %y = weft.gather %x, %i axis 1 : tensor<2x5xf64>, tensor<3xi32>
  return %y : tensor<2x3xf64>
}

//     CHECK: {{^}}one: formula, right {{.*}}, second, right
func.func @one(%x: tensor<5x3xf64>) -> tensor<3xf64> {
  %i = weft.constant dense<-2> : tensor<i64>
  %y = weft.gather %x, %i axis 0 : tensor<5x3xf64>, tensor<i64>
  return %y : tensor<3xf64>
}

//     CHECK: {{^}}of_line: formula, right {{.*}}, second, right
func.func @of_line(%x: tensor<5xf64>) -> tensor<f64> {
  %i = weft.constant dense<3> : tensor<i64>
  %y = weft.gather %x, %i axis 0 : tensor<5xf64>, tensor<i64>
  return %y : tensor<f64>
}

//     CHECK: {{^}}none: formula, right {{.*}}, second, right
func.func @none(%x: tensor<5x3xf64>) -> tensor<0x3xf64> {
  %i = weft.constant dense<[]> : tensor<0xi64>
  %y = weft.gather %x, %i axis 0 : tensor<5x3xf64>, tensor<0xi64>
  return %y : tensor<0x3xf64>
}

//     CHECK: {{^}}symbolic: formula, right {{.*}}, second, right
func.func @symbolic(%x: tensor<?x5x?xf64> {test.shape = array<i64: 2, 5, 3>},
                    %i: tensor<?x2xi64> {test.shape = array<i64: 4, 2>, test.range = [-5.0, 5.0]})
    -> tensor<?x?x2x?xf64> {
  %y = weft.gather %x, %i axis 1 : tensor<?x5x?xf64>, tensor<?x2xi64>
  return %y : tensor<?x?x2x?xf64>
}

//     CHECK: {{^}}elements: formula, right {{.*}}, second, right
func.func @elements(%x: tensor<3x4xf64>) -> tensor<2x3xf64> {
  %i = weft.constant dense<[[0, 3, 3], [-1, -4, -1]]> : tensor<2x3xi64>
  %y = weft.gather_elements %x, %i axis 1 : tensor<3x4xf64>, tensor<2x3xi64>
  return %y : tensor<2x3xf64>
}

//     CHECK: {{^}}elements_symbolic: formula, right {{.*}}, second, right
func.func @elements_symbolic(%x: tensor<?x3xf64> {test.shape = array<i64: 2, 3>},
                             %i: tensor<?x?xi64> {test.shape = array<i64: 4, 2>, test.range = [-2.0, 2.0]})
    -> tensor<?x?xf64> {
  %y = weft.gather_elements %x, %i axis 0 : tensor<?x3xf64>, tensor<?x?xi64>
  return %y : tensor<?x?xf64>
}

//     CHECK: {{^}}nd: formula, right {{.*}}, second, right
func.func @nd(%x: tensor<3x4x2xf64>) -> tensor<3x2xf64> {
  %i = weft.constant dense<[[0, 3], [-1, 1], [0, -1]]> : tensor<3x2xi64>
  %y = weft.gather_nd %x, %i batch_dims 0 : tensor<3x4x2xf64>, tensor<3x2xi64>
  return %y : tensor<3x2xf64>
}

//     CHECK: {{^}}nd_batch: formula, right {{.*}}, second, right
func.func @nd_batch(%x: tensor<2x4x3xf64>) -> tensor<2x3x3xf64> {
  %i = weft.constant dense<[[[0], [3], [-4]], [[-1], [1], [3]]]> : tensor<2x3x1xi64>
  %y = weft.gather_nd %x, %i batch_dims 1 : tensor<2x4x3xf64>, tensor<2x3x1xi64>
  return %y : tensor<2x3x3xf64>
}

//     CHECK: {{^}}nd_batch_elements: formula, right {{.*}}, second, right
func.func @nd_batch_elements(%x: tensor<?x4x3xf64> {test.shape = array<i64: 2, 4, 3>},
                             %i: tensor<?x2x2xi64> {test.shape = array<i64: 2, 2, 2>, test.range = [-3.0, 3.0]})
    -> tensor<?x2xf64> {
  %y = weft.gather_nd %x, %i batch_dims 1 : tensor<?x4x3xf64>, tensor<?x2x2xi64>
  return %y : tensor<?x2xf64>
}

// Index vectors of no length take the whole tensor each time.
//     CHECK: {{^}}nd_whole: formula, right {{.*}}, second, right
func.func @nd_whole(%x: tensor<4xf64>) -> tensor<3x4xf64> {
  %i = weft.constant dense<0> : tensor<3x0xi64>
  %y = weft.gather_nd %x, %i batch_dims 0 : tensor<4xf64>, tensor<3x0xi64>
  return %y : tensor<3x4xf64>
}

//     CHECK: {{^}}top_k: formula, right {{.*}}, second, right
func.func @top_k(%x: tensor<3x6xf64>) -> tensor<3x2xf64> {
  %v, %i = weft.top_k %x axis 1 largest : tensor<3x6xf64> to tensor<3x2xf64>, tensor<3x2xi64>
  return %v : tensor<3x2xf64>
}

//     CHECK: {{^}}top_k_smallest: formula, right {{.*}}, second, right
func.func @top_k_smallest(%x: tensor<?x4xf64> {test.shape = array<i64: 6, 4>}) -> tensor<?x4xf64> {
  %k = arith.constant 4 : index
  %v, %i = weft.top_k %x axis 0 size %k : tensor<?x4xf64> to tensor<?x4xf64>, tensor<?x4xi64>
  return %v : tensor<?x4xf64>
}

//     CHECK: {{^}}top_none: formula, right {{.*}}, second, right
func.func @top_none(%x: tensor<3x6xf64>) -> tensor<3x0xf64> {
  %v, %i = weft.top_k %x axis 1 largest : tensor<3x6xf64> to tensor<3x0xf64>, tensor<3x0xi64>
  return %v : tensor<3x0xf64>
}
