// RUN: weft-opt %s -verify-diagnostics --prepare-training

// expected-error @below {{WFT2303: the model has no weight to train}}
func.func @main(%x: tensor<?x4xf32> {weft.name = "x"}) -> (tensor<?x4xf32> {weft.name = "y"}) {
  %y = onnx.Relu(%x) {weft.outputs = ["y"]} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
