// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s

// CHECK: {{^}}matmul:
// CHECK-NEXT: dense<{{\[\[}}2.375000e+00, -8.187500e+00], [-5.687500e+00, 5.750000e+00], [2.381250e+01, -1.550000e+01]]> : tensor<3x2xf32>
func.func @matmul() -> (tensor<3x2xf32>) {
  %a = weft.constant dense<[[-2.25, -0.0, 1.75, -2.0], [-0.5, 1.25, -2.25,
      0.25], [-2.0, 2.25, 4.75, 4.0]]> : tensor<3x4xf32>
  %b = weft.constant dense<[[-0.5, 1.5], [0.25, 0.25], [3.0, -2.75], [2.0,
      -0.0]]> : tensor<4x2xf32>
  %y = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<3x4xf32>, tensor<4x2xf32> -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// CHECK: {{^}}batch_matmul:
// CHECK-NEXT: dense<{{\[\[\[}}-7.937500e+00, -7.187500e+00, 6.937500e+00, 5.500000e+00, -8.125000e-01], [-4.000000e+00, 1.875000e+00, 1.125000e+00, 4.250000e+00, -3.125000e+00], [1.112500e+01, 8.562500e+00, -9.687500e+00, -8.125000e+00, 1.875000e-01]], {{\[\[}}-4.687500e+00, -1.625000e+00, 1.143750e+01, 3.812500e+00, 6.750000e+00], [-1.318750e+01, 2.500000e-01, 1.625000e+00, 1.262500e+01, -2.187500e+00], [1.018750e+01, 1.312500e+00, -8.437500e+00, -1.018750e+01, -2.000000e+00]]]> : tensor<2x3x5xf32>
func.func @batch_matmul() -> (tensor<2x3x5xf32>) {
  %a = weft.constant dense<[[[2.75, 0.25, -1.25, 0.5], [1.5, 0.0, 1.0, -1.0],
      [-4.25, 1.75, 1.5, 0.25]], [[0.25, 2.0, -1.0, -1.5], [-0.5, 2.5, -2.75,
      2.5], [-1.25, -2.25, 2.5, -0.25]]]> : tensor<2x3x4xf32>
  %b = weft.constant dense<[[[-2.5, -0.75, 1.75, 2.5, -0.75], [0.75, 1.5,
      -1.25, 0.75, -0.0]], [[-1.0, -1.0, 0.25, 0.0, -1.25], [-0.75, 2.25, 0.5,
      1.75, 2.5]], [[1.25, 4.5, -1.75, 1.5, -0.75], [3.75, 3.5, -4.0, -2.0,
      1.25]], [[1.5, 1.5, -0.25, 1.0, 1.25], [-0.25, 2.0, -4.5, 1.25,
      -2.0]]]> : tensor<4x2x5xf32>
  %y = weft.contract %a, %b batch [0] x [1] contract [2] x [0]
      : tensor<2x3x4xf32>, tensor<4x2x5xf32> -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}

// CHECK: {{^}}dot:
// CHECK-NEXT: dense<3.062500e+00> : tensor<f32>
func.func @dot() -> (tensor<f32>) {
  %a = weft.constant dense<[2.0, -0.5, -1.75, 0.75]> : tensor<4xf32>
  %b = weft.constant dense<[-1.75, -1.75, -3.25, -0.0]> : tensor<4xf32>
  %y = weft.contract %a, %b batch [] x [] contract [0] x [0] : tensor<4xf32>,
      tensor<4xf32> -> tensor<f32>
  return %y : tensor<f32>
}

// CHECK: {{^}}outer:
// CHECK-NEXT: dense<{{\[\[}}-2.500000e-01, 2.000000e+00, 0.000000e+00], [-5.000000e-01, 4.000000e+00, 0.000000e+00]]> : tensor<2x3xf32>
func.func @outer() -> (tensor<2x3xf32>) {
  %a = weft.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = weft.constant dense<[-0.25, 2.0, 0.0]> : tensor<3xf32>
  %y = weft.contract %a, %b batch [] x [] contract [] x [] : tensor<2xf32>,
      tensor<3xf32> -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// CHECK: {{^}}two_contracted:
// CHECK-NEXT: dense<{{\[\[}}-2.812500e+01, 4.250000e+00, -2.187500e+00, -8.250000e+00, 2.118750e+01], [-8.000000e+00, -8.562500e+00, -1.006250e+01, -5.937500e+00, -1.131250e+01], [-3.562500e+00, 8.250000e+00, 2.500000e-01, -3.500000e+00, 3.437500e+00]]> : tensor<3x5xf32>
func.func @two_contracted() -> (tensor<3x5xf32>) {
  %a = weft.constant dense<[[[-0.25, 1.25, 2.0, -0.75], [-0.5, -0.25, 0.25,
      -1.75], [2.0, -0.75, 1.0, -1.75]], [[0.75, 0.75, -0.75, 4.0], [0.75,
      3.5, 2.0, -1.25], [-0.75, 0.75, 0.0, 0.0]]]> : tensor<2x3x4xf32>
  %b = weft.constant dense<[[[-0.5, -3.5], [-0.5, -4.5], [0.75, -1.5], [-1.5,
      -0.5], [0.5, -2.75]], [[-3.5, -2.25], [-4.0, -2.0], [3.25, -2.0], [1.25,
      -2.75], [0.5, -0.75]], [[-0.0, 1.25], [3.5, 0.5], [0.25, -2.0], [1.25,
      -0.5], [1.75, -0.0]], [[3.5, -4.0], [-0.5, 1.75], [-0.75, -1.5], [-0.5,
      -2.75], [0.25, 5.0]]]> : tensor<4x5x2xf32>
  %y = weft.contract %a, %b batch [] x [] contract [0, 2] x [2, 0]
      : tensor<2x3x4xf32>, tensor<4x5x2xf32> -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// Elements are widened by their own signedness.
// CHECK: {{^}}contract_ui8_i8:
// CHECK-NEXT: dense<{{\[\[}}7746, 31513], [-1492, 33214]]> : tensor<2x2xi32>
func.func @contract_ui8_i8() -> (tensor<2x2xi32>) {
  %a = weft.constant dense<[[72, 165, 119], [46, 118, 238]]> : tensor<2x3xui8>
  %b = weft.constant dense<[[-56, 116], [106, 87], [-48, 74]]> : tensor<3x2xi8>
  %y = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<2x3xui8>, tensor<3x2xi8> -> tensor<2x2xi32>
  return %y : tensor<2x2xi32>
}

// CHECK: {{^}}contract_f16:
// CHECK-NEXT: dense<{{\[\[}}5.000000e+00, 3.437500e+00], [-5.687500e+00, -1.468750e+01]]> : tensor<2x2xf16>
func.func @contract_f16() -> (tensor<2x2xf16>) {
  %a = weft.constant dense<[[-1.5, 1.75, 1.75, -0.75, -2.25, -3.0, -1.5,
      -4.5], [1.5, -1.25, 1.0, 3.75, 2.25, -2.25, 1.75, 2.25]]>
      : tensor<2x8xf16>
  %b = weft.constant dense<[[-1.5, -2.0], [-0.25, -3.25], [3.0, -4.75],
      [-2.25, -0.5], [-0.5, 0.25], [0.5, -0.5], [2.25, -4.25], [-0.0,
      -1.5]]> : tensor<8x2xf16>
  %y = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<2x8xf16>, tensor<8x2xf16> -> tensor<2x2xf16>
  return %y : tensor<2x2xf16>
}

// CHECK: {{^}}contract_f16_to_f32:
// CHECK-NEXT: dense<{{\[\[}}6.250000e-01, 7.687500e+00], [-7.375000e+00, -8.250000e+00]]> : tensor<2x2xf32>
func.func @contract_f16_to_f32() -> (tensor<2x2xf32>) {
  %a = weft.constant dense<[[0.25, 0.5, -1.75, -1.25, 1.5, 0.75, -1.25, 4.0],
      [4.5, -3.0, 0.5, 5.0, 1.5, 0.5, -0.5, -1.0]]> : tensor<2x8xf16>
  %b = weft.constant dense<[[-0.5, -1.0], [1.5, -0.75], [-1.0, -2.5], [-0.0,
      -1.75], [-0.25, 2.0], [0.75, 1.0], [0.75, 0.0], [-0.25, -0.5]]>
      : tensor<8x2xf16>
  %y = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<2x8xf16>, tensor<8x2xf16> -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// CHECK: {{^}}conv_plain:
// CHECK-NEXT: dense<{{\[\[\[\[}}-8.812500e+00, -1.812500e+00, -3.750000e+00], [1.937500e+00, 7.500000e+00, -1.056250e+01], [1.218750e+01, 1.887500e+01, 9.437500e+00]], {{\[\[}}8.500000e+00, 8.312500e+00, -1.525000e+01], [1.593750e+01, 1.525000e+01, 2.562500e+00], [3.562500e+00, 1.687500e+00, 2.181250e+01]], {{\[\[}}5.250000e+00, 1.300000e+01, 1.525000e+01], [-8.437500e+00, -1.568750e+01, -1.387500e+01], [-5.625000e-01, 3.437500e+00, 2.237500e+01]]]]> : tensor<1x3x3x3xf32>
func.func @conv_plain() -> (tensor<1x3x3x3xf32>) {
  %x = weft.constant dense<[[[[1.5, -2.25, 2.75, 0.0, -1.5], [-1.0, -1.25,
      0.25, -1.5, 2.25], [-1.5, -4.5, -1.5, -4.0, -0.0], [2.0, 1.25, -2.75,
      -1.5, 3.5]], [[0.75, 0.0, 2.0, 5.0, 2.5], [0.25, 0.75, 1.25, -1.25,
      -2.0], [0.0, -2.0, -0.0, 0.25, 4.75], [-1.75, -0.25, -0.25, 0.75,
      2.0]]]]> : tensor<1x2x4x5xf32>
  %w = weft.constant dense<[[[[-1.0, -1.75, -3.25], [-1.75, 1.0, 0.0]],
      [[-2.0, -0.75, 0.0], [1.0, -1.25, -0.5]]], [[[-3.75, -2.25, 3.25],
      [-4.5, -0.75, 0.5]], [[-0.75, -1.5, -0.0], [-0.0, -0.25, -3.75]]],
      [[[-0.25, -1.75, -1.0], [0.5, 1.25, 1.75]], [[-1.0, 1.75, 2.25], [2.25,
      2.75, -0.25]]]]> : tensor<3x2x2x3xf32>
  %y = weft.conv %x, %w strides [1, 1] low [0, 0] high [0, 0]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<1x2x4x5xf32>, tensor<3x2x2x3xf32> -> tensor<1x3x3x3xf32>
  return %y : tensor<1x3x3x3xf32>
}

// CHECK: {{^}}conv_padded:
// CHECK-NEXT: dense<{{\[\[\[\[}}-1.125000e+01, -1.606250e+01, 6.687500e+00, 1.068750e+01, -7.375000e+00], [1.181250e+01, 1.606250e+01, -6.062500e+00, -2.812500e+00, -3.625000e+00]], {{\[\[}}-9.250000e+00, -1.500000e+00, -1.368750e+01, -1.100000e+01, 1.581250e+01], [9.375000e+00, -2.250000e+00, 6.187500e+00, -2.362500e+01, -1.143750e+01]]], {{\[\[\[}}5.562500e+00, 1.937500e+00, 1.493750e+01, 1.312500e+01, -1.875000e-01], [-6.937500e+00, 1.700000e+01, 5.875000e+00, 2.025000e+01, -2.381250e+01]], {{\[\[}}1.331250e+01, -4.812500e+00, -4.562500e+00, 1.006250e+01, 6.687500e+00], [4.625000e+00, 4.125000e+00, 9.062500e+00, 3.187500e+00, 3.087500e+01]]]]> : tensor<2x2x2x5xf32>
func.func @conv_padded() -> (tensor<2x2x2x5xf32>) {
  %x = weft.constant dense<[[[[-0.25, 1.75, -2.75, 0.5, -1.0], [-0.75, -3.5,
      -1.75, -0.0, 1.75], [2.0, -0.25, -0.5, -1.75, 0.75], [-0.5, 1.25, 3.5,
      -0.0, -3.0]], [[-1.75, -3.0, -2.5, 2.5, 0.5], [-3.0, 1.25, 2.5, -0.75,
      -1.25], [-0.75, 0.5, 1.25, 2.25, 2.5], [2.25, 2.75, 1.25, -3.0,
      -0.25]]], [[[0.75, -0.75, 1.75, -0.75, -1.75], [3.0, 1.25, 0.5, 1.75,
      2.25], [0.75, -5.0, -1.25, -1.0, -2.0], [0.5, 2.5, -1.0, -2.25, 4.0]],
      [[-1.0, -2.5, 0.5, 0.75, -1.5], [1.5, -1.0, -1.75, 0.25, 1.5], [-1.25,
      0.75, -0.25, 5.75, -1.5], [2.75, -0.0, -0.25, 1.5, 1.75]]]]>
      : tensor<2x2x4x5xf32>
  %w = weft.constant dense<[[[[2.5, 0.75, -1.25], [-1.0, 1.0, 1.25], [2.75,
      0.75, 2.0]], [[3.0, 0.25, -3.0], [-2.25, -3.0, 3.25], [-1.75, 2.5,
      1.25]]], [[[3.5, 2.0, -0.25], [-0.5, 0.25, 0.25], [-1.0, -0.0, 3.25]],
      [[-3.5, 0.5, -1.75], [0.25, 1.75, -0.0], [1.5, -3.25, 2.25]]]]>
      : tensor<2x2x3x3xf32>
  %y = weft.conv %x, %w strides [2, 1] low [1, 2] high [1, 0]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<2x2x4x5xf32>, tensor<2x2x3x3xf32> -> tensor<2x2x2x5xf32>
  return %y : tensor<2x2x2x5xf32>
}

// CHECK: {{^}}conv_dilated:
// CHECK-NEXT: dense<{{\[\[\[\[}}-3.750000e-01, -3.125000e-01, 9.250000e+00, -2.062500e+00], [-1.312500e+00, 5.000000e+00, 3.187500e+00, 2.375000e+00], [1.250000e+00, -4.312500e+00, -7.937500e+00, 9.687500e+00], [1.625000e+00, -8.125000e+00, 2.687500e+00, -1.106250e+01], [1.187500e+00, -7.500000e+00, -1.250000e-01, 1.368750e+01], [1.250000e+00, -4.625000e+00, 3.625000e+00, 6.875000e-01], [1.250000e+00, -3.625000e+00, 1.750000e+00, -2.500000e+00]], {{\[\[}}-1.000000e+00, -6.875000e+00, -7.312500e+00, 1.375000e+00], [-3.500000e+00, -7.812500e+00, -5.250000e+00, -2.000000e+00], [5.937500e+00, -1.500000e+00, 7.875000e+00, 8.625000e+00], [5.375000e+00, 1.056250e+01, -8.125000e-01, -6.250000e-02], [6.812500e+00, 3.375000e+00, -1.737500e+01, -1.700000e+01], [-1.875000e+00, 7.250000e+00, 4.812500e+00, -3.187500e+00], [-1.875000e+00, 5.750000e+00, 7.875000e+00, 1.025000e+01]]]]> : tensor<1x2x7x4xf32>
func.func @conv_dilated() -> (tensor<1x2x7x4xf32>) {
  %x = weft.constant dense<[[[[-1.25, 1.25, 0.25, -5.25, -1.5, 0.5, 3.0],
      [0.5, 0.5, -2.75, 2.75, 3.5, 0.0, -0.5], [-3.25, 1.75, 5.5, 1.5, 2.5,
      1.0, -2.0], [2.75, -2.5, -0.5, 0.5, 1.75, 0.75, 0.75], [-1.5, -2.5, 0.0,
      -1.5, -2.5, -2.5, -1.0], [-3.75, -2.75, -3.25, 0.25, 0.75, 4.0,
      -3.0]]]]> : tensor<1x1x6x7xf32>
  %w = weft.constant dense<[[[[-1.25, 1.75, -0.5], [-0.75, 3.5, -0.75]]],
      [[[-2.25, -2.75, 0.75], [0.5, -2.75, -2.0]]]]> : tensor<2x1x2x3xf32>
  %y = weft.conv %x, %w strides [1, 2] low [2, 3] high [2, 1]
      input_dilation [1, 1] filter_dilation [3, 2] groups 1
      : tensor<1x1x6x7xf32>, tensor<2x1x2x3xf32> -> tensor<1x2x7x4xf32>
  return %y : tensor<1x2x7x4xf32>
}

// CHECK: {{^}}conv_grouped:
// CHECK-NEXT: dense<{{\[\[\[}}1.875000e+01, 7.062500e+00, -7.375000e+00, 9.500000e+00, 2.187500e+01, 3.562500e+00], [7.625000e+00, -4.625000e+00, 2.125000e+00, -3.125000e-01, 1.181250e+01, -8.750000e+00], [3.250000e+00, -3.437500e+00, -1.812500e+00, 2.562500e+00, 4.062500e+00, -9.000000e+00], [8.000000e+00, 4.000000e+00, -2.231250e+01, -2.525000e+01, 6.250000e-02, -1.425000e+01], [1.562500e+00, -3.062500e+00, -7.250000e+00, 8.687500e+00, -1.218750e+01, 1.250000e+00], [-6.875000e+00, 6.875000e+00, 2.000000e+01, 5.937500e+00, -3.125000e+00, 1.968750e+01]]]> : tensor<1x6x6xf32>
func.func @conv_grouped() -> (tensor<1x6x6xf32>) {
  %x = weft.constant dense<[[[1.0, 1.25, -1.25, 1.25, 1.25], [-3.5, -0.5,
      0.75, -1.25, -4.25], [-0.5, 1.5, 3.25, -4.5, 5.25], [-2.25, 2.0, 2.5,
      2.0, 0.25]]]> : tensor<1x4x5xf32>
  %w = weft.constant dense<[[[-2.25, 1.25], [-1.5, -5.0]], [[5.75, 1.5],
      [3.75, -1.75]], [[3.0, 3.25], [3.0, -0.0]], [[-2.5, -0.25], [-4.5,
      -3.5]], [[0.25, -2.0], [-0.25, -0.25]], [[3.75, 2.5], [-0.0, 2.5]]]>
      : tensor<6x2x2xf32>
  %y = weft.conv %x, %w strides [1] low [1] high [1]
      input_dilation [1] filter_dilation [1] groups 2 : tensor<1x4x5xf32>,
      tensor<6x2x2xf32> -> tensor<1x6x6xf32>
  return %y : tensor<1x6x6xf32>
}

// CHECK: {{^}}conv_pointwise:
// CHECK-NEXT: dense<{{\[\[}}1.125000e+00, 2.187500e+00, 6.250000e+00, 5.937500e+00], [1.250000e+00, 4.000000e+00, -1.250000e+00, -1.500000e+00]]> : tensor<2x4xf32>
func.func @conv_pointwise() -> (tensor<2x4xf32>) {
  %x = weft.constant dense<[[-2.5, 2.75, -2.0], [1.0, -0.0, -2.0]]>
      : tensor<2x3xf32>
  %w = weft.constant dense<[[-0.75, -1.0, -1.0], [1.5, 1.25, -1.25], [-1.75,
      0.5, -0.25], [2.0, 5.25, 1.75]]> : tensor<4x3xf32>
  %y = weft.conv %x, %w strides [] low [] high [] input_dilation []
      filter_dilation [] groups 1 : tensor<2x3xf32>, tensor<4x3xf32>
      -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// CHECK: {{^}}conv_ui8_i8:
// CHECK-NEXT: dense<{{\[\[\[}}-30832, 21752, 8245, -21536, 724], [13635, 11724, 8303, -425, -17118]]]> : tensor<1x2x5xi32>
func.func @conv_ui8_i8() -> (tensor<1x2x5xi32>) {
  %x = weft.constant dense<[[[177, 225, 0, 2, 35], [156, 217, 215, 159,
      163]]]> : tensor<1x2x5xui8>
  %w = weft.constant dense<[[[124, 113, -111], [14, -35, -94]], [[74, 10, 40],
      [3, -111, 93]]]> : tensor<2x2x3xi8>
  %y = weft.conv %x, %w strides [1] low [1] high [1]
      input_dilation [1] filter_dilation [1] groups 1 : tensor<1x2x5xui8>,
      tensor<2x2x3xi8> -> tensor<1x2x5xi32>
  return %y : tensor<1x2x5xi32>
}

// Zeros between the elements make a transposed convolution.
// CHECK: {{^}}conv_transposed:
// CHECK-NEXT: dense<{{\[\[\[\[}}-2.562500e+00, 2.562500e+00, 0.000000e+00, -5.187500e+00, 5.187500e+00], [-1.375000e+00, -7.000000e+00, 0.000000e+00, 8.750000e-01, -1.937500e+00], [3.750000e-01, -9.375000e-01, 0.000000e+00, -1.750000e+00, 3.812500e+00], [1.000000e+00, 7.562500e+00, 0.000000e+00, -2.250000e+00, -1.162500e+01], [4.437500e+00, -4.687500e+00, 0.000000e+00, -8.062500e+00, 7.187500e+00], [-1.375000e+00, -3.250000e+00, 0.000000e+00, -3.875000e+00, -1.418750e+01]], {{\[\[}}3.375000e+00, -1.250000e-01, 0.000000e+00, 6.375000e+00, -6.312500e+00], [3.687500e+00, 8.125000e-01, 0.000000e+00, -3.625000e+00, -8.187500e+00], [-2.500000e-01, 3.750000e+00, 0.000000e+00, 1.162500e+01, 1.000000e+00], [-2.187500e+00, 2.375000e+00, 0.000000e+00, 6.000000e+00, 1.125000e+00], [-9.250000e+00, 1.937500e+00, 0.000000e+00, 1.137500e+01, 7.187500e+00], [4.437500e+00, 5.312500e+00, 0.000000e+00, 1.150000e+01, 8.937500e+00]]]]> : tensor<1x2x6x5xf32>
func.func @conv_transposed() -> (tensor<1x2x6x5xf32>) {
  %x = weft.constant dense<[[[[-1.5, -0.75], [1.75, -2.5], [-0.5, -2.75]],
      [[0.25, 3.25], [-1.5, 0.5], [-1.75, -2.25]]]]> : tensor<1x2x3x2xf32>
  %w = weft.constant dense<[[[[-2.5, 3.0], [4.75, 1.0], [-1.5, 1.5]], [[-0.75,
      1.5], [0.5, 0.5], [1.25, -1.25]]], [[[-0.75, -3.5], [-1.0, -2.75],
      [-0.25, -2.0]], [[0.25, 1.0], [-2.75, -1.75], [-2.0, 1.5]]]]>
      : tensor<2x2x3x2xf32>
  %y = weft.conv %x, %w strides [1, 1] low [2, 1] high [1, 1]
      input_dilation [2, 3] filter_dilation [1, 1] groups 1
      : tensor<1x2x3x2xf32>, tensor<2x2x3x2xf32> -> tensor<1x2x6x5xf32>
  return %y : tensor<1x2x6x5xf32>
}

// CHECK: {{^}}conv_transposed_strided:
// CHECK-NEXT: dense<{{\[\[\[}}1.050000e+01, -1.050000e+01, 9.375000e-01, -2.250000e+00, 2.250000e+00, 0.000000e+00]]]> : tensor<1x1x6xf32>
func.func @conv_transposed_strided() -> (tensor<1x1x6xf32>) {
  %x = weft.constant dense<[[[3.5, 1.75, -0.75, 3.0]]]> : tensor<1x1x4xf32>
  %w = weft.constant dense<[[[-3.0, 3.0, -1.25]]]> : tensor<1x1x3xf32>
  %y = weft.conv %x, %w strides [2] low [2] high [3]
      input_dilation [3] filter_dilation [2] groups 1 : tensor<1x1x4xf32>,
      tensor<1x1x3xf32> -> tensor<1x1x6xf32>
  return %y : tensor<1x1x6xf32>
}

// Negative padding crops.
// CHECK: {{^}}conv_cropped:
// CHECK-NEXT: dense<{{\[\[\[}}-6.062500e+00, 2.750000e+00, -8.125000e-01, 8.750000e-01]]]> : tensor<1x1x4xf32>
func.func @conv_cropped() -> (tensor<1x1x4xf32>) {
  %x = weft.constant dense<[[[-5.5, 5.25, 3.25, -2.0, 0.25, -0.5, 0.25,
      -3.0]]]> : tensor<1x1x8xf32>
  %w = weft.constant dense<[[[-1.25, 1.0]]]> : tensor<1x1x2xf32>
  %y = weft.conv %x, %w strides [1] low [-2] high [-1]
      input_dilation [1] filter_dilation [1] groups 1 : tensor<1x1x8xf32>,
      tensor<1x1x2xf32> -> tensor<1x1x4xf32>
  return %y : tensor<1x1x4xf32>
}

// CHECK: {{^}}conv_cropped_spread:
// CHECK-NEXT: dense<{{\[\[\[}}1.250000e+00, -9.375000e-01, 1.250000e-01]]]> : tensor<1x1x3xf32>
func.func @conv_cropped_spread() -> (tensor<1x1x3xf32>) {
  %x = weft.constant dense<[[[0.5, 2.5, 0.25, 4.75, -1.5]]]> : tensor<1x1x5xf32>
  %w = weft.constant dense<[[[0.5, -3.75]]]> : tensor<1x1x2xf32>
  %y = weft.conv %x, %w strides [1] low [-2] high [-3]
      input_dilation [2] filter_dilation [1] groups 1 : tensor<1x1x5xf32>,
      tensor<1x1x2xf32> -> tensor<1x1x3xf32>
  return %y : tensor<1x1x3xf32>
}

// CHECK: {{^}}det_pivots:
// CHECK-NEXT: dense<[1.000000e+00, 6.400000e+01]> : tensor<2xf32>
// CHECK-NEXT: dense<{{\[\[\[}}4.000000e+00, 2.000000e+00, 1.000000e+00], [2.500000e-01, -5.000000e-01, 2.750000e+00], [5.000000e-01, -0.000000e+00, -5.000000e-01]], {{\[\[}}8.000000e+00, 0.000000e+00, 0.000000e+00], [0.000000e+00, 2.000000e+00, 0.000000e+00], [0.000000e+00, 0.000000e+00, 4.000000e+00]]]> : tensor<2x3x3xf32>
func.func @det_pivots() -> (tensor<2xf32>, tensor<2x3x3xf32>) {
  %x = weft.constant dense<[[[2.0, 1.0, 0.0], [4.0, 2.0, 1.0], [1.0, 0.0,
      3.0]], [[0.0, 2.0, 0.0], [0.0, 0.0, 4.0], [8.0, 0.0, 0.0]]]>
      : tensor<2x3x3xf32>
  %y, %l = weft.det %x : tensor<2x3x3xf32>
  return %y, %l : tensor<2xf32>, tensor<2x3x3xf32>
}

// CHECK: {{^}}det_singular:
// CHECK-NEXT: dense<{{-?}}0.000000e+00> : tensor<f64>
func.func @det_singular() -> (tensor<f64>) {
  %x = weft.constant dense<[[0.0, 1.0, 2.0], [0.0, 3.0, 4.0], [0.0, 5.0,
      6.0]]> : tensor<3x3xf64>
  %y, %l = weft.det %x : tensor<3x3xf64>
  return %y : tensor<f64>
}

// CHECK: {{^}}det_f16:
// CHECK-NEXT: dense<-6.000000e+00> : tensor<f16>
func.func @det_f16() -> (tensor<f16>) {
  %x = weft.constant dense<[[0.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf16>
  %y, %l = weft.det %x : tensor<2x2xf16>
  return %y : tensor<f16>
}

// CHECK: {{^}}contract_init:
// CHECK-NEXT: dense<[1.400000e+01, 2.500000e+01]> : tensor<2xf32>
func.func @contract_init() -> (tensor<2xf32>) {
  %a = weft.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = weft.constant dense<[[1.0, 2.0], [1.5, 1.5]]> : tensor<2x2xf32>
  %c = weft.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %y = weft.contract %a, %b init(%c : tensor<2xf32>) batch [] x [] contract [0] x [0]
      : tensor<2xf32>, tensor<2x2xf32> -> tensor<2xf32>
  return %y : tensor<2xf32>
}
