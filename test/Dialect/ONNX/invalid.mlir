// RUN: weft-opt %s -split-input-file -verify-diagnostics

func.func @operands(%x: tensor<f32>) {
  // expected-error @below {{'onnx.Conv' op takes 2 to 3 operands, has 1}}
  %y = onnx.Conv(%x) : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @results(%x: tensor<f32>) {
  // expected-error @below {{'onnx.Relu' op takes 1 results, has 2}}
  %y:2 = onnx.Relu(%x) : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @variadic() {
  // expected-error @below {{'onnx.Concat' op takes 1 or more operands, has 0}}
  %y = onnx.Concat() {axis = 0 : i64} : () -> tensor<f32>
  return
}

// -----

func.func @unknown(%x: tensor<f32>) {
  // expected-error @below {{'onnx.Relu' op has no attribute 'alpha' in ONNX}}
  %y = onnx.Relu(%x) {alpha = 1.0 : f32} : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @kind(%x: tensor<f32>) {
  // expected-error @below {{'onnx.Concat' op attribute 'axis' is 0 : i32, wanted an i64}}
  %y = onnx.Concat(%x) {axis = 0 : i32} : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @required(%x: tensor<f32>) {
  // expected-error @below {{'onnx.Concat' op lacks attribute 'axis'}}
  %y = onnx.Concat(%x) : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @names(%x: tensor<f32>) {
  // expected-error @below {{'onnx.Relu' op 'weft.outputs' is [], wanted one string per result}}
  %y = onnx.Relu(%x) {weft.outputs = []} : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @graph_names(%c: tensor<i1>) {
  // expected-error @below {{'onnx.If' op has 1 regions and 0 names in 'weft.graphs'}}
  %y = onnx.If(%c) ({
    onnx.yield
  }) : (tensor<i1>) -> tensor<f32>
  return
}

// -----

func.func @no_such_graph(%c: tensor<i1>) {
  // expected-error @below {{'onnx.If' op has no graph 'body'}}
  %y = onnx.If(%c) ({
    onnx.yield
  }) {weft.graphs = ["body"]} : (tensor<i1>) -> tensor<f32>
  return
}

// -----

func.func @missing_graph(%c: tensor<i1>, %x: tensor<f32>) {
  // expected-error @below {{'onnx.If' op lacks attribute '}}
  %y = onnx.If(%c) ({
    onnx.yield %x : tensor<f32>
  }) {weft.graphs = ["then_branch"]} : (tensor<i1>) -> tensor<f32>
  return
}

// -----

func.func @yield(%c: tensor<i1>, %x: tensor<f32>) {
  // expected-error @below {{'onnx.If' op region #1 must end in 'onnx.yield'}}
  %y = onnx.If(%c) ({
    onnx.yield %x : tensor<f32>
  }, {
    llvm.unreachable
  }) {weft.graphs = ["then_branch", "else_branch"]}
    : (tensor<i1>) -> tensor<f32>
  return
}
