// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @construct_and_take(
//  CHECK-SAME:     %[[A:.+]]: tensor<2xf32>, %[[B:.+]]: tensor<3xf32>
//  CHECK-NEXT:   return %[[B]]
func.func @construct_and_take(%a: tensor<2xf32>, %b: tensor<3xf32>) -> tensor<3xf32> {
  %i = "onnx.Constant"() {value = dense<-1> : tensor<i64>} : () -> tensor<i64>
  %s = "onnx.SequenceConstruct"(%a, %b) : (tensor<2xf32>, tensor<3xf32>) -> !onnx.seq<tensor<?xf32>>
  %y = "onnx.SequenceAt"(%s, %i) : (!onnx.seq<tensor<?xf32>>, tensor<i64>) -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

// CHECK-LABEL: func.func @split_and_stack(
//       CHECK:   weft.slice %{{.+}} [0, 0] [1, 3] [1, 1]
//       CHECK:   weft.slice %{{.+}} [1, 0] [1, 3] [1, 1]
//       CHECK:   weft.concat {{.+}} axis 1
func.func @split_and_stack(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %s = "onnx.SplitToSequence"(%x) {keepdims = 0 : i64} : (tensor<2x3xf32>) -> !onnx.seq<tensor<3xf32>>
  %y = "onnx.ConcatFromSequence"(%s) {axis = 1 : i64, new_axis = 1 : i64} : (!onnx.seq<tensor<3xf32>>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// CHECK-LABEL: func.func @map(
//       CHECK:   weft.neg
//       CHECK:   weft.neg
//       CHECK:   weft.concat
func.func @map(%a: tensor<2xf32>, %b: tensor<3xf32>) -> tensor<5xf32> {
  %s = "onnx.SequenceConstruct"(%a, %b) : (tensor<2xf32>, tensor<3xf32>) -> !onnx.seq<tensor<?xf32>>
  %m = "onnx.SequenceMap"(%s) ({
  ^bb0(%e: tensor<?xf32>):
    %0 = "onnx.Neg"(%e) : (tensor<?xf32>) -> tensor<?xf32>
    "onnx.yield"(%0) : (tensor<?xf32>) -> ()
  }) {weft.graphs = ["body"]} : (!onnx.seq<tensor<?xf32>>) -> !onnx.seq<tensor<?xf32>>
  %y = "onnx.ConcatFromSequence"(%m) {axis = 0 : i64} : (!onnx.seq<tensor<?xf32>>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Slices of which the run alone tells the number stay one tensor.

// CHECK-LABEL: func.func @slices_of_symbolic_axis(
//  CHECK-SAME:     %[[X:.+]]: tensor<2x?xf32>
//       CHECK:   %[[SIZE:.+]] = tensor.dim %[[X]], %c1
//       CHECK:   %[[T:.+]] = weft.transpose %[[X]] [1, 0]
//       CHECK:   %[[Y:.+]] = weft.gather %[[T]], %{{.+}} axis 0
//       CHECK:   %[[N:.+]] = arith.index_cast %[[SIZE]]
//       CHECK:   return %[[Y]]
func.func @slices_of_symbolic_axis(%x: tensor<2x?xf32>) -> (tensor<2xf32>, tensor<i64>) {
  %i = "onnx.Constant"() {value = dense<3> : tensor<i64>} : () -> tensor<i64>
  %s = "onnx.SplitToSequence"(%x) {axis = 1 : i64, keepdims = 0 : i64} : (tensor<2x?xf32>) -> !onnx.seq<tensor<2xf32>>
  %y = "onnx.SequenceAt"(%s, %i) : (!onnx.seq<tensor<2xf32>>, tensor<i64>) -> tensor<2xf32>
  %n = "onnx.SequenceLength"(%s) : (!onnx.seq<tensor<2xf32>>) -> tensor<i64>
  return %y, %n : tensor<2xf32>, tensor<i64>
}

// -----

// CHECK-LABEL: func.func @kept_axis_of_slices(
//       CHECK:   weft.transpose %{{.+}} [1, 0]
//       CHECK:   weft.reshape {{.+}} to tensor<?x2x1xf32>
//       CHECK:   weft.gather {{.+}} axis 0 {{.*}}: tensor<?x2x1xf32>, tensor<i64>
func.func @kept_axis_of_slices(%x: tensor<2x?xf32>, %i: tensor<i64>) -> tensor<2x1xf32> {
  %s = "onnx.SplitToSequence"(%x) {axis = 1 : i64} : (tensor<2x?xf32>) -> !onnx.seq<tensor<2x1xf32>>
  %y = "onnx.SequenceAt"(%s, %i) : (!onnx.seq<tensor<2x1xf32>>, tensor<i64>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}
