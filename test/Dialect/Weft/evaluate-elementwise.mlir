// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s
// RUN: weft-opt %s -weft-test-emit -weft-test-evaluate -o /dev/null | FileCheck %s

// CHECK-LABEL: circular:
// CHECK-NEXT:  dense<[0.000000e+00, 0.47942555, -0.841470957]> : tensor<3xf32>
// CHECK-NEXT:  dense<[1.000000e+00, 0.87758255, 0.540302277]> : tensor<3xf32>
// CHECK-NEXT:  dense<[0.000000e+00, 0.546302497, -1.55740774]> : tensor<3xf32>
// CHECK-NEXT:  dense<[0.000000e+00, 0.52359879, -1.57079637]> : tensor<3xf32>
// CHECK-NEXT:  dense<[1.57079637, 1.04719758, 3.14159274]> : tensor<3xf32>
// CHECK-NEXT:  dense<[0.000000e+00, 0.463647604, -0.785398185]> : tensor<3xf32>
func.func @circular() -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
                          tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %x = weft.constant dense<[0.0, 0.5, -1.0]> : tensor<3xf32>
  %0 = weft.sin %x : tensor<3xf32>
  %1 = weft.cos %x : tensor<3xf32>
  %2 = weft.tan %x : tensor<3xf32>
  %3 = weft.asin %x : tensor<3xf32>
  %4 = weft.acos %x : tensor<3xf32>
  %5 = weft.atan %x : tensor<3xf32>
  return %0, %1, %2, %3, %4, %5
      : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
        tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: hyperbolic:
// CHECK-NEXT:  dense<[0.000000e+00, 1.1752{{[0-9]+}}, -0.5210{{[0-9]+}}]> : tensor<3xf64>
// CHECK-NEXT:  dense<[1.000000e+00, 1.5430{{[0-9]+}}, 1.1276{{[0-9]+}}]> : tensor<3xf64>
// CHECK-NEXT:  dense<[0.000000e+00, 0.7615{{[0-9]+}}, -0.4621{{[0-9]+}}]> : tensor<3xf64>
// CHECK-NEXT:  dense<[0.000000e+00, 0.8813{{[0-9]+}}, -0.4812{{[0-9]+}}]> : tensor<3xf64>
// CHECK-NEXT:  dense<[0.000000e+00, 0x7FF0000000000000, -0.5493{{[0-9]+}}]> : tensor<3xf64>
// CHECK-NEXT:  dense<[0.000000e+00, 0.9624{{[0-9]+}}]> : tensor<2xf64>
func.func @hyperbolic() -> (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>,
                            tensor<3xf64>, tensor<3xf64>, tensor<2xf64>) {
  %x = weft.constant dense<[0.0, 1.0, -0.5]> : tensor<3xf64>
  %0 = weft.sinh %x : tensor<3xf64>
  %1 = weft.cosh %x : tensor<3xf64>
  %2 = weft.tanh %x : tensor<3xf64>
  %3 = weft.asinh %x : tensor<3xf64>
  %4 = weft.atanh %x : tensor<3xf64>
  %y = weft.constant dense<[1.0, 1.5]> : tensor<2xf64>
  %5 = weft.acosh %y : tensor<2xf64>
  return %0, %1, %2, %3, %4, %5
      : tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>,
        tensor<3xf64>, tensor<2xf64>
}

