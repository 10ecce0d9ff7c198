//===- Preprocess.cpp - Samples that go through a program -----------------===//

#include "weft/Runtime/Data/Preprocess.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

using namespace weft::data;

//===----------------------------------------------------------------------===//
// Inputs and outputs
//===----------------------------------------------------------------------===//

/// Whether sizes that are known agree.
static bool fits(const Want &have, const Want &want) {
  return have.dtype == want.dtype && have.dims.size() == want.dims.size() &&
         std::equal(have.dims.begin(), have.dims.end(), want.dims.begin(),
                    [](int64_t one, int64_t other) {
                      return one == -1 || other == -1 || one == other;
                    });
}

static std::string list(std::span<const Want> wants) {
  std::string text;
  for (const Want &want : wants)
    text += (text.empty() ? "'" : ", '") + want.name + "', " +
            describe(want.dtype, want.dims);
  return text;
}

namespace {
class ProgramGraph : public Preprocess {
public:
  explicit ProgramGraph(weft_model *model) : model(model) {}

  /// Finds which want the graph makes.
  Status match(std::span<const Want> wants);

  std::span<const Want> wants() const override { return raw; }
  Result<std::unique_ptr<DataSet>>
  apply(std::unique_ptr<DataSet> set) const override;

  weft_model *model;
  std::vector<Field> made; ///< what the program takes
  std::vector<Want> raw;
  size_t target = 0;    ///< the want that the graph makes
  size_t numInputs = 0; ///< of the graph, in its place in `raw`
};
} // namespace

Status ProgramGraph::match(std::span<const Want> wants) {
  const weft_program *program = weft_model_program(model);
  if (program->num_outputs != 1)
    return Status(Error::Option, "the graph for samples has " +
                                     std::to_string(program->num_outputs) +
                                     " outputs, wanted one");
  Result<Want> output = wantOf(program->outputs[0]);
  if (!output.ok())
    return output.status();
  made.assign(wants.begin(), wants.end());
  auto found = std::find_if(wants.begin(), wants.end(), [&](const Want &want) {
    return want.name == output->name;
  });
  bool isNamed = found != wants.end();
  auto fitsOutput = [&](const Want &want) { return fits(*output, want); };
  if (!isNamed)
    found = std::find_if(wants.begin(), wants.end(), fitsOutput);
  bool isOnly =
      isNamed || std::count_if(wants.begin(), wants.end(), fitsOutput) == 1;
  if (found == wants.end() || !isOnly || !fitsOutput(*found))
    return Status(
        Error::Mismatch,
        "the graph for samples makes '" + output->name + "', " +
            describe(output->dtype, output->dims) +
            " of a sample, but the program takes " + list(wants) +
            "; give its output the name, the element type and the sizes "
            "of one of these");
  target = found - wants.begin();
  numInputs = program->num_inputs;
  for (size_t i = 0; i < wants.size(); ++i) {
    if (i != target) {
      raw.push_back(wants[i]);
      continue;
    }
    for (int32_t input = 0; input < program->num_inputs; ++input) {
      Result<Want> want = wantOf(program->inputs[input]);
      if (!want.ok())
        return want.status();
      raw.push_back(want.take());
    }
  }
  return {};
}

Result<std::unique_ptr<Preprocess>>
Preprocess::create(weft_model *model, std::span<const Want> wants) {
  auto graph = std::make_unique<ProgramGraph>(model);
  if (Status status = graph->match(wants); !status.ok())
    return status;
  return std::unique_ptr<Preprocess>(std::move(graph));
}

//===----------------------------------------------------------------------===//
// Samples
//===----------------------------------------------------------------------===//

namespace {
class PreprocessedSet : public DataSet {
public:
  PreprocessedSet(const ProgramGraph &graph, std::unique_ptr<DataSet> set)
      : graph(graph), set(std::move(set)) {}
  ~PreprocessedSet() override;

  /// Makes the first sample, and settles the sizes.
  Status initialize();

  int64_t size() const override { return set->size(); }
  std::span<const Field> fields() const override { return graph.made; }
  Status read(int64_t index, const Visit &visit,
              std::span<std::byte *const> out) const override;
  Status readField(size_t field, int64_t index, std::byte *out) const override {
    return field == graph.target ? DataSet::readField(field, index, out)
                                 : set->readField(getRaw(field), index, out);
  }

private:
  /// The field of the data that another than the graph's is.
  size_t getRaw(size_t field) const {
    return field < graph.target ? field : field + graph.numInputs - 1;
  }

  /// What one thread works with.
  struct Worker {
    weft_session *session = nullptr;
    Sample sample;
  };

  Result<std::unique_ptr<Worker>> take() const;
  void giveBack(std::unique_ptr<Worker> worker) const;
  Status run(Worker &worker, int64_t index, const Visit &visit,
             weft_tensor &output) const;
  Status check(int64_t index, const weft_tensor &output) const;

  ProgramGraph graph;
  std::unique_ptr<DataSet> set;
  mutable std::mutex mutex; ///< guards what follows
  mutable std::vector<std::unique_ptr<Worker>> idle;
};
} // namespace

