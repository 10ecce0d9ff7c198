// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --mlir-print-op-generic | weft-opt | FileCheck %s

// CHECK-LABEL: func.func @left_out(
//       CHECK:   %[[NONE:.+]] = onnx.none
//       CHECK:   onnx.Clip(%{{.+}}, %[[NONE]], %{{.+}}) : (tensor<?x4xf32>, none, tensor<f32>) -> tensor<?x4xf32>
func.func @left_out(%x: tensor<?x4xf32>, %max: tensor<f32>)
    -> tensor<?x4xf32> {
  %none = onnx.none
  %y = onnx.Clip(%x, %none, %max)
    : (tensor<?x4xf32>, none, tensor<f32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @graphs(
//       CHECK:   onnx.Loop(%{{.+}}, %{{.+}}, %{{.+}}) ({
//  CHECK-NEXT:   ^bb0(%{{.+}}: tensor<i64>, %[[C:.+]]: tensor<i1>, %[[V:.+]]: tensor<f32>):
//       CHECK:     onnx.yield %[[C]], %{{.+}} : tensor<i1>, tensor<f32>
//       CHECK:   }) {weft.graphs = ["body"]} : (tensor<i64>, tensor<i1>, tensor<f32>) -> tensor<f32>
func.func @graphs(%n: tensor<i64>, %c: tensor<i1>, %v: tensor<f32>)
    -> tensor<f32> {
  %r = onnx.Loop(%n, %c, %v) ({
  ^bb0(%i: tensor<i64>, %go: tensor<i1>, %x: tensor<f32>):
    %y = onnx.Neg(%x) : (tensor<f32>) -> tensor<f32>
    onnx.yield %go, %y : tensor<i1>, tensor<f32>
  }) {weft.graphs = ["body"]}
    : (tensor<i64>, tensor<i1>, tensor<f32>) -> tensor<f32>
  return %r : tensor<f32>
}

// CHECK-LABEL: func.func @types(
//  CHECK-SAME:   !onnx.seq<tensor<?xf32>>, %{{.+}}: !onnx.optional<!onnx.seq<tensor<*x!onnx.string>>>, %{{.+}}: !onnx.map<i64, tensor<f32>>
func.func @types(%a: !onnx.seq<tensor<?xf32>>,
                 %b: !onnx.optional<!onnx.seq<tensor<*x!onnx.string>>>,
                 %c: !onnx.map<i64, tensor<f32>>) {
  // CHECK: onnx.Constant() {value = dense<"a"> : tensor<2x!onnx.string>}
  %w = onnx.Constant() {value = dense<"a"> : tensor<2x!onnx.string>}
    : () -> tensor<2x!onnx.string>
  // CHECK: onnx.ml.Normalizer({{.+}}) {norm = "L1"}
  %x = onnx.Constant() {value = dense<1.0> : tensor<1x3xf32>}
    : () -> tensor<1x3xf32>
  %y = onnx.ml.Normalizer(%x) {norm = "L1"}
    : (tensor<1x3xf32>) -> tensor<1x3xf32>
  return
}
