// RUN: weft-opt %s -split-input-file -verify-diagnostics

func.func @bitcast_width(%x: tensor<4xf32>) -> tensor<4xi16> {
  // expected-error @below {{'weft.bitcast' op reads elements of type 'f32' as 'i16', which differ in width}}
  %0 = weft.bitcast %x : tensor<4xf32> to tensor<4xi16>
  return %0 : tensor<4xi16>
}

// -----

func.func @binary_types(%x: tensor<4xf32>, %y: tensor<4xf16>) {
  // expected-error @below {{'weft.add' op requires the same type for all operands and results}}
  %0 = "weft.add"(%x, %y) : (tensor<4xf32>, tensor<4xf16>) -> tensor<4xf32>
  return
}

// -----

func.func @constant_dynamic() {
  // expected-error @below {{'weft.constant' op value of type 'tensor<?xf32>' is not a tensor of static shape}}
  %0 = weft.constant #weft.extern<"f", 0, 4, false> : tensor<?xf32>
  return
}

// -----

func.func @constant_kind() {
  // expected-error @below {{'weft.constant' op value is neither dense elements nor '#weft.extern'}}
  %0 = weft.constant sparse<[[0]], [1.0]> : tensor<2xf32>
  return
}

// -----

func.func @constant_size() {
  // expected-error @below {{'weft.constant' op value names 8 bytes, but 'tensor<4xf32>' takes 16}}
  %0 = weft.constant #weft.extern<"f", 0, 8, false> : tensor<4xf32>
  return
}

// -----

func.func @constant_packed_size() {
  // expected-error @below {{'weft.constant' op value names 3 bytes, but 'tensor<3xi4>' takes 2}}
  %0 = weft.constant #weft.extern<"f", 0, 3, true> : tensor<3xi4>
  return
}

// -----

func.func @iota_axis() {
  // expected-error @below {{'weft.iota' op axis 1 is outside the result's rank 1}}
  %0 = weft.iota axis 1 : tensor<3xi64>
  return
}

// -----

func.func @iota_sizes() {
  // expected-error @below {{'weft.iota' op has 0 sizes for the 1 symbolic dimensions of 'tensor<?xi64>'}}
  %0 = weft.iota axis 0 : tensor<?xi64>
  return
}

// -----

func.func @reshape_count(%x: tensor<2x3xf32>) {
  // expected-error @below {{'weft.reshape' op makes 5 elements from 6}}
  %0 = weft.reshape %x : tensor<2x3xf32> to tensor<5xf32>
  return
}

// -----

func.func @reshape_element(%x: tensor<2x3xf32>) {
  // expected-error @below {{'weft.reshape' op makes elements of type 'i32' from 'f32'}}
  %0 = weft.reshape %x : tensor<2x3xf32> to tensor<6xi32>
  return
}

// -----

func.func @transpose_permutation(%x: tensor<2x3xf32>) {
  // expected-error @below {{'weft.transpose' op [0, 0] is not a permutation of the input's 2 dimensions}}
  %0 = weft.transpose %x [0, 0] : tensor<2x3xf32>
  return
}

// -----

func.func @broadcast_dims(%x: tensor<2x3xf32>) {
  // expected-error @below {{'weft.broadcast' op has 1 dims for an input of rank 2}}
  %0 = weft.broadcast %x dims [0] : tensor<2x3xf32> to tensor<2x3xf32>
  return
}

// -----

func.func @broadcast_order(%x: tensor<2x2xf32>) {
  // expected-error @below {{'weft.broadcast' op dims [1, 0] do not rise within the result's rank 2}}
  %0 = weft.broadcast %x dims [1, 0] : tensor<2x2xf32> to tensor<2x2xf32>
  return
}

// -----

func.func @broadcast_size(%x: tensor<2xf32>) {
  // expected-error @below {{'weft.broadcast' op input size 2 of dimension 0 is neither 1 nor the result's 3}}
  %0 = weft.broadcast %x dims [1] : tensor<2xf32> to tensor<4x3xf32>
  return
}

// -----

func.func @slice_rank(%x: tensor<4x4xf32>) {
  // expected-error @below {{'weft.slice' op has 1 offsets for a tensor of rank 2}}
  %0 = weft.slice %x [0] [4, 4] [1, 1] : tensor<4x4xf32> to tensor<4x4xf32>
  return
}

// -----

func.func @slice_operands(%x: tensor<4xf32>, %o: index) {
  // expected-error @below {{'weft.slice' op has 1 offsets operands for 0 dynamic entries}}
  %0 = "weft.slice"(%x, %o) {
    operandSegmentSizes = array<i32: 1, 1, 0, 0>, static_offsets = array<i64: 0>,
    static_sizes = array<i64: 4>, static_strides = array<i64: 1>
  } : (tensor<4xf32>, index) -> tensor<4xf32>
  return
}

// -----

func.func @slice_stride(%x: tensor<4xf32>) {
  // expected-error @below {{'weft.slice' op stride of dimension 0 is zero}}
  %0 = weft.slice %x [0] [4] [0] : tensor<4xf32> to tensor<4xf32>
  return
}

// -----

