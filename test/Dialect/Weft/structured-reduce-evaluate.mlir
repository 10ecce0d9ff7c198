// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s

// CHECK: {{^}}reduce_sum:
// CHECK-NEXT: dense<[5.750000e+00, -5.000000e+00, 5.750000e+00]> : tensor<3xf32>
func.func @reduce_sum() -> (tensor<3xf32>) {
  %x = weft.constant dense<[[[-2.75, 3.5, 3.0, -1.0], [1.5, 0.75, -5.25, 0.5],
      [-0.0, 0.25, -2.25, -0.5]], [[-0.25, 2.5, 0.75, -0.0], [3.0, -1.0,
      -0.75, -3.75], [3.25, 2.0, 1.75, 1.25]]]> : tensor<2x3x4xf32>
  %y = weft.reduce sum %x axes [0, 2] : tensor<2x3x4xf32>
  return %y : tensor<3xf32>
}

// CHECK: {{^}}reduce_prod:
// CHECK-NEXT: dense<[0.000000e+00, 24.916{{[0-9]*}}, -0.000000e+00]> : tensor<3xf32>
func.func @reduce_prod() -> (tensor<3xf32>) {
  %x = weft.constant dense<[[[-2.75, 3.5, 3.0, -1.0], [1.5, 0.75, -5.25, 0.5],
      [-0.0, 0.25, -2.25, -0.5]], [[-0.25, 2.5, 0.75, -0.0], [3.0, -1.0,
      -0.75, -3.75], [3.25, 2.0, 1.75, 1.25]]]> : tensor<2x3x4xf32>
  %y = weft.reduce prod %x axes [0, 2] : tensor<2x3x4xf32>
  return %y : tensor<3xf32>
}

// CHECK: {{^}}reduce_max:
// CHECK-NEXT: dense<[3.500000e+00, 3.000000e+00, 3.250000e+00]> : tensor<3xf32>
func.func @reduce_max() -> (tensor<3xf32>) {
  %x = weft.constant dense<[[[-2.75, 3.5, 3.0, -1.0], [1.5, 0.75, -5.25, 0.5],
      [-0.0, 0.25, -2.25, -0.5]], [[-0.25, 2.5, 0.75, -0.0], [3.0, -1.0,
      -0.75, -3.75], [3.25, 2.0, 1.75, 1.25]]]> : tensor<2x3x4xf32>
  %y = weft.reduce max %x axes [0, 2] : tensor<2x3x4xf32>
  return %y : tensor<3xf32>
}

// CHECK: {{^}}reduce_min:
// CHECK-NEXT: dense<[-2.750000e+00, -5.250000e+00, -2.250000e+00]> : tensor<3xf32>
func.func @reduce_min() -> (tensor<3xf32>) {
  %x = weft.constant dense<[[[-2.75, 3.5, 3.0, -1.0], [1.5, 0.75, -5.25, 0.5],
      [-0.0, 0.25, -2.25, -0.5]], [[-0.25, 2.5, 0.75, -0.0], [3.0, -1.0,
      -0.75, -3.75], [3.25, 2.0, 1.75, 1.25]]]> : tensor<2x3x4xf32>
  %y = weft.reduce min %x axes [0, 2] : tensor<2x3x4xf32>
  return %y : tensor<3xf32>
}

// Integers wrap and compare by their own signedness.
// CHECK: {{^}}reduce_sum_i8:
// CHECK-NEXT: dense<[49, -23, 84]> : tensor<3xi8>
func.func @reduce_sum_i8() -> (tensor<3xi8>) {
  %x = weft.constant dense<[[88, 20, -21, -38], [28, -61, -64, 74], [51, 18,
      51, -36]]> : tensor<3x4xi8>
  %y = weft.reduce sum %x axes [1] : tensor<3x4xi8>
  return %y : tensor<3xi8>
}

