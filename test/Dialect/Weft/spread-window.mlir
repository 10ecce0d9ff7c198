// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s -resolve-ranked-shaped-type-result-dims -canonicalize | FileCheck %s --check-prefix=SIZES
// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s --check-prefix=VALUE
// RUN: weft-opt %s -weft-test-emit -weft-test-evaluate -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK-LABEL: func.func @round_trip(
// SIZES-LABEL: func.func @round_trip(
func.func @round_trip(%g: tensor<2x?xf32>, %i: tensor<2x?xi64>, %n: index)
    -> (tensor<2x?xf32>, tensor<2x?xf32>, index) {
  // CHECK: weft.spread_window %{{.+}} at %{{.+}} window [1, 2] strides [1, 2] low [0, 1] high [0, 0] dilations [1, 1] sizes(%{{.+}}) : tensor<2x?xf32>, tensor<2x?xi64> -> tensor<2x?xf32>
  %0 = weft.spread_window %g at %i window [1, 2] strides [1, 2] low [0, 1]
      high [0, 0] dilations [1, 1] sizes(%n)
      : tensor<2x?xf32>, tensor<2x?xi64> -> tensor<2x?xf32>
  // CHECK: weft.spread_window %{{.+}} window [1, 2] strides [1, 2] low [0, 1] high [0, 0] dilations [1, 1] sizes(%{{.+}}) : tensor<2x?xf32> -> tensor<2x?xf32>
  %1 = weft.spread_window %g window [1, 2] strides [1, 2] low [0, 1]
      high [0, 0] dilations [1, 1] sizes(%n)
      : tensor<2x?xf32> -> tensor<2x?xf32>
  // SIZES: return %{{.+}}, %{{.+}}, %arg2
  %c1 = arith.constant 1 : index
  %2 = tensor.dim %1, %c1 : tensor<2x?xf32>
  return %0, %1, %2 : tensor<2x?xf32>, tensor<2x?xf32>, index
}

// Element 2 lies under all windows, element 0 under the first alone.
// VALUE: {{^}}overlapping:
// VALUE-NEXT: dense<[2.000000e+00, 5.000000e+00, 9.000000e+00, 7.000000e+00]> : tensor<4xf32>
func.func @overlapping() -> tensor<4xf32> {
  %g = weft.constant dense<[2.0, 3.0, 4.0]> : tensor<3xf32>
  %y = weft.spread_window %g window [3] strides [1] low [0] high [1]
      dilations [1] : tensor<3xf32> -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// The second window's element is the last, the third lies in the padding.
// VALUE: {{^}}chosen:
// VALUE-NEXT: dense<[2.000000e+00, 0.000000e+00, 0.000000e+00, 3.000000e+00]> : tensor<4xf32>
func.func @chosen() -> tensor<4xf32> {
  %g = weft.constant dense<[2.0, 3.0, 4.0]> : tensor<3xf32>
  %i = weft.constant dense<[0, 3, -1]> : tensor<3xi64>
  %y = weft.spread_window %g at %i window [2] strides [2] low [0] high [2]
      dilations [1] : tensor<3xf32>, tensor<3xi64> -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// VALUE: {{^}}skipped:
// VALUE-NEXT: dense<[2.000000e+00, 0.000000e+00, 2.000000e+00, 0.000000e+00, 3.000000e+00, 0.000000e+00, 3.000000e+00]> : tensor<7xf32>
func.func @skipped() -> tensor<7xf32> {
  %g = weft.constant dense<[2.0, 3.0]> : tensor<2xf32>
  %y = weft.spread_window %g window [2] strides [4] low [0] high [0]
      dilations [2] : tensor<2xf32> -> tensor<7xf32>
  return %y : tensor<7xf32>
}
