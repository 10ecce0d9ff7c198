// RUN: weft-opt %s --build-training-step="settings='loss=mse optimizer=momentum momentum=0.5'" -canonicalize -cse | FileCheck %s
// RUN: weft-opt %s --build-training-step="settings='loss=mse evaluate=true'" -canonicalize -cse | FileCheck %s --check-prefix=EVALUATE

// Labels like the output, what the optimizer remembers, rate and seed become
// arguments; loss, and new values tied to the old ones, results.
// CHECK-LABEL: func.func @main(
//  CHECK-SAME:   %[[X:arg0]]: tensor<?x4xf32> {weft.dims = ["N", ""], weft.name = "x"}
//  CHECK-SAME:   %[[W:arg1]]: tensor<4x3xf32> {weft.name = "w", weft.role = "parameter"}
//  CHECK-SAME:   %[[LABELS:arg2]]: tensor<?x3xf32> {weft.dims = ["N", ""], weft.name = "labels"}
//  CHECK-SAME:   %[[COUNT:arg3]]: tensor<i64> {weft.name = "weft.step", weft.role = "state"}
//  CHECK-SAME:   %[[RATE:arg4]]: tensor<f32> {weft.name = "rate", weft.role = "rate"}
//  CHECK-SAME:   %[[SPEED:arg5]]: tensor<4x3xf32> {weft.name = "w.momentum", weft.role = "state"}
//  CHECK-SAME:   tensor<i64> {weft.name = "seed", weft.role = "seed"}
//  CHECK-SAME:   -> (tensor<f32> {weft.name = "loss", weft.role = "loss"},
//  CHECK-SAME:   tensor<i64> {weft.name = "weft.step", weft.role = "state", weft.twin = 3 : i64},
//  CHECK-SAME:   tensor<4x3xf32> {weft.name = "w", weft.role = "parameter", weft.twin = 1 : i64},
//  CHECK-SAME:   tensor<4x3xf32> {weft.name = "w.momentum", weft.role = "state", weft.twin = 5 : i64})
//       CHECK:   %[[Y:.*]] = weft.contract %[[X]], %[[W]]
//       CHECK:   %[[D:.*]] = weft.sub %[[Y]], %[[LABELS]]
//       CHECK:   %[[LOSS:.*]] = weft.contract {{.*}} init(
//       CHECK:   weft.contract %[[X]], {{.*}} init({{.*}} contract [0] x [0]
//       CHECK:   weft.mul {{.*}}, %[[SPEED]]
//       CHECK:   weft.sub %[[LOSS]], %[[LOSS]]
//       CHECK:   weft.select

// EVALUATE-LABEL: func.func @main(
//  EVALUATE-SAME:   %arg2: tensor<?x3xf32> {weft.dims = ["N", ""], weft.name = "labels"})
//  EVALUATE-SAME:   -> (tensor<f32> {weft.name = "loss", weft.role = "loss"})
func.func @main(%x: tensor<?x4xf32> {weft.name = "x", weft.dims = ["N", ""]}, %w: tensor<4x3xf32> {weft.name = "w", weft.role = "parameter"}) -> (tensor<?x3xf32> {weft.name = "y", weft.dims = ["N", ""]}) {
  %y = weft.contract %x, %w batch [] x [] contract [1] x [0] : tensor<?x4xf32>, tensor<4x3xf32> -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
