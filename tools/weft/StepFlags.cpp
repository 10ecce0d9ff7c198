//===- StepFlags.cpp - Flags about a training step ------------------------===//

#include "Commands.h"
#include <cstdio>

using namespace weft::tool;

/// The numbers of a file as text for a setting.
static std::string readNumbers(const std::string &path) {
  OwnedTensor array = readArray(path, WEFT_F32);
  const weft_tensor &tensor = array.tensor;
  if (tensor.rank != 1 ||
      (tensor.dtype != WEFT_F32 && tensor.dtype != WEFT_F64))
    throw Exit{1, "error: WFT6004: '" + path + "' is of " + describe(tensor) +
                      ", wanted f32 or f64 [classes]"};
  std::string text;
  for (int64_t i = 0; i < tensor.dims[0]; ++i) {
    char number[32];
    snprintf(number, sizeof number, "%s%.17g", i ? "," : "",
             tensor.dtype == WEFT_F64
                 ? static_cast<const double *>(tensor.data)[i]
                 : static_cast<const float *>(tensor.data)[i]);
    text += number;
  }
  return text;
}

std::string StepFlags::getSettings(bool hasAlgorithm) const {
  std::string text;
  auto add = [&](const char *name, const std::string &value) {
    if (!value.empty())
      text += (text.empty() ? "" : " ") + std::string(name) + "=" + value;
  };
  add("algorithm", hasAlgorithm ? "true" : "");
  bool isDefault = !hasAlgorithm;
  add("loss", isDefault && loss.empty() ? "cross-entropy" : loss);
  add("optimizer", isDefault && optimizer.empty() ? "sgd" : optimizer);
  add("train", train);
  add("freeze", freeze);
  add("bn", bn);
  add("class-weights", classWeights.ends_with(".npy")
                           ? readNumbers(classWeights)
                           : classWeights);
  add("precision", precision);
  for (const std::string &setting : settings)
    text += " " + setting;
  return text;
}

void StepFlags::add(CLI::App &app) {
  app.add_option("--loss", loss,
                 "cross-entropy, bce, mse, l1, huber, or output:NAME for an "
                 "output that is the loss [cross-entropy]");
  app.add_option(
      "--optimizer", optimizer,
      "sgd, momentum, nesterov, adam, adamw, adagrad, rmsprop, lamb, "
      "or function:DOMAIN.NAME for an ONNX function of the model or "
      "of --set optimizer-file=PATH [sgd]");
  app.add_option("--class-weights", classWeights,
                 "What a label of each class counts for cross-entropy: numbers "
                 "with commas between them, a .npy file, or, where there are "
                 "data, balanced: labels / (classes * labels of the class), of "
                 "the samples for training [1 each]");
  app.add_option("--precision", precision,
                 "What operands of products are rounded to: f32, bf16 or f16; "
                 "weights, sums and all else stay f32 [f32]")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  app.add_option("--train", train,
                 "Train also the tensors whose name matches this regular "
                 "expression");
  app.add_option("--freeze", freeze,
                 "Leave the tensors whose name matches as they are");
  app.add_option("--bn", bn,
                 "Statistics of batch normalisation: of the batch (train) or "
                 "the model's (frozen) [frozen]")
      ->check(CLI::IsMember({"train", "frozen"}));
  char *known = weft_describe_training();
  app.add_option("--set", settings,
                 std::string("Further settings, NAME=VALUE:\n") + known);
  weft_message_free(known);
}
