// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s

// Negative indices count from the end.
// CHECK: {{^}}gather:
// CHECK-NEXT: dense<{{\[\[\[}}0.000000e+00, -1.750000e+00], [-5.000000e-01, 5.000000e-01]], {{\[\[}}-1.000000e+00, 2.750000e+00], [0.000000e+00, -2.000000e+00]], {{\[\[}}-1.000000e+00, 7.500000e-01], [1.000000e+00, -1.250000e+00]]]> : tensor<3x2x2xf32>
func.func @gather() -> (tensor<3x2x2xf32>) {
  %x = weft.constant dense<[[0.0, 0.5, -0.5, -1.75], [-1.0, -2.0, 0.0, 2.75],
      [-1.0, -1.25, 1.0, 0.75]]> : tensor<3x4xf32>
  %i = weft.constant dense<[[0, -1], [2, 1]]> : tensor<2x2xi64>
  %y = weft.gather %x, %i axis 1 : tensor<3x4xf32>, tensor<2x2xi64>
  return %y : tensor<3x2x2xf32>
}

// CHECK: {{^}}gather_i32:
// CHECK-NEXT: dense<{{\[\[}}4, 5], [0, 1]]> : tensor<2x2xi32>
func.func @gather_i32() -> (tensor<2x2xi32>) {
  %x = weft.constant dense<[[0, 1], [2, 3], [4, 5]]> : tensor<3x2xi32>
  %i = weft.constant dense<[2, -3]> : tensor<2xi32>
  %y = weft.gather %x, %i axis 0 : tensor<3x2xi32>, tensor<2xi32>
  return %y : tensor<2x2xi32>
}

// CHECK: {{^}}gather_elements:
// CHECK-NEXT: dense<{{\[\[}}2.500000e-01, 1.500000e+00], [-3.750000e+00, -1.000000e+00], [5.000000e-01, 5.000000e-01]]> : tensor<3x2xf32>
func.func @gather_elements() -> (tensor<3x2xf32>) {
  %x = weft.constant dense<[[0.25, -1.75, -0.0, 1.5], [-2.75, -1.0, -3.75,
      -2.5], [-3.75, -0.5, -2.5, 0.5]]> : tensor<3x4xf32>
  %i = weft.constant dense<[[0, -1], [2, 1], [3, 3]]> : tensor<3x2xi64>
  %y = weft.gather_elements %x, %i axis 1 : tensor<3x4xf32>, tensor<3x2xi64>
  return %y : tensor<3x2xf32>
}

// CHECK: {{^}}gather_nd_batch:
// CHECK-NEXT: dense<{{\[\[}}-1.000000e+00, -0.000000e+00], [-1.000000e+00, -1.000000e+00]]> : tensor<2x2xf32>
func.func @gather_nd_batch() -> (tensor<2x2xf32>) {
  %x = weft.constant dense<[[[0.25, -0.25], [-5.0, -1.0], [-0.0, 0.25]],
      [[-3.0, -1.0], [-2.0, -1.5], [2.0, -1.5]]]> : tensor<2x3x2xf32>
  %i = weft.constant dense<[[[1, 1], [2, 0]], [[0, -1], [-3, 1]]]>
      : tensor<2x2x2xi64>
  %y = weft.gather_nd %x, %i batch_dims 1 : tensor<2x3x2xf32>, tensor<2x2x2xi64>
  return %y : tensor<2x2xf32>
}

// CHECK: {{^}}gather_nd_slices:
// CHECK-NEXT: dense<{{\[\[}}-2.000000e+00, -1.500000e+00], [-0.000000e+00, 2.500000e-01]]> : tensor<2x2xf32>
func.func @gather_nd_slices() -> (tensor<2x2xf32>) {
  %x = weft.constant dense<[[[0.25, -0.25], [-5.0, -1.0], [-0.0, 0.25]],
      [[-3.0, -1.0], [-2.0, -1.5], [2.0, -1.5]]]> : tensor<2x3x2xf32>
  %i = weft.constant dense<[[1, 1], [0, -1]]> : tensor<2x2xi64>
  %y = weft.gather_nd %x, %i batch_dims 0 : tensor<2x3x2xf32>, tensor<2x2xi64>
  return %y : tensor<2x2xf32>
}

