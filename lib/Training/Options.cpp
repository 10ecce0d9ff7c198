//===- Options.cpp - What can be chosen about a training step -------------===//

#include "weft/Training/Options.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace weft;
using llvm::StringRef;

namespace {
/// One setting: its name, what it may be, and what it does. `read` returns
/// whether it understood the value.
struct Setting {
  StringRef name, values, help;
  bool (*read)(StringRef value, TrainingOptions &options);
};
} // namespace

template <typename T>
static bool readName(StringRef value, T &into,
                     llvm::ArrayRef<std::pair<StringRef, T>> names) {
  for (auto [name, meaning] : names)
    if (name == value) {
      into = meaning;
      return true;
    }
  return false;
}

static bool readFlag(StringRef value, bool &into) {
  return readName<bool>(value, into, {{"true", true}, {"false", false}});
}

/// A number of at least `least` and below `limit`.
static bool readNumber(StringRef value, double &into, double least = 0,
                       double limit = HUGE_VAL) {
  double number;
  if (value.getAsDouble(number) || !(number >= least && number < limit))
    return false;
  into = number;
  return true;
}

static bool readPattern(StringRef value, std::string &into) {
  std::string why;
  into = value.str();
  return llvm::Regex(value).isValid(why);
}

static bool readLoss(StringRef value, TrainingOptions &options) {
  if (value.consume_front("output:")) {
    options.loss = LossKind::Output;
    options.output = value.str();
    return !value.empty();
  }
  return readName<LossKind>(value, options.loss,
                            {{"cross-entropy", LossKind::CrossEntropy},
                             {"bce", LossKind::BinaryCrossEntropy},
                             {"mse", LossKind::MeanSquare},
                             {"l1", LossKind::MeanAbsolute},
                             {"huber", LossKind::Huber}});
}

/// The optimizers that are special cases of others set those.
static bool readOptimizer(StringRef value, TrainingOptions &options) {
  if (value == "momentum" || value == "nesterov") {
    options.optimizer = OptimizerKind::SGD;
    options.momentum = 0.9;
    options.nesterov = value == "nesterov";
    return true;
  }
  if (value.consume_front("function:")) {
    options.optimizer = OptimizerKind::Function;
    options.function = value.str();
    return !value.empty();
  }
  if (value == "adamw")
    options.weightDecay = 0.01;
  return readName<OptimizerKind>(value, options.optimizer,
                                 {{"sgd", OptimizerKind::SGD},
                                  {"adam", OptimizerKind::Adam},
                                  {"adamw", OptimizerKind::AdamW},
                                  {"adagrad", OptimizerKind::Adagrad},
                                  {"rmsprop", OptimizerKind::RMSProp},
                                  {"lamb", OptimizerKind::LAMB}});
}

static bool readIgnored(StringRef value, TrainingOptions &options) {
  int64_t number;
  if (value.getAsInteger(10, number))
    return false;
  options.ignoreIndex = number;
  return true;
}

/// Numbers between commas, of which one at least is above zero.
static bool readWeights(StringRef value, TrainingOptions &options) {
  llvm::SmallVector<StringRef> parts;
  value.split(parts, ',');
  options.classWeights.resize(parts.size());
  return llvm::all_of_zip(parts, options.classWeights,
                          [](StringRef part, double &weight) {
                            return readNumber(part, weight);
                          }) &&
         llvm::any_of(options.classWeights,
                      [](double weight) { return weight > 0; });
}

static bool readEpsilon(StringRef value, TrainingOptions &options) {
  double number;
  if (!readNumber(value, number))
    return false;
  options.epsilon = number;
  return true;
}

using Options = TrainingOptions;