PreprocessedSet::~PreprocessedSet() {
  for (std::unique_ptr<Worker> &worker : idle)
    weft_session_release(worker->session);
}

/// The runtime's last error, about a sample.
static Status getError(weft_status status, int64_t index) {
  std::string text = weft_last_error();
  size_t colon = text.find(": ");
  if (text.starts_with("WFT") && colon != std::string::npos)
    text.erase(0, colon + 2);
  return Status::ofRuntime(status, "the graph for samples, at sample " +
                                       std::to_string(index) + ": " + text);
}

Result<std::unique_ptr<PreprocessedSet::Worker>> PreprocessedSet::take() const {
  {
    std::lock_guard lock(mutex);
    if (!idle.empty()) {
      std::unique_ptr<Worker> worker = std::move(idle.back());
      idle.pop_back();
      return worker;
    }
  }
  auto worker = std::make_unique<Worker>();
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = 1;
  if (weft_status status =
          weft_session_create(graph.model, &options, &worker->session))
    return Status::ofRuntime(status, weft_last_error());
  return worker;
}

void PreprocessedSet::giveBack(std::unique_ptr<Worker> worker) const {
  std::lock_guard lock(mutex);
  idle.push_back(std::move(worker));
}

/// Makes a sample; `output` lies in the worker's memory.
Status PreprocessedSet::run(Worker &worker, int64_t index, const Visit &visit,
                            weft_tensor &output) const {
  if (Status status = set->readWhole(index, visit, worker.sample); !status.ok())
    return status;
  std::vector<weft_tensor> inputs;
  for (size_t i = 0; i < graph.numInputs; ++i) {
    weft_tensor tensor = worker.sample.tensors[graph.target + i];
    std::copy_backward(tensor.dims, tensor.dims + tensor.rank,
                       tensor.dims + tensor.rank + 1);
    tensor.dims[0] = 1;
    ++tensor.rank;
    inputs.push_back(tensor);
  }
  output = {};
  if (weft_status status =
          weft_session_run(worker.session, static_cast<int32_t>(inputs.size()),
                           inputs.data(), 1, &output))
    return getError(status, index);
  return {};
}

template <typename T> static bool hasNaN(const weft_tensor &tensor) {
  auto *begin = static_cast<const T *>(tensor.data);
  return std::any_of(begin, begin + tensor.bytes / sizeof(T),
                     [](T value) { return std::isnan(value); });
}

Status PreprocessedSet::check(int64_t index, const weft_tensor &output) const {
  const Field &want = graph.made[graph.target];
  Field have{want.name, output.dtype, {}};
  have.dims.assign(output.dims + std::min(output.rank, 1),
                   output.dims + output.rank);
  if (output.rank < 1 || output.dims[0] != 1 || !fits(have, want))
    return Status(
        Error::Mismatch,
        "of sample " + std::to_string(index) + " the graph for samples makes " +
            describe(output.dtype,
                     {output.dims, static_cast<size_t>(output.rank)}) +
            ", but the program's input '" + want.name + "' takes one " +
            describe(want.dtype, want.dims) +
            "; have it scale or crop to that");
  if ((output.dtype == WEFT_F32 && hasNaN<float>(output)) ||
      (output.dtype == WEFT_F64 && hasNaN<double>(output)))
    return Status(Error::Value, "of sample " + std::to_string(index) +
                                    " the graph for samples makes a NaN for '" +
                                    want.name + "'; look at the sample");
  return {};
}

Status PreprocessedSet::initialize() {
  Result<std::unique_ptr<Worker>> worker = take();
  if (!worker.ok())
    return worker.status();
  weft_tensor output;
  Status status = run(**worker, 0, Visit(), output);
  if (status.ok())
    status = check(0, output);
  if (status.ok())
    graph.made[graph.target].dims.assign(output.dims + 1,
                                         output.dims + output.rank);
  giveBack(worker.take());
  for (size_t i = 0; i < graph.made.size(); ++i)
    if (i != graph.target)
      graph.made[i] = set->fields()[getRaw(i)];
  return status;
}

Status PreprocessedSet::read(int64_t index, const Visit &visit,
                             std::span<std::byte *const> out) const {
  Result<std::unique_ptr<Worker>> worker = take();
  if (!worker.ok())
    return worker.status();
  weft_tensor output;
  Status status = run(**worker, index, visit, output);
  if (status.ok())
    status = check(index, output);
  const std::vector<weft_tensor> &raw = (*worker)->sample.tensors;
  for (size_t i = 0; status.ok() && i < out.size(); ++i) {
    const weft_tensor &from = i == graph.target ? output : raw[getRaw(i)];
    memcpy(out[i], from.data, from.bytes);
  }
  giveBack(worker.take());
  return status;
}

Result<std::unique_ptr<DataSet>>
ProgramGraph::apply(std::unique_ptr<DataSet> set) const {
  auto result = std::make_unique<PreprocessedSet>(*this, std::move(set));
  if (Status status = result->initialize(); !status.ok())
    return status;
  return std::unique_ptr<DataSet>(std::move(result));
}
