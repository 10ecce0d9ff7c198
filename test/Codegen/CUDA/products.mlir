// RUN: weft-opt %s -codegen-cuda -split-input-file | FileCheck %s
// RUN: weft-opt %s -codegen-cuda='arch=sm_90a' -split-input-file | FileCheck %s --check-prefix SM90
// RUN: weft-opt %s -codegen-cuda='tf32=true' -split-input-file | FileCheck %s --check-prefix TF32

// Threads multiply. Operands come by vectors where they lie in memory like that,
// and the next part of the depth is loaded while one is multiplied.
// CHECK-LABEL: func.func private @contract_0_task(
//       CHECK:   llvm.mlir.addressof @{{.+}} : !llvm.ptr<3>
//       CHECK:   nvvm.barrier0
//       CHECK:   scf.for {{.+}} iter_args(
//       CHECK:     llvm.load {{.+}} : !llvm.ptr -> vector<4xf32>
//       CHECK:     llvm.load {{.+}} : !llvm.ptr<3> -> vector<4xf32>
//       CHECK:     llvm.intr.fma
//       CHECK:     llvm.store {{.+}} : vector<4xf32>, !llvm.ptr<3>
//       CHECK:     nvvm.barrier0
//       CHECK:     scf.yield
//       CHECK: dispatch.kernel @contract_0
//        TF32: llvm.load {{.+}} : !llvm.ptr<3> -> i32
//        TF32: llvm.inline_asm {{.+}}abs.f32{{.+}}add.s32
//        TF32: nvvm.mma.sync {{.+}} shape = #nvvm.shape<m = 16, n = 8, k = 8>
func.func @main(%x: tensor<128x64xf32>, %y: tensor<64x256xf32>) -> tensor<128x256xf32> {
  %0 = dispatch.region ins(%x, %y : tensor<128x64xf32>, tensor<64x256xf32>) -> tensor<128x256xf32> {
  ^bb0(%a: tensor<128x64xf32>, %b: tensor<64x256xf32>):
    %n = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<128x64xf32>, tensor<64x256xf32> -> tensor<128x256xf32>
    dispatch.yield %n : tensor<128x256xf32>
  }
  return %0 : tensor<128x256xf32>
}

// -----

// Matrix instructions multiply numbers of 16 bits. Parts come by themselves, or
// through registers where rows are not whole vectors.
// CHECK-LABEL: func.func private @contract_0_task(
//       CHECK:   nvvm.cp.async.commit.group
//       CHECK:   scf.for {{.+}} iter_args(
//       CHECK:     nvvm.cp.async.wait.group
//  CHECK-NEXT:     nvvm.barrier0
//       CHECK:     nvvm.cp.async.shared.global {{.+}}, {{.+}}, 16, cache = cg
//       CHECK:     llvm.store {{.+}} : f16, !llvm.ptr<3>
//       CHECK:     llvm.load {{.+}} : !llvm.ptr -> f16
//       CHECK:     nvvm.ldmatrix {{.+}} layout = #nvvm.mma_layout<col>
//       CHECK:     nvvm.ldmatrix {{.+}} layout = #nvvm.mma_layout<row>
//       CHECK:     nvvm.mma.sync
func.func @main(%x: tensor<70x67xf16>, %y: tensor<67x64xf16>) -> tensor<70x64xf32> {
  %0 = dispatch.region ins(%x, %y : tensor<70x67xf16>, tensor<67x64xf16>) -> tensor<70x64xf32> {
  ^bb0(%a: tensor<70x67xf16>, %b: tensor<67x64xf16>):
    %n = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<70x67xf16>, tensor<67x64xf16> -> tensor<70x64xf32>
    dispatch.yield %n : tensor<70x64xf32>
  }
  return %0 : tensor<70x64xf32>
}

// -----

// A row times a matrix: a lane has two neighbouring results, whose sums lanes
// and warps share.
// CHECK-LABEL: func.func private @contract_0_task(
//       CHECK:   scf.for {{.+}} iter_args(
// CHECK-COUNT-4:   llvm.load {{.+}} : !llvm.ptr -> vector<2xf32>
//       CHECK:   nvvm.shfl.sync  bfly
//       CHECK:   llvm.store {{.+}} : vector<2xf32>, !llvm.ptr<3>
//       CHECK:   nvvm.barrier0
//       CHECK: dispatch.kernel @contract_0
func.func @main(%x: tensor<1x300xf32>, %y: tensor<300x70xf32>) -> tensor<1x70xf32> {
  %0 = dispatch.region ins(%x, %y : tensor<1x300xf32>, tensor<300x70xf32>) -> tensor<1x70xf32> {
  ^bb0(%a: tensor<1x300xf32>, %b: tensor<300x70xf32>):
    %n = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<1x300xf32>, tensor<300x70xf32> -> tensor<1x70xf32>
    dispatch.yield %n : tensor<1x70xf32>
  }
  return %0 : tensor<1x70xf32>
}

