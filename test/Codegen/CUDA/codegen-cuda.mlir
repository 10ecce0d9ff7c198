// RUN: weft-opt %s -codegen-cuda -split-input-file | FileCheck %s

// A thread computes four elements, which it reads and writes at once; the last
// block has threads to spare. Equal regions share a kernel.
// CHECK-LABEL: func.func @main(
//       CHECK:   dispatch.launch @[[KERNEL:.+]] ins(
//       CHECK:   dispatch.launch @[[KERNEL]] ins(
//       CHECK: func.func private @[[KERNEL]]_count(
//  CHECK-SAME:     -> i64
//       CHECK:   %[[N:.+]] = arith.constant 250 : index
//       CHECK:   %[[WORD:.+]] = arith.index_cast %[[N]]
//       CHECK:   return %[[WORD]]
//       CHECK: func.func private @[[KERNEL]]_task(
//  CHECK-SAME:     !llvm.ptr {llvm.noalias}, %{{.+}}: !llvm.ptr {llvm.noalias}, %[[COUNT:.+]]: index)
//   CHECK-DAG:   %[[BLOCK:.+]] = nvvm.read.ptx.sreg.ctaid.x
//   CHECK-DAG:   %[[THREAD:.+]] = nvvm.read.ptx.sreg.tid.x
//       CHECK:   %[[IS:.+]] = arith.cmpi slt, %{{.+}}, %[[COUNT]] : index
//       CHECK:   scf.if %[[IS]] {
//       CHECK:     llvm.load %{{.+}} {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
// CHECK-COUNT-4:   arith.negf
//       CHECK:     llvm.store %{{.+}} {alignment = 16 : i64} : vector<4xf32>
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

// -----

// What is left of a row that does not divide is computed one by one.
// CHECK-LABEL: func.func private @neg_0_task(
//       CHECK:   scf.if
//       CHECK:   %[[FIRST:.+]] = arith.muli
//       CHECK:   %[[END:.+]] = arith.addi %[[FIRST]], %{{.+}} overflow<nsw> : index
//       CHECK:   %[[IS:.+]] = arith.cmpi sle, %[[END]], %{{.+}} : index
//       CHECK:   scf.if %[[IS]] {
//       CHECK:     llvm.store %{{.+}} {alignment = 16 : i64} : vector<8xf16>
//       CHECK:   } else {
//       CHECK:     scf.for %{{.+}} = %[[FIRST]] to
//       CHECK:       llvm.store %{{.+}} : f16
func.func @main(%x: tensor<1003xf16>) -> tensor<1003xf16> {
  %0 = dispatch.region ins(%x : tensor<1003xf16>) -> tensor<1003xf16> {
  ^bb0(%x0: tensor<1003xf16>):
    %n = weft.neg %x0 : tensor<1003xf16>
    dispatch.yield %n : tensor<1003xf16>
  }
  return %0 : tensor<1003xf16>
}

// -----

// A transpose goes through shared memory, in rows that are one longer than the
// tile.
// CHECK-LABEL: func.func private @transpose_0_task(
//   CHECK-DAG:   %[[TILE:.+]] = llvm.mlir.addressof @transpose_0_shared_0
//       CHECK:   llvm.store %{{.+}} : f32
//       CHECK:   nvvm.barrier
//       CHECK:   llvm.load %{{.+}} -> f32
//       CHECK:   llvm.store %{{.+}} : f32
//       CHECK: llvm.mlir.global internal @transpose_0_shared_0() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<1056 x f32>
//       CHECK: dispatch.kernel @transpose_0
//  CHECK-SAME:     threads = 256, iterations = 1
func.func @main(%x: tensor<64x96xf32>) -> tensor<96x64xf32> {
  %0 = dispatch.region ins(%x : tensor<64x96xf32>) -> tensor<96x64xf32> {
  ^bb0(%x0: tensor<64x96xf32>):
    %n = weft.transpose %x0 [1, 0] : tensor<64x96xf32>
    dispatch.yield %n : tensor<96x64xf32>
  }
  return %0 : tensor<96x64xf32>
}

// -----

