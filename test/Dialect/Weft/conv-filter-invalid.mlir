// RUN: weft-opt %s -split-input-file -verify-diagnostics

func.func @sizes(%x: tensor<1x4x8xf32>, %g: tensor<1x6x6xf32>) {
  // expected-error @below {{'weft.conv_filter' op has 0 sizes for 1 symbolic numbers of taps}}
  %0 = weft.conv_filter %x, %g strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<1x6x6xf32> -> tensor<6x4x?xf32>
  return
}

// -----

func.func @gradient(%x: tensor<1x4x8xf32>, %g: tensor<1x6x7xf32>) {
  // expected-error @below {{'weft.conv_filter' op shape [1, 6, 7] of the gradient must be [1, 6, 6]}}
  %0 = weft.conv_filter %x, %g strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<1x6x7xf32> -> tensor<6x4x3xf32>
  return
}

// -----

func.func @rank(%x: tensor<1x4x8xf32>, %g: tensor<1x6x6xf32>) {
  // expected-error @below {{'weft.conv_filter' op input of rank 3 and filter of rank 4 must have the same rank, two or more}}
  %0 = weft.conv_filter %x, %g strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<1x6x6xf32> -> tensor<6x4x3x1xf32>
  return
}

// -----

func.func @types(%x: tensor<1x4x8xf32>, %g: tensor<1x6x6xf32>) {
  // expected-error @below {{'weft.conv_filter' op cannot widen elements of type 'f32' to 'f16'}}
  %0 = weft.conv_filter %x, %g strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<1x6x6xf32> -> tensor<6x4x3xf16>
  return
}

// -----

func.func @groups(%x: tensor<1x4x8xf32>, %g: tensor<1x6x6xf32>) {
  // expected-error @below {{'weft.conv_filter' op filter has 4 channels, but the input has 4 in 2 groups}}
  %0 = weft.conv_filter %x, %g strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 2
      : tensor<1x4x8xf32>, tensor<1x6x6xf32> -> tensor<6x4x3xf32>
  return
}

// -----

func.func @init(%x: tensor<1x4x8xf32>, %g: tensor<1x6x6xf32>, %c: tensor<6x4xf32>) {
  // expected-error @below {{'weft.conv_filter' op shape [6, 4] of the init must be [6, 4, 3]}}
  %0 = weft.conv_filter %x, %g init(%c : tensor<6x4xf32>) strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<1x6x6xf32> -> tensor<6x4x3xf32>
  return
}
