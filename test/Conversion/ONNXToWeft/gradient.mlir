// RUN: weft-opt %s --allow-unregistered-dialect -convert-onnx-to-weft | FileCheck %s

// Tensors that a gradient is asked for are held apart, so that nothing folds
// through them. Inputs depend on none of them.
// CHECK-LABEL: func.func @main(
//  CHECK-SAME:     %[[X:.+]]: tensor<2xf32>)
//       CHECK:   %[[W:.+]] = weft.constant dense<3.0
//       CHECK:   %[[WI:.+]] = weft.independent %[[W]] "w"
//       CHECK:   %[[Y:.+]] = weft.mul %[[WI]], %[[X]]
//       CHECK:   %[[G:.+]] = weft.gradient %[[Y]] by %[[WI]] :
//       CHECK:   return %[[G]]
func.func @main(%x: tensor<2xf32> loc("x")) -> tensor<2xf32> {
  %w = "onnx.Constant"() {value = dense<3.0> : tensor<2xf32>, weft.outputs = ["w"]} : () -> tensor<2xf32>
  %y = "onnx.Mul"(%w, %x) {weft.outputs = ["y"]} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %g = "onnx.training.Gradient"(%w, %x) {xs = ["w"], zs = ["x"], y = "y", weft.outputs = ["g"]} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %g : tensor<2xf32>
}

// At another value of w the product is made once more.
// CHECK-LABEL: func.func @elsewhere(
//       CHECK:   %[[O:.+]] = weft.independent %{{.+}} "w"
//       CHECK:   %[[Y:.+]] = weft.mul %[[O]], %{{.+}}
//       CHECK:   weft.gradient %[[Y]] by %[[O]] :
func.func @elsewhere(%x: tensor<2xf32> loc("x"), %o: tensor<2xf32> loc("o")) -> tensor<2xf32> {
  %w = "onnx.Constant"() {value = dense<3.0> : tensor<2xf32>, weft.outputs = ["w"]} : () -> tensor<2xf32>
  %y = "onnx.Mul"(%w, %x) {weft.outputs = ["y"]} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %g = "onnx.training.Gradient"(%o) {xs = ["w"], y = "y", weft.outputs = ["g"]} : (tensor<2xf32>) -> tensor<2xf32>
  return %g : tensor<2xf32>
}
