// RUN: weft-opt %s --convert-dispatch-to-host -split-input-file -verify-diagnostics

// expected-error @below {{argument 0 has the 'weft.role' "weight", wanted one of "data", "parameter", "state", "rate", "seed", "loss", "metric"}}
func.func @main(%w: tensor<4xf32> {weft.role = "weight"}) {
  return
}

// -----

// expected-error @below {{result 0 has the 'weft.role' 3 : i64, wanted one of}}
func.func @main(%w: tensor<4xf32>) -> (tensor<4xf32> {weft.role = 3 : i64}) {
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{argument 'w' is a parameter or state, but no result is its new value}}
func.func @main(%w: tensor<4xf32> {weft.name = "w", weft.role = "parameter"}) -> tensor<4xf32> {
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{argument 'input0' is neither a parameter nor state, but a result is its new value}}
func.func @main(%w: tensor<4xf32>) -> (tensor<4xf32> {weft.role = "state", weft.twin = 0 : i64}) {
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{result 'output0' is a parameter or state, but has no 'weft.twin'}}
func.func @main(%w: tensor<4xf32> {weft.role = "state"}) -> (tensor<4xf32> {weft.role = "state"}) {
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{result 'output0' is neither a parameter nor state, but has 'weft.twin'}}
func.func @main(%w: tensor<4xf32> {weft.role = "state"}) -> (tensor<4xf32> {weft.twin = 0 : i64}) {
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{result 'output0' has the 'weft.twin' 1 : i64, wanted the number of one of 1 arguments}}
func.func @main(%w: tensor<4xf32> {weft.role = "state"}) -> (tensor<4xf32> {weft.role = "state", weft.twin = 1 : i64}) {
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{results 0 and 1 are both the new value of argument 0}}
func.func @main(%w: tensor<4xf32> {weft.role = "state"})
    -> (tensor<4xf32> {weft.role = "state", weft.twin = 0 : i64}, tensor<4xf32> {weft.role = "state", weft.twin = 0 : i64}) {
  return %w, %w : tensor<4xf32>, tensor<4xf32>
}

// -----

// expected-error @below {{input 'w' is 'tensor<4xf32>', but its twin, output 'output0', is 'tensor<8xf32>'}}
func.func @main(%w: tensor<4xf32> {weft.name = "w", weft.role = "state"}, %x: tensor<8xf32>)
    -> (tensor<8xf32> {weft.role = "state", weft.twin = 0 : i64}) {
  return %x : tensor<8xf32>
}

// -----

// expected-error @below {{input 'w' has the role 'state' and the type 'tensor<?xf32>', wanted a tensor of fixed sizes}}
func.func @main(%w: tensor<?xf32> {weft.name = "w", weft.role = "state"})
    -> (tensor<?xf32> {weft.role = "state", weft.twin = 0 : i64}) {
  return %w : tensor<?xf32>
}

// -----

// expected-error @below {{input 'w' has the role 'state', but its twin, output 'output0', has the role 'parameter'}}
func.func @main(%w: tensor<4xf32> {weft.name = "w", weft.role = "state"})
    -> (tensor<4xf32> {weft.role = "parameter", weft.twin = 0 : i64}) {
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{input 'r' has the role 'rate' and the type 'tensor<f64>', wanted tensor<f32>}}
func.func @main(%r: tensor<f64> {weft.name = "r", weft.role = "rate"}) {
  return
}

// -----

// expected-error @below {{input 'r' has the role 'loss', which is one of outputs}}
func.func @main(%r: tensor<f32> {weft.name = "r", weft.role = "loss"}) {
  return
}

// -----

// expected-error @below {{output 'm' has the role 'metric' and the type 'tensor<4xf32>', wanted a scalar}}
func.func @main(%r: tensor<4xf32>) -> (tensor<4xf32> {weft.name = "m", weft.role = "metric"}) {
  return %r : tensor<4xf32>
}

// -----

// expected-error @below {{inputs 'a' and 'b' both have the role 'seed'}}
func.func @main(%a: tensor<i64> {weft.name = "a", weft.role = "seed"}, %b: tensor<i64> {weft.name = "b", weft.role = "seed"}) {
  return
}

// -----

// expected-error @below {{argument 'w' is 'tensor<4xf32>', but its 'weft.initial' is of type 'tensor<2xf32>'}}
func.func @main(%w: tensor<4xf32> {weft.name = "w", weft.role = "state", weft.initial = dense<0.0> : tensor<2xf32>})
    -> (tensor<4xf32> {weft.role = "state", weft.twin = 0 : i64}) {
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{argument 'w' is 'tensor<4xf32>', but its 'weft.initial' is "zeros"}}
func.func @main(%w: tensor<4xf32> {weft.name = "w", weft.role = "state", weft.initial = "zeros"})
    -> (tensor<4xf32> {weft.role = "state", weft.twin = 0 : i64}) {
  return %w : tensor<4xf32>
}

// -----

// expected-error @below {{argument 'w' has 'weft.initial', but is neither a parameter nor state}}
func.func @main(%w: tensor<4xf32> {weft.name = "w", weft.initial = dense<0.0> : tensor<4xf32>}) {
  return
}
