// RUN: weft-opt %s -cuda-form-attention -canonicalize -split-input-file | FileCheck %s
// RUN: weft-opt %s -cuda-form-attention=explain=true -split-input-file -verify-diagnostics -o /dev/null
// RUN: weft-opt %s -cuda-form-attention=gradients=true -canonicalize -split-input-file | FileCheck %s --check-prefix=GRADIENTS

// Keys that were transposed for the product are taken as they were.
// CHECK-LABEL: func.func @plain(
//  CHECK-SAME:     %[[Q:.+]]: tensor<?x2x8x4xf32>, %[[K:.+]]: tensor<?x2x9x4xf32>, %[[V:.+]]: tensor<?x2x9x6xf32>
//   CHECK-NOT:   weft.softmax
//       CHECK:   %[[Y:.+]], %{{.+}} = weft.attention %[[Q]], %[[K]], %[[V]] scale 5.000000e-01 :
//       CHECK:   return %[[Y]]
func.func @plain(%q: tensor<?x2x8x4xf32>, %k: tensor<?x2x9x4xf32>, %v: tensor<?x2x9x6xf32>) -> tensor<?x2x8x6xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x8x4xf32>
  %two = weft.constant dense<2.0> : tensor<f32>
  %0 = weft.transpose %k [0, 1, 3, 2] : tensor<?x2x9x4xf32>
  %1 = weft.contract %q, %0 batch [0, 1] x [0, 1] contract [3] x [2]
      : tensor<?x2x8x4xf32>, tensor<?x2x4x9xf32> -> tensor<?x2x8x9xf32>
  %2 = weft.broadcast %two dims [] sizes(%n) : tensor<f32> to tensor<?x2x8x9xf32>
  %3 = weft.div %1, %2 : tensor<?x2x8x9xf32>
  // expected-remark @below {{one op with its products}}
  %4 = weft.softmax %3 axis 3 : tensor<?x2x8x9xf32>
  %5 = weft.contract %4, %v batch [0, 1] x [0, 1] contract [3] x [2]
      : tensor<?x2x8x9xf32>, tensor<?x2x9x6xf32> -> tensor<?x2x8x6xf32>
  return %5 : tensor<?x2x8x6xf32>
}

// -----

// A condition becomes a bias before it is spread over the heads; rows that are
// cleared are cleared in the output. All nodes keep their names.
// CHECK-LABEL: func.func @mask(
//  CHECK-SAME:     %[[Q:[^:]+]]: tensor<1x2x4x8xf32>, %[[M:[^:]+]]: tensor<1x1x4x4xi1>, %[[ANY:[^:]+]]: tensor<1x1x4x1xi1>
//   CHECK-DAG:   %[[LOW:.+]] = weft.constant dense<0xFF800000> : tensor<f32>
//   CHECK-DAG:   %[[LOWS:.+]] = weft.broadcast %[[LOW]] dims [] : tensor<f32> to tensor<1x1x4x4xf32>
//       CHECK:   %[[SEEN:.+]] = weft.select %[[M]], %{{.+}}, %[[LOWS]] : tensor<1x1x4x4xi1>
//       CHECK:   %[[B:.+]] = weft.broadcast %[[SEEN]] dims [0, 1, 2, 3] : tensor<1x1x4x4xf32> to tensor<1x2x4x4xf32>
//       CHECK:   %[[Y:.+]], %{{.+}} = weft.attention %[[Q]], %[[Q]], %[[Q]] bias %[[B]] scale 1.000000e+00 zero_empty
//       CHECK:   %[[ROWS:.+]] = weft.broadcast %[[ANY]] dims [0, 1, 2, 3] : tensor<1x1x4x1xi1> to tensor<1x2x4x8xi1>
//       CHECK:   weft.select %[[ROWS]], %[[Y]], %{{.+}} : tensor<1x2x4x8xi1>
func.func @mask(%q: tensor<1x2x4x8xf32>, %m: tensor<1x1x4x4xi1>, %any: tensor<1x1x4x1xi1>) -> tensor<1x2x4x8xf32> {
  %low = weft.constant dense<0xFF800000> : tensor<f32>
  %zero = weft.constant dense<0.0> : tensor<f32>
  %lows = weft.broadcast %low dims [] : tensor<f32> to tensor<1x2x4x4xf32>
  %zeros = weft.broadcast %zero dims [] : tensor<f32> to tensor<1x2x4x4xf32>
  %whole = weft.broadcast %m dims [0, 1, 2, 3] : tensor<1x1x4x4xi1> to tensor<1x2x4x4xi1>
  %rows = weft.broadcast %any dims [0, 1, 2, 3] : tensor<1x1x4x1xi1> to tensor<1x2x4x4xi1>
  %1 = weft.contract %q, %q batch [0, 1] x [0, 1] contract [3] x [3]
      : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x4xf32>
  %2 = weft.select %whole, %1, %lows : tensor<1x2x4x4xi1>, tensor<1x2x4x4xf32>
  // expected-remark @below {{one op with its products}}
  %3 = weft.softmax %2 axis 3 : tensor<1x2x4x4xf32>
  %4 = weft.select %rows, %3, %zeros : tensor<1x2x4x4xi1>, tensor<1x2x4x4xf32>
  %5 = weft.contract %4, %q batch [0, 1] x [0, 1] contract [3] x [2]
      : tensor<1x2x4x4xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x8xf32>
  return %5 : tensor<1x2x4x8xf32>
}