// -----

// A matrix times a column: the lanes of a warp share a sum.
// CHECK-LABEL: func.func private @contract_0_task(
//       CHECK:   scf.for {{.+}} iter_args(
//       CHECK:     llvm.load {{.+}} : !llvm.ptr -> vector<4xf32>
//       CHECK:   nvvm.shfl.sync  bfly
//   CHECK-NOT:   nvvm.barrier0
//       CHECK: dispatch.kernel @contract_0
func.func @main(%x: tensor<70x300xf32>, %y: tensor<300x1xf32>) -> tensor<70x1xf32> {
  %0 = dispatch.region ins(%x, %y : tensor<70x300xf32>, tensor<300x1xf32>) -> tensor<70x1xf32> {
  ^bb0(%a: tensor<70x300xf32>, %b: tensor<300x1xf32>):
    %n = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<70x300xf32>, tensor<300x1xf32> -> tensor<70x1xf32>
    dispatch.yield %n : tensor<70x1xf32>
  }
  return %0 : tensor<70x1xf32>
}

// -----

// On sm_90a, four warps multiply together where there is enough to do. Parts lie
// in memory that the launch asks for, and while one is multiplied, the next one
// is begun with. The sizes that are not known have threads copy them.
// SM90-LABEL: func.func @unknown(
//       SM90: func.func private @contract_0_task(
//       SM90:   nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
//  SM90-NEXT:   nvvm.barrier0
//       SM90:   nvvm.wgmma.fence.aligned
//       SM90:   nvvm.wgmma.mma_async {{.+}} <m = 64, n = {{[0-9]+}}, k = 16>
//       SM90:   nvvm.wgmma.commit.group.sync.aligned
//  SM90-NEXT:   nvvm.wgmma.wait.group.sync.aligned 1
//       SM90:   scf.yield
//       SM90:   nvvm.wgmma.wait.group.sync.aligned 0
//       SM90: llvm.mlir.global external @{{.+}}() {addr_space = 3 : i32, alignment = 1024 : i64}
//       SM90: dispatch.kernel @contract_0 {{.+}}, shared = 98304>
func.func @unknown(%x: tensor<?x256xbf16>, %size: index, %y: tensor<256x2048xbf16>) -> tensor<?x2048xf32> {
  %0 = dispatch.region ins(%x, %y : tensor<?x256xbf16>, tensor<256x2048xbf16>) sizes(%size) -> tensor<?x2048xf32> {
  ^bb0(%a: tensor<?x256xbf16>, %b: tensor<256x2048xbf16>):
    %n = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<?x256xbf16>, tensor<256x2048xbf16> -> tensor<?x2048xf32>
    dispatch.yield %n : tensor<?x2048xf32>
  }
  return %0 : tensor<?x2048xf32>
}

// -----

// Operands whose sizes are known come as boxes of tensors, which a warp of its
// own asks for; the others wait for each part, and say when they are through with
// the one before.
// SM90-LABEL: func.func @boxes(
//       SM90: func.func private @contract_0_task(
//  SM90-SAME:   %[[A:.+]]: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>}, %[[B:.+]]: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>},
//       SM90:   nvvm.mbarrier.init
//       SM90:   nvvm.fence.mbarrier.init
//       SM90:   nvvm.barrier0
//       SM90:   scf.for
//       SM90:     llvm.inline_asm {{.+}}mbarrier.try_wait
//       SM90:     nvvm.wgmma.mma_async {{.+}} <m = 64, n = 256, k = 16>
//       SM90:     nvvm.wgmma.wait.group.sync.aligned 1
//       SM90:     nvvm.mbarrier.arrive %
//       SM90:   nvvm.barrier id = {{.+}} number_of_threads =
//       SM90:   scf.for
//       SM90:     llvm.inline_asm {{.+}}mbarrier.try_wait
//       SM90:     nvvm.mbarrier.arrive.expect_tx
//       SM90:     nvvm.cp.async.bulk.tensor.shared.cluster.global {{.+}}, %[[A]], {{.+}}, box[
// SM90-COUNT-4:   nvvm.cp.async.bulk.tensor.shared.cluster.global {{.+}}, %[[B]], {{.+}}, box[
//       SM90: dispatch.kernel @contract_0
//  SM90-SAME:   threads = 288
//  SM90-SAME:   maps = [#dispatch.tensor_map<word = 0, element = bf16, sizes = [256, 2048], strides = [512], box = [64, 128], swizzle = 128>, #dispatch.tensor_map<word = 1, element = bf16, sizes = [2048, 256], strides = [4096], box = [64, 64], swizzle = 128>]
func.func @boxes(%x: tensor<2048x256xbf16>, %y: tensor<256x2048xbf16>) -> tensor<2048x2048xf32> {
  %0 = dispatch.region ins(%x, %y : tensor<2048x256xbf16>, tensor<256x2048xbf16>) -> tensor<2048x2048xf32> {
  ^bb0(%a: tensor<2048x256xbf16>, %b: tensor<256x2048xbf16>):
    %n = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<2048x256xbf16>, tensor<256x2048xbf16> -> tensor<2048x2048xf32>
    dispatch.yield %n : tensor<2048x2048xf32>
  }
  return %0 : tensor<2048x2048xf32>
}

