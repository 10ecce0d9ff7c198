// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file | FileCheck %s

// What Shape, Gather and Concat make of sizes is arithmetic on `index`.
// CHECK-LABEL: func.func @reshape_by_shape(
//  CHECK-SAME:   %[[X:[a-z0-9]+]]: tensor<?x4x6xf32>
//       CHECK:   %[[N:.+]] = tensor.dim %[[X]]
//   CHECK-NOT:   weft.gather
//       CHECK:   %[[Y:.+]] = weft.reshape %[[X]] sizes(%[[N]]) {{.*}}: tensor<?x4x6xf32> to tensor<?x24xf32>
//       CHECK:   return %[[Y]]
func.func @reshape_by_shape(%x: tensor<?x4x6xf32>) -> tensor<?x24xf32> {
  %shape = onnx.Shape(%x) : (tensor<?x4x6xf32>) -> tensor<3xi64>
  %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %n = onnx.Gather(%shape, %zero) : (tensor<3xi64>, tensor<i64>) -> tensor<i64>
  %axes = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  %ns = onnx.Unsqueeze(%n, %axes) : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %rest = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %wanted = onnx.Concat(%ns, %rest) {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %y = onnx.Reshape(%x, %wanted) : (tensor<?x4x6xf32>, tensor<2xi64>) -> tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}

// -----

// Sizes that come from the same place are equal, so nothing is decided at run
// time.
// CHECK-LABEL: func.func @equal_symbols(
//   CHECK-NOT:   arith.select
//   CHECK-NOT:   weft.broadcast {{.*}} dims [0
//       CHECK:   weft.add {{.*}} : tensor<?x3xf32>
func.func @equal_symbols(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %a = onnx.Relu(%x) : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %y = onnx.Add(%a, %x) : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

// Of two unknown sizes either may be one.
// CHECK-LABEL: func.func @different_symbols(
//  CHECK-SAME:   %[[A:[a-z0-9]+]]: tensor<?xf32>, %[[B:[a-z0-9]+]]: tensor<?xf32>
//   CHECK-DAG:   %[[N:.+]] = tensor.dim %[[A]]
//   CHECK-DAG:   %[[M:.+]] = tensor.dim %[[B]]
//       CHECK:   %[[ONE:.+]] = arith.cmpi eq, %[[N]]
//       CHECK:   %[[S:.+]] = arith.select %[[ONE]], %[[M]], %[[N]]
//   CHECK-DAG:   weft.broadcast %[[A]] dims [0] sizes(%[[S]])
//   CHECK-DAG:   weft.broadcast %[[B]] dims [0] sizes(%[[S]])
func.func @different_symbols(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %y = onnx.Mul(%a, %b) : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @folded_constants()
//       CHECK:   %[[C:.+]] = weft.constant dense<[4.000000e+00, 6.000000e+00]>
//       CHECK:   return %[[C]]
func.func @folded_constants() -> tensor<2xf32> {
  %a = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %b = onnx.Constant() {value = dense<[3.0, 4.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %y = onnx.Add(%a, %b) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// The declared type of a result stays.
// CHECK-LABEL: func.func @declared_type(
//       CHECK:   %[[Y:.+]] = weft.neg
//       CHECK:   tensor.cast %[[Y]] : tensor<2xf32> to tensor<?xf32>
func.func @declared_type(%x: tensor<2xf32>) -> tensor<?xf32> {
  %y = onnx.Neg(%x) : (tensor<2xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