static const Setting settings[] = {
    {"loss", "cross-entropy, bce, mse, l1, huber or output:NAME",
     "What is minimised; bce takes scores, before the sigmoid", readLoss},
    {"output", "a name", "The output that the loss is of [the first of floats]",
     [](StringRef value, Options &o) {
       o.output = value.str();
       return !value.empty();
     }},
    {"label-smoothing", "a number in [0, 1)",
     "Part of each label that is spread over all classes [0]",
     [](StringRef value, Options &o) {
       return readNumber(value, o.labelSmoothing, 0, 1);
     }},
    {"ignore-index", "an integer", "Label that counts for nothing [none]",
     readIgnored},
    {"class-weights", "a number for each class, with commas between them",
     "What a label of the class counts [1 each]", readWeights},
    {"huber-delta", "a positive number", "Error from which huber is linear [1]",
     [](StringRef value, Options &o) {
       return readNumber(value, o.huberDelta) && o.huberDelta > 0;
     }},
    {"optimizer",
     "sgd, momentum, nesterov, adam, adamw, adagrad, rmsprop, lamb or "
     "function:DOMAIN.NAME",
     "How parameters are moved [sgd]; an ONNX function takes rate, step (from "
     "1), parameter, gradient and states, which start as zeros, and gives the "
     "new parameter and states",
     readOptimizer},
    {"optimizer-file", "a path without spaces",
     "The ONNX file that has the optimizer's function [the model]",
     [](StringRef value, Options &o) {
       o.functionFile = value.str();
       return !value.empty();
     }},
    {"momentum", "a number in [0, 1)", "Of sgd and rmsprop [0]",
     [](StringRef value, Options &o) {
       return readNumber(value, o.momentum, 0, 1);
     }},
    {"nesterov", "true or false", "Look ahead along the momentum [false]",
     [](StringRef value, Options &o) { return readFlag(value, o.nesterov); }},
    {"beta1", "a number in [0, 1)", "Of adam, adamw and lamb [0.9]",
     [](StringRef value, Options &o) {
       return readNumber(value, o.beta1, 0, 1);
     }},
    {"beta2", "a number in [0, 1)", "Of adam, adamw and lamb [0.999]",
     [](StringRef value, Options &o) {
       return readNumber(value, o.beta2, 0, 1);
     }},
    {"decay", "a number in [0, 1)", "Of the squares in rmsprop [0.99]",
     [](StringRef value, Options &o) {
       return readNumber(value, o.decay, 0, 1);
     }},
    {"epsilon", "a number",
     "Added to what is divided by [1e-8; lamb 1e-6, "
     "adagrad 1e-10]",
     readEpsilon},
    {"weight-decay", "a number",
     "Pull of parameters towards zero [0; adamw 0.01]",
     [](StringRef value, Options &o) {
       return readNumber(value, o.weightDecay);
     }},
    {"clip-norm", "a number", "Limit of the norm of all gradients [none]",
     [](StringRef value, Options &o) { return readNumber(value, o.clipNorm); }},
    {"clip-value", "a number", "Limit of each gradient's elements [none]",
     [](StringRef value, Options &o) {
       return readNumber(value, o.clipValue);
     }},
    {"precision", "f32, bf16 or f16",
     "What operands of products are rounded to; sums and all else are f32 "
     "[f32]",
     [](StringRef value, Options &o) {
       return readName<Precision>(value, o.precision,
                                  {{"f32", Precision::F32},
                                   {"bf16", Precision::BF16},
                                   {"f16", Precision::F16}});
     }},
    {"loss-scale", "a number of at least 1",
     "Factor of the losses that f16 begins with [65536]",
     [](StringRef value, Options &o) {
       return readNumber(value, o.lossScale, 1, kMostLossScale);
     }},
    {"loss-scale-interval", "a number of updates",
     "Updates without overflow after which it is doubled [2000]",
     [](StringRef value, Options &o) {
       return !value.getAsInteger(10, o.lossScaleInterval) &&
              o.lossScaleInterval > 0;
     }},
    {"check", "loss or gradients",
     "What must be finite for an update; gradients take a little time [loss]",
     [](StringRef value, Options &o) {
       return readName<bool>(value, o.checkGradients,
                             {{"loss", false}, {"gradients", true}});
     }},
    {"accumulate", "a number of batches",
     "Batches of an update, over which gradients are summed [1]",
     [](StringRef value, Options &o) {
       return !value.getAsInteger(10, o.accumulate) && o.accumulate > 0;
     }},
    {"train", "a regular expression", "Tensors that are trained as well [none]",
     [](StringRef value, Options &o) { return readPattern(value, o.train); }},
    {"freeze", "a regular expression", "Tensors that are not trained [none]",
     [](StringRef value, Options &o) { return readPattern(value, o.freeze); }},
    {"bn", "train or frozen",
     "Statistics of batch normalisation: of the batch, or the model's [frozen]",
     [](StringRef value, Options &o) {
       return readName<bool>(value, o.batchStatistics,
                             {{"train", true}, {"frozen", false}});
     }},
    {"dropout", "true or false", "Whether Dropout nodes drop [true]",
     [](StringRef value, Options &o) { return readFlag(value, o.dropout); }},
    {"evaluate", "true or false",
     "Only the loss and the metrics, without training [false]",
     [](StringRef value, Options &o) { return readFlag(value, o.evaluate); }},
    {"gradients", "a regular expression",
     "No update, but the gradients of inputs and trained tensors whose names "
     "match, as outputs NAME.gradient [none]",
     [](StringRef value, Options &o) {
       return readPattern(value, o.gradients) && !value.empty();
     }},
    {"algorithm", "true or false",
     "Train as the model's training info says, without loss and optimizer "
     "[false]",
     [](StringRef value, Options &o) { return readFlag(value, o.algorithm); }},
    {"initialize", "true or false",
     "Only what that training starts from [false]",
     [](StringRef value, Options &o) { return readFlag(value, o.initialize); }},
};

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

