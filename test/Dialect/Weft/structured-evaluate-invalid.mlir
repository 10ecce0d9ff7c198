// RUN: weft-opt %s -weft-test-evaluate -split-input-file -verify-diagnostics

// Sizes that the types leave open come from iota here.
func.func @arg_reduce_empty() -> tensor<i64> {
  %n = arith.constant 0 : index
  %x = weft.iota axis 0 sizes(%n) : tensor<?xf32>
  // expected-error @below {{'weft.arg_reduce' op axis 0 has no elements}}
  %y = weft.arg_reduce max %x axis 0 : tensor<?xf32>
  return %y : tensor<i64>
}

// -----

func.func @contract_sizes() -> tensor<f32> {
  %n = arith.constant 2 : index
  %a = weft.iota axis 0 sizes(%n) : tensor<?xf32>
  %b = weft.constant dense<1.0> : tensor<3xf32>
  // expected-error @below {{'weft.contract' op dimension 0 of lhs has size 2, but dimension 0 of rhs has 3}}
  %y = weft.contract %a, %b batch [] x [] contract [0] x [0]
      : tensor<?xf32>, tensor<3xf32> -> tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @conv_channels() -> tensor<1x1x2xf32> {
  %n = arith.constant 2 : index
  %x = weft.iota axis 0 sizes(%n) : tensor<1x?x4xf32>
  %w = weft.constant dense<1.0> : tensor<1x3x3xf32>
  // expected-error @below {{'weft.conv' op filter has 3 channels, but the input has 2 in 1 groups}}
  %y = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x?x4xf32>, tensor<1x3x3xf32> -> tensor<1x1x2xf32>
  return %y : tensor<1x1x2xf32>
}

// -----

func.func @det_oblong() -> tensor<f32> {
  %n = arith.constant 2 : index
  %x = weft.iota axis 0 sizes(%n) : tensor<?x3xf32>
  // expected-error @below {{'weft.det' op input does not hold square matrices}}
  %y, %l = weft.det %x : tensor<?x3xf32>
  return %y : tensor<f32>
}

// -----

func.func @conv_filter_gradient() -> tensor<1x1x2xf32> {
  %x = weft.constant dense<1.0> : tensor<1x1x4xf32>
  %n = arith.constant 5 : index
  %y = weft.iota axis 2 sizes(%n) : tensor<1x1x?xf32>
  // expected-error @below {{gradient has size 5 in dimension 2, but the convolution gives 3}}
  %w = weft.conv_filter %x, %y strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x1x4xf32>, tensor<1x1x?xf32> -> tensor<1x1x2xf32>
  return %w : tensor<1x1x2xf32>
}

// -----

func.func @spread_window_gradient() -> tensor<6xf32> {
  %n = arith.constant 4 : index
  %g = weft.iota axis 0 sizes(%n) : tensor<?xf32>
  // expected-error @below {{gradient has shape [4], but the windows take [3] positions}}
  %y = weft.spread_window %g window [2] strides [2] low [0] high [0]
      dilations [1] : tensor<?xf32> -> tensor<6xf32>
  return %y : tensor<6xf32>
}

// -----

func.func @inverse_square() -> tensor<3x?xf32> {
  %n = arith.constant 2 : index
  %x = weft.iota axis 1 sizes(%n) : tensor<3x?xf32>
  // expected-error @below {{'weft.inverse' op input does not hold square matrices}}
  %y, %room = weft.inverse %x : tensor<3x?xf32>
  return %y : tensor<3x?xf32>
}

// -----

func.func @contract_init() -> tensor<?xf32> {
  %n = arith.constant 2 : index
  %a = weft.constant dense<1.0> : tensor<3xf32>
  %b = weft.constant dense<1.0> : tensor<3x3xf32>
  %c = weft.iota axis 0 sizes(%n) : tensor<?xf32>
  // expected-error @below {{'weft.contract' op init has shape [2], but the result [3]}}
  %y = weft.contract %a, %b init(%c : tensor<?xf32>) batch [] x [] contract [0] x [0]
      : tensor<3xf32>, tensor<3x3xf32> -> tensor<?xf32>
  return %y : tensor<?xf32>
}
