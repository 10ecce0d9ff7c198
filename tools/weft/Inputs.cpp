//===- Inputs.cpp - Tensors from and to files -----------------------------===//

#include "Commands.h"
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

using namespace weft::tool;

namespace {
/// Numpy's name of an element type, less the byte order.
struct NumpyType {
  weft_dtype dtype;
  const char *name;
};
} // namespace

static constexpr NumpyType numpyTypes[] = {
    {WEFT_F32, "f4"}, {WEFT_F64, "f8"}, {WEFT_F16, "f2"}, {WEFT_I8, "i1"},
    {WEFT_I16, "i2"}, {WEFT_I32, "i4"}, {WEFT_I64, "i8"}, {WEFT_U8, "u1"},
    {WEFT_U16, "u2"}, {WEFT_U32, "u4"}, {WEFT_U64, "u8"}, {WEFT_BOOL, "b1"},
};

std::string weft::tool::describe(const weft_tensor &tensor) {
  std::string text = weft_dtype_name(tensor.dtype);
  text += " [";
  for (int32_t i = 0; i < tensor.rank; ++i)
    text += (i ? ", " : "") + std::to_string(tensor.dims[i]);
  return text + "]";
}

static int64_t countElements(const weft_tensor &tensor) {
  int64_t count = 1;
  for (int32_t i = 0; i < tensor.rank; ++i)
    count *= tensor.dims[i];
  return count;
}

/// Reads numpy's format, versions 1 and 2, in C order
/// (numpy.lib.format's documentation).
static OwnedTensor readArray(const std::string &path) {
  auto bad = [&](const std::string &why) {
    return Exit{1, "error: WFT6004: '" + path + "' " + why};
  };
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (file.peek() != EOF)
    content << file.rdbuf();
  // Folders open, and fail only now; empty files are no failure.
  if (!file.is_open() || file.bad())
    throw bad("can't be read");
  std::string bytes = content.str();
  if (bytes.size() < 12 || bytes.compare(0, 6, "\x93NUMPY") != 0)
    throw bad("is no .npy file");
  if (bytes[6] < 1 || bytes[6] > 3)
    throw bad("has version " + std::to_string(bytes[6]) +
              " of numpy's format, wanted 1 to 3");
  size_t begin = bytes[6] == 1 ? 10 : 12;
  uint32_t length = 0;
  memcpy(&length, &bytes[8], bytes[6] == 1 ? 2 : 4);
  if (bytes.size() < begin + length)
    throw bad("ends within its header");
  std::string header = bytes.substr(begin, length);
  if (header.find("'fortran_order': False") == std::string::npos)
    throw bad("is not in C order");
  size_t descr = header.find("'descr': '");
  size_t shape = header.find("'shape': (");
  if (descr == std::string::npos || shape == std::string::npos)
    throw bad("has a header that Weft can't read");
  std::string type = header.substr(descr + 11, 2);

  OwnedTensor result;
  result.tensor = {};
  bool known = false;
  for (const NumpyType &candidate : numpyTypes)
    if (type == candidate.name && header[descr + 10] != '>') {
      result.tensor.dtype = candidate.dtype;
      known = true;
    }
  if (!known)
    throw bad("holds elements of a type that Weft can't read");
  size_t end = header.find(')', shape);
  if (end == std::string::npos)
    throw bad("has a header that Weft can't read");
  std::istringstream sizes(header.substr(shape + 10, end - shape - 10));
  while (sizes >> std::ws && !sizes.eof()) {
    int64_t size;
    if (result.tensor.rank == WEFT_MAX_RANK || !(sizes >> size) || size < 0)
      throw bad("has a shape that no tensor can have");
    result.tensor.dims[result.tensor.rank++] = size;
    if (sizes >> std::ws && !sizes.eof() && sizes.get() != ',')
      throw bad("has a header that Weft can't read");
  }
  int64_t wanted = weft_dtype_bytes(result.tensor.dtype);
  for (int32_t i = 0; i < result.tensor.rank; ++i)
    if (__builtin_mul_overflow(wanted, result.tensor.dims[i], &wanted))
      throw bad("has a shape that no tensor can have");
  if (static_cast<int64_t>(bytes.size() - begin - length) < wanted)
    throw bad("holds less than its shape says");
  result.storage.assign(bytes.begin() + begin + length, bytes.end());
  result.tensor.bytes = wanted;
  return result;
}

