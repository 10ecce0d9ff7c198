// RUN: weft-opt %s -weft-test-emit -split-input-file | FileCheck %s

// Dimensions that stay pass through; only those that are joined need division.
// CHECK-LABEL: func.func @split(
// CHECK:         ^bb0(%[[N:.+]]: index, %[[I:.+]]: index, %[[C:.+]]: index):
// CHECK:           %[[R:.+]] = arith.remui %[[I]], %{{.+}} : index
// CHECK:           %[[Q:.+]] = arith.divui %[[I]], %{{.+}} : index
// CHECK-NOT:       arith.divui
// CHECK:           tensor.extract %{{.+}}[%[[N]], %[[Q]], %[[R]], %[[C]]]
func.func @split(%x: tensor<?x4x4x3xf32>) -> tensor<?x16x3xf32> {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?x4x4x3xf32>
  %0 = weft.reshape %x sizes(%n) : tensor<?x4x4x3xf32> to tensor<?x16x3xf32>
  return %0 : tensor<?x16x3xf32>
}

// -----

// Joining dimensions needs no division.
// CHECK-LABEL: func.func @join(
// CHECK:         ^bb0(%[[N:.+]]: index, %[[I:.+]]: index, %[[J:.+]]: index):
// CHECK-NOT:       arith.divui
// CHECK:           %[[M:.+]] = arith.muli %[[I]], %{{.+}} : index
// CHECK:           %[[A:.+]] = arith.addi %[[M]], %[[J]] : index
// CHECK:           tensor.extract %{{.+}}[%[[N]], %[[A]]]
func.func @join(%x: tensor<?x16xf32>, %n: index) -> tensor<?x4x4xf32> {
  %0 = weft.reshape %x sizes(%n) : tensor<?x16xf32> to tensor<?x4x4xf32>
  return %0 : tensor<?x4x4xf32>
}

// -----

// Dimensions of size one cost nothing.
// CHECK-LABEL: func.func @units(
// CHECK:         ^bb0(%[[I:.+]]: index, %{{.+}}: index, %[[J:.+]]: index):
// CHECK-NOT:       arith.{{add|mul|div|rem}}
// CHECK:           tensor.extract %{{.+}}[%{{.+}}, %[[I]], %[[J]]]
func.func @units(%x: tensor<1x?x4xf32>, %n: index) -> tensor<?x1x4xf32> {
  %0 = weft.reshape %x sizes(%n) : tensor<1x?x4xf32> to tensor<?x1x4xf32>
  return %0 : tensor<?x1x4xf32>
}

// -----

// Only a size that may be one at run time is asked for.
// CHECK-LABEL: func.func @broadcast(
// CHECK:         ^bb0(%{{.+}}: index, %[[I:.+]]: index, %[[J:.+]]: index):
// CHECK:           %[[ONE:.+]] = arith.cmpi eq
// CHECK:           %[[K:.+]] = arith.select %[[ONE]], %{{.+}}, %[[I]] : index
// CHECK-NOT:       arith.select
// CHECK:           tensor.extract %{{.+}}[%[[K]], %[[J]]]
func.func @broadcast(%x: tensor<?x4xf32>, %n: index) -> tensor<2x?x4xf32> {
  %0 = weft.broadcast %x dims [1, 2] sizes(%n)
      : tensor<?x4xf32> to tensor<2x?x4xf32>
  return %0 : tensor<2x?x4xf32>
}

// -----

// A dimension that is filled or not padded is not tested.
// CHECK-LABEL: func.func @pad(
// CHECK:           arith.cmpi ult
// CHECK-NOT:       arith.cmpi
// CHECK:           scf.if
func.func @pad(%x: tensor<4x4xf32>, %v: tensor<f32>) -> tensor<4x6xf32> {
  %0 = weft.pad %x, %v low [0, 1] high [0, 1]
      : tensor<4x4xf32>, tensor<f32> to tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

// Of the places between elements, none is read.
// CHECK-LABEL: func.func @pad_interior(
// CHECK:           %[[REST:.+]] = arith.remui %{{.+}}, %[[STEP:.+]] : index
// CHECK:           %[[AT:.+]] = arith.divui %{{.+}}, %[[STEP]] : index
// CHECK:           arith.cmpi eq, %[[REST]]
// CHECK:           arith.cmpi ult, %[[AT]]
// CHECK:           scf.if
func.func @pad_interior(%x: tensor<4xf32>, %v: tensor<f32>) -> tensor<11xf32> {
  %0 = weft.pad %x, %v low [1] high [0] interior [2]
      : tensor<4xf32>, tensor<f32> to tensor<11xf32>
  return %0 : tensor<11xf32>
}

// -----

// Half-precision numbers are computed in f32.
// CHECK-LABEL: func.func @half(
// CHECK:           %[[A:.+]] = arith.extf %{{.+}} : f16 to f32
// CHECK:           %[[B:.+]] = math.exp %[[A]] : f32
// CHECK:           arith.truncf %[[B]] : f32 to f16
func.func @half(%x: tensor<2xf16>) -> tensor<2xf16> {
  %0 = weft.exp %x : tensor<2xf16>
  return %0 : tensor<2xf16>
}
