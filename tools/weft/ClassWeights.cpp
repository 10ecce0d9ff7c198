//===- ClassWeights.cpp - What labels of rare and frequent classes count --===//

#include "ClassWeights.h"
#include <cstdio>

using namespace weft;
using namespace weft::tool;

namespace {
/// The inputs of a step, its labels among them, and the number of classes.
struct Labelled {
  std::vector<data::Want> wants;
  int64_t classes = 0;
};
} // namespace

/// What setting `name` of a step is; empty if it is not there.
static std::string findSetting(const StepFlags &step, const std::string &name) {
  for (const std::string &setting : step.settings)
    if (setting.starts_with(name + "="))
      return setting.substr(name.size() + 1);
  return "";
}

static bool isFloat(weft_dtype dtype) {
  return dtype == WEFT_F32 || dtype == WEFT_F64 || dtype == WEFT_F16 ||
         dtype == WEFT_BF16;
}

/// Labels are like the output that the loss is of, without its classes.
static Labelled describeStep(const weft_program &program,
                             const StepFlags &step) {
  Labelled result;
  for (int32_t i = 0; i < program.num_inputs; ++i)
    result.wants.push_back(unwrap(data::wantOf(program.inputs[i])));
  std::string name = findSetting(step, "output");
  for (int32_t i = 0; i < program.num_outputs; ++i) {
    const weft_port &output = program.outputs[i];
    if (name.empty() ? !isFloat(output.dtype) : name != output.name)
      continue;
    if (output.rank < 2 || output.dims[1].symbol != -1)
      break;
    data::Want labels = unwrap(data::wantOf(output));
    result.classes = labels.dims[0];
    labels.name = "labels";
    labels.dtype = WEFT_I64;
    labels.dims.erase(labels.dims.begin());
    result.wants.push_back(labels);
    return result;
  }
  throw Exit{1, "error: WFT6001: '--class-weights balanced' needs a model with "
                "an output [N, classes, ...] of a number of classes that is "
                "known"};
}

/// The numbers of labels by class.
static std::vector<int64_t> countLabels(const data::DataSet &set,
                                        const std::vector<int64_t> &samples,
                                        int64_t classes, int64_t ignored) {
  size_t field = set.fields().size() - 1;
  std::vector<int64_t> labels(data::bytesOf(set.fields()[field]) / 8);
  std::vector<int64_t> counts(classes);
  for (int64_t sample : samples) {
    unwrap(set.readField(field, sample,
                         reinterpret_cast<std::byte *>(labels.data())));
    // One that is no class ends the training, when it is met.
    for (int64_t label : labels)
      if (label != ignored && label >= 0 && label < classes)
        ++counts[label];
  }
  return counts;
}

static std::string describeWeights(const std::vector<int64_t> &counts) {
  int64_t labels = 0, classes = 0;
  for (int64_t count : counts)
    labels += count, classes += count > 0;
  std::string text;
  for (int64_t count : counts) {
    double weight = count ? static_cast<double>(labels) /
                                (static_cast<double>(classes) * count)
                          : 1;
    char number[32];
    snprintf(number, sizeof number, "%s%.17g", text.empty() ? "" : ",", weight);
    text += number;
  }
  return text;
}

std::string weft::tool::balanceClasses(const std::string &path,
                                       const CompileFlags &compile,
                                       const StepFlags &step,
                                       const DataFlags &flags, uint64_t seed) {
  CompileFlags batches = compile;
  batches.batch = batches.batch.empty() ? "batch" : batches.batch;
  batches.keepFixedBatch = true;
  weft_compile_options options = batches.get(path);
  weft_reference *created = nullptr;
  char *message = nullptr;
  weft_outcome outcome =
      weft_reference_create(path.c_str(), &options, &created, &message);
  showProgress("");
  std::unique_ptr<weft_reference, void (*)(weft_reference *)> reference(
      created, weft_reference_release);
  check(outcome, message);
  const weft_program &program = *weft_reference_program(created);
  Labelled wanted = describeStep(program, step);
  DataFlags data = flags;
  data.validation.clear();
  std::unique_ptr<LoadedModel> graph;
  if (!data.preprocess.empty())
    graph = LoadedModel::ofGraph(encodeGraph(data.preprocess), compile);
  TrainData opened =
      openTrainData(data, wanted.wants, program, seed, std::move(graph));
  const data::DataSet &set = opened.training().dataSet();
  data::Split split = unwrap(data::splitSamples(set.size(), data.split, seed));
  std::string ignored = findSetting(step, "ignore-index");
  return describeWeights(countLabels(
      set, split.training, wanted.classes,
      ignored.empty() ? -1 : strtoll(ignored.c_str(), nullptr, 10)));
}