void weft::tool::writeArray(const std::string &path,
                            const weft_tensor &tensor) {
  std::string type;
  for (const NumpyType &candidate : numpyTypes)
    if (candidate.dtype == tensor.dtype)
      type = candidate.name;
  if (type.empty())
    throw Exit{1, "error: WFT6005: numpy's format has no elements of type " +
                      std::string(weft_dtype_name(tensor.dtype))};
  std::string header = "{'descr': '" +
                       std::string(type.back() == '1' ? "|" : "<") + type +
                       "', 'fortran_order': False, 'shape': (";
  for (int32_t i = 0; i < tensor.rank; ++i)
    header += std::to_string(tensor.dims[i]) + ",";
  header += "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  uint16_t length = header.size();
  std::string temporary = path + ".tmp";
  std::ofstream file(temporary, std::ios::binary);
  file.write("\x93NUMPY\x01\x00", 8);
  file.write(reinterpret_cast<const char *>(&length), 2);
  file << header;
  file.write(static_cast<const char *>(tensor.data),
             countElements(tensor) * weft_dtype_bytes(tensor.dtype));
  file.close();
  if (!file || rename(temporary.c_str(), path.c_str()) != 0)
    throw Exit{1, "error: WFT6005: can't write '" + path + "'"};
}

/// A tensor for `port` of numbers that look like a model's inputs: floats in
/// [0, 1), integers 0 and 1.
static OwnedTensor makeUp(const weft_program &program, const weft_port &port,
                          const std::map<std::string, int64_t> &sizes,
                          std::mt19937 &random) {
  OwnedTensor result;
  result.tensor = {};
  result.tensor.dtype = port.dtype;
  result.tensor.rank = port.rank;
  for (int32_t i = 0; i < port.rank; ++i) {
    weft_dim dim = port.dims[i];
    int64_t size = dim.size;
    if (dim.symbol >= 0) {
      const weft_symbol &symbol = program.symbols[dim.symbol];
      auto it = sizes.find(symbol.name);
      size = it == sizes.end() ? std::max<int64_t>(1, symbol.min) : it->second;
    }
    result.tensor.dims[i] = size;
  }
  int64_t bytes = weft_dtype_bytes(port.dtype), total = bytes;
  for (int32_t i = 0; i < port.rank; ++i)
    if (result.tensor.dims[i] < 0 ||
        __builtin_mul_overflow(total, result.tensor.dims[i], &total) ||
        total > int64_t(1) << 40)
      throw Exit{1, "error: WFT6003: input '" + std::string(port.name) +
                        "' can't be made up with the sizes " +
                        describe(result.tensor)};
  int64_t count = total / bytes;
  result.storage.assign(total, 0);
  for (int64_t i = 0; i < count; ++i) {
    float unit = (random() >> 8) * 0x1p-24f;
    char *element = &result.storage[i * bytes];
    if (port.dtype == WEFT_F32) {
      memcpy(element, &unit, 4);
    } else if (port.dtype == WEFT_F64) {
      double wide = unit;
      memcpy(element, &wide, 8);
    } else if (port.dtype != WEFT_F16 && port.dtype != WEFT_BF16) {
      *element = unit < 0.5f;
    }
  }
  result.tensor.bytes = count * bytes;
  return result;
}

std::vector<OwnedTensor>
weft::tool::makeInputs(const weft_program &program,
                       const std::vector<std::string> &files, bool random,
                       const std::string &sizes) {
  std::map<std::string, std::string> paths;
  for (const std::string &file : files) {
    size_t equals = file.find('=');
    if (equals == std::string::npos)
      throw Exit{2, "error: WFT6002: '" + file + "': wanted NAME=FILE.npy"};
    paths[file.substr(0, equals)] = file.substr(equals + 1);
  }
  std::map<std::string, int64_t> values;
  std::istringstream list(sizes);
  for (std::string part; std::getline(list, part, ',');)
    if (size_t equals = part.find('='); equals != std::string::npos)
      values[part.substr(0, equals)] = atoll(part.c_str() + equals + 1);

  std::mt19937 generator(0);
  std::vector<OwnedTensor> inputs;
  for (int32_t i = 0; i < program.num_inputs; ++i) {
    const weft_port &port = program.inputs[i];
    auto it = paths.find(port.name);
    if (it != paths.end()) {
      inputs.push_back(readArray(it->second));
      paths.erase(it);
    } else if (random) {
      inputs.push_back(makeUp(program, port, values, generator));
    } else {
      throw Exit{2, "error: WFT6002: input '" + std::string(port.name) +
                        "' is missing; give it with --input " + port.name +
                        "=FILE.npy, or have it made up with --random"};
    }
  }
  if (!paths.empty())
    throw Exit{2, "error: WFT6002: the model has no input '" +
                      paths.begin()->first + "'"};
  for (OwnedTensor &input : inputs)
    input.tensor.data = input.storage.data();
  return inputs;
}
