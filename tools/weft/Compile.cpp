//===- Compile.cpp - weft inspect, check and compile ----------------------===//

#include "Commands.h"
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace weft::tool;

void CompileFlags::add(CLI::App &app) {
  app.add_option("--mcpu", mcpu,
                 "Processor to compile for, as LLVM calls it "
                 "[this machine's]");
  app.add_option("--target", target, "What kernels run on: cpu or cuda [cpu]");
  app.add_option("--cuda-arch", cudaArch,
                 "Oldest GPU to compile for, with --target cuda [sm_80]");
  app.add_flag("--cuda-tf32", cudaTF32,
               "Let products of f32, with --target cuda, round their operands "
               "to 11 bits of precision (tf32), which tensor cores take");
  app.add_option("--dim", dims,
                 "Limits of symbolic sizes: N=1:64,M=8 [none]. Made-up inputs "
                 "take the least");
  app.add_option("--batch-dim", batch,
                 "Make the first dimension of all inputs, where it is fixed, a "
                 "symbol of this name, so that a model that was exported for "
                 "one size takes batches of any size [it stays fixed]");
  app.add_option("--memory-budget", memoryBudget,
                 "Most memory that a run may be planned to take, such as 2GiB "
                 "or 500MB, of the GPU with --target cuda: arena, constants, "
                 "inputs, outputs and the state of training. What takes more "
                 "is refused before it runs [any]")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true));
  app.add_option("--dump-stages", dumpStages,
                 "Write the IR after each stage to this folder");
  app.add_option("--start-at", startAt,
                 "Stage that a .mlir input is of: import, tensor, "
                 "differentiate, dispatch, "
                 "kernel or host [import]");
  app.add_option("-O", optLevel, "Effort of LLVM, 0 to 3 [3]")
      ->check(CLI::Range(0, 3));
}

void CompileFlags::addFront(CLI::App &app) {
  CLI::Option *file = app.add_option(
      "--preprocess", preprocess,
      "Put this ONNX graph in front of the model: its output becomes the input "
      "of that name, or the only one that it fits [none]");
  app.add_flag("--raw", raw,
               "Put the graph in front that the model carries since it was "
               "trained with --preprocess")
      ->excludes(file);
}

static const char *orNull(const std::string &text) {
  return text.empty() ? nullptr : text.c_str();
}

weft_compile_options CompileFlags::get(const std::string &path) const {
  weft_compile_options options;
  weft_compile_options_init(&options);
  graph.clear();
  if (!preprocess.empty())
    graph = encodeGraph(preprocess);
  if (raw)
    graph = readProperty(path, WEFT_PREPROCESS_PROPERTY);
  if (raw && graph.empty())
    throw Exit{1, "error: WFT6010: '" + path +
                      "' carries no graph for samples, as weft train "
                      "--preprocess stores it; name one with --preprocess"};
  options.preprocess = orNull(graph);
  options.mcpu = orNull(mcpu);
  options.target = orNull(target);
  options.cuda_arch = orNull(cudaArch);
  options.cuda_tf32 = cudaTF32;
  options.dims = orNull(dims);
  options.batch = orNull(batch);
  options.keep_fixed_batch = keepFixedBatch;
  options.dump_stages = orNull(dumpStages);
  options.start_at = orNull(startAt);
  options.opt_level = optLevel;
  options.memory_budget = memoryBudget;
  options.training = training ? training->c_str() : nullptr;
  options.progress = [](void *, const char *step) { showProgress(step); };
  return options;
}

void weft::tool::showProgress(const std::string &text) {
  if (isatty(STDERR_FILENO))
    fprintf(stderr, "\r\x1b[K%s", text.c_str());
}

/// Takes over a message of the C API.
static std::string take(char *message) {
  std::string text = message ? message : "";
  weft_message_free(message);
  return text;
}

void weft::tool::check(weft_outcome outcome, char *message) {
  std::string text = take(message);
  if (outcome != WEFT_OUTCOME_OK)
    throw Exit{outcome, text};
  fputs(text.c_str(), stderr);
}

void weft::tool::check(weft_status status) {
  if (status)
    throw Exit{1, "error: " + std::string(weft_last_error())};
}

static bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string weft::tool::encodeGraph(const std::string &path) {
  char *graph = nullptr, *message = nullptr;
  weft_outcome outcome = weft_encode_graph(path.c_str(), &graph, &message);
  std::string text = take(graph);
  check(outcome, message);
  return text;
}

std::string weft::tool::readProperty(const std::string &path, const char *key) {
  char *value = nullptr, *message = nullptr;
  weft_outcome outcome =
      weft_read_property(path.c_str(), key, &value, &message);
  std::string text = take(value);
  check(outcome, message);
  return text;
}