// CHECK-LABEL: exponential:
// CHECK-NEXT:  dense<[1.000000e+00, 1.64{{.*}}, 3.67{{.*}}]> : tensor<3xf16>
// CHECK-NEXT:  dense<[5.000000e-01, 6.22{{.*}}, 2.69{{.*}}]> : tensor<3xf16>
// CHECK-NEXT:  dense<[0.000000e+00, 5.20{{.*}}, -8.42{{.*}}]> : tensor<3xf16>
// CHECK-NEXT:  dense<[1.000000e+00, 7.07{{.*}}, 2.000000e+00]> : tensor<3xf16>
// CHECK-NEXT:  dense<[0.000000e+00, -6.93{{.*}}, 1.38{{.*}}]> : tensor<3xf16>
func.func @exponential() -> (tensor<3xf16>, tensor<3xf16>, tensor<3xf16>,
                             tensor<3xf16>, tensor<3xf16>) {
  %x = weft.constant dense<[0.0, 0.5, -1.0]> : tensor<3xf16>
  %0 = weft.exp %x : tensor<3xf16>
  %1 = weft.logistic %x : tensor<3xf16>
  %2 = weft.erf %x : tensor<3xf16>
  %y = weft.constant dense<[1.0, 0.5, 4.0]> : tensor<3xf16>
  %3 = weft.sqrt %y : tensor<3xf16>
  %4 = weft.log %y : tensor<3xf16>
  return %0, %1, %2, %3, %4 : tensor<3xf16>, tensor<3xf16>, tensor<3xf16>,
                              tensor<3xf16>, tensor<3xf16>
}

// CHECK-LABEL: rounding:
// CHECK-NEXT:  dense<[3.000000e+00, -2.000000e+00, 1.000000e+00]> : tensor<3xbf16>
// CHECK-NEXT:  dense<[2.000000e+00, -3.000000e+00, 0.000000e+00]> : tensor<3xbf16>
// CHECK-NEXT:  dense<[2.000000e+00, -2.000000e+00, 0.000000e+00]> : tensor<3xbf16>
// CHECK-NEXT:  dense<[2.500000e+00, 2.500000e+00, 5.000000e-01]> : tensor<3xbf16>
// CHECK-NEXT:  dense<[-2.500000e+00, 2.500000e+00, -5.000000e-01]> : tensor<3xbf16>
func.func @rounding() -> (tensor<3xbf16>, tensor<3xbf16>, tensor<3xbf16>,
                          tensor<3xbf16>, tensor<3xbf16>) {
  %x = weft.constant dense<[2.5, -2.5, 0.5]> : tensor<3xbf16>
  %0 = weft.ceil %x : tensor<3xbf16>
  %1 = weft.floor %x : tensor<3xbf16>
  %2 = weft.round %x : tensor<3xbf16>
  %3 = weft.abs %x : tensor<3xbf16>
  %4 = weft.neg %x : tensor<3xbf16>
  return %0, %1, %2, %3, %4 : tensor<3xbf16>, tensor<3xbf16>, tensor<3xbf16>,
                              tensor<3xbf16>, tensor<3xbf16>
}

// CHECK-LABEL: sign:
// CHECK-NEXT:  dense<[1.000000e+00, -1.000000e+00, 0.000000e+00, 0x7FC00000]> : tensor<4xf32>
// CHECK-NEXT:  dense<[1, -1, 0]> : tensor<3xi8>
// CHECK-NEXT:  dense<[1, 1, 0]> : tensor<3xui8>
func.func @sign() -> (tensor<4xf32>, tensor<3xi8>, tensor<3xui8>) {
  %x = weft.constant dense<[0.25, -7.0, -0.0, 0x7FC00000]> : tensor<4xf32>
  %0 = weft.sign %x : tensor<4xf32>
  %y = weft.constant dense<[5, -5, 0]> : tensor<3xi8>
  %1 = weft.sign %y : tensor<3xi8>
  %z = weft.constant dense<[5, 251, 0]> : tensor<3xui8>
  %2 = weft.sign %z : tensor<3xui8>
  return %0, %1, %2 : tensor<4xf32>, tensor<3xi8>, tensor<3xui8>
}

