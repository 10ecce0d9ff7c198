// RUN: weft-opt %s --convert-dispatch-to-host -split-input-file | FileCheck %s

// Two buffers that take turns; the kernel writes into the one that is free.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[X:.+]] = host.input 0
//       CHECK:   %[[A:.+]] = host.alloc
//       CHECK:   host.copy %[[X]] to %[[A]]
//       CHECK:   %[[B:.+]] = host.alloc
//       CHECK:   %[[LOOP:.+]]:2 = scf.for {{.*}} iter_args(%[[NOW:.+]] = %[[A]], %[[NEXT:.+]] = %[[B]])
//   CHECK-NOT:     host.alloc
//       CHECK:     host.launch @k reads(%[[NOW]]) writes(%[[NEXT]])
//       CHECK:     scf.yield %[[NEXT]], %[[NOW]]
//       CHECK:   host.copy %[[LOOP]]#0 to
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %0 = scf.for %i = %c0 to %c8 step %c1 iter_args(%v = %x) -> tensor<4xf32> {
    %1 = dispatch.launch @k ins(%v : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %1 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// A tensor that grows: an address and a size, new memory each time.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[X:.+]] = host.input 0
//       CHECK:   %[[N:.+]] = host.symbol 0
//   CHECK-NOT:   host.alloc %
//       CHECK:   scf.for {{.*}} iter_args(%[[NOW:.+]] = %[[X]], %[[SIZE:.+]] = %[[N]])
//       CHECK:     %[[MORE:.+]] = arith.addi %[[SIZE]]
//       CHECK:     %[[NEW:.+]] = host.allocate
//       CHECK:     host.launch @k reads(%[[NOW]]) writes(%[[NEW]]) words(%[[SIZE]], %[[MORE]])
//       CHECK:     scf.yield %[[NEW]], %[[MORE]]
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %0 = scf.for %i = %c0 to %c8 step %c1 iter_args(%v = %x) -> tensor<?xf32> {
    %n = tensor.dim %v, %c0 : tensor<?xf32>
    %more = arith.addi %n, %c1 : index
    %1 = dispatch.launch @k ins(%v : tensor<?xf32>) sizes(%more) -> tensor<?xf32>
    scf.yield %1 : tensor<?xf32>
  }
  return %0 : tensor<?xf32>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// A branch yields an address; the size is the same on both sides.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[X:.+]] = host.input 0
//       CHECK:   %[[N:.+]] = host.symbol 0
//       CHECK:   %[[IF:.+]]:2 = scf.if
//       CHECK:     host.launch @k reads(%[[X]]) writes(%[[NEW:.+]]) words
//       CHECK:     scf.yield %[[NEW]], %[[N]]
//       CHECK:     scf.yield %[[X]], %[[N]]
//       CHECK:   host.output 0 sizes(%[[N]])
func.func @main(%x: tensor<?xf32>, %flag: tensor<i1>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %f = tensor.extract %flag[] : tensor<i1>
  %0 = scf.if %f -> tensor<?xf32> {
    %1 = dispatch.launch @k ins(%x : tensor<?xf32>) sizes(%n) -> tensor<?xf32>
    scf.yield %1 : tensor<?xf32>
  } else {
    scf.yield %x : tensor<?xf32>
  }
  return %0 : tensor<?xf32>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// Both buffers of a pair pass through the condition of a while.
// CHECK-LABEL: func.func @main()
//       CHECK:   scf.while (%[[V:.+]] = %[[A:.+]], %[[W:.+]] = %[[B:.+]])
//       CHECK:     %[[GO:.+]] = host.load %[[V]]
//       CHECK:     scf.condition(%[[GO]]) %[[V]], %[[V]], %[[W]]
//       CHECK:   ^bb0(%{{.+}}: !host.buffer, %[[NOW:.+]]: !host.buffer, %[[NEXT:.+]]: !host.buffer):
//       CHECK:     host.launch @k reads(%[[NOW]]) writes(%[[NEXT]])
//       CHECK:     scf.yield %[[NEXT]], %[[NOW]]
func.func @main(%x: tensor<i1>) -> tensor<i1> {
  %0 = scf.while (%v = %x) : (tensor<i1>) -> tensor<i1> {
    %go = tensor.extract %v[] : tensor<i1>
    scf.condition(%go) %v : tensor<i1>
  } do {
  ^bb0(%v: tensor<i1>):
    %1 = dispatch.launch @k ins(%v : tensor<i1>) -> tensor<i1>
    scf.yield %1 : tensor<i1>
  }
  return %0 : tensor<i1>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
