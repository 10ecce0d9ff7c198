// RUN: weft-opt %s --weft-expand-narrow-floats | FileCheck %s

// CHECK-LABEL: func.func @choose(
//  CHECK-SAME:     %[[C:.+]]: i1, %[[X:.+]]: i16) -> i16
//       CHECK:   %[[TWO:.+]] = arith.constant 16384 : i16
//       CHECK:   arith.select %[[C]], %[[TWO]], %[[X]] : i16
func.func @choose(%c: i1, %x: bf16) -> bf16 {
  %two = arith.constant 2.0 : bf16
  %0 = arith.select %c, %two, %x : bf16
  return %0 : bf16
}

// CHECK-LABEL: func.func @convert(
//  CHECK-SAME:     %[[X:.+]]: vector<4xi16>) -> vector<4xi16>
//       CHECK:   %[[WIDE:.+]] = arith.extui %[[X]] : vector<4xi16> to vector<4xi32>
//       CHECK:   arith.shli %[[WIDE]]
//       CHECK:   math.exp {{.+}} : vector<4xf32>
//       CHECK:   arith.trunci {{.+}} : vector<4xi32> to vector<4xi16>
//   CHECK-NOT:   bf16
func.func @convert(%x: vector<4xbf16>) -> vector<4xbf16> {
  %0 = arith.extf %x : vector<4xbf16> to vector<4xf32>
  %1 = math.exp %0 : vector<4xf32>
  %2 = arith.truncf %1 : vector<4xf32> to vector<4xbf16>
  return %2 : vector<4xbf16>
}

// CHECK-LABEL: func.func @carry(
//       CHECK:   scf.for {{.+}} iter_args({{.+}}) -> (i16)
func.func @carry(%n: index, %x: bf16) -> bf16 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%v = %x) -> bf16 {
    scf.yield %v : bf16
  }
  return %0 : bf16
}

// CHECK-LABEL: func.func @compare_and_count(
//       CHECK:   arith.sitofp {{.+}} : i8 to f32
//       CHECK:   arith.cmpf olt, {{.+}} : f32
//       CHECK:   arith.fptosi {{.+}} : f32 to i32
func.func @compare_and_count(%x: bf16, %i: i8) -> (i1, bf16, i32) {
  %0 = arith.sitofp %i : i8 to bf16
  %1 = arith.cmpf olt, %x, %0 : bf16
  %2 = arith.fptosi %x : bf16 to i32
  return %1, %0, %2 : i1, bf16, i32
}
