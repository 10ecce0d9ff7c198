// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --mlir-print-op-generic | weft-opt | FileCheck %s

// CHECK-LABEL: func.func @sources(
// CHECK-SAME:    %[[N:.+]]: index)
func.func @sources(%n: index)
    -> (tensor<2xf32>, tensor<4x4xf32>, tensor<2x?xi64>) {
  // CHECK: weft.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
  %0 = weft.constant dense<[1.0, 2.0]> : tensor<2xf32>
  // CHECK: weft.constant #weft.extern<"model.onnx", 1024, 64, false> : tensor<4x4xf32>
  %1 = weft.constant #weft.extern<"model.onnx", 1024, 64, false> : tensor<4x4xf32>
  // CHECK: weft.iota axis 1 sizes(%[[N]]) : tensor<2x?xi64>
  %2 = weft.iota axis 1 sizes(%n) : tensor<2x?xi64>
  return %0, %1, %2 : tensor<2xf32>, tensor<4x4xf32>, tensor<2x?xi64>
}

// CHECK-LABEL: func.func @reshape(
func.func @reshape(%x: tensor<?x4x4xf32>, %n: index) -> tensor<?x16xf32> {
  // CHECK: weft.reshape %{{.+}} sizes(%{{.+}}) : tensor<?x4x4xf32> to tensor<?x16xf32>
  %0 = weft.reshape %x sizes(%n) : tensor<?x4x4xf32> to tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// CHECK-LABEL: func.func @transpose(
func.func @transpose(%x: tensor<2x?xf32>) -> tensor<?x2xf32> {
  // CHECK: weft.transpose %{{.+}} [1, 0] : tensor<2x?xf32>
  %0 = weft.transpose %x [1, 0] : tensor<2x?xf32>
  return %0 : tensor<?x2xf32>
}

// CHECK-LABEL: func.func @broadcast(
func.func @broadcast(%x: tensor<4xf32>, %n: index) -> tensor<?x4xf32> {
  // CHECK: weft.broadcast %{{.+}} dims [1] sizes(%{{.+}}) : tensor<4xf32> to tensor<?x4xf32>
  %0 = weft.broadcast %x dims [1] sizes(%n) : tensor<4xf32> to tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @slice(
// CHECK-SAME:    %[[X:.+]]: tensor<4x?xf32>, %[[O:.+]]: index, %[[S:.+]]: index)
func.func @slice(%x: tensor<4x?xf32>, %o: index, %s: index)
    -> tensor<4x?xf32> {
  // CHECK: weft.slice %[[X]] [0, %[[O]]] [4, %[[S]]] [1, -1] : tensor<4x?xf32> to tensor<4x?xf32>
  %0 = weft.slice %x [0, %o] [4, %s] [1, -1]
      : tensor<4x?xf32> to tensor<4x?xf32>
  return %0 : tensor<4x?xf32>
}

// CHECK-LABEL: func.func @update_slice(
func.func @update_slice(%s: tensor<1x4xf32>, %d: tensor<8x4xf32>, %i: index)
    -> tensor<8x4xf32> {
  // CHECK: weft.update_slice %{{.+}} into %{{.+}} [%{{.+}}, 0] : tensor<1x4xf32>, tensor<8x4xf32>
  %0 = weft.update_slice %s into %d [%i, 0] : tensor<1x4xf32>, tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @concat(
func.func @concat(%a: tensor<2x3xf32>, %b: tensor<?x3xf32>)
    -> tensor<?x3xf32> {
  // CHECK: weft.concat %{{.+}}, %{{.+}} axis 0 : (tensor<2x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  %0 = weft.concat %a, %b axis 0
      : (tensor<2x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// CHECK-LABEL: func.func @pad(
func.func @pad(%x: tensor<4x4xf32>, %v: tensor<f32>, %h: index)
    -> tensor<4x?xf32> {
  // CHECK: weft.pad %{{.+}}, %{{.+}} low [0, 1] high [0, %{{.+}}] : tensor<4x4xf32>, tensor<f32> to tensor<4x?xf32>
  %0 = weft.pad %x, %v low [0, 1] high [0, %h]
      : tensor<4x4xf32>, tensor<f32> to tensor<4x?xf32>
  return %0 : tensor<4x?xf32>
}

// CHECK-LABEL: func.func @pad_interior(
func.func @pad_interior(%x: tensor<4x4xf32>, %v: tensor<f32>, %i: index)
    -> tensor<7x?xf32> {
  // CHECK: weft.pad %{{.+}}, %{{.+}} low [0, 0] high [0, 0] interior [1, %{{.+}}] : tensor<4x4xf32>, tensor<f32> to tensor<7x?xf32>
  %0 = weft.pad %x, %v low [0, 0] high [0, 0] interior [1, %i]
      : tensor<4x4xf32>, tensor<f32> to tensor<7x?xf32>
  return %0 : tensor<7x?xf32>
}
