//===- CheckpointTest.cpp - Files of tensors, and folders of them ---------===//

#include "weft/Runtime/Train/Checkpoint.h"
#include "DataTest.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace weft::data;
using namespace weft::test;
using namespace weft::train;

namespace {
class CheckpointTest : public FolderTest {
protected:
  CheckpointTest() {
    for (int i = 0; i < 6; ++i)
      floats[i] = static_cast<float>(i) / 3;
  }

  std::vector<NamedTensor> state() {
    auto bytes = [](void *memory) { return static_cast<std::byte *>(memory); };
    return {{"small", WEFT_U8, {3}, bytes(small), 3},
            {"a \"quoted\" name/é", WEFT_F32, {2, 3}, bytes(floats), 24},
            {"step", WEFT_I64, {}, bytes(&step), 8},
            {"nothing", WEFT_F16, {0, 5}, nullptr, 0}};
  }

  /// A file with this header and `bytes` of content.
  std::string file(const std::string &header, int64_t bytes) {
    uint64_t length = header.size();
    return write("x.safetensors",
                 std::string(reinterpret_cast<char *>(&length), 8) + header +
                     std::string(bytes, 'x'));
  }

  uint8_t small[3] = {1, 2, 3};
  float floats[6];
  int64_t step = 42;
};
} // namespace

TEST_F(CheckpointTest, readsWhatItWrites) {
  std::string name = path("x.safetensors");
  Status status = writeSafetensors(name, state(), {{"key", "välue"}});
  ASSERT_TRUE(status.ok()) << status.describe();
  auto file = Safetensors::open(name);
  ASSERT_TRUE(file.ok()) << file.status().describe();
  EXPECT_TRUE(file->checkSum().ok());
  EXPECT_EQ(file->metadata().at("key"), "välue");
  ASSERT_EQ(file->entries().size(), 4u);
  const Safetensors::Entry *entry = file->find("a \"quoted\" name/é");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->dims, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(memcmp(entry->bytes.data(), floats, 24), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(entry->bytes.data()) % 4, 0u);

  floats[0] = 7;
  step = 0;
  ASSERT_TRUE(restore(*file, state()).ok());
  EXPECT_EQ(floats[0], 0);
  EXPECT_EQ(step, 42);
}

TEST_F(CheckpointTest, namesWhatDoesNotBelong) {
  std::string name = path("x.safetensors");
  ASSERT_TRUE(writeSafetensors(name, state(), {}).ok());
  auto file = Safetensors::open(name);
  ASSERT_TRUE(file.ok());
  std::vector<NamedTensor> other = state();
  other[1].dims = {3, 2};
  step = 5;
  EXPECT_ERROR(restore(*file, other), CheckpointMismatch,
               "is f32 [2, 3] in it, wanted f32 [3, 2]");
  other = state();
  other[0].name = "weights";
  EXPECT_ERROR(restore(*file, other), CheckpointMismatch,
               "has no tensor 'weights', u8 [3]");
  other = state();
  other.erase(other.begin());
  EXPECT_ERROR(restore(*file, other), CheckpointMismatch,
               "has a tensor 'small'");
  EXPECT_EQ(step, 5);
}

