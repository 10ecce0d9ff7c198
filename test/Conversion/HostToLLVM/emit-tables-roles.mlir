// RUN: weft-opt %s -host-emit-tables | FileCheck %s

// What a port is for, its twin, the constant that it starts from, and whether
// it is written early.
// CHECK: llvm.mlir.global internal constant @weft_inputs()
// CHECK: llvm.mlir.addressof @weft_inputs_dims_0
// CHECK: %[[ROLE:.+]] = llvm.mlir.constant(1 : i32)
// CHECK: %[[TWIN:.+]] = llvm.mlir.constant(0 : i32)
// CHECK: %[[INITIAL:.+]] = llvm.mlir.constant(1 : i32)
// CHECK: %[[EARLY:.+]] = llvm.mlir.constant(0 : i32)
// CHECK: llvm.insertvalue %[[ROLE]], %{{.+}}[0, 4]
// CHECK: llvm.insertvalue %[[TWIN]], %{{.+}}[0, 5]
// CHECK: llvm.insertvalue %[[INITIAL]], %{{.+}}[0, 6]
// CHECK: llvm.insertvalue %[[EARLY]], %{{.+}}[0, 7]
// CHECK: llvm.mlir.addressof @weft_outputs_dims_0
// CHECK: llvm.mlir.constant(1 : i32)
// CHECK: llvm.mlir.constant(0 : i32)
// CHECK: %[[NONE:.+]] = llvm.mlir.constant(-1 : i32)
// CHECK: %[[EARLY:.+]] = llvm.mlir.constant(1 : i32)
// CHECK: llvm.insertvalue %[[NONE]], %{{.+}}[0, 6]
// CHECK: llvm.insertvalue %[[EARLY]], %{{.+}}[0, 7]
module attributes {
  host.inputs = [#host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 0, initial = @data_1>],
  host.outputs = [#host.port<"w.new", tensor<4xf32>, [-1], role = parameter, twin = 0, early = true>],
  host.symbols = []
} {
host.data @data_0 "other" dense<0.0> : tensor<2xf32>
host.data @data_1 "w" dense<1.0> : tensor<4xf32>
llvm.func @weft_run(%run: !llvm.ptr) -> i32 {
  %0 = llvm.mlir.constant(0 : i32) : i32
  llvm.return %0 : i32
}
llvm.func @weft_arena_bytes(%symbols: !llvm.ptr) -> i64 {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}
}
