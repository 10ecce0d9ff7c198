//===- Passes.td - From a model to a training step ------------------------===//

#ifndef WEFT_TRAINING_PASSES
#define WEFT_TRAINING_PASSES

include "mlir/Pass/PassBase.td"

def PrepareTrainingPass : Pass<"prepare-training", "::mlir::ModuleOp"> {
  let summary = "Turn weights into arguments and switch nodes to training";
  let description = [{
    Chooses the constants of `@main` that are trained (see
    weft/Training/Parameters.h) and makes them arguments: they get the name of
    the initializer, the role `parameter` and their value as `weft.initial`.
    Dropout is switched on. BatchNormalization uses the statistics of the batch
    if `bn=train`: the running ones become arguments and results of the role
    `state`. With `algorithm=true` the arguments are the initializers that the
    model's own training assigns to, and nothing is switched. With
    `evaluate=true` nothing is switched either, and the arguments have no role.

    Requires: nodes of the `onnx` dialect at the newest opset.
    Ensures: the same, with parameters as arguments.
  }];
  let options = [
    Option<"settings", "settings", "std::string", /*default=*/"\"\"",
           "Settings of training, as 'loss=mse optimizer=adam'">
  ];
}

def ExpandGradientsPass : Pass<"expand-gradients", "::mlir::ModuleOp"> {
  let summary = "Put the ops of gradients in the place of `weft.gradient`";
  let description = [{
    Differentiates what each `weft.gradient` stands behind, in program order, so
    that a gradient of a gradient finds ops. One inside a branch or a loop whose
    `y` is made outside moves out to it. Then `weft.independent` is replaced by
    its operand.

    Requires: ops of the tensor language.
    Ensures: neither op is left.
  }];
  let dependentDialects = ["::weft::WeftDialect"];
  let statistics = [
    Statistic<"numExpanded", "gradients", "Gradients that were expanded">
  ];
}

def BuildTrainingStepPass : Pass<"build-training-step", "::mlir::ModuleOp"> {
  let summary = "Add loss, gradients and the optimizer to a model";
  let description = [{
    Rewrites `@main`, whose arguments of the role `parameter` are to be trained:
    adds labels, the loss (of the scores, where the output is a softmax or a
    sigmoid of them), its gradient, and the optimizer. Arguments afterwards: the model's inputs, labels,
    parameters, what the optimizer remembers, the learning rate (`rate`) and the
    seed of random numbers (`seed`). Results: the loss, metrics, and the new
    value of each parameter and state, tied to its argument by `weft.twin`.
    While the loss is not a finite number nothing changes. With `algorithm=true`
    the loss and the new values are results already, and only what a step needs
    besides is added.

    Requires: ops of the tensor language.
    Ensures: the same.
  }];
  let options = [
    Option<"settings", "settings", "std::string", /*default=*/"\"\"",
           "Settings of training, as 'loss=mse optimizer=adam'">
  ];
  let dependentDialects = ["::weft::WeftDialect"];
}

#endif // WEFT_TRAINING_PASSES
