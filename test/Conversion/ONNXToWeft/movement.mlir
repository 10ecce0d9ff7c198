// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @reshape_minus_one(
//       CHECK:   weft.reshape %{{.+}} : tensor<2x3x4xf32> to tensor<2x12xf32>
func.func @reshape_minus_one(%x: tensor<2x3x4xf32>) -> tensor<2x12xf32> {
  %shape = onnx.Constant() {value = dense<[0, -1]> : tensor<2xi64>} : () -> tensor<2xi64>
  %y = onnx.Reshape(%x, %shape) : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<2x12xf32>
  return %y : tensor<2x12xf32>
}

// -----

// CHECK-LABEL: func.func @slice_backwards(
//       CHECK:   weft.slice %{{.+}} [7] [8] [-1]
func.func @slice_backwards(%x: tensor<8xf32>) -> tensor<8xf32> {
  %start = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %end = onnx.Constant() {value = dense<-9223372036854775807> : tensor<1xi64>} : () -> tensor<1xi64>
  %axes = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  %y = onnx.Slice(%x, %start, %end, %axes, %start) : (tensor<8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

// The last part takes what is left.
// CHECK-LABEL: func.func @split_unevenly(
//   CHECK-DAG:   weft.slice %{{.+}} [0] [3] [1]
//   CHECK-DAG:   weft.slice %{{.+}} [3] [3] [1]
//   CHECK-DAG:   weft.slice %{{.+}} [6] [1] [1]
func.func @split_unevenly(%x: tensor<7xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<1xf32>) {
  %a, %b, %c = onnx.Split(%x) {num_outputs = 3 : i64} : (tensor<7xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<1xf32>)
  return %a, %b, %c : tensor<3xf32>, tensor<3xf32>, tensor<1xf32>
}

// -----

// A negative padding crops.
// CHECK-LABEL: func.func @pad_and_crop(
//       CHECK:   %[[P:.+]] = weft.slice %{{.+}} [1] [3] [1]
//       CHECK:   weft.pad %[[P]], %{{.+}} low [0] high [2]
func.func @pad_and_crop(%x: tensor<4xf32>) -> tensor<5xf32> {
  %pads = onnx.Constant() {value = dense<[-1, 2]> : tensor<2xi64>} : () -> tensor<2xi64>
  %y = onnx.Pad(%x, %pads) : (tensor<4xf32>, tensor<2xi64>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// CHECK-LABEL: func.func @gather_one(
//       CHECK:   weft.slice %{{.+}} [0, 2] [2, 1] [1, 1]
//       CHECK:   weft.reshape %{{.+}} to tensor<2xf32>
func.func @gather_one(%x: tensor<2x3xf32>) -> tensor<2xf32> {
  %at = onnx.Constant() {value = dense<-1> : tensor<i64>} : () -> tensor<i64>
  %y = onnx.Gather(%x, %at) {axis = 1 : i64} : (tensor<2x3xf32>, tensor<i64>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// CHECK-LABEL: func.func @nonzero(
//       CHECK:   %[[M:.+]] = weft.compare ne
//       CHECK:   weft.reduce sum
//       CHECK:   %[[N:.+]] = arith.index_cast
//       CHECK:   weft.nonzero %[[M]] count %[[N]]
func.func @nonzero(%x: tensor<2x3xf32>) -> tensor<2x?xi64> {
  %y = onnx.NonZero(%x) : (tensor<2x3xf32>) -> tensor<2x?xi64>
  return %y : tensor<2x?xi64>
}
