// RUN: weft-opt %s -split-input-file -verify-diagnostics

func.func @count(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'dispatch.region' op has 1 results, but says of 2 whether they are made in place}}
  %0 = dispatch.region ins(%x : tensor<4xf32>) in_place [0, -1] -> tensor<4xf32> {
  ^bb0(%x0: tensor<4xf32>):
    dispatch.yield %x0 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

// -----

func.func @number(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'dispatch.region' op result 0 is made in place of input 1, which does not exist}}
  %0 = dispatch.region ins(%x : tensor<4xf32>) in_place [1] -> tensor<4xf32> {
  ^bb0(%x0: tensor<4xf32>):
    dispatch.yield %x0 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

// -----

func.func @type(%x: tensor<4xf32>, %y: tensor<8xf32>) -> tensor<4xf32> {
  // expected-error @below {{'dispatch.region' op result 0 of type 'tensor<4xf32>' is made in place of an input of type 'tensor<8xf32>'}}
  %0 = dispatch.region ins(%x, %y : tensor<4xf32>, tensor<8xf32>) in_place [1] -> tensor<4xf32> {
  ^bb0(%x0: tensor<4xf32>, %y0: tensor<8xf32>):
    dispatch.yield %x0 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

// -----

func.func @twice(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // expected-error @below {{'dispatch.region' op input 0 is the place of two results}}
  %0:2 = dispatch.region ins(%x : tensor<4xf32>) in_place [0, 0] -> tensor<4xf32>, tensor<4xf32> {
  ^bb0(%x0: tensor<4xf32>):
    dispatch.yield %x0, %x0 : tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}
