// RUN: weft-opt %s -weft-expand-narrow-floats | FileCheck %s

// CHECK-LABEL: func.func @widen(
//   CHECK-NOT:   arith.extf %{{.+}} : f8E4M3FN
//       CHECK:   arith.bitcast %{{.+}} : f8E4M3FN to i8
func.func @widen(%x: f8E4M3FN) -> f32 {
  %0 = arith.extf %x : f8E4M3FN to f32
  return %0 : f32
}

// CHECK-LABEL: func.func @narrow(
//   CHECK-NOT:   arith.truncf
//       CHECK:   arith.bitcast %{{.+}} : i8 to f8E5M2
func.func @narrow(%x: f32) -> f8E5M2 {
  %0 = arith.truncf %x : f32 to f8E5M2
  return %0 : f8E5M2
}

// CHECK-LABEL: func.func @four_bits(
//   CHECK-NOT:   arith.truncf
//       CHECK:   arith.bitcast %{{.+}} : i4 to f4E2M1FN
func.func @four_bits(%x: f32) -> f4E2M1FN {
  %0 = arith.truncf %x : f32 to f4E2M1FN
  return %0 : f4E2M1FN
}
