// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --mlir-print-op-generic | weft-opt | FileCheck %s

// CHECK-LABEL: func.func @reduce(
func.func @reduce(%x: tensor<2x?x4xf32>, %b: tensor<3x2xi1>)
    -> (tensor<?xf32>, tensor<2x?x4xf32>) {
  // CHECK: weft.reduce sum %{{.+}} axes [0, 2] : tensor<2x?x4xf32>
  %0 = weft.reduce sum %x axes [0, 2] : tensor<2x?x4xf32>
  // CHECK: weft.reduce prod %{{.+}} axes [] : tensor<2x?x4xf32>
  %1 = weft.reduce prod %x axes [] : tensor<2x?x4xf32>
  // CHECK: weft.reduce max
  %2 = weft.reduce max %x axes [0, 1, 2] : tensor<2x?x4xf32>
  // CHECK: weft.reduce min
  %3 = weft.reduce min %x axes [1] : tensor<2x?x4xf32>
  // CHECK: weft.reduce all
  %4 = weft.reduce all %b axes [0] : tensor<3x2xi1>
  // CHECK: weft.reduce any
  %5 = weft.reduce any %b axes [1] : tensor<3x2xi1>
  return %0, %1 : tensor<?xf32>, tensor<2x?x4xf32>
}

// CHECK-LABEL: func.func @arg_reduce(
func.func @arg_reduce(%x: tensor<2x8xf16>) -> (tensor<2xi64>, tensor<8xi64>) {
  // CHECK: weft.arg_reduce max %{{.+}} axis 1 : tensor<2x8xf16>
  %0 = weft.arg_reduce max %x axis 1 : tensor<2x8xf16>
  // CHECK: weft.arg_reduce min %{{.+}} axis 0 last : tensor<2x8xf16>
  %1 = weft.arg_reduce min %x axis 0 last : tensor<2x8xf16>
  return %0, %1 : tensor<2xi64>, tensor<8xi64>
}

// CHECK-LABEL: func.func @cumulative(
func.func @cumulative(%x: tensor<2x8xi32>) -> tensor<2x8xi32> {
  // CHECK: weft.cumulative sum %{{.+}} axis 1 exclusive reverse : tensor<2x8xi32>
  %0 = weft.cumulative sum %x axis 1 exclusive reverse : tensor<2x8xi32>
  // CHECK: weft.cumulative prod %{{.+}} axis 0 : tensor<2x8xi32>
  %1 = weft.cumulative prod %0 axis 0 : tensor<2x8xi32>
  return %1 : tensor<2x8xi32>
}

// (5 + 1 + 2 - 2 * (3 - 1) - 1) / 2 + 1 = 2
// CHECK-LABEL: func.func @reduce_window(
func.func @reduce_window(%x: tensor<1x?x5xf32>)
    -> (tensor<1x?x2xf32>, tensor<1x?x2xi64>) {
  // CHECK: weft.reduce_window max %{{.+}} window [1, 2, 3] strides [1, 1, 2] low [0, 0, 1] high [0, 0, 2] dilations [1, 1, 2] : tensor<1x?x5xf32>
  %0 = weft.reduce_window max %x window [1, 2, 3] strides [1, 1, 2]
      low [0, 0, 1] high [0, 0, 2] dilations [1, 1, 2] : tensor<1x?x5xf32>
  // CHECK: weft.arg_reduce_window max %{{.+}} window [1, 2, 3] strides [1, 1, 2] low [0, 0, 1] high [0, 0, 2] dilations [1, 1, 2] : tensor<1x?x5xf32>
  %1 = weft.arg_reduce_window max %x window [1, 2, 3] strides [1, 1, 2]
      low [0, 0, 1] high [0, 0, 2] dilations [1, 1, 2] : tensor<1x?x5xf32>
  return %0, %1 : tensor<1x?x2xf32>, tensor<1x?x2xi64>
}

// A window larger than the padded input stands nowhere.
// CHECK-LABEL: func.func @no_window(
func.func @no_window(%x: tensor<3xf32>) -> tensor<0xf32> {
  // CHECK: weft.reduce_window
  %0 = weft.reduce_window sum %x window [5] strides [1] low [0] high [0]
      dilations [1] : tensor<3xf32>
  return %0 : tensor<0xf32>
}

