// RUN: weft-opt %s -split-input-file -verify-diagnostics

func.func @random_uniform_sizes(%s: tensor<i64>) {
  // expected-error @below {{'weft.random_uniform' op has 0 sizes, but its result has 1 symbolic dimensions}}
  %0 = weft.random_uniform %s stream 0 : tensor<i64>, tensor<?xf32>
  return
}

// -----

func.func @gather_axis(%x: tensor<3x4xf32>, %i: tensor<2xi64>) {
  // expected-error @below {{'weft.gather' op axis 2 is outside the input's rank 2}}
  %0 = weft.gather %x, %i axis 2 : tensor<3x4xf32>, tensor<2xi64>
  return
}

// -----

func.func @gather_elements_axis(%x: tensor<3x4xf32>, %i: tensor<2x4xi64>) {
  // expected-error @below {{'weft.gather_elements' op axis -1 is outside the input's rank 2}}
  %0 = weft.gather_elements %x, %i axis -1
      : tensor<3x4xf32>, tensor<2x4xi64>
  return
}

// -----

func.func @gather_elements_rank(%x: tensor<3x4xf32>, %i: tensor<2xi64>) {
  // expected-error @below {{'weft.gather_elements' op indices have rank 1, but the input has rank 2}}
  %0 = weft.gather_elements %x, %i axis 0 : tensor<3x4xf32>, tensor<2xi64>
  return
}

// -----

func.func @gather_elements_size(%x: tensor<3x4xf32>, %i: tensor<2x5xi64>) {
  // expected-error @below {{'weft.gather_elements' op indices have size 5 in dimension 1, more than the input's 4}}
  %0 = weft.gather_elements %x, %i axis 0
      : tensor<3x4xf32>, tensor<2x5xi64>
  return
}

// -----

func.func @gather_nd_batch_dims(%x: tensor<3x4xf32>, %i: tensor<2xi64>) {
  // expected-error @below {{'weft.gather_nd' op batch_dims 1 does not fit an input of rank 2 and indices of rank 1}}
  %0 = weft.gather_nd %x, %i batch_dims 1 : tensor<3x4xf32>, tensor<2xi64>
  return
}

// -----

func.func @gather_nd_batch_sizes(%x: tensor<3x4xf32>, %i: tensor<2x1xi64>) {
  // expected-error @below {{'weft.gather_nd' op shape [2] of the indices' batch dimensions must be [3]}}
  %0 = weft.gather_nd %x, %i batch_dims 1
      : tensor<3x4xf32>, tensor<2x1xi64>
  return
}

// -----

func.func @gather_nd_dynamic_vectors(%x: tensor<3x4xf32>, %i: tensor<2x?xi64>) {
  // expected-error @below {{'weft.gather_nd' op the last dimension of the indices must be static}}
  %0 = weft.gather_nd %x, %i batch_dims 0
      : tensor<3x4xf32>, tensor<2x?xi64>
  return
}

// -----

func.func @gather_nd_long_vectors(%x: tensor<3x4xf32>, %i: tensor<2x3xi64>) {
  // expected-error @below {{'weft.gather_nd' op index vectors of length 3 point into only 2 dimensions}}
  %0 = weft.gather_nd %x, %i batch_dims 0
      : tensor<3x4xf32>, tensor<2x3xi64>
  return
}

// -----

func.func @scatter_nd_scalar_indices(%x: tensor<3x4xf32>,
                                     %i: tensor<i64>,
                                     %u: tensor<4xf32>) {
  // expected-error @below {{'weft.scatter_nd' op indices have rank 0, but their last dimension must hold index vectors}}
  %0 = weft.scatter_nd set %x, %i, %u
      : tensor<3x4xf32>, tensor<i64>, tensor<4xf32>
  return
}

// -----

func.func @scatter_nd_batch_dims(%x: tensor<3x4xf32>, %i: tensor<5x1xi64>,
                                 %u: tensor<5x4xf32>) {
  // expected-error @below {{'weft.scatter_nd' op batch_dims 2 does not fit an input of rank 2 and indices of rank 2}}
  %0 = weft.scatter_nd set %x, %i, %u batch_dims 2
      : tensor<3x4xf32>, tensor<5x1xi64>, tensor<5x4xf32>
  return
}

// -----

func.func @scatter_nd_batch(%x: tensor<3x4xf32>, %i: tensor<5x1xi64>,
                            %u: tensor<5xf32>) {
  // expected-error @below {{'weft.scatter_nd' op shape [5] of the indices' batch dimensions must be [3]}}
  %0 = weft.scatter_nd set %x, %i, %u batch_dims 1
      : tensor<3x4xf32>, tensor<5x1xi64>, tensor<5xf32>
  return
}

