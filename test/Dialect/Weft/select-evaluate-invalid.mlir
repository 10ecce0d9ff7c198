// RUN: weft-opt %s -weft-test-evaluate -split-input-file -verify-diagnostics

func.func @gather_beyond() -> tensor<1xf32> {
  %x = weft.constant dense<1.0> : tensor<3xf32>
  %i = weft.constant dense<3> : tensor<1xi64>
  // expected-error @below {{'weft.gather' op index 3 is outside a dimension of size 3}}
  %y = weft.gather %x, %i axis 0 : tensor<3xf32>, tensor<1xi64>
  return %y : tensor<1xf32>
}

// -----

func.func @gather_before() -> tensor<1xf32> {
  %x = weft.constant dense<1.0> : tensor<3xf32>
  %i = weft.constant dense<-4> : tensor<1xi64>
  // expected-error @below {{'weft.gather_elements' op index -4 is outside a dimension of size 3}}
  %y = weft.gather_elements %x, %i axis 0 : tensor<3xf32>, tensor<1xi64>
  return %y : tensor<1xf32>
}

// -----

func.func @gather_nd_beyond() -> tensor<1xf32> {
  %x = weft.constant dense<1.0> : tensor<3x2xf32>
  %i = weft.constant dense<[[2, 2]]> : tensor<1x2xi64>
  // expected-error @below {{'weft.gather_nd' op index 2 is outside a dimension of size 2}}
  %y = weft.gather_nd %x, %i batch_dims 0 : tensor<3x2xf32>, tensor<1x2xi64>
  return %y : tensor<1xf32>
}

// -----

func.func @scatter_elements_beyond() -> tensor<3xf32> {
  %x = weft.constant dense<1.0> : tensor<3xf32>
  %i = weft.constant dense<7> : tensor<1xi64>
  %u = weft.constant dense<2.0> : tensor<1xf32>
  // expected-error @below {{'weft.scatter_elements' op index 7 is outside a dimension of size 3}}
  %y = weft.scatter_elements set %x, %i, %u axis 0
      : tensor<3xf32>, tensor<1xi64>, tensor<1xf32>
  return %y : tensor<3xf32>
}

// -----

func.func @scatter_nd_beyond() -> tensor<3xf32> {
  %x = weft.constant dense<1.0> : tensor<3xf32>
  %i = weft.constant dense<-4> : tensor<1x1xi64>
  %u = weft.constant dense<2.0> : tensor<1xf32>
  // expected-error @below {{'weft.scatter_nd' op index -4 is outside a dimension of size 3}}
  %y = weft.scatter_nd add %x, %i, %u
      : tensor<3xf32>, tensor<1x1xi64>, tensor<1xf32>
  return %y : tensor<3xf32>
}

// -----

func.func @top_k_beyond() -> tensor<?xf32> {
  %x = weft.constant dense<1.0> : tensor<3xf32>
  %n = arith.constant 4 : index
  // expected-error @below {{'weft.top_k' op cannot take 4 elements from 3}}
  %v, %i = weft.top_k %x axis 0 size %n
      : tensor<3xf32> to tensor<?xf32>, tensor<?xi64>
  return %v : tensor<?xf32>
}

// -----

func.func @nonzero_miscounted() -> tensor<1x?xi64> {
  %x = weft.constant dense<[1, 0, 1]> : tensor<3xi32>
  %n = arith.constant 3 : index
  // expected-error @below {{'weft.nonzero' op count is 3, but 2 elements are not zero}}
  %y = weft.nonzero %x count %n : tensor<3xi32> to tensor<1x?xi64>
  return %y : tensor<1x?xi64>
}

// -----

func.func @random_uniform_negative() -> tensor<?xf32> {
  %s = weft.constant dense<1> : tensor<i64>
  %n = arith.constant -2 : index
  // expected-error @below {{'weft.random_uniform' op size -2 is negative}}
  %y = weft.random_uniform %s stream 0 sizes(%n) : tensor<i64>, tensor<?xf32>
  return %y : tensor<?xf32>
}
