//===- ArraysTest.cpp - Arrays in numpy's formats as a data set -----------===//

#include "DataTest.h"
#include <cmath>

using namespace weft::data;
using namespace weft::test;

namespace {
class ArraysTest : public FolderTest {
protected:
  Result<std::unique_ptr<DataSet>> open(const std::vector<std::string> &paths,
                                        std::vector<Want> wants) {
    Result<std::vector<Array>> arrays = openArrays(paths);
    if (!arrays.ok())
      return arrays.status();
    return makeArrayDataSet(arrays.take(), wants);
  }

  /// Field `field` of sample `row` as elements of T.
  template <typename T>
  std::vector<T> sample(const DataSet &set, int64_t row, size_t field,
                        Status *status = nullptr) {
    std::vector<std::string> memory;
    std::vector<std::byte *> out;
    for (const Field &one : set.fields())
      memory.emplace_back(bytesOf(one), '\0');
    for (std::string &one : memory)
      out.push_back(reinterpret_cast<std::byte *>(one.data()));
    Status seen = set.read(row, Visit(), out);
    if (status)
      *status = seen;
    else
      EXPECT_TRUE(seen.ok()) << seen.describe();
    std::vector<T> values(memory[field].size() / sizeof(T));
    memcpy(values.data(), memory[field].data(), memory[field].size());
    return values;
  }

  std::vector<Want> wants = {{"image", WEFT_F32, {2}}, {"label", WEFT_I64, {}}};
  std::string x = npy<float>("<f4", "(3, 2)", {1, 2, 3, 4, 5, 6});
  std::string y = npy<int64_t>("<i8", "(3,)", {7, 8, 9});
};
} // namespace

TEST_F(ArraysTest, readsArchives) {
  for (int form : {0, 1, 2, 3}) {
    write("d.npz", zip({{"label.npy", y}, {"other.npy", y}, {"image.npy", x}},
                       /*deflate=*/form & 1, /*wide=*/form & 2));
    auto set = open({path("d.npz")}, wants);
    ASSERT_TRUE(set.ok()) << set.status().describe();
    EXPECT_EQ((*set)->size(), 3);
    EXPECT_EQ((*set)->fields()[0].name, "image");
    EXPECT_EQ(sample<float>(**set, 1, 0), (std::vector<float>{3, 4}));
    EXPECT_EQ(sample<int64_t>(**set, 2, 1), (std::vector<int64_t>{9}));
  }
}

TEST_F(ArraysTest, readsPairsOfFilesByNameOrOrder) {
  write("image.npy", x);
  write("label.npy", y);
  auto byName = open({path("label.npy"), path("image.npy")}, wants);
  ASSERT_TRUE(byName.ok()) << byName.status().describe();
  EXPECT_EQ(sample<float>(**byName, 0, 0), (std::vector<float>{1, 2}));

  // Labels are known by their name even where they come first.
  write("train_x.npy", x);
  write("labels.npy", y);
  auto byOrder = open({path("labels.npy"), path("train_x.npy")}, wants);
  ASSERT_TRUE(byOrder.ok()) << byOrder.status().describe();
  EXPECT_EQ(sample<int64_t>(**byOrder, 0, 1), (std::vector<int64_t>{7}));

  // One by name, the other because it is left.
  auto both = open({path("labels.npy"), path("image.npy")}, wants);
  ASSERT_TRUE(both.ok()) << both.status().describe();
  EXPECT_EQ(sample<int64_t>(**both, 0, 1), (std::vector<int64_t>{7}));
}

TEST_F(ArraysTest, leavesOutLabelsThatNothingTakes) {
  write("train_x.npy", x);
  write("labels.npy", y);
  std::vector<std::string> paths = {path("labels.npy"), path("train_x.npy")};
  auto one = open(paths, {wants[0]});
  ASSERT_TRUE(one.ok()) << one.status().describe();
  EXPECT_EQ(sample<float>(**one, 0, 0), (std::vector<float>{1, 2}));
}

TEST_F(ArraysTest, refusesWhatDoesNotMatch) {
  write("d.npz", zip({{"image.npy", x}, {"b.npy", y}, {"c.npy", y}}, false));
  EXPECT_ERROR(
      open({path("d.npz")}, wants).status(), Mismatch,
      "takes 'image', 'label', but the data set has 'image', 'b', 'c'");
  write("r.npz", zip({{"image.npy", x},
                      {"label.npy", npy<int64_t>("<i8", "(2,)", {7, 8})}},
                     false));
  EXPECT_ERROR(open({path("r.npz")}, wants).status(), Samples,
               "'image' of '" + path("r.npz") + "' has 3 samples");
  write("s.npz", zip({{"image.npy", npy<float>("<f4", "(1, 3)", {1, 2, 3})},
                      {"label.npy", y}},
                     false));
  EXPECT_ERROR(open({path("s.npz")}, wants).status(), Mismatch,
               "f32 [3], but those of the program's input 'image' are f32 [2]");
  write("e.npz", zip({{"image.npy", npy("<f4", "(0, 2)", "")},
                      {"label.npy", npy("<i8", "(0,)", "")}},
                     false));
  EXPECT_ERROR(open({path("e.npz")}, wants).status(), Empty, "no samples");
  write(
      "c.npz",
      zip({{"image.npy", npy("<f4", "()", "1234")}, {"label.npy", y}}, false));
  EXPECT_ERROR(open({path("c.npz")}, wants).status(), Samples, "is a scalar");
  EXPECT_ERROR(open({path("missing.npz")}, wants).status(), Read,
               "No such file");
  EXPECT_ERROR(open({folder.string()}, wants).status(), Read,
               "no regular file");
}