// Repeated indices take effect in row-major order.
// CHECK: {{^}}scatter_elements_set:
// CHECK-NEXT: dense<{{\[\[}}2.500000e-01, 1.750000e+00, -1.250000e+00, -2.500000e+00], [2.500000e-01, 2.500000e-01, -5.000000e-01, 2.500000e-01], [2.750000e+00, 1.250000e+00, 1.750000e+00, 1.250000e+00]]> : tensor<3x4xf32>
func.func @scatter_elements_set() -> (tensor<3x4xf32>) {
  %x = weft.constant dense<[[-0.0, 1.75, -1.25, -0.25], [0.25, 0.25, -2.5,
      0.25], [2.75, -3.0, 1.75, 0.25]]> : tensor<3x4xf32>
  %i = weft.constant dense<[[0, 2, 1, 0], [0, -1, 1, 2]]> : tensor<2x4xi64>
  %u = weft.constant dense<[[-1.25, 4.0, 1.5, -2.5], [0.25, 1.25, -0.5,
      1.25]]> : tensor<2x4xf32>
  %y = weft.scatter_elements set %x, %i, %u axis 0 : tensor<3x4xf32>,
      tensor<2x4xi64>, tensor<2x4xf32>
  return %y : tensor<3x4xf32>
}

// CHECK: {{^}}scatter_elements_add:
// CHECK-NEXT: dense<{{\[\[}}-3.750000e+00, 1.750000e+00, -1.250000e+00, -4.250000e+00], [2.500000e-01, 2.500000e-01, 1.250000e+00, 2.500000e-01], [2.750000e+00, -4.750000e+00, 1.750000e+00, 1.750000e+00]]> : tensor<3x4xf32>
func.func @scatter_elements_add() -> (tensor<3x4xf32>) {
  %x = weft.constant dense<[[-0.0, 1.75, -1.25, -0.25], [0.25, 0.25, -2.5,
      0.25], [2.75, -3.0, 1.75, 0.25]]> : tensor<3x4xf32>
  %i = weft.constant dense<[[0, 2, 1, 0], [0, -1, 1, 2]]> : tensor<2x4xi64>
  %u = weft.constant dense<[[-2.75, -1.5, 1.25, -4.0], [-1.0, -0.25, 2.5,
      1.5]]> : tensor<2x4xf32>
  %y = weft.scatter_elements add %x, %i, %u axis 0 : tensor<3x4xf32>,
      tensor<2x4xi64>, tensor<2x4xf32>
  return %y : tensor<3x4xf32>
}

// CHECK: {{^}}scatter_elements_mul:
// CHECK-NEXT: dense<{{\[\[}}0.000000e+00, 1.750000e+00, -1.250000e+00, -3.125000e-01], [2.500000e-01, 2.500000e-01, -0.000000e+00, 2.500000e-01], [2.750000e+00, -7.500000e+00, 1.750000e+00, 3.125000e-01]]> : tensor<3x4xf32>
func.func @scatter_elements_mul() -> (tensor<3x4xf32>) {
  %x = weft.constant dense<[[-0.0, 1.75, -1.25, -0.25], [0.25, 0.25, -2.5,
      0.25], [2.75, -3.0, 1.75, 0.25]]> : tensor<3x4xf32>
  %i = weft.constant dense<[[0, 2, 1, 0], [0, -1, 1, 2]]> : tensor<2x4xi64>
  %u = weft.constant dense<[[2.25, 1.25, -0.0, 1.25], [-0.75, 2.0, -0.0,
      1.25]]> : tensor<2x4xf32>
  %y = weft.scatter_elements mul %x, %i, %u axis 0 : tensor<3x4xf32>,
      tensor<2x4xi64>, tensor<2x4xf32>
  return %y : tensor<3x4xf32>
}

