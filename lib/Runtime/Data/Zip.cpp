//===- Zip.cpp - What is in a ZIP archive ---------------------------------===//
//
// PKWARE's APPNOTE: a directory at the end of the file, found from a record
// behind it, with 64-bit sizes in extra fields where 32 bits do not do.
//
//===----------------------------------------------------------------------===//

#include "Zip.h"
#include <algorithm>
#include <cstring>
#include <zlib.h>

using namespace weft::data;

namespace {
/// Reads little-endian numbers; beyond the end it gives zeros and is no longer
/// good.
class Reader {
public:
  Reader(std::span<const std::byte> bytes, uint64_t at)
      : bytes(bytes), at(at) {}

  template <typename T> T number() {
    T value = 0;
    if (std::span<const std::byte> from = take(sizeof(T)); !from.empty())
      memcpy(&value, from.data(), sizeof(T));
    return value;
  }

  std::span<const std::byte> take(uint64_t count) {
    good &= at <= bytes.size() && count <= bytes.size() - at;
    if (!good)
      return {};
    at += count;
    return bytes.subspan(at - count, count);
  }

  void skip(uint64_t count) { take(count); }

  bool good = true;

private:
  std::span<const std::byte> bytes;
  uint64_t at;
};

struct Directory {
  uint64_t entries = 0, offset = 0;
};
} // namespace

static Status damaged(const std::string &path, const std::string &why) {
  return Status(Error::Damaged,
                "'" + path + "' is no whole ZIP archive: " + why);
}

/// Finds the directory from the records at the end of the archive.
static bool findDirectory(std::span<const std::byte> bytes,
                          Directory &directory) {
  constexpr size_t recordBytes = 22, locatorBytes = 20;
  if (bytes.size() < recordBytes)
    return false;
  // A comment of at most 65535 bytes may follow.
  size_t first = bytes.size() - recordBytes;
  size_t last = first - std::min<size_t>(first, 65535);
  for (size_t at = first + 1; at-- > last;) {
    Reader record(bytes, at);
    if (record.number<uint32_t>() != 0x06054b50)
      continue;
    record.skip(6);
    directory.entries = record.number<uint16_t>();
    record.skip(4);
    directory.offset = record.number<uint32_t>();
    if (record.number<uint16_t>() != bytes.size() - at - recordBytes)
      continue;
    if (directory.entries != 0xffff && directory.offset != 0xffffffff)
      return true;
    if (at < locatorBytes)
      return false;
    Reader locator(bytes, at - locatorBytes);
    if (locator.number<uint32_t>() != 0x07064b50)
      return true;
    locator.skip(4);
    Reader wide(bytes, locator.number<uint64_t>());
    if (wide.number<uint32_t>() != 0x06064b50)
      return false;
    wide.skip(28);
    directory.entries = wide.number<uint64_t>();
    wide.skip(8);
    directory.offset = wide.number<uint64_t>();
    return wide.good;
  }
  return false;
}

/// Replaces the sizes that 32 bits could not hold by those in extra field 1.
static bool readWideSizes(std::span<const std::byte> extra, uint64_t &size,
                          uint64_t &packed, uint64_t &offset) {
  Reader reader(extra, 0);
  for (size_t left = extra.size(); left >= 4;) {
    auto id = reader.number<uint16_t>();
    auto length = reader.number<uint16_t>();
    std::span<const std::byte> field = reader.take(length);
    if (!reader.good)
      return false;
    left -= 4 + length;
    if (id != 1)
      continue;
    Reader wide(field, 0);
    for (uint64_t *value : {&size, &packed, &offset})
      if (*value == 0xffffffff)
        *value = wide.number<uint64_t>();
    return wide.good;
  }
  return true;
}