// CHECK-LABEL: signed:
// CHECK-NEXT:  dense<[-126, -128, 11, -9]> : tensor<4xi8>
// CHECK-NEXT:  dense<[124, -128, 3, 1]> : tensor<4xi8>
// CHECK-NEXT:  dense<[125, 0, 28, 20]> : tensor<4xi8>
// CHECK-NEXT:  dense<[-42, 0, 1, 0]> : tensor<4xi8>
// CHECK-NEXT:  dense<[1, 0, 3, -4]> : tensor<4xi8>
// CHECK-NEXT:  dense<[127, 0, 7, -4]> : tensor<4xi8>
// CHECK-NEXT:  dense<[-3, -128, 4, -5]> : tensor<4xi8>
// CHECK-NEXT:  dense<[127, -128, 7, 4]> : tensor<4xi8>
// CHECK-NEXT:  dense<[-127, -128, -7, 4]> : tensor<4xi8>
// CHECK-NEXT:  dense<[-128, 127, -8, 3]> : tensor<4xi8>
func.func @signed() -> (tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xi8>,
                        tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xi8>,
                        tensor<4xi8>, tensor<4xi8>) {
  %a = weft.constant dense<[127, -128, 7, -4]> : tensor<4xi8>
  %b = weft.constant dense<[3, 0, 4, -5]> : tensor<4xi8>
  %c = weft.constant dense<[-3, 0, 4, -5]> : tensor<4xi8>
  %0 = weft.add %a, %b : tensor<4xi8>
  %1 = weft.sub %a, %b : tensor<4xi8>
  %2 = weft.mul %a, %b : tensor<4xi8>
  %3 = weft.div %a, %c : tensor<4xi8>
  %4 = weft.rem %a, %c : tensor<4xi8>
  %5 = weft.max %a, %c : tensor<4xi8>
  %6 = weft.min %a, %c : tensor<4xi8>
  %7 = weft.abs %a : tensor<4xi8>
  %8 = weft.neg %a : tensor<4xi8>
  %9 = weft.not %a : tensor<4xi8>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9
      : tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xi8>,
        tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xi8>, tensor<4xi8>
}

// The smallest integer has no negative; a quotient by zero is zero.
// CHECK-LABEL: no_traps:
// CHECK-NEXT:  dense<[-2147483648, 0, -5]> : tensor<3xi32>
// CHECK-NEXT:  dense<0> : tensor<3xi32>
// CHECK-NEXT:  dense<[0, 4]> : tensor<2xui8>
// CHECK-NEXT:  dense<[0, 5]> : tensor<2xui8>
func.func @no_traps() -> (tensor<3xi32>, tensor<3xi32>, tensor<2xui8>,
                          tensor<2xui8>) {
  %a = weft.constant dense<[-2147483648, -2147483648, 5]> : tensor<3xi32>
  %b = weft.constant dense<[-1, 0, -1]> : tensor<3xi32>
  %0 = weft.div %a, %b : tensor<3xi32>
  %1 = weft.rem %a, %b : tensor<3xi32>
  %c = weft.constant dense<[200, 45]> : tensor<2xui8>
  %d = weft.constant dense<[0, 10]> : tensor<2xui8>
  %2 = weft.div %c, %d : tensor<2xui8>
  %3 = weft.rem %c, %d : tensor<2xui8>
  return %0, %1, %2, %3
      : tensor<3xi32>, tensor<3xi32>, tensor<2xui8>, tensor<2xui8>
}

