//===- Bench.cpp - weft bench ---------------------------------------------===//

#include "Commands.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace weft::tool;

namespace {
struct BenchFlags {
  CompileFlags compile;
  std::string model, sizes;
  int threads = 0;
  double seconds = 2;
  bool json = false;
};
} // namespace

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

static void runOnce(weft_session *session,
                    const std::vector<weft_tensor> &inputs,
                    std::vector<weft_tensor> &outputs) {
  for (weft_tensor &output : outputs)
    output = {};
  check(weft_session_run(session, inputs.size(), inputs.data(), outputs.size(),
                         outputs.data()));
}

/// What a program spends its time on, on a GPU: "device_ms", the median of what
/// all kernels of a run take, 0 if runs are not replayed, and "kernels", of one
/// run, the dearest first.
static nlohmann::json timeDevice(LoadedModel &model, double seconds,
                                 weft_session_options options,
                                 const std::vector<weft_tensor> &inputs) {
  std::vector<weft_tensor> outputs(model.program().num_outputs);
  options.time_runs = 1;
  Session timed = createSession(model, options);
  std::vector<double> times;
  double begin = now();
  for (int run = 0; run < 5 || now() - begin < seconds; ++run) {
    runOnce(timed.get(), inputs, outputs);
    if (run > 1)
      times.push_back(weft_session_device_time(timed.get()) / 1e6);
  }
  std::sort(times.begin(), times.end());

  options.time_runs = 0;
  options.profile = 1;
  Session profiled = createSession(model, options);
  runOnce(profiled.get(), inputs, outputs);
  weft_session_clear_profile(profiled.get());
  runOnce(profiled.get(), inputs, outputs);
  const weft_launch_record *records = nullptr;
  int64_t count = 0;
  weft_session_profile(profiled.get(), &records, &count);
  std::vector<std::pair<double, int32_t>> sums(model.program().num_kernels);
  for (int32_t i = 0; i < model.program().num_kernels; ++i)
    sums[i].second = i;
  for (int64_t i = 0; i < count; ++i)
    sums[records[i].kernel].first += (records[i].end - records[i].begin) / 1e6;
  std::sort(sums.rbegin(), sums.rend());
  nlohmann::json kernels = nlohmann::json::array();
  for (auto [ms, kernel] : sums)
    kernels.push_back({{"kernel", model.program().kernels[kernel].name},
                       {"nodes", model.program().kernels[kernel].nodes},
                       {"ms", ms}});
  return {{"device_ms", times[times.size() / 2]}, {"kernels", kernels}};
}

static void printDevice(const nlohmann::json &device) {
  enum { MOST = 5 };
  printf("on the GPU %.3f ms\n", device["device_ms"].get<double>());
  size_t count = std::min<size_t>(MOST, device["kernels"].size());
  for (size_t i = 0; i < count; ++i) {
    const auto &one = device["kernels"][i];
    auto nodes = one["nodes"].get<std::string>();
    std::replace(nodes.begin(), nodes.end(), '\n', ' ');
    printf("%12.3f ms  %s: %s\n", one["ms"].get<double>(),
           one["kernel"].get<std::string>().c_str(), nodes.c_str());
  }
}

static void bench(const BenchFlags &flags) {
  LoadedModel model(flags.model, flags.compile);
  const weft_program &program = model.program();
  std::vector<OwnedTensor> owned =
      makeUpInputs(program, flags.compile.dims, flags.sizes);
  std::vector<weft_tensor> inputs = borrow(owned);
  std::vector<weft_tensor> outputs(program.num_outputs);
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = flags.threads;
  options.memory_budget = flags.compile.memoryBudget;
  Session owner = createSession(model, options);
  weft_session *session = owner.get();

  // The first run touches memory for the first time and does not count.
  std::vector<double> times;
  double begin = now();
  for (int run = 0; run < 3 || now() - begin < flags.seconds; ++run) {
    double start = now();
    runOnce(session, inputs, outputs);
    if (run > 0)
      times.push_back((now() - start) * 1e3);
  }
  std::sort(times.begin(), times.end());
  double median = times[times.size() / 2];
  nlohmann::json device;
  if (program.device)
    device = timeDevice(model, flags.seconds / 4, options, inputs);
  if (!flags.json) {
    printf("%.3f ms median of %zu runs (least %.3f), %d threads; arena %lld "
           "bytes; compiled in %.2f s\n",
           median, times.size(), times.front(), weft_session_threads(session),
           static_cast<long long>(weft_session_arena_taken(session)),
           model.compileSeconds);
    if (program.device)
      printDevice(device);
    return;
  }
  nlohmann::json result = {
      {"median_ms", median},
      {"min_ms", times.front()},
      {"runs", times.size()},
      {"threads", weft_session_threads(session)},
      {"arena_bytes", weft_session_arena_taken(session)},
      {"compile_seconds", model.compileSeconds},
  };
  if (program.device)
    result.update(device);
  printf("%s\n", result.dump(2).c_str());
}

void weft::tool::addBench(CLI::App &app) {
  CLI::App *command =
      app.add_subcommand("bench", "Time runs of a model on made-up inputs");
  command->footer("Of programs for GPUs it also tells what the kernels take "
                  "there, without copies of inputs and outputs, and which take "
                  "most. What the first run does is not counted.");
  auto flags = std::make_shared<BenchFlags>();
  command->add_option("model", flags->model, "Model, or .so that weft compiled")
      ->required();
  command->add_option("--size", flags->sizes, "Symbolic sizes: N=8,M=4 [1]");
  command->add_option("--threads", flags->threads,
                      "Threads of a run [all processors]");
  command->add_option("--seconds", flags->seconds, "How long to go on [2]");
  command->add_flag("--json", flags->json, "Print the result as JSON");
  flags->compile.add(*command);
  flags->compile.addFront(*command);
  command->callback([=] { bench(*flags); });
}