// CHECK: {{^}}reduce_prod_ui8:
// CHECK-NEXT: dense<128> : tensor<ui8>
func.func @reduce_prod_ui8() -> (tensor<ui8>) {
  %x = weft.constant dense<[[37, 86, 181, 232], [210, 95, 234, 65], [31, 110,
      23, 173]]> : tensor<3x4xui8>
  %y = weft.reduce prod %x axes [0, 1] : tensor<3x4xui8>
  return %y : tensor<ui8>
}

// CHECK: {{^}}reduce_max_ui8:
// CHECK-NEXT: dense<239> : tensor<ui8>
func.func @reduce_max_ui8() -> (tensor<ui8>) {
  %x = weft.constant dense<[[8, 28, 80, 99], [79, 114, 183, 63], [116, 185,
      14, 239]]> : tensor<3x4xui8>
  %y = weft.reduce max %x axes [0, 1] : tensor<3x4xui8>
  return %y : tensor<ui8>
}

// CHECK: {{^}}reduce_min_i8:
// CHECK-NEXT: dense<[-76, -94, -76]> : tensor<3xi8>
func.func @reduce_min_i8() -> (tensor<3xi8>) {
  %x = weft.constant dense<[[99, 2, -76, -16], [-94, 97, 0, 68], [-76, -67,
      -65, 13]]> : tensor<3x4xi8>
  %y = weft.reduce min %x axes [1] : tensor<3x4xi8>
  return %y : tensor<3xi8>
}

// CHECK: {{^}}reduce_sum_f16:
// CHECK-NEXT: dense<-1.250000e+00> : tensor<f16>
func.func @reduce_sum_f16() -> (tensor<f16>) {
  %x = weft.constant dense<[0.25, -0.75, -2.25, -0.25, 1.75]> : tensor<5xf16>
  %y = weft.reduce sum %x axes [0] : tensor<5xf16>
  return %y : tensor<f16>
}

// CHECK: {{^}}reduce_max_nan:
// CHECK-NEXT: dense<[0x{{[7F]}}FC00000, 7.500000e-01]> : tensor<2xf32>
func.func @reduce_max_nan() -> (tensor<2xf32>) {
  %x = weft.constant dense<[[3.75, 0x7FC00000, 0.0], [-3.25, 0.75, -4.0]]>
      : tensor<2x3xf32>
  %y = weft.reduce max %x axes [1] : tensor<2x3xf32>
  return %y : tensor<2xf32>
}

// CHECK: {{^}}reduce_min_nan:
// CHECK-NEXT: dense<[0x{{[7F]}}FC00000, -4.000000e+00]> : tensor<2xf32>
func.func @reduce_min_nan() -> (tensor<2xf32>) {
  %x = weft.constant dense<[[3.75, 0x7FC00000, 0.0], [-3.25, 0.75, -4.0]]>
      : tensor<2x3xf32>
  %y = weft.reduce min %x axes [1] : tensor<2x3xf32>
  return %y : tensor<2xf32>
}

// CHECK: {{^}}reduce_all_bool:
// CHECK-NEXT: dense<[false, true]> : tensor<2xi1>
func.func @reduce_all_bool() -> (tensor<2xi1>) {
  %x = weft.constant dense<[[true, false], [true, true]]> : tensor<2x2xi1>
  %y = weft.reduce all %x axes [1] : tensor<2x2xi1>
  return %y : tensor<2xi1>
}

// CHECK: {{^}}reduce_any_bool:
// CHECK-NEXT: dense<true> : tensor<2xi1>
func.func @reduce_any_bool() -> (tensor<2xi1>) {
  %x = weft.constant dense<[[true, false], [true, true]]> : tensor<2x2xi1>
  %y = weft.reduce any %x axes [1] : tensor<2x2xi1>
  return %y : tensor<2xi1>
}

