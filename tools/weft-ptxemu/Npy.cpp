//===- Npy.cpp - Files of NumPy -------------------------------------------===//

#include "Values.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace weft::ptx::tool;

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

// What stands behind `'key':` in the header.
std::string_view fieldOf(std::string_view header, std::string_view key) {
  size_t at = header.find(key);
  if (at == std::string_view::npos)
    return {};
  at = header.find(':', at) + 1;
  return header.substr(header.find_first_not_of(' ', at));
}

} // namespace

bool weft::ptx::tool::readNpy(const std::string &path, std::string &type,
                              std::vector<size_t> &shape, std::string &bytes,
                              std::string &error) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  std::string text = all.str();
  if (!file || text.size() < 12 || !text.starts_with(kMagic)) {
    error = "'" + path + "' is no .npy file";
    return false;
  }
  bool longer = text[6] >= 2;
  size_t length = uint8_t(text[8]) | size_t(uint8_t(text[9])) << 8;
  if (longer)
    length |= size_t(uint8_t(text[10])) << 16 | size_t(uint8_t(text[11])) << 24;
  size_t begin = longer ? 12 : 10;
  std::string_view header = std::string_view(text).substr(begin, length);
  if (fieldOf(header, "fortran_order").starts_with("True")) {
    error = "'" + path + "' is not in the order of C";
    return false;
  }
  std::string_view descr = fieldOf(header, "descr");
  if (!descr.starts_with('\'')) {
    error = "'" + path + "' has a type that is not supported";
    return false;
  }
  type = descr.substr(1, descr.find('\'', 1) - 1);
  std::string sizes(fieldOf(header, "shape"));
  sizes = sizes.substr(1, sizes.find(')') - 1);
  std::stringstream list(sizes);
  for (std::string size; std::getline(list, size, ',');)
    if (size.find_first_of("0123456789") != std::string::npos)
      shape.push_back(std::strtoull(size.c_str(), nullptr, 10));
  bytes = text.substr(begin + length);
  return true;
}

bool weft::ptx::tool::writeNpy(const std::string &path, std::string_view type,
                               const std::vector<size_t> &shape,
                               std::string_view bytes, std::string &error) {
  std::string header = "{'descr': '" + std::string(type) +
                       "', 'fortran_order': False, 'shape': (";
  for (size_t size : shape)
    header += std::to_string(size) + ",";
  header += "), }";
  header.append(64 - (kMagic.size() + 4 + header.size() + 1) % 64, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file << kMagic << '\1' << '\0' << char(header.size() & 0xff)
       << char(header.size() >> 8) << header << bytes;
  if (file.flush())
    return true;
  error = "cannot write '" + path + "'";
  return false;
}
