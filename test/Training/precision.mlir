// RUN: weft-opt %s --build-training-step="settings='loss=mse precision=bf16'" -canonicalize -cse | FileCheck %s
// RUN: weft-opt %s --build-training-step="settings='loss=mse precision=f16'" -canonicalize -cse | FileCheck %s --check-prefix=SCALE

// Operands of products are rounded, once each; what is summed is f32. The sum
// over the bias's gradient is none of products.
//   CHECK-LABEL: func.func @main(
//    CHECK-SAME:   %[[X:arg0]]: tensor<?x4xf32>
//    CHECK-SAME:   %[[W:arg1]]: tensor<4x3xf32>
//     CHECK-DAG:   %[[NARROW:.*]] = weft.cast %[[X]] : tensor<?x4xf32> to tensor<?x4xbf16>
//     CHECK-DAG:   %[[V:.*]] = weft.cast %[[W]] : tensor<4x3xf32> to tensor<4x3xbf16>
//         CHECK:   weft.contract %[[NARROW]], %[[V]] {{.*}} : tensor<?x4xbf16>, tensor<4x3xbf16> -> tensor<?x3xf32>
//         CHECK:   weft.contract %[[NARROW]], %{{.*}} init({{.*}}) {{.*}} : tensor<?x4xbf16>, tensor<?x3xbf16> -> tensor<4x3xf32>
//         CHECK:   weft.contract %{{.*}}, %{{.*}} init({{.*}}) {{.*}} : tensor<?xf32>, tensor<?x3xf32> -> tensor<3xf32>

// The scale of the loss is a state, with the value that it begins with.
//   SCALE-LABEL: func.func @main(
//    SCALE-SAME:   tensor<f32> {weft.initial = dense<6.553600e+04> : tensor<f32>, weft.name = "weft.scale", weft.role = "state"}
//    SCALE-SAME:   tensor<i64> {weft.name = "weft.good_updates", weft.role = "state"}
//         SCALE:   weft.cast {{.*}} to tensor<?x3xf16>
//         SCALE:   weft.reduce max
func.func @main(%x: tensor<?x4xf32> {weft.name = "x", weft.dims = ["N", ""]}, %w: tensor<4x3xf32> {weft.name = "w", weft.role = "parameter"}, %b: tensor<3xf32> {weft.name = "b", weft.role = "parameter"}) -> (tensor<?x3xf32> {weft.name = "y", weft.dims = ["N", ""]}) {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?x4xf32>
  %y = weft.contract %x, %w batch [] x [] contract [1] x [0] : tensor<?x4xf32>, tensor<4x3xf32> -> tensor<?x3xf32>
  %d = weft.broadcast %b dims [1] sizes(%n) : tensor<3xf32> to tensor<?x3xf32>
  %z = weft.add %y, %d : tensor<?x3xf32>
  return %z : tensor<?x3xf32>
}