// CHECK: {{^}}reduce_max_bool:
// CHECK-NEXT: dense<true> : tensor<2xi1>
func.func @reduce_max_bool() -> (tensor<2xi1>) {
  %x = weft.constant dense<[[true, false], [true, true]]> : tensor<2x2xi1>
  %y = weft.reduce max %x axes [1] : tensor<2x2xi1>
  return %y : tensor<2xi1>
}

// Nothing combined gives the identity.
// CHECK: {{^}}reduce_sum_empty:
// CHECK-NEXT: dense<0.000000e+00> : tensor<2xf32>
func.func @reduce_sum_empty() -> (tensor<2xf32>) {
  %x = weft.constant dense<> : tensor<2x0xf32>
  %y = weft.reduce sum %x axes [1] : tensor<2x0xf32>
  return %y : tensor<2xf32>
}

// CHECK: {{^}}reduce_prod_empty:
// CHECK-NEXT: dense<1.000000e+00> : tensor<2xf32>
func.func @reduce_prod_empty() -> (tensor<2xf32>) {
  %x = weft.constant dense<> : tensor<2x0xf32>
  %y = weft.reduce prod %x axes [1] : tensor<2x0xf32>
  return %y : tensor<2xf32>
}

// CHECK: {{^}}reduce_max_empty:
// CHECK-NEXT: dense<0xFF800000> : tensor<2xf32>
func.func @reduce_max_empty() -> (tensor<2xf32>) {
  %x = weft.constant dense<> : tensor<2x0xf32>
  %y = weft.reduce max %x axes [1] : tensor<2x0xf32>
  return %y : tensor<2xf32>
}

// CHECK: {{^}}reduce_min_empty:
// CHECK-NEXT: dense<0x7F800000> : tensor<2xf32>
func.func @reduce_min_empty() -> (tensor<2xf32>) {
  %x = weft.constant dense<> : tensor<2x0xf32>
  %y = weft.reduce min %x axes [1] : tensor<2x0xf32>
  return %y : tensor<2xf32>
}

// CHECK: {{^}}arg_reduce_max:
// CHECK-NEXT: dense<[1, 0]> : tensor<2xi64>
func.func @arg_reduce_max() -> (tensor<2xi64>) {
  %x = weft.constant dense<[[1.0, 3.0, 3.0, 2.0], [-2.0, -2.0, -5.0, -5.0]]>
      : tensor<2x4xf32>
  %y = weft.arg_reduce max %x axis 1 : tensor<2x4xf32>
  return %y : tensor<2xi64>
}

// CHECK: {{^}}arg_reduce_max_last:
// CHECK-NEXT: dense<[2, 1]> : tensor<2xi64>
func.func @arg_reduce_max_last() -> (tensor<2xi64>) {
  %x = weft.constant dense<[[1.0, 3.0, 3.0, 2.0], [-2.0, -2.0, -5.0, -5.0]]>
      : tensor<2x4xf32>
  %y = weft.arg_reduce max %x axis 1 last : tensor<2x4xf32>
  return %y : tensor<2xi64>
}

// CHECK: {{^}}arg_reduce_min:
// CHECK-NEXT: dense<[0, 2]> : tensor<2xi64>
func.func @arg_reduce_min() -> (tensor<2xi64>) {
  %x = weft.constant dense<[[1.0, 3.0, 3.0, 2.0], [-2.0, -2.0, -5.0, -5.0]]>
      : tensor<2x4xf32>
  %y = weft.arg_reduce min %x axis 1 : tensor<2x4xf32>
  return %y : tensor<2xi64>
}

// CHECK: {{^}}arg_reduce_min_last:
// CHECK-NEXT: dense<[0, 3]> : tensor<2xi64>
func.func @arg_reduce_min_last() -> (tensor<2xi64>) {
  %x = weft.constant dense<[[1.0, 3.0, 3.0, 2.0], [-2.0, -2.0, -5.0, -5.0]]>
      : tensor<2x4xf32>
  %y = weft.arg_reduce min %x axis 1 last : tensor<2x4xf32>
  return %y : tensor<2xi64>
}