// -----

// Rows are cleared where the masks leave nothing: so are those of the op.
// CHECK-LABEL: func.func @empty_rows(
//       CHECK:   weft.add %{{.+}}, %{{.+}} : tensor<1x1x4x4xf32>
//       CHECK:   %[[Y:.+]], %{{.+}} = weft.attention %{{.+}} zero_empty
//       CHECK:   return %[[Y]]
func.func @empty_rows(%q: tensor<1x2x4x8xf32>, %m: tensor<1x1x4x4xi1>, %a: tensor<1x1x4x4xf32>) -> tensor<1x2x4x8xf32> {
  %low = weft.constant dense<0xFF800000> : tensor<f32>
  %zero = weft.constant dense<0.0> : tensor<f32>
  %lows = weft.broadcast %low dims [] : tensor<f32> to tensor<1x2x4x4xf32>
  %less = weft.broadcast %low dims [] : tensor<f32> to tensor<1x1x4x4xf32>
  %zeros = weft.broadcast %zero dims [] : tensor<f32> to tensor<1x2x4x4xf32>
  %whole = weft.broadcast %m dims [0, 1, 2, 3] : tensor<1x1x4x4xi1> to tensor<1x2x4x4xi1>
  %bias = weft.broadcast %a dims [0, 1, 2, 3] : tensor<1x1x4x4xf32> to tensor<1x2x4x4xf32>
  %finite = weft.compare ne %a, %less : tensor<1x1x4x4xf32>
  %seen = weft.and %m, %finite : tensor<1x1x4x4xi1>
  %any = weft.reduce any %seen axes [3] : tensor<1x1x4x4xi1>
  %column = weft.reshape %any : tensor<1x1x4xi1> to tensor<1x1x4x1xi1>
  %rows = weft.broadcast %column dims [0, 1, 2, 3] : tensor<1x1x4x1xi1> to tensor<1x2x4x4xi1>
  %1 = weft.contract %q, %q batch [0, 1] x [0, 1] contract [3] x [3]
      : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x4xf32>
  %2 = weft.add %1, %bias : tensor<1x2x4x4xf32>
  %3 = weft.select %whole, %2, %lows : tensor<1x2x4x4xi1>, tensor<1x2x4x4xf32>
  // expected-remark @below {{one op with its products}}
  %4 = weft.softmax %3 axis 3 : tensor<1x2x4x4xf32>
  %5 = weft.select %rows, %4, %zeros : tensor<1x2x4x4xi1>, tensor<1x2x4x4xf32>
  %6 = weft.contract %5, %q batch [0, 1] x [0, 1] contract [3] x [2]
      : tensor<1x2x4x4xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x8xf32>
  return %6 : tensor<1x2x4x8xf32>
}

// -----

