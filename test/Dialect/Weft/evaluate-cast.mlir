// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s
// RUN: weft-opt %s -weft-test-emit -weft-test-evaluate -o /dev/null | FileCheck %s

// CHECK-LABEL: saturating:
// CHECK-NEXT:  dense<[3.125000e-01, -2.500000e+00, 4.480000e+02, -4.480000e+02, 4.480000e+02, 0.001953125]> : tensor<6xf32>
// CHECK-NEXT:  dense<[3.125000e-01, -2.500000e+00, 2.400000e+02, -2.400000e+02, 2.400000e+02, 9.765625E-4]> : tensor<6xf32>
// CHECK-NEXT:  dense<[3.125000e-01, -2.500000e+00, 5.120000e+02, -5.734400e+04, 5.734400e+04, 9.765625E-4]> : tensor<6xf32>
// CHECK-NEXT:  dense<[3.125000e-01, -2.500000e+00, 5.120000e+02, -5.734400e+04, 5.734400e+04, 9.765625E-4]> : tensor<6xf32>
// CHECK-NEXT:  dense<[5.000000e-01, -2.000000e+00, 6.000000e+00, -6.000000e+00, 6.000000e+00, 0.000000e+00]> : tensor<6xf32>
func.func @saturating() -> (tensor<6xf32>, tensor<6xf32>, tensor<6xf32>,
                            tensor<6xf32>, tensor<6xf32>) {
  %x = weft.constant dense<[0.3, -2.4, 500.0, -1.0e6, 0x7F800000, 0.001]> : tensor<6xf32>
  %0 = weft.cast %x saturate : tensor<6xf32> to tensor<6xf8E4M3FN>
  %1 = weft.cast %x saturate : tensor<6xf32> to tensor<6xf8E4M3FNUZ>
  %2 = weft.cast %x saturate : tensor<6xf32> to tensor<6xf8E5M2>
  %3 = weft.cast %x saturate : tensor<6xf32> to tensor<6xf8E5M2FNUZ>
  %4 = weft.cast %x saturate : tensor<6xf32> to tensor<6xf4E2M1FN>
  %5 = weft.cast %0 : tensor<6xf8E4M3FN> to tensor<6xf32>
  %6 = weft.cast %1 : tensor<6xf8E4M3FNUZ> to tensor<6xf32>
  %7 = weft.cast %2 : tensor<6xf8E5M2> to tensor<6xf32>
  %8 = weft.cast %3 : tensor<6xf8E5M2FNUZ> to tensor<6xf32>
  %9 = weft.cast %4 : tensor<6xf4E2M1FN> to tensor<6xf32>
  return %5, %6, %7, %8, %9 : tensor<6xf32>, tensor<6xf32>, tensor<6xf32>,
                              tensor<6xf32>, tensor<6xf32>
}

// Without saturation there is infinity or, where the type has none, NaN.
// CHECK-LABEL: overflowing:
// CHECK-NEXT:  dense<[56, 126, 127, 255, 127, 127]> : tensor<6xui8>
// CHECK-NEXT:  dense<[64, -128, -128, -128, -128, -128]> : tensor<6xi8>
// CHECK-NEXT:  dense<[60, 95, 95, -4, 124, 126]> : tensor<6xi8>
// CHECK-NEXT:  dense<[64, 99, 99, -128, -128, -128]> : tensor<6xi8>
func.func @overflowing() -> (tensor<6xui8>, tensor<6xi8>, tensor<6xi8>,
                             tensor<6xi8>) {
  %x = weft.constant dense<[1.0, 464.0, 465.0, -1.0e6, 0x7F800000, 0x7FC00000]> : tensor<6xf32>
  %0 = weft.cast %x : tensor<6xf32> to tensor<6xf8E4M3FN>
  %1 = weft.cast %x : tensor<6xf32> to tensor<6xf8E4M3FNUZ>
  %2 = weft.cast %x : tensor<6xf32> to tensor<6xf8E5M2>
  %3 = weft.cast %x : tensor<6xf32> to tensor<6xf8E5M2FNUZ>
  %4 = weft.bitcast %0 : tensor<6xf8E4M3FN> to tensor<6xui8>
  %5 = weft.bitcast %1 : tensor<6xf8E4M3FNUZ> to tensor<6xi8>
  %6 = weft.bitcast %2 : tensor<6xf8E5M2> to tensor<6xi8>
  %7 = weft.bitcast %3 : tensor<6xf8E5M2FNUZ> to tensor<6xi8>
  return %4, %5, %6, %7
      : tensor<6xui8>, tensor<6xi8>, tensor<6xi8>, tensor<6xi8>
}

// A scale is the power of two at or above the magnitude.
// CHECK-LABEL: scale:
// CHECK-NEXT:  dense<[127, 128, 129, 0, 254, 255, 255]> : tensor<7xui8>
// CHECK-NEXT:  dense<[127, 128, 129, 0, 255, 255, 255]> : tensor<7xui8>
// CHECK-NEXT:  dense<[1.000000e+00, 2.000000e+00, 4.000000e+00, 5.87747175E-39, 1.70141183E+38, 0x7FC00000, 0x7FC00000]> : tensor<7xf32>
func.func @scale() -> (tensor<7xui8>, tensor<7xui8>, tensor<7xf32>) {
  %x = weft.constant dense<[1.0, 1.25, -3.0, 0.0, 3.0e38, 0x7F800000, 0x7FC00000]> : tensor<7xf32>
  %0 = weft.cast %x saturate : tensor<7xf32> to tensor<7xf8E8M0FNU>
  %1 = weft.cast %x : tensor<7xf32> to tensor<7xf8E8M0FNU>
  %2 = weft.bitcast %0 : tensor<7xf8E8M0FNU> to tensor<7xui8>
  %3 = weft.bitcast %1 : tensor<7xf8E8M0FNU> to tensor<7xui8>
  %4 = weft.cast %0 : tensor<7xf8E8M0FNU> to tensor<7xf32>
  return %2, %3, %4 : tensor<7xui8>, tensor<7xui8>, tensor<7xf32>
}

