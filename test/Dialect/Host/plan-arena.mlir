// RUN: weft-opt %s --host-plan-arena -split-input-file -verify-diagnostics \
// RUN:   | FileCheck %s

// The third buffer fits where the first one was, which is dead by then.
// CHECK-DAG: {bytes = 128 : i64, first = {{.+}} : i64, last = {{.+}} : i64, name = "a", offset = 256 : i64, pool = 0 : i64, times = []}
// CHECK-DAG: {bytes = 256 : i64, first = {{.+}} : i64, last = {{.+}} : i64, name = "b", offset = 0 : i64, pool = 0 : i64, times = []}
// CHECK-DAG: {bytes = 64 : i64, first = {{.+}} : i64, last = {{.+}} : i64, name = "c", offset = 256 : i64, pool = 0 : i64, times = []}
// CHECK-LABEL: func.func private @arena_bytes() -> index
//       CHECK:   arith.constant 384 : index
// CHECK-LABEL: func.func @main()
//   CHECK-DAG:   %[[C0:.+]] = arith.constant 0 : index
//   CHECK-DAG:   %[[C256:.+]] = arith.constant 256 : index
//       CHECK:   %[[A:.+]] = host.arena %[[C256]]
//       CHECK:   %[[B:.+]] = host.arena %[[C0]]
//       CHECK:   host.copy %[[A]] to %[[B]]
//       CHECK:   %[[C:.+]] = host.arena %[[C256]]
//       CHECK:   host.copy %[[B]] to %[[C]]
//   CHECK-NOT:   host.alloc
func.func @main() {
  %c100 = arith.constant 100 : index
  %c200 = arith.constant 200 : index
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = host.alloc %c100 "a"
  %b = host.alloc %c200 "b"
  host.copy %a to %a bytes %c0
  host.copy %a to %b bytes %c100
  %c = host.alloc %c1 "c"
  host.copy %b to %c bytes %c1
  host.copy %c to %c bytes %c0
  return
}

// -----

// Buffers of N x 64 bytes are packed in units of N, without knowing N.
// CHECK-DAG: bytes = 256 : i64, {{.*}} name = "a", offset = 0 : i64, pool = 0 : i64, times = ["N"]
// CHECK-DAG: bytes = 512 : i64, {{.*}} name = "b", offset = 0 : i64, pool = 0 : i64, times = ["N"]
// CHECK-LABEL: func.func private @arena_bytes() -> index
//       CHECK:   %[[N:.+]] = host.symbol 0
//       CHECK:   host.size tensor<?x512xi8>(%[[N]])
module attributes {host.symbols = [#host.symbol<"N", 1, 64>]} {
func.func @main() {
  %c0 = arith.constant 0 : index
  %n = host.symbol 0
  %size_a = host.size tensor<?x64xf32>(%n)
  %a = host.alloc %size_a "a"
  host.copy %a to %a bytes %c0
  %size_b = host.size tensor<128x?xf32>(%n)
  %b = host.alloc %size_b "b"
  host.copy %b to %b bytes %c0
  return
}
}

// -----

// Sizes that are small multiples of a symbol share a slot as large as the
// larger of them.
// CHECK-DAG: name = "a", slot = 0
// CHECK-DAG: name = "b", slot = 0
// CHECK-LABEL: func.func private @arena_bytes() -> index
//       CHECK:   %[[A:.+]] = host.size tensor<?xf32>
//       CHECK:   %[[B:.+]] = host.size tensor<?xi8>
//       CHECK:   %[[FIRST:.+]] = arith.maxsi %{{.+}}, %[[A]]
//       CHECK:   arith.maxsi %[[FIRST]], %[[B]]
module attributes {host.symbols = [#host.symbol<"N", 1, 64>]} {
func.func @main() {
  %c0 = arith.constant 0 : index
  %n = host.symbol 0
  %size_a = host.size tensor<?xf32>(%n)
  %a = host.alloc %size_a "a"
  host.copy %a to %a bytes %c0
  %size_b = host.size tensor<?xi8>(%n)
  %b = host.alloc %size_b "b"
  host.copy %b to %b bytes %c0
  return
}
}

// -----

// Buffers of different products of symbols lie upon each other where they are
// alive at the same time, whatever the symbol is: "c" upon both others.
// CHECK-DAG: name = "a", times = ["N"], upon = []
// CHECK-DAG: name = "b", times = [], upon = []
// CHECK-DAG: name = "c", upon = [0, 2]
// CHECK-LABEL: func.func private @arena_bytes() -> index
//       CHECK:   %[[A:.+]] = host.size tensor<?x1024xf32>
//       CHECK:   %[[C:.+]] = arith.andi
//       CHECK:   %[[B:.+]] = arith.constant 65536 : index
//       CHECK:   %[[TOP:.+]] = arith.maxsi %[[A]], %[[B]]
//       CHECK:   %[[END:.+]] = arith.addi %[[TOP]], %[[C]]
//       CHECK:   arith.maxsi %[[END]]
module attributes {host.symbols = [#host.symbol<"N", 0, 9223372036854775807>]} {
func.func @main() {
  %c0 = arith.constant 0 : index
  %c65536 = arith.constant 65536 : index
  %n = host.symbol 0
  %size_a = host.size tensor<?x1024xf32>(%n)
  %size_c = host.size tensor<?xf32>(%n)
  %a = host.alloc %size_a "a"
  %c = host.alloc %size_c "c"
  host.copy %a to %c bytes %c0
  %b = host.alloc %c65536 "b"
  host.copy %b to %c bytes %c0
  return
}
}

// -----

// A buffer that a loop carries lives until the result's last use, one from
// inside of the loop must not take its place.
// CHECK-DAG: first = 3 : i64, last = 8 : i64, name = "carried", offset = 0 : i64, pool
// CHECK-DAG: first = 5 : i64, last = 6 : i64, name = "inner", offset = 64 : i64, pool
// CHECK-DAG: first = 9 : i64, last = 10 : i64, name = "after", offset = 0 : i64, pool
// CHECK: arith.constant 128 : index
func.func @main() {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c64 = arith.constant 64 : index
  %carried = host.alloc %c64 "carried"
  %0 = scf.for %i = %c0 to %c4 step %c4 iter_args(%b = %carried) -> !host.buffer {
    %inner = host.alloc %c64 "inner"
    host.copy %inner to %inner bytes %c0
    scf.yield %b : !host.buffer
  }
  host.copy %0 to %0 bytes %c0
  %after = host.alloc %c64 "after"
  host.copy %after to %after bytes %c0
  return
}

// -----

module attributes {host.inputs = [#host.port<"x", tensor<1xi64>, [-1]>]} {
func.func @main() {
  %c0 = arith.constant 0 : index
  %x = host.input 0
  %n = host.load %x[%c0] : i64
  %bytes = arith.index_cast %n : i64 to index
  // expected-error @below {{'host.alloc' op size depends on more than constants and symbols}}
  %a = host.alloc %bytes
  host.copy %x to %a bytes %c0
  return
}
}
