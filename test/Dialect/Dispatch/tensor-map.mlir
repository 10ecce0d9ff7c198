// RUN: weft-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect | weft-opt -split-input-file -allow-unregistered-dialect | FileCheck %s

// CHECK: dispatch.kernel @k
// CHECK-SAME: maps = [#dispatch.tensor_map<word = 1, element = bf16, sizes = [64, 200, 3], strides = [128, 25600], box = [64, 128, 1], swizzle = 128>]
dispatch.kernel @k tasks [@t] counts [@c] scratch 0 nodes [] device [#dispatch.device_task<threads = 128, iterations = 1, arguments = 4, maps = [#dispatch.tensor_map<word = 1, element = bf16, sizes = [64, 200, 3], strides = [128, 25600], box = [64, 128, 1], swizzle = 128>]>]

// -----

// expected-error @below {{word 2 of a tensor map is not among the launch's 2}}
"test.op"() {task = #dispatch.device_task<threads = 128, iterations = 1, arguments = 4, maps = [#dispatch.tensor_map<word = 2, element = f16, sizes = [64], strides = [], box = [64]>]>} : () -> ()

// -----

// expected-error @below {{3 : i64 is no tensor map}}
"test.op"() {task = #dispatch.device_task<threads = 128, iterations = 1, arguments = 4, maps = [3]>} : () -> ()

// -----

// expected-error @below {{there is no word -1}}
"test.op"() {map = #dispatch.tensor_map<word = -1, element = f16, sizes = [64], strides = [], box = [64]>} : () -> ()

// -----

// expected-error @below {{there are no tensor maps of 'i4'}}
"test.op"() {map = #dispatch.tensor_map<word = 0, element = i4, sizes = [64], strides = [], box = [64]>} : () -> ()

// -----

// expected-error @below {{a tensor map has 1 to 5 sizes, as many of a box, and a stride less, not 2, 2 and 2}}
"test.op"() {map = #dispatch.tensor_map<word = 0, element = f16, sizes = [64, 8], strides = [128, 1024], box = [64, 8]>} : () -> ()

// -----

// expected-error @below {{sizes array<i64: 64, 0> are not within 1 to 2^32}}
"test.op"() {map = #dispatch.tensor_map<word = 0, element = f16, sizes = [64, 0], strides = [128], box = [64, 8]>} : () -> ()

// -----

// expected-error @below {{strides array<i64: 126> are no multiples of 16 below 2^40}}
"test.op"() {map = #dispatch.tensor_map<word = 0, element = f16, sizes = [63, 8], strides = [126], box = [64, 8]>} : () -> ()

// -----

// expected-error @below {{boxes of array<i64: 64, 257> are not within 1 to 256}}
"test.op"() {map = #dispatch.tensor_map<word = 0, element = f16, sizes = [64, 512], strides = [128], box = [64, 257]>} : () -> ()

// -----

// expected-error @below {{there are no swizzled spans of 96 bytes}}
"test.op"() {map = #dispatch.tensor_map<word = 0, element = f16, sizes = [64], strides = [], box = [32], swizzle = 96>} : () -> ()

// -----

// expected-error @below {{rows of 256 bytes are no multiple of 16, or longer than spans of 128}}
"test.op"() {map = #dispatch.tensor_map<word = 0, element = f16, sizes = [256], strides = [], box = [128], swizzle = 128>} : () -> ()