// Masks are put together as small as they are, in f32.
// CHECK-LABEL: func.func @masks(
//       CHECK:   %[[SUM:.+]] = weft.add %{{.+}}, %{{.+}} : tensor<1x1x4x4xf32>
//       CHECK:   %[[B:.+]] = weft.broadcast %[[SUM]] dims [0, 1, 2, 3] : tensor<1x1x4x4xf32> to tensor<3x2x4x4xf32>
//       CHECK:   weft.attention %{{.+}} bias %[[B]] scale 1.000000e+00 : tensor<3x2x4x8xf16>
//  CHECK-SAME:     -> tensor<3x2x4x8xf16>, tensor<3x2x4xf32>
func.func @masks(%q: tensor<3x2x4x8xf16>, %m: tensor<1x1x4x4xi1>, %a: tensor<1x1x1x4xf16>) -> tensor<3x2x4x8xf16> {
  %low = weft.constant dense<0xFF800000> : tensor<f32>
  %lows = weft.broadcast %low dims [] : tensor<f32> to tensor<3x2x4x4xf32>
  %whole = weft.broadcast %m dims [0, 1, 2, 3] : tensor<1x1x4x4xi1> to tensor<3x2x4x4xi1>
  %bias = weft.broadcast %a dims [0, 1, 2, 3] : tensor<1x1x1x4xf16> to tensor<3x2x4x4xf16>
  %1 = weft.contract %q, %q batch [0, 1] x [0, 1] contract [3] x [3]
      : tensor<3x2x4x8xf16>, tensor<3x2x4x8xf16> -> tensor<3x2x4x4xf16>
  %2 = weft.add %bias, %1 : tensor<3x2x4x4xf16>
  %3 = weft.cast %2 : tensor<3x2x4x4xf16> to tensor<3x2x4x4xf32>
  %4 = weft.select %whole, %lows, %3 : tensor<3x2x4x4xi1>, tensor<3x2x4x4xf32>
  // expected-remark @below {{one op with its products}}
  %5 = weft.softmax %4 axis 3 : tensor<3x2x4x4xf32>
  %6 = weft.cast %5 : tensor<3x2x4x4xf32> to tensor<3x2x4x4xf16>
  %7 = weft.contract %6, %q batch [0, 1] x [0, 1] contract [3] x [2]
      : tensor<3x2x4x4xf16>, tensor<3x2x4x8xf16> -> tensor<3x2x4x8xf16>
  return %7 : tensor<3x2x4x8xf16>
}

// -----

