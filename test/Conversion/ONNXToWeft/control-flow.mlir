// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @branches(
//       CHECK:   %[[C:.+]] = tensor.extract
//       CHECK:   %[[R:.+]] = scf.if %[[C]] -> (tensor<?xf32>)
//       CHECK:     weft.concat
//       CHECK:     tensor.cast %{{.+}} : tensor<6xf32> to tensor<?xf32>
//       CHECK:   } else {
//       CHECK:     tensor.cast %{{.+}} : tensor<3xf32> to tensor<?xf32>
func.func @branches(%c: tensor<i1>, %x: tensor<3xf32>) -> tensor<?xf32> {
  %y = "onnx.If"(%c) ({
    %0 = "onnx.Concat"(%x, %x) {axis = 0 : i64} : (tensor<3xf32>, tensor<3xf32>) -> tensor<6xf32>
    "onnx.yield"(%0) : (tensor<6xf32>) -> ()
  }, {
    "onnx.yield"(%x) : (tensor<3xf32>) -> ()
  }) {weft.graphs = ["then_branch", "else_branch"]} : (tensor<i1>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @constant_condition(
//   CHECK-NOT:   scf.if
//       CHECK:   weft.neg
func.func @constant_condition(%x: tensor<3xf32>) -> tensor<3xf32> {
  %c = "onnx.Constant"() {value = dense<true> : tensor<i1>} : () -> tensor<i1>
  %y = "onnx.If"(%c) ({
    %0 = "onnx.Neg"(%x) : (tensor<3xf32>) -> tensor<3xf32>
    "onnx.yield"(%0) : (tensor<3xf32>) -> ()
  }, {
    "onnx.yield"(%x) : (tensor<3xf32>) -> ()
  }) {weft.graphs = ["then_branch", "else_branch"]} : (tensor<i1>) -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

// The condition only goes round, so this is a counted loop.
// CHECK-LABEL: func.func @counted(
//       CHECK:   %[[ROOM:.+]] = weft.broadcast {{.+}} to tensor<?x3xf32>
//       CHECK:   scf.for %[[I:[^ ]+]] = {{.+}} iter_args(%[[X:.+]] = %{{.+}}, %[[ALL:.+]] = %[[ROOM]])
//       CHECK:     %[[NEXT:.+]] = weft.add %[[X]], %[[X]]
//       CHECK:     %[[ROW:.+]] = weft.reshape %[[NEXT]]
//       CHECK:     weft.update_slice %[[ROW]] into %[[ALL]] [%[[I]], 0]
func.func @counted(%m: tensor<i64>, %x: tensor<3xf32>) -> (tensor<3xf32>, tensor<?x3xf32>) {
  %c = "onnx.Constant"() {value = dense<true> : tensor<i1>} : () -> tensor<i1>
  %y:2 = "onnx.Loop"(%m, %c, %x) ({
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %v: tensor<3xf32>):
    %0 = "onnx.Add"(%v, %v) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    "onnx.yield"(%going, %0, %0) : (tensor<i1>, tensor<3xf32>, tensor<3xf32>) -> ()
  }) {weft.graphs = ["body"]} : (tensor<i64>, tensor<i1>, tensor<3xf32>) -> (tensor<3xf32>, tensor<?x3xf32>)
  return %y#0, %y#1 : tensor<3xf32>, tensor<?x3xf32>
}

// -----

// CHECK-LABEL: func.func @while(
//       CHECK:   %[[R:.+]]:4 = scf.while
//       CHECK:     arith.cmpi slt
//       CHECK:     scf.condition
//       CHECK:   } do {
//       CHECK:     weft.compare lt
//       CHECK:     weft.update_slice
//       CHECK:     scf.yield
//       CHECK:   weft.slice %[[R]]#1 [0] [%[[R]]#2] [1]
func.func @while(%m: tensor<i64>, %x: tensor<f32>) -> (tensor<f32>, tensor<?xf32>) {
  %c = "onnx.Constant"() {value = dense<true> : tensor<i1>} : () -> tensor<i1>
  %y:2 = "onnx.Loop"(%m, %c, %x) ({
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %v: tensor<f32>):
    %0 = "onnx.Add"(%v, %v) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    %limit = "onnx.Constant"() {value = dense<100.0> : tensor<f32>} : () -> tensor<f32>
    %1 = "onnx.Less"(%0, %limit) : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "onnx.yield"(%1, %0, %0) : (tensor<i1>, tensor<f32>, tensor<f32>) -> ()
  }) {weft.graphs = ["body"]} : (tensor<i64>, tensor<i1>, tensor<f32>) -> (tensor<f32>, tensor<?xf32>)
  return %y#0, %y#1 : tensor<f32>, tensor<?xf32>
}

// -----

// A carried tensor that grows is carried with a symbolic size.
// CHECK-LABEL: func.func @growing(
//       CHECK:   scf.for {{.+}} -> (tensor<?xf32>)
//       CHECK:     weft.concat
func.func @growing(%m: tensor<i64>, %x: tensor<1xf32>) -> tensor<?xf32> {
  %none = "onnx.none"() : () -> none
  %y = "onnx.Loop"(%m, %none, %x) ({
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %v: tensor<?xf32>):
    %0 = "onnx.Concat"(%v, %x) {axis = 0 : i64} : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
    "onnx.yield"(%going, %0) : (tensor<i1>, tensor<?xf32>) -> ()
  }) {weft.graphs = ["body"]} : (tensor<i64>, none, tensor<1xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// With few iterations it is written out, and all sizes are known.
// CHECK-LABEL: func.func @written_out(
//   CHECK-NOT:   scf.for
//       CHECK:   weft.concat {{.+}} -> tensor<4xf32>
func.func @written_out(%x: tensor<1xf32>) -> tensor<?xf32> {
  %m = "onnx.Constant"() {value = dense<3> : tensor<i64>} : () -> tensor<i64>
  %none = "onnx.none"() : () -> none
  %y = "onnx.Loop"(%m, %none, %x) ({
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %v: tensor<?xf32>):
    %0 = "onnx.Concat"(%v, %x) {axis = 0 : i64} : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
    "onnx.yield"(%going, %0) : (tensor<i1>, tensor<?xf32>) -> ()
  }) {weft.graphs = ["body"]} : (tensor<i64>, none, tensor<1xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @scan(
//       CHECK:   scf.for %[[I:[^ ]+]] =
//       CHECK:     %[[T:.+]] = arith.subi
//       CHECK:     weft.slice %{{.+}} [0, %[[T]]] [2, 1] [1, 1]
//       CHECK:     weft.update_slice %{{.+}} [%[[I]], 0]
func.func @scan(%s: tensor<2xf32>, %x: tensor<2x?xf32>) -> (tensor<2xf32>, tensor<?x2xf32>) {
  %y:2 = "onnx.Scan"(%s, %x) ({
  ^bb0(%state: tensor<2xf32>, %e: tensor<2xf32>):
    %0 = "onnx.Add"(%state, %e) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    "onnx.yield"(%0, %0) : (tensor<2xf32>, tensor<2xf32>) -> ()
  }) {num_scan_inputs = 1 : i64, scan_input_axes = array<i64: 1>, scan_input_directions = array<i64: 1>, weft.graphs = ["body"]} : (tensor<2xf32>, tensor<2x?xf32>) -> (tensor<2xf32>, tensor<?x2xf32>)
  return %y#0, %y#1 : tensor<2xf32>, tensor<?x2xf32>
}
