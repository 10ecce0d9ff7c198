// RUN: weft-opt %s -target-embed-device='toolkit=%t.none' 2>%t.said | FileCheck %s
// RUN: FileCheck %s --check-prefix=SAID --input-file %t.said
// RUN: not weft-opt %s -target-embed-device='arch=sm_1' 2>&1 | FileCheck %s --check-prefix=ARCH

// Without the toolkit, the image is PTX.
//       CHECK: llvm.mlir.global internal constant @weft_device_image("//
//  CHECK-SAME:   .version 8.0\0A.target sm_80
//  CHECK-SAME:   .visible .entry store_0(
//  CHECK-SAME:   .maxntid 32, 1, 1
//  CHECK-SAME:   st.global
//  CHECK-SAME:   \00") {addr_space = 0 : i32, alignment = 64 : i64}
//   CHECK-NOT: module @weft_device
// SAID: warning: WFT3011: ptxas and fatbinary are not found
// ARCH: WFT3010: there is no GPU architecture 'sm_1': name one such as sm_80
module {
module @weft_device {
  llvm.func @store_0(%x: !llvm.ptr) attributes {nvvm.kernel, nvvm.maxntid = array<i32: 32, 1, 1>} {
    %0 = llvm.mlir.constant(1.0 : f32) : f32
    llvm.store %0, %x : f32, !llvm.ptr
    llvm.return
  }
}
}