// CHECK: {{^}}arg_reduce_max_i8:
// CHECK-NEXT: dense<0> : tensor<i64>
func.func @arg_reduce_max_i8() -> (tensor<i64>) {
  %x = weft.constant dense<[-128, -128]> : tensor<2xi8>
  %y = weft.arg_reduce max %x axis 0 : tensor<2xi8>
  return %y : tensor<i64>
}

// NaN wins over all else, and a row of the identity still has an index.
// CHECK: {{^}}arg_reduce_max_nan:
// CHECK-NEXT: dense<[1, 0]> : tensor<2xi64>
func.func @arg_reduce_max_nan() -> (tensor<2xi64>) {
  %x = weft.constant dense<[[1.0, 0x7FC00000, 3.0, 0x7FC00000], [0xFF800000,
      0xFF800000, 0xFF800000, 0xFF800000]]> : tensor<2x4xf32>
  %y = weft.arg_reduce max %x axis 1 : tensor<2x4xf32>
  return %y : tensor<2xi64>
}

// CHECK: {{^}}arg_reduce_min_nan_last:
// CHECK-NEXT: dense<3> : tensor<2xi64>
func.func @arg_reduce_min_nan_last() -> (tensor<2xi64>) {
  %x = weft.constant dense<[[1.0, 0x7FC00000, 3.0, 0x7FC00000], [0x7F800000,
      0x7F800000, 0x7F800000, 0x7F800000]]> : tensor<2x4xf32>
  %y = weft.arg_reduce min %x axis 1 last : tensor<2x4xf32>
  return %y : tensor<2xi64>
}

