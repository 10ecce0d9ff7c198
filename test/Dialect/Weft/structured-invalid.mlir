// RUN: weft-opt %s -split-input-file -verify-diagnostics

func.func @reduce_axis(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.reduce' op axis 2 is outside the input's rank 2}}
  %0 = weft.reduce sum %x axes [0, 2] : tensor<3x4xf32>
  return
}

// -----

func.func @reduce_order(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.reduce' op axis 0 must not follow 1: axes must rise}}
  %0 = weft.reduce sum %x axes [1, 0] : tensor<3x4xf32>
  return
}

// -----

func.func @reduce_all_floats(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.reduce' op kind 'all' cannot combine elements of type 'f32'}}
  %0 = weft.reduce all %x axes [0] : tensor<3x4xf32>
  return
}

// -----

func.func @reduce_sum_bool(%x: tensor<3xi1>) {
  // expected-error @below {{'weft.reduce' op kind 'sum' cannot combine elements of type 'i1'}}
  %0 = weft.reduce sum %x axes [0] : tensor<3xi1>
  return
}

// -----

func.func @arg_reduce_axis(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.arg_reduce' op axis 2 is outside the input's rank 2}}
  %0 = weft.arg_reduce max %x axis 2 : tensor<3x4xf32>
  return
}

// -----

func.func @arg_reduce_kind(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.arg_reduce' op kind must be 'max' or 'min', not 'sum'}}
  %0 = weft.arg_reduce sum %x axis 1 : tensor<3x4xf32>
  return
}

// -----

func.func @arg_reduce_empty(%x: tensor<3x0xf32>) {
  // expected-error @below {{'weft.arg_reduce' op axis 1 has no elements}}
  %0 = weft.arg_reduce max %x axis 1 : tensor<3x0xf32>
  return
}

// -----

func.func @cumulative_axis(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.cumulative' op axis 2 is outside the input's rank 2}}
  %0 = weft.cumulative sum %x axis 2 : tensor<3x4xf32>
  return
}

// -----

func.func @cumulative_kind(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.cumulative' op kind must be 'sum' or 'prod', not 'max'}}
  %0 = weft.cumulative max %x axis 1 : tensor<3x4xf32>
  return
}

// -----

func.func @cumulative_bool(%x: tensor<3xi1>) {
  // expected-error @below {{'weft.cumulative' op kind 'sum' cannot combine elements of type 'i1'}}
  %0 = weft.cumulative sum %x axis 0 : tensor<3xi1>
  return
}

// -----

func.func @window_entries(%x: tensor<8xf32>) {
  // expected-error @below {{'weft.reduce_window' op 'strides' has 2 entries, not 1}}
  %0 = weft.reduce_window max %x window [2] strides [1, 1]
      low [0] high [0] dilations [1] : tensor<8xf32>
  return
}

// -----

func.func @window_zero(%x: tensor<8xf32>) {
  // expected-error @below {{'weft.reduce_window' op 'window' holds 0, which is below 1}}
  %0 = weft.reduce_window max %x window [0] strides [1]
      low [0] high [0] dilations [1] : tensor<8xf32>
  return
}

// -----

func.func @window_negative_padding(%x: tensor<8xf32>) {
  // expected-error @below {{'weft.reduce_window' op 'low' holds -1, which is below 0}}
  %0 = weft.reduce_window max %x window [2] strides [1]
      low [-1] high [0] dilations [1] : tensor<8xf32>
  return
}

// -----

func.func @window_kind(%x: tensor<8xf32>) {
  // expected-error @below {{'weft.reduce_window' op kind must be 'sum', 'max' or 'min', not 'any'}}
  %0 = weft.reduce_window any %x window [2] strides [1]
      low [0] high [0] dilations [1] : tensor<8xf32>
  return
}

// -----

func.func @arg_window_dilation(%x: tensor<8xf32>) {
  // expected-error @below {{'weft.arg_reduce_window' op 'dilations' holds 0, which is below 1}}
  %0 = weft.arg_reduce_window max %x window [2] strides [1]
      low [0] high [0] dilations [0] : tensor<8xf32>
  return
}

// -----

func.func @arg_window_kind(%x: tensor<8xf32>) {
  // expected-error @below {{'weft.arg_reduce_window' op kind must be 'max' or 'min', not 'prod'}}
  %0 = weft.arg_reduce_window prod %x window [2] strides [1]
      low [0] high [0] dilations [1] : tensor<8xf32>
  return
}

// -----

func.func @softmax_axis(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.softmax' op axis 2 is outside the input's rank 2}}
  %0 = weft.softmax %x axis 2 : tensor<3x4xf32>
  return
}

// -----

func.func @normalize_axis(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.normalize' op axis 2 is outside the input's rank 2}}
  %0 = weft.normalize %x axes [2] epsilon 1.0e-5 : tensor<3x4xf32>
  return
}

// -----

func.func @normalize_epsilon(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.normalize' op epsilon -1 must not be negative}}
  %0 = weft.normalize %x axes [1] epsilon -1.0 : tensor<3x4xf32>
  return
}

// -----

func.func @contract_dimension(%a: tensor<3x4xf32>, %b: tensor<4x5xf32>) {
  // expected-error @below {{'weft.contract' op dimension 2 is outside the lhs's rank 2}}
  %0 = weft.contract %a, %b batch [] x [] contract [2] x [0]
      : tensor<3x4xf32>, tensor<4x5xf32> -> tensor<3x5xf32>
  return
}

// -----

