// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s
// RUN: weft-opt %s -weft-test-emit -weft-test-evaluate -o /dev/null | FileCheck %s

// CHECK-LABEL: iota:
// CHECK-NEXT:  dense<{{\[}}[0, 1, 2], [0, 1, 2]]> : tensor<2x3xi64>
// CHECK-NEXT:  dense<{{\[}}[0.000000e+00, 0.000000e+00], [1.000000e+00, 1.000000e+00]]> : tensor<2x2xf16>
func.func @iota() -> (tensor<2x?xi64>, tensor<2x2xf16>) {
  %n = arith.constant 3 : index
  %0 = weft.iota axis 1 sizes(%n) : tensor<2x?xi64>
  %1 = weft.iota axis 0 : tensor<2x2xf16>
  return %0, %1 : tensor<2x?xi64>, tensor<2x2xf16>
}

// CHECK-LABEL: splat:
// CHECK-NEXT:  dense<3> : tensor<2x2xui4>
func.func @splat() -> tensor<2x2xui4> {
  %0 = weft.constant dense<3> : tensor<2x2xui4>
  return %0 : tensor<2x2xui4>
}

// CHECK-LABEL: reshape:
// CHECK-NEXT:  dense<{{\[}}[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]> : tensor<6x2xi32>
// CHECK-NEXT:  dense<{{\[}}[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]> : tensor<3x4xi32>
// CHECK-NEXT:  dense<{{\[}}{{\[}}[0], [1], [2]], {{\[}}[3], [4], [5]], {{\[}}[6], [7], [8]], {{\[}}[9], [10], [11]]]> : tensor<4x3x1xi32>
// CHECK-NEXT:  dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]> : tensor<12xi32>
func.func @reshape() -> (tensor<6x2xi32>, tensor<?x?xi32>, tensor<4x3x1xi32>,
                         tensor<12xi32>) {
  %x = weft.iota axis 0 : tensor<12xi32>
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %0 = weft.reshape %x : tensor<12xi32> to tensor<2x3x2xi32>
  %1 = weft.reshape %0 : tensor<2x3x2xi32> to tensor<6x2xi32>
  %2 = weft.reshape %0 sizes(%c3, %c4) : tensor<2x3x2xi32> to tensor<?x?xi32>
  %3 = weft.reshape %2 : tensor<?x?xi32> to tensor<1x4x3xi32>
  %4 = weft.reshape %3 : tensor<1x4x3xi32> to tensor<4x3x1xi32>
  %5 = weft.reshape %4 : tensor<4x3x1xi32> to tensor<12xi32>
  return %1, %2, %4, %5
      : tensor<6x2xi32>, tensor<?x?xi32>, tensor<4x3x1xi32>, tensor<12xi32>
}

// CHECK-LABEL: reshape_one:
// CHECK-NEXT:  dense<7> : tensor<1x1xi32>
// CHECK-NEXT:  dense<7> : tensor<i32>
func.func @reshape_one() -> (tensor<1x1xi32>, tensor<i32>) {
  %x = weft.constant dense<7> : tensor<i32>
  %0 = weft.reshape %x : tensor<i32> to tensor<1x1xi32>
  %1 = weft.reshape %0 : tensor<1x1xi32> to tensor<i32>
  return %0, %1 : tensor<1x1xi32>, tensor<i32>
}

// CHECK-LABEL: transpose:
// CHECK-NEXT:  dense<{{\[}}[0, 3], [1, 4], [2, 5]]> : tensor<3x2xi32>
func.func @transpose() -> tensor<3x2xi32> {
  %x = weft.constant dense<[[0, 1, 2], [3, 4, 5]]> : tensor<2x3xi32>
  %0 = weft.transpose %x [1, 0] : tensor<2x3xi32>
  return %0 : tensor<3x2xi32>
}

// CHECK-LABEL: broadcast:
// CHECK-NEXT:  dense<{{\[}}[0, 1], [0, 1], [0, 1]]> : tensor<3x2xi32>
// CHECK-NEXT:  dense<{{\[}}[0, 0, 0], [1, 1, 1]]> : tensor<2x3xi32>
// CHECK-NEXT:  dense<5> : tensor<3x2xi32>
func.func @broadcast() -> (tensor<3x2xi32>, tensor<2x3xi32>, tensor<?x2xi32>) {
  %n = arith.constant 3 : index
  %one = arith.constant 1 : index
  %x = weft.iota axis 0 : tensor<2xi32>
  %0 = weft.broadcast %x dims [1] : tensor<2xi32> to tensor<3x2xi32>
  %1 = weft.reshape %x : tensor<2xi32> to tensor<2x1xi32>
  %2 = weft.broadcast %1 dims [0, 1] : tensor<2x1xi32> to tensor<2x3xi32>
  // A symbolic size that happens to be one.
  %five = weft.constant dense<5> : tensor<i32>
  %3 = weft.broadcast %five dims [] sizes(%one) : tensor<i32> to tensor<?xi32>
  %4 = weft.broadcast %3 dims [0] sizes(%n) : tensor<?xi32> to tensor<?x2xi32>
  return %0, %2, %4 : tensor<3x2xi32>, tensor<2x3xi32>, tensor<?x2xi32>
}

