//===- RunData.cpp - weft run --data --------------------------------------===//
//
// Runs a model on samples that come the way that they come in training: from
// the same data sets, with what the model's properties say of them.
//
//===----------------------------------------------------------------------===//

#include "RunData.h"
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace weft;
using namespace weft::tool;
using nlohmann::json;

/// Takes from the model's properties what the flags do not say.
static std::vector<std::string> addProperties(const std::string &model,
                                              DataFlags &data) {
  std::string text = readProperty(model, "weft.train.input");
  json input = json::parse(text.empty() ? "{}" : text, nullptr, false);
  json classes =
      json::parse(readProperty(model, "weft.train.classes"), nullptr, false);
  if (input.is_discarded() || !input.is_object())
    throw Exit{1, "error: WFT6010: the property 'weft.train.input' of '" +
                      model + "' is damaged"};
  data::DataOptions &form = data.form;
  auto take = [&](const char *key, auto &to) {
    if (to.empty() && input.contains(key))
      input[key].get_to(to);
  };
  if (data.preprocess.empty()) {
    take("mean", form.transform.mean);
    take("std", form.transform.deviation);
  }
  take("columns", form.csv.columns);
  take("crop", data.imageSize);
  if (!form.shorterSide && input.contains("shorter_side"))
    form.shorterSide = input["shorter_side"];
  return classes.is_array() ? classes.get<std::vector<std::string>>()
                            : std::vector<std::string>();
}

namespace {
/// The outputs of all batches, one behind the other.
class Outputs {
public:
  explicit Outputs(const weft_program &program)
      : program(program), bytes(program.num_outputs),
        whole(program.num_outputs) {}

  void add(const std::vector<weft_tensor> &batch, int64_t samples);
  /// Output `index` as one tensor; valid as long as this.
  weft_tensor get(size_t index) {
    whole[index].data = bytes[index].data();
    whole[index].bytes = static_cast<int64_t>(bytes[index].size());
    return whole[index];
  }

private:
  const weft_program &program;
  std::vector<std::string> bytes;
  std::vector<weft_tensor> whole;
};
} // namespace

void Outputs::add(const std::vector<weft_tensor> &batch, int64_t samples) {
  for (size_t i = 0; i < batch.size(); ++i) {
    weft_tensor one = batch[i];
    weft_tensor &all = whole[i];
    bool isSame = one.rank > 0 && one.dims[0] == samples;
    if (isSame && all.rank)
      isSame = std::equal(one.dims + 1, one.dims + one.rank, all.dims + 1);
    if (!isSame)
      throw Exit{1, "error: WFT6010: output '" +
                        std::string(program.outputs[i].name) + "' is " +
                        describe(one) + " of " + std::to_string(samples) +
                        " samples: it has no row for each, of one size"};
    int64_t before = all.rank ? all.dims[0] : 0;
    all = one;
    all.dims[0] += before;
    bytes[i].append(static_cast<const char *>(one.data), one.bytes);
  }
}

/// A line per sample: the class with the highest score.
static void printClasses(const weft_tensor &scores,
                         const std::vector<std::string> &classes) {
  if (scores.rank != 2 || scores.dtype != WEFT_F32 ||
      scores.dims[1] != static_cast<int64_t>(classes.size()))
    return;
  auto *row = static_cast<const float *>(scores.data);
  for (int64_t i = 0; i < scores.dims[0]; ++i, row += classes.size()) {
    size_t best = std::max_element(row, row + classes.size()) - row;
    printf("sample %lld: %s (%g)\n", static_cast<long long>(i),
           classes[best].c_str(), row[best]);
  }
}

static std::vector<data::Want> listWants(const weft_program &program) {
  std::vector<data::Want> wants;
  for (int32_t i = 0; i < program.num_inputs; ++i)
    wants.push_back(unwrap(data::wantOf(program.inputs[i])));
  return wants;
}

void weft::tool::runData(const std::string &path, CompileFlags compile,
                         DataFlags data, const std::string &folder,
                         int threads) {
  bool isModel = !path.ends_with(".so");
  std::string graph;
  if (!data.preprocess.empty())
    graph = encodeGraph(data.preprocess);
  else if (isModel)
    graph = readProperty(path, WEFT_PREPROCESS_PROPERTY);
  std::vector<std::string> classes;
  if (isModel)
    classes = addProperties(path, data);
  if (compile.batch.empty()) {
    compile.batch = "batch";
    compile.keepFixedBatch = true;
  }
  LoadedModel model(path, compile);
  const weft_program &program = model.program();
  data.inOrder = true;
  data.form.csv.findLabel = data.form.csv.columns.empty();
  TrainData samples = openTrainData(
      data, listWants(program), program, 0,
      graph.empty() ? nullptr : LoadedModel::ofGraph(graph, compile));
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = threads;
  Session session = createSession(model, options);
  Outputs outputs(program);
  data::Loader &loader = samples.training();
  loader.start(0, 0);
  while (const data::Batch *batch = unwrap(loader.next())) {
    std::vector<weft_tensor> results(program.num_outputs);
    check(weft_session_run(session.get(), batch->tensors.size(),
                           batch->tensors.data(), results.size(),
                           results.data()));
    outputs.add(results, batch->size());
  }
  int64_t left = loader.dataSet().size() - loader.samples();
  if (left)
    fprintf(stderr,
            "warning: the last %lld samples are left out: the model takes "
            "batches of %lld\n",
            static_cast<long long>(left),
            static_cast<long long>(samples.batch()));
  OutputFiles files;
  if (!folder.empty())
    createFolder(folder);
  for (int32_t i = 0; i < program.num_outputs; ++i) {
    weft_tensor output = outputs.get(i);
    printf("%s: %s\n", program.outputs[i].name, describe(output).c_str());
    if (!folder.empty())
      files.add(folder + "/output_" + std::to_string(i) + ".npy",
                formatArray(output));
  }
  files.keep();
  if (!classes.empty())
    printClasses(outputs.get(0), classes);
}