// -----

func.func @scatter_nd_updates(%x: tensor<3x4xf32>,
                              %i: tensor<5x1xi64>,
                              %u: tensor<5x3xf32>) {
  // expected-error @below {{'weft.scatter_nd' op shape [5, 3] of the updates must be [5, 4]}}
  %0 = weft.scatter_nd set %x, %i, %u
      : tensor<3x4xf32>, tensor<5x1xi64>, tensor<5x3xf32>
  return
}

// -----

func.func @scatter_nd_element_type(%x: tensor<3x4xf32>,
                                   %i: tensor<5x1xi64>,
                                   %u: tensor<5x4xf16>) {
  // expected-error @below {{'weft.scatter_nd' op updates have the element type 'f16', but the input has 'f32'}}
  %0 = weft.scatter_nd set %x, %i, %u
      : tensor<3x4xf32>, tensor<5x1xi64>, tensor<5x4xf16>
  return
}

// -----

func.func @scatter_nd_kind(%x: tensor<3xi1>,
                           %i: tensor<5x1xi64>,
                           %u: tensor<5xi1>) {
  // expected-error @below {{'weft.scatter_nd' op kind 'add' cannot combine elements of type 'i1'}}
  %0 = weft.scatter_nd add %x, %i, %u
      : tensor<3xi1>, tensor<5x1xi64>, tensor<5xi1>
  return
}

// -----

func.func @scatter_elements_axis(%x: tensor<3x4xf32>,
                                 %i: tensor<2x4xi64>,
                                 %u: tensor<2x4xf32>) {
  // expected-error @below {{'weft.scatter_elements' op axis 2 is outside the input's rank 2}}
  %0 = weft.scatter_elements set %x, %i, %u axis 2
      : tensor<3x4xf32>, tensor<2x4xi64>, tensor<2x4xf32>
  return
}

// -----

func.func @scatter_elements_updates(%x: tensor<3x4xf32>,
                                    %i: tensor<2x4xi64>,
                                    %u: tensor<2x3xf32>) {
  // expected-error @below {{'weft.scatter_elements' op shape [2, 3] of the updates must be [2, 4]}}
  %0 = weft.scatter_elements set %x, %i, %u axis 0
      : tensor<3x4xf32>, tensor<2x4xi64>, tensor<2x3xf32>
  return
}

// -----

func.func @top_k_axis(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.top_k' op axis 2 is outside the input's rank 2}}
  %0:2 = weft.top_k %x axis 2
      : tensor<3x4xf32> to tensor<3x2xf32>, tensor<3x2xi64>
  return
}

// -----

func.func @top_k_element_type(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.top_k' op values have the element type 'f16', but the input has 'f32'}}
  %0:2 = weft.top_k %x axis 1
      : tensor<3x4xf32> to tensor<3x2xf16>, tensor<3x2xi64>
  return
}

// -----

func.func @top_k_indices(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.top_k' op values have shape [3, 2], but indices have [3, 3]}}
  %0:2 = weft.top_k %x axis 1
      : tensor<3x4xf32> to tensor<3x2xf32>, tensor<3x3xi64>
  return
}

// -----

func.func @top_k_rank(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.top_k' op values have rank 1, but the input has rank 2}}
  %0:2 = weft.top_k %x axis 1
      : tensor<3x4xf32> to tensor<2xf32>, tensor<2xi64>
  return
}

// -----

func.func @top_k_shape(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.top_k' op shape [2, 2] of the values must be [3, 2]}}
  %0:2 = weft.top_k %x axis 1
      : tensor<3x4xf32> to tensor<2x2xf32>, tensor<2x2xi64>
  return
}

// -----

func.func @top_k_no_size(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.top_k' op a size must be given exactly where dimension 1 of the results is symbolic}}
  %0:2 = weft.top_k %x axis 1
      : tensor<3x4xf32> to tensor<3x?xf32>, tensor<3x?xi64>
  return
}

// -----

func.func @top_k_too_many(%x: tensor<3x4xf32>) {
  // expected-error @below {{'weft.top_k' op cannot take 5 elements from 4}}
  %0:2 = weft.top_k %x axis 1
      : tensor<3x4xf32> to tensor<3x5xf32>, tensor<3x5xi64>
  return
}

// -----

func.func @nonzero_rows(%x: tensor<3x4xf32>, %n: index) {
  // expected-error @below {{'weft.nonzero' op result has shape [3, ?], but must have one row for each of the input's 2 dimensions}}
  %0 = weft.nonzero %x count %n : tensor<3x4xf32> to tensor<3x?xi64>
  return
}
