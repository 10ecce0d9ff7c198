// RUN: weft-opt %s -cuda-lower-device | FileCheck %s

// Functions that are launched become kernels, and math calls libdevice.
//       CHECK: llvm.func @__nv_tanhf(f32) -> f32
//       CHECK: llvm.func @tanh_0_task(%[[X:.+]]: !llvm.ptr, %{{.+}}: i64)
//  CHECK-SAME:     nvvm.kernel, nvvm.maxntid = array<i32: 256, 1, 1>, nvvm.minctasm = 1 : i32
//   CHECK-NOT:     weft.threads
//       CHECK:   nvvm.read.ptx.sreg.tid.x
//       CHECK:   llvm.call @__nv_tanhf(
//   CHECK-NOT: func.func
func.func @tanh_0_task(%x: !llvm.ptr, %n: index) attributes {weft.threads = 256 : i32} {
  %0 = nvvm.read.ptx.sreg.tid.x : i32
  %1 = llvm.getelementptr %x[%0] : (!llvm.ptr, i32) -> !llvm.ptr, f32
  %2 = llvm.load %1 : !llvm.ptr -> f32
  %3 = math.tanh %2 : f32
  llvm.store %3, %1 : f32, !llvm.ptr
  return
}

// Tensor maps stay where the launch has put them.
//       CHECK: llvm.func @mapped(%{{.+}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %{{.+}}: !llvm.ptr)
func.func @mapped(%map: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>}, %x: !llvm.ptr) attributes {weft.threads = 32 : i32} {
  return
}

// Indices that are known to be small are computed in 32 bits.
//       CHECK: llvm.func @narrow(%{{.+}}: !llvm.ptr, %{{.+}}: i32)
//   CHECK-NOT:     weft.narrow_indices
//       CHECK:   llvm.mul %{{.+}}, %{{.+}} : i32
//       CHECK:   llvm.sext %{{.+}} : i32 to i64
func.func @narrow(%x: !llvm.ptr, %n: index) attributes {weft.threads = 32 : i32, weft.narrow_indices} {
  %0 = arith.muli %n, %n : index
  %1 = arith.index_cast %0 : index to i64
  %2 = llvm.getelementptr %x[%1] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %3 = llvm.load %2 : !llvm.ptr -> f32
  llvm.store %3, %x : f32, !llvm.ptr
  return
}
