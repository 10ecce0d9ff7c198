// RUN: weft-opt %s --convert-dispatch-to-host -split-input-file | FileCheck %s

// One buffer, which the loop changes; what it starts with is copied once.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[X:.+]] = host.input 0
//       CHECK:   %[[A:.+]] = host.alloc
//       CHECK:   host.copy %[[X]] to %[[A]]
//   CHECK-NOT:   host.alloc
//       CHECK:   scf.for
//   CHECK-NOT:     host.copy
//       CHECK:     host.launch @k reads(%[[A]]) writes(%[[A]])
//   CHECK-NOT:     host.copy
//       CHECK:   }
//       CHECK:   host.copy %[[A]] to
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
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes [] in_place [0]
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// The inner loop goes on with the outer loop's buffer, and two steps in one
// iteration with each other's.
// CHECK-LABEL: func.func @main()
//       CHECK:   host.copy %{{.+}} to %[[A:.+]] bytes
//       CHECK:   scf.for
//   CHECK-NOT:     host.copy
//       CHECK:     scf.for
//   CHECK-NOT:       host.copy
//       CHECK:       host.launch @k reads(%[[A]]) writes(%[[A]])
//       CHECK:       host.launch @k reads(%[[A]]) writes(%[[A]])
//   CHECK-NOT:     host.copy
//       CHECK:   return
func.func @main(%x: tensor<4xf32>) -> tensor<1xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %0 = scf.for %i = %c0 to %c8 step %c1 iter_args(%v = %x) -> tensor<4xf32> {
    %1 = scf.for %j = %c0 to %c8 step %c1 iter_args(%u = %v) -> tensor<4xf32> {
      %2 = dispatch.launch @k ins(%u : tensor<4xf32>) -> tensor<4xf32>
      %3 = dispatch.launch @k ins(%2 : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %3 : tensor<4xf32>
    }
    scf.yield %1 : tensor<4xf32>
  }
  %4 = dispatch.launch @first ins(%0 : tensor<4xf32>) -> tensor<1xf32>
  return %4 : tensor<1xf32>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes [] in_place [0]
dispatch.kernel @first tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// The old value is read after the new one is made, so that it is kept.
// CHECK-LABEL: func.func @main()
//       CHECK:   scf.for {{.*}} iter_args(%[[NOW:.+]] = %{{.+}}, %[[NEXT:.+]] = %{{.+}}, %{{.+}} = %{{.+}}, %[[SUM:.+]] = %{{.+}})
//       CHECK:     host.copy %[[NOW]] to %[[NEXT]]
//       CHECK:     host.launch @k reads(%[[NEXT]]) writes(%[[NEXT]])
//       CHECK:     host.launch @first reads(%[[NOW]]) writes(%[[SUM]])
func.func @main(%x: tensor<4xf32>, %s: tensor<1xf32>) -> (tensor<4xf32>, tensor<1xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %0:2 = scf.for %i = %c0 to %c8 step %c1 iter_args(%v = %x, %w = %s) -> (tensor<4xf32>, tensor<1xf32>) {
    %1 = dispatch.launch @k ins(%v : tensor<4xf32>) -> tensor<4xf32>
    %2 = dispatch.launch @first ins(%v : tensor<4xf32>) -> tensor<1xf32>
    scf.yield %1, %2 : tensor<4xf32>, tensor<1xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<1xf32>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes [] in_place [0]
dispatch.kernel @first tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// What a condition looks at may be changed in place, too.
// CHECK-LABEL: func.func @main()
//       CHECK:   host.copy %{{.+}} to %[[A:.+]] bytes
//       CHECK:   scf.while
//       CHECK:     host.load %[[A]]
//       CHECK:   } do {
//   CHECK-NOT:     host.copy
//       CHECK:     host.launch @k reads(%[[A]]) writes(%[[A]])
//   CHECK-NOT:     host.copy
//       CHECK:     scf.yield
func.func @main(%x: tensor<4xi1>) -> tensor<4xi1> {
  %c0 = arith.constant 0 : index
  %0 = scf.while (%v = %x) : (tensor<4xi1>) -> tensor<4xi1> {
    %on = tensor.extract %v[%c0] : tensor<4xi1>
    scf.condition(%on) %v : tensor<4xi1>
  } do {
  ^bb0(%v: tensor<4xi1>):
    %1 = dispatch.launch @k ins(%v : tensor<4xi1>) -> tensor<4xi1>
    scf.yield %1 : tensor<4xi1>
  }
  return %0 : tensor<4xi1>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes [] in_place [0]
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// Outside of loops: memory is taken over from a kernel that no one else reads,
// and not from an input.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[X:.+]] = host.input 0
//       CHECK:   %[[A:.+]] = host.alloc
//       CHECK:   host.copy %[[X]] to %[[A]]
//       CHECK:   host.launch @k reads(%[[A]]) writes(%[[A]])
//   CHECK-NOT:   host.copy
//       CHECK:   host.launch @k reads(%[[A]]) writes(%[[A]])
//       CHECK:   host.launch @first reads(%[[A]])
func.func @main(%x: tensor<4xf32>) -> tensor<1xf32> {
  %0 = dispatch.launch @k ins(%x : tensor<4xf32>) -> tensor<4xf32>
  %1 = dispatch.launch @k ins(%0 : tensor<4xf32>) -> tensor<4xf32>
  %2 = dispatch.launch @first ins(%1 : tensor<4xf32>) -> tensor<1xf32>
  return %2 : tensor<1xf32>
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes [] in_place [0]
dispatch.kernel @first tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
