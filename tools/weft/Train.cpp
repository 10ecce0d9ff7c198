//===- Train.cpp - weft train ---------------------------------------------===//

#include "ClassWeights.h"
#include "Commands.h"
#include "NotFinite.h"
#include "TrainData.h"
#include "weft/Runtime/Train/ProgramStep.h"
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace weft;
using namespace weft::tool;
using data::Result;

namespace {
struct TrainFlags {
  CompileFlags compile;
  DataFlags data;
  std::string model, output;
  std::string graph; ///< that samples go through, as text
  bool mergesGraph = false;
  StepFlags step;
  // The loop.
  std::optional<double> rate;
  double factor = 0.1, last = 0;
  std::string schedule = "constant";
  int64_t warmup = 0, every = 1;
  int64_t epochs = 10, seed = 0, saveUpdates = 0, logUpdates = 10;
  int64_t accumulate = 1;
  int keep = 3, threads = 0;
  std::string checkpoints, events, csv, profile;
  bool resume = false, quiet = false, json = false;
  /// The model trains by its own algorithm, whose default rate is this.
  bool hasAlgorithm = false, keepsValues = false;
  bool isInitialized = false; ///< by its own initialization graph
  double defaultRate = 0.01;

  std::string getSettings() const;
  train::LoopOptions getLoop(int64_t batches) const;
};
} // namespace

std::string TrainFlags::getSettings() const {
  std::string text = step.getSettings(hasAlgorithm);
  if (accumulate > 1)
    text += " accumulate=" + std::to_string(accumulate);
  return text;
}

/// Length and sum of a text, or nothing of none: texts that differ in neither
/// are taken to be the same.
static std::string describeText(const std::string &text) {
  if (text.empty())
    return "";
  uint64_t sum = 0xcbf29ce484222325; // FNV-1a
  for (unsigned char c : text)
    sum = (sum ^ c) * 0x100000001b3;
  return std::to_string(text.size()) + ":" + std::to_string(sum);
}

train::LoopOptions TrainFlags::getLoop(int64_t batches) const {
  using Shape = train::Schedule::Shape;
  train::LoopOptions loop;
  loop.epochs = epochs;
  loop.accumulate = accumulate;
  int64_t updates = (batches + accumulate - 1) / accumulate;
  loop.schedule.shape = schedule == "step"     ? Shape::Step
                        : schedule == "cosine" ? Shape::Cosine
                        : schedule == "linear" ? Shape::Linear
                                               : Shape::Constant;
  loop.schedule.rate = rate.value_or(defaultRate);
  loop.schedule.warmup = warmup;
  loop.schedule.total = epochs * updates;
  loop.schedule.every = every * updates;
  loop.schedule.factor = factor;
  loop.schedule.last = last;
  loop.seed = seed;
  loop.checkpoints = checkpoints;
  loop.keep = keep;
  loop.saveUpdates = saveUpdates;
  loop.resume = resume;
  loop.preprocess = describeText(graph);
  loop.events = events;
  loop.csv = csv;
  loop.logUpdates = logUpdates;
  loop.progress = quiet ? nullptr : stderr;
  loop.resumeHint = "the same command with --resume goes on from it";
  return loop;
}

/// Compiles the model as a training step or, with `evaluate`, for its loss; for
/// batches of any size, if that can be, unless `keepBatch`.
static std::unique_ptr<LoadedModel>
compile(const TrainFlags &flags, bool evaluate, bool keepBatch = false) {
  CompileFlags options = flags.compile;
  if (options.batch.empty() && !keepBatch) {
    options.batch = "batch";
    options.keepFixedBatch = true;
  }
  options.training = flags.getSettings() + (evaluate ? " evaluate=true" : "");
  return std::make_unique<LoadedModel>(flags.model, options);
}

