//===- DataTest.cpp - What the tests of data and training share -----------===//

#include "DataTest.h"
#include "weft/Runtime/Data/Random.h"
#include <zlib.h>

using namespace weft::test;

template <typename T> static void put(std::string &bytes, T value) {
  bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
}

static std::string deflated(const std::string &content) {
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, content.size()), '\0');
  stream.next_in =
      reinterpret_cast<Bytef *>(const_cast<char *>(content.data()));
  stream.avail_in = content.size();
  stream.next_out = reinterpret_cast<Bytef *>(packed.data());
  stream.avail_out = packed.size();
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// A file's entry in the directory of an archive.
static std::string zipEntry(const std::string &name, const std::string &common,
                            uint64_t packed, uint64_t size, uint64_t offset,
                            bool wide) {
  std::string entry;
  put<uint32_t>(entry, 0x02014b50);
  put<uint16_t>(entry, 45);
  entry += common;
  put<uint32_t>(entry, wide ? 0xffffffff : packed);
  put<uint32_t>(entry, wide ? 0xffffffff : size);
  put<uint16_t>(entry, name.size());
  put<uint16_t>(entry, wide ? 28 : 0);
  put<uint16_t>(entry, 0); // comment
  put<uint64_t>(entry, 0); // disk and attributes
  put<uint32_t>(entry, wide ? 0xffffffff : offset);
  entry += name;
  if (wide) {
    put<uint16_t>(entry, 1);
    put<uint16_t>(entry, 24);
    for (uint64_t value : {size, packed, offset})
      put(entry, value);
  }
  return entry;
}

/// What stands behind the directory of an archive.
static std::string zipEnd(uint64_t files, uint64_t size, uint64_t offset,
                          bool wide) {
  std::string end;
  if (wide) {
    put<uint32_t>(end, 0x06064b50);
    put<uint64_t>(end, 44);
    put<uint32_t>(end, 45 << 16 | 45);
    put<uint64_t>(end, 0); // disks
    for (uint64_t value : {files, files, size, offset})
      put(end, value);
    put<uint32_t>(end, 0x07064b50);
    put<uint32_t>(end, 0);
    put<uint64_t>(end, offset + size);
    put<uint32_t>(end, 1);
  }
  put<uint32_t>(end, 0x06054b50);
  put<uint32_t>(end, 0);
  put<uint16_t>(end, wide ? 0xffff : files);
  put<uint16_t>(end, wide ? 0xffff : files);
  put<uint32_t>(end, wide ? 0xffffffff : size);
  put<uint32_t>(end, wide ? 0xffffffff : offset);
  put<uint16_t>(end, 0);
  return end;
}

std::string
weft::test::zip(const std::vector<std::pair<std::string, std::string>> &files,
                bool deflate, bool wide) {
  std::string bytes, directory;
  for (const auto &[name, content] : files) {
    std::string packed = deflate ? deflated(content) : content;
    uint32_t sum = crc32(0, reinterpret_cast<const Bytef *>(content.data()),
                         content.size());
    std::string common;
    put<uint16_t>(common, 45);
    put<uint16_t>(common, 0);
    put<uint16_t>(common, deflate ? 8 : 0);
    put<uint32_t>(common, 0);
    put<uint32_t>(common, sum);
    directory += zipEntry(name, common, packed.size(), content.size(),
                          bytes.size(), wide);
    // As numpy does, sizes stand in the extra field of the file's own header.
    put<uint32_t>(bytes, 0x04034b50);
    bytes += common;
    put<uint32_t>(bytes, 0xffffffff);
    put<uint32_t>(bytes, 0xffffffff);
    put<uint16_t>(bytes, name.size());
    put<uint16_t>(bytes, 20);
    bytes += name;
    put<uint16_t>(bytes, 1);
    put<uint16_t>(bytes, 16);
    put<uint64_t>(bytes, content.size());
    put<uint64_t>(bytes, packed.size());
    bytes += packed;
  }
  return bytes + directory +
         zipEnd(files.size(), directory.size(), bytes.size(), wide);
}

std::string weft::test::damage(std::string text, uint64_t seed) {
  data::Random random(seed, data::Random::Augment, 0, 0);
  for (uint64_t i = 0, count = 1 + random.below(4); i < count; ++i) {
    if (text.empty())
      return text;
    uint64_t at = random.below(text.size());
    auto byte = static_cast<char>(random.next());
    switch (random.below(5)) {
    case 0:
      text.resize(at);
      break;
    case 1:
      text.insert(at, 1 + random.below(8), byte);
      break;
    case 2:
      text.erase(at, 1 + random.below(8));
      break;
    case 3:
      text[at] ^= 1 << random.below(8);
      break;
    default:
      text[at] = byte;
    }
  }
  return text;
}
