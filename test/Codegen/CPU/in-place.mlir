// RUN: weft-opt %s -codegen-cpu -split-input-file | FileCheck %s

// Both inputs are found where the results are made, and read before anything is
// written: the arguments of the body are the inputs, then the results.
// CHECK-LABEL: func.func private @{{.*}}_body(
//  CHECK-SAME:     %[[W:[a-z0-9]+]]: !llvm.ptr {llvm.noalias}, %[[V:[a-z0-9]+]]: !llvm.ptr {llvm.noalias}, %[[G:[a-z0-9]+]]: !llvm.ptr {llvm.noalias}, %[[NEWV:[a-z0-9]+]]: !llvm.ptr {llvm.noalias}, %[[NEWW:[a-z0-9]+]]: !llvm.ptr {llvm.noalias})
//   CHECK-NOT:   %[[W]]
//   CHECK-NOT:   %[[V]]
//   CHECK-DAG:   %[[ATV:.+]] = llvm.getelementptr inbounds %[[NEWV]]
//   CHECK-DAG:   llvm.load %[[ATV]]
//   CHECK-DAG:   %[[ATW:.+]] = llvm.getelementptr inbounds %[[NEWW]]
//   CHECK-DAG:   llvm.load %[[ATW]]
//   CHECK-NOT:   llvm.load
//       CHECK:   llvm.store
//       CHECK:   llvm.store
//       CHECK: dispatch.kernel @{{.+}} in_place [1, 0]
//   CHECK-NOT:   can_fault
module attributes {weft.cpu = {l1_bytes = 32768 : i64, l2_bytes = 524288 : i64,
                               vector_bytes = 32 : i64, vector_registers = 16 : i64}} {
func.func @main(%w: tensor<4xf32>, %v: tensor<4xf32>, %g: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0:2 = dispatch.region ins(%w, %v, %g : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
      in_place [1, 0] -> tensor<4xf32>, tensor<4xf32> {
  ^bb0(%w0: tensor<4xf32>, %v0: tensor<4xf32>, %g0: tensor<4xf32>):
    %1 = weft.add %v0, %g0 : tensor<4xf32>
    %2 = weft.sub %w0, %1 : tensor<4xf32>
    dispatch.yield %1, %2 : tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}
}

// -----

// A region in place and one that is not do not share a kernel. The first writes
// as many elements as the source has, within bounds whatever the offset is.
// CHECK-LABEL: func.func @main(
//       CHECK:   dispatch.launch @update_slice_0
//       CHECK:   dispatch.launch @update_slice_1
// CHECK-LABEL: func.func private @update_slice_0_body(
//       CHECK:   %[[N:.+]] = arith.constant 4 : index
//       CHECK:   arith.maxsi
//       CHECK:   arith.minsi
//       CHECK:   llvm.store
//   CHECK-NOT:   scf.if
// CHECK-LABEL: func.func private @update_slice_1_body(
//       CHECK:   scf.if
module attributes {weft.cpu = {l1_bytes = 32768 : i64, l2_bytes = 524288 : i64,
                               vector_bytes = 32 : i64, vector_registers = 16 : i64}} {
func.func @main(%s: tensor<1x4xf32>, %d: tensor<8x4xf32>, %i: index) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  %0 = dispatch.region ins(%s, %d : tensor<1x4xf32>, tensor<8x4xf32>) scalars(%i) in_place [1] -> tensor<8x4xf32> {
  ^bb0(%s0: tensor<1x4xf32>, %d0: tensor<8x4xf32>, %at: index):
    %2 = weft.update_slice %s0 into %d0 [%at, 0] : tensor<1x4xf32>, tensor<8x4xf32>
    dispatch.yield %2 : tensor<8x4xf32>
  }
  %1 = dispatch.region ins(%s, %d : tensor<1x4xf32>, tensor<8x4xf32>) scalars(%i) -> tensor<8x4xf32> {
  ^bb0(%s0: tensor<1x4xf32>, %d0: tensor<8x4xf32>, %at: index):
    %2 = weft.update_slice %s0 into %d0 [%at, 0] : tensor<1x4xf32>, tensor<8x4xf32>
    dispatch.yield %2 : tensor<8x4xf32>
  }
  return %0, %1 : tensor<8x4xf32>, tensor<8x4xf32>
}
}