/// Reads one entry of the directory; `reader` moves to the next.
static Status readEntry(const std::string &path,
                        std::span<const std::byte> bytes, Reader &reader,
                        ZipEntry &entry) {
  auto signature = reader.number<uint32_t>();
  reader.skip(4);
  auto flags = reader.number<uint16_t>();
  auto method = reader.number<uint16_t>();
  reader.skip(4);
  entry.crc = reader.number<uint32_t>();
  uint64_t packed = reader.number<uint32_t>();
  entry.size = reader.number<uint32_t>();
  auto nameLength = reader.number<uint16_t>();
  auto extraLength = reader.number<uint16_t>();
  auto commentLength = reader.number<uint16_t>();
  reader.skip(8);
  uint64_t offset = reader.number<uint32_t>();
  std::span<const std::byte> name = reader.take(nameLength);
  std::span<const std::byte> extra = reader.take(extraLength);
  reader.skip(commentLength);
  if (!reader.good || signature != 0x02014b50 ||
      !readWideSizes(extra, entry.size, packed, offset))
    return damaged(path, "its directory is cut off");
  entry.name.assign(reinterpret_cast<const char *>(name.data()), name.size());
  if (flags & 1)
    return Status(Error::Unsupported,
                  "'" + entry.name + "' of '" + path + "' is encrypted");
  if (method != 0 && method != 8)
    return Status(Error::Unsupported,
                  "'" + entry.name + "' of '" + path +
                      "' is compressed by method " + std::to_string(method) +
                      "; save with numpy.savez or numpy.savez_compressed");
  entry.deflated = method == 8;

  Reader local(bytes, offset);
  bool found = local.number<uint32_t>() == 0x04034b50;
  local.skip(22);
  auto localName = local.number<uint16_t>();
  auto localExtra = local.number<uint16_t>();
  local.skip(uint64_t(localName) + localExtra);
  entry.bytes = local.take(packed);
  if (!found || !local.good || (!entry.deflated && entry.size != packed))
    return damaged(path, "'" + entry.name + "' lies outside it");
  return {};
}

Result<std::vector<ZipEntry>>
weft::data::readZip(const std::string &path, std::span<const std::byte> bytes) {
  Directory directory;
  if (!findDirectory(bytes, directory))
    return damaged(path, "it has no directory");
  Reader reader(bytes, directory.offset);
  std::vector<ZipEntry> entries;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    ZipEntry entry;
    if (Status status = readEntry(path, bytes, reader, entry); !status.ok())
      return status;
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<Buffer> weft::data::inflate(const std::string &path,
                                   const ZipEntry &entry) {
  auto refuse = [&](const std::string &why) {
    return Status(Error::Damaged,
                  "'" + entry.name + "' of '" + path + "' " + why);
  };
  // Deflate packs at most 1032 bytes into one.
  if (entry.size / 1032 > entry.bytes.size())
    return refuse("claims to unpack to " + std::to_string(entry.size) +
                  " bytes, more than its " +
                  std::to_string(entry.bytes.size()) + " can hold");
  Result<Buffer> buffer =
      Buffer::allocate(entry.size, "'" + entry.name + "' of '" + path + "'");
  if (!buffer.ok())
    return buffer;
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    return {Error::Memory, "there is no memory to unpack '" + path + "'"};
  uint64_t read = 0, written = 0;
  int state = Z_OK;
  constexpr uint64_t most = 1 << 30;
  while (state == Z_OK) {
    uint64_t in = std::min<uint64_t>(entry.bytes.size() - read, most);
    uint64_t out = std::min<uint64_t>(entry.size - written, most);
    stream.next_in = reinterpret_cast<Bytef *>(
        const_cast<std::byte *>(entry.bytes.data() + read));
    stream.avail_in = in;
    stream.next_out = reinterpret_cast<Bytef *>(buffer->data() + written);
    stream.avail_out = out;
    state = ::inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += out - stream.avail_out;
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END || written != entry.size)
    return refuse("can't be unpacked: it is damaged");
  uLong sum =
      crc32_z(0, reinterpret_cast<const Bytef *>(buffer->data()), entry.size);
  if (sum != entry.crc)
    return refuse("does not have the sum that the archive says: it is damaged");
  return buffer;
}
