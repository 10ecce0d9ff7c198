//===- Run.cpp - weft run -------------------------------------------------===//

#include "Commands.h"
#include "NotFinite.h"
#include "RunData.h"
#include <cstdio>

using namespace weft::tool;

namespace {
struct RunFlags {
  CompileFlags compile;
  InputFlags inputs;
  DataFlags data;
  std::string model, outputs, profile;
  bool reference = false, checkNan = false;
  int threads = 0;
  // Those of ONNX's own test runner.
  double relative = 1e-3, absolute = 1e-7;
};

/// What runs a model.
class Runner {
public:
  virtual ~Runner() = default;
  virtual const weft_program &program() = 0;
  /// The outputs live as long as the runner.
  virtual std::vector<weft_tensor>
  run(const std::vector<weft_tensor> &inputs) = 0;
};

/// Runs the compiled program.
class CompiledRunner : public Runner {
public:
  explicit CompiledRunner(const RunFlags &flags)
      : model(flags.model, flags.compile), profile(flags.profile) {
    weft_session_options options;
    weft_session_options_init(&options);
    options.threads = flags.threads;
    options.profile = !profile.empty();
    options.memory_budget = flags.compile.memoryBudget;
    if (flags.checkNan) {
      search = std::make_unique<NotFiniteSearch>(
          flags.model.c_str(), flags.compile.get(flags.model), model.program());
      showProgress("");
      if (!search->problem.empty())
        throw Exit{1, search->problem};
      search->watch(options);
    }
    session = createSession(model, options);
  }
  const weft_program &program() override { return model.program(); }
  std::vector<weft_tensor> run(const std::vector<weft_tensor> &inputs) override;

private:
  LoadedModel model;
  std::unique_ptr<NotFiniteSearch> search;
  Session session{nullptr, weft_session_release};
  std::string profile;
};

/// Runs the reference evaluator.
class ReferenceRunner : public Runner {
public:
  explicit ReferenceRunner(const RunFlags &flags);
  const weft_program &program() override {
    return *weft_reference_program(reference.get());
  }
  std::vector<weft_tensor> run(const std::vector<weft_tensor> &inputs) override;

private:
  std::unique_ptr<weft_reference, void (*)(weft_reference *)> reference{
      nullptr, weft_reference_release};
};
} // namespace

std::vector<weft_tensor>
CompiledRunner::run(const std::vector<weft_tensor> &inputs) {
  // The plan is told before it is carried out.
  std::vector<int64_t> symbols(program().num_symbols);
  check(weft_session_bind_symbols(session.get(), inputs.size(), inputs.data(),
                                  symbols.data()));
  int64_t planned = 0;
  check(weft_session_arena_bytes(session.get(), symbols.size(), symbols.data(),
                                 &planned));
  fprintf(stderr, "arena: %lld bytes planned\n",
          static_cast<long long>(planned));
  std::vector<weft_tensor> outputs(program().num_outputs);
  check(weft_session_run(session.get(), inputs.size(), inputs.data(),
                         outputs.size(), outputs.data()));
  if (search && !search->problem.empty())
    throw Exit{1, search->problem};
  if (search && !search->found.empty())
    throw Exit{1, "error: WFT6009: " + search->found};
  int64_t taken = weft_session_arena_taken(session.get());
  if (taken != planned)
    throw Exit{1, "error: WFT6008: the run took an arena of " +
                      std::to_string(taken) + " bytes, not what was planned"};
  if (!profile.empty())
    check(weft_session_write_trace(session.get(), profile.c_str()));
  return outputs;
}

ReferenceRunner::ReferenceRunner(const RunFlags &flags) {
  if (!flags.profile.empty() || flags.threads || flags.checkNan)
    throw Exit{
        2, "error: WFT6001: the reference evaluator has one thread, no profile "
           "and no checks: leave --threads, --profile and --check-nan out"};
  weft_compile_options options = flags.compile.get(flags.model);
  weft_reference *created = nullptr;
  char *message = nullptr;
  weft_outcome outcome =
      weft_reference_create(flags.model.c_str(), &options, &created, &message);
  showProgress("");
  check(outcome, message);
  reference.reset(created);
}

std::vector<weft_tensor>
ReferenceRunner::run(const std::vector<weft_tensor> &inputs) {
  std::vector<weft_tensor> outputs(program().num_outputs);
  char *message = nullptr;
  showProgress("evaluating");
  weft_outcome outcome =
      weft_reference_run(reference.get(), inputs.size(), inputs.data(),
                         outputs.size(), outputs.data(), &message);
  showProgress("");
  check(outcome, message);
  return outputs;
}

