// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s -canonicalize -cse | FileCheck %s

// Nothing folds through an independent tensor, and two of one value stay two.
// CHECK-LABEL: func.func @independent(
//       CHECK:   %[[C:.+]] = weft.constant
//       CHECK:   %[[A:.+]] = weft.independent %[[C]] "a" : tensor<2xf32>
//       CHECK:   %[[B:.+]] = weft.independent %[[C]] "b" : tensor<2xf32>
//       CHECK:   %[[Y:.+]] = weft.add %[[A]], %[[B]]
//       CHECK:   %[[G:.+]]:2 = weft.gradient %[[Y]] by %[[A]], %[[B]] : tensor<2xf32> by tensor<2xf32>, tensor<2xf32>
//       CHECK:   return %[[G]]#0, %[[G]]#1
func.func @independent() -> (tensor<2xf32>, tensor<2xf32>) {
  %c = weft.constant dense<1.0> : tensor<2xf32>
  %a = weft.independent %c "a" : tensor<2xf32>
  %b = weft.independent %c "b" : tensor<2xf32>
  %y = weft.add %a, %b : tensor<2xf32>
  %g:2 = weft.gradient %y by %a, %b : tensor<2xf32> by tensor<2xf32>, tensor<2xf32>
  return %g#0, %g#1 : tensor<2xf32>, tensor<2xf32>
}
