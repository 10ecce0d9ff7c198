// RUN: weft-opt %s --allow-unregistered-dialect -convert-onnx-to-weft -split-input-file | FileCheck %s

// Two levels: each row walks down two steps.
// CHECK-LABEL: func.func @tree_ensemble(
//       CHECK:   %[[TWO:.+]] = arith.constant 2 : index
//       CHECK:   scf.for %{{.+}} = %{{.+}} to %[[TWO]]
//       CHECK:     weft.gather_elements
//       CHECK:     weft.compare le
//       CHECK:   weft.reduce sum
func.func @tree_ensemble(%x: tensor<?x2xf32>) -> tensor<?x1xf32> {
  %y = "onnx.ml.TreeEnsemble"(%x) {n_targets = 1 : i64, tree_roots = array<i64: 0>,
      nodes_splits = dense<[0.5, 1.5]> : tensor<2xf32>, nodes_modes = dense<0> : tensor<2xui8>,
      nodes_featureids = array<i64: 0, 1>, nodes_truenodeids = array<i64: 1, 0>,
      nodes_falsenodeids = array<i64: 2, 1>, nodes_trueleafs = array<i64: 0, 1>,
      nodes_falseleafs = array<i64: 1, 1>, leaf_targetids = array<i64: 0, 0, 0>,
      leaf_weights = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : (tensor<?x2xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// -----

// CHECK-LABEL: func.func @linear_classifier(
//       CHECK:   weft.contract
//       CHECK:   weft.softmax
//       CHECK:   weft.arg_reduce max
//       CHECK:   weft.gather
func.func @linear_classifier(%x: tensor<5x2xf32>) -> (tensor<5xi64>, tensor<5x2xf32>) {
  %y, %z = "onnx.ml.LinearClassifier"(%x) {coefficients = array<f32: 1.0, 2.0, 3.0, 4.0>, intercepts = array<f32: 0.0, 1.0>,
      classlabels_ints = array<i64: 7, 8>, post_transform = "SOFTMAX"} : (tensor<5x2xf32>) -> (tensor<5xi64>, tensor<5x2xf32>)
  return %y, %z : tensor<5xi64>, tensor<5x2xf32>
}