// CHECK: {{^}}cumulative_sum_00:
// CHECK-NEXT: dense<{{\[\[}}-2.750000e+00, -1.000000e+00, 5.000000e-01, 2.500000e-01], [-3.500000e+00, -4.250000e+00, -5.500000e+00, -4.250000e+00]]> : tensor<2x4xf32>
func.func @cumulative_sum_00() -> (tensor<2x4xf32>) {
  %x = weft.constant dense<[[-2.75, 1.75, 1.5, -0.25], [-3.5, -0.75, -1.25,
      1.25]]> : tensor<2x4xf32>
  %y = weft.cumulative sum %x axis 1 : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// CHECK: {{^}}cumulative_sum_10:
// CHECK-NEXT: dense<{{\[\[}}0.000000e+00, -2.750000e+00, -1.000000e+00, 5.000000e-01], [0.000000e+00, -3.500000e+00, -4.250000e+00, -5.500000e+00]]> : tensor<2x4xf32>
func.func @cumulative_sum_10() -> (tensor<2x4xf32>) {
  %x = weft.constant dense<[[-2.75, 1.75, 1.5, -0.25], [-3.5, -0.75, -1.25,
      1.25]]> : tensor<2x4xf32>
  %y = weft.cumulative sum %x axis 1 exclusive : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// CHECK: {{^}}cumulative_sum_01:
// CHECK-NEXT: dense<{{\[\[}}2.500000e-01, 3.000000e+00, 1.250000e+00, -2.500000e-01], [-4.250000e+00, -7.500000e-01, 0.000000e+00, 1.250000e+00]]> : tensor<2x4xf32>
func.func @cumulative_sum_01() -> (tensor<2x4xf32>) {
  %x = weft.constant dense<[[-2.75, 1.75, 1.5, -0.25], [-3.5, -0.75, -1.25,
      1.25]]> : tensor<2x4xf32>
  %y = weft.cumulative sum %x axis 1 reverse : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// CHECK: {{^}}cumulative_prod_11:
// CHECK-NEXT: dense<{{\[\[}}-6.562500e-01, -3.750000e-01, -2.500000e-01, 1.000000e+00], [1.1718{{[0-9]*}}, -1.562500e+00, 1.250000e+00, 1.000000e+00]]> : tensor<2x4xf32>
func.func @cumulative_prod_11() -> (tensor<2x4xf32>) {
  %x = weft.constant dense<[[-2.75, 1.75, 1.5, -0.25], [-3.5, -0.75, -1.25,
      1.25]]> : tensor<2x4xf32>
  %y = weft.cumulative prod %x axis 1 exclusive reverse : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// CHECK: {{^}}softmax_float32:
// CHECK-NEXT: dense<{{\[\[\[}}0.98659{{[0-9]*}}, 0.65091{{[0-9]*}}], [0.0024455{{[0-9]*}}, 0.041611{{[0-9]*}}], [0.010960{{[0-9]*}}, 0.30747{{[0-9]*}}]], {{\[\[}}0.010867{{[0-9]*}}, 0.063378{{[0-9]*}}], [0.010867{{[0-9]*}}, 0.46831{{[0-9]*}}], [0.97826{{[0-9]*}}, 0.46831{{[0-9]*}}]]]> : tensor<2x3x2xf32>
func.func @softmax_float32() -> (tensor<2x3x2xf32>) {
  %x = weft.constant dense<[[[4.5, 0.5], [-1.5, -2.25], [-0.0, -0.25]],
      [[-2.25, 0.25], [-2.25, 2.25], [2.25, 2.25]]]> : tensor<2x3x2xf32>
  %y = weft.softmax %x axis 1 : tensor<2x3x2xf32>
  return %y : tensor<2x3x2xf32>
}

// CHECK: {{^}}softmax_float64:
// CHECK-NEXT: dense<{{\[\[\[}}0.22721{{[0-9]*}}, 0.83058{{[0-9]*}}], [0.48102{{[0-9]*}}, 0.14433{{[0-9]*}}], [0.29175{{[0-9]*}}, 0.025081{{[0-9]*}}]], {{\[\[}}0.0061882{{[0-9]*}}, 0.72747{{[0-9]*}}], [0.075388{{[0-9]*}}, 0.26762{{[0-9]*}}], [0.91842{{[0-9]*}}, 0.0049016{{[0-9]*}}]]]> : tensor<2x3x2xf64>
func.func @softmax_float64() -> (tensor<2x3x2xf64>) {
  %x = weft.constant dense<[[[-1.0, 1.0], [-0.25, -0.75], [-0.75, -2.5]],
      [[-3.0, 1.5], [-0.5, 0.5], [2.0, -3.5]]]> : tensor<2x3x2xf64>
  %y = weft.softmax %x axis 1 : tensor<2x3x2xf64>
  return %y : tensor<2x3x2xf64>
}

// CHECK: {{^}}softmax_float16:
// CHECK-NEXT: dense<{{\[\[\[}}2.293{{[0-9]+}}e-02, 3.771{{[0-9]+}}e-01], [2.176{{[0-9]+}}e-01, 1.386{{[0-9]+}}e-01], [7.592{{[0-9]+}}e-01, 4.841{{[0-9]+}}e-01]], {{\[\[}}1.789{{[0-9]+}}e-02, 9.376{{[0-9]+}}e-03], [9.770{{[0-9]+}}e-01, 1.466{{[0-9]+}}e-01], [5.126{{[0-9]+}}e-03, 8.437500e-01]]]> : tensor<2x3x2xf16>
func.func @softmax_float16() -> (tensor<2x3x2xf16>) {
  %x = weft.constant dense<[[[-1.5, 0.25], [0.75, -0.75], [2.0, 0.5]], [[-2.5,
      -1.75], [1.5, 1.0], [-3.75, 2.75]]]> : tensor<2x3x2xf16>
  %y = weft.softmax %x axis 1 : tensor<2x3x2xf16>
  return %y : tensor<2x3x2xf16>
}

// CHECK: {{^}}softmax_extreme:
// CHECK-NEXT: dense<{{\[\[}}0x{{[7F]}}FC00000, 0x{{[7F]}}FC00000], [1.000000e+00, 0.000000e+00]]> : tensor<2x2xf32>
func.func @softmax_extreme() -> (tensor<2x2xf32>) {
  %x = weft.constant dense<[[0xFF800000, 0xFF800000], [1000.0, -1000.0]]>
      : tensor<2x2xf32>
  %y = weft.softmax %x axis 1 : tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// CHECK: {{^}}normalize_float32:
// CHECK-NEXT: dense<{{\[\[\[}}1.5499{{[0-9]*}}, -0.10332{{[0-9]*}}], [-0.30107{{[0-9]*}}, -{{0.7025|7.025}}{{[0-9e-]+}}], [-0.88913{{[0-9]*}}, -1.0983{{[0-9]*}}]], {{\[\[}}-1.239950e+00, -0.20665{{[0-9]*}}], [-{{0.7025|7.025}}{{[0-9e-]+}}, 1.7061{{[0-9]*}}], [0.99374{{[0-9]*}}, 0.99374{{[0-9]*}}]]]> : tensor<2x3x2xf32>
func.func @normalize_float32() -> (tensor<2x3x2xf32>) {
  %x = weft.constant dense<[[[4.5, 0.5], [-1.5, -2.25], [-0.0, -0.25]],
      [[-2.25, 0.25], [-2.25, 2.25], [2.25, 2.25]]]> : tensor<2x3x2xf32>
  %y = weft.normalize %x axes [0, 2] epsilon 1.0e-2 : tensor<2x3x2xf32>
  return %y : tensor<2x3x2xf32>
}

// CHECK: {{^}}normalize_rms_float32:
// CHECK-NEXT: dense<{{\[\[\[}}1.6420{{[0-9]*}}, 0.37250{{[0-9]*}}], [-0.54735{{[0-9]*}}, -1.6762{{[0-9]*}}], [-0.000000e+00, -0.18625{{[0-9]*}}]], {{\[\[}}-0.99901{{[0-9]*}}, 0.13546{{[0-9]*}}], [-0.99901{{[0-9]*}}, 1.2191{{[0-9]*}}], [0.99901{{[0-9]*}}, 1.2191{{[0-9]*}}]]]> : tensor<2x3x2xf32>
func.func @normalize_rms_float32() -> (tensor<2x3x2xf32>) {
  %x = weft.constant dense<[[[4.5, 0.5], [-1.5, -2.25], [-0.0, -0.25]],
      [[-2.25, 0.25], [-2.25, 2.25], [2.25, 2.25]]]> : tensor<2x3x2xf32>
  %y = weft.normalize %x axes [1] epsilon 1.0e-2 rms : tensor<2x3x2xf32>
  return %y : tensor<2x3x2xf32>
}

// CHECK: {{^}}normalize_float16:
// CHECK-NEXT: dense<{{\[\[\[}}-1.234{{[0-9]+}}e-01, 1.604{{[0-9]+}}e+00], [1.480{{[0-9]+}}e-01, -1.627{{[0-9]+}}e+00], [6.455{{[0-9]+}}e-01, 4.965{{[0-9]+}}e-02]], {{\[\[}}-1.111{{[0-9]+}}e+00, -3.703{{[0-9]+}}e-01], [1.036{{[0-9]+}}e+00, 4.440{{[0-9]+}}e-01], [-1.638{{[0-9]+}}e+00, 9.433{{[0-9]+}}e-01]]]> : tensor<2x3x2xf16>
func.func @normalize_float16() -> (tensor<2x3x2xf16>) {
  %x = weft.constant dense<[[[-1.5, 0.25], [0.75, -0.75], [2.0, 0.5]], [[-2.5,
      -1.75], [1.5, 1.0], [-3.75, 2.75]]]> : tensor<2x3x2xf16>
  %y = weft.normalize %x axes [0, 2] epsilon 1.0e-2 : tensor<2x3x2xf16>
  return %y : tensor<2x3x2xf16>
}
