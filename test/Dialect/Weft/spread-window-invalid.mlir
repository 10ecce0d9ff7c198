// RUN: weft-opt %s -split-input-file -verify-diagnostics

func.func @entries(%g: tensor<3xf32>) {
  // expected-error @below {{'weft.spread_window' op 'window' has 2 entries, not 1}}
  %0 = weft.spread_window %g window [2, 1] strides [2] low [0] high [0]
      dilations [1] : tensor<3xf32> -> tensor<6xf32>
  return
}

// -----

func.func @sizes(%g: tensor<3xf32>) {
  // expected-error @below {{'weft.spread_window' op has 0 sizes for 1 symbolic dimensions}}
  %0 = weft.spread_window %g window [2] strides [2] low [0] high [0]
      dilations [1] : tensor<3xf32> -> tensor<?xf32>
  return
}

// -----

func.func @type(%g: tensor<3xf32>) {
  // expected-error @below {{'weft.spread_window' op cannot spread elements of type 'f32' to 'f16'}}
  %0 = weft.spread_window %g window [2] strides [2] low [0] high [0]
      dilations [1] : tensor<3xf32> -> tensor<6xf16>
  return
}

// -----

func.func @gradient(%g: tensor<3xf32>) {
  // expected-error @below {{'weft.spread_window' op shape [3] of the gradient must be [4]}}
  %0 = weft.spread_window %g window [2] strides [2] low [0] high [0]
      dilations [1] : tensor<3xf32> -> tensor<8xf32>
  return
}

// -----

func.func @positions(%g: tensor<4xf32>, %i: tensor<3xi64>) {
  // expected-error @below {{'weft.spread_window' op shape [3] of the positions must be [4]}}
  %0 = weft.spread_window %g at %i window [2] strides [2] low [0] high [0]
      dilations [1] : tensor<4xf32>, tensor<3xi64> -> tensor<8xf32>
  return
}

// -----

func.func @not_square(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.inverse' op input of shape [3, 4] does not hold square matrices}}
  %0, %1 = weft.inverse %x : tensor<3x4xf32>
  return
}