// Heads that share keys are one dimension, and the groups of them another.
// Without a mask they may stay rows.
// CHECK-LABEL: func.func @shared_keys(
//  CHECK-SAME:     %[[Q:[^:]+]]: tensor<?x2x6x8xf32>, %[[K:[^:]+]]: tensor<?x2x5x8xf32>, %[[A:[^:]+]]: tensor<1x1x2x5xf32>
//       CHECK:   %[[QS:.+]] = weft.reshape %[[Q]] sizes(%{{.+}}) : tensor<?x2x6x8xf32> to tensor<?x2x3x2x8xf32>
//       CHECK:   %[[KS:.+]] = weft.broadcast %[[K]] dims [0, 1, 3, 4] sizes(%{{.+}}) : tensor<?x2x5x8xf32> to tensor<?x2x3x5x8xf32>
//       CHECK:   %[[AS:.+]] = weft.reshape %[[A]] : tensor<1x1x2x5xf32> to tensor<1x1x1x2x5xf32>
//       CHECK:   %[[B:.+]] = weft.broadcast %[[AS]] {{.+}} to tensor<?x2x3x2x5xf32>
//       CHECK:   %[[Y:.+]], %{{.+}} = weft.attention %[[QS]], %[[KS]], %{{.+}} bias %[[B]] scale
//       CHECK:   %[[ONE:.+]] = weft.reshape %[[Y]] sizes(%{{.+}}) : tensor<?x2x3x2x8xf32> to tensor<?x2x6x8xf32>
//       CHECK:   %[[TWO:.+]], %{{.+}} = weft.attention %[[Q]], %[[K]], %[[K]] scale
//       CHECK:   return %[[ONE]], %[[TWO]]
func.func @shared_keys(%q: tensor<?x2x6x8xf32>, %k: tensor<?x2x5x8xf32>, %a: tensor<1x1x2x5xf32>) -> (tensor<?x2x6x8xf32>, tensor<?x2x6x8xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %q, %c0 : tensor<?x2x6x8xf32>
  %bias = weft.broadcast %a dims [0, 1, 2, 3] sizes(%n) : tensor<1x1x2x5xf32> to tensor<?x6x2x5xf32>
  %0 = weft.contract %q, %k batch [0, 1] x [0, 1] contract [3] x [3]
      : tensor<?x2x6x8xf32>, tensor<?x2x5x8xf32> -> tensor<?x2x6x5xf32>
  %1 = weft.reshape %0 sizes(%n) : tensor<?x2x6x5xf32> to tensor<?x6x2x5xf32>
  %2 = weft.add %1, %bias : tensor<?x6x2x5xf32>
  // expected-remark @below {{one op with its products}}
  %3 = weft.softmax %2 axis 3 : tensor<?x6x2x5xf32>
  %4 = weft.reshape %3 sizes(%n) : tensor<?x6x2x5xf32> to tensor<?x2x6x5xf32>
  %5 = weft.contract %4, %k batch [0, 1] x [0, 1] contract [3] x [2]
      : tensor<?x2x6x5xf32>, tensor<?x2x5x8xf32> -> tensor<?x2x6x8xf32>
  %6 = weft.contract %q, %k batch [0, 1] x [0, 1] contract [3] x [3]
      : tensor<?x2x6x8xf32>, tensor<?x2x5x8xf32> -> tensor<?x2x6x5xf32>
  %7 = weft.reshape %6 sizes(%n) : tensor<?x2x6x5xf32> to tensor<?x6x2x5xf32>
  // expected-remark @below {{one op with its products}}
  %8 = weft.softmax %7 axis 3 : tensor<?x6x2x5xf32>
  %9 = weft.reshape %8 sizes(%n) : tensor<?x6x2x5xf32> to tensor<?x2x6x5xf32>
  %10 = weft.contract %9, %k batch [0, 1] x [0, 1] contract [3] x [2]
      : tensor<?x2x6x5xf32>, tensor<?x2x5x8xf32> -> tensor<?x2x6x8xf32>
  return %5, %10 : tensor<?x2x6x8xf32>, tensor<?x2x6x8xf32>
}

// -----

// CHECK-LABEL: func.func @left(
//   CHECK-NOT:   weft.attention
func.func @left(%q: tensor<4x8xf32>, %long: tensor<4x300xf32>, %s: tensor<4x4xf32>, %d: tensor<4x8xf64>)
    -> (tensor<4x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x8xf32>, tensor<4x300xf32>, tensor<4x8xf64>) {
  // Scores that are an output, too.
  %0 = weft.contract %q, %q batch [] x [] contract [1] x [1] : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x4xf32>
  // expected-remark @below {{no attention: scores are used elsewhere}}
  %1 = weft.softmax %0 axis 1 : tensor<4x4xf32>
  %2 = weft.contract %1, %q batch [] x [] contract [1] x [0] : tensor<4x4xf32>, tensor<4x8xf32> -> tensor<4x8xf32>
  // expected-remark @below {{no attention: probabilities are not multiplied with values}}
  %3 = weft.softmax %s axis 1 : tensor<4x4xf32>
  // expected-remark @below {{no attention: scores are not a product}}
  %4 = weft.softmax %s axis 1 : tensor<4x4xf32>
  %5 = weft.contract %4, %q batch [] x [] contract [1] x [0] : tensor<4x4xf32>, tensor<4x8xf32> -> tensor<4x8xf32>
  %6 = weft.contract %q, %q batch [] x [] contract [1] x [1] : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x4xf32>
  // expected-remark @below {{no attention: vectors are symbolic, too long or of f64}}
  %7 = weft.softmax %6 axis 1 : tensor<4x4xf32>
  %8 = weft.contract %7, %long batch [] x [] contract [1] x [0] : tensor<4x4xf32>, tensor<4x300xf32> -> tensor<4x300xf32>
  %9 = weft.contract %d, %d batch [] x [] contract [1] x [1] : tensor<4x8xf64>, tensor<4x8xf64> -> tensor<4x4xf64>
  // expected-remark @below {{no attention: the softmax is of f64}}
  %10 = weft.softmax %9 axis 1 : tensor<4x4xf64>
  %11 = weft.contract %10, %d batch [] x [] contract [1] x [0] : tensor<4x4xf64>, tensor<4x8xf64> -> tensor<4x8xf64>
  %12 = weft.tanh %3 : tensor<4x4xf32>
  return %2, %0, %12, %5, %8, %11 : tensor<4x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x8xf32>, tensor<4x300xf32>, tensor<4x8xf64>
}

