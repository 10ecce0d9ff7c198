// RUN: weft-opt %s -host-settle-states -split-input-file | FileCheck %s

// Before the first write of a state that is not early, which needs no other.
// CHECK-LABEL: func.func @main
//       CHECK:   host.launch @faulty writes(%{{.+}})
//  CHECK-NEXT:   host.settle
//  CHECK-NEXT:   host.launch @update
//  CHECK-NEXT:   host.copy
//  CHECK-NEXT:   return
module attributes {
  host.inputs = [#host.port<"v", tensor<4xf32>, [-1], role = state, twin = 0>,
                 #host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 1>,
                 #host.port<"u", tensor<4xf32>, [-1], role = state, twin = 2>],
  host.outputs = [#host.port<"v", tensor<4xf32>, [-1], role = state, twin = 0, early = true>,
                  #host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 1>,
                  #host.port<"u", tensor<4xf32>, [-1], role = state, twin = 2>],
  host.symbols = []
} {
func.func @main() {
  %c16 = arith.constant 16 : index
  %v = host.output 0
  %w = host.output 1
  %u = host.output 2
  host.launch @faulty writes(%v)
  host.launch @update writes(%w)
  host.copy %w to %u bytes %c16
  return
}
dispatch.kernel @faulty tasks [@t] counts [@c] scratch 0 nodes [] can_fault device [#dispatch.device_task<threads = 128, iterations = 1, arguments = 2>]
dispatch.kernel @update tasks [@t] counts [@c] scratch 0 nodes [] device [#dispatch.device_task<threads = 128, iterations = 1, arguments = 2>]
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}

// -----

// In branches before each; a loop may come to its end first.
// CHECK-LABEL: func.func @main
//       CHECK:   scf.if
//       CHECK:     host.settle
//  CHECK-NEXT:     host.launch @update
//       CHECK:   else
//       CHECK:     host.settle
//  CHECK-NEXT:     host.launch @update
//       CHECK:   host.settle
//  CHECK-NEXT:   scf.for
//   CHECK-NOT:   host.settle
module attributes {
  host.inputs = [#host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 0>],
  host.outputs = [#host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 0>],
  host.symbols = [#host.symbol<"N", 0, 64>]
} {
func.func @main() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = host.symbol 0
  %w = host.output 0
  %more = arith.cmpi ult, %c0, %n : index
  scf.if %more {
    host.launch @update writes(%w)
  } else {
    host.launch @update writes(%w)
  }
  scf.for %i = %c0 to %n step %c1 {
    host.launch @update writes(%w)
  }
  host.launch @update writes(%w)
  return
}
dispatch.kernel @update tasks [@t] counts [@c] scratch 0 nodes [] device [#dispatch.device_task<threads = 128, iterations = 1, arguments = 2>]
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}

// -----

// Kernels of the processor have ended when the host goes on.
// CHECK-LABEL: func.func @main
//   CHECK-NOT:   host.settle
module attributes {
  host.inputs = [#host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 0>],
  host.outputs = [#host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 0>],
  host.symbols = []
} {
func.func @main() {
  %w = host.output 0
  host.launch @update writes(%w)
  return
}
dispatch.kernel @update tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}
