// RUN: weft-opt %s -host-check-budget=bytes=200 -split-input-file -verify-diagnostics | FileCheck %s

// What starts from a constant is not counted twice; what is written while the
// step can fail is.
// expected-error@below {{WFT3012: a run is planned to take 256 bytes of memory (256 bytes), and the budget is 200 bytes: arena 128 bytes, parameters and state 48 bytes, constants 32 bytes, inputs and outputs 48 bytes; largest are 64 bytes in the arena for "conv", 48 bytes in the arena for "relu", 32 bytes of the input "x", 32 bytes of the parameter "w", 32 bytes of the constant "table"; take a smaller batch, or several for an update (accumulate), or a larger budget}}
module attributes {
  host.inputs = [#host.port<"x", tensor<8xf32>, [-1]>,
                 #host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 1, initial = @data_0>,
                 #host.port<"v", tensor<4xf32>, [-1], role = state, twin = 2>],
  host.outputs = [#host.port<"y", tensor<4xf32>, [-1]>,
                  #host.port<"w", tensor<4xf32>, [-1], role = parameter, twin = 1, early = true>,
                  #host.port<"v", tensor<4xf32>, [-1], role = state, twin = 2>],
  host.symbols = [],
  host.plan = [{name = "pad", first = 0 : i64, last = 1 : i64, pool = 0 : i64, bytes = 100 : i64, offset = 0 : i64, times = []},
               {name = "conv", first = 2 : i64, last = 4 : i64, pool = 0 : i64, bytes = 64 : i64, offset = 0 : i64, times = []},
               {name = "relu", first = 3 : i64, last = 3 : i64, pool = 0 : i64, bytes = 48 : i64, offset = 64 : i64, times = []}]
} {
host.data @data_0 "w" dense<1.0> : tensor<4xf32>
host.data @data_1 "table" dense<1.0> : tensor<8xf32>
func.func private @arena_bytes() -> index {
  %c128 = arith.constant 128 : index
  return %c128 : index
}
}

// -----

// What is not known is checked by the runtime.
// CHECK: host.budget = 200 : i64
// CHECK-LABEL: func.func private @arena_bytes
module attributes {
  host.inputs = [#host.port<"x", tensor<?xf32>, [0]>],
  host.outputs = [],
  host.symbols = [#host.symbol<"N", 0, 64>]
} {
func.func private @arena_bytes() -> index {
  %c1000 = arith.constant 1000 : index
  return %c1000 : index
}
}
