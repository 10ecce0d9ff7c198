//===- Doctor.cpp - weft doctor -------------------------------------------===//

#include "Commands.h"
#include "weft-rt/gpu.h"
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

using namespace weft::tool;
using nlohmann::json;

//===----------------------------------------------------------------------===//
// The machine
//===----------------------------------------------------------------------===//

/// What follows `key` and a colon in a file of the kernel's; empty if nothing.
static std::string readField(const char *path, const std::string &key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    size_t colon = line.find(':');
    if (line.compare(0, key.size(), key) != 0 || colon == std::string::npos)
      continue;
    size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

/// A number of kilobytes, in bytes; 0 if it is not there.
static int64_t readKilobytes(const std::string &key) {
  std::string text = readField("/proc/meminfo", key);
  return std::strtoll(text.c_str(), nullptr, 10) * 1024;
}

/// Memory, as far as the container that this process is in gives it.
static json describeMemory() {
  int64_t total = readKilobytes("MemTotal");
  int64_t available = readKilobytes("MemAvailable");
  std::ifstream limits("/sys/fs/cgroup/memory.max");
  std::ifstream usages("/sys/fs/cgroup/memory.current");
  int64_t limit = 0, used = 0;
  if (limits >> limit && limit > 0 && limit < total) {
    total = limit;
    if (usages >> used)
      available = std::min(available, std::max<int64_t>(0, limit - used));
  }
  return {{"total_bytes", total}, {"available_bytes", available}};
}

static json describeProcessor() {
  char *text = weft_describe_host();
  json processor = json::parse(text);
  weft_message_free(text);
  processor["name"] = readField("/proc/cpuinfo", "model name");
  processor["cores_of_machine"] = std::thread::hardware_concurrency();
  return processor;
}

//===----------------------------------------------------------------------===//
// GPUs
//===----------------------------------------------------------------------===//

static std::string versionText(int32_t version) {
  return std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10);
}

static json describeGPU(int32_t index) {
  weft_gpu gpu;
  if (weft_gpu_describe(index, &gpu))
    return {{"works", false}, {"error", weft_last_error()}};
  json result = {
      {"name", gpu.name},
      {"arch", "sm_" + std::to_string(gpu.major) + std::to_string(gpu.minor)},
      {"multiprocessors", gpu.multiprocessors},
      {"memory_bytes", gpu.memory_bytes},
      {"shared_bytes_per_block", gpu.shared_bytes},
  };
  int64_t available = 0;
  weft_status status = weft_gpu_try(index, &available);
  result["works"] = status == WEFT_OK;
  if (status)
    result["error"] = weft_last_error();
  else
    result["free_bytes"] = available;
  return result;
}

/// The driver and its GPUs. "missing" tells a machine without a GPU from one
/// whose driver is broken.
static json describeCUDA() {
  weft_gpu_driver driver;
  json result = {{"gpus", json::array()}};
  weft_status status = weft_gpu_find_driver(&driver);
  result["missing"] =
      status == WEFT_ERROR_DRIVER_MISSING || status == WEFT_ERROR_NO_DEVICE;
  if (driver.version) {
    result["version"] = versionText(driver.version);
    result["library"] = driver.path;
  }
  result["needed_version"] = versionText(driver.least_version);
  if (status)
    result["error"] = weft_last_error();
  for (int32_t i = 0; !status && i < driver.count; ++i)
    result["gpus"].push_back(describeGPU(i));
  return result;
}

//===----------------------------------------------------------------------===//
// The report
//===----------------------------------------------------------------------===//

