// RUN: weft-opt %s --allow-unregistered-dialect -convert-onnx-to-weft | FileCheck %s

// The momentum is the second result and makes the first.
// CHECK-LABEL: func.func @momentum(
//  CHECK-SAME:     %{{.+}}: tensor<f32>, %{{.+}}: tensor<i64>, %[[X:[^:]+]]: tensor<2xf32>
//       CHECK:   %[[V:.+]] = weft.add
//       CHECK:   %[[STEP:.+]] = weft.mul %{{.+}}, %[[V]]
//       CHECK:   %[[NEW:.+]] = weft.sub %[[X]], %[[STEP]]
//       CHECK:   return %[[NEW]], %[[V]]
func.func @momentum(%r: tensor<f32>, %t: tensor<i64>, %x: tensor<2xf32>, %g: tensor<2xf32>, %v: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %a, %b = "onnx.training.Momentum"(%r, %t, %x, %g, %v) {alpha = 0.9 : f32, beta = 1.0 : f32, mode = "standard", norm_coefficient = 0.0 : f32}
      : (tensor<f32>, tensor<i64>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return %a, %b : tensor<2xf32>, tensor<2xf32>
}
