// RUN: weft-opt %s -weft-test-evaluate -split-input-file -verify-diagnostics

func.func @reshape() -> tensor<?xi32> {
  %n = arith.constant 5 : index
  %x = weft.iota axis 0 : tensor<4xi32>
  // expected-error @below {{'weft.reshape' op makes 5 elements from 4}}
  %0 = weft.reshape %x sizes(%n) : tensor<4xi32> to tensor<?xi32>
  return %0 : tensor<?xi32>
}

// -----

func.func @negative_size() -> tensor<?xi32> {
  %n = arith.constant -2 : index
  // expected-error @below {{'weft.iota' op size -2 is negative}}
  %0 = weft.iota axis 0 sizes(%n) : tensor<?xi32>
  return %0 : tensor<?xi32>
}

// -----

func.func @broadcast() -> tensor<?xi32> {
  %n = arith.constant 3 : index
  %x = weft.iota axis 0 : tensor<2xi32>
  // expected-error @below {{'weft.broadcast' op input size 2 is neither 1 nor the result's 3}}
  %0 = weft.broadcast %x dims [0] sizes(%n) : tensor<2xi32> to tensor<?xi32>
  return %0 : tensor<?xi32>
}

// -----

func.func @slice() -> tensor<2xi32> {
  %o = arith.constant 3 : index
  %x = weft.iota axis 0 : tensor<4xi32>
  // expected-error @below {{'weft.slice' op takes elements 3 to 4 of dimension 0, whose size is 4}}
  %0 = weft.slice %x [%o] [2] [1] : tensor<4xi32> to tensor<2xi32>
  return %0 : tensor<2xi32>
}

// -----

func.func @update_slice() -> tensor<4xi32> {
  %o = arith.constant 3 : index
  %x = weft.iota axis 0 : tensor<4xi32>
  %s = weft.iota axis 0 : tensor<2xi32>
  // expected-error @below {{'weft.update_slice' op source lies from 3 to 5 in dimension 0, whose size is 4}}
  %0 = weft.update_slice %s into %x [%o] : tensor<2xi32>, tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----

func.func @pad() -> tensor<?xi32> {
  %l = arith.constant -1 : index
  %x = weft.iota axis 0 : tensor<4xi32>
  %v = weft.constant dense<0> : tensor<i32>
  // expected-error @below {{'weft.pad' op pads by -1, which is negative}}
  %0 = weft.pad %x, %v low [%l] high [0] : tensor<4xi32>, tensor<i32> to tensor<?xi32>
  return %0 : tensor<?xi32>
}

// -----

func.func @pad_interior() -> tensor<?xi32> {
  %x = weft.constant dense<1> : tensor<4xi32>
  %v = weft.constant dense<0> : tensor<i32>
  %i = arith.constant -2 : index
  // expected-error @below {{'weft.pad' op pads by -2, which is negative}}
  %0 = weft.pad %x, %v low [0] high [0] interior [%i]
      : tensor<4xi32>, tensor<i32> to tensor<?xi32>
  return %0 : tensor<?xi32>
}

// -----

func.func @concat() -> tensor<?x?xi32> {
  %n = arith.constant 3 : index
  %m = arith.constant 2 : index
  %a = weft.iota axis 0 sizes(%n, %n) : tensor<?x?xi32>
  %b = weft.iota axis 0 sizes(%n, %m) : tensor<?x?xi32>
  // expected-error @below {{'weft.concat' op joins sizes 3 and 2 of dimension 1}}
  %0 = weft.concat %a, %b axis 0 : (tensor<?x?xi32>, tensor<?x?xi32>) -> tensor<?x?xi32>
  return %0 : tensor<?x?xi32>
}

// -----

func.func @different_sizes() -> tensor<?xi32> {
  %n = arith.constant 3 : index
  %m = arith.constant 2 : index
  %a = weft.iota axis 0 sizes(%n) : tensor<?xi32>
  %b = weft.iota axis 0 sizes(%m) : tensor<?xi32>
  // expected-error @below {{'weft.add' op has operands of different shapes, 'tensor<3xi32>' and 'tensor<2xi32>'}}
  %0 = weft.add %a, %b : tensor<?xi32>
  return %0 : tensor<?xi32>
}

// -----

func.func @extract() -> i32 {
  %n = arith.constant 4 : index
  %x = weft.iota axis 0 : tensor<4xi32>
  // expected-error @below {{'tensor.extract' op index 4 is outside the size 4}}
  %0 = tensor.extract %x[%n] : tensor<4xi32>
  return %0 : i32
}

// -----

func.func @endless_step() {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  // expected-error @below {{'scf.for' op step 0 is not positive}}
  scf.for %i = %zero to %one step %zero {
  }
  return
}

// -----

func.func @recursion() {
  // expected-error @below {{'func.call' op is nested more than 64 deep}}
  func.call @recursion() : () -> ()
  return
}

// -----

func.func @unknown_op() -> vector<2xi32> {
  // expected-error @below {{'vector.step' op can't be evaluated}}
  %0 = vector.step : vector<2xindex>
  %1 = arith.index_cast %0 : vector<2xindex> to vector<2xi32>
  return %1 : vector<2xi32>
}

// -----

// expected-error @below {{'func.func' op has no body}}
func.func private @elsewhere() -> tensor<i32>

func.func @call() -> tensor<i32> {
  // expected-error @below {{'func.call' op callee 'elsewhere' has no body}}
  %0 = call @elsewhere() : () -> tensor<i32>
  return %0 : tensor<i32>
}

// -----

func.func @dim() -> index {
  %i = arith.constant 3 : index
  %x = weft.iota axis 0 : tensor<2xi32>
  // expected-error @below {{'tensor.dim' op dimension 3 is outside the rank 1}}
  %0 = tensor.dim %x, %i : tensor<2xi32>
  return %0 : index
}

// -----

func.func @cast() -> tensor<3xi32> {
  %n = arith.constant 2 : index
  %x = weft.iota axis 0 sizes(%n) : tensor<?xi32>
  // expected-error @below {{'tensor.cast' op casts 'tensor<2xi32>' to 'tensor<3xi32>'}}
  %0 = tensor.cast %x : tensor<?xi32> to tensor<3xi32>
  return %0 : tensor<3xi32>
}

// -----

// expected-error @below {{'func.func' op has more than one block}}
func.func @blocks() -> tensor<2xi32> {
  %x = weft.iota axis 0 : tensor<2xi32>
  cf.br ^next
^next:
  return %x : tensor<2xi32>
}

// -----

func.func @require_sizes() {
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  weft.require_sizes below %c3, %c4 "node 'a' (Slice)"
  // expected-error @below {{'weft.require_sizes' op equal does not hold of 3 and 4: node 'b' (Add)}}
  weft.require_sizes equal %c3, %c4 "node 'b' (Add)"
  return
}
