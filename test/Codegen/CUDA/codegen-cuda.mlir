// RUN: weft-opt %s -codegen-cuda -split-input-file | FileCheck %s

// A thread computes one element; the last block has threads to spare. Equal
// regions share a kernel.
// CHECK-LABEL: func.func @main(
//       CHECK:   dispatch.launch @[[KERNEL:.+]] ins(
//       CHECK:   dispatch.launch @[[KERNEL]] ins(
//       CHECK: func.func private @[[KERNEL]]_count(
//  CHECK-SAME:     -> i64
//       CHECK:   %[[N:.+]] = arith.constant 1000 : index
//       CHECK:   %[[WORD:.+]] = arith.index_cast %[[N]]
//       CHECK:   return %[[WORD]]
//       CHECK: func.func private @[[KERNEL]]_task(
//  CHECK-SAME:     !llvm.ptr {llvm.noalias}, %{{.+}}: !llvm.ptr {llvm.noalias}, %[[COUNT:.+]]: index)
//   CHECK-DAG:   %[[BLOCK:.+]] = nvvm.read.ptx.sreg.ctaid.x
//   CHECK-DAG:   %[[THREAD:.+]] = nvvm.read.ptx.sreg.tid.x
//       CHECK:   %[[IS:.+]] = arith.cmpi slt, %{{.+}}, %[[COUNT]] : index
//       CHECK:   scf.if %[[IS]] {
//       CHECK:     arith.negf
//       CHECK:     llvm.store
//       CHECK: dispatch.kernel @[[KERNEL]] tasks [@[[KERNEL]]_task]
//  CHECK-SAME:     device [#dispatch.device_task<threads = 256, iterations = 256, arguments = 3>]
func.func @main(%x: tensor<1000xf32>, %y: tensor<1000xf32>) -> (tensor<1000xf32>, tensor<1000xf32>) {
  %0 = dispatch.region ins(%x : tensor<1000xf32>) -> tensor<1000xf32> {
  ^bb0(%x0: tensor<1000xf32>):
    %n = weft.neg %x0 : tensor<1000xf32> loc("first")
    dispatch.yield %n : tensor<1000xf32>
  }
  %1 = dispatch.region ins(%y : tensor<1000xf32>) -> tensor<1000xf32> {
  ^bb0(%x0: tensor<1000xf32>):
    %n = weft.neg %x0 : tensor<1000xf32> loc("second")
    dispatch.yield %n : tensor<1000xf32>
  }
  return %0, %1 : tensor<1000xf32>, tensor<1000xf32>
}

// -----

// A fault is reported by the thread that finds it first.
//       CHECK: module attributes {dispatch.places = ["{{.*}}pick{{.*}}"]}
// CHECK-LABEL: func.func private @gather_0_task(
//  CHECK-SAME:     %[[RECORD:[a-z0-9]+]]: !llvm.ptr)
//       CHECK:   %[[TAKEN:.+]] = llvm.getelementptr %[[RECORD]][0, 0]
//       CHECK:   llvm.cmpxchg %[[TAKEN]]
//       CHECK:   llvm.getelementptr %[[RECORD]][0, 5]
//       CHECK: dispatch.kernel @gather_0
//  CHECK-SAME:     can_fault device
//  CHECK-SAME:     can_fault = true
func.func @main(%x: tensor<4xf32>, %i: tensor<2xi64>) -> tensor<2xf32> {
  %0 = dispatch.region ins(%x, %i : tensor<4xf32>, tensor<2xi64>) -> tensor<2xf32> {
  ^bb0(%x0: tensor<4xf32>, %i0: tensor<2xi64>):
    %g = weft.gather %x0, %i0 axis 0 : tensor<4xf32>, tensor<2xi64> loc("pick")
    dispatch.yield %g : tensor<2xf32>
  }
  return %0 : tensor<2xf32>
}