// CHECK: {{^}}scatter_elements_max:
// CHECK-NEXT: dense<{{\[\[}}-0.000000e+00, 1.750000e+00, -1.250000e+00, 1.000000e+00], [2.500000e-01, 2.500000e-01, 1.500000e+00, 2.500000e-01], [2.750000e+00, -2.500000e-01, 1.750000e+00, 2.500000e-01]]> : tensor<3x4xf32>
func.func @scatter_elements_max() -> (tensor<3x4xf32>) {
  %x = weft.constant dense<[[-0.0, 1.75, -1.25, -0.25], [0.25, 0.25, -2.5,
      0.25], [2.75, -3.0, 1.75, 0.25]]> : tensor<3x4xf32>
  %i = weft.constant dense<[[0, 2, 1, 0], [0, -1, 1, 2]]> : tensor<2x4xi64>
  %u = weft.constant dense<[[-0.25, -0.5, 1.5, 1.0], [-2.0, -0.25, 0.0,
      -2.0]]> : tensor<2x4xf32>
  %y = weft.scatter_elements max %x, %i, %u axis 0 : tensor<3x4xf32>,
      tensor<2x4xi64>, tensor<2x4xf32>
  return %y : tensor<3x4xf32>
}

// CHECK: {{^}}scatter_elements_min:
// CHECK-NEXT: dense<{{\[\[}}-3.500000e+00, 1.750000e+00, -1.250000e+00, -2.500000e-01], [2.500000e-01, 2.500000e-01, -2.500000e+00, 2.500000e-01], [2.750000e+00, -3.000000e+00, 1.750000e+00, 2.500000e-01]]> : tensor<3x4xf32>
func.func @scatter_elements_min() -> (tensor<3x4xf32>) {
  %x = weft.constant dense<[[-0.0, 1.75, -1.25, -0.25], [0.25, 0.25, -2.5,
      0.25], [2.75, -3.0, 1.75, 0.25]]> : tensor<3x4xf32>
  %i = weft.constant dense<[[0, 2, 1, 0], [0, -1, 1, 2]]> : tensor<2x4xi64>
  %u = weft.constant dense<[[-3.5, 1.5, -1.75, 1.5], [0.25, -3.0, 2.5,
      3.0]]> : tensor<2x4xf32>
  %y = weft.scatter_elements min %x, %i, %u axis 0 : tensor<3x4xf32>,
      tensor<2x4xi64>, tensor<2x4xf32>
  return %y : tensor<3x4xf32>
}

