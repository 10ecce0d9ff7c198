// RUN: not weft-test-kernels %s --batch 3 | FileCheck %s

// What is wrong must be said to be wrong, and what is right must count.

// CHECK-DAG: FAIL too_strict (seed 1): result 0: element [{{[0-9]+}}] is {{.+}}, wanted {{.+}}
// CHECK-DAG: FAIL not_continuous (seed 1): result 0: in f64: the normalised mean squared error is {{.+}}, the bound 1e-11
// CHECK-DAG: FAIL out_of_range N=3 (seed 1): can't be evaluated: 'weft.gather' op index 5 is outside a dimension of size 3
// CHECK:     2 passed, 3 failed, 0 skipped

func.func @right(%x: tensor<33xf32>) -> tensor<33xf32> {
  %0 = weft.exp %x : tensor<33xf32>
  return %0 : tensor<33xf32>
}

func.func @too_strict(%x: tensor<33xf32>) -> tensor<33xf32>
    attributes {test.bound = 1.0e-30 : f64} {
  %0 = weft.exp %x : tensor<33xf32>
  return %0 : tensor<33xf32>
}

// Rounding to f16 and back is a step that f64 does not have.
func.func @not_continuous(%x: tensor<33xf32>) -> tensor<33xf32> {
  %0 = weft.cast %x : tensor<33xf32> to tensor<33xf16>
  %1 = weft.cast %0 : tensor<33xf16> to tensor<33xf32>
  return %1 : tensor<33xf32>
}

func.func @out_of_range(%x: tensor<?xf32> {weft.dims = ["N"]},
                        %i: tensor<4xi64> {test.range = [5, 6]})
    -> tensor<4xf32> attributes {test.sizes = [{N = 7}, {N = 3}]} {
  %0 = weft.gather %x, %i axis 0 : tensor<?xf32>, tensor<4xi64>
  return %0 : tensor<4xf32>
}

func.func @symbolic(%x: tensor<?xf16> {weft.dims = ["N"]})
    -> tensor<?xf16> attributes {test.sizes = [{N = 7}, {N = 0}]} {
  %0 = weft.tanh %x : tensor<?xf16>
  return %0 : tensor<?xf16>
}