/// Takes the training that the model brings along, unless the flags name
/// another optimizer or loss.
static void findAlgorithm(TrainFlags &flags) {
  if (!flags.step.optimizer.empty() ||
      !(flags.step.loss.empty() || flags.step.loss.starts_with("output:")))
    return;
  std::string settings =
      "algorithm=true" +
      (flags.step.loss.empty() ? "" : " loss=" + flags.step.loss);
  char *json = nullptr, *message = nullptr;
  weft_outcome outcome = weft_inspect_training(
      flags.model.c_str(), settings.c_str(), &json, &message);
  auto info = nlohmann::json::parse(json ? json : "null");
  weft_message_free(json);
  check(outcome, message);
  if (info.is_null())
    return;
  flags.hasAlgorithm = true;
  if (!info.contains("rate") && flags.rate)
    throw Exit{2, "error: WFT6001: the model's own algorithm takes no learning "
                  "rate: leave --lr out, or name an --optimizer"};
  if (info.contains("rate") && info["rate"].contains("default"))
    flags.defaultRate = info["rate"]["default"];
  flags.isInitialized = !info["initialized"].empty();
  if (!flags.quiet)
    fprintf(stderr,
            "training info of the model: loss '%s', %zu tensors are assigned "
            "to, %zu initialized%s\n",
            info.value("loss", "?").c_str(), info["updates"].size(),
            info["initialized"].size(),
            flags.keepsValues && flags.isInitialized ? " (not now)" : "");
}

/// Sets the state to what the model's training info starts from.
static void initialize(const TrainFlags &flags, train::ProgramStep &step) {
  CompileFlags options = flags.compile;
  options.training = "initialize=true";
  options.dims.clear();
  LoadedModel model(flags.model, options);
  weft_session_options session;
  weft_session_options_init(&session);
  Session runner = createSession(model, session);
  std::vector<weft_tensor> outputs(model.program().num_outputs);
  check(weft_session_run(runner.get(), 0, nullptr, outputs.size(),
                         outputs.data()));
  weft_trainer *trainer = step.trainer();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const char *name = model.program().outputs[i].name;
    int32_t number = weft_trainer_find_state(trainer, name);
    if (number < 0)
      throw Exit{1, "error: WFT6007: the training info initializes '" +
                        std::string(name) +
                        "', which it does not assign to while it trains"};
    weft_tensor state;
    check(weft_trainer_state(trainer, number, &state));
    const weft_tensor &value = outputs[i];
    if (describe(state) != describe(value))
      throw Exit{1, "error: WFT6007: the training info initializes '" +
                        std::string(name) + "', " + describe(state) +
                        ", with " + describe(value)};
    memcpy(state.data, value.data, state.bytes);
    check(weft_trainer_changed(trainer, number));
  }
}

/// Says before the first step what will be done, and with how much memory.
static void announce(const TrainFlags &flags, train::ProgramStep &step,
                     const weft_program &program, const TrainData &data) {
  if (flags.quiet)
    return;
  int64_t parameters = 0, parameterBytes = 0, stateBytes = 0;
  weft_trainer *trainer = step.trainer();
  for (int32_t i = 0; i < weft_trainer_num_states(trainer); ++i) {
    weft_tensor tensor;
    check(weft_trainer_state(trainer, i, &tensor));
    bool isParameter =
        weft_trainer_state_port(trainer, i)->role == WEFT_ROLE_PARAMETER;
    (isParameter ? parameterBytes : stateBytes) += tensor.bytes;
    parameters +=
        isParameter ? tensor.bytes / weft_dtype_bytes(tensor.dtype) : 0;
  }
  std::vector<int64_t> symbols(program.num_symbols, data.batch());
  int64_t arena = 0;
  check(weft_session_arena_bytes(weft_trainer_session(trainer), symbols.size(),
                                 symbols.data(), &arena));
  fprintf(stderr,
          "%lld samples in %lld batches of %lld, %lld for validation\n"
          "%lld parameters (%.1f MB), optimizer %.1f MB, arena of a step "
          "%.1f MB\n",
          static_cast<long long>(data.training().samples()),
          static_cast<long long>(data.training().batches()),
          static_cast<long long>(data.batch()),
          static_cast<long long>(
              data.validation() ? data.validation()->samples() : 0),
          static_cast<long long>(parameters), parameterBytes / 1e6,
          stateBytes / 1e6, arena / 1e6);
  if (!data.classes().empty())
    fprintf(stderr, "%zu classes, from 0: %s\n", data.classes().size(),
            CLI::detail::join(data.classes(), ", ").c_str());
}