TEST_F(ArraysTest, takesSizesOfOneAndOpenSizes) {
  write("image.npy", npy<float>("<f4", "(3, 1, 2)", {1, 2, 3, 4, 5, 6}));
  write("label.npy", npy<int64_t>("<i8", "(3, 1)", {7, 8, 9}));
  auto set = open({path("image.npy"), path("label.npy")}, wants);
  ASSERT_TRUE(set.ok()) << set.status().describe();
  EXPECT_EQ((*set)->fields()[0].dims, std::vector<int64_t>{2});

  wants[0].dims = {-1, -1};
  set = open({path("image.npy"), path("label.npy")}, wants);
  ASSERT_TRUE(set.ok()) << set.status().describe();
  EXPECT_EQ((*set)->fields()[0].dims, (std::vector<int64_t>{1, 2}));
}

TEST_F(ArraysTest, convertsWhereThatIsHarmless) {
  auto one = [&](const std::string &array, weft_dtype to) {
    write("x.npy", array);
    auto set = open({path("x.npy")}, {{"x", to, {}}});
    EXPECT_TRUE(set.ok()) << set.status().describe();
    return set.take();
  };
  Status status;
  using F = std::vector<float>;
  using I = std::vector<int64_t>;
  auto set = one(npy<double>("<f8", "(2,)", {0.1, 1e300}), WEFT_F32);
  EXPECT_EQ(sample<float>(*set, 0, 0), F{0.1f});
  sample<float>(*set, 1, 0, &status);
  EXPECT_ERROR(status, Value, "has 1e+300 at [1] (row 1), which is no f32");
  set = one(npy<uint16_t>("<f2", "(4,)", {0x3c00, 0xc500, 0x0001, 0x7c00}),
            WEFT_F32);
  EXPECT_EQ(sample<float>(*set, 0, 0), F{1});
  EXPECT_EQ(sample<float>(*set, 1, 0), F{-5});
  EXPECT_EQ(sample<float>(*set, 2, 0), F{0x1p-24f});
  EXPECT_EQ(sample<float>(*set, 3, 0), F{INFINITY});
  set = one(npy("|u1", "(2,)", std::string("\xff\x07")), WEFT_I64);
  EXPECT_EQ(sample<int64_t>(*set, 0, 0), I{255});
  set = one(npy("|i1", "(1,)", std::string("\xff")), WEFT_F32);
  EXPECT_EQ(sample<float>(*set, 0, 0), F{-1});
  set = one(npy("|b1", "(1,)", std::string("\x01")), WEFT_I64);
  EXPECT_EQ(sample<int64_t>(*set, 0, 0), I{1});
  set = one(npy<uint64_t>("<u8", "(2,)", {5, ~uint64_t(0)}), WEFT_I64);
  EXPECT_EQ(sample<int64_t>(*set, 0, 0), I{5});
  sample<int64_t>(*set, 1, 0, &status);
  EXPECT_ERROR(status, Value, "has 18446744073709551615 at [1]");
  set = one(npy<float>("<f4", "(3,)", {3, 3.5, 1e30}), WEFT_I64);
  EXPECT_EQ(sample<int64_t>(*set, 0, 0), I{3});
  for (int row : {1, 2}) {
    sample<int64_t>(*set, row, 0, &status);
    EXPECT_ERROR(status, Value, "which is no i64");
  }
  set = one(npy<int32_t>("<i4", "(2,)", {1 << 24, (1 << 24) + 1}), WEFT_F32);
  EXPECT_EQ(sample<float>(*set, 0, 0), F{1 << 24});
  sample<float>(*set, 1, 0, &status);
  EXPECT_ERROR(status, Value, "which is no f32");

  set = one(npy<double>("<f8", "(4,)", {255, 256, -1, 0.5}), WEFT_U8);
  EXPECT_EQ(sample<uint8_t>(*set, 0, 0), std::vector<uint8_t>{255});
  for (int row : {1, 2, 3}) {
    sample<uint8_t>(*set, row, 0, &status);
    EXPECT_ERROR(status, Value, "which is no u8");
  }
  set = one(npy<double>("<f8", "(2,)", {-128, 128}), WEFT_I8);
  EXPECT_EQ(sample<int8_t>(*set, 0, 0), std::vector<int8_t>{-128});
  sample<int8_t>(*set, 1, 0, &status);
  EXPECT_ERROR(status, Value, "which is no i8");

  write("x.npy", npy<float>("<f4", "(1,)", {1}));
  EXPECT_ERROR(open({path("x.npy")}, {{"x", WEFT_F16, {}}}).status(), Mismatch,
               "has elements of f32, but the program's input 'x' takes f16");
}