// CHECK-LABEL: unsigned:
// CHECK-NEXT:  dense<[66, 255]> : tensor<2xui8>
// CHECK-NEXT:  dense<[200, 255]> : tensor<2xui8>
// CHECK-NEXT:  dense<[3, 0]> : tensor<2xui8>
// CHECK-NEXT:  dense<[false, true]> : tensor<2xi1>
func.func @unsigned() -> (tensor<2xui8>, tensor<2xui8>, tensor<2xui8>,
                          tensor<2xi1>) {
  %a = weft.constant dense<[200, 1]> : tensor<2xui8>
  %b = weft.constant dense<[3, 255]> : tensor<2xui8>
  %0 = weft.div %a, %b : tensor<2xui8>
  %c = weft.constant dense<[0, 255]> : tensor<2xui8>
  %1 = weft.or %0, %c : tensor<2xui8>
  %2 = weft.max %a, %b : tensor<2xui8>
  %3 = weft.div %b, %a : tensor<2xui8>
  %4 = weft.min %a, %b : tensor<2xui8>
  %5 = weft.compare lt %a, %b : tensor<2xui8>
  %6 = weft.constant dense<[3, 0]> : tensor<2xui8>
  %7 = weft.and %4, %6 : tensor<2xui8>
  return %1, %2, %7, %5
      : tensor<2xui8>, tensor<2xui8>, tensor<2xui8>, tensor<2xi1>
}

// CHECK-LABEL: floats:
// CHECK-NEXT:  dense<[5.000000e-01, -3.500000e+00]> : tensor<2xf32>
// CHECK-NEXT:  dense<1.500000e+00> : tensor<2xf32>
// CHECK-NEXT:  dense<[1.000000e+00, -1.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:  dense<[4.000000e+00, 1.600000e+01]> : tensor<2xf32>
// CHECK-NEXT:  dense<[2.000000e+00, 0x7FC00000]> : tensor<2xf32>
// CHECK-NEXT:  dense<[-1.000000e+00, 0x7FC00000]> : tensor<2xf32>
func.func @floats() -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>,
                        tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  %a = weft.constant dense<[1.0, -7.0]> : tensor<2xf32>
  %b = weft.constant dense<[2.0, 2.0]> : tensor<2xf32>
  %c = weft.constant dense<[3.0, 3.0]> : tensor<2xf32>
  %0 = weft.div %a, %b : tensor<2xf32>
  %1 = weft.div %c, %b : tensor<2xf32>
  %2 = weft.rem %a, %b : tensor<2xf32>
  %d = weft.constant dense<[2.0, -4.0]> : tensor<2xf32>
  %3 = weft.pow %d, %b : tensor<2xf32>
  %e = weft.constant dense<[-1.0, 0x7FC00000]> : tensor<2xf32>
  %4 = weft.max %b, %e : tensor<2xf32>
  %5 = weft.min %b, %e : tensor<2xf32>
  return %0, %1, %2, %3, %4, %5 : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>,
                                  tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}

// CHECK-LABEL: int_power:
// CHECK-NEXT:  dense<[1024, -27, 1, 0, -1, 1]> : tensor<6xi32>
// CHECK-NEXT:  dense<[225, 1]> : tensor<2xui8>
func.func @int_power() -> (tensor<6xi32>, tensor<2xui8>) {
  %a = weft.constant dense<[2, -3, 5, 2, -1, 1]> : tensor<6xi32>
  %b = weft.constant dense<[10, 3, 0, -1, -3, -8]> : tensor<6xi32>
  %0 = weft.pow %a, %b : tensor<6xi32>
  %c = weft.constant dense<[15, 255]> : tensor<2xui8>
  %d = weft.constant dense<[2, 200]> : tensor<2xui8>
  %1 = weft.pow %c, %d : tensor<2xui8>
  return %0, %1 : tensor<6xi32>, tensor<2xui8>
}