// -----

// Where there are more of the largest tiles than multiprocessors, blocks stay for
// several, and warps that only copy leave registers to the others.
// SM90-LABEL: func.func @staying(
//       SM90: func.func private @contract_0_count(
//       SM90:   arith.constant 132
//       SM90: func.func private @contract_0_task(
//       SM90:   nvvm.setmaxregister increase 232
//       SM90:   scf.for {{.+}} -> (index, i32)
//       SM90:     scf.for
//       SM90:       nvvm.wgmma.mma_async {{.+}} <m = 64, n = 256, k = 16>
//       SM90:   nvvm.setmaxregister decrease 40
//       SM90:   scf.for {{.+}} -> (index, i32)
//       SM90:     scf.for
//       SM90:       nvvm.cp.async.bulk.tensor
//       SM90: dispatch.kernel @contract_0 {{.+}}threads = 384
func.func @staying(%x: tensor<4096x256xbf16>, %y: tensor<256x4096xbf16>) -> tensor<4096x4096xf32> {
  %0 = dispatch.region ins(%x, %y : tensor<4096x256xbf16>, tensor<256x4096xbf16>) -> tensor<4096x4096xf32> {
  ^bb0(%a: tensor<4096x256xbf16>, %b: tensor<256x4096xbf16>):
    %n = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<4096x256xbf16>, tensor<256x4096xbf16> -> tensor<4096x4096xf32>
    dispatch.yield %n : tensor<4096x4096xf32>
  }
  return %0 : tensor<4096x4096xf32>
}

// -----

// Few tiles and a long depth: blocks share sums, which lie in scratch, and
// another task adds them up.
// CHECK-LABEL: func.func @split(
// CHECK-LABEL: func.func private @contract_0_task(
// CHECK-LABEL: func.func private @contract_0_task_2(
//       CHECK:   arith.addf
//       CHECK:   dispatch.kernel @contract_0 tasks [@contract_0_task, @contract_0_task_2]{{.*}} scratch {{[1-9][0-9]+}}
func.func @split(%x: tensor<64x8192xf32>, %y: tensor<8192x64xf32>) -> tensor<64x64xf32> {
  %0 = dispatch.region ins(%x, %y : tensor<64x8192xf32>, tensor<8192x64xf32>) -> tensor<64x64xf32> {
  ^bb0(%a: tensor<64x8192xf32>, %b: tensor<8192x64xf32>):
    %n = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<64x8192xf32>, tensor<8192x64xf32> -> tensor<64x64xf32>
    dispatch.yield %n : tensor<64x64xf32>
  }
  return %0 : tensor<64x64xf32>
}

// -----

// The sums of many rows: blocks share the depth, a second task adds up.
// CHECK-LABEL: func.func private @contract_0_task(
//       CHECK:   scf.for {{.+}} iter_args(
// CHECK-COUNT-4:   llvm.load {{.+}} : !llvm.ptr -> vector<8xf16>
//       CHECK:   llvm.getelementptr {{.+}} -> !llvm.ptr, f32
//       CHECK: func.func private @contract_0_task_2(
//   CHECK-NOT:   scf.for
//       CHECK: dispatch.kernel @contract_0 tasks [@contract_0_task, @contract_0_task_2]
func.func @main(%x: tensor<1x4096xf16>, %y: tensor<4096x64xf16>) -> tensor<1x64xf32> {
  %0 = dispatch.region ins(%x, %y : tensor<1x4096xf16>, tensor<4096x64xf16>) -> tensor<1x64xf32> {
  ^bb0(%a: tensor<1x4096xf16>, %b: tensor<4096x64xf16>):
    %n = weft.contract %a, %b batch [] x [] contract [1] x [0] : tensor<1x4096xf16>, tensor<4096x64xf16> -> tensor<1x64xf32>
    dispatch.yield %n : tensor<1x64xf32>
  }
  return %0 : tensor<1x64xf32>
}
