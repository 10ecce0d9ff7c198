// RUN: weft-opt %s --build-training-step="settings='loss=mse accumulate=4'" -canonicalize -cse | FileCheck %s

// Sums over the batches of an update are state, which the sums of a batch begin
// at. The gradient of a bias is summed in the order of the samples, too; factors
// that are the same for all batches stay outside.
// CHECK: module attributes {weft.ordered}
// CHECK-LABEL: func.func @main(
//  CHECK-SAME:   %[[BATCHES:arg[0-9]+]]: tensor<i64> {weft.name = "weft.batches", weft.role = "state"}
//  CHECK-SAME:   %[[LOSS:arg[0-9]+]]: tensor<f64> {weft.name = "weft.loss", weft.role = "state"}
//  CHECK-SAME:   %[[WEIGHT:arg[0-9]+]]: tensor<f64> {weft.name = "weft.weight", weft.role = "state"}
//  CHECK-SAME:   %[[W:arg[0-9]+]]: tensor<4x3xf32> {weft.name = "w.gradient", weft.role = "state"}
//  CHECK-SAME:   %[[B:arg[0-9]+]]: tensor<3xf32> {weft.name = "b.gradient", weft.role = "state"}
//       CHECK:   %[[LAST:.*]] = weft.compare ge
//       CHECK:   weft.contract {{.*}} init(%[[LOSS]] : tensor<f64>)
//       CHECK:   %[[TOTAL:.*]] = weft.add %[[WEIGHT]]
//       CHECK:   %[[SUM:.*]] = weft.contract %{{.*}}, %{{.*}} init(%[[W]] : tensor<4x3xf32>) batch [] x [] contract [0] x [0]
//       CHECK:   weft.contract %{{.*}}, %{{.*}} init(%[[B]] : tensor<3xf32>) batch [] x [] contract [0] x [0]
//       CHECK:   weft.mul
// The sums begin anew after the last batch.
//       CHECK:   weft.select %{{.*}}, %{{.*}}, %[[SUM]]
func.func @main(%x: tensor<?x4xf32> {weft.name = "x", weft.dims = ["N", ""]}, %w: tensor<4x3xf32> {weft.name = "w", weft.role = "parameter"}, %b: tensor<3xf32> {weft.name = "b", weft.role = "parameter"}) -> (tensor<?x3xf32> {weft.name = "y", weft.dims = ["N", ""]}) {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?x4xf32>
  %y = weft.contract %x, %w batch [] x [] contract [1] x [0] : tensor<?x4xf32>, tensor<4x3xf32> -> tensor<?x3xf32>
  %half = weft.constant dense<0.5> : tensor<3xf32>
  %c = weft.mul %b, %half : tensor<3xf32>
  %d = weft.broadcast %c dims [1] sizes(%n) : tensor<3xf32> to tensor<?x3xf32>
  %z = weft.add %y, %d : tensor<?x3xf32>
  return %z : tensor<?x3xf32>
}