// CHECK: {{^}}scatter_nd_set:
// CHECK-NEXT: dense<{{\[\[}}5.000000e-01, -1.000000e+00, 2.500000e-01, -2.250000e+00], [-1.250000e+00, -5.000000e-01, 1.750000e+00, 2.250000e+00], [2.750000e+00, -3.000000e+00, 1.750000e+00, 2.500000e-01]]> : tensor<3x4xf32>
func.func @scatter_nd_set() -> (tensor<3x4xf32>) {
  %x = weft.constant dense<[[-0.0, 1.75, -1.25, -0.25], [0.25, 0.25, -2.5,
      0.25], [2.75, -3.0, 1.75, 0.25]]> : tensor<3x4xf32>
  %i = weft.constant dense<[[1], [-3], [1]]> : tensor<3x1xi64>
  %u = weft.constant dense<[[-0.25, 1.25, 3.0, -1.25], [0.5, -1.0, 0.25,
      -2.25], [-1.25, -0.5, 1.75, 2.25]]> : tensor<3x4xf32>
  %y = weft.scatter_nd set %x, %i, %u : tensor<3x4xf32>, tensor<3x1xi64>,
      tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// CHECK: {{^}}scatter_nd_add:
// CHECK-NEXT: dense<{{\[\[}}-7.500000e-01, 1.250000e+00, -5.000000e-01, -5.000000e-01], [-1.000000e+00, -2.750000e+00, -3.000000e+00, 2.250000e+00], [2.750000e+00, -3.000000e+00, 1.750000e+00, 2.500000e-01]]> : tensor<3x4xf32>
func.func @scatter_nd_add() -> (tensor<3x4xf32>) {
  %x = weft.constant dense<[[-0.0, 1.75, -1.25, -0.25], [0.25, 0.25, -2.5,
      0.25], [2.75, -3.0, 1.75, 0.25]]> : tensor<3x4xf32>
  %i = weft.constant dense<[[1], [-3], [1]]> : tensor<3x1xi64>
  %u = weft.constant dense<[[-0.75, -0.75, -0.5, 3.0], [-0.75, -0.5, 0.75,
      -0.25], [-0.5, -2.25, -0.0, -1.0]]> : tensor<3x4xf32>
  %y = weft.scatter_nd add %x, %i, %u : tensor<3x4xf32>, tensor<3x1xi64>,
      tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// CHECK: {{^}}scatter_nd_max_ui8:
// CHECK-NEXT: dense<[200, 250, 7]> : tensor<3xui8>
func.func @scatter_nd_max_ui8() -> (tensor<3xui8>) {
  %x = weft.constant dense<[200, 100, 7]> : tensor<3xui8>
  %i = weft.constant dense<[[0], [1], [0]]> : tensor<3x1xi64>
  %u = weft.constant dense<[100, 250, 3]> : tensor<3xui8>
  %y = weft.scatter_nd max %x, %i, %u : tensor<3xui8>, tensor<3x1xi64>,
      tensor<3xui8>
  return %y : tensor<3xui8>
}

// CHECK: {{^}}scatter_nd_elements:
// CHECK-NEXT: dense<{{\[\[}}2.000000e+00, 0.000000e+00, 2.000000e+01], [3.000000e+01, -1.000000e+00, 0.000000e+00]]> : tensor<2x3xf32>
func.func @scatter_nd_elements() -> (tensor<2x3xf32>) {
  %x = weft.constant dense<[[2.0, 0.0, -1.5], [-0.75, -1.0, 0.0]]>
      : tensor<2x3xf32>
  %i = weft.constant dense<[[1, 0], [0, 2], [1, 0]]> : tensor<3x2xi64>
  %u = weft.constant dense<[10.0, 20.0, 30.0]> : tensor<3xf32>
  %y = weft.scatter_nd set %x, %i, %u : tensor<2x3xf32>, tensor<3x2xi64>,
      tensor<3xf32>
  return %y : tensor<2x3xf32>
}

// Each batch has updates of its own.
// CHECK: {{^}}scatter_nd_batch:
// CHECK-NEXT: dense<{{\[\[}}0, 10, 0], [30, 3, 0]]> : tensor<2x3xi32>
func.func @scatter_nd_batch() -> (tensor<2x3xi32>) {
  %x = weft.constant dense<0> : tensor<2x3xi32>
  %i = weft.constant dense<[[[1], [-2]], [[0], [1]]]> : tensor<2x2x1xi64>
  %u = weft.constant dense<[[4, 6], [30, 3]]> : tensor<2x2xi32>
  %y = weft.scatter_nd add %x, %i, %u batch_dims 1 : tensor<2x3xi32>,
      tensor<2x2x1xi64>, tensor<2x2xi32>
  return %y : tensor<2x3xi32>
}

// Equal elements keep the order of their indices.
// CHECK: {{^}}top_k_largest:
// CHECK-NEXT: dense<{{\[\[}}3.250000e+00, 2.750000e+00, 7.500000e-01, -5.000000e-01], [1.500000e+00, 1.000000e+00, 2.500000e-01, -0.000000e+00], [2.750000e+00, 5.000000e-01, -0.000000e+00, -2.500000e-01]]> : tensor<3x4xf32>
// CHECK-NEXT: dense<{{\[\[}}4, 8, 7, 1], [4, 8, 6, 5], [4, 6, 7, 1]]> : tensor<3x4xi64>
func.func @top_k_largest() -> (tensor<3x4xf32>, tensor<3x4xi64>) {
  %x = weft.constant dense<[[-0.75, -0.5, -2.75, -1.5, 3.25, -1.25, -2.0,
      0.75, 2.75], [-3.0, -0.5, -1.25, -3.5, 1.5, -0.0, 0.25, -1.5, 1.0],
      [-1.0, -0.25, -2.25, -2.5, 2.75, -1.0, 0.5, -0.0, -1.0]]>
      : tensor<3x9xf32>
  %v, %i = weft.top_k %x axis 1 largest : tensor<3x9xf32> to tensor<3x4xf32>,
      tensor<3x4xi64>
  return %v, %i : tensor<3x4xf32>, tensor<3x4xi64>
}

// CHECK: {{^}}top_k_smallest_axis0:
// CHECK-NEXT: dense<{{\[\[}}-1.250000e+00, -2.750000e+00], [-1.000000e+00, -2.500000e-01], [-5.000000e-01, 7.500000e-01]]> : tensor<3x2xf32>
// CHECK-NEXT: dense<{{\[\[}}4, 4], [0, 1], [1, 3]]> : tensor<3x2xi64>
func.func @top_k_smallest_axis0() -> (tensor<3x2xf32>, tensor<3x2xi64>) {
  %x = weft.constant dense<[[-1.0, 1.25], [-0.5, -0.25], [0.0, 2.25], [1.25,
      0.75], [-1.25, -2.75], [2.0, 2.0], [-0.25, 1.0]]> : tensor<7x2xf32>
  %v, %i = weft.top_k %x axis 0 : tensor<7x2xf32> to tensor<3x2xf32>,
      tensor<3x2xi64>
  return %v, %i : tensor<3x2xf32>, tensor<3x2xi64>
}

// CHECK: {{^}}sort_ties:
// CHECK-NEXT: dense<{{\[\[}}5, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1, 1, 0]]> : tensor<1x13xi32>
// CHECK-NEXT: dense<{{\[\[}}9, 10, 0, 2, 6, 3, 8, 12, 1, 4, 5, 11, 7]]> : tensor<1x13xi64>
func.func @sort_ties() -> (tensor<1x13xi32>, tensor<1x13xi64>) {
  %x = weft.constant dense<[[3, 1, 3, 2, 1, 1, 3, 0, 2, 5, 4, 1, 2]]>
      : tensor<1x13xi32>
  %v, %i = weft.top_k %x axis 1 largest
      : tensor<1x13xi32> to tensor<1x13xi32>, tensor<1x13xi64>
  return %v, %i : tensor<1x13xi32>, tensor<1x13xi64>
}

// CHECK: {{^}}top_k_ui8:
// CHECK-NEXT: dense<{{\[\[}}227, 221, 210, 204, 184], [168, 165, 161, 143, 125]]> : tensor<2x5xui8>
// CHECK-NEXT: dense<{{\[\[}}10, 8, 0, 2, 6], [6, 5, 10, 9, 4]]> : tensor<2x5xi64>
func.func @top_k_ui8() -> (tensor<2x5xui8>, tensor<2x5xi64>) {
  %x = weft.constant dense<[[210, 174, 204, 92, 83, 21, 184, 80, 221, 118,
      227], [35, 41, 88, 6, 125, 165, 168, 54, 41, 143, 161]]>
      : tensor<2x11xui8>
  %v, %i = weft.top_k %x axis 1 largest : tensor<2x11xui8> to tensor<2x5xui8>,
      tensor<2x5xi64>
  return %v, %i : tensor<2x5xui8>, tensor<2x5xi64>
}

// CHECK: {{^}}top_k_none:
// CHECK-NEXT: dense<> : tensor<2x0xf32>
// CHECK-NEXT: dense<> : tensor<2x0xi64>
func.func @top_k_none() -> (tensor<2x0xf32>, tensor<2x0xi64>) {
  %x = weft.constant dense<[[-0.25, -0.0, -3.0], [-1.0, 1.5, -0.25]]>
      : tensor<2x3xf32>
  %v, %i = weft.top_k %x axis 1 largest : tensor<2x3xf32> to tensor<2x0xf32>,
      tensor<2x0xi64>
  return %v, %i : tensor<2x0xf32>, tensor<2x0xi64>
}

// NaN counts as larger than all else.
// CHECK: {{^}}top_k_nan_largest:
// CHECK-NEXT: dense<{{\[\[}}0x{{[7F]}}FC00000, 3.000000e+00, 1.750000e+00, 1.500000e+00, -1.000000e+00, -2.500000e+00], [0x{{[7F]}}FC00000, 0x{{[7F]}}FC00000, 0x7F800000, 1.750000e+00, 1.000000e+00, -2.250000e+00]]> : tensor<2x6xf32>
// CHECK-NEXT: dense<{{\[\[}}2, 4, 1, 0, 3, 5], [0, 4, 3, 2, 1, 5]]> : tensor<2x6xi64>
func.func @top_k_nan_largest() -> (tensor<2x6xf32>, tensor<2x6xi64>) {
  %x = weft.constant dense<[[1.5, 1.75, 0x7FC00000, -1.0, 3.0, -2.5],
      [0x7FC00000, 1.0, 1.75, 0x7F800000, 0x7FC00000, -2.25]]> : tensor<2x6xf32>
  %v, %i = weft.top_k %x axis 1 largest : tensor<2x6xf32> to tensor<2x6xf32>,
      tensor<2x6xi64>
  return %v, %i : tensor<2x6xf32>, tensor<2x6xi64>
}

// CHECK: {{^}}top_k_nan_smallest:
// CHECK-NEXT: dense<{{\[\[}}-2.500000e+00, -1.000000e+00, 1.500000e+00, 1.750000e+00, 3.000000e+00, 0x{{[7F]}}FC00000], [-2.250000e+00, 1.000000e+00, 1.750000e+00, 0x7F800000, 0x{{[7F]}}FC00000, 0x{{[7F]}}FC00000]]> : tensor<2x6xf32>
// CHECK-NEXT: dense<{{\[\[}}5, 3, 0, 1, 4, 2], [5, 1, 2, 3, 0, 4]]> : tensor<2x6xi64>
func.func @top_k_nan_smallest() -> (tensor<2x6xf32>, tensor<2x6xi64>) {
  %x = weft.constant dense<[[1.5, 1.75, 0x7FC00000, -1.0, 3.0, -2.5],
      [0x7FC00000, 1.0, 1.75, 0x7F800000, 0x7FC00000, -2.25]]> : tensor<2x6xf32>
  %v, %i = weft.top_k %x axis 1 : tensor<2x6xf32> to tensor<2x6xf32>,
      tensor<2x6xi64>
  return %v, %i : tensor<2x6xf32>, tensor<2x6xi64>
}

// CHECK: {{^}}nonzero:
// CHECK-NEXT: dense<{{\[\[}}0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 2, 0, 0, 0, 1, 1, 2, 2], [1, 2, 0, 1, 2, 0, 1, 2, 0, 2, 0, 1]]> : tensor<3x12xi64>
func.func @nonzero() -> (tensor<3x12xi64>) {
  %x = weft.constant dense<[[[0.0, -2.25, -2.0], [2.25, 0.25, 0.0], [-0.0,
      0.0, 1.5]], [[1.0, 0.5, -2.0], [1.0, 0.0, 2.25], [-2.5, -0.25,
      -0.0]]]> : tensor<2x3x3xf32>
  %n = arith.constant 12 : index
  %y = weft.nonzero %x count %n : tensor<2x3x3xf32> to tensor<3x12xi64>
  return %y : tensor<3x12xi64>
}

// CHECK: {{^}}nonzero_bool:
// CHECK-NEXT: dense<{{\[\[}}0, 2]]> : tensor<1x2xi64>
func.func @nonzero_bool() -> (tensor<1x2xi64>) {
  %x = weft.constant dense<[true, false, true]> : tensor<3xi1>
  %n = arith.constant 2 : index
  %y = weft.nonzero %x count %n : tensor<3xi1> to tensor<1x2xi64>
  return %y : tensor<1x2xi64>
}

// Computed by a transcription of Philox-4x32-10 that gives the published words
// for a counter and a key of zero.
// CHECK: {{^}}random_uniform:
// CHECK-NEXT: dense<{{\[\[}}8.676130e-01, 0.54192{{[0-9]*}}, 0.38526{{[0-9]*}}, 0.45004{{[0-9]*}}, 0.48009{{[0-9]*}}], [0.13412{{[0-9]*}}, 0.12751{{[0-9]*}}, 0.34672{{[0-9]*}}, 0.90133{{[0-9]*}}, 0.99088{{[0-9]*}}]]> : tensor<2x5xf32>
func.func @random_uniform() -> (tensor<2x5xf32>) {
  %s = weft.constant dense<-1234567890123> : tensor<i64>
  %y = weft.random_uniform %s stream 3 : tensor<i64>, tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}