// CHECK-LABEL: slice:
// CHECK-NEXT:  dense<[8, 6, 4]> : tensor<3xi32>
// CHECK-NEXT:  dense<[3, 4]> : tensor<2xi32>
func.func @slice() -> (tensor<3xi32>, tensor<?xi32>) {
  %o = arith.constant 3 : index
  %s = arith.constant 2 : index
  %x = weft.iota axis 0 : tensor<10xi32>
  %0 = weft.slice %x [8] [3] [-2] : tensor<10xi32> to tensor<3xi32>
  %1 = weft.slice %x [%o] [%s] [1] : tensor<10xi32> to tensor<?xi32>
  return %0, %1 : tensor<3xi32>, tensor<?xi32>
}

// CHECK-LABEL: update_slice:
// CHECK-NEXT:  dense<{{\[}}[0, 1, 2], [7, 7, 2], [7, 7, 2]]> : tensor<3x3xi32>
// CHECK-NEXT:  dense<{{\[}}[0, 1, 2], [0, 1, 2], [7, 7, 2]]> : tensor<3x3xi32>
func.func @update_slice() -> (tensor<3x3xi32>, tensor<3x3xi32>) {
  %i = arith.constant 1 : index
  %d = weft.iota axis 1 : tensor<3x3xi32>
  %s = weft.constant dense<7> : tensor<2x2xi32>
  %0 = weft.update_slice %s into %d [%i, 0] : tensor<2x2xi32>, tensor<3x3xi32>
  %t = weft.slice %0 [2, 0] [1, 3] [1, 1] : tensor<3x3xi32> to tensor<1x3xi32>
  %1 = weft.update_slice %t into %d [2, 0] : tensor<1x3xi32>, tensor<3x3xi32>
  return %0, %1 : tensor<3x3xi32>, tensor<3x3xi32>
}

// CHECK-LABEL: concat:
// CHECK-NEXT:  dense<[0, 1, 0, 0, 1, 2]> : tensor<6xi32>
func.func @concat() -> tensor<?xi32> {
  %n = arith.constant 3 : index
  %a = weft.iota axis 0 : tensor<2xi32>
  %b = weft.iota axis 0 : tensor<1xi32>
  %c = weft.iota axis 0 sizes(%n) : tensor<?xi32>
  %0 = weft.concat %a, %b, %c axis 0
      : (tensor<2xi32>, tensor<1xi32>, tensor<?xi32>) -> tensor<?xi32>
  return %0 : tensor<?xi32>
}

// CHECK-LABEL: pad:
// CHECK-NEXT:  dense<{{\[}}[9, 0, 1, 9, 9], [9, 0, 1, 9, 9]]> : tensor<2x5xi32>
func.func @pad() -> tensor<2x?xi32> {
  %h = arith.constant 2 : index
  %x = weft.iota axis 1 : tensor<2x2xi32>
  %v = weft.constant dense<9> : tensor<i32>
  %0 = weft.pad %x, %v low [0, 1] high [0, %h]
      : tensor<2x2xi32>, tensor<i32> to tensor<2x?xi32>
  return %0 : tensor<2x?xi32>
}

// Nothing lies between the elements of a single row, nor of none.
// CHECK-LABEL: pad_interior:
// CHECK-NEXT:  dense<{{\[}}[9, 0, 9, 9, 1, 9, 9, 2]]> : tensor<1x8xi32>
// CHECK-NEXT:  dense<9> : tensor<3xi32>
func.func @pad_interior() -> (tensor<1x?xi32>, tensor<3xi32>) {
  %i = arith.constant 2 : index
  %x = weft.iota axis 1 : tensor<1x3xi32>
  %n = weft.iota axis 0 : tensor<0xi32>
  %v = weft.constant dense<9> : tensor<i32>
  %0 = weft.pad %x, %v low [0, 1] high [0, 0] interior [5, %i]
      : tensor<1x3xi32>, tensor<i32> to tensor<1x?xi32>
  %1 = weft.pad %n, %v low [2] high [1] interior [5]
      : tensor<0xi32>, tensor<i32> to tensor<3xi32>
  return %0, %1 : tensor<1x?xi32>, tensor<3xi32>
}

// No element is computed of a tensor without any.
// CHECK-LABEL: empty:
// CHECK-NEXT:  dense<> : tensor<0x4xi32>
func.func @empty() -> tensor<0x4xi32> {
  %x = weft.iota axis 0 : tensor<2x0xi32>
  %0 = weft.reshape %x : tensor<2x0xi32> to tensor<0x4xi32>
  return %0 : tensor<0x4xi32>
}
