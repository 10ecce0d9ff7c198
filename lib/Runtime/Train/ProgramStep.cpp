//===- ProgramStep.cpp - A compiled training step for the loop ------------===//

#include "weft/Runtime/Train/ProgramStep.h"
#include "weft/Runtime/Data/Types.h"
#include <cstdio>
#include <cstring>

using namespace weft;
using namespace weft::train;
using data::Error;
using data::Result;
using data::Status;

/// The error of the runtime call that failed last on this thread.
static Status getError(weft_status status) {
  // The message begins with the code, which the status has as well.
  std::string text = weft_last_error();
  size_t colon = text.find(": ");
  if (text.starts_with("WFT") && colon != std::string::npos)
    text.erase(0, colon + 2);
  return Status::ofRuntime(status, text);
}

/// The name of the field of `batch` that has `number` among its integers, and
/// the position of its sample; null if there is none.
static const char *findNumber(const weft_program *program,
                              const data::Batch &batch, int64_t number,
                              size_t &position) {
  size_t field = 0;
  for (int i = 0; i < program->num_inputs; ++i) {
    if (program->inputs[i].role != WEFT_ROLE_DATA)
      continue;
    const weft_tensor &tensor = batch.tensors[field++];
    int64_t width = weft_dtype_bytes(tensor.dtype);
    if (tensor.dtype != WEFT_I64 && tensor.dtype != WEFT_I32)
      continue;
    for (int64_t at = 0; at < tensor.bytes; at += width) {
      const char *element = static_cast<const char *>(tensor.data) + at;
      int64_t wide = 0;
      int32_t narrow = 0;
      memcpy(width == 8 ? static_cast<void *>(&wide) : &narrow, element, width);
      position = at / (tensor.bytes / batch.size());
      if ((width == 8 ? wide : narrow) == number)
        return program->inputs[i].name;
    }
  }
  return nullptr;
}

/// The error of a run on `batch`. Where it is about an index that the data
/// have, the sample is named.
static Status getError(weft_status status, const weft_program *program,
                       const data::Batch &batch) {
  Status error = getError(status);
  long long index = 0;
  size_t position = 0;
  if (status != WEFT_ERROR_FAULT_INDEX ||
      sscanf(error.text().c_str(), "index %lld", &index) != 1)
    return error;
  const char *name = findNumber(program, batch, index, position);
  if (!name)
    return error;
  return Status::ofRuntime(status, error.text() + "; '" + name +
                                       "' of sample " +
                                       std::to_string(batch.samples[position]) +
                                       " is " + std::to_string(index) +
                                       "; correct it, or leave the sample out");
}

static int findInput(const weft_program *program, const char *name) {
  for (int i = 0; i < program->num_inputs; ++i)
    if (!strcmp(program->inputs[i].name, name))
      return i;
  return -1;
}

Result<std::unique_ptr<ProgramStep>>
ProgramStep::create(weft_model *training, weft_model *evaluation,
                    const weft_session_options &options, int64_t accumulate) {
  std::unique_ptr<ProgramStep> step(new ProgramStep);
  step->accumulate = accumulate;
  step->training = weft_model_program(training);
  if (weft_status status =
          weft_trainer_create(training, &options, &step->owner))
    return getError(status);
  if (!evaluation)
    return step;
  step->evaluation = weft_model_program(evaluation);
  if (weft_status status =
          weft_session_create(evaluation, &options, &step->evaluating))
    return getError(status);
  if (Status status = step->bindEvaluation(); !status.ok())
    return status;
  return step;
}

ProgramStep::~ProgramStep() {
  weft_session_release(evaluating);
  weft_trainer_release(owner);
}

Status ProgramStep::bindEvaluation() {
  inputs.resize(evaluation->num_inputs);
  for (int i = 0; i < evaluation->num_inputs; ++i) {
    const char *name = evaluation->inputs[i].name;
    int32_t state = weft_trainer_find_state(owner, name);
    fields.push_back(-1);
    if (state >= 0) {
      if (weft_status status =
              weft_trainer_lend(owner, state, evaluating, i, &inputs[i]))
        return getError(status);
      continue;
    }
    int input = findInput(training, name);
    if (input < 0 || training->inputs[input].role != WEFT_ROLE_DATA)
      return Status(Error::Mismatch, std::string("input '") + name +
                                         "' of the evaluation is neither an "
                                         "input nor a state of the training");
    int field = 0;
    for (int other = 0; other < input; ++other)
      field += training->inputs[other].role == WEFT_ROLE_DATA;
    fields.back() = field;
  }
  return {};
}

