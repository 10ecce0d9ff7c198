// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --mlir-print-op-generic | weft-opt | FileCheck %s

// CHECK: host.inputs = [#host.port<"x", tensor<?x8xf32>, [0, -1]>, #host.port<"s", tensor<i64>, []>,
// CHECK-SAME: #host.port<"w", tensor<8xf32>, [-1], role = parameter, twin = 1, initial = @data_0>]
// CHECK-SAME: host.outputs = [#host.port<"y", tensor<?x8xf32>, [-2, -1]>,
// CHECK-SAME: #host.port<"w.new", tensor<8xf32>, [-1], role = parameter, twin = 2, early = true>]
// CHECK-SAME: host.symbols = [#host.symbol<"N", 1, 64>]
module attributes {
    host.inputs = [#host.port<"x", tensor<?x8xf32>, [0, -1]>,
                   #host.port<"s", tensor<i64>, []>,
                   #host.port<"w", tensor<8xf32>, [-1], role = parameter, twin = 1, initial = @data_0>],
    host.outputs = [#host.port<"y", tensor<?x8xf32>, [-2, -1]>,
                    #host.port<"w.new", tensor<8xf32>, [-1], role = parameter, twin = 2, early = true>],
    host.symbols = [#host.symbol<"N", 1, 64>]} {

// CHECK: host.data @data_0 "weight" dense<1.000000e+00> : tensor<8xf32>
host.data @data_0 "weight" dense<1.0> : tensor<8xf32>

dispatch.kernel @add tasks [@task] counts [@count] scratch 0 nodes ["add"]
func.func private @task(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @count(!llvm.ptr) -> i64

// CHECK-LABEL: func.func @main()
func.func @main() {
  %c0 = arith.constant 0 : index
  %true = arith.constant true
  // CHECK: %[[N:.+]] = host.symbol 0
  %n = host.symbol 0
  // CHECK: %[[X:.+]] = host.input 0
  %x = host.input 0
  // CHECK: %[[W:.+]] = host.constant @data_0
  %w = host.constant @data_0
  // CHECK: %[[BYTES:.+]] = host.size tensor<?x8xf32>(%[[N]])
  %bytes = host.size tensor<?x8xf32>(%n)
  // CHECK: host.size tensor<8xf32>{{$}}
  %fixed = host.size tensor<8xf32>
  // CHECK: %[[A:.+]] = host.alloc %[[BYTES]] "conv"
  %a = host.alloc %bytes "conv"
  // CHECK: host.alloc %[[BYTES]]{{$}}
  %b = host.alloc %bytes
  // CHECK: host.allocate %[[BYTES]]
  %c = host.allocate %bytes
  // CHECK: host.arena %{{.+}}
  %d = host.arena %c0
  // CHECK: host.launch @add reads(%[[X]], %[[W]]) writes(%[[A]]) words(%[[N]])
  host.launch @add reads(%x, %w) writes(%a) words(%n)
  // CHECK: %[[V:.+]] = host.load %[[X]][%{{.+}}] : f32
  %v = host.load %x[%c0] : f32
  // CHECK: host.store %[[V]], %[[A]][%{{.+}}] : f32
  host.store %v, %a[%c0] : f32
  // CHECK: host.require %{{.+}} fault 3 detail %[[N]] wanted %[[N]] "here"
  host.require %true fault 3 detail %n wanted %n "here"
  // CHECK: host.settle
  host.settle
  // CHECK: %[[Y:.+]] = host.output 0 sizes(%[[N]])
  %y = host.output 0 sizes(%n)
  // CHECK: host.copy %[[A]] to %[[Y]] bytes %[[BYTES]]
  host.copy %a to %y bytes %bytes
  return
}
}
