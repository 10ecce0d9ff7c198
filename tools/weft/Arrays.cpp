//===- Arrays.cpp - Tensors in numpy's format -----------------------------===//

#include "Commands.h"
#include <cstring>
#include <fstream>
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

OwnedTensor weft::tool::allocate(weft_tensor tensor, const std::string &name) {
  tensor.bytes = weft_dtype_bytes(tensor.dtype);
  // More than any machine has.
  constexpr int64_t most = int64_t(1) << 40;
  bool fits = tensor.bytes > 0;
  for (int32_t i = 0; i < tensor.rank; ++i)
    fits &=
        tensor.dims[i] >= 0 &&
        !__builtin_mul_overflow(tensor.bytes, tensor.dims[i], &tensor.bytes);
  if (!fits || tensor.bytes > most)
    throw Exit{1, "error: WFT6003: there is no memory for the sizes of " +
                      name + ", " + describe(tensor)};
  // Programs read aligned inputs where they are.
  size_t size =
      (tensor.bytes / WEFT_BUFFER_ALIGNMENT + 1) * WEFT_BUFFER_ALIGNMENT;
  OwnedTensor result;
  result.storage.reset(aligned_alloc(WEFT_BUFFER_ALIGNMENT, size));
  if (!result.storage)
    throw Exit{1, "error: WFT6003: no memory for the " +
                      std::to_string(tensor.bytes) + " bytes of " + name};
  memset(result.storage.get(), 0, size);
  tensor.data = result.storage.get();
  result.tensor = tensor;
  return result;
}

static Exit refuse(const std::string &path, const std::string &why) {
  return Exit{1, "error: WFT6004: '" + path + "' " + why};
}

static std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (file.peek() != EOF)
    content << file.rdbuf();
  // Folders open, and fail only now; empty files are no failure.
  if (!file.is_open() || file.bad())
    throw refuse(path, "can't be read");
  return content.str();
}

/// The sizes in "(2, 3), ..." after its parenthesis.
static void parseShape(const std::string &path, const std::string &text,
                       weft_tensor &tensor) {
  size_t end = text.find(')');
  if (end == std::string::npos)
    throw refuse(path, "has a header that Weft can't read");
  std::istringstream sizes(text.substr(0, end));
  while (sizes >> std::ws && !sizes.eof()) {
    int64_t size;
    if (tensor.rank == WEFT_MAX_RANK || !(sizes >> size) || size < 0)
      throw refuse(path, "has a shape that no tensor can have");
    tensor.dims[tensor.rank++] = size;
    if (sizes >> std::ws && !sizes.eof() && sizes.get() != ',')
      throw refuse(path, "has a header that Weft can't read");
  }
}

/// The element type of "<f4"; `dtype` for what numpy has no name for and stores
/// as bytes, as the types of ml_dtypes.
static weft_dtype parseType(const std::string &path, const std::string &text,
                            weft_dtype dtype) {
  std::string name = text.substr(1, 2);
  for (const NumpyType &candidate : numpyTypes)
    if (name == candidate.name && text[0] != '>')
      return candidate.dtype;
  if (name == "V" + std::to_string(weft_dtype_bytes(dtype)))
    return dtype;
  throw refuse(path, "holds elements of a type that Weft can't read");
}

/// Reads numpy's format in C order (numpy.lib.format's documentation).
OwnedTensor weft::tool::readArray(const std::string &path, weft_dtype dtype) {
  std::string bytes = readFile(path);
  if (bytes.size() < 12 || bytes.compare(0, 6, "\x93NUMPY") != 0)
    throw refuse(path, "is no .npy file");
  if (bytes[6] < 1 || bytes[6] > 3)
    throw refuse(path, "has version " + std::to_string(bytes[6]) +
                           " of numpy's format, wanted 1 to 3");
  size_t begin = bytes[6] == 1 ? 10 : 12;
  uint32_t length = 0;
  memcpy(&length, &bytes[8], bytes[6] == 1 ? 2 : 4);
  if (bytes.size() < begin + length)
    throw refuse(path, "ends within its header");
  std::string header = bytes.substr(begin, length);
  if (header.find("'fortran_order': False") == std::string::npos)
    throw refuse(path, "is not in C order");
  size_t descr = header.find("'descr': '");
  size_t shape = header.find("'shape': (");
  if (descr == std::string::npos || shape == std::string::npos)
    throw refuse(path, "has a header that Weft can't read");

  weft_tensor tensor = {};
  tensor.dtype = parseType(path, header.substr(descr + 10), dtype);
  parseShape(path, header.substr(shape + 10), tensor);
  int64_t wanted = weft_dtype_bytes(tensor.dtype);
  for (int32_t i = 0; i < tensor.rank; ++i)
    if (__builtin_mul_overflow(wanted, tensor.dims[i], &wanted))
      throw refuse(path, "has a shape that no tensor can have");
  if (static_cast<int64_t>(bytes.size() - begin - length) < wanted)
    throw refuse(path, "holds less than its shape says");
  OwnedTensor result = allocate(tensor, "the tensor in '" + path + "'");
  if (wanted)
    memcpy(result.tensor.data, &bytes[begin + length], wanted);
  return result;
}

std::string weft::tool::formatArray(const weft_tensor &tensor) {
  int64_t width = weft_dtype_bytes(tensor.dtype);
  std::string type = "V" + std::to_string(width);
  for (const NumpyType &candidate : numpyTypes)
    if (candidate.dtype == tensor.dtype)
      type = candidate.name;
  std::string header = "{'descr': '" + std::string(width == 1 ? "|" : "<") +
                       type + "', 'fortran_order': False, 'shape': (";
  for (int32_t i = 0; i < tensor.rank; ++i)
    header += std::to_string(tensor.dims[i]) + ",";
  header += "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  uint16_t length = header.size();
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes.append(reinterpret_cast<const char *>(&length), 2);
  bytes += header;
  if (int64_t count = countElements(tensor))
    bytes.append(static_cast<const char *>(tensor.data), count * width);
  return bytes;
}

std::vector<weft_tensor>
weft::tool::borrow(const std::vector<OwnedTensor> &tensors) {
  std::vector<weft_tensor> result;
  for (const OwnedTensor &tensor : tensors)
    result.push_back(tensor.tensor);
  return result;
}

std::string weft::tool::describePosition(const weft_tensor &tensor,
                                         int64_t index) {
  std::string text;
  for (int32_t i = tensor.rank; i-- > 0;) {
    int64_t size = std::max<int64_t>(tensor.dims[i], 1);
    text = std::to_string(index % size) + (text.empty() ? "" : ", ") + text;
    index /= size;
  }
  return "[" + text + "]";
}
