// RUN: weft-opt %s --convert-dispatch-to-host -split-input-file | FileCheck %s

// What arguments and results are for goes into the tables, and initial values
// become constants of the program; one that the program uses is one constant.
// CHECK: host.inputs = [#host.port<"x", tensor<?x4xf32>, [0, -1]>,
// CHECK-SAME: #host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 1, initial = @data_0>,
// CHECK-SAME: #host.port<"v", tensor<4xf32>, [-1], role = state, twin = 2>,
// CHECK-SAME: #host.port<"rate", tensor<f32>, [], role = rate>,
// CHECK-SAME: #host.port<"seed", tensor<i64>, [], role = seed>]
// CHECK-SAME: host.outputs = [#host.port<"loss", tensor<f32>, [], role = loss>,
// CHECK-SAME: #host.port<"w.new", tensor<4xf32>, [-1], role = parameter, twin = 1>,
// CHECK-SAME: #host.port<"output2", tensor<4xf32>, [-1], role = state, twin = 2>,
// CHECK-SAME: #host.port<"hits", tensor<i64>, [], role = metric>,
// CHECK-SAME: #host.port<"one", tensor<4xf32>, [-1]>]
// CHECK-COUNT-1: host.data @data_0 "w" dense<1.000000e+00> : tensor<4xf32>
// CHECK-NOT: host.data
// CHECK-LABEL: func.func @main()
func.func @main(
    %x: tensor<?x4xf32> {weft.name = "x", weft.dims = ["N", ""]},
    %w: tensor<4xf32> {weft.name = "w", weft.role = "parameter", weft.initial = dense<1.0> : tensor<4xf32>},
    %v: tensor<4xf32> {weft.name = "v", weft.role = "state"},
    %rate: tensor<f32> {weft.name = "rate", weft.role = "rate"},
    %seed: tensor<i64> {weft.name = "seed", weft.role = "seed"})
    -> (tensor<f32> {weft.name = "loss", weft.role = "loss"},
        tensor<4xf32> {weft.name = "w.new", weft.role = "parameter", weft.twin = 1 : i64},
        tensor<4xf32> {weft.role = "state", weft.twin = 2 : i64},
        tensor<i64> {weft.name = "hits", weft.role = "metric"},
        tensor<4xf32> {weft.name = "one"}) {
  %one = weft.constant dense<1.0> : tensor<4xf32>
  return %rate, %w, %v, %seed, %one : tensor<f32>, tensor<4xf32>, tensor<4xf32>, tensor<i64>, tensor<4xf32>
}
