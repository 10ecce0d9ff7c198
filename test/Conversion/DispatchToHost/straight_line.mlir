// RUN: weft-opt %s --convert-dispatch-to-host -split-input-file | FileCheck %s

// The result is written into the output, what is between into planned memory.
// CHECK: host.inputs = [#host.port<"x", tensor<?x4xf32>, [0, -1]>]
// CHECK-SAME: host.outputs = [#host.port<"y", tensor<?x4xf32>, [0, -1]>]
// CHECK-SAME: host.symbols = [#host.symbol<"N", 1, 64>]
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[X:.+]] = host.input 0
//       CHECK:   %[[N:.+]] = host.symbol 0
//       CHECK:   %[[SIZE:.+]] = host.size tensor<?x4xf32>(%[[N]])
//       CHECK:   %[[T:.+]] = host.alloc %[[SIZE]]
//       CHECK:   host.launch @k reads(%[[X]]) writes(%[[T]]) words(%[[N]], %[[N]])
//       CHECK:   %[[Y:.+]] = host.output 0 sizes(%[[N]])
//       CHECK:   host.launch @k reads(%[[T]]) writes(%[[Y]]) words(%[[N]], %[[N]])
//   CHECK-NOT:   host.copy
module attributes {weft.dim_ranges = {N = array<i64: 1, 64>}} {
func.func @main(%x: tensor<?x4xf32> {weft.name = "x", weft.dims = ["N", ""]})
    -> (tensor<?x4xf32> {weft.name = "y", weft.dims = ["N", ""]}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %0 = dispatch.launch @k ins(%x : tensor<?x4xf32>) sizes(%n) -> tensor<?x4xf32>
  %1 = dispatch.launch @k ins(%0 : tensor<?x4xf32>) sizes(%n) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}

// -----

// What is returned twice, an input and a constant are copied.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[X:.+]] = host.input 0
//       CHECK:   %[[C:.+]] = host.constant @data_0
//       CHECK:   %[[Y0:.+]] = host.output 0
//       CHECK:   host.launch @k reads(%[[X]]) writes(%[[Y0]])
//       CHECK:   %[[Y1:.+]] = host.output 1
//       CHECK:   host.copy %[[Y0]] to %[[Y1]]
//       CHECK:   %[[Y2:.+]] = host.output 2
//       CHECK:   host.copy %[[X]] to %[[Y2]]
//       CHECK:   %[[Y3:.+]] = host.output 3
//       CHECK:   host.copy %[[C]] to %[[Y3]]
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %c = weft.constant dense<1.0> : tensor<4xf32>
  %0 = dispatch.launch @k ins(%x : tensor<4xf32>) -> tensor<4xf32>
  return %0, %0, %x, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// A size that the data gives: memory from the runtime, an output dimension
// that only the run settles, and names for dimensions that have none.
// CHECK: #host.port<"input0", tensor<?xf32>, [0]>
// CHECK-SAME: #host.port<"output0", tensor<?xf32>, [-2]>
// CHECK-SAME: #host.symbol<"input0.0", 0, 9223372036854775807>
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[S:.+]] = host.input 1
//       CHECK:   %[[V:.+]] = host.load %[[S]][%{{.+}}] : i64
//       CHECK:   %[[N:.+]] = arith.index_cast %[[V]] : i64 to index
//       CHECK:   %[[SIZE:.+]] = host.size tensor<?xf32>(%[[N]])
//       CHECK:   host.allocate %[[SIZE]]
//       CHECK:   host.output 0 sizes(%[[N]])
func.func @main(%x: tensor<?xf32>, %s: tensor<1xi64>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %v = tensor.extract %s[%c0] : tensor<1xi64>
  %n = arith.index_cast %v : i64 to index
  %0 = dispatch.launch @k ins(%x : tensor<?xf32>) sizes(%n) -> tensor<?xf32>
  %1 = dispatch.launch @k ins(%0 : tensor<?xf32>) sizes(%n) -> tensor<?xf32>
  return %1 : tensor<?xf32>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// Sizes as a tensor; a cast that must hold; an index that must be in range; a
// division that can't fail ahead of time.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[N:.+]] = host.symbol 0
//       CHECK:   host.store %{{.+}}, %{{.+}}[%{{.+}}] : i64
//       CHECK:   %[[SAME:.+]] = arith.cmpi eq, %[[N]], %{{.+}}
//       CHECK:   host.require %[[SAME]] fault 3 detail %[[N]]
//       CHECK:   %[[IN:.+]] = arith.cmpi ult
//       CHECK:   host.require %[[IN]] fault 1
//       CHECK:   %[[SAFE:.+]] = arith.select %{{.+}}, %{{.+}}, %[[N]]
//       CHECK:   arith.divsi %{{.+}}, %[[SAFE]]
func.func @main(%x: tensor<?xi64>, %i: tensor<i64>) -> (tensor<1xi64>, tensor<4xi64>, tensor<1xi64>) {
  %c0 = arith.constant 0 : index
  %c100 = arith.constant 100 : index
  %n = tensor.dim %x, %c0 : tensor<?xi64>
  %n64 = arith.index_cast %n : index to i64
  %0 = tensor.from_elements %n64 : tensor<1xi64>
  %1 = tensor.cast %x : tensor<?xi64> to tensor<4xi64>
  %2 = tensor.extract %i[] : tensor<i64>
  %3 = arith.index_cast %2 : i64 to index
  %4 = tensor.extract %x[%3] : tensor<?xi64>
  %5 = arith.divsi %c100, %n : index
  %6 = arith.index_cast %5 : index to i64
  %7 = arith.addi %6, %4 : i64
  %8 = tensor.from_elements %7 : tensor<1xi64>
  return %0, %1, %8 : tensor<1xi64>, tensor<4xi64>, tensor<1xi64>
}