/// What programs run on, and what is wrong.
static void conclude(json &all) {
  json problems = json::array(), uses;
  const json &processor = all["processor"], &cuda = all["cuda"];
  if (processor.contains("error"))
    problems.push_back(processor["error"]);
  else
    uses["cpu"] = processor["cpu"].get<std::string>() + ", " +
                  std::to_string(processor["cores"].get<int64_t>()) +
                  " threads";
  if (cuda.contains("error") && !cuda["missing"].get<bool>())
    problems.push_back(cuda["error"]);
  for (size_t i = 0; i < cuda["gpus"].size(); ++i) {
    const json &gpu = cuda["gpus"][i];
    if (!gpu["works"].get<bool>())
      problems.push_back("GPU " + std::to_string(i) + ": " +
                         gpu["error"].get<std::string>());
    else if (!uses.contains("cuda"))
      uses["cuda"] =
          "GPU " + std::to_string(i) + ", " + gpu["arch"].get<std::string>();
  }
  all["uses"] = uses;
  all["problems"] = problems;
}

static std::string gibibytes(const json &bytes) {
  char text[32];
  snprintf(text, sizeof(text), "%.1f GiB", bytes.get<double>() / (1 << 30));
  return text;
}

static void row(const std::string &name, const std::string &text) {
  printf("%-10s %s\n", name.c_str(), text.c_str());
}

static void printProcessor(const json &processor, const json &memory) {
  if (processor.contains("error"))
    return row("processor", processor["error"]);
  std::string name = processor["name"], cpu = processor["cpu"];
  row("processor", name.empty() ? cpu : name + " (" + cpu + ")");
  std::string features;
  for (const json &feature : processor["features"])
    features += (features.empty() ? "" : " ") + feature.get<std::string>();
  row("features", features);
  row("vectors",
      processor["vector_bytes"].dump() + " bytes, " +
          processor["vector_registers"].dump() + " registers; caches of " +
          std::to_string(processor["l1_bytes"].get<int64_t>() >> 10) + " and " +
          std::to_string(processor["l2_bytes"].get<int64_t>() >> 10) + " KiB");
  row("cores", processor["cores"].dump() + " for this process, of " +
                   processor["cores_of_machine"].dump());
  row("memory", gibibytes(memory["total_bytes"]) + ", of which " +
                    gibibytes(memory["available_bytes"]) + " are available");
}

static void printCUDA(const json &cuda) {
  if (cuda.contains("version"))
    row("driver", "for CUDA " + cuda["version"].get<std::string>() + ", " +
                      cuda["library"].get<std::string>());
  if (cuda.contains("error"))
    row(cuda.contains("version") ? "" : "driver", cuda["error"]);
  for (size_t i = 0; i < cuda["gpus"].size(); ++i) {
    const json &gpu = cuda["gpus"][i];
    std::string text;
    if (gpu.contains("name"))
      text = gpu["name"].get<std::string>() + ", " +
             gpu["arch"].get<std::string>() + ", " +
             gpu["multiprocessors"].dump() + " multiprocessors, " +
             gibibytes(gpu["memory_bytes"]);
    if (gpu.contains("free_bytes"))
      text += ", of which " + gibibytes(gpu["free_bytes"]) + " are free";
    if (gpu.contains("error"))
      text += (text.empty() ? "" : "; ") + gpu["error"].get<std::string>();
    row("GPU " + std::to_string(i), text);
  }
}

static void examine(bool asJSON) {
  json all = {{"processor", describeProcessor()},
              {"memory", describeMemory()},
              {"cuda", describeCUDA()}};
  conclude(all);
  if (asJSON) {
    printf("%s\n", all.dump(2).c_str());
  } else {
    printProcessor(all["processor"], all["memory"]);
    printCUDA(all["cuda"]);
    for (auto &[target, text] : all["uses"].items())
      row("uses", "--target " + target + ": " + text.get<std::string>());
    for (const json &problem : all["problems"])
      row("problem", problem);
  }
  if (!all["problems"].empty())
    throw Exit{1, ""};
}

void weft::tool::addDoctor(CLI::App &app) {
  CLI::App *command = app.add_subcommand(
      "doctor", "Tell what this machine has and what of it Weft will use");
  command->footer("Exit code 1 if something is there that does not work; a "
                  "machine without a GPU is well.");
  auto asJSON = std::make_shared<bool>(false);
  command->add_flag("--json", *asJSON, "Print JSON");
  command->callback([=] { examine(*asJSON); });
}