// CHECK-LABEL: bits:
// CHECK-NEXT:  dense<[8, 126, 12]> : tensor<3xi8>
// CHECK-NEXT:  dense<[4, 0, 0]> : tensor<3xi8>
// CHECK-NEXT:  dense<[3, -1, 0]> : tensor<3xi8>
// CHECK-NEXT:  dense<[3, 0, 0]> : tensor<3xui8>
// CHECK-NEXT:  dense<[false, true]> : tensor<2xi1>
func.func @bits() -> (tensor<3xi8>, tensor<3xi8>, tensor<3xi8>, tensor<3xui8>,
                      tensor<2xi1>) {
  %a = weft.constant dense<[13, -1, 12]> : tensor<3xi8>
  %b = weft.constant dense<[5, -127, 0]> : tensor<3xi8>
  %0 = weft.xor %a, %b : tensor<3xi8>
  %n = weft.constant dense<[2, 8, -1]> : tensor<3xi8>
  %one = weft.constant dense<1> : tensor<3xi8>
  %1 = weft.shl %one, %n : tensor<3xi8>
  %2 = weft.shr %a, %n : tensor<3xi8>
  %u = weft.constant dense<[13, 255, 12]> : tensor<3xui8>
  %m = weft.constant dense<[2, 8, 255]> : tensor<3xui8>
  %3 = weft.shr %u, %m : tensor<3xui8>
  %t = weft.constant dense<[true, false]> : tensor<2xi1>
  %4 = weft.not %t : tensor<2xi1>
  return %0, %1, %2, %3, %4 : tensor<3xi8>, tensor<3xi8>, tensor<3xi8>,
                              tensor<3xui8>, tensor<2xi1>
}

// CHECK-LABEL: compare:
// CHECK-NEXT:  dense<[false, true, false, false]> : tensor<4xi1>
// CHECK-NEXT:  dense<[true, false, true, true]> : tensor<4xi1>
// CHECK-NEXT:  dense<[true, false, false, false]> : tensor<4xi1>
// CHECK-NEXT:  dense<[true, true, false, false]> : tensor<4xi1>
// CHECK-NEXT:  dense<[false, false, true, false]> : tensor<4xi1>
// CHECK-NEXT:  dense<[false, true, true, false]> : tensor<4xi1>
// CHECK-NEXT:  dense<[false, false, false, true]> : tensor<4xi1>
func.func @compare() -> (tensor<4xi1>, tensor<4xi1>, tensor<4xi1>, tensor<4xi1>,
                         tensor<4xi1>, tensor<4xi1>, tensor<4xi1>) {
  %a = weft.constant dense<[1.0, 2.0, 3.0, 0x7FC00000]> : tensor<4xf32>
  %b = weft.constant dense<2.0> : tensor<4xf32>
  %0 = weft.compare eq %a, %b : tensor<4xf32>
  %1 = weft.compare ne %a, %b : tensor<4xf32>
  %2 = weft.compare lt %a, %b : tensor<4xf32>
  %3 = weft.compare le %a, %b : tensor<4xf32>
  %4 = weft.compare gt %a, %b : tensor<4xf32>
  %5 = weft.compare ge %a, %b : tensor<4xf32>
  %6 = weft.is_nan %a : tensor<4xf32>
  return %0, %1, %2, %3, %4, %5, %6
      : tensor<4xi1>, tensor<4xi1>, tensor<4xi1>, tensor<4xi1>, tensor<4xi1>,
        tensor<4xi1>, tensor<4xi1>
}

// CHECK-LABEL: selection:
// CHECK-NEXT:  dense<[1.000000e+00, 0x7FC00000, 0.000000e+00]> : tensor<3xf32>
// CHECK-NEXT:  dense<[7, -8, 9]> : tensor<3xi8>
func.func @selection() -> (tensor<3xf32>, tensor<3xi8>) {
  %c = weft.constant dense<[true, false, true]> : tensor<3xi1>
  // What is not chosen does not matter, and NaN may be chosen.
  %a = weft.constant dense<[1.0, 2.0, 0.0]> : tensor<3xf32>
  %b = weft.constant dense<[0x7FC00000, 0x7FC00000, 5.0]> : tensor<3xf32>
  %0 = weft.select %c, %a, %b : tensor<3xi1>, tensor<3xf32>
  %x = weft.constant dense<[7, 8, 9]> : tensor<3xi8>
  %y = weft.neg %x : tensor<3xi8>
  %1 = weft.select %c, %x, %y : tensor<3xi1>, tensor<3xi8>
  return %0, %1 : tensor<3xf32>, tensor<3xi8>
}
