//===- weft-ptxemu.cpp - Runs a kernel of a PTX text ----------------------===//

#include "Values.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace weft::ptx;
using namespace weft::ptx::tool;

namespace {

struct Settings {
  std::string file, kernel, mode = "plain";
  std::vector<uint32_t> grid{1}, block{1}, cluster{1};
  std::vector<std::string> arguments, outputs, prints;
  size_t shared = 0;
  unsigned threads = 1;
  uint64_t most = Options().maxInstructions;
  bool counters = false, lines = false, list = false, unchecked = false;
};

int fail(const std::string &text) {
  fprintf(stderr, "weft-ptxemu: %s\n", text.c_str());
  return 1;
}

Dim3 dimOf(const std::vector<uint32_t> &values) {
  return {values[0], values.size() > 1 ? values[1] : 1,
          values.size() > 2 ? values[2] : 1};
}

void listKernels(const Module &module) {
  for (const KernelInfo *info : module.kernels()) {
    printf("%s: %zu bytes of parameters, %zu of static shared memory, %zu of "
           "local memory\n",
           info->name.c_str(), info->parameterBytes, info->staticShared,
           info->localBytes);
    for (const Parameter &parameter : info->parameters)
      printf("  %s: %zu bytes at %zu\n", parameter.name.c_str(), parameter.size,
             parameter.offset);
  }
}

void printCounters(const Counters &counters, bool lines) {
  auto line = [](const char *name, uint64_t value) {
    printf("%s: %llu\n", name, static_cast<unsigned long long>(value));
  };
  line("blocks", counters.blocks);
  line("instructions", counters.instructions);
  line("thread instructions", counters.threadInstructions);
  line("global requests", counters.globalRequests);
  line("global sectors", counters.globalSectors);
  line("shared requests", counters.sharedRequests);
  line("shared wavefronts", counters.sharedWavefronts);
  line("ideal shared wavefronts", counters.idealSharedWavefronts);
  line("mma", counters.mma);
  line("barriers", counters.barriers);
  line("atomics", counters.atomics);
  line("bulk bytes", counters.bulkBytes);
  line("divergent branches", counters.divergentBranches);
  if (!lines)
    return;
  for (auto &[number, each] : counters.lines)
    if (each.globalRequests || each.sharedRequests)
      printf("line %u: %llu global requests, %llu sectors, %llu shared "
             "requests, %llu wavefronts (ideal %llu)\n",
             number, static_cast<unsigned long long>(each.globalRequests),
             static_cast<unsigned long long>(each.globalSectors),
             static_cast<unsigned long long>(each.sharedRequests),
             static_cast<unsigned long long>(each.sharedWavefronts),
             static_cast<unsigned long long>(each.idealSharedWavefronts));
}

// Parameters where the kernel wants them.
std::string layOut(const KernelInfo &info,
                   const std::vector<Argument> &arguments, Launch &launch) {
  if (arguments.size() != info.parameters.size())
    return "'" + info.name + "' has " + std::to_string(info.parameters.size()) +
           " parameters, not " + std::to_string(arguments.size());
  launch.parameters.resize(info.parameterBytes);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Parameter &parameter = info.parameters[i];
    const Argument &argument = arguments[i];
    const void *from = argument.buffer
                           ? static_cast<const void *>(&argument.buffer)
                           : argument.value.data();
    size_t size = argument.buffer ? sizeof(void *) : argument.value.size();
    if (size != parameter.size)
      return "argument " + std::to_string(i) + " has " + std::to_string(size) +
             " bytes, and parameter '" + parameter.name + "' " +
             std::to_string(parameter.size);
    memcpy(launch.parameters.data() + parameter.offset, from, size);
  }
  return "";
}

// `2` or `2:rest`: a buffer, and what follows.
const Argument *bufferOf(const std::string &text,
                         const std::vector<Argument> &arguments,
                         std::string &rest) {
  size_t index = 0;
  auto done = std::from_chars(text.data(), text.data() + text.size(), index);
  if (done.ec != std::errc() || index >= arguments.size() ||
      !arguments[index].buffer)
    return nullptr;
  rest = text.substr(done.ptr - text.data());
  if (rest.starts_with(":"))
    rest = rest.substr(1);
  return &arguments[index];
}

std::string writeResults(const Settings &settings,
                         const std::vector<Argument> &arguments) {
  for (const std::string &text : settings.outputs) {
    std::string path, error;
    const Argument *from = bufferOf(text, arguments, path);
    if (!from)
      return "--out " + text + " names no buffer";
    std::string_view bytes(static_cast<const char *>(from->buffer),
                           from->count * from->type->bytes);
    if (!writeNpy(path, from->type->numpy, from->shape, bytes, error))
      return error;
  }
  for (const std::string &text : settings.prints) {
    std::string rest;
    const Argument *from = bufferOf(text, arguments, rest);
    if (!from)
      return "--print " + text + " names no buffer";
    size_t count =
        rest.empty()
            ? from->count
            : std::min<size_t>(from->count,
                               std::strtoull(rest.c_str(), nullptr, 10));
    const auto *at = static_cast<const std::byte *>(from->buffer);
    for (size_t i = 0; i < count; ++i, at += from->type->bytes)
      printf("%s%s", i ? " " : "", elementText(*from->type, at).c_str());
    printf("\n");
  }
  return "";
}

