// RUN: weft-opt %s --convert-dispatch-to-host -split-input-file -verify-diagnostics

// expected-error @below {{there is no function 'main' of one block}}
module {}

// -----

// expected-error @below {{'func.func' op takes or returns 'tensor<*xf32>', but a program can pass only tensors with a rank}}
func.func @main(%x: tensor<*xf32>) {
  return
}

// -----

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'arith.addf' op is not expected in a program of launches}}
  %0 = arith.addf %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @main(%x: tensor<4xf32>, %i: tensor<1xi64>) -> tensor<1xi64> {
  %c0 = arith.constant 0 : index
  %0 = tensor.extract %i[%c0] : tensor<1xi64>
  %1 = arith.index_cast %0 : i64 to index
  // expected-error @below {{'tensor.dim' op asks for a dimension that is not a constant}}
  %2 = tensor.dim %x, %1 : tensor<4xf32>
  %3 = arith.index_cast %2 : index to i64
  %4 = tensor.from_elements %3 : tensor<1xi64>
  return %4 : tensor<1xi64>
}
