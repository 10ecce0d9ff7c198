//===- EventFile.cpp - TensorBoard's event files --------------------------===//
//
// A file is a row of records: the length (8 bytes), its sum, the content, its
// sum. The sums are CRC-32C, masked. The content is a message Event of protobuf
// with these fields: wall_time = 1 (double), step = 2 (int64), file_version = 3
// (string), summary = 5 (message), whose values = 1 have tag = 1 (string) and
// simple_value = 2 (float).
//
//===----------------------------------------------------------------------===//

#include "weft/Runtime/Train/Log.h"
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <unistd.h>

using namespace weft::data;
using namespace weft::train;

/// CRC-32C of Castagnoli's polynomial, reflected, byte by byte.
static uint32_t crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> result = {};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit)
        value = value >> 1 ^ (value & 1 ? 0x82f63b78 : 0);
      result[i] = value;
    }
    return result;
  }();
  uint32_t crc = 0xffffffff;
  for (unsigned char byte : bytes)
    crc = crc >> 8 ^ table[(crc ^ byte) & 255];
  return ~crc;
}

static uint32_t maskedSum(std::string_view bytes) {
  uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

template <typename T> static void append(std::string &bytes, T value) {
  bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
}

static void appendVarint(std::string &bytes, uint64_t value) {
  for (; value >= 128; value >>= 7)
    bytes += static_cast<char>(value | 128);
  bytes += static_cast<char>(value);
}

/// A field's number and how it is stored: 0 varint, 1 eight bytes, 2 a length
/// and bytes, 5 four bytes.
static void appendTag(std::string &bytes, int field, int kind) {
  appendVarint(bytes, field << 3 | kind);
}

static void appendBytes(std::string &bytes, int field, std::string_view value) {
  appendTag(bytes, field, 2);
  appendVarint(bytes, value.size());
  bytes += value;
}

static std::string beginEvent(double wallTime) {
  std::string event;
  appendTag(event, 1, 1);
  append(event, wallTime);
  return event;
}

static double now() {
  timespec time = {};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) + time.tv_nsec * 1e-9;
}

Result<EventFile> EventFile::create(const std::string &folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  double time = now();
  std::string stem = folder + "/events.out.tfevents." +
                     std::to_string(static_cast<int64_t>(time)) + "." + host +
                     "." + std::to_string(getpid());
  // TensorBoard reads all files of a folder, in the order of their names.
  std::FILE *file = nullptr;
  std::string path;
  for (int i = 0; i < 1000; ++i) {
    path = stem + "." + std::to_string(i);
    file = std::fopen(path.c_str(), "wbxe");
    if (file || errno != EEXIST)
      break;
  }
  if (!file)
    return {Error::Log, "'" + path + "' can't be written: " + strerror(errno) +
                            "; choose another folder for events"};
  EventFile events(path, file);
  std::string event = beginEvent(time);
  appendBytes(event, 3, "brain.Event:2");
  if (Status status = events.write(event); !status.ok())
    return status;
  return events;
}

Status EventFile::write(const std::string &event) {
  std::string record;
  append(record, uint64_t(event.size()));
  append(record, maskedSum(record));
  record += event;
  append(record, maskedSum(event));
  if (std::fwrite(record.data(), 1, record.size(), file.get()) !=
          record.size() ||
      std::fflush(file.get()))
    return Status(Error::Log,
                  "'" + name + "' can't be written: " + strerror(errno));
  return {};
}

Status EventFile::addScalar(std::string_view tag, float value, int64_t update,
                            double wallTime) {
  std::string scalar;
  appendBytes(scalar, 1, tag);
  appendTag(scalar, 2, 5);
  append(scalar, value);
  std::string summary;
  appendBytes(summary, 1, scalar);
  std::string event = beginEvent(wallTime);
  appendTag(event, 2, 0);
  appendVarint(event, update);
  appendBytes(event, 5, summary);
  return write(event);
}

Status EventFile::add(const Record &record) {
  double time = now();
  std::pair<const char *, double> figures[] = {
      {"loss", record.loss},
      {"accuracy", record.accuracy},
      {"rate", record.rate},
      {"samples_per_second", record.samplesPerSecond},
      {"loss_scale", record.scale}};
  for (auto [figure, value] : figures)
    if (!std::isnan(value))
      if (Status status =
              addScalar(std::string(record.kind) + "/" + figure,
                        static_cast<float>(value), record.update, time);
          !status.ok())
        return status;
  return {};
}
