// RUN: weft-opt %s -convert-host-to-llvm | FileCheck %s

// Each op of the host program is a call of the runtime. One that can fail ends
// the run.
// CHECK-LABEL: func.func @weft_run(
//  CHECK-SAME:     %[[STATE:.+]]: !llvm.ptr) -> i32
//       CHECK:   call @weft_rt_symbols(%[[STATE]])
//       CHECK:   %[[X:.+]] = call @weft_rt_input(%[[STATE]],
//       CHECK:   %[[Y:.+]] = call @weft_rt_output(%[[STATE]],
//       CHECK:   %[[NONE:.+]] = llvm.icmp "eq" %[[Y]]
//       CHECK:   cf.cond_br %[[NONE]], ^[[FAIL:.+]], ^
//       CHECK:   %[[COUNT:.+]] = call @c(
//       CHECK:   %[[FAULT:.+]] = call @weft_rt_launch(%[[STATE]], {{.+}}, %[[COUNT]])
//       CHECK:   %[[FAILED:.+]] = arith.cmpi ne, %[[FAULT]]
//       CHECK:   cf.cond_br %[[FAILED]], ^[[FAIL]], ^
// CHECK-LABEL: func.func @weft_arena_bytes(
//  CHECK-SAME:     !llvm.ptr) -> i64
//   CHECK-NOT:   host.launch
module attributes {
  host.inputs = [#host.port<"x", tensor<?xf32>, [0]>],
  host.outputs = [#host.port<"y", tensor<?xf32>, [0]>],
  host.symbols = [#host.symbol<"N", 0, 64>]
} {
func.func @main() {
  %x = host.input 0
  %n = host.symbol 0
  %y = host.output 0 sizes(%n)
  host.launch @k reads(%x) writes(%y) words(%n)
  return
}
func.func @arena_bytes() -> index {
  %c0 = arith.constant 0 : index
  return %c0 : index
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes ["a"]
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}
