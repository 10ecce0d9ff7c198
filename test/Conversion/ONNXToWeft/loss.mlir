// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @cross_entropy(
//       CHECK:   weft.reduce max %{{.+}} axes [1]
//       CHECK:   weft.exp
//       CHECK:   weft.log
//       CHECK:   weft.gather_elements %{{.+}}, %{{.+}} axis 1
//       CHECK:   weft.neg
//       CHECK:   weft.reduce sum %{{.+}} axes [0]
//       CHECK:   weft.div
func.func @cross_entropy(%x: tensor<3x5xf32>, %t: tensor<3xi64>) -> tensor<f32> {
  %y = "onnx.SoftmaxCrossEntropyLoss"(%x, %t) : (tensor<3x5xf32>, tensor<3xi64>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// The index to ignore is not used for a look-up.
// CHECK-LABEL: func.func @ignore_index(
//  CHECK-SAME:     %{{.+}}: tensor<3x5x2xf32>, %[[T:.+]]: tensor<3x2xi64>, %[[W:.+]]: tensor<5xf32>
//       CHECK:   %[[IGNORED:.+]] = weft.compare eq %[[T]],
//       CHECK:   %[[SAFE:.+]] = weft.select %[[IGNORED]], %{{.+}}, %[[T]]
//       CHECK:   weft.gather %[[W]], %[[SAFE]] axis 0
func.func @ignore_index(%x: tensor<3x5x2xf32>, %t: tensor<3x2xi64>, %w: tensor<5xf32>) -> tensor<3x2xf32> {
  %y = "onnx.NegativeLogLikelihoodLoss"(%x, %t, %w) {ignore_index = -1 : i64, reduction = "none"} : (tensor<3x5x2xf32>, tensor<3x2xi64>, tensor<5xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}