TEST_F(ArraysTest, findsNaN) {
  for (const char *descr : {"<f4", "<f8"}) {
    std::string nan = descr[2] == '4'
                          ? npy<float>(descr, "(2, 2)", {1, 2, 3, NAN})
                          : npy<double>(descr, "(2, 2)", {1, 2, 3, NAN});
    write("image.npy", nan);
    auto set = open({path("image.npy")}, {wants[0]});
    ASSERT_TRUE(set.ok());
    Status status;
    sample<float>(**set, 0, 0, &status);
    EXPECT_TRUE(status.ok());
    sample<float>(**set, 1, 0, &status);
    EXPECT_ERROR(status, Value,
                 "'" + path("image.npy") + "' has NaN at [1, 1] (row 1)");
  }
}

TEST_F(ArraysTest, namesWhatItDoesNotTake) {
  auto refuse = [&](const std::string &bytes) {
    write("x.npy", bytes);
    auto arrays = openArrays(std::vector{path("x.npy")});
    EXPECT_FALSE(arrays.ok());
    return arrays.status();
  };
  EXPECT_ERROR(refuse(npy("|O", "(1,)", "12345678")), Unsupported, "objects");
  EXPECT_ERROR(refuse(npy(">f4", "(1,)", "1234")), Unsupported, "big-endian");
  EXPECT_ERROR(refuse(npy("<c8", "(1,)", "12345678")), Unsupported, "'<c8'");
  EXPECT_ERROR(refuse(npy("<f4", "(1, 2)", "12345678", "True")), Unsupported,
               "ascontiguousarray");
  EXPECT_ERROR(refuse(npy("<f4", "(3,)", "12345678")), Damaged,
               "8 bytes of elements, but f32 [3] takes 12");
  EXPECT_ERROR(refuse(npy("<f4", "(4611686018427387904, 4)", "")), Damaged,
               "more than any memory");
  EXPECT_ERROR(refuse(npy("<f4", "(4611686018427387904, 4, 0)", "")), Damaged,
               "more than any memory");
  EXPECT_ERROR(refuse(npy("<f4", "(-1,)", "")), Damaged, "header");
  EXPECT_ERROR(refuse("\x93NUMPY"), Damaged, "no array");
  EXPECT_ERROR(refuse(std::string("\x93NUMPY\x09\x00\x00\x00", 10)),
               Unsupported, "version 9");
  EXPECT_ERROR(refuse(std::string("\x93NUMPY\x01\x00\xff\xff", 10)), Damaged,
               "within its header");
  EXPECT_ERROR(refuse(""), Damaged, "no array");
}

TEST_F(ArraysTest, findsDamagedArchives) {
  std::string good = zip({{"image.npy", x}, {"label.npy", y}}, true);
  auto refuse = [&](std::string bytes) {
    write("d.npz", bytes);
    auto arrays = openArrays(std::vector{path("d.npz")});
    EXPECT_FALSE(arrays.ok());
    return arrays.status();
  };
  EXPECT_ERROR(refuse(good.substr(0, good.size() / 2)), Damaged,
               "no directory");
  std::string flipped = good;
  flipped[70] ^= 0x55;
  EXPECT_ERROR(refuse(flipped), Damaged, "'image.npy'");
  EXPECT_ERROR(refuse(zip({{"a.txt", "text"}}, false)), Damaged,
               "holds no array");
  EXPECT_ERROR(refuse(zip({{"a.npy", x}, {"a.npy", x}}, false)), Mismatch,
               "has the name of");
  // A size that no decompression can reach.
  std::string bomb = zip({{"image.npy", x}}, true);
  size_t at = bomb.find("PK\x01\x02") + 24;
  bomb.replace(at, 4, "\xff\xff\xff\x7f");
  EXPECT_ERROR(refuse(bomb), Damaged, "claims to unpack to 2147483647 bytes");
}

// Whatever the bytes are, there is an error or a data set whose samples can be
// read.
TEST_F(ArraysTest, survivesDamage) {
  std::string plain = zip({{"image.npy", x}, {"label.npy", y}}, false);
  std::string packed = zip({{"image.npy", x}, {"label.npy", y}}, true);
  std::string wide = zip({{"image.npy", x}, {"label.npy", y}}, false, true);
  int opened = 0, refused = 0;
  for (uint64_t seed = 0; seed < 6000; ++seed) {
    const std::string &from = seed % 3 == 2   ? x
                              : seed % 4 == 0 ? plain
                              : seed % 4 == 1 ? packed
                                              : wide;
    MemoryFile file(damage(from, seed));
    auto set =
        open({file.path()}, seed % 3 == 2 ? std::vector{wants[0]} : wants);
    ++(set.ok() ? opened : refused);
    if (!set.ok()) {
      EXPECT_GE(set.status().code(), 6101);
      continue;
    }
    Status status;
    for (int64_t row = 0; row < (*set)->size(); ++row)
      sample<float>(**set, row, 0, &status);
  }
  EXPECT_GT(opened, 100);
  EXPECT_GT(refused, 1000);
}
