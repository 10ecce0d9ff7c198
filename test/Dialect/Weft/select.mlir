// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --mlir-print-op-generic | weft-opt | FileCheck %s

// CHECK-LABEL: func.func @random_uniform(
// CHECK-SAME:    %[[SEED:.+]]: tensor<i64>, %[[N:.+]]: index)
func.func @random_uniform(%seed: tensor<i64>, %n: index) -> tensor<2x?xf32> {
  // CHECK: weft.random_uniform %[[SEED]] stream 3 sizes(%[[N]]) : tensor<i64>, tensor<2x?xf32>
  %0 = weft.random_uniform %seed stream 3 sizes(%n)
      : tensor<i64>, tensor<2x?xf32>
  // CHECK: weft.random_uniform %[[SEED]] stream 0 : tensor<i64>, tensor<f32>
  %1 = weft.random_uniform %seed stream 0 : tensor<i64>, tensor<f32>
  return %0 : tensor<2x?xf32>
}

// The dimensions of the indices replace the axis.
// CHECK-LABEL: func.func @gather(
func.func @gather(%x: tensor<5x?x4xf32>, %i: tensor<2x?xi64>)
    -> tensor<5x2x?x4xf32> {
  // CHECK: weft.gather %{{.+}}, %{{.+}} axis 1 : tensor<5x?x4xf32>, tensor<2x?xi64>
  %0 = weft.gather %x, %i axis 1 : tensor<5x?x4xf32>, tensor<2x?xi64>
  return %0 : tensor<5x2x?x4xf32>
}

// CHECK-LABEL: func.func @gather_scalar(
func.func @gather_scalar(%x: tensor<3xf8E4M3FN>, %i: tensor<i32>)
    -> tensor<f8E4M3FN> {
  // CHECK: weft.gather %{{.+}}, %{{.+}} axis 0 : tensor<3xf8E4M3FN>, tensor<i32>
  %0 = weft.gather %x, %i axis 0 : tensor<3xf8E4M3FN>, tensor<i32>
  return %0 : tensor<f8E4M3FN>
}

// CHECK-LABEL: func.func @gather_elements(
func.func @gather_elements(%x: tensor<3x8xf32>, %i: tensor<3x?xi64>)
    -> tensor<3x?xf32> {
  // CHECK: weft.gather_elements %{{.+}}, %{{.+}} axis 1 : tensor<3x8xf32>, tensor<3x?xi64>
  %0 = weft.gather_elements %x, %i axis 1 : tensor<3x8xf32>, tensor<3x?xi64>
  return %0 : tensor<3x?xf32>
}

// CHECK-LABEL: func.func @gather_nd(
func.func @gather_nd(%x: tensor<2x5x6x?xf32>, %i: tensor<2x7x2xi64>)
    -> tensor<2x7x?xf32> {
  // CHECK: weft.gather_nd %{{.+}}, %{{.+}} batch_dims 1 : tensor<2x5x6x?xf32>, tensor<2x7x2xi64>
  %0 = weft.gather_nd %x, %i batch_dims 1
      : tensor<2x5x6x?xf32>, tensor<2x7x2xi64>
  return %0 : tensor<2x7x?xf32>
}

// CHECK-LABEL: func.func @scatter_elements(
func.func @scatter_elements(%x: tensor<5x3xf32>, %i: tensor<2x3xi64>,
                            %u: tensor<2x3xf32>) -> tensor<5x3xf32> {
  // CHECK: weft.scatter_elements set %{{.+}}, %{{.+}}, %{{.+}} axis 0 : tensor<5x3xf32>, tensor<2x3xi64>, tensor<2x3xf32>
  %0 = weft.scatter_elements set %x, %i, %u axis 0
      : tensor<5x3xf32>, tensor<2x3xi64>, tensor<2x3xf32>
  // CHECK: weft.scatter_elements add
  %1 = weft.scatter_elements add %0, %i, %u axis 0
      : tensor<5x3xf32>, tensor<2x3xi64>, tensor<2x3xf32>
  // CHECK: weft.scatter_elements mul
  %2 = weft.scatter_elements mul %1, %i, %u axis 0
      : tensor<5x3xf32>, tensor<2x3xi64>, tensor<2x3xf32>
  // CHECK: weft.scatter_elements max
  %3 = weft.scatter_elements max %2, %i, %u axis 0
      : tensor<5x3xf32>, tensor<2x3xi64>, tensor<2x3xf32>
  // CHECK: weft.scatter_elements min
  %4 = weft.scatter_elements min %3, %i, %u axis 0
      : tensor<5x3xf32>, tensor<2x3xi64>, tensor<2x3xf32>
  return %4 : tensor<5x3xf32>
}

// CHECK-LABEL: func.func @scatter_nd(
func.func @scatter_nd(%x: tensor<8x?xf32>, %i: tensor<4x1xi64>,
                      %u: tensor<4x?xf32>) -> tensor<8x?xf32> {
  // CHECK: weft.scatter_nd max %{{.+}}, %{{.+}}, %{{.+}} : tensor<8x?xf32>, tensor<4x1xi64>, tensor<4x?xf32>
  %0 = weft.scatter_nd max %x, %i, %u
      : tensor<8x?xf32>, tensor<4x1xi64>, tensor<4x?xf32>
  return %0 : tensor<8x?xf32>
}

// CHECK-LABEL: func.func @scatter_nd_batch(
func.func @scatter_nd_batch(%x: tensor<?x8x5xf32>, %i: tensor<2x4x1xi64>,
                            %u: tensor<2x4x5xf32>) -> tensor<?x8x5xf32> {
  // CHECK: weft.scatter_nd add %{{.+}}, %{{.+}}, %{{.+}} batch_dims 1 : tensor<?x8x5xf32>, tensor<2x4x1xi64>, tensor<2x4x5xf32>
  %0 = weft.scatter_nd add %x, %i, %u batch_dims 1
      : tensor<?x8x5xf32>, tensor<2x4x1xi64>, tensor<2x4x5xf32>
  return %0 : tensor<?x8x5xf32>
}

// CHECK-LABEL: func.func @top_k(
// CHECK-SAME:    %[[X:.+]]: tensor<3x8xf32>, %[[N:.+]]: index)
func.func @top_k(%x: tensor<3x8xf32>, %n: index)
    -> (tensor<3x2xf32>, tensor<3x?xi64>) {
  // CHECK: weft.top_k %[[X]] axis 1 largest : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi64>
  %v, %i = weft.top_k %x axis 1 largest
      : tensor<3x8xf32> to tensor<3x2xf32>, tensor<3x2xi64>
  // CHECK: weft.top_k %[[X]] axis 1 size %[[N]] : tensor<3x8xf32> to tensor<3x?xf32>, tensor<3x?xi64>
  %w, %j = weft.top_k %x axis 1 size %n
      : tensor<3x8xf32> to tensor<3x?xf32>, tensor<3x?xi64>
  return %v, %j : tensor<3x2xf32>, tensor<3x?xi64>
}

// CHECK-LABEL: func.func @nonzero(
func.func @nonzero(%x: tensor<2x3xi1>, %n: index) -> tensor<2x?xi64> {
  // CHECK: weft.nonzero %{{.+}} count %{{.+}} : tensor<2x3xi1> to tensor<2x?xi64>
  %0 = weft.nonzero %x count %n : tensor<2x3xi1> to tensor<2x?xi64>
  return %0 : tensor<2x?xi64>
}
