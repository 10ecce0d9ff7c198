// RUN: weft-opt %s -split-input-file --prepare-training | FileCheck %s
// RUN: weft-opt %s -split-input-file -prepare-training="settings='bn=train freeze=scale'" | FileCheck %s --check-prefix=BATCH

// Weights become arguments with the value that they start from; a table that is
// multiplied with, a number and what feeds no weight stay as they are. Dropout
// is switched on.
// CHECK-LABEL: func.func @main(
//  CHECK-SAME:   %[[X:arg0]]: tensor<?x4xf32>
//  CHECK-SAME:   %[[W:arg1]]: tensor<4x3xf32> {weft.initial = #weft.extern<"w.bin", 0, 48, false> : tensor<4x3xf32>, weft.name = "w", weft.role = "parameter"}
//  CHECK-SAME:   %[[B:arg2]]: tensor<3xf32> {weft.initial = dense<{{.*}}> : tensor<3xf32>, weft.name = "b", weft.role = "parameter"}
//       CHECK:   %[[TABLE:.*]] = onnx.Constant{{.*}}"table"
//       CHECK:   %[[Y:.*]] = onnx.Gemm(%[[X]], %[[W]], %[[B]])
//       CHECK:   %[[YES:.*]] = onnx.Constant{{.*}}dense<true> : tensor<i1>
//       CHECK:   onnx.Dropout(%[[Y]], %{{.*}}, %[[YES]])
func.func @main(%x: tensor<?x4xf32> {weft.name = "x"}) -> (tensor<?x3xf32> {weft.name = "y"}) {
  %w = onnx.Constant() {value = #weft.extern<"w.bin", 0, 48, false> : tensor<4x3xf32>, weft.outputs = ["w"]} : () -> tensor<4x3xf32>
  %b = onnx.Constant() {value = dense<[0.0, 1.0, 2.0]> : tensor<3xf32>, weft.outputs = ["b"]} : () -> tensor<3xf32>
  %t = onnx.Constant() {value = dense<1.0> : tensor<5x3xf32>, weft.outputs = ["table"]} : () -> tensor<5x3xf32>
  %r = onnx.Constant() {value = dense<0.5> : tensor<f32>, weft.outputs = ["ratio"]} : () -> tensor<f32>
  %y = onnx.Gemm(%x, %w, %b) {weft.outputs = ["h"]} : (tensor<?x4xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  %d = onnx.Dropout(%y, %r) {weft.outputs = ["d"]} : (tensor<?x3xf32>, tensor<f32>) -> tensor<?x3xf32>
  %m = onnx.Mul(%d, %t) {weft.outputs = ["y"]} : (tensor<?x3xf32>, tensor<5x3xf32>) -> tensor<?x3xf32>
  return %m : tensor<?x3xf32>
}

// -----

// With bn=train the running statistics are state, whose next values leave the
// function. What freeze matches stays a constant.
// BATCH: func.func @main(%arg0: tensor<?x2x4xf32>
//  BATCH-SAME:   "bias", weft.role = "parameter"}
//  BATCH-SAME:   "mean", weft.role = "state"}
//  BATCH-SAME:   "var", weft.role = "state"}
//  BATCH-SAME:   {weft.name = "mean", weft.role = "state", weft.twin = 2 : i64}
//  BATCH-SAME:   {weft.name = "var", weft.role = "state", weft.twin = 3 : i64}
//       BATCH:   onnx.Constant{{.*}}"scale"
//       BATCH:   %[[N:.*]]:3 = onnx.BatchNormalization{{.*}}training_mode = 1
//       BATCH:   return %[[N]]#0, %[[N]]#1, %[[N]]#2
func.func @main(%x: tensor<?x2x4xf32> {weft.name = "x"}) -> (tensor<?x2x4xf32> {weft.name = "y"}) {
  %s = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>, weft.outputs = ["scale"]} : () -> tensor<2xf32>
  %b = onnx.Constant() {value = dense<[3.0, 4.0]> : tensor<2xf32>, weft.outputs = ["bias"]} : () -> tensor<2xf32>
  %m = onnx.Constant() {value = dense<[5.0, 6.0]> : tensor<2xf32>, weft.outputs = ["mean"]} : () -> tensor<2xf32>
  %v = onnx.Constant() {value = dense<[7.0, 8.0]> : tensor<2xf32>, weft.outputs = ["var"]} : () -> tensor<2xf32>
  %y = onnx.BatchNormalization(%x, %s, %b, %m, %v) {weft.outputs = ["y"]} : (tensor<?x2x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<?x2x4xf32>
  return %y : tensor<?x2x4xf32>
}