TEST_F(CheckpointTest, refusesHostileHeaders) {
  auto refuse = [&](const std::string &header, int64_t bytes) {
    auto opened = Safetensors::open(file(header, bytes));
    EXPECT_FALSE(opened.ok()) << header;
    return opened.ok() ? Status() : opened.status();
  };
  auto tensor = [](const std::string &shape, const std::string &offsets) {
    return R"({"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}";
  };
  EXPECT_TRUE(
      Safetensors::open(file("{\"a\":" + tensor("[2]", "[0,8]") + "}  ", 8))
          .ok());
  for (const char *text :
       {"", "[]", "{", "{}x", "\"\"", "{\"a\":1}", "{\"a\":{}}",
        "{\"__metadata__\":[]}", "{\"__metadata__\":{\"a\":1}}", "\xff"})
    EXPECT_ERROR(refuse(text, 0), CheckpointDamaged, "");
  EXPECT_ERROR(refuse("{\"a\":" + tensor("[2]", "[0,7]") + "}", 7),
               CheckpointDamaged, "does not fit into bytes 0 to 7 of 7");
  EXPECT_ERROR(refuse("{\"a\":" + tensor("[2]", "[0,8]") + "}", 4),
               CheckpointDamaged, "does not fit");
  EXPECT_ERROR(refuse("{\"a\":" + tensor("[2]", "[0,8]") + "}", 9),
               CheckpointDamaged, "9 bytes of tensors, and they take 8");
  EXPECT_ERROR(refuse("{\"a\":" + tensor("[2]", "[8,0]") + "}", 8),
               CheckpointDamaged, "does not fit");
  EXPECT_ERROR(refuse("{\"a\":" + tensor("[1]", "[0,4]") +
                          ",\"b\":" + tensor("[1]", "[2,6]") + "}",
                      6),
               CheckpointDamaged, "begins at byte 2, wanted 4");
  EXPECT_ERROR(refuse("{\"a\":" + tensor("[1]", "[4,8]") + "}", 8),
               CheckpointDamaged, "begins at byte 4, wanted 0");
  EXPECT_ERROR(refuse("{\"a\":" + tensor("[1]", "[0,4]") +
                          ",\"a\":" + tensor("[1]", "[0,4]") + "}",
                      4),
               CheckpointDamaged, "different names");
  for (const char *shape :
       {"[4294967296,4294967296]", "[4611686018427387904,1]",
        "[18446744073709551615]", "[-1]", "[1.5]", "[true]", "2", "{}"})
    EXPECT_ERROR(refuse("{\"a\":" + tensor(shape, "[0,4]") + "}", 4),
                 CheckpointDamaged, "");
  for (const char *offsets :
       {"[-4,0]", "[0]", "[0,4,4]", "[0,1e1]", "0", "[0,18446744073709551615]"})
    EXPECT_ERROR(refuse("{\"a\":" + tensor("[1]", offsets) + "}", 4),
                 CheckpointDamaged, "");
  EXPECT_ERROR(refuse(std::string(200'000, '['), 0), CheckpointDamaged,
               "no JSON object");
  write("x.safetensors", std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10));
  EXPECT_ERROR(Safetensors::open(path("x.safetensors")).status(),
               CheckpointDamaged, "claims 18446744073709551615 bytes");
  write("x.safetensors", "1234567");
  EXPECT_ERROR(Safetensors::open(path("x.safetensors")).status(),
               CheckpointDamaged, "7 bytes");
  EXPECT_ERROR(Safetensors::open(path("none")).status(), CheckpointRead,
               "No such file");
}

TEST_F(CheckpointTest, survivesDamage) {
  ASSERT_TRUE(writeSafetensors(path("good"), state(), {{"a", "b"}}).ok());
  std::string good = read("good");
  int opened = 0, whole = 0;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    std::string bad = damage(good, seed);
    MemoryFile memory(bad);
    auto file = Safetensors::open(memory.path());
    if (!file.ok()) {
      EXPECT_TRUE(file.status().is(Error::CheckpointDamaged) ||
                  file.status().is(Error::CheckpointRead));
      continue;
    }
    ++opened;
    whole += file->checkSum().ok();
    for (const Safetensors::Entry &entry : file->entries())
      EXPECT_LE(entry.bytes.size(), bad.size());
  }
  EXPECT_GT(opened, 10);
  EXPECT_LT(opened, 3000);
  EXPECT_GT(whole, 0);
}

