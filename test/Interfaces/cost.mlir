// RUN: weft-opt %s --weft-test-cost=size=4 -o /dev/null | FileCheck %s

// CHECK-LABEL: elementwise:
//  CHECK-NEXT:   weft.add: 15 operations, 120 bytes read, 60 written
//  CHECK-NEXT:   weft.exp: 240 operations, 60 bytes read, 60 written
//  CHECK-NEXT:   weft.cast: 15 operations, 60 bytes read, 30 written
//  CHECK-NEXT:   weft.bitcast: 0 operations, 30 bytes read, 30 written
func.func @elementwise(%x: tensor<3x5xf32>) {
  %0 = weft.add %x, %x : tensor<3x5xf32>
  %1 = weft.exp %0 : tensor<3x5xf32>
  %2 = weft.cast %1 : tensor<3x5xf32> to tensor<3x5xf16>
  %3 = weft.bitcast %2 : tensor<3x5xf16> to tensor<3x5xi16>
  return
}

// CHECK-LABEL: moved:
//  CHECK-NEXT:   weft.constant: 0 operations, 0 bytes read, 0 written
//  CHECK-NEXT:   weft.reshape: 0 operations, 0 bytes read, 0 written
//  CHECK-NEXT:   weft.transpose: 0 operations, 60 bytes read, 60 written
//  CHECK-NEXT:   weft.slice: 0 operations, 8 bytes read, 8 written
//  CHECK-NEXT:   weft.gather: 0 operations, 40 bytes read, 24 written
//  CHECK-NEXT:   weft.scatter_nd: 2 operations, 84 bytes read, 60 written
func.func @moved(%x: tensor<3x5xf32>, %i: tensor<2xi64>, %k: tensor<2x1xi64>) {
  %c = weft.constant dense<1.0> : tensor<5xf32>
  %0 = weft.reshape %x : tensor<3x5xf32> to tensor<15xf32>
  %1 = weft.transpose %x [1, 0] : tensor<3x5xf32>
  %2 = weft.slice %0 [3] [2] [1] : tensor<15xf32> to tensor<2xf32>
  %3 = weft.gather %x, %i axis 1 : tensor<3x5xf32>, tensor<2xi64>
  %4 = weft.scatter_nd add %0, %k, %2 : tensor<15xf32>, tensor<2x1xi64>, tensor<2xf32>
  return
}

// CHECK-LABEL: rows:
//  CHECK-NEXT:   weft.reduce: 15 operations, 60 bytes read, 12 written
//  CHECK-NEXT:   weft.softmax: 300 operations, 60 bytes read, 60 written
//  CHECK-NEXT:   weft.normalize: 90 operations, 60 bytes read, 60 written
//  CHECK-NEXT:   weft.top_k: 45 operations, 60 bytes read, 72 written
func.func @rows(%x: tensor<3x5xf32>) {
  %0 = weft.reduce sum %x axes [1] : tensor<3x5xf32>
  %1 = weft.softmax %x axis 1 : tensor<3x5xf32>
  %2 = weft.normalize %x axes [1] epsilon 1.0e-5 : tensor<3x5xf32>
  %3, %4 = weft.top_k %x axis 1 largest : tensor<3x5xf32> to tensor<3x2xf32>, tensor<3x2xi64>
  return
}