/// Compares an output with what it should be, says so, and returns whether it
/// is.
static bool compare(const weft_tensor &got, const weft_tensor &want,
                    const std::string &file, const RunFlags &flags) {
  weft_difference difference;
  char *message = nullptr;
  weft_outcome outcome = weft_tensor_compare(
      &got, &want, flags.relative, flags.absolute, &difference, &message);
  if (outcome != WEFT_OUTCOME_OK) {
    printf("  differs from %s: it is %s, wanted %s\n", file.c_str(),
           describe(got).c_str(), describe(want).c_str());
    weft_message_free(message);
    return false;
  }
  if (difference.worst < 0) {
    printf("  equals %s: it is empty\n", file.c_str());
    return true;
  }
  printf("  %s %s: %lld of %lld elements outside the tolerance; furthest out "
         "%.9g at %s, wanted %.9g (off by %.3g, allowed %.3g)\n",
         difference.outside ? "differs from" : "agrees with", file.c_str(),
         static_cast<long long>(difference.outside),
         static_cast<long long>(difference.elements), difference.got,
         describePosition(got, difference.worst).c_str(), difference.want,
         difference.error, difference.allowed);
  return difference.outside == 0;
}

/// Runs the model on a data set.
static void runSamples(const RunFlags &flags) {
  if (flags.inputs.random || !flags.inputs.files.empty() ||
      !flags.inputs.folder.empty() || flags.reference || flags.checkNan ||
      !flags.profile.empty())
    throw Exit{2, "error: WFT6001: --data gives all inputs to a compiled "
                  "program: leave --input, --inputs, --random, --reference, "
                  "--check-nan and --profile out"};
  if (flags.compile.raw)
    throw Exit{2, "error: WFT6001: samples of --data go through the graph that "
                  "the model carries in any case: leave --raw out"};
  CompileFlags compile = flags.compile;
  DataFlags data = flags.data;
  data.preprocess = std::move(compile.preprocess);
  compile.preprocess.clear();
  runData(flags.model, std::move(compile), std::move(data), flags.outputs,
          flags.threads);
}

static void run(const RunFlags &flags) {
  if (!flags.data.training.empty())
    return runSamples(flags);
  std::unique_ptr<Runner> runner;
  if (flags.reference)
    runner = std::make_unique<ReferenceRunner>(flags);
  else
    runner = std::make_unique<CompiledRunner>(flags);
  const weft_program &program = runner->program();
  DataSet data = flags.inputs.read(program, flags.compile.dims);
  std::vector<weft_tensor> outputs = runner->run(borrow(data.inputs));

  OutputFiles files;
  if (!flags.outputs.empty())
    createFolder(flags.outputs);
  bool isRight = true;
  for (int32_t i = 0; i < program.num_outputs; ++i) {
    printf("%s: %s\n", program.outputs[i].name, describe(outputs[i]).c_str());
    if (!flags.outputs.empty())
      files.add(flags.outputs + "/output_" + std::to_string(i) + ".npy",
                formatArray(outputs[i]));
    const OwnedTensor &want = data.outputs[i];
    if (want.tensor.data)
      isRight &= compare(outputs[i], want.tensor, data.outputFiles[i], flags);
  }
  files.keep();
  if (!isRight)
    throw Exit{1, ""};
}

void weft::tool::addRun(CLI::App &app) {
  CLI::App *command =
      app.add_subcommand("run", "Run a model or a compiled program once");
  command->footer(
      "The bytes of the arena that the run will take are told on standard "
      "error before it starts.\n\n"
      "  weft run model.onnx --random --dim N=4\n"
      "  weft run model.so --input x=x.npy --outputs results\n"
      "  weft run model.onnx --inputs test_data_set_0\n"
      "  weft run tuned.onnx --data images --outputs results\n\n"
      "Exit codes: 0 done, 1 error, or an output differs from what --inputs "
      "says; 2 wrong usage, 77 the model asks for something that has no "
      "lowering.");
  auto flags = std::make_shared<RunFlags>();
  command->add_option("model", flags->model, "Model, or .so that weft compiled")
      ->required();
  flags->inputs.add(*command);
  command->add_option("--data", flags->data.training,
                      "Run the model on samples as weft train takes them, "
                      "prepared as the model's properties say, which that "
                      "writes; outputs have a row for each");
  command
      ->add_option("--batch", flags->data.batch,
                   "With --data: samples of a run [32]")
      ->check(CLI::PositiveNumber);
  flags->data.addForms(*command);
  command->add_option("--outputs", flags->outputs,
                      "Write outputs to this folder, output_0.npy and so on; "
                      "all of them appear when all are complete");
  command->add_option("--rtol", flags->relative,
                      "How far an element may be from that of output_0.pb, as "
                      "a part of that [1e-3]");
  command->add_option("--atol", flags->absolute, "And how much more [1e-7]");
  command->add_flag("--reference", flags->reference,
                    "Do not compile: evaluate op by op with naive loops, which "
                    "is what compiled programs are compared with. Slow");
  command->add_flag("--check-nan", flags->checkNan,
                    "End with an error that names the first node that makes an "
                    "infinite number or NaN of finite ones");
  command->add_option("--threads", flags->threads,
                      "Threads of the run [all processors]");
  command->add_option("--profile", flags->profile,
                      "Write a Chrome trace of the kernels to this file");
  flags->compile.add(*command);
  flags->compile.addFront(*command);
  command->callback([=] { run(*flags); });
}