TEST_F(CheckpointTest, keepsTheNewest) {
  CheckpointFolder checkpoints(path("c"), 2);
  ASSERT_TRUE(checkpoints.prepare().ok());
  EXPECT_TRUE(checkpoints.list().empty());
  std::vector<std::string> skipped;
  EXPECT_ERROR(checkpoints.latest(skipped).status(), NoCheckpoint, path("c"));
  write("c/notes.txt", "mine");
  write("c/update-000000000003.safetensors.tmp", "half");
  for (int64_t update : {9, 10, 500, 1000}) {
    step = update;
    ASSERT_TRUE(checkpoints.save(update, state(), {}).ok());
  }
  EXPECT_EQ(checkpoints.list(), (std::vector<int64_t>{500, 1000}));
  EXPECT_TRUE(std::filesystem::exists(path("c/notes.txt")));
  EXPECT_FALSE(
      std::filesystem::exists(path("c/update-000000000003.safetensors.tmp")));
  auto latest = checkpoints.latest(skipped);
  ASSERT_TRUE(latest.ok());
  EXPECT_EQ(latest->path(), checkpoints.pathOf(1000));
  EXPECT_TRUE(skipped.empty());
}

TEST_F(CheckpointTest, skipsWhatIsNotWhole) {
  CheckpointFolder checkpoints(folder.string(), 5);
  for (int64_t update : {1, 2, 3})
    ASSERT_TRUE(checkpoints.save(update, state(), {}).ok());
  std::filesystem::resize_file(
      checkpoints.pathOf(3),
      std::filesystem::file_size(checkpoints.pathOf(3)) - 1);
  std::string second = read("update-000000000002.safetensors");
  second.back() ^= 1;
  write("update-000000000002.safetensors", second);
  std::vector<std::string> skipped;
  auto latest = checkpoints.latest(skipped);
  ASSERT_TRUE(latest.ok());
  EXPECT_EQ(latest->path(), checkpoints.pathOf(1));
  ASSERT_EQ(skipped.size(), 2u);
  EXPECT_NE(skipped[0].find("000003"), std::string::npos) << skipped[0];
  EXPECT_NE(skipped[1].find("sum"), std::string::npos) << skipped[1];
}

// A limit on the size of files stands for a full disk.
TEST_F(CheckpointTest, leavesTheLastOneWhereTheDiskIsFull) {
  CheckpointFolder checkpoints(folder.string(), 1);
  ASSERT_TRUE(checkpoints.save(1, state(), {}).ok());
  std::string before = read("update-000000000001.safetensors");
  signal(SIGXFSZ, SIG_IGN);
  rlimit limit = {}, old = {};
  getrlimit(RLIMIT_FSIZE, &old);
  limit = old;
  limit.rlim_cur = before.size() / 2;
  setrlimit(RLIMIT_FSIZE, &limit);
  Status later = checkpoints.save(2, state(), {});
  Status same = checkpoints.save(1, state(), {});
  setrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, SIG_DFL);
  EXPECT_ERROR(later, CheckpointWrite, "update-000000000002");
  EXPECT_ERROR(later, CheckpointWrite, "File too large");
  EXPECT_ERROR(same, CheckpointWrite, "update-000000000001");
  EXPECT_EQ(read("update-000000000001.safetensors"), before);
  // Nothing half written stays.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(CheckpointTest, saysWhereItCantWrite) {
  write("file", "");
  EXPECT_ERROR(CheckpointFolder(path("file/c"), 1).prepare(), CheckpointWrite,
               "Not a directory");
  EXPECT_ERROR(CheckpointFolder(path("file"), 1).prepare(), CheckpointWrite,
               path("file"));
  EXPECT_ERROR(CheckpointFolder("/proc/weft", 1).prepare(), CheckpointWrite,
               "/proc/weft");
  EXPECT_ERROR(writeSafetensors(path("none/x"), state(), {}), CheckpointWrite,
               "No such file");
  std::vector<NamedTensor> odd = state();
  odd[0].dtype = WEFT_U4;
  EXPECT_ERROR(writeSafetensors(path("x"), odd, {}), CheckpointWrite,
               "tensor 'small'");
}