// Blocks that share a row leave their parts in scratch.
// CHECK-LABEL: func.func private @reduce_0_task(
//  CHECK-SAME:     %{{.+}}: !llvm.ptr {llvm.noalias}, %{{.+}}: !llvm.ptr {llvm.noalias}, %[[SCRATCH:.+]]: !llvm.ptr {llvm.noalias}, %{{.+}}: index)
//       CHECK:   %[[AT:.+]] = llvm.getelementptr inbounds %[[SCRATCH]]
//       CHECK:   llvm.getelementptr %[[AT]]
//       CHECK:   llvm.store
// CHECK-LABEL: func.func private @reduce_0_task_2(
//       CHECK: dispatch.kernel @reduce_0 tasks [@reduce_0_task, @reduce_0_task_2]
//  CHECK-SAME:     scratch {{[1-9]}}
func.func @main(%x: tensor<1048576xf32>) -> tensor<f32> {
  %0 = dispatch.region ins(%x : tensor<1048576xf32>) -> tensor<f32> {
  ^bb0(%x0: tensor<1048576xf32>):
    %n = weft.reduce sum %x0 axes [0] : tensor<1048576xf32>
    dispatch.yield %n : tensor<f32>
  }
  return %0 : tensor<f32>
}

// -----

// Results of different shapes, or of different tensors, are computed by blocks
// of their own in one launch: two of the first, four of the second.
// CHECK-LABEL: func.func private @{{.+}}_0_count(
//       CHECK:   arith.constant 6 : index
// CHECK-LABEL: func.func private @{{.+}}_0_task(
//       CHECK:   %[[BLOCK:.+]] = arith.index_castui %{{.+}} : i32 to index
//       CHECK:   %[[FIRST:.+]] = arith.cmpi slt, %[[BLOCK]], %{{.+}} : index
//       CHECK:   scf.if %[[FIRST]] {
//       CHECK:     arith.negf
//       CHECK:   } else {
//       CHECK:     arith.addf
//       CHECK: dispatch.kernel @{{.+}}_0 tasks [@{{[^,]+}}] counts
func.func @main(%x: tensor<2048xf32>, %y: tensor<64x64xf32>) -> (tensor<2048xf32>, tensor<64x64xf32>) {
  %0, %1 = dispatch.region ins(%x, %y : tensor<2048xf32>, tensor<64x64xf32>) -> tensor<2048xf32>, tensor<64x64xf32> {
  ^bb0(%x0: tensor<2048xf32>, %y0: tensor<64x64xf32>):
    %n = weft.neg %x0 : tensor<2048xf32>
    %s = weft.add %y0, %y0 : tensor<64x64xf32>
    dispatch.yield %n, %s : tensor<2048xf32>, tensor<64x64xf32>
  }
  return %0, %1 : tensor<2048xf32>, tensor<64x64xf32>
}

// -----

// There is no shared memory for the parts of so many reductions, so each row has
// one thread.
// CHECK-LABEL: func.func private @reduce_0_task(
//   CHECK-NOT: llvm.mlir.global
//       CHECK: dispatch.kernel @reduce_0
func.func @main(%x: tensor<64x64xf64>) -> tensor<64xf64> {
  %0:17 = dispatch.region ins(%x : tensor<64x64xf64>)
      -> tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64> {
  ^bb0(%x0: tensor<64x64xf64>):
    %r0 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r1 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r2 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r3 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r4 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r5 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r6 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r7 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r8 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r9 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r10 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r11 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r12 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r13 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r14 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r15 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    %r16 = weft.reduce sum %x0 axes [0] : tensor<64x64xf64>
    dispatch.yield %r0, %r1, %r2, %r3, %r4, %r5, %r6, %r7, %r8, %r9, %r10, %r11, %r12, %r13, %r14, %r15, %r16 : tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>, tensor<64xf64>
  }
  return %0#0 : tensor<64xf64>
}

// -----

// Where the same is computed from tensors of different shapes, the code is there
// once, and a block looks up the addresses, the size and the first block.
// CHECK-LABEL: func.func private @neg_0_task(
//       CHECK:   %[[WORDS:.+]]:4 = scf.if %{{.+}} -> (!llvm.ptr, !llvm.ptr, index, index) {
//       CHECK:     scf.yield %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} : !llvm.ptr, !llvm.ptr, index, index
//       CHECK:   arith.subi %{{.+}}, %[[WORDS]]#3
// CHECK-COUNT-5:   arith.negf
//   CHECK-NOT:   arith.negf
//       CHECK: dispatch.kernel
func.func @main(%x: tensor<2048xf32>, %y: tensor<64x64xf32>) -> (tensor<2048xf32>, tensor<64x64xf32>) {
  %0, %1 = dispatch.region ins(%x, %y : tensor<2048xf32>, tensor<64x64xf32>) -> tensor<2048xf32>, tensor<64x64xf32> {
  ^bb0(%x0: tensor<2048xf32>, %y0: tensor<64x64xf32>):
    %n = weft.neg %x0 : tensor<2048xf32>
    %s = weft.neg %y0 : tensor<64x64xf32>
    dispatch.yield %n, %s : tensor<2048xf32>, tensor<64x64xf32>
  }
  return %0, %1 : tensor<2048xf32>, tensor<64x64xf32>
}
