//===- DataTest.h - What the tests of data and training share -------------===//

#ifndef WEFT_TEST_RUNTIME_DATA_DATATEST_H
#define WEFT_TEST_RUNTIME_DATA_DATATEST_H

#include "weft/Runtime/Data/Arrays.h"
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace weft::test {

/// A folder of the test's own.
class FolderTest : public testing::Test {
protected:
  void SetUp() override {
    auto *info = testing::UnitTest::GetInstance()->current_test_info();
    folder =
        std::filesystem::path(testing::TempDir()) /
        (std::string("weft-") + info->test_suite_name() + "-" + info->name());
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const {
    return (folder / name).string();
  }
  std::string write(const std::string &name, const std::string &bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  std::string read(const std::string &name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path folder;
};

template <typename T> std::string bytesOf(const std::vector<T> &values) {
  return {reinterpret_cast<const char *>(values.data()),
          values.size() * sizeof(T)};
}

/// A file in memory alone, for tests that make thousands.
class MemoryFile {
public:
  explicit MemoryFile(const std::string &bytes)
      : descriptor(memfd_create("weft", 0)) {
    EXPECT_EQ(::write(descriptor, bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;
  ~MemoryFile() { close(descriptor); }
  std::string path() const {
    return "/proc/self/fd/" + std::to_string(descriptor);
  }

private:
  int descriptor;
};

/// An array as numpy saves it.
inline std::string npy(const std::string &descr, const std::string &shape,
                       const std::string &content,
                       const std::string &fortran = "False") {
  std::string header = "{'descr': '" + descr +
                       "', 'fortran_order': " + fortran +
                       ", 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  auto length = static_cast<uint16_t>(header.size());
  return std::string("\x93NUMPY\x01\x00", 8) +
         std::string(reinterpret_cast<char *>(&length), 2) + header + content;
}

template <typename T>
std::string npy(const std::string &descr, const std::string &shape,
                const std::vector<T> &values) {
  return npy(descr, shape, bytesOf(values));
}

/// An archive as numpy.savez or, if `deflate`, numpy.savez_compressed makes it;
/// if `wide`, with 64-bit sizes throughout, as where it has 4 GiB.
std::string zip(const std::vector<std::pair<std::string, std::string>> &files,
                bool deflate, bool wide = false);

/// Flips, inserts and removes bytes of `text`, by `seed`.
std::string damage(std::string text, uint64_t seed);

} // namespace weft::test

/// A status or result that must be the error `code`, with `part` in its text.
#define EXPECT_ERROR(status, code, part)                                       \
  do {                                                                         \
    const weft::data::Status seen = (status);                                  \
    EXPECT_TRUE(seen.is(weft::data::Error::code)) << seen.describe();          \
    EXPECT_NE(seen.text().find(part), std::string::npos) << seen.describe();   \
  } while (0)

#endif // WEFT_TEST_RUNTIME_DATA_DATATEST_H
