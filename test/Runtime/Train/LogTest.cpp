//===- LogTest.cpp - Event files, CSV and progress ------------------------===//

#include "weft/Runtime/Train/Log.h"
#include "DataTest.h"

using namespace weft::data;
using namespace weft::test;
using namespace weft::train;

namespace {
class LogTest : public FolderTest {};

template <typename T> T take(std::string_view &bytes) {
  T value = {};
  EXPECT_GE(bytes.size(), sizeof(T));
  memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

uint64_t takeVarint(std::string_view &bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    auto byte = take<uint8_t>(bytes);
    value |= uint64_t(byte & 127) << shift;
    if (byte < 128)
      return value;
  }
}

/// CRC-32C a bit at a time, masked.
uint32_t sumOf(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      uint32_t low = (crc ^ byte >> bit) & 1;
      crc = crc >> 1 ^ (low ? 0x82f63b78 : 0);
    }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

/// The fields of a message by number; numbers as text.
std::map<int, std::string> fields(std::string_view bytes) {
  std::map<int, std::string> found;
  while (!bytes.empty()) {
    uint64_t tag = takeVarint(bytes);
    std::string &value = found[static_cast<int>(tag >> 3)];
    switch (tag & 7) {
    case 0:
      value = std::to_string(takeVarint(bytes));
      break;
    case 1:
      value = std::to_string(take<double>(bytes));
      break;
    case 2: {
      uint64_t size = takeVarint(bytes);
      value = bytes.substr(0, size);
      bytes.remove_prefix(size);
      break;
    }
    case 5:
      value = std::to_string(take<float>(bytes));
      break;
    default:
      ADD_FAILURE() << "kind " << (tag & 7);
      return found;
    }
  }
  return found;
}

/// The events of a file; fails where a sum is wrong.
std::vector<std::string> events(std::string_view bytes) {
  std::vector<std::string> found;
  while (!bytes.empty()) {
    std::string_view lengthBytes = bytes.substr(0, 8);
    auto length = take<uint64_t>(bytes);
    EXPECT_EQ(take<uint32_t>(bytes), sumOf(lengthBytes));
    found.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
    EXPECT_EQ(take<uint32_t>(bytes), sumOf(found.back()));
  }
  return found;
}
} // namespace

TEST_F(LogTest, writesEventFiles) {
  auto file = EventFile::create(path("runs/1"));
  ASSERT_TRUE(file.ok()) << file.status().describe();
  ASSERT_TRUE(
      file->add({.kind = "train", .update = 300, .loss = 0.5, .rate = 0.25})
          .ok());
  // The check value of CRC-32C, so that our sums are those of others.
  uint32_t check = 0xe3069283;
  EXPECT_EQ(sumOf("123456789"), (check >> 15 | check << 17) + 0xa282ead8);

  std::string name = std::filesystem::path(file->path()).filename();
  EXPECT_EQ(name.rfind("events.out.tfevents.", 0), 0u) << name;
  std::vector<std::string> found = events(read("runs/1/" + name));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(fields(found[0])[3], "brain.Event:2");
  std::map<int, std::string> event = fields(found[1]);
  EXPECT_GT(std::stod(event[1]), 1.7e9);
  EXPECT_EQ(event[2], "300");
  std::map<int, std::string> scalar = fields(fields(event[5])[1]);
  EXPECT_EQ(scalar[1], "train/loss");
  EXPECT_EQ(scalar[2], "0.500000");
  EXPECT_EQ(fields(fields(fields(found[2])[5])[1])[1], "train/rate");

  auto second = EventFile::create(path("runs/1"));
  ASSERT_TRUE(second.ok());
  EXPECT_NE(second->path(), file->path());
  write("file", "");
  EXPECT_ERROR(EventFile::create(path("file")).status(), Log,
               "Not a directory");
}

TEST_F(LogTest, writesCsv) {
  {
    auto log = CsvLog::create(path("log.csv"));
    ASSERT_TRUE(log.ok()) << log.status().describe();
    for (int64_t update : {10, 20, 30})
      ASSERT_TRUE(log->add({.update = update,
                            .epoch = 1,
                            .loss = 0.5,
                            .rate = 0.125,
                            .samplesPerSecond = 100})
                      .ok());
    ASSERT_TRUE(log->add({.kind = "validation",
                          .update = 30,
                          .epoch = 1,
                          .loss = 1,
                          .accuracy = 0.75})
                    .ok());
  }
  std::string header =
      "update,epoch,kind,loss,accuracy,rate,samples_per_second,loss_scale\n";
  EXPECT_EQ(read("log.csv"), header + "10,1,train,0.5,,0.125,100,\n"
                                      "20,1,train,0.5,,0.125,100,\n"
                                      "30,1,train,0.5,,0.125,100,\n"
                                      "30,1,validation,1,0.75,,,\n");
  // A run that goes on after update 20 drops what is after it.
  std::ofstream(path("log.csv"), std::ios::app) << "40,1,tra";
  {
    auto log = CsvLog::resume(path("log.csv"), 20, 0);
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE(log->add({.update = 30, .epoch = 2, .scale = 512}).ok());
  }
  EXPECT_EQ(read("log.csv"), header + "10,1,train,0.5,,0.125,100,\n"
                                      "20,1,train,0.5,,0.125,100,\n"
                                      "30,2,train,,,,,512\n");
  // A validation is of the past only if its epoch is.
  write("v.csv", header + "30,1,train,1,,,\n30,1,validation,1,,,\n");
  ASSERT_TRUE(CsvLog::resume(path("v.csv"), 30, 0).ok());
  EXPECT_EQ(read("v.csv"), header + "30,1,train,1,,,\n");
  write("v.csv", header + "30,1,validation,1,,,\n");
  ASSERT_TRUE(CsvLog::resume(path("v.csv"), 30, 1).ok());
  EXPECT_EQ(read("v.csv"), header + "30,1,validation,1,,,\n");
  EXPECT_ERROR(CsvLog::create(path("none/log.csv")).status(), Log,
               "No such file");
}

TEST_F(LogTest, saysPlainLinesWhereThereIsNoTerminal) {
  {
    std::FILE *file = std::fopen(path("out").c_str(), "w");
    Progress progress(file);
    // Nothing so soon after the beginning.
    progress.show({.epoch = 1, .epochs = 2});
    progress.say("epoch 1/2  loss 0.5");
    std::fclose(file);
    Progress silent(nullptr);
    silent.show({});
    silent.say("nothing");
  }
  EXPECT_EQ(read("out"), "epoch 1/2  loss 0.5\n");
}

TEST(LogTextTest, describesSeconds) {
  EXPECT_EQ(describeSeconds(0.4), "0 s");
  EXPECT_EQ(describeSeconds(59.4), "59 s");
  EXPECT_EQ(describeSeconds(59.6), "1 min 00 s");
  EXPECT_EQ(describeSeconds(3725), "1 h 02 min");
}
