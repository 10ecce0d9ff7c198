// RUN: weft-opt %s -split-input-file -verify-diagnostics

func.func @rank(%q: tensor<4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error @below {{'weft.attention' op shape [4] of query must have two dimensions or more}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  return
}

// -----

func.func @no_value(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<f32>) {
  // expected-error @below {{'weft.attention' op value has no dimension}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<f32> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  return
}

// -----

func.func @key(%q: tensor<2x5x4xf32>, %k: tensor<2x7x3xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error @below {{'weft.attention' op shape [2, 7, 3] of key must be [2, 7, 4]}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x3xf32>, tensor<2x7x6xf32> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  return
}

// -----

func.func @batch(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<3x7x6xf32>) {
  // expected-error @below {{'weft.attention' op shape [3, 7, 6] of value must be [2, 7, 6]}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<3x7x6xf32> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  return
}

// -----

func.func @keys(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x8x6xf32>) {
  // expected-error @below {{'weft.attention' op shape [2, 8, 6] of value must be [2, 7, 6]}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x8x6xf32> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  return
}

// -----

func.func @bias(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>, %b: tensor<2x1x7xf32>) {
  // expected-error @below {{'weft.attention' op shape [2, 1, 7] of bias must be [2, 5, 7]}}
  %y, %l = weft.attention %q, %k, %v bias %b scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>, tensor<2x1x7xf32> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  return
}

// -----

func.func @output(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error @below {{'weft.attention' op shape [2, 5, 4] of output must be [2, 5, 6]}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32> -> tensor<2x5x4xf32>, tensor<2x5xf32>
  return
}

// -----

func.func @logarithm(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>) {
  // expected-error @below {{'weft.attention' op shape [2, 7] of logarithm must be [2, 5]}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32> -> tensor<2x5x6xf32>, tensor<2x7xf32>
  return
}

// -----

func.func @key_type(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf16>, %v: tensor<2x7x6xf32>) {
  // expected-error @below {{'weft.attention' op elements of key are 'f16', must be 'f32'}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf16>, tensor<2x7x6xf32> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  return
}

// -----

func.func @value_type(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf64>) {
  // expected-error @below {{'weft.attention' op elements of value are 'f64', must be 'f32'}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf64> -> tensor<2x5x6xf32>, tensor<2x5xf32>
  return
}

// -----

func.func @logarithm_type(%q: tensor<2x5x4xf16>, %k: tensor<2x7x4xf16>, %v: tensor<2x7x6xf16>) {
  // expected-error @below {{'weft.attention' op elements of logarithm are 'f16', must be 'f32'}}
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<2x5x4xf16>, tensor<2x7x4xf16>, tensor<2x7x6xf16> -> tensor<2x5x6xf32>, tensor<2x5xf16>
  return
}

// -----

func.func @grad(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>, %l: tensor<2x5xf32>, %g: tensor<2x5x4xf32>, %d: tensor<2x5xf32>) {
  // expected-error @below {{'weft.attention_gradient' op shape [2, 5, 4] of grad must be [2, 5, 6]}}
  %dq, %dk, %dv = weft.attention_gradient %q, %k, %v, %l, %g, %d scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>, tensor<2x5xf32>, tensor<2x5x4xf32>, tensor<2x5xf32>
      -> tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>
  return
}

// -----

func.func @delta(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>, %l: tensor<2x5xf32>, %g: tensor<2x5x6xf32>, %d: tensor<2x7xf32>) {
  // expected-error @below {{'weft.attention_gradient' op shape [2, 7] of delta must be [2, 5]}}
  %dq, %dk, %dv = weft.attention_gradient %q, %k, %v, %l, %g, %d scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>, tensor<2x5xf32>, tensor<2x5x6xf32>, tensor<2x7xf32>
      -> tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>
  return
}

// -----

func.func @delta_type(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>, %l: tensor<2x5xf32>, %g: tensor<2x5x6xf32>, %d: tensor<2x5xf16>) {
  // expected-error @below {{'weft.attention_gradient' op elements of delta are 'f16', must be 'f32'}}
  %dq, %dk, %dv = weft.attention_gradient %q, %k, %v, %l, %g, %d scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>, tensor<2x5xf32>, tensor<2x5x6xf32>, tensor<2x5xf16>
      -> tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>
  return
}

// -----

func.func @query_gradient(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>, %l: tensor<2x5xf32>, %g: tensor<2x5x6xf32>, %d: tensor<2x5xf32>) {
  // expected-error @below {{'weft.attention_gradient' op shape [2, 7, 4] of query gradient must be [2, 5, 4]}}
  %dq, %dk, %dv = weft.attention_gradient %q, %k, %v, %l, %g, %d scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>, tensor<2x5xf32>, tensor<2x5x6xf32>, tensor<2x5xf32>
      -> tensor<2x7x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>
  return
}

// -----

func.func @key_gradient(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>, %l: tensor<2x5xf32>, %g: tensor<2x5x6xf32>, %d: tensor<2x5xf32>) {
  // expected-error @below {{'weft.attention_gradient' op shape [2, 5, 4] of key gradient must be [2, 7, 4]}}
  %dq, %dk, %dv = weft.attention_gradient %q, %k, %v, %l, %g, %d scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>, tensor<2x5xf32>, tensor<2x5x6xf32>, tensor<2x5xf32>
      -> tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x7x6xf32>
  return
}

// -----

func.func @value_gradient(%q: tensor<2x5x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x6xf32>, %l: tensor<2x5xf32>, %g: tensor<2x5x6xf32>, %d: tensor<2x5xf32>) {
  // expected-error @below {{'weft.attention_gradient' op shape [2, 7, 4] of value gradient must be [2, 7, 6]}}
  %dq, %dk, %dv = weft.attention_gradient %q, %k, %v, %l, %g, %d scale 1.0
      : tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x6xf32>, tensor<2x5xf32>, tensor<2x5x6xf32>, tensor<2x5xf32>
      -> tensor<2x5x4xf32>, tensor<2x7x4xf32>, tensor<2x7x4xf32>
  return
}