Result<std::vector<data::Want>> ProgramStep::wants() const {
  std::vector<data::Want> wants;
  for (int i = 0; i < training->num_inputs; ++i) {
    if (training->inputs[i].role != WEFT_ROLE_DATA)
      continue;
    Result<data::Want> want = data::wantOf(training->inputs[i]);
    if (!want.ok())
      return want.status();
    wants.push_back(want.take());
  }
  return wants;
}

/// The number of a scalar result, NaN if it has none of the types f32 and f64.
static double readNumber(const weft_tensor &tensor) {
  if (tensor.dtype == WEFT_F64)
    return *static_cast<const double *>(tensor.data);
  return tensor.dtype == WEFT_F32 ? *static_cast<const float *>(tensor.data)
                                  : NAN;
}

/// Sets how many batches of the update under way have been, so that the next
/// one is the last.
Status ProgramStep::makeLast() {
  int32_t number = weft_trainer_find_state(owner, WEFT_BATCHES_NAME);
  weft_tensor batches;
  if (weft_status status = weft_trainer_state(owner, number, &batches))
    return getError(status);
  *static_cast<int64_t *>(batches.data) = accumulate - 1;
  if (weft_status status = weft_trainer_changed(owner, number))
    return getError(status);
  return {};
}

/// What the losses are multiplied by in the next step; NaN if by nothing.
double ProgramStep::getScale() {
  int32_t number = weft_trainer_find_state(owner, WEFT_SCALE_NAME);
  weft_tensor scale;
  if (number < 0 || weft_trainer_state(owner, number, &scale))
    return NAN;
  return readNumber(scale);
}

Result<Step::Outcome> ProgramStep::update(const data::Batch &batch, float rate,
                                          int64_t seed, bool isLast) {
  if (isLast && accumulate > 1)
    if (Status status = makeLast(); !status.ok())
      return status;
  Outcome outcome{.scale = getScale()};
  std::vector<weft_tensor> outputs;
  size_t loss = 0;
  for (int i = 0; i < training->num_outputs; ++i) {
    weft_role role = training->outputs[i].role;
    if (role == WEFT_ROLE_PARAMETER || role == WEFT_ROLE_STATE)
      continue;
    if (role == WEFT_ROLE_LOSS)
      loss = outputs.size();
    outputs.push_back({});
  }
  if (weft_status status =
          weft_step(owner, batch.tensors.size(), batch.tensors.data(), rate,
                    seed, outputs.size(), outputs.data()))
    return getError(status, training, batch);
  outcome.loss = readNumber(outputs[loss]);
  outcome.isSkipped = getScale() < outcome.scale;
  return outcome;
}

Result<Step::Evaluation> ProgramStep::evaluate(const data::Batch &batch) {
  if (!evaluating)
    return Status(Error::Option, "there is no program to evaluate with");
  for (size_t i = 0; i < inputs.size(); ++i)
    if (fields[i] >= 0)
      inputs[i] = batch.tensors[fields[i]];
  std::vector<weft_tensor> outputs(evaluation->num_outputs);
  if (weft_status status =
          weft_session_run(evaluating, inputs.size(), inputs.data(),
                           outputs.size(), outputs.data()))
    return getError(status, training, batch);
  Evaluation result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    weft_role role = evaluation->outputs[i].role;
    if (role == WEFT_ROLE_LOSS)
      result.loss = readNumber(outputs[i]);
    if (role == WEFT_ROLE_METRIC)
      result.accuracy = readNumber(outputs[i]);
  }
  return result;
}

void ProgramStep::expect(const data::Batch &batch) {
  weft_trainer_expect(owner, batch.tensors.size(), batch.tensors.data());
}

bool ProgramStep::wantsAhead() const { return training->device; }

Status ProgramStep::setState() {
  for (int32_t i = 0; i < weft_trainer_num_states(owner); ++i)
    if (weft_status status = weft_trainer_changed(owner, i))
      return getError(status);
  return {};
}

Result<std::vector<NamedTensor>> ProgramStep::state() {
  std::vector<NamedTensor> tensors;
  for (int32_t i = 0; i < weft_trainer_num_states(owner); ++i) {
    weft_tensor tensor;
    if (weft_status status = weft_trainer_state(owner, i, &tensor))
      return getError(status);
    tensors.push_back({weft_trainer_state_port(owner, i)->name,
                       tensor.dtype,
                       {tensor.dims, tensor.dims + tensor.rank},
                       static_cast<std::byte *>(tensor.data),
                       tensor.bytes});
  }
  return tensors;
}
