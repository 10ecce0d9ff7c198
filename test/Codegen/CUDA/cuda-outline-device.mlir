// RUN: weft-opt %s -cuda-outline-device | FileCheck %s

// What runs on the GPU moves, with the threads of its blocks; what the host runs
// stays.
//       CHECK: module @weft_device {
//       CHECK:   func.func @neg_0_task(%{{.+}}: !llvm.ptr, %{{.+}}: index)
//  CHECK-SAME:       attributes {weft.threads = 128 : i32}
//       CHECK: }
//   CHECK-NOT: @neg_0_task(
//       CHECK: func.func private @neg_0_count(
//       CHECK: func.func private @abs_0_task(
func.func private @neg_0_count(%args: !llvm.ptr) -> i64 {
  %0 = arith.constant 7 : i64
  return %0 : i64
}
func.func private @neg_0_task(%x: !llvm.ptr, %n: index) {
  return
}
func.func private @abs_0_task(%x: !llvm.ptr) {
  return
}
dispatch.kernel @neg_0 tasks [@neg_0_task] counts [@neg_0_count] scratch 0 nodes []
    device [#dispatch.device_task<threads = 128, iterations = 1, arguments = 2>]
dispatch.kernel @abs_0 tasks [@abs_0_task] counts [@neg_0_count] scratch 0 nodes []
