// RUN: weft-opt %s -host-emit-tables -split-input-file -verify-diagnostics

// expected-error @below {{'w' starts from @data_0, which is no 'host.data' of type 'tensor<8xf32>'}}
module attributes {
  host.inputs = [#host.port<"w", tensor<8xf32>, [-1], role = state, twin = 0, initial = @data_0>],
  host.outputs = [#host.port<"w.new", tensor<8xf32>, [-1], role = state, twin = 0>],
  host.symbols = []
} {
host.data @data_0 "w" dense<1.0> : tensor<4xf32>
llvm.func @weft_run(%run: !llvm.ptr) -> i32 {
  %0 = llvm.mlir.constant(0 : i32) : i32
  llvm.return %0 : i32
}
llvm.func @weft_arena_bytes(%symbols: !llvm.ptr) -> i64 {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}
}

// -----

// expected-error @below {{input 'w' has the twin 1, but there are 1 outputs}}
module attributes {
  host.inputs = [#host.port<"w", tensor<8xf32>, [-1], role = state, twin = 1>],
  host.outputs = [#host.port<"w.new", tensor<8xf32>, [-1], role = state, twin = 0>],
  host.symbols = []
} {
llvm.func @weft_run(%run: !llvm.ptr) -> i32 {
  %0 = llvm.mlir.constant(0 : i32) : i32
  llvm.return %0 : i32
}
llvm.func @weft_arena_bytes(%symbols: !llvm.ptr) -> i64 {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}
}

// -----

// expected-error @below {{input 'w' is marked as written early}}
module attributes {
  host.inputs = [#host.port<"w", tensor<8xf32>, [-1], early = true>],
  host.outputs = [],
  host.symbols = []
} {
llvm.func @weft_run(%run: !llvm.ptr) -> i32 {
  %0 = llvm.mlir.constant(0 : i32) : i32
  llvm.return %0 : i32
}
llvm.func @weft_arena_bytes(%symbols: !llvm.ptr) -> i64 {
  %0 = llvm.mlir.constant(0 : i64) : i64
  llvm.return %0 : i64
}
}
