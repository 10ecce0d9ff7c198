// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --mlir-print-op-generic | weft-opt | FileCheck %s

// CHECK-LABEL: func.func @unary_float(
func.func @unary_float(%x: tensor<2x?xf32>) -> tensor<2x?xf32> {
  // CHECK: weft.abs %{{.+}} : tensor<2x?xf32>
  %0 = weft.abs %x : tensor<2x?xf32>
  // CHECK: weft.acos %{{.+}} : tensor<2x?xf32>
  %1 = weft.acos %0 : tensor<2x?xf32>
  // CHECK: weft.acosh %{{.+}} : tensor<2x?xf32>
  %2 = weft.acosh %1 : tensor<2x?xf32>
  // CHECK: weft.asin %{{.+}} : tensor<2x?xf32>
  %3 = weft.asin %2 : tensor<2x?xf32>
  // CHECK: weft.asinh %{{.+}} : tensor<2x?xf32>
  %4 = weft.asinh %3 : tensor<2x?xf32>
  // CHECK: weft.atan %{{.+}} : tensor<2x?xf32>
  %5 = weft.atan %4 : tensor<2x?xf32>
  // CHECK: weft.atanh %{{.+}} : tensor<2x?xf32>
  %6 = weft.atanh %5 : tensor<2x?xf32>
  // CHECK: weft.ceil %{{.+}} : tensor<2x?xf32>
  %7 = weft.ceil %6 : tensor<2x?xf32>
  // CHECK: weft.cos %{{.+}} : tensor<2x?xf32>
  %8 = weft.cos %7 : tensor<2x?xf32>
  // CHECK: weft.cosh %{{.+}} : tensor<2x?xf32>
  %9 = weft.cosh %8 : tensor<2x?xf32>
  // CHECK: weft.erf %{{.+}} : tensor<2x?xf32>
  %10 = weft.erf %9 : tensor<2x?xf32>
  // CHECK: weft.exp %{{.+}} : tensor<2x?xf32>
  %11 = weft.exp %10 : tensor<2x?xf32>
  // CHECK: weft.floor %{{.+}} : tensor<2x?xf32>
  %12 = weft.floor %11 : tensor<2x?xf32>
  // CHECK: weft.log %{{.+}} : tensor<2x?xf32>
  %13 = weft.log %12 : tensor<2x?xf32>
  // CHECK: weft.logistic %{{.+}} : tensor<2x?xf32>
  %14 = weft.logistic %13 : tensor<2x?xf32>
  // CHECK: weft.neg %{{.+}} : tensor<2x?xf32>
  %15 = weft.neg %14 : tensor<2x?xf32>
  // CHECK: weft.round %{{.+}} : tensor<2x?xf32>
  %16 = weft.round %15 : tensor<2x?xf32>
  // CHECK: weft.sign %{{.+}} : tensor<2x?xf32>
  %17 = weft.sign %16 : tensor<2x?xf32>
  // CHECK: weft.sin %{{.+}} : tensor<2x?xf32>
  %18 = weft.sin %17 : tensor<2x?xf32>
  // CHECK: weft.sinh %{{.+}} : tensor<2x?xf32>
  %19 = weft.sinh %18 : tensor<2x?xf32>
  // CHECK: weft.sqrt %{{.+}} : tensor<2x?xf32>
  %20 = weft.sqrt %19 : tensor<2x?xf32>
  // CHECK: weft.tan %{{.+}} : tensor<2x?xf32>
  %21 = weft.tan %20 : tensor<2x?xf32>
  // CHECK: weft.tanh %{{.+}} : tensor<2x?xf32>
  %22 = weft.tanh %21 : tensor<2x?xf32>
  return %22 : tensor<2x?xf32>
}

// CHECK-LABEL: func.func @not(
func.func @not(%x: tensor<3xui8>) -> tensor<3xui8> {
  // CHECK: weft.not %{{.+}} : tensor<3xui8>
  %0 = weft.not %x : tensor<3xui8>
  return %0 : tensor<3xui8>
}

