// RUN: weft-opt %s -host-emit-tables='target="cpu znver3" producer=test' | FileCheck %s

// One symbol is exported, and the names of the ports, symbols and kernels are in
// the tables behind it.
//   CHECK-DAG: llvm.mlir.global internal {{.+}}("x\00")
//   CHECK-DAG: llvm.mlir.global internal {{.+}}("y\00")
//   CHECK-DAG: llvm.mlir.global internal {{.+}}("N\00")
//   CHECK-DAG: llvm.mlir.global internal {{.+}}("softmax_0\00")
//   CHECK-DAG: llvm.mlir.global internal {{.+}}("prob\0Ascale\00")
//   CHECK-DAG: llvm.mlir.global internal {{.+}}("cpu znver3\00")
//   CHECK-DAG: llvm.mlir.global internal {{.+}}("test\00")
//   CHECK-DAG: llvm.func internal @weft_run(
//   CHECK-DAG: llvm.func @weft_program_query(
//   CHECK-NOT: dispatch.kernel
module attributes {
  host.inputs = [#host.port<"x", tensor<?xf32>, [0]>],
  host.outputs = [#host.port<"y", tensor<?xf32>, [0]>],
  host.symbols = [#host.symbol<"N", 0, 64>]
} {
llvm.func @weft_run(%run: !llvm.ptr) -> i32 {
  %0 = llvm.mlir.constant(0 : i32) : i32
  llvm.return %0 : i32
}
llvm.func @weft_arena_bytes(%symbols: !llvm.ptr) -> i64 {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}
dispatch.kernel @softmax_0 tasks [@t] counts [@c] scratch 0 nodes ["prob", "scale"]
llvm.func @t(%run: !llvm.ptr, %args: !llvm.ptr, %begin: i64, %end: i64, %scratch: !llvm.ptr) {
  llvm.return
}
llvm.func @c(%args: !llvm.ptr) -> i64 {
  %0 = llvm.mlir.constant(1 : i64) : i64
  llvm.return %0 : i64
}
}