func.func @slice_size(%x: tensor<4xf32>) {
  // expected-error @below {{'weft.slice' op size -1 of dimension 0 is negative}}
  %0 = weft.slice %x [0] [-1] [1] : tensor<4xf32> to tensor<?xf32>
  return
}

// -----

func.func @slice_range(%x: tensor<4xf32>) {
  // expected-error @below {{'weft.slice' op takes elements 3 to -1 of dimension 0, whose size is 4}}
  %0 = weft.slice %x [3] [3] [-2] : tensor<4xf32> to tensor<3xf32>
  return
}

// -----

func.func @slice_result(%x: tensor<4xf32>) {
  // expected-error @below {{'weft.slice' op result 'tensor<3xf32>' does not have the sizes 'tensor<2xf32>'}}
  %0 = weft.slice %x [0] [2] [1] : tensor<4xf32> to tensor<3xf32>
  return
}

// -----

func.func @update_slice_rank(%s: tensor<4xf32>, %d: tensor<8x4xf32>) {
  // expected-error @below {{'weft.update_slice' op source of rank 1 does not fit a tensor of rank 2}}
  %0 = weft.update_slice %s into %d [0, 0] : tensor<4xf32>, tensor<8x4xf32>
  return
}

// -----

func.func @update_slice_offset(%s: tensor<4xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{'weft.update_slice' op offset -1 of dimension 0 is negative}}
  %0 = weft.update_slice %s into %d [-1] : tensor<4xf32>, tensor<8xf32>
  return
}

// -----

func.func @update_slice_end(%s: tensor<4xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{'weft.update_slice' op source ends at 9 in dimension 0, beyond its size 8}}
  %0 = weft.update_slice %s into %d [5] : tensor<4xf32>, tensor<8xf32>
  return
}

// -----

func.func @concat_axis(%a: tensor<2xf32>) {
  // expected-error @+2 {{'weft.concat' op axis 1 is outside the inputs' rank 1}}
  // expected-error @+1 {{'weft.concat' op failed to infer returned types}}
  %0 = weft.concat %a, %a axis 1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @concat_rank(%a: tensor<2xf32>, %b: tensor<2x2xf32>) {
  // expected-error @+2 {{'weft.concat' op joins 'tensor<2xf32>' and 'tensor<2x2xf32>'}}
  // expected-error @+1 {{'weft.concat' op failed to infer returned types}}
  %0 = weft.concat %a, %b axis 0 : (tensor<2xf32>, tensor<2x2xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @concat_size(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+2 {{'weft.concat' op joins sizes 3 and 4 of dimension 1}}
  // expected-error @+1 {{'weft.concat' op failed to infer returned types}}
  %0 = weft.concat %a, %b axis 0 : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @concat_empty() {
  // expected-error @+2 {{'weft.concat' op has no inputs}}
  // expected-error @+1 {{'weft.concat' op failed to infer returned types}}
  %0 = "weft.concat"() {axis = 0 : i64} : () -> tensor<4x3xf32>
  return
}

// -----

func.func @pad_value(%x: tensor<4xf32>, %v: tensor<1xf32>) {
  // expected-error @below {{'weft.pad' op value of type 'tensor<1xf32>' is not a single 'f32'}}
  %0 = weft.pad %x, %v low [0] high [1] : tensor<4xf32>, tensor<1xf32> to tensor<5xf32>
  return
}

// -----

func.func @pad_negative(%x: tensor<4xf32>, %v: tensor<f32>) {
  // expected-error @below {{'weft.pad' op pads by -1, which is negative}}
  %0 = weft.pad %x, %v low [0] high [-1] : tensor<4xf32>, tensor<f32> to tensor<3xf32>
  return
}

// -----

func.func @pad_interior(%x: tensor<4x4xf32>, %v: tensor<f32>) {
  // expected-error @below {{'weft.pad' op has 1 interior for a tensor of rank 2}}
  %0 = weft.pad %x, %v low [0, 0] high [0, 0] interior [1]
      : tensor<4x4xf32>, tensor<f32> to tensor<7x4xf32>
  return
}

// -----

func.func @pad_negative_interior(%x: tensor<4xf32>, %v: tensor<f32>) {
  // expected-error @below {{'weft.pad' op pads by -1, which is negative}}
  %0 = weft.pad %x, %v low [0] high [0] interior [-1]
      : tensor<4xf32>, tensor<f32> to tensor<1xf32>
  return
}

// -----

func.func @pad_interior_result(%x: tensor<4xf32>, %v: tensor<f32>) {
  // expected-error @below {{'weft.pad' op result 'tensor<8xf32>' does not have the sizes 'tensor<7xf32>'}}
  %0 = weft.pad %x, %v low [0] high [0] interior [1]
      : tensor<4xf32>, tensor<f32> to tensor<8xf32>
  return
}

// -----

func.func @pad_result(%x: tensor<4xf32>, %v: tensor<f32>) {
  // expected-error @below {{'weft.pad' op result 'tensor<6xf32>' does not have the sizes 'tensor<5xf32>'}}
  %0 = weft.pad %x, %v low [0] high [1] : tensor<4xf32>, tensor<f32> to tensor<6xf32>
  return
}