// CHECK-LABEL: func.func @binary(
func.func @binary(%a: tensor<?xi32>, %b: tensor<?xi32>) -> tensor<?xi32> {
  // CHECK: weft.add %{{.+}}, %{{.+}} : tensor<?xi32>
  %0 = weft.add %a, %b : tensor<?xi32>
  // CHECK: weft.and %{{.+}}, %{{.+}} : tensor<?xi32>
  %1 = weft.and %0, %b : tensor<?xi32>
  // CHECK: weft.div %{{.+}}, %{{.+}} : tensor<?xi32>
  %2 = weft.div %1, %b : tensor<?xi32>
  // CHECK: weft.max %{{.+}}, %{{.+}} : tensor<?xi32>
  %3 = weft.max %2, %b : tensor<?xi32>
  // CHECK: weft.min %{{.+}}, %{{.+}} : tensor<?xi32>
  %4 = weft.min %3, %b : tensor<?xi32>
  // CHECK: weft.mul %{{.+}}, %{{.+}} : tensor<?xi32>
  %5 = weft.mul %4, %b : tensor<?xi32>
  // CHECK: weft.or %{{.+}}, %{{.+}} : tensor<?xi32>
  %6 = weft.or %5, %b : tensor<?xi32>
  // CHECK: weft.pow %{{.+}}, %{{.+}} : tensor<?xi32>
  %7 = weft.pow %6, %b : tensor<?xi32>
  // CHECK: weft.rem %{{.+}}, %{{.+}} : tensor<?xi32>
  %8 = weft.rem %7, %b : tensor<?xi32>
  // CHECK: weft.shl %{{.+}}, %{{.+}} : tensor<?xi32>
  %9 = weft.shl %8, %b : tensor<?xi32>
  // CHECK: weft.shr %{{.+}}, %{{.+}} : tensor<?xi32>
  %10 = weft.shr %9, %b : tensor<?xi32>
  // CHECK: weft.sub %{{.+}}, %{{.+}} : tensor<?xi32>
  %11 = weft.sub %10, %b : tensor<?xi32>
  // CHECK: weft.xor %{{.+}}, %{{.+}} : tensor<?xi32>
  %12 = weft.xor %11, %b : tensor<?xi32>
  return %12 : tensor<?xi32>
}

// CHECK-LABEL: func.func @predicates(
func.func @predicates(%a: tensor<4xf16>, %b: tensor<4xf16>) -> tensor<4xf16> {
  // CHECK: weft.compare lt %{{.+}}, %{{.+}} : tensor<4xf16>
  %0 = weft.compare lt %a, %b : tensor<4xf16>
  // CHECK: weft.is_nan %{{.+}} : tensor<4xf16>
  %1 = weft.is_nan %a : tensor<4xf16>
  %2 = weft.and %0, %1 : tensor<4xi1>
  // CHECK: weft.select %{{.+}}, %{{.+}}, %{{.+}} : tensor<4xi1>, tensor<4xf16>
  %3 = weft.select %2, %a, %b : tensor<4xi1>, tensor<4xf16>
  return %3 : tensor<4xf16>
}

// CHECK-LABEL: func.func @conversions(
func.func @conversions(%x: tensor<4xf32>)
    -> (tensor<4xf8E4M3FN>, tensor<4xi4>, tensor<4xi32>) {
  // CHECK: weft.cast %{{.+}} saturate : tensor<4xf32> to tensor<4xf8E4M3FN>
  %0 = weft.cast %x saturate : tensor<4xf32> to tensor<4xf8E4M3FN>
  // CHECK: weft.cast %{{.+}} : tensor<4xf32> to tensor<4xi4>
  %1 = weft.cast %x : tensor<4xf32> to tensor<4xi4>
  // CHECK: weft.bitcast %{{.+}} : tensor<4xf32> to tensor<4xi32>
  %2 = weft.bitcast %x : tensor<4xf32> to tensor<4xi32>
  return %0, %1, %2 : tensor<4xf8E4M3FN>, tensor<4xi4>, tensor<4xi32>
}
