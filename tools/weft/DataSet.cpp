//===- DataSet.cpp - ONNX's test data, and other inputs -------------------===//

#include "Commands.h"
#include <cstring>
#include <map>
#include <random>
#include <sstream>
#include <sys/stat.h>

using namespace weft::tool;

//===----------------------------------------------------------------------===//
// ONNX's test data
//===----------------------------------------------------------------------===//

static bool exists(const std::string &path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0;
}

namespace {
struct NamedTensor {
  std::string name, path;
  OwnedTensor tensor;
};
} // namespace

/// Reads `KIND_0.pb` and so on, up to the first number that is not there and
/// those below `least`.
static std::vector<NamedTensor>
readTensors(const std::string &folder, const std::string &kind, int least) {
  std::vector<NamedTensor> result;
  for (int number = 0;; ++number) {
    std::string path =
        folder + "/" + kind + "_" + std::to_string(number) + ".pb";
    NamedTensor &read = result.emplace_back();
    read.path = path;
    if (!exists(path)) {
      if (number < least)
        continue;
      result.pop_back();
      return result;
    }
    char *name = nullptr, *message = nullptr;
    check(weft_tensor_read(path.c_str(), &read.tensor.tensor, &name, &message),
          message);
    read.name = name;
    weft_message_free(name);
    read.tensor.storage.reset(read.tensor.tensor.data);
  }
}

/// The port that each tensor belongs to: the one that it is called after, if
/// all are called after one, else the one in its place.
static std::vector<int32_t> matchPorts(const std::vector<NamedTensor> &tensors,
                                       const weft_port *ports, int32_t count) {
  std::vector<int32_t> byName, byPlace;
  for (const NamedTensor &tensor : tensors) {
    byPlace.push_back(byPlace.size());
    for (int32_t i = 0; i < count; ++i)
      if (tensor.name == ports[i].name)
        byName.push_back(i);
  }
  return byName.size() == tensors.size() ? byName : byPlace;
}

