// RUN: weft-opt %s -convert-host-to-llvm -split-input-file | FileCheck %s

// Where kernels run on a GPU, copies do too, also of what loops carry.
// CHECK-DAG: func.func private @weft_rt_device_copy(!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> i32
// CHECK-DAG: func.func private @weft_rt_device_input(!llvm.ptr, i32) -> !llvm.ptr
// CHECK-LABEL: func.func @weft_run(
//       CHECK: ^{{.+}}(%[[TO:.+]]: !llvm.ptr, %[[FROM:.+]]: !llvm.ptr, %{{.+}}: index):
//       CHECK:   %[[STATUS:.+]] = call @weft_rt_device_copy(%{{.+}}, %[[TO]], %[[FROM]],
//       CHECK:   arith.cmpi ne, %[[STATUS]]
module attributes {
  host.inputs = [#host.port<"x", tensor<?xf32>, [0]>],
  host.outputs = [#host.port<"y", tensor<?xf32>, [0]>],
  host.symbols = [#host.symbol<"N", 0, 64>]
} {
func.func @main() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = host.input 0
  %n = host.symbol 0
  %y = host.output 0 sizes(%n)
  cf.br ^head(%y, %x, %c0 : !host.buffer, !host.buffer, index)
^head(%to: !host.buffer, %from: !host.buffer, %i: index):
  host.copy %from to %to bytes %n
  %next = arith.addi %i, %c1 : index
  %more = arith.cmpi slt, %next, %n : index
  cf.cond_br %more, ^head(%from, %to, %next : !host.buffer, !host.buffer, index), ^end
^end:
  return
}
func.func @arena_bytes() -> index {
  %c0 = arith.constant 0 : index
  return %c0 : index
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes ["a"] device [#dispatch.device_task<threads = 128, iterations = 1, arguments = 2>]
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}

// -----

// A number on the GPU that is only to be below another is not waited for, nor
// is one that is stored there; one that something else depends on is.
// CHECK-LABEL: func.func @weft_run(
//   CHECK-NOT:   call @weft_rt_device_download
//       CHECK:   %[[X:.+]] = call @weft_rt_device_input
//       CHECK:   %[[AT:.+]] = llvm.getelementptr %[[X]][%{{.+}}]
//       CHECK:   call @weft_rt_device_require(%{{.+}}, %{{.+}}, %{{.+}}, %[[AT]], %{{.+}}) : (!llvm.ptr, !llvm.ptr, i32, !llvm.ptr, i64) -> i32
//   CHECK-NOT:   call @weft_rt_device_download
//       CHECK:   call @weft_rt_device_settle
//       CHECK:   call @weft_rt_device_store(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}) : (!llvm.ptr, !llvm.ptr, i64, i32) -> i32
//       CHECK:   call @weft_rt_device_download
//       CHECK:   call @weft_rt_fault
module attributes {
  host.inputs = [#host.port<"x", tensor<2xi64>, [-1]>],
  host.outputs = [#host.port<"y", tensor<2xi64>, [-1]>],
  host.symbols = []
} {
func.func @main() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %x = host.input 0
  %y = host.output 0
  %first = host.load %x[%c0] : i64
  %number = arith.index_cast %first : i64 to index
  %below = arith.cmpi ult, %number, %c5 : index
  host.require %below fault 1 detail %number wanted %c5 "labels"
  host.settle
  %n = arith.constant 7 : i64
  host.store %n, %y[%c0] : i64
  %second = host.load %x[%c1] : i64
  %other = arith.index_cast %second : i64 to index
  %small = arith.cmpi ult, %other, %c5 : index
  host.require %small fault 1 detail %other wanted %c5 "offset"
  host.store %n, %y[%other] : i64
  return
}
func.func @arena_bytes() -> index {
  %c0 = arith.constant 0 : index
  return %c0 : index
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes ["a"] device [#dispatch.device_task<threads = 128, iterations = 1, arguments = 2>]
func.func private @t(!llvm.ptr, !llvm.ptr, i64, i64, !llvm.ptr)
func.func private @c(!llvm.ptr) -> i64
}

// -----

// A launch asks for the dynamic shared memory of its blocks.
// CHECK-LABEL: func.func @weft_run(
//       CHECK:   %[[SHARED:.+]] = arith.constant 98304 : i64
//       CHECK:   call @weft_rt_device_launch(%{{.+}}, %{{.+}}, %{{.+}}, %[[SHARED]], %{{.+}}) : (!llvm.ptr, i32, !llvm.ptr, i64, !llvm.ptr) -> i32
module attributes {
  host.inputs = [#host.port<"x", tensor<2xf32>, [-1]>],
  host.outputs = [#host.port<"y", tensor<2xf32>, [-1]>],
  host.symbols = []
} {
func.func @main() {
  %x = host.input 0
  %y = host.output 0 sizes()
  host.launch @k reads(%x) writes(%y) words()
  return
}
func.func @arena_bytes() -> index {
  %c0 = arith.constant 0 : index
  return %c0 : index
}
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes ["a"] device [#dispatch.device_task<threads = 128, iterations = 1, arguments = 3, shared = 98304>]
func.func private @t(!llvm.ptr, !llvm.ptr, i64)
func.func private @c(!llvm.ptr) -> i64
}

// -----

// Tensor maps are made at the launch that takes them, of the address that is one
// of its words, and are its first arguments; that of another launch begins
// behind their place.
//       CHECK-DAG: llvm.mlir.global private constant @weft_tensor_map_0(dense<[10, 2, 64, 128, 0, 0, 0, 128]> : tensor<8xi32>)
//       CHECK-DAG: llvm.mlir.global private constant @weft_tensor_map_0_sizes(dense<[256, 512, 512]> : tensor<3xi64>)
// CHECK-LABEL: func.func @weft_run(
//       CHECK:   %[[ADDRESSES:.+]] = llvm.alloca %{{.+}} x !llvm.ptr
//       CHECK:   %[[ROOM:.+]] = llvm.alloca %{{.+}} x i8 {alignment = 64 : i64}
//       CHECK:   %[[MAP:.+]] = llvm.getelementptr %[[ROOM]][0]
//       CHECK:   llvm.store %[[MAP]], %{{.+}}
//       CHECK:   %[[SIZES:.+]] = llvm.mlir.addressof @weft_tensor_map_0_sizes
//       CHECK:   %[[STRIDES:.+]] = llvm.getelementptr %[[SIZES]][2]
//       CHECK:   %[[BOX:.+]] = llvm.mlir.addressof @weft_tensor_map_0
//       CHECK:   %[[TENSOR:.+]] = llvm.load
//       CHECK:   %[[PLACE:.+]] = llvm.getelementptr %[[ROOM]][0]
//       CHECK:   %[[STATUS:.+]] = call @weft_rt_device_tensor_map(%{{.+}}, %[[BOX]], %[[TENSOR]], %[[SIZES]], %[[STRIDES]], %[[PLACE]])
//       CHECK:   arith.cmpi ne, %[[STATUS]]
//       CHECK:   call @weft_rt_device_launch(
//   CHECK-NOT:   call @weft_rt_device_tensor_map
//       CHECK:   %[[FIRST:.+]] = llvm.getelementptr %[[ADDRESSES]][%c1_i64{{.*}}]
//       CHECK:   call @weft_rt_device_launch(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %[[FIRST]])
module attributes {
  host.inputs = [#host.port<"x", tensor<512x256xf16>, [-1, -1]>],
  host.outputs = [#host.port<"y", tensor<2xf32>, [-1]>],
  host.symbols = []
} {
func.func @main() {
  %x = host.input 0
  %y = host.output 0 sizes()
  host.launch @k reads(%x) writes(%y) words()
  return
}
func.func @arena_bytes() -> index {
  %c0 = arith.constant 0 : index
  return %c0 : index
}
dispatch.kernel @k tasks [@t, @u] counts [@c, @c] scratch 0 nodes ["a"] device [#dispatch.device_task<threads = 128, iterations = 1, arguments = 4, maps = [#dispatch.tensor_map<word = 0, element = f16, sizes = [256, 512], strides = [512], box = [64, 128], swizzle = 128>]>, #dispatch.device_task<threads = 128, iterations = 1, arguments = 3>]
func.func private @t(!llvm.ptr, !llvm.ptr, !llvm.ptr, i64)
func.func private @u(!llvm.ptr, !llvm.ptr, i64)
func.func private @c(!llvm.ptr) -> i64
}