int runKernel(const Settings &settings, Memory &memory, const Module &module) {
  const KernelInfo *info = nullptr;
  if (!settings.kernel.empty())
    info = module.kernel(settings.kernel);
  else if (module.kernels().size() == 1)
    info = module.kernels().front();
  if (!info)
    return fail(settings.kernel.empty()
                    ? "the text has several kernels; pick one with --kernel"
                    : "there is no kernel '" + settings.kernel + "'");
  std::vector<Argument> arguments;
  for (const std::string &text : settings.arguments) {
    std::string error;
    if (!parseArgument(text, memory, arguments.emplace_back(), error))
      return fail(error);
  }
  Launch launch;
  launch.module = &module;
  launch.kernel = info->name;
  launch.grid = dimOf(settings.grid);
  launch.block = dimOf(settings.block);
  launch.cluster = dimOf(settings.cluster);
  launch.dynamicShared = settings.shared;
  if (std::string error = layOut(*info, arguments, launch); !error.empty())
    return fail(error);
  Options options;
  options.mode = settings.mode == "race"   ? Mode::Race
                 : settings.mode == "lazy" ? Mode::Lazy
                                           : Mode::Plain;
  options.bounds = options.uninitialised = !settings.unchecked;
  options.counters = settings.counters || settings.lines;
  options.threads = settings.threads;
  options.maxInstructions = settings.most;
  Counters counters;
  Fault fault;
  if (!run(memory, launch, options, &counters, fault))
    return fail(fault.message);
  if (std::string error = writeResults(settings, arguments); !error.empty())
    return fail(error);
  if (options.counters)
    printCounters(counters, settings.lines);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Settings settings;
  CLI::App app(
      "Runs a kernel of a PTX text on the processor, and checks what it "
      "does.",
      "weft-ptxemu");
  app.add_option("file", settings.file, "PTX text")->required();
  app.add_option("--kernel", settings.kernel,
                 "Name of the kernel (default: the only one)");
  app.add_option("--grid", settings.grid, "Blocks, as X or X,Y,Z")
      ->delimiter(',')
      ->expected(1, 3);
  app.add_option("--block", settings.block, "Threads of a block")
      ->delimiter(',')
      ->expected(1, 3);
  app.add_option("--cluster", settings.cluster, "Blocks of a cluster")
      ->delimiter(',')
      ->expected(1, 3);
  app.add_option("--shared", settings.shared, "Bytes of dynamic shared memory");
  app.add_option("--arg", settings.arguments,
                 "The next parameter: TYPE=VALUE, TYPE:FILE.npy, TYPE[COUNT], "
                 "TYPE[COUNT]=VALUE or TYPE[COUNT]=iota; types are i8 to u64, "
                 "f16, bf16, f32, f64")
      ->allow_extra_args(false);
  app.add_option("--out", settings.outputs,
                 "INDEX:FILE.npy: writes the buffer of an argument")
      ->allow_extra_args(false);
  app.add_option("--print", settings.prints,
                 "INDEX or INDEX:COUNT: prints the buffer of an argument")
      ->allow_extra_args(false);
  app.add_option("--mode", settings.mode,
                 "plain; race: accesses must be ordered; lazy: asynchronous "
                 "copies land as late as they may")
      ->check(CLI::IsMember({"plain", "race", "lazy"}));
  app.add_option("--threads", settings.threads, "Threads of the host");
  app.add_option("--max-instructions", settings.most,
                 "A kernel that executes more has not ended");
  app.add_flag("--counters", settings.counters, "Says what the kernel did");
  app.add_flag("--lines", settings.lines,
               "The same, and memory accesses by line");
  app.add_flag("--unchecked", settings.unchecked,
               "Without checks of bounds and of what was written");
  app.add_flag("--list", settings.list, "Lists kernels and parameters");
  CLI11_PARSE(app, argc, argv);

  std::ifstream file(settings.file);
  std::stringstream text;
  text << file.rdbuf();
  if (!file)
    return fail("cannot read '" + settings.file + "'");
  Memory memory;
  std::string error;
  auto module = Module::parse(text.str(), memory, error);
  if (!module)
    return fail(settings.file + ": " + error);
  if (settings.list) {
    listKernels(*module);
    return 0;
  }
  return runKernel(settings, memory, *module);
}