/// What a run with this batch is planned to take.
static int64_t planMemory(weft_session *session, const weft_program &program,
                          int64_t batch) {
  std::vector<int64_t> symbols(program.num_symbols, batch);
  weft_memory_plan plan;
  check(
      weft_session_plan_memory(session, symbols.size(), symbols.data(), &plan));
  return plan.total;
}

/// Memory of the step and of the validation is there at the same time. Each for
/// itself is checked where it is run.
static void checkBudget(const TrainFlags &flags, train::ProgramStep &step,
                        int64_t batch) {
  int64_t budget = flags.compile.memoryBudget;
  if (!budget || !step.evaluator())
    return;
  int64_t training = planMemory(weft_trainer_session(step.trainer()),
                                step.trainingProgram(), batch);
  int64_t evaluation =
      planMemory(step.evaluator(), step.evaluationProgram(), batch);
  if (training > budget || training + evaluation <= budget)
    return;
  throw Exit{1, "error: WFT5310: training is planned to take " +
                    std::to_string(training) + " bytes and validation " +
                    std::to_string(evaluation) + " more, and the budget is " +
                    std::to_string(budget) +
                    "; take a smaller batch, or several for an update "
                    "(--accumulate), no validation, or a larger budget"};
}

/// Writes the model at `path` with the graph for samples in front of it; or,
/// for no output, checks that this can be done.
static void mergeGraph(const TrainFlags &flags, const char *path,
                       const char *output) {
  char *message = nullptr;
  weft_outcome outcome =
      weft_export_merged(path, flags.graph.c_str(), output, &message);
  check(outcome, message);
}

/// The model's file with the trained tensors in it.
static void writeModel(const TrainFlags &flags, const TrainData &data,
                       train::ProgramStep &step,
                       const train::LoopResult &result) {
  std::vector<std::string> names;
  std::vector<weft_tensor_update> updates;
  weft_trainer *trainer = step.trainer();
  for (int32_t i = 0; i < weft_trainer_num_states(trainer); ++i) {
    const weft_port *port = weft_trainer_state_port(trainer, i);
    // Besides parameters, what has a value to start from is of the model:
    // running statistics.
    if (port->role != WEFT_ROLE_PARAMETER &&
        (port->initial < 0 || !strcmp(port->name, WEFT_SCALE_NAME)))
      continue;
    weft_tensor tensor;
    check(weft_trainer_state(trainer, i, &tensor));
    updates.push_back({port->name, tensor});
  }
  std::string settings = flags.getSettings();
  std::string count = std::to_string(result.updates);
  auto properties = describeData(flags.data, data);
  properties.push_back({"weft.train.settings", settings});
  if (!flags.graph.empty())
    properties.push_back({WEFT_PREPROCESS_PROPERTY, flags.graph});
  properties.push_back({"weft.train.updates", count});
  std::vector<const char *> metadata;
  for (const auto &[key, value] : properties) {
    metadata.push_back(key.c_str());
    metadata.push_back(value.c_str());
  }
  char *message = nullptr;
  weft_outcome outcome = weft_export_updated(
      flags.model.c_str(), flags.output.c_str(), updates.size(), updates.data(),
      properties.size(), metadata.data(), &message);
  check(outcome, message);
  if (flags.mergesGraph)
    mergeGraph(flags, flags.output.c_str(), flags.output.c_str());
}

