// RUN: weft-opt %s -cuda-native-floats | FileCheck %s

// CHECK-LABEL: func.func @round(
//       CHECK:   %[[PAIR:.+]] = llvm.inline_asm "cvt.rn.bf16x2.f32 $0, 0f00000000, $1;", "=r,f" %{{.+}} : (f32) -> i32
//       CHECK:   %[[BITS:.+]] = arith.trunci %[[PAIR]] : i32 to i16
//       CHECK:   arith.bitcast %[[BITS]] : i16 to bf16
func.func @round(%x: f32) -> bf16 {
  %0 = arith.truncf %x : f32 to bf16
  return %0 : bf16
}

// CHECK-LABEL: func.func @extremes(
//       CHECK:   llvm.intr.maximum(%{{.+}}, %{{.+}}) : (f32, f32) -> f32
//       CHECK:   llvm.intr.minimum(%{{.+}}, %{{.+}}) : (f16, f16) -> f16
//       CHECK:   arith.maximumf %{{.+}}, %{{.+}} : f64
func.func @extremes(%x: f32, %w: f32, %y: f16, %v: f16, %z: f64, %u: f64) -> (f32, f16, f64) {
  %0 = arith.maximumf %x, %w : f32
  %1 = arith.minimumf %y, %v : f16
  %2 = arith.maximumf %z, %u : f64
  return %0, %1, %2 : f32, f16, f64
}
