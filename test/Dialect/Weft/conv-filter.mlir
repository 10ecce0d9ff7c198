// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s -resolve-ranked-shaped-type-result-dims -canonicalize | FileCheck %s --check-prefix=SIZES
// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK-LABEL: func.func @round_trip(
// SIZES-LABEL: func.func @round_trip(
func.func @round_trip(%x: tensor<2x?x?x7xf16>, %g: tensor<2x?x?x15xf32>,
                      %taps: index) -> (tensor<?x?x?x3xf32>, index, index, index) {
  // CHECK: weft.conv_filter %{{.+}}, %{{.+}} strides [2, 1] low [1, 2] high [1, 2] input_dilation [1, 2] filter_dilation [2, 1] groups 2 sizes(%{{.+}}) : tensor<2x?x?x7xf16>, tensor<2x?x?x15xf32> -> tensor<?x?x?x3xf32>
  %0 = weft.conv_filter %x, %g strides [2, 1] low [1, 2] high [1, 2]
      input_dilation [1, 2] filter_dilation [2, 1] groups 2 sizes(%taps)
      : tensor<2x?x?x7xf16>, tensor<2x?x?x15xf32> -> tensor<?x?x?x3xf32>
  // SIZES-DAG: %[[C2:.+]] = arith.constant 2 : index
  // SIZES-DAG: %[[OUTPUTS:.+]] = tensor.dim %{{.+}}, %c1 : tensor<2x?x?x15xf32>
  // SIZES-DAG: %[[CHANNELS:.+]] = tensor.dim %{{.+}}, %c1 : tensor<2x?x?x7xf16>
  //     SIZES: %[[GROUP:.+]] = arith.divui %[[CHANNELS]], %[[C2]]
  //     SIZES: return %{{.+}}, %[[OUTPUTS]], %[[GROUP]], %arg2
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %1 = tensor.dim %0, %c0 : tensor<?x?x?x3xf32>
  %2 = tensor.dim %0, %c1 : tensor<?x?x?x3xf32>
  %3 = tensor.dim %0, %c2 : tensor<?x?x?x3xf32>
  return %0, %1, %2, %3 : tensor<?x?x?x3xf32>, index, index, index
}

// VALUE: {{^}}correlation:
// VALUE-NEXT: dense<{{\[\[\[\[}}3.000000e+00, -1.000000e+01, 1.850000e+01], [1.800000e+01, 1.000000e+00, -1.550000e+01]]], {{\[\[\[}}1.000000e+00, 3.000000e+00, -2.000000e+00], [6.000000e+00, 1.000000e+01, 0.000000e+00]]]]> : tensor<2x1x2x3xf32>
func.func @correlation() -> tensor<2x1x2x3xf32> {
  %x = weft.constant dense<[[[[1.0, -2.0, 3.0, 0.0], [2.0, 1.0, -1.0, 4.0],
      [0.0, 5.0, 2.0, -3.0]]]]> : tensor<1x1x3x4xf32>
  %g = weft.constant dense<[[[[1.0, 2.0, -1.0], [0.5, -2.0, 3.0]],
      [[2.0, 0.0, 1.0], [-1.0, 1.0, 1.0]]]]> : tensor<1x2x2x3xf32>
  %w = weft.conv_filter %x, %g strides [1, 1] low [0, 1] high [0, 0]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<1x1x3x4xf32>, tensor<1x2x2x3xf32> -> tensor<2x1x2x3xf32>
  return %w : tensor<2x1x2x3xf32>
}

// VALUE: {{^}}symbolic_taps:
// VALUE-NEXT: dense<{{\[\[\[}}8.000000e+00, 5.000000e+00]]]> : tensor<1x1x2xf32>
func.func @symbolic_taps() -> tensor<1x1x?xf32> {
  %x = weft.constant dense<[[[2.0, 1.0, 3.0, 2.0]]]> : tensor<1x1x4xf32>
  %g = weft.constant dense<[[[1.0, 0.0, 2.0]]]> : tensor<1x1x3xf32>
  %two = arith.constant 2 : index
  %w = weft.conv_filter %x, %g strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1 sizes(%two)
      : tensor<1x1x4xf32>, tensor<1x1x3xf32> -> tensor<1x1x?xf32>
  return %w : tensor<1x1x?xf32>
}

// VALUE: {{^}}begun:
// VALUE-NEXT: dense<{{\[\[\[}}1.800000e+01, 2.500000e+01]]]> : tensor<1x1x2xf32>
func.func @begun() -> tensor<1x1x2xf32> {
  %x = weft.constant dense<[[[2.0, 1.0, 3.0, 2.0]]]> : tensor<1x1x4xf32>
  %g = weft.constant dense<[[[1.0, 0.0, 2.0]]]> : tensor<1x1x3xf32>
  %c = weft.constant dense<[[[10.0, 20.0]]]> : tensor<1x1x2xf32>
  %w = weft.conv_filter %x, %g init(%c : tensor<1x1x2xf32>) strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x1x4xf32>, tensor<1x1x3xf32> -> tensor<1x1x2xf32>
  return %w : tensor<1x1x2xf32>
}
