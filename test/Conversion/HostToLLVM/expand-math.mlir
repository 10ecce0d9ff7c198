// RUN: weft-opt %s -weft-expand-math | FileCheck %s

// A polynomial on vectors and on scalars alike.
// CHECK-LABEL: func.func @exponential(
//   CHECK-NOT:   math.exp
//       CHECK:   math.fma
func.func @exponential(%x: vector<8xf32>, %y: f32) -> (vector<8xf32>, f32) {
  %0 = math.exp %x : vector<8xf32>
  %1 = math.exp %y : f32
  return %0, %1 : vector<8xf32>, f32
}

// Numbers below the normal range are scaled by 2^24 first.
// CHECK-LABEL: func.func @logarithm(
//       CHECK:   %[[TINY:.+]] = arith.cmpf olt
//       CHECK:   arith.mulf %{{.+}}, %{{.+}}
//       CHECK:   arith.select %[[TINY]]
//   CHECK-NOT:   math.log
func.func @logarithm(%x: f32) -> f32 {
  %0 = math.log %x : f32
  return %0 : f32
}

// f16 is computed in f32; a square root has an instruction.
// CHECK-LABEL: func.func @half(
//       CHECK:   %[[WIDE:.+]] = arith.extf %{{.+}} : f16 to f32
//       CHECK:   math.sqrt %[[WIDE]] : f32
//       CHECK:   arith.truncf
func.func @half(%x: f16) -> f16 {
  %0 = math.sqrt %x : f16
  return %0 : f16
}

// What has no accurate polynomial, and f64, are left to libm.
// CHECK-LABEL: func.func @left_alone(
//       CHECK:   math.sin
//       CHECK:   math.exp %{{.+}} : f64
func.func @left_alone(%x: f32, %y: f64) -> (f32, f64) {
  %0 = math.sin %x : f32
  %1 = math.exp %y : f64
  return %0, %1 : f32, f64
}
