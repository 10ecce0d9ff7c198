//===- Npy.cpp - Numpy's format of one array ------------------------------===//
//
// See the documentation of numpy.lib.format: a magic number, a version, and a
// Python dictionary with the keys descr, fortran_order and shape.
//
//===----------------------------------------------------------------------===//

#include "weft/Runtime/Data/Arrays.h"
#include <charconv>
#include <cstring>

using namespace weft::data;

namespace {
/// Reads the header's dictionary.
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : text(text) {}

  /// False if the text is no dictionary of the three keys, once each.
  bool parse() {
    if (!accept('{'))
      return false;
    int seen = 0;
    while (!accept('}')) {
      std::string key;
      if (!parseString(key) || !accept(':'))
        return false;
      int bit = key == "descr"           ? 1
                : key == "fortran_order" ? 2
                : key == "shape"         ? 4
                                         : 0;
      if (!bit || (seen & bit) || !parseValue(bit))
        return false;
      seen |= bit;
      if (!accept(',') && peek() != '}')
        return false;
    }
    return seen == 7 && peek() == '\0';
  }

  std::string descr; ///< empty for a structure
  bool fortran = false;
  std::vector<int64_t> dims;

private:
  char peek() {
    while (!text.empty() && strchr(" \t\n\r", text.front()))
      text.remove_prefix(1);
    return text.empty() ? '\0' : text.front();
  }

  bool accept(char wanted) {
    if (peek() != wanted || text.empty())
      return false;
    text.remove_prefix(1);
    return true;
  }

  bool acceptWord(std::string_view word) {
    peek();
    if (!text.starts_with(word))
      return false;
    text.remove_prefix(word.size());
    return true;
  }

  bool parseString(std::string &into) {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      return false;
    size_t end = text.find(quote, 1);
    if (end == std::string_view::npos)
      return false;
    into = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    return true;
  }

  bool parseValue(int bit) {
    if (bit == 1)
      return peek() == '[' ? skipList() : parseString(descr);
    if (bit == 4)
      return parseShape();
    fortran = acceptWord("True");
    return fortran || acceptWord("False");
  }

  /// A structure's fields, which say nothing to us but that they are there.
  bool skipList() {
    int depth = 0;
    do {
      char next = peek();
      if (next == '\0')
        return false;
      depth += next == '[' || next == '(';
      depth -= next == ']' || next == ')';
      std::string ignored;
      if (next == '\'' || next == '"') {
        if (!parseString(ignored))
          return false;
      } else {
        text.remove_prefix(1);
      }
    } while (depth > 0);
    return true;
  }

  bool parseShape() {
    if (!accept('('))
      return false;
    while (!accept(')')) {
      peek();
      int64_t size = 0;
      auto [end, error] =
          std::from_chars(text.data(), text.data() + text.size(), size);
      if (error != std::errc() || size < 0 || dims.size() == WEFT_MAX_RANK)
        return false;
      text.remove_prefix(end - text.data());
      dims.push_back(size);
      if (!accept(',') && peek() != ')')
        return false;
    }
    return true;
  }

  std::string_view text;
};
} // namespace

/// The element type that "<f4" means.
static Status parseType(const std::string &source, const std::string &descr,
                        weft_dtype &dtype) {
  auto refuse = [&](const std::string &why) {
    return Status(Error::Unsupported, source + " " + why);
  };
  if (descr.empty())
    return refuse("holds structures; save each of their fields as an array");
  if (descr[0] == 'O' || descr.substr(1, 1) == "O")
    return refuse("holds Python objects; save it as an array of numbers "
                  "(arrays whose rows have several lengths must be padded)");
  if (descr[0] == '>')
    return refuse("has big-endian elements ('" + descr +
                  "'); save it as array.astype(array.dtype.newbyteorder('<'))");
  std::string_view name = descr;
  if (strchr("<|=", descr[0]))
    name.remove_prefix(1);
  if (!parseNumpyName(name, dtype))
    return refuse("has elements of numpy's type '" + descr +
                  "', which Weft does not take; save it as float32 or int64");
  return {};
}

Status weft::data::parseNpy(std::span<const std::byte> bytes, Array &array) {
  auto damaged = [&](const std::string &why) {
    return Status(Error::Damaged, array.source + " " + why);
  };
  std::string_view text(reinterpret_cast<const char *>(bytes.data()),
                        bytes.size());
  if (text.size() < 10 || !text.starts_with("\x93NUMPY"))
    return damaged("is no array in numpy's format");
  int version = static_cast<unsigned char>(text[6]);
  if (version < 1 || version > 3)
    return Status(Error::Unsupported, array.source + " has version " +
                                          std::to_string(version) +
                                          " of numpy's format, wanted 1 to 3");
  size_t begin = version == 1 ? 10 : 12;
  uint32_t length = 0;
  if (text.size() < begin)
    return damaged("ends within its header");
  memcpy(&length, text.data() + 8, begin - 8);
  if (text.size() - begin < length)
    return damaged("ends within its header");
  HeaderParser header(text.substr(begin, length));
  if (!header.parse())
    return damaged("has a header that is no dictionary of descr, "
                   "fortran_order and shape with at most " +
                   std::to_string(WEFT_MAX_RANK) + " sizes");
  if (Status status = parseType(array.source, header.descr, array.dtype);
      !status.ok())
    return status;
  if (header.fortran && header.dims.size() > 1)
    return Status(Error::Unsupported, array.source +
                                          " is in Fortran's order; save it as "
                                          "numpy.ascontiguousarray(array)");
  int64_t wanted = 0;
  if (!multiply(header.dims, bytesOf(array.dtype), wanted))
    return damaged("has the shape " + describeDims(header.dims) +
                   ", more than any memory holds");
  array.dims = std::move(header.dims);
  array.bytes = bytes.subspan(begin + length);
  if (static_cast<int64_t>(array.bytes.size()) != wanted)
    return damaged("has " + std::to_string(array.bytes.size()) +
                   " bytes of elements, but " +
                   describe(array.dtype, array.dims) + " takes " +
                   std::to_string(wanted) + "; it is cut off or damaged");
  return {};
}
