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
  Session owner = createSession(model, options);
  weft_session *session = owner.get();

  // The first run touches memory for the first time and does not count.
  std::vector<double> times;
  double begin = now();
  for (int run = 0; run < 3 || now() - begin < flags.seconds; ++run) {
    for (weft_tensor &output : outputs)
      output = {};
    double start = now();
    check(weft_session_run(session, inputs.size(), inputs.data(),
                           outputs.size(), outputs.data()));
    if (run > 0)
      times.push_back((now() - start) * 1e3);
  }
  std::sort(times.begin(), times.end());
  double median = times[times.size() / 2];
  if (!flags.json) {
    printf("%.3f ms median of %zu runs (least %.3f), %d threads; arena %lld "
           "bytes; compiled in %.2f s\n",
           median, times.size(), times.front(), weft_session_threads(session),
           static_cast<long long>(weft_session_arena_taken(session)),
           model.compileSeconds);
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
  printf("%s\n", result.dump(2).c_str());
}

void weft::tool::addBench(CLI::App &app) {
  CLI::App *command =
      app.add_subcommand("bench", "Time runs of a model on made-up inputs");
  auto flags = std::make_shared<BenchFlags>();
  command->add_option("model", flags->model, "Model, or .so that weft compiled")
      ->required();
  command->add_option("--size", flags->sizes, "Symbolic sizes: N=8,M=4 [1]");
  command->add_option("--threads", flags->threads,
                      "Threads of a run [all processors]");
  command->add_option("--seconds", flags->seconds, "How long to go on [2]");
  command->add_flag("--json", flags->json, "Print the result as JSON");
  flags->compile.add(*command);
  command->callback([=] { bench(*flags); });
}