LoadedModel::LoadedModel(const std::string &path, const CompileFlags &flags) {
  if (endsWith(path, ".so")) {
    if (flags.raw || !flags.preprocess.empty())
      throw Exit{2, "error: WFT6001: '" + path +
                        "' is compiled already: put a graph in front of its "
                        "model with weft compile"};
    check(weft_model_open(path.c_str(), &model));
    return;
  }
  auto began = std::chrono::steady_clock::now();
  weft_compile_options options = flags.get(path);
  char *message = nullptr;
  weft_outcome outcome =
      weft_compile_file(path.c_str(), &options, &compiled, &message);
  showProgress("");
  check(outcome, message);
  compileSeconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began)
          .count();
  check(weft_model_wrap(weft_compiled_program(compiled), nullptr, &model));
}

std::unique_ptr<LoadedModel> LoadedModel::ofGraph(const std::string &graph,
                                                  const CompileFlags &flags) {
  // On the processor, whatever the model runs on.
  weft_compile_options options;
  weft_compile_options_init(&options);
  options.mcpu = orNull(flags.mcpu);
  options.opt_level = flags.optLevel;
  std::unique_ptr<LoadedModel> result(new LoadedModel);
  char *message = nullptr;
  weft_outcome outcome =
      weft_compile_graph(graph.c_str(), &options, &result->compiled, &message);
  check(outcome, message);
  check(weft_model_wrap(weft_compiled_program(result->compiled), nullptr,
                        &result->model));
  return result;
}

LoadedModel::~LoadedModel() {
  weft_model_release(model);
  if (compiled)
    weft_compiled_release(compiled);
}

Session weft::tool::createSession(LoadedModel &model,
                                  const weft_session_options &options) {
  weft_session *session = nullptr;
  check(weft_session_create(model.get(), &options, &session));
  return Session(session, weft_session_release);
}

void weft::tool::addCompile(CLI::App &app) {
  CLI::App *command =
      app.add_subcommand("compile", "Compile a model into a program");
  command->footer(
      "A .so needs nothing but the C library, and a program that opens it the "
      "runtime (weft-rt/weft.h). The header that is written beside a .a, or "
      "with -o model.h, lists inputs, outputs and sizes, and tells how to link "
      "and run the program. Constants are copied into what is written.\n\n"
      "  weft compile model.onnx -o model.so --dim N=1:64\n"
      "  weft compile model.onnx -o model.a --prefix=model\n"
      "  weft compile model.onnx --stop-after=dispatch -o model.mlir\n"
      "  weft compile model.mlir --start-at=dispatch -o model.so\n\n"
      "Exit codes: 0 done, 1 error, 2 wrong usage, 77 the model asks for "
      "something that has no lowering.");
  auto flags = std::make_shared<CompileFlags>();
  auto path = std::make_shared<std::string>();
  auto output = std::make_shared<std::string>("-");
  auto emit = std::make_shared<std::string>();
  auto prefix = std::make_shared<std::string>();
  command->add_option("model", *path, "Model: .onnx, .onnxtxt or .mlir")
      ->required();
  command->add_option("-o,--output", *output,
                      "File to write, - for standard output [-]. It appears "
                      "when it is complete");
  command
      ->add_option(
          "--emit,--stop-after", *emit,
          "What to write: so, lib (and a header beside it), obj, "
          "header, asm, llvm, ptx, or the IR of a stage: import, tensor, "
          "differentiate, dispatch, kernel, host, object [by the "
          "output's name, "
          "else so]")
      ->check(CLI::IsMember({"so", "lib", "obj", "header", "asm", "llvm", "ptx",
                             "import", "tensor", "differentiate", "dispatch",
                             "kernel", "host", "object"}));
  command->add_option("--prefix", *prefix,
                      "What the symbols of obj and lib begin with, so that "
                      "several models can be linked into one program [weft]");
  auto training = std::make_shared<std::string>();
  char *settings = weft_describe_training();
  CLI::Option *train = command->add_option(
      "--train", *training,
      "Make a training step instead, with these settings, such as 'loss=mse "
      "optimizer=adam':\n" +
          take(settings));
  train->expected(0, 1);
  flags->add(*command);
  flags->addFront(*command);
  command->callback([=] {
    if (emit->empty())
      *emit = endsWith(*output, ".o")     ? "obj"
              : endsWith(*output, ".a")   ? "lib"
              : endsWith(*output, ".s")   ? "asm"
              : endsWith(*output, ".ptx") ? "ptx"
              : endsWith(*output, ".h")   ? "header"
                                          : "so";
    if (*output == "-" && (*emit == "so" || *emit == "lib" || *emit == "obj"))
      throw Exit{2, "error: WFT6001: name a file to write with -o"};
    weft_compile_options options = flags->get(*path);
    options.prefix = orNull(*prefix);
    if (train->count())
      options.training = training->c_str();
    char *message = nullptr;
    weft_outcome outcome = weft_compile_to_file(
        path->c_str(), emit->c_str(), output->c_str(), &options, &message);
    showProgress("");
    check(outcome, message);
  });
}

