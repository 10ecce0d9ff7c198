// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK-LABEL: func.func @round_trip(
func.func @round_trip(%q: tensor<?x2x5x4xbf16>, %k: tensor<?x2x?x4xbf16>, %v: tensor<?x2x?x6xbf16>, %b: tensor<?x2x5x?xf32>) -> tensor<?x2x5x6xf32> {
  //      CHECK: %{{.+}}, %{{.+}} = weft.attention %{{.+}}, %{{.+}}, %{{.+}} bias %{{.+}} scale 5.000000e-01 zero_empty :
  // CHECK-SAME:   tensor<?x2x5x4xbf16>, tensor<?x2x?x4xbf16>, tensor<?x2x?x6xbf16>, tensor<?x2x5x?xf32>
  // CHECK-SAME:   -> tensor<?x2x5x6xf32>, tensor<?x2x5xf32>
  %y, %l = weft.attention %q, %k, %v bias %b scale 0.5 zero_empty
      : tensor<?x2x5x4xbf16>, tensor<?x2x?x4xbf16>, tensor<?x2x?x6xbf16>, tensor<?x2x5x?xf32>
      -> tensor<?x2x5x6xf32>, tensor<?x2x5xf32>
  //      CHECK: weft.attention_gradient
  // CHECK-SAME:   bias %{{.+}} scale 5.000000e-01 :
  %dq, %dk, %dv = weft.attention_gradient %q, %k, %v, %l, %y, %l bias %b scale 0.5
      : tensor<?x2x5x4xbf16>, tensor<?x2x?x4xbf16>, tensor<?x2x?x6xbf16>, tensor<?x2x5xf32>,
        tensor<?x2x5x6xf32>, tensor<?x2x5xf32>, tensor<?x2x5x?xf32>
      -> tensor<?x2x5x4xf32>, tensor<?x2x?x4xbf16>, tensor<?x2x?x6xf32>
  return %y : tensor<?x2x5x6xf32>
}

// Scores 0 and log 3 weigh one to three.
// VALUE: {{^}}weights:
// VALUE-NEXT: dense<{{\[\[}}2.500000e+00, 7.500000e+00]]> : tensor<1x2xf32>
// VALUE-NEXT: dense<1.386294{{.+}}> : tensor<1xf32>
func.func @weights() -> (tensor<1x2xf32>, tensor<1xf32>) {
  %q = weft.constant dense<[[2.0]]> : tensor<1x1xf32>
  %k = weft.constant dense<[[0.0], [0.5493061443]]> : tensor<2x1xf32>
  %v = weft.constant dense<[[1.0, 3.0], [3.0, 9.0]]> : tensor<2x2xf32>
  %y, %l = weft.attention %q, %k, %v scale 1.0
      : tensor<1x1xf32>, tensor<2x1xf32>, tensor<2x2xf32> -> tensor<1x2xf32>, tensor<1xf32>
  return %y, %l : tensor<1x2xf32>, tensor<1xf32>
}

// A row of nothing but -inf.
// VALUE: {{^}}empty:
// VALUE-NEXT: dense<{{\[\[0x[7F]FC00000}}], [3.000000e+00]]> : tensor<2x1xf32>
// VALUE-NEXT: dense<[0xFF800000, 0.000000e+00]> : tensor<2xf32>
// VALUE-NEXT: dense<{{\[\[}}0.000000e+00], [3.000000e+00]]> : tensor<2x1xf32>
// VALUE-NEXT: dense<[0x7F800000, 0.000000e+00]> : tensor<2xf32>
func.func @empty() -> (tensor<2x1xf32>, tensor<2xf32>, tensor<2x1xf32>, tensor<2xf32>) {
  %q = weft.constant dense<0.0> : tensor<2x1xf32>
  %v = weft.constant dense<[[1.0], [3.0]]> : tensor<2x1xf32>
  %b = weft.constant dense<[[0xFF800000, 0xFF800000], [0xFF800000, 0.0]]> : tensor<2x2xf32>
  %0, %1 = weft.attention %q, %q, %v bias %b scale 1.0
      : tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x2xf32> -> tensor<2x1xf32>, tensor<2xf32>
  %2, %3 = weft.attention %q, %q, %v bias %b scale 1.0 zero_empty
      : tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x2xf32> -> tensor<2x1xf32>, tensor<2xf32>
  return %0, %1, %2, %3 : tensor<2x1xf32>, tensor<2xf32>, tensor<2x1xf32>, tensor<2xf32>
}

// VALUE: {{^}}no_keys:
// VALUE-NEXT: dense<0.000000e+00> : tensor<2x1xf32>
func.func @no_keys() -> tensor<2x1xf32> {
  %q = weft.constant dense<0.0> : tensor<2x1xf32>
  %k = weft.constant dense<> : tensor<0x1xf32>
  %y, %l = weft.attention %q, %k, %k scale 1.0
      : tensor<2x1xf32>, tensor<0x1xf32>, tensor<0x1xf32> -> tensor<2x1xf32>, tensor<2xf32>
  return %y : tensor<2x1xf32>
}
