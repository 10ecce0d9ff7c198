// RUN: weft-opt %s --weft-test-gradient=order=2 -o /dev/null | FileCheck %s

// CHECK-NOT: WRONG
// CHECK-NOT: pending

//     CHECK: {{^}}sum: formula, right {{.*}}, second, right
func.func @sum(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = weft.cumulative sum %x axis 1 : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}sum_exclusive: formula, right {{.*}}, second, right
func.func @sum_exclusive(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = weft.cumulative sum %x axis 1 exclusive : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}sum_reverse: formula, right {{.*}}, second, right
func.func @sum_reverse(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = weft.cumulative sum %x axis 1 reverse : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}sum_exclusive_reverse: formula, right {{.*}}, second, right
func.func @sum_exclusive_reverse(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = weft.cumulative sum %x axis 1 exclusive reverse : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}prod: formula, right {{.*}}, second, right
func.func @prod(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = weft.cumulative prod %x axis 1 : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}prod_exclusive: formula, right {{.*}}, second, right
func.func @prod_exclusive(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = weft.cumulative prod %x axis 1 exclusive : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}prod_reverse: formula, right {{.*}}, second, right
func.func @prod_reverse(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = weft.cumulative prod %x axis 1 reverse : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}prod_exclusive_reverse: formula, right {{.*}}, second, right
func.func @prod_exclusive_reverse(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = weft.cumulative prod %x axis 1 exclusive reverse : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}

//     CHECK: {{^}}symbolic: formula, right {{.*}}, second, right
func.func @symbolic(%x: tensor<?x5xf64> {test.shape = array<i64: 4, 5>}) -> tensor<?x5xf64> {
  %y = weft.cumulative prod %x axis 0 : tensor<?x5xf64>
  return %y : tensor<?x5xf64>
}

//     CHECK: {{^}}empty: formula, right {{.*}}, second, right
func.func @empty(%x: tensor<3x0xf64>) -> tensor<3x0xf64> {
  %y = weft.cumulative prod %x axis 1 : tensor<3x0xf64>
  return %y : tensor<3x0xf64>
}
