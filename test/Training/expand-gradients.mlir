// RUN: weft-opt %s -expand-gradients -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @square(
//  CHECK-SAME:   %[[X:.+]]: tensor<?xf32>, %[[Z:.+]]: tensor<2xf32>)
//   CHECK-NOT:   weft.independent
//   CHECK-NOT:   weft.gradient
//       CHECK:   weft.mul %[[X]], %[[X]]
//       CHECK:   %[[A:.+]] = weft.mul %{{.+}}, %[[X]]
//       CHECK:   %[[B:.+]] = weft.mul %{{.+}}, %[[X]]
//       CHECK:   %[[G:.+]] = weft.add %[[A]], %[[B]]
//       CHECK:   %[[ZERO:.+]] = weft.broadcast %{{.+}} : tensor<f32> to tensor<2xf32>
//       CHECK:   return %[[G]], %[[ZERO]]
func.func @square(%x: tensor<?xf32>, %z: tensor<2xf32>) -> (tensor<?xf32>, tensor<2xf32>) {
  %v = weft.independent %x "x" : tensor<?xf32>
  %y = weft.mul %v, %v : tensor<?xf32>
  %g:2 = weft.gradient %y by %v, %z : tensor<?xf32> by tensor<?xf32>, tensor<2xf32>
  return %g#0, %g#1 : tensor<?xf32>, tensor<2xf32>
}

// -----

// The second one finds the ops of the first.
// CHECK-LABEL: func.func @twice(
//   CHECK-NOT:   weft.gradient
//       CHECK:   return
func.func @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %v = weft.independent %x "x" : tensor<4xf32>
  %y = weft.exp %v : tensor<4xf32>
  %g = weft.gradient %y by %v : tensor<4xf32> by tensor<4xf32>
  %h = weft.gradient %g by %v : tensor<4xf32> by tensor<4xf32>
  return %h : tensor<4xf32>
}

// -----

// A branch that asks for the gradient of what is outside has it made outside.
// CHECK-LABEL: func.func @outside(
//       CHECK:   %[[Y:.+]] = weft.exp
//       CHECK:   %[[G:.+]] = weft.mul
//       CHECK:   scf.if
//       CHECK:     scf.yield %[[G]]
func.func @outside(%flag: i1, %x: tensor<4xf32>) -> tensor<4xf32> {
  %v = weft.independent %x "x" : tensor<4xf32>
  %y = weft.exp %v : tensor<4xf32>
  %r = scf.if %flag -> tensor<4xf32> {
    %g = weft.gradient %y by %v : tensor<4xf32> by tensor<4xf32>
    scf.yield %g : tensor<4xf32>
  } else {
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}
