//===- Run.cpp - weft run -------------------------------------------------===//

#include "Commands.h"
#include <cstdio>
#include <sys/stat.h>

using namespace weft::tool;

namespace {
struct RunFlags {
  CompileFlags compile;
  std::string model, outputs, profile, sizes;
  std::vector<std::string> inputs;
  bool random = false;
  int threads = 0;
};
} // namespace

static void run(const RunFlags &flags) {
  LoadedModel model(flags.model, flags.compile);
  const weft_program &program = model.program();
  std::vector<OwnedTensor> owned =
      makeInputs(program, flags.inputs, flags.random, flags.sizes);
  std::vector<weft_tensor> inputs, outputs(program.num_outputs);
  for (const OwnedTensor &input : owned)
    inputs.push_back(input.tensor);

  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = flags.threads;
  options.profile = !flags.profile.empty();
  weft_session *session = nullptr;
  check(weft_session_create(model.get(), &options, &session));
  std::unique_ptr<weft_session, void (*)(weft_session *)> release(
      session, weft_session_release);

  // The plan is told before it is carried out.
  std::vector<int64_t> symbols(program.num_symbols);
  check(weft_session_bind_symbols(session, inputs.size(), inputs.data(),
                                  symbols.data()));
  int64_t arena = 0;
  check(weft_session_arena_bytes(session, symbols.size(), symbols.data(),
                                 &arena));
  fprintf(stderr, "arena: %lld bytes planned\n", static_cast<long long>(arena));
  check(weft_session_run(session, inputs.size(), inputs.data(), outputs.size(),
                         outputs.data()));
  if (!flags.outputs.empty())
    mkdir(flags.outputs.c_str(), 0777);
  for (int32_t i = 0; i < program.num_outputs; ++i) {
    printf("%s: %s\n", program.outputs[i].name, describe(outputs[i]).c_str());
    if (!flags.outputs.empty())
      writeArray(flags.outputs + "/output_" + std::to_string(i) + ".npy",
                 outputs[i]);
  }
  if (!flags.profile.empty())
    check(weft_session_write_trace(session, flags.profile.c_str()));
}

void weft::tool::addRun(CLI::App &app) {
  CLI::App *command =
      app.add_subcommand("run", "Run a model or a compiled program once");
  auto flags = std::make_shared<RunFlags>();
  command->add_option("model", flags->model, "Model, or .so that weft compiled")
      ->required();
  command->add_option("--input", flags->inputs,
                      "An input: NAME=FILE.npy; may be repeated");
  command->add_flag("--random", flags->random,
                    "Make up the inputs that are not given");
  command->add_option("--size", flags->sizes,
                      "Symbolic sizes of made-up inputs: N=8,M=4 [1]");
  command->add_option("--outputs", flags->outputs,
                      "Write outputs to this folder, output_0.npy and so on");
  command->add_option("--threads", flags->threads,
                      "Threads of the run [all processors]");
  command->add_option("--profile", flags->profile,
                      "Write a Chrome trace of the kernels to this file");
  flags->compile.add(*command);
  command->callback([=] { run(*flags); });
}