// CHECK-LABEL: to_int:
// CHECK-NEXT:  dense<[1, -1, 44, -44]> : tensor<4xi8>
// CHECK-NEXT:  dense<[1, -1, 127, -128]> : tensor<4xi8>
// CHECK-NEXT:  dense<[1, 0, 255, 0]> : tensor<4xui8>
// CHECK-NEXT:  dense<[1, -1, 300, -300]> : tensor<4xi64>
// CHECK-NEXT:  dense<true> : tensor<4xi1>
// CHECK-NEXT:  dense<[1, -1, 7, -8]> : tensor<4xi4>
func.func @to_int() -> (tensor<4xi8>, tensor<4xi8>, tensor<4xui8>,
                        tensor<4xi64>, tensor<4xi1>, tensor<4xi4>) {
  %x = weft.constant dense<[1.75, -1.75, 300.0, -300.0]> : tensor<4xf16>
  %0 = weft.cast %x : tensor<4xf16> to tensor<4xi8>
  %1 = weft.cast %x saturate : tensor<4xf16> to tensor<4xi8>
  %2 = weft.cast %x saturate : tensor<4xf16> to tensor<4xui8>
  %3 = weft.cast %x : tensor<4xf16> to tensor<4xi64>
  %4 = weft.cast %x : tensor<4xf16> to tensor<4xi1>
  %5 = weft.cast %x saturate : tensor<4xf16> to tensor<4xi4>
  return %0, %1, %2, %3, %4, %5 : tensor<4xi8>, tensor<4xi8>, tensor<4xui8>,
                                  tensor<4xi64>, tensor<4xi1>, tensor<4xi4>
}

// CHECK-LABEL: saturating_extremes:
// CHECK-NEXT:  dense<[0, 9223372036854775807, -9223372036854775808]> : tensor<3xi64>
// CHECK-NEXT:  dense<[0, 18446744073709551615, 0]> : tensor<3xui64>
// CHECK-NEXT:  dense<[0, 2147483647, -2147483648]> : tensor<3xi32>
func.func @saturating_extremes() -> (tensor<3xi64>, tensor<3xui64>, tensor<3xi32>) {
  %x = weft.constant dense<[0x7FC00000, 1.0e30, -1.0e30]> : tensor<3xf32>
  %0 = weft.cast %x saturate : tensor<3xf32> to tensor<3xi64>
  %1 = weft.cast %x saturate : tensor<3xf32> to tensor<3xui64>
  %2 = weft.cast %x saturate : tensor<3xf32> to tensor<3xi32>
  return %0, %1, %2 : tensor<3xi64>, tensor<3xui64>, tensor<3xi32>
}

// CHECK-LABEL: from_int:
// CHECK-NEXT:  dense<[-1.000000e+00, 1.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:  dense<[2.550000e+02, 1.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:  dense<[255, 1]> : tensor<2xi32>
// CHECK-NEXT:  dense<[-1, 1]> : tensor<2xi4>
// CHECK-NEXT:  dense<[0x4B800000, 2.047000e+03]> : tensor<2xf32>
// CHECK-NEXT:  dense<[1, 0]> : tensor<2xi32>
func.func @from_int() -> (tensor<2xf32>, tensor<2xf32>, tensor<2xi32>,
                          tensor<2xi4>, tensor<2xf32>, tensor<2xi32>) {
  %x = weft.constant dense<[-1, 1]> : tensor<2xi8>
  %0 = weft.cast %x : tensor<2xi8> to tensor<2xf32>
  %y = weft.bitcast %x : tensor<2xi8> to tensor<2xui8>
  %1 = weft.cast %y : tensor<2xui8> to tensor<2xf32>
  %2 = weft.cast %y : tensor<2xui8> to tensor<2xi32>
  %3 = weft.cast %x : tensor<2xi8> to tensor<2xi4>
  %z = weft.constant dense<[16777217, 2047]> : tensor<2xi64>
  %4 = weft.cast %z : tensor<2xi64> to tensor<2xf32>
  %b = weft.constant dense<[true, false]> : tensor<2xi1>
  %5 = weft.cast %b : tensor<2xi1> to tensor<2xi32>
  return %0, %1, %2, %3, %4, %5 : tensor<2xf32>, tensor<2xf32>, tensor<2xi32>,
                                  tensor<2xi4>, tensor<2xf32>, tensor<2xi32>
}

// By way of f32 the last would be a tie that rounds to 1.0.
// CHECK-LABEL: rounds_once:
// CHECK-NEXT:  dense<[1.000000e+00, 1.000980e+00, 0x7C00]> : tensor<3xf16>
func.func @rounds_once() -> tensor<3xf16> {
  %x = weft.constant dense<[1.00048828125, 1.0004882812500002, 1.0e300]> : tensor<3xf64>
  %0 = weft.cast %x : tensor<3xf64> to tensor<3xf16>
  return %0 : tensor<3xf16>
}
