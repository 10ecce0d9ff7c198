// RUN: weft-opt %s -convert-onnx-to-weft -split-input-file -verify-diagnostics

// All nodes that are refused are named at once.
// expected-error@+1 {{WFT2003: 2 nodes can't be compiled}}
module {
  func.func @two_nodes(%x: tensor<?xf32>, %n: tensor<?xi64>) -> (tensor<*xf32>, tensor<*xi64>) {
    // expected-note@+1 {{'y' (Reshape): the rank of the result is not known}}
    %y = onnx.Reshape(%x, %n) {weft.outputs = ["y"]} : (tensor<?xf32>, tensor<?xi64>) -> tensor<*xf32>
    %a = onnx.Neg(%y) {weft.outputs = ["a"]} : (tensor<*xf32>) -> tensor<*xf32>
    // expected-note@+1 {{'z' (Reshape): the rank of the result is not known}}
    %z = onnx.Reshape(%n, %n) {weft.outputs = ["z"]} : (tensor<?xi64>, tensor<?xi64>) -> tensor<*xi64>
    return %a, %z : tensor<*xf32>, tensor<*xi64>
  }
}

// -----

func.func @sizes_do_not_fit(%a: tensor<2xf32>, %b: tensor<3xf32>) -> tensor<*xf32> {
  // expected-error@+1 {{WFT2001: node 'y' (Add): sizes 2 and 3 of dimension 0 do not broadcast}}
  %y = onnx.Add(%a, %b) {weft.outputs = ["y"]} : (tensor<2xf32>, tensor<3xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @axis_out_of_range(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error@+1 {{WFT2001: node 'y' (Softmax): axis 2 is outside rank 2}}
  %y = onnx.Softmax(%x) {axis = 2 : i64, weft.outputs = ["y"]} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

// A sequence that is an input has no length to ask for.
// expected-error@+1 {{WFT2003: 3 nodes can't be compiled}}
module {
  // expected-note@+1 {{'x' (input): an input of the model can't have the type !onnx.seq<tensor<?xf32>>}}
  func.func @main(%x: !onnx.seq<tensor<?xf32>> {weft.name = "x"}, %i: tensor<i64>) -> (tensor<i64>, tensor<*xf32>) {
    // expected-note@+1 {{'n' (SequenceLength): a sequence whose length is known at run time only}}
    %n = onnx.SequenceLength(%x) {weft.outputs = ["n"]} : (!onnx.seq<tensor<?xf32>>) -> tensor<i64>
    // expected-note@+1 {{'y' (SequenceAt): a sequence whose length is known at run time only}}
    %y = onnx.SequenceAt(%x, %i) {weft.outputs = ["y"]} : (!onnx.seq<tensor<?xf32>>, tensor<i64>) -> tensor<*xf32>
    return %n, %y : tensor<i64>, tensor<*xf32>
  }
}