// A product over a symbolic size, twice the number of multiply-adds.
// CHECK-LABEL: products:
//  CHECK-NEXT:   weft.contract: 120 operations, 128 bytes read, 60 written
//  CHECK-NEXT:   weft.conv: 55296 operations, 7296 bytes read, 2048 written
//  CHECK-NEXT:   weft.conv_filter: 55296 operations, 2432 bytes read, 6912 written
//  CHECK-NEXT:   weft.reduce_window: 512 operations, 2048 bytes read, 512 written
//  CHECK-NEXT:   weft.spread_window: 512 operations, 512 bytes read, 2048 written
//  CHECK-NEXT:   weft.inverse: 512 operations, 128 bytes read, 256 written
func.func @products(%a: tensor<3x?xf32>, %b: tensor<?x5xf32>,
                    %x: tensor<1x6x?x?xf32>, %w: tensor<32x6x3x3xf32>,
                    %square: tensor<2x4x4xf32>) {
  %0 = weft.contract %a, %b batch [] x [] contract [1] x [0]
      : tensor<3x?xf32>, tensor<?x5xf32> -> tensor<3x5xf32>
  %1 = weft.conv %x, %w strides [1, 1] low [1, 1] high [1, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<1x6x?x?xf32>, tensor<32x6x3x3xf32> -> tensor<1x32x?x?xf32>
  %filter = weft.conv_filter %x, %1 strides [1, 1] low [1, 1] high [1, 1]
      input_dilation [1, 1] filter_dilation [1, 1] groups 1
      : tensor<1x6x?x?xf32>, tensor<1x32x?x?xf32> -> tensor<32x6x3x3xf32>
  %2 = weft.reduce_window max %1 window [1, 1, 2, 2] strides [1, 1, 2, 2]
      low [0, 0, 0, 0] high [0, 0, 0, 0] dilations [1, 1, 1, 1]
      : tensor<1x32x?x?xf32>
  %c4 = arith.constant 4 : index
  %3 = weft.spread_window %2 window [1, 1, 2, 2] strides [1, 1, 2, 2]
      low [0, 0, 0, 0] high [0, 0, 0, 0] dilations [1, 1, 1, 1]
      sizes(%c4, %c4) : tensor<1x32x?x?xf32> -> tensor<1x32x?x?xf32>
  %4, %room = weft.inverse %square : tensor<2x4x4xf32>
  return
}

// 192 scores: 36 operations each, and 98 for the gradients.
// CHECK-LABEL: attention:
//  CHECK-NEXT:   weft.attention: 6912 operations, 2272 bytes read, 384 written
//  CHECK-NEXT:   weft.attention_gradient: 18816 operations, 1984 bytes read, 1504 written
func.func @attention(%q: tensor<4x6x5xf32>, %k: tensor<4x8x5xf32>, %v: tensor<4x8x3xf32>, %b: tensor<4x6x8xf32>) {
  %y, %l = weft.attention %q, %k, %v bias %b scale 0.5
      : tensor<4x6x5xf32>, tensor<4x8x5xf32>, tensor<4x8x3xf32>, tensor<4x6x8xf32> -> tensor<4x6x3xf32>, tensor<4x6xf32>
  %0, %1, %2 = weft.attention_gradient %q, %k, %v, %l, %y, %l scale 0.5
      : tensor<4x6x5xf32>, tensor<4x8x5xf32>, tensor<4x8x3xf32>, tensor<4x6xf32>, tensor<4x6x3xf32>, tensor<4x6xf32>
      -> tensor<4x6x5xf32>, tensor<4x8x5xf32>, tensor<4x8x3xf32>
  return
}

// A loop counts as often as it runs; one that data ends, once.
// CHECK-LABEL: loops:
//  CHECK-NEXT:   weft.exp: 256 operations, 64 bytes read, 64 written
//  CHECK-NEXT:   weft.neg: 4 operations, 16 bytes read, 16 written
//  CHECK-NEXT:   and more
func.func @loops(%x: tensor<?xf32>, %n: tensor<i64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %size = tensor.dim %x, %c0 : tensor<?xf32>
  %0 = scf.for %i = %c0 to %size step %c1 iter_args(%v = %x) -> tensor<?xf32> {
    %1 = weft.exp %v : tensor<?xf32>
    scf.yield %1 : tensor<?xf32>
  }
  %last = tensor.extract %n[] : tensor<i64>
  %end = arith.index_cast %last : i64 to index
  %2 = scf.for %i = %c0 to %end step %c1 iter_args(%v = %x) -> tensor<?xf32> {
    %3 = weft.neg %v : tensor<?xf32>
    scf.yield %3 : tensor<?xf32>
  }
  return
}