DataSet weft::tool::readDataSet(const weft_program &program,
                                const std::string &folder) {
  if (!exists(folder))
    throw Exit{1, "error: WFT6006: there is no folder '" + folder + "'"};
  std::vector<NamedTensor> inputs = readTensors(folder, "input", 0);
  std::vector<NamedTensor> outputs =
      readTensors(folder, "output", program.num_outputs);
  DataSet result;
  result.inputs.resize(program.num_inputs);
  result.outputs.resize(program.num_outputs);
  result.outputFiles.resize(program.num_outputs);
  std::vector<int32_t> places =
      matchPorts(inputs, program.inputs, program.num_inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (places[i] >= program.num_inputs)
      throw Exit{1, "error: WFT6006: the model has " +
                        std::to_string(program.num_inputs) +
                        " inputs, none for '" + inputs[i].path + "'"};
    result.inputs[places[i]] = std::move(inputs[i].tensor);
  }
  for (int32_t i = 0; i < program.num_inputs; ++i)
    if (!result.inputs[i].tensor.data)
      throw Exit{1, "error: WFT6006: folder '" + folder +
                        "' has no file for input '" + program.inputs[i].name +
                        "', number " + std::to_string(i) +
                        ": wanted input_0.pb and so on"};
  places = matchPorts(outputs, program.outputs, program.num_outputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (places[i] >= program.num_outputs)
      throw Exit{1, "error: WFT6006: the model has " +
                        std::to_string(program.num_outputs) +
                        " outputs, none for '" + outputs[i].path + "'"};
    result.outputFiles[places[i]] = outputs[i].path;
    result.outputs[places[i]] = std::move(outputs[i].tensor);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Made-up inputs
//===----------------------------------------------------------------------===//

/// The values in "N=4,M=1:64"; of a range, the first.
static void parseSizes(const std::string &text,
                       std::map<std::string, int64_t> &sizes) {
  std::istringstream list(text);
  for (std::string part; std::getline(list, part, ',');) {
    size_t equals = part.find('=');
    char *end = nullptr;
    int64_t size = 0;
    if (equals != std::string::npos)
      size = strtoll(part.c_str() + equals + 1, &end, 10);
    if (!end || end == part.c_str() + equals + 1 || (*end && *end != ':') ||
        size < 0)
      throw Exit{2, "error: WFT6001: '" + part +
                        "' is no size: wanted NAME=NUMBER"};
    sizes[part.substr(0, equals)] = size;
  }
}

/// A tensor for `port` of numbers that look like a model's inputs: floats in
/// [0, 1), integers 0 and 1.
static OwnedTensor makeUp(const weft_program &program, const weft_port &port,
                          const std::map<std::string, int64_t> &sizes,
                          std::mt19937 &random) {
  weft_tensor shape = {};
  shape.dtype = port.dtype;
  shape.rank = port.rank;
  for (int32_t i = 0; i < port.rank; ++i) {
    weft_dim dim = port.dims[i];
    int64_t size = dim.size;
    if (dim.symbol >= 0) {
      const weft_symbol &symbol = program.symbols[dim.symbol];
      auto it = sizes.find(symbol.name);
      size = it == sizes.end() ? std::max<int64_t>(1, symbol.min) : it->second;
    }
    shape.dims[i] = size;
  }
  OwnedTensor result =
      allocate(shape, "input '" + std::string(port.name) + "'");
  weft_tensor &tensor = result.tensor;
  int64_t width = weft_dtype_bytes(port.dtype);
  for (int64_t at = 0; at < tensor.bytes; at += width) {
    float unit = (random() >> 8) * 0x1p-24f;
    char *element = static_cast<char *>(tensor.data) + at;
    if (port.dtype == WEFT_F32) {
      memcpy(element, &unit, 4);
    } else if (port.dtype == WEFT_F64) {
      double wide = unit;
      memcpy(element, &wide, 8);
    } else if (port.dtype == WEFT_BF16) {
      memcpy(element, reinterpret_cast<char *>(&unit) + 2, 2);
    } else if (port.dtype == WEFT_F16) {
      // 1/2 to 1 in steps of the last place.
      uint16_t bits = 0x3800 + static_cast<uint16_t>(unit * 1024);
      memcpy(element, &bits, 2);
    } else {
      *element = unit < 0.5f;
    }
  }
  return result;
}

std::vector<OwnedTensor> weft::tool::makeUpInputs(const weft_program &program,
                                                  const std::string &dims,
                                                  const std::string &sizes) {
  InputFlags flags;
  flags.random = true;
  flags.sizes = sizes;
  return flags.read(program, dims).inputs;
}

//===----------------------------------------------------------------------===//
// Flags
//===----------------------------------------------------------------------===//

void InputFlags::add(CLI::App &app) {
  app.add_option("--inputs", folder,
                 "Folder with ONNX's test data: inputs are input_0.pb and so "
                 "on, and results are compared with output_0.pb and so on "
                 "where they are there");
  app.add_option("--input", files, "An input: NAME=FILE.npy; may be repeated");
  app.add_flag("--random", random, "Make up the inputs that are not given");
  app.add_option("--size", sizes,
                 "Symbolic sizes of made-up inputs, if not the least that "
                 "--dim allows: N=8,M=4 [1]");
}

DataSet InputFlags::read(const weft_program &program,
                         const std::string &dims) const {
  if (!folder.empty()) {
    if (!files.empty() || random)
      throw Exit{2,
                 "error: WFT6001: --inputs gives all inputs: leave --input and "
                 "--random out"};
    return readDataSet(program, folder);
  }
  std::map<std::string, std::string> paths;
  for (const std::string &file : files) {
    size_t equals = file.find('=');
    if (equals == std::string::npos)
      throw Exit{2, "error: WFT6002: '" + file + "': wanted NAME=FILE.npy"};
    paths[file.substr(0, equals)] = file.substr(equals + 1);
  }
  std::map<std::string, int64_t> values;
  parseSizes(dims, values);
  parseSizes(sizes, values);
  DataSet result;
  result.outputs.resize(program.num_outputs);
  std::mt19937 generator(0);
  for (int32_t i = 0; i < program.num_inputs; ++i) {
    const weft_port &port = program.inputs[i];
    auto it = paths.find(port.name);
    if (it != paths.end()) {
      result.inputs.push_back(readArray(it->second, port.dtype));
      paths.erase(it);
    } else if (random) {
      result.inputs.push_back(makeUp(program, port, values, generator));
    } else {
      throw Exit{2, "error: WFT6002: input '" + std::string(port.name) +
                        "' is missing; give it with --input " + port.name +
                        "=FILE.npy, all of them with --inputs FOLDER, or have "
                        "it made up with --random"};
    }
  }
  if (!paths.empty())
    throw Exit{2, "error: WFT6002: the model has no input '" +
                      paths.begin()->first + "'"};
  return result;
}