/// Checks each of `paths`; ends with the worst outcome of them.
static void checkModels(const std::vector<std::string> &paths) {
  int worst = WEFT_OUTCOME_OK;
  for (const std::string &path : paths) {
    char *message = nullptr;
    weft_outcome outcome = weft_check_file(path.c_str(), &message);
    fputs(take(message).c_str(), stderr);
    printf("%s: %s\n", path.c_str(),
           outcome == WEFT_OUTCOME_OK ? "no problem found" : "refused");
    fflush(stdout);
    // Wrong beats unsupported.
    if (outcome != WEFT_OUTCOME_OK && worst != WEFT_OUTCOME_ERROR)
      worst = outcome;
  }
  if (worst != WEFT_OUTCOME_OK)
    throw Exit{worst, ""};
}

void weft::tool::addCheck(CLI::App &app) {
  CLI::App *command = app.add_subcommand(
      "check", "Report everything that is wrong or unsupported in models");
  auto paths = std::make_shared<std::vector<std::string>>();
  command->add_option("models", *paths, "Models")->required();
  command->callback([=] { checkModels(*paths); });
}

/// A line per constant: whether training would change it, and why.
static void printTrainable(const std::string &path,
                           const std::string &settings) {
  char *message = nullptr, *json = nullptr;
  weft_outcome outcome =
      weft_inspect_trainable(path.c_str(), orNull(settings), &json, &message);
  std::string text = take(json);
  check(outcome, message);
  for (const auto &choice : nlohmann::json::parse(text))
    printf("%-9s %-40s %-24s %s\n",
           choice["trained"].get<bool>() ? "trained" : "left",
           choice["name"].get<std::string>().c_str(),
           choice["type"].get<std::string>().c_str(),
           choice["reason"].get<std::string>().c_str());
}

static std::string joinNames(const nlohmann::json &names) {
  std::string text;
  for (const auto &name : names)
    text += (text.empty() ? "" : ", ") + name.get<std::string>();
  return text.empty() ? "the loss" : text;
}

/// What is kept for the backward pass, and what it computes again.
static void printBackward(const std::string &path, const std::string &settings,
                          const CompileFlags &flags) {
  weft_compile_options options = flags.get(path);
  options.training = settings.c_str();
  options.batch = "batch";
  options.keep_fixed_batch = 1;
  char *message = nullptr, *json = nullptr;
  weft_outcome outcome =
      weft_inspect_backward(path.c_str(), &options, &json, &message);
  showProgress("");
  std::string text = take(json);
  check(outcome, message);
  auto report = nlohmann::json::parse(text);
  for (const auto &value : report["kept"]) {
    const auto &bytes = value["bytes"];
    auto node = value["node"].get<std::string>();
    printf("kept       %12s bytes  %-28s of %s, read by %zu kernels\n",
           bytes.is_null() ? "?" : std::to_string(bytes.get<int64_t>()).c_str(),
           value["type"].get<std::string>().c_str(),
           node.empty() ? "the loss" : node.c_str(), value["read_by"].size());
  }
  for (const auto &one : report["recomputed"])
    printf("recomputed %s, in the kernel of %s\n",
           joinNames(one["nodes"]).c_str(), joinNames(one["in"]).c_str());
  std::string assumed = joinNames(report["sizes_taken_as_one"]);
  printf("%lld bytes are kept%s\n",
         static_cast<long long>(report["kept_bytes"].get<int64_t>()),
         report["sizes_taken_as_one"].empty()
             ? ""
             : (" with " + assumed + " = 1 (see --dim)").c_str());
}

void weft::tool::addInspect(CLI::App &app) {
  CLI::App *command = app.add_subcommand(
      "inspect", "Describe a model: inputs, outputs, operators, parameters");
  auto path = std::make_shared<std::string>();
  command->add_option("model", *path, "Model")->required();
  auto settings = std::make_shared<std::string>();
  CLI::Option *trainable = command->add_option(
      "--trainable", *settings,
      "Tell instead which tensors weft train changes, and why; with 'train=' "
      "and 'freeze=' expressions, what they do");
  trainable->expected(0, 1);
  auto steps = std::make_shared<std::string>();
  auto flags = std::make_shared<CompileFlags>();
  CLI::Option *backward = command->add_option(
      "--backward", *steps,
      "Tell instead which values a training step with these settings keeps "
      "for its backward pass, and which it computes again");
  backward->expected(0, 1);
  command
      ->add_option("--dim", flags->dims,
                   "With --backward: symbolic sizes, batch=32 [1]")
      ->needs(backward);
  command->callback([=] {
    if (backward->count())
      return printBackward(*path, *steps, *flags);
    if (trainable->count())
      return printTrainable(*path, *settings);
    char *message = nullptr, *json = nullptr;
    weft_outcome outcome = weft_inspect_file(path->c_str(), &json, &message);
    std::string text = take(json);
    check(outcome, message);
    printf("%s\n", text.c_str());
  });
}