/// Writes the model; an error says where the state is that would otherwise be
/// lost.
static void writeResult(const TrainFlags &flags, const TrainData &data,
                        train::ProgramStep &step,
                        const train::LoopResult &result) {
  try {
    writeModel(flags, data, step, result);
  } catch (const Exit &exit) {
    std::string message = exit.message;
    while (message.ends_with('\n'))
      message.pop_back();
    throw Exit{exit.code, message + (result.checkpoint.empty()
                                         ? "; there is no checkpoint: name a "
                                           "folder with --checkpoint-dir"
                                         : "; the trained state is in '" +
                                               result.checkpoint +
                                               "': the same command with "
                                               "--resume writes it")};
  }
}

static nlohmann::json describeNumber(double number) {
  return std::isnan(number) ? nlohmann::json() : nlohmann::json(number);
}

static void runTrain(TrainFlags &flags) {
  if (!flags.output.empty()) {
    std::error_code ignored;
    uintmax_t bytes = std::filesystem::file_size(flags.model, ignored);
    checkOutput(flags.output, ignored ? 0 : bytes);
  }
  std::unique_ptr<LoadedModel> graph;
  if (!flags.data.preprocess.empty()) {
    flags.graph = encodeGraph(flags.data.preprocess);
    graph = LoadedModel::ofGraph(flags.graph, flags.compile);
  }
  if (flags.mergesGraph)
    mergeGraph(flags, flags.model.c_str(), nullptr);
  findAlgorithm(flags);
  if (flags.step.classWeights == "balanced")
    flags.step.classWeights = balanceClasses(
        flags.model, flags.compile, flags.step, flags.data, flags.seed);
  std::unique_ptr<LoadedModel> training = compile(flags, false), evaluation;
  if (flags.data.validates())
    evaluation = compile(flags, true, getFixedBatch(training->program()) >= 0);
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = flags.threads;
  options.profile = !flags.profile.empty();
  options.memory_budget = flags.compile.memoryBudget;
  auto step = unwrap(train::ProgramStep::create(
      training->get(), evaluation ? evaluation->get() : nullptr, options,
      flags.accumulate));
  if (flags.isInitialized && !flags.keepsValues)
    initialize(flags, *step);
  TrainData data =
      openTrainData(flags.data, unwrap(step->wants()), training->program(),
                    flags.seed, std::move(graph));
  announce(flags, *step, training->program(), data);
  checkBudget(flags, *step, data.batch());
  train::LoopOptions loop = flags.getLoop(data.training().batches());
  loop.explain = [&](const data::Batch &batch, float rate, int64_t seed) {
    CompileFlags compiled = flags.compile;
    compiled.training = flags.getSettings();
    NotFiniteSearch search(flags.model.c_str(), compiled.get(flags.model),
                           training->program());
    showProgress("");
    return search.repeat(training->get(), step->trainer(),
                         {batch.tensors.begin(), batch.tensors.end()}, rate,
                         seed);
  };
  train::LoopResult result =
      unwrap(train::train(*step, data.training(), data.validation(), loop));
  if (!result.stopped && !flags.output.empty())
    writeResult(flags, data, *step, result);
  if (!flags.profile.empty())
    check(weft_session_write_trace(weft_trainer_session(step->trainer()),
                                   flags.profile.c_str()));
  if (result.stopped)
    throw Exit{130, ""};
  if (!flags.json)
    return;
  nlohmann::json report = {
      {"updates", result.updates},
      {"skipped_updates", result.skipped},
      {"epochs", result.last.epoch},
      {"loss", describeNumber(result.last.loss)},
      {"validation_loss", describeNumber(result.last.validation.loss)},
      {"validation_accuracy", describeNumber(result.last.validation.accuracy)},
  };
  printf("%s\n", report.dump(2).c_str());
}

//===----------------------------------------------------------------------===//
// Flags
//===----------------------------------------------------------------------===//

