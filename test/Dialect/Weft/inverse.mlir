// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK-LABEL: func.func @round_trip(
func.func @round_trip(%x: tensor<?x3x3xf16>) -> tensor<?x3x3xf32> {
  // CHECK: %{{.+}}, %{{.+}} = weft.inverse %{{.+}} : tensor<?x3x3xf16>
  %y, %room = weft.inverse %x : tensor<?x3x3xf16>
  return %y : tensor<?x3x3xf32>
}

// The rows are exchanged: the first pivot is in the second.
// VALUE: {{^}}pivot:
// VALUE-NEXT: dense<{{\[\[}}-5.000000e-01, 2.500000e-01], [1.000000e+00, 0.000000e+00]]> : tensor<2x2xf32>
func.func @pivot() -> tensor<2x2xf32> {
  %x = weft.constant dense<[[0.0, 1.0], [4.0, 2.0]]> : tensor<2x2xf32>
  %y, %room = weft.inverse %x : tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}
