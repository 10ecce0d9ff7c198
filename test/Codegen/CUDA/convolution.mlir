// RUN: weft-opt %s -codegen-cuda -split-input-file | FileCheck %s
// RUN: weft-opt %s -codegen-cuda=pack-from=0 -split-input-file | FileCheck %s --check-prefix PACKED

// Where a depth lies comes from a table of distances and taps, what lies outside
// from zeros. No load is inside of a condition, and what is loaded is stored two
// turns of the loop later.
// CHECK-LABEL: func.func private @conv_0_task(
//       CHECK:   scf.for {{.*}} iter_args({{.*}}f16
//       CHECK:     nvvm.cp.async.commit.group
//   CHECK-NOT:     scf.if
//       CHECK:     llvm.mlir.addressof @conv_0_words_1
//       CHECK:     llvm.load {{.*}} invariant {{.*}} -> vector<2xi32>
//       CHECK:     llvm.mlir.addressof @conv_0_words_2
//       CHECK:     %[[FROM:.+]] = arith.select {{.*}} : !llvm.ptr
//  CHECK-NEXT:     llvm.load %[[FROM]] : !llvm.ptr -> f16
//   CHECK-NOT:     scf.if
//       CHECK:     nvvm.mma.sync
//       CHECK:     scf.yield
// Pairs of distances in a 14 x 14 image and of taps.
//       CHECK: llvm.mlir.global internal constant @conv_0_words_1(dense<"0x0000000000000000010000000100000002000000020000000E000000030000000F00000004000000
//       CHECK: llvm.mlir.global internal constant @conv_0_words_2(dense<0> : tensor<4xi32>)

// Or elements are written with channels last, those of the image from four at a
// time, those of the filter one by one, and then copied 16 bytes at a time, or,
// where a tap lies outside, none.
// PACKED-LABEL: func.func private @conv_0_task(
//       PACKED:   llvm.load %{{.+}} {alignment = 8 : i64} : !llvm.ptr -> vector<4xf16>
//       PACKED:   nvvm.barrier0
//       PACKED:   llvm.store %{{.+}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr
//       PACKED:   llvm.load %{{.+}} : !llvm.ptr -> f16
//       PACKED:   nvvm.barrier0
//       PACKED:   llvm.store %{{.+}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr
// PACKED-LABEL: func.func private @conv_0_task_2(
//       PACKED:   scf.for
//   PACKED-NOT:     llvm.load
//       PACKED:     arith.select %{{.+}}, %c16_i32, %c0_i32
//       PACKED:     nvvm.cp.async.shared.global %{{.+}}, %{{.+}}, 16, cache = cg, %{{.+}} :
//   PACKED-NOT:     llvm.load %{{.+}} -> f16
//       PACKED:     nvvm.mma.sync
func.func @padded(%x: tensor<8x32x14x14xf16>, %w: tensor<64x32x3x3xf16>) -> tensor<8x64x14x14xf16> {
  %0 = dispatch.region ins(%x, %w : tensor<8x32x14x14xf16>, tensor<64x32x3x3xf16>) -> tensor<8x64x14x14xf16> {
  ^bb0(%a: tensor<8x32x14x14xf16>, %b: tensor<64x32x3x3xf16>):
    %n = weft.conv %a, %b strides [1, 1] low [1, 1] high [1, 1] input_dilation [1, 1] filter_dilation [1, 1] groups 1 : tensor<8x32x14x14xf16>, tensor<64x32x3x3xf16> -> tensor<8x64x14x14xf16>
    dispatch.yield %n : tensor<8x64x14x14xf16>
  }
  return %0 : tensor<8x64x14x14xf16>
}

// -----

// So many elements are better loaded once. So are those of a filter's gradient,
// whose columns are in another order than its elements.
// CHECK-LABEL: func.func @larger(
//       CHECK: func.func private @conv_0_task_2(
//       CHECK:   nvvm.cp.async.shared.global
//       CHECK: func.func private @conv_filter_0_task_2(
//       CHECK:   nvvm.cp.async.shared.global
func.func @larger(%x: tensor<16x256x14x14xf16>, %w: tensor<256x256x3x3xf16>) -> (tensor<16x256x14x14xf16>, tensor<256x256x3x3xf16>) {
  %0 = dispatch.region ins(%x, %w : tensor<16x256x14x14xf16>, tensor<256x256x3x3xf16>) -> tensor<16x256x14x14xf16> {
  ^bb0(%a: tensor<16x256x14x14xf16>, %b: tensor<256x256x3x3xf16>):
    %n = weft.conv %a, %b strides [1, 1] low [1, 1] high [1, 1] input_dilation [1, 1] filter_dilation [1, 1] groups 1 : tensor<16x256x14x14xf16>, tensor<256x256x3x3xf16> -> tensor<16x256x14x14xf16>
    dispatch.yield %n : tensor<16x256x14x14xf16>
  }
  %1 = dispatch.region ins(%x, %0 : tensor<16x256x14x14xf16>, tensor<16x256x14x14xf16>) -> tensor<256x256x3x3xf16> {
  ^bb0(%a: tensor<16x256x14x14xf16>, %b: tensor<16x256x14x14xf16>):
    %n = weft.conv_filter %a, %b strides [1, 1] low [1, 1] high [1, 1] input_dilation [1, 1] filter_dilation [1, 1] groups 1 : tensor<16x256x14x14xf16>, tensor<16x256x14x14xf16> -> tensor<256x256x3x3xf16>
    dispatch.yield %n : tensor<256x256x3x3xf16>
  }
  return %0, %1 : tensor<16x256x14x14xf16>, tensor<256x256x3x3xf16>
}

// -----

// Scratch may have more bytes than a word counts: the filter lies behind 4 GiB.
// CHECK-LABEL: func.func @huge(
//       CHECK:   llvm.mlir.constant(4294967360 : i64)
//       CHECK: dispatch.kernel @conv_0 {{.*}}scratch 4295114880
func.func @huge(%x: tensor<64x64x512x512xf32>, %w: tensor<64x64x3x3xf32>) -> tensor<64x64x510x510xf32> {
  %0 = dispatch.region ins(%x, %w : tensor<64x64x512x512xf32>, tensor<64x64x3x3xf32>) -> tensor<64x64x510x510xf32> {
  ^bb0(%a: tensor<64x64x512x512xf32>, %b: tensor<64x64x3x3xf32>):
    %c = weft.conv %a, %b strides [1, 1] low [0, 0] high [0, 0] input_dilation [1, 1] filter_dilation [1, 1] groups 1 : tensor<64x64x512x512xf32>, tensor<64x64x3x3xf32> -> tensor<64x64x510x510xf32>
    dispatch.yield %c : tensor<64x64x510x510xf32>
  }
  return %0 : tensor<64x64x510x510xf32>
}