static void addLoopFlags(CLI::App &app, TrainFlags &flags) {
  app.add_flag("--keep-values", flags.keepsValues,
               "Where the model's own training is run, do not run its "
               "initialization");
  app.add_option("--lr", flags.rate,
                 "Learning rate [0.01, or what the model's own training says]");
  app.add_option("--schedule", flags.schedule,
                 "How the rate changes: constant, step, cosine, linear "
                 "[constant]")
      ->check(CLI::IsMember({"constant", "step", "cosine", "linear"}));
  app.add_option("--warmup", flags.warmup,
                 "Updates in which the rate rises to --lr [0]");
  app.add_option("--lr-every", flags.every,
                 "Epochs after which step multiplies the rate [1]");
  app.add_option("--lr-factor", flags.factor, "What step multiplies by [0.1]");
  app.add_option("--lr-last", flags.last, "Where cosine and linear arrive [0]");
  app.add_option("--epochs", flags.epochs, "Times through the data [10]")
      ->check(CLI::PositiveNumber);
  app.add_option("--accumulate", flags.accumulate,
                 "Batches of an update: it is that of as many at once, which "
                 "would take more memory [1]")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", flags.seed,
                 "Of the order of samples, augmentation and dropout [0]");
  app.add_option("--threads", flags.threads, "Threads of a step [all]");
  app.add_option("--checkpoint-dir", flags.checkpoints,
                 "Folder for checkpoints, one per epoch [none]");
  app.add_option("--save-every", flags.saveUpdates,
                 "And one every so many updates [none]");
  app.add_option("--keep", flags.keep, "Checkpoints that stay [3]");
  app.add_flag("--resume", flags.resume,
               "Go on from the newest checkpoint, as if never stopped");
  app.add_option("--logdir", flags.events, "Folder for TensorBoard [none]");
  app.add_option("--csv", flags.csv, "File for figures of updates [none]");
  app.add_option("--log-every", flags.logUpdates,
                 "Updates between figures in both [10]")
      ->check(CLI::PositiveNumber);
  app.add_option("--profile", flags.profile,
                 "File for the time of each kernel, as a Chrome trace [none]");
  app.add_flag("--quiet", flags.quiet, "No progress");
  app.add_flag("--json", flags.json, "Print the result as JSON");
}

void weft::tool::addTrain(CLI::App &app) {
  CLI::App *command = app.add_subcommand(
      "train", "Train a model on data and write it back as ONNX");
  command->footer(
      "  weft train net.onnx --data train.npz --optimizer adamw --lr 1e-3 "
      "--epochs 10 -o tuned.onnx\n"
      "  weft train net.onnx --data images/ --split 0.1 --bn train "
      "--checkpoint-dir ck --logdir logs -o tuned.onnx\n\n"
      "A model that brings its training along (training info) is trained by "
      "that, unless --optimizer or --loss say otherwise; --loss output:NAME "
      "then tells which number is its loss.\n"
      "Ctrl-C ends after the step under way, with a checkpoint if there is a "
      "folder for them.\n"
      "Exit codes: 0 done, 1 error, 2 wrong usage, 77 the model asks for "
      "something that has no lowering, 130 stopped by a signal.");
  auto flags = std::make_shared<TrainFlags>();
  command->add_option("model", flags->model, "Model: .onnx or .onnxtxt")
      ->required();
  command->add_option("-o,--output", flags->output,
                      "The trained model [it is not written]");
  flags->data.add(*command);
  flags->step.add(*command);
  addLoopFlags(*command, *flags);
  flags->compile.add(*command);
  command
      ->add_flag("--merge-preprocess", flags->mergesGraph,
                 "Write the trained model with the graph of --preprocess in "
                 "front, as of the newest operator set, instead of the same "
                 "file with other weights, which carries it")
      ->needs("--preprocess");
  command->callback([flags] {
    if (flags->resume && flags->checkpoints.empty())
      throw Exit{2, "error: WFT6001: --resume needs --checkpoint-dir"};
    runTrain(*flags);
  });
}
