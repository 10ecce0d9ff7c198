// RUN: weft-opt %s -host-mark-early -split-input-file | FileCheck %s

// Before a kernel that can fault, and by it; the last output is safe.
// CHECK: host.outputs = [#host.port<"a", tensor<4xf32>, [-1], early = true>,
// CHECK-SAME: #host.port<"b", tensor<4xf32>, [-1], early = true>,
// CHECK-SAME: #host.port<"c", tensor<4xf32>, [-1]>]
module attributes {
  host.inputs = [],
  host.outputs = [#host.port<"a", tensor<4xf32>, [-1]>, #host.port<"b", tensor<4xf32>, [-1]>,
                  #host.port<"c", tensor<4xf32>, [-1]>],
  host.symbols = []
} {
func.func @main() {
  %a = host.output 0
  %b = host.output 1
  %c = host.output 2
  host.launch @safe writes(%a)
  host.launch @faulty writes(%b)
  host.launch @safe writes(%c)
  return
}
dispatch.kernel @safe tasks [@t] counts [@c] scratch 0 nodes []
dispatch.kernel @faulty tasks [@t] counts [@c] scratch 0 nodes [] can_fault
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}

// -----

// What is read before a check is safe to be written after it. In a loop, each op
// may come before each other.
// CHECK: host.outputs = [#host.port<"a", tensor<4xf32>, [-1]>,
// CHECK-SAME: #host.port<"b", tensor<4xf32>, [-1], early = true>]
module attributes {
  host.inputs = [#host.port<"n", tensor<?xf32>, [0]>],
  host.outputs = [#host.port<"a", tensor<4xf32>, [-1]>, #host.port<"b", tensor<4xf32>, [-1]>],
  host.symbols = [#host.symbol<"N", 0, 64>]
} {
func.func @main() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %n = host.symbol 0
  %x = host.input 0
  %a = host.output 0
  %b = host.output 1
  %more = arith.cmpi ult, %c0, %n : index
  host.launch @safe reads(%a)
  scf.for %i = %c0 to %n step %c1 {
    host.require %more fault 3 detail %n wanted %c0 "node"
    host.copy %x to %b bytes %c16
  }
  host.copy %x to %a bytes %c16
  return
}
dispatch.kernel @safe tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}

// -----

// Memory may be exhausted for what only the run settles: other buffers, and
// outputs. The address goes through a branch.
// CHECK: host.outputs = [#host.port<"a", tensor<4xf32>, [-1], early = true>,
// CHECK-SAME: #host.port<"b", tensor<?xf32>, [-2], early = true>,
// CHECK-SAME: #host.port<"c", tensor<?xf32>, [-2]>,
// CHECK-SAME: #host.port<"d", tensor<?xf32>, [0]>]
module attributes {
  host.inputs = [#host.port<"n", tensor<?xf32>, [0]>],
  host.outputs = [#host.port<"a", tensor<4xf32>, [-1]>, #host.port<"b", tensor<?xf32>, [-2]>,
                  #host.port<"c", tensor<?xf32>, [-2]>, #host.port<"d", tensor<?xf32>, [0]>],
  host.symbols = [#host.symbol<"N", 0, 64>]
} {
func.func @main() {
  %n = host.symbol 0
  %x = host.input 0
  %true = arith.constant true
  %a = host.output 0
  %1 = scf.if %true -> !host.buffer {
    scf.yield %a : !host.buffer
  } else {
    scf.yield %x : !host.buffer
  }
  host.launch @safe writes(%1)
  %t = host.allocate %n
  %b = host.output 1 sizes(%n)
  host.launch @safe reads(%t) writes(%b)
  %c = host.output 2 sizes(%n)
  host.launch @safe reads(%t) writes(%c)
  %d = host.output 3 sizes(%n)
  host.launch @safe reads(%t) writes(%d)
  return
}
dispatch.kernel @safe tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}
