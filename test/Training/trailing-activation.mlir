// RUN: weft-opt %s --build-training-step="settings='evaluate=true'" -canonicalize -cse | FileCheck %s
// RUN: weft-opt %s --build-training-step="settings='evaluate=true loss=bce output=q'" -canonicalize -cse | FileCheck %s --check-prefix=SIGMOID

// The loss is computed from scores, not from what a softmax or a sigmoid makes
// of them.
// CHECK-LABEL: func.func @main(
//   CHECK-NOT:   weft.softmax
//       CHECK:   weft.reduce max %{{.*}} axes [1] : tensor<2x3xf32>
//   CHECK-NOT:   weft.softmax
//     SIGMOID: func.func @main(
// SIGMOID-NOT:   weft.logistic
//     SIGMOID:   weft.abs
// SIGMOID-NOT:   weft.logistic
func.func @main(%x: tensor<2x3xf32> {weft.name = "x"}) -> (tensor<2x3xf32> {weft.name = "p"}, tensor<2x3xf32> {weft.name = "q"}) {
  %p = weft.softmax %x axis 1 : tensor<2x3xf32>
  %q = weft.logistic %x : tensor<2x3xf32>
  return %p, %q : tensor<2x3xf32>, tensor<2x3xf32>
}
