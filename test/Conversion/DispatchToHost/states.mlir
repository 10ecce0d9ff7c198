// RUN: weft-opt %s --convert-dispatch-to-host -split-input-file | FileCheck %s

// The new value is made in the output, where the old one is put first (which
// does nothing if they are the same memory), after what reads the old value and
// after what can fault.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[W:.+]] = host.input 0
//       CHECK:   %[[G:.+]] = host.input 1
//       CHECK:   host.launch @read reads(%[[W]])
//       CHECK:   host.launch @faulty
//       CHECK:   %[[NEW:.+]] = host.output 0
//       CHECK:   host.copy %[[W]] to %[[NEW]]
//       CHECK:   host.launch @update reads(%[[NEW]], %[[G]]) writes(%[[NEW]])
//       CHECK:   host.launch @last
//   CHECK-NOT:   host.copy
//       CHECK:   return
func.func @main(%w: tensor<4xf32> {weft.role = "parameter"}, %g: tensor<4xf32>)
    -> (tensor<4xf32> {weft.role = "parameter", weft.twin = 0 : i64}, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = dispatch.launch @update ins(%w, %g : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = dispatch.launch @read ins(%w : tensor<4xf32>) -> tensor<4xf32>
  %2 = dispatch.launch @faulty ins(%g : tensor<4xf32>) -> tensor<4xf32>
  %3 = dispatch.launch @last ins(%g : tensor<4xf32>) -> tensor<4xf32>
  return %0, %1, %2, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
dispatch.kernel @update tasks [@t] counts [@c] scratch 0 nodes [] in_place [0]
dispatch.kernel @read tasks [@t] counts [@c] scratch 0 nodes []
dispatch.kernel @faulty tasks [@t] counts [@c] scratch 0 nodes [] can_fault
dispatch.kernel @last tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// A kernel that reads other elements of the old value does not write over it:
// the new one is copied at the end, after the old one has gone to the caller.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[W:.+]] = host.input 0
//       CHECK:   host.launch @mix reads(%[[W]]) writes(%[[T:.+]])
//       CHECK:   %[[OLD:.+]] = host.output 1
//       CHECK:   host.copy %[[W]] to %[[OLD]]
//       CHECK:   %[[NEW:.+]] = host.output 0
//       CHECK:   host.copy %[[T]] to %[[NEW]]
func.func @main(%w: tensor<4xf32> {weft.role = "state"})
    -> (tensor<4xf32> {weft.role = "state", weft.twin = 0 : i64}, tensor<4xf32>) {
  %0 = dispatch.launch @mix ins(%w : tensor<4xf32>) -> tensor<4xf32>
  return %0, %w : tensor<4xf32>, tensor<4xf32>
}
dispatch.kernel @mix tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// One that does not read the old value writes the new one at once, if the last
// reader is before.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[W:.+]] = host.input 0
//       CHECK:   %[[V:.+]] = host.input 1
//       CHECK:   %[[X:.+]] = host.input 2
//       CHECK:   host.launch @one reads(%[[X]]) writes(%[[T:.+]])
//       CHECK:   %[[NEWV:.+]] = host.output 1
//       CHECK:   host.launch @two reads(%[[W]]) writes(%[[NEWV]])
//       CHECK:   %[[NEWW:.+]] = host.output 0
//       CHECK:   host.copy %[[T]] to %[[NEWW]]
func.func @main(%w: tensor<4xf32> {weft.role = "state"}, %v: tensor<4xf32> {weft.role = "state"}, %x: tensor<4xf32>)
    -> (tensor<4xf32> {weft.role = "state", weft.twin = 0 : i64},
        tensor<4xf32> {weft.role = "state", weft.twin = 1 : i64}) {
  %0 = dispatch.launch @one ins(%x : tensor<4xf32>) -> tensor<4xf32>
  %1 = dispatch.launch @two ins(%w : tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
dispatch.kernel @one tasks [@t] counts [@c] scratch 0 nodes []
dispatch.kernel @two tasks [@t] counts [@c] scratch 0 nodes []
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64

// -----

// States that change places go through other memory; one that stays is copied
// to itself, at most.
// CHECK-LABEL: func.func @main()
//       CHECK:   %[[A:.+]] = host.input 0
//       CHECK:   %[[B:.+]] = host.input 1
//       CHECK:   %[[C:.+]] = host.input 2
//       CHECK:   host.copy %[[B]] to %[[ASIDE:.+]] bytes
//       CHECK:   host.copy %[[A]] to %[[ASIDE2:.+]] bytes
//       CHECK:   %[[NEWA:.+]] = host.output 0
//       CHECK:   host.copy %[[ASIDE]] to %[[NEWA]]
//       CHECK:   %[[NEWB:.+]] = host.output 1
//       CHECK:   host.copy %[[ASIDE2]] to %[[NEWB]]
//       CHECK:   %[[NEWC:.+]] = host.output 2
//       CHECK:   host.copy %[[C]] to %[[NEWC]]
func.func @main(%a: tensor<4xf32> {weft.role = "state"}, %b: tensor<4xf32> {weft.role = "state"}, %c: tensor<4xf32> {weft.role = "state"})
    -> (tensor<4xf32> {weft.role = "state", weft.twin = 0 : i64},
        tensor<4xf32> {weft.role = "state", weft.twin = 1 : i64},
        tensor<4xf32> {weft.role = "state", weft.twin = 2 : i64}) {
  return %b, %a, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