llvm::Expected<TrainingOptions> TrainingOptions::parse(StringRef text) {
  TrainingOptions options;
  llvm::SmallVector<StringRef> parts;
  text.split(parts, ' ', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  // What an optimizer sets by default, the others may set otherwise.
  llvm::stable_sort(parts, [](StringRef a, StringRef b) {
    return a.starts_with("optimizer=") > b.starts_with("optimizer=");
  });
  for (StringRef part : parts) {
    auto [name, value] = part.split('=');
    const Setting *found = llvm::find_if(
        settings, [&](const Setting &setting) { return setting.name == name; });
    if (found == std::end(settings))
      return makeError("there is no setting '" + name + "'; known are " +
                       llvm::join(llvm::map_range(settings,
                                                  [](const Setting &setting) {
                                                    return setting.name;
                                                  }),
                                  ", "));
    if (!found->read(value, options))
      return makeError("'" + name + "' is '" + value + "', wanted " +
                       found->values);
  }
  // What would be passed over in silence is refused.
  if (options.algorithm || options.initialize)
    for (StringRef part : parts) {
      StringRef name = part.split('=').first;
      if (!part.starts_with("loss=output:") && name != "output" &&
          name != "evaluate" && name != "algorithm" && name != "initialize")
        return makeError("'" + name +
                         "' can't be set where the model's own algorithm "
                         "trains: only its loss can, by loss=output:NAME");
    }
  bool hasMomentum = options.optimizer == OptimizerKind::SGD ||
                     options.optimizer == OptimizerKind::RMSProp;
  if (options.momentum > 0 && !hasMomentum)
    return makeError("'momentum' is of sgd and rmsprop only");
  if (!options.functionFile.empty() &&
      options.optimizer != OptimizerKind::Function)
    return makeError("'optimizer-file' needs optimizer=function:DOMAIN.NAME");
  if (options.nesterov &&
      (options.optimizer != OptimizerKind::SGD || options.momentum == 0))
    return makeError("'nesterov' needs sgd with a momentum above 0");
  if (options.loss != LossKind::CrossEntropy &&
      (options.labelSmoothing > 0 || options.ignoreIndex ||
       !options.classWeights.empty()))
    return makeError("'label-smoothing', 'ignore-index' and 'class-weights' "
                     "are of cross-entropy only");
  return options;
}

std::string TrainingOptions::describe() {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const Setting &setting : settings)
    os << setting.name << "=" << setting.values << ": " << setting.help << "\n";
  return text;
}