// -----

// In programs for training, a bias must be known to be small or -inf.
// GRADIENTS-LABEL: func.func @biases(
//       GRADIENTS:   weft.softmax
//       GRADIENTS:   weft.softmax
//       GRADIENTS:   weft.attention
//   GRADIENTS-NOT:   weft.softmax
// CHECK-LABEL: func.func @biases(
// CHECK-COUNT-3: weft.attention
func.func @biases(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x6xf32>,
    %any: tensor<2x8x9xf32>, %seen: tensor<2x8x9xi1>)
    -> (tensor<2x8x6xf32>, tensor<2x8x6xf32>, tensor<2x8x6xf32>) {
  %zero = weft.constant dense<0.0> : tensor<f32>
  %low = weft.constant dense<-1.0e9> : tensor<f32>
  %inf = weft.constant dense<0xFF800000> : tensor<f32>
  %zeros = weft.broadcast %zero dims [] : tensor<f32> to tensor<2x8x9xf32>
  %lows = weft.broadcast %low dims [] : tensor<f32> to tensor<2x8x9xf32>
  %infs = weft.broadcast %inf dims [] : tensor<f32> to tensor<2x8x9xf32>
  %large = weft.select %seen, %zeros, %lows : tensor<2x8x9xi1>, tensor<2x8x9xf32>
  %small = weft.select %seen, %zeros, %infs : tensor<2x8x9xi1>, tensor<2x8x9xf32>
  %0 = weft.contract %q, %k batch [0] x [0] contract [2] x [2] : tensor<2x8x4xf32>, tensor<2x9x4xf32> -> tensor<2x8x9xf32>
  %1 = weft.add %0, %any : tensor<2x8x9xf32>
  // expected-remark @below {{one op with its products}}
  %2 = weft.softmax %1 axis 2 : tensor<2x8x9xf32>
  %3 = weft.contract %2, %v batch [0] x [0] contract [2] x [1] : tensor<2x8x9xf32>, tensor<2x9x6xf32> -> tensor<2x8x6xf32>
  %4 = weft.contract %q, %k batch [0] x [0] contract [2] x [2] : tensor<2x8x4xf32>, tensor<2x9x4xf32> -> tensor<2x8x9xf32>
  %5 = weft.add %4, %large : tensor<2x8x9xf32>
  // expected-remark @below {{one op with its products}}
  %6 = weft.softmax %5 axis 2 : tensor<2x8x9xf32>
  %7 = weft.contract %6, %v batch [0] x [0] contract [2] x [1] : tensor<2x8x9xf32>, tensor<2x9x6xf32> -> tensor<2x8x6xf32>
  %8 = weft.contract %q, %k batch [0] x [0] contract [2] x [2] : tensor<2x8x4xf32>, tensor<2x9x4xf32> -> tensor<2x8x9xf32>
  %9 = weft.add %8, %small : tensor<2x8x9xf32>
  // expected-remark @below {{one op with its products}}
  %10 = weft.softmax %9 axis 2 : tensor<2x8x9xf32>
  %11 = weft.contract %10, %v batch [0] x [0] contract [2] x [1] : tensor<2x8x9xf32>, tensor<2x9x6xf32> -> tensor<2x8x6xf32>
  return %3, %7, %11 : tensor<2x8x6xf32>, tensor<2x8x6xf32>, tensor<2x8x6xf32>
}