// CHECK-LABEL: func.func @normalisations(
func.func @normalisations(%x: tensor<2x?xbf16>) -> tensor<2x?xbf16> {
  // CHECK: weft.softmax %{{.+}} axis 1 : tensor<2x?xbf16>
  %0 = weft.softmax %x axis 1 : tensor<2x?xbf16>
  // CHECK: weft.normalize %{{.+}} axes [1] epsilon 1.000000e-05 : tensor<2x?xbf16>
  %1 = weft.normalize %0 axes [1] epsilon 1.0e-5 : tensor<2x?xbf16>
  // CHECK: weft.normalize %{{.+}} axes [0, 1] epsilon 0.000000e+00 rms : tensor<2x?xbf16>
  %2 = weft.normalize %1 axes [0, 1] epsilon 0.0 rms : tensor<2x?xbf16>
  return %2 : tensor<2x?xbf16>
}

// Of the two batch sizes the static one is the result's.
// CHECK-LABEL: func.func @contract(
func.func @contract(%a: tensor<?x128x64xf32>, %b: tensor<8x64x?xf32>)
    -> tensor<8x128x?xf32> {
  // CHECK: weft.contract %{{.+}}, %{{.+}} batch [0] x [0] contract [2] x [1] : tensor<?x128x64xf32>, tensor<8x64x?xf32> -> tensor<8x128x?xf32>
  %0 = weft.contract %a, %b batch [0] x [0] contract [2] x [1]
      : tensor<?x128x64xf32>, tensor<8x64x?xf32> -> tensor<8x128x?xf32>
  return %0 : tensor<8x128x?xf32>
}

// CHECK-LABEL: func.func @contract_widens(
func.func @contract_widens(%a: tensor<4xui8>, %b: tensor<4xi8>)
    -> tensor<i32> {
  // CHECK: weft.contract %{{.+}}, %{{.+}} batch [] x [] contract [0] x [0] : tensor<4xui8>, tensor<4xi8> -> tensor<i32>
  %0 = weft.contract %a, %b batch [] x [] contract [0] x [0]
      : tensor<4xui8>, tensor<4xi8> -> tensor<i32>
  return %0 : tensor<i32>
}

// CHECK-LABEL: func.func @conv(
func.func @conv(%x: tensor<1x4x?x7xf32>, %w: tensor<6x2x3x3xf32>)
    -> tensor<1x6x?x15xf32> {
  // CHECK: weft.conv %{{.+}}, %{{.+}} strides [2, 1] low [1, 2] high [1, 2] input_dilation [1, 2] filter_dilation [2, 1] groups 2 : tensor<1x4x?x7xf32>, tensor<6x2x3x3xf32> -> tensor<1x6x?x15xf32>
  %0 = weft.conv %x, %w strides [2, 1] low [1, 2] high [1, 2]
      input_dilation [1, 2] filter_dilation [2, 1] groups 2
      : tensor<1x4x?x7xf32>, tensor<6x2x3x3xf32> -> tensor<1x6x?x15xf32>
  return %0 : tensor<1x6x?x15xf32>
}

// CHECK-LABEL: func.func @det(
func.func @det(%x: tensor<?x3x3xf16>) -> (tensor<?xf16>, tensor<?x3x3xf32>) {
  // CHECK: weft.det %{{.+}} : tensor<?x3x3xf16>
  %0, %1 = weft.det %x : tensor<?x3x3xf16>
  return %0, %1 : tensor<?xf16>, tensor<?x3x3xf32>
}

// CHECK-LABEL: func.func @contract_init(
func.func @contract_init(%a: tensor<?x4xf16>, %b: tensor<?x5xf16>, %c: tensor<4x5xf32>)
    -> tensor<4x5xf32> {
  // CHECK: weft.contract %{{.+}}, %{{.+}} init(%{{.+}} : tensor<4x5xf32>) batch [] x [] contract [0] x [0] : tensor<?x4xf16>, tensor<?x5xf16> -> tensor<4x5xf32>
  %0 = weft.contract %a, %b init(%c : tensor<4x5xf32>) batch [] x [] contract [0] x [0]
      : tensor<?x4xf16>, tensor<?x5xf16> -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}
