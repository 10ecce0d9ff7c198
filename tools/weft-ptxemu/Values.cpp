//===- Values.cpp - Arguments of kernels ----------------------------------===//

#include "Values.h"
#include "Number.h"

#include <charconv>
#include <cstring>

using namespace weft::ptx;
using namespace weft::ptx::tool;

namespace {

constexpr ElementType kTypes[] = {
    {"i8", "|i1", 1},  {"u8", "|u1", 1},   {"i16", "<i2", 2}, {"u16", "<u2", 2},
    {"i32", "<i4", 4}, {"u32", "<u4", 4},  {"i64", "<i8", 8}, {"u64", "<u8", 8},
    {"f16", "<f2", 2}, {"bf16", "<u2", 2}, {"f32", "<f4", 4}, {"f64", "<f8", 8},
};

template <class T> std::string integerText(const void *from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return std::to_string(value);
}

std::string realText(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.6g", value);
  return text;
}

bool parseNumber(std::string_view text, double &value) {
  auto done = std::from_chars(text.data(), text.data() + text.size(), value);
  return done.ec == std::errc() && done.ptr == text.data() + text.size();
}

bool fillFromFile(const std::string &path, Memory &memory, Argument &argument,
                  std::string &error) {
  std::string type, bytes;
  if (!readNpy(path, type, argument.shape, bytes, error))
    return false;
  if (type != argument.type->numpy) {
    error = "'" + path + "' has elements '" + type + "' instead of '" +
            std::string(argument.type->numpy) + "'";
    return false;
  }
  argument.count = bytes.size() / argument.type->bytes;
  argument.buffer = memory.allocate(bytes.size());
  std::memcpy(argument.buffer, bytes.data(), bytes.size());
  memory.markInitialised(argument.buffer, bytes.size());
  return true;
}

bool fillNew(std::string_view fill, Memory &memory, Argument &argument,
             std::string &error) {
  size_t bytes = argument.count * argument.type->bytes;
  argument.shape = {argument.count};
  argument.buffer = memory.allocate(bytes);
  if (!argument.buffer) {
    error = "there is no memory for " + std::to_string(bytes) + " bytes";
    return false;
  }
  if (fill.empty())
    return true;
  double value = 0;
  bool counts = fill == "iota";
  if (!counts && !parseNumber(fill, value)) {
    error = "'" + std::string(fill) + "' is no number";
    return false;
  }
  auto *at = static_cast<std::byte *>(argument.buffer);
  for (size_t i = 0; i < argument.count; ++i, at += argument.type->bytes)
    writeElement(*argument.type, counts ? double(i) : value, at);
  memory.markInitialised(argument.buffer, bytes);
  return true;
}

} // namespace

const ElementType *weft::ptx::tool::typeNamed(std::string_view name) {
  for (const ElementType &type : kTypes)
    if (type.name == name)
      return &type;
  return nullptr;
}

void weft::ptx::tool::writeElement(const ElementType &type, double value,
                                   void *to) {
  uint64_t bits = value < 0 ? uint64_t(int64_t(value)) : uint64_t(value);
  if (type.name == "f64")
    bits = std::bit_cast<uint64_t>(value);
  else if (type.name == "f32")
    bits = std::bit_cast<uint32_t>(float(value));
  else if (type.name == "f16")
    bits = toFormat(value, kHalf, Rounding::Nearest);
  else if (type.name == "bf16")
    bits = toFormat(value, kBFloat, Rounding::Nearest);
  std::memcpy(to, &bits, type.bytes);
}

std::string weft::ptx::tool::elementText(const ElementType &type,
                                         const void *from) {
  std::string_view name = type.name;
  uint64_t bits = 0;
  std::memcpy(&bits, from, type.bytes);
  if (name == "f64")
    return realText(std::bit_cast<double>(bits));
  if (name == "f32")
    return realText(std::bit_cast<float>(uint32_t(bits)));
  if (name == "f16" || name == "bf16")
    return realText(
        fromFormat(uint32_t(bits), name == "f16" ? kHalf : kBFloat));
  if (name[0] == 'u')
    return std::to_string(bits);
  switch (type.bytes) {
  case 1:
    return integerText<int8_t>(from);
  case 2:
    return integerText<int16_t>(from);
  case 4:
    return integerText<int32_t>(from);
  default:
    return integerText<int64_t>(from);
  }
}

bool weft::ptx::tool::parseArgument(const std::string &text, Memory &memory,
                                    Argument &argument, std::string &error) {
  size_t end = text.find_first_of("=:[");
  argument.type = typeNamed(std::string_view(text).substr(0, end));
  if (!argument.type || end == std::string::npos) {
    error = "'" + text +
            "' is no argument; write TYPE=VALUE, TYPE:FILE.npy, TYPE[COUNT] or "
            "TYPE[COUNT]=VALUE";
    return false;
  }
  std::string rest = text.substr(end + 1);
  if (text[end] == ':')
    return fillFromFile(rest, memory, argument, error);
  if (text[end] == '[') {
    auto done =
        std::from_chars(rest.data(), rest.data() + rest.size(), argument.count);
    std::string_view left(done.ptr, rest.data() + rest.size() - done.ptr);
    if (done.ec != std::errc() || !left.starts_with("]") ||
        (left.size() > 1 && !left.starts_with("]="))) {
      error = "'" + text + "' has no count in brackets";
      return false;
    }
    return fillNew(left.substr(std::min<size_t>(2, left.size())), memory,
                   argument, error);
  }
  double value = 0;
  if (!parseNumber(rest, value)) {
    error = "'" + rest + "' is no number";
    return false;
  }
  argument.value.resize(argument.type->bytes);
  writeElement(*argument.type, value, argument.value.data());
  return true;
}