func.func @contract_twice(%a: tensor<3x4xf32>, %b: tensor<4x5xf32>) {
  // expected-error @below {{'weft.contract' op dimension 0 of the rhs is named twice}}
  %0 = weft.contract %a, %b batch [0] x [0] contract [1] x [0]
      : tensor<3x4xf32>, tensor<4x5xf32> -> tensor<3x5xf32>
  return
}

// -----

func.func @contract_batch_count(%a: tensor<3x4xf32>, %b: tensor<4x5xf32>) {
  // expected-error @below {{'weft.contract' op has 1 batch dimensions for lhs, but 0 for rhs}}
  %0 = weft.contract %a, %b batch [0] x [] contract [1] x [0]
      : tensor<3x4xf32>, tensor<4x5xf32> -> tensor<3x5xf32>
  return
}

// -----

func.func @contract_sizes(%a: tensor<3x4xf32>, %b: tensor<6x5xf32>) {
  // expected-error @below {{'weft.contract' op contracted dimension 1 of lhs has size 4, but dimension 0 of rhs has 6}}
  %0 = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<3x4xf32>, tensor<6x5xf32> -> tensor<3x5xf32>
  return
}

// -----

func.func @contract_narrows(%a: tensor<3x4xf32>, %b: tensor<4x5xf32>) {
  // expected-error @below {{'weft.contract' op cannot widen elements of type 'f32' to 'f16'}}
  %0 = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<3x4xf32>, tensor<4x5xf32> -> tensor<3x5xf16>
  return
}

// -----

func.func @contract_mixes(%a: tensor<3x4xi8>, %b: tensor<4x5xi8>) {
  // expected-error @below {{'weft.contract' op cannot widen elements of type 'i8' to 'f32'}}
  %0 = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<3x4xi8>, tensor<4x5xi8> -> tensor<3x5xf32>
  return
}

// -----

func.func @contract_shape(%a: tensor<3x4xf32>, %b: tensor<4x5xf32>) {
  // expected-error @below {{'weft.contract' op shape [5, 3] of the result must be [3, 5]}}
  %0 = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<3x4xf32>, tensor<4x5xf32> -> tensor<5x3xf32>
  return
}

// -----

func.func @conv_rank(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'weft.conv' op input of rank 3 and filter of rank 4 must have the same rank, two or more}}
  %0 = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<6x4x3x3xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_entries(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) {
  // expected-error @below {{'weft.conv' op 'low' has 2 entries, not 1}}
  %0 = weft.conv %x, %w strides [1] low [0, 0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_stride(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) {
  // expected-error @below {{'weft.conv' op 'strides' holds 0, which is below 1}}
  %0 = weft.conv %x, %w strides [0] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_input_dilation(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) {
  // expected-error @below {{'weft.conv' op 'input_dilation' holds 0, which is below 1}}
  %0 = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [0] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_filter_dilation(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) {
  // expected-error @below {{'weft.conv' op 'filter_dilation' holds -1, which is below 1}}
  %0 = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [-1] groups 1
      : tensor<1x4x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_no_groups(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) {
  // expected-error @below {{'weft.conv' op groups 0 must be positive}}
  %0 = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 0
      : tensor<1x4x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_channels(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) {
  // expected-error @below {{'weft.conv' op groups 3 does not divide the input's 4 channels}}
  %0 = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 3
      : tensor<1x4x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_outputs(%x: tensor<1x4x8xf32>, %w: tensor<6x1x3xf32>) {
  // expected-error @below {{'weft.conv' op groups 4 does not divide the filter's 6 outputs}}
  %0 = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 4
      : tensor<1x4x8xf32>, tensor<6x1x3xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_filter_channels(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) {
  // expected-error @below {{'weft.conv' op filter has 4 channels, but the input has 4 in 2 groups}}
  %0 = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 2
      : tensor<1x4x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_narrows(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) {
  // expected-error @below {{'weft.conv' op cannot widen elements of type 'f32' to 'bf16'}}
  %0 = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x6xbf16>
  return
}

// -----

func.func @conv_shape(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3xf32>) {
  // expected-error @below {{'weft.conv' op shape [1, 6, 8] of the result must be [1, 6, 6]}}
  %0 = weft.conv %x, %w strides [1] low [0] high [0]
      input_dilation [1] filter_dilation [1] groups 1
      : tensor<1x4x8xf32>, tensor<6x4x3xf32> -> tensor<1x6x8xf32>
  return
}

// -----

func.func @det_square(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.det' op input of shape [3, 4] does not hold square matrices}}
  %0, %1 = weft.det %x : tensor<3x4xf32>
  return
}

// -----

func.func @det_vector(%x: tensor<4xf32>) {
  // expected-error @below {{'weft.det' op input of shape [4] does not hold square matrices}}
  %0, %1 = weft.det %x : tensor<4xf32>
  return
}

// -----

func.func @contract_init_type(%a: tensor<3x4xf16>, %b: tensor<4x5xf16>, %c: tensor<3x5xf16>) {
  // expected-error @below {{'weft.contract' op has sums of type 'f32', but begins at elements of type 'f16'}}
  %0 = weft.contract %a, %b init(%c : tensor<3x5xf16>) batch [] x [] contract [1] x [0]
      : tensor<3x4xf16>, tensor<4x5xf16> -> tensor<3x5xf32>
  return
}

// -----

func.func @contract_init_shape(%a: tensor<3x4xf32>, %b: tensor<4x5xf32>, %c: tensor<5x3xf32>) {
  // expected-error @below {{'weft.contract' op shape [5, 3] of the init must be [3, 5]}}
  %0 = weft.contract %a, %b init(%c : tensor<5x3xf32>) batch [] x [] contract [1] x [0]
      : tensor<3x4xf32>, tensor<4x5xf32> -> tensor<3x5xf32>
  return
}
