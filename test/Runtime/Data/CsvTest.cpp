//===- CsvTest.cpp - Tables of text as arrays -----------------------------===//

#include "weft/Runtime/Data/Csv.h"
#include "DataTest.h"

using namespace weft::data;
using namespace weft::test;

namespace {
class CsvTest : public FolderTest {
protected:
  Result<CsvTable> parse(const std::string &text,
                         const CsvOptions &options = {}) {
    write("t.csv", text);
    return readCsv(path("t.csv"), options);
  }

  template <typename T> static std::vector<T> values(const Array &array) {
    std::vector<T> result(array.bytes.size() / sizeof(T));
    memcpy(result.data(), array.bytes.data(), array.bytes.size());
    return result;
  }
};
} // namespace

TEST_F(CsvTest, readsNumbersAndLabels) {
  auto table =
      parse("a,b,kind\r\n1,2.5,3\r\n\r\n-4e1, +6 ,0\r\n", {.label = "kind"});
  ASSERT_TRUE(table.ok()) << table.status().describe();
  ASSERT_EQ(table->arrays.size(), 2u);
  const Array &x = table->arrays[0], &y = table->arrays[1];
  EXPECT_EQ(x.dims, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(values<double>(x), (std::vector<double>{1, 2.5, -40, 6}));
  EXPECT_EQ(y.dtype, WEFT_I64);
  EXPECT_EQ(values<int64_t>(y), (std::vector<int64_t>{3, 0}));
  EXPECT_TRUE(table->classes.empty());
}

TEST_F(CsvTest, choosesColumns) {
  auto table = parse("a;b;c;d\n1;x;3;0.5\n4;y;6;7",
                     {.separator = ';', .columns = {"c", "a"}, .label = "d"});
  ASSERT_TRUE(table.ok()) << table.status().describe();
  EXPECT_EQ(values<double>(table->arrays[0]),
            (std::vector<double>{3, 1, 6, 4}));
  EXPECT_EQ(values<double>(table->arrays[1]), (std::vector<double>{0.5, 7}));
  table = parse("1,2\n3,4\n", {.header = false, .columns = {"1"}});
  ASSERT_TRUE(table.ok()) << table.status().describe();
  EXPECT_EQ(table->arrays.size(), 1u);
  EXPECT_EQ(values<double>(table->arrays[0]), (std::vector<double>{2, 4}));
}

TEST_F(CsvTest, takesClassesAndQuotes) {
  auto table = parse("\xEF\xBB\xBF\"a\",\"the \"\"kind\"\"\"\n"
                     "1,\"dog, large\"\n\"2\",cat\n3,\"two\nlines\"\n4,cat\n",
                     {.label = "the \"kind\""});
  ASSERT_TRUE(table.ok()) << table.status().describe();
  EXPECT_EQ(table->classes,
            (std::vector<std::string>{"cat", "dog, large", "two\nlines"}));
  EXPECT_EQ(values<int64_t>(table->arrays[1]),
            (std::vector<int64_t>{1, 0, 2, 0}));
  EXPECT_EQ(values<double>(table->arrays[0]),
            (std::vector<double>{1, 2, 3, 4}));
}

TEST_F(CsvTest, namesLineAndColumn) {
  auto refuse = [&](const std::string &text, const CsvOptions &options = {}) {
    return parse(text, options).status();
  };
  EXPECT_ERROR(refuse("a,b\n1,2\n3,\n"), Value,
               "line 3, column 'b': the value is missing");
  EXPECT_ERROR(refuse("a,b\n1,2\nnan,4\n"), Value,
               "line 3, column 'a': the value is missing");
  EXPECT_ERROR(refuse("a,b\n\"1\",\"x\ny\"\n"), Value,
               "line 2, column 'b': 'x\ny' is no number");
  // Lines within quotes count.
  EXPECT_ERROR(refuse("a,b\n1,\"x\ny\"\nz,2\n", {.label = "b"}), Value,
               "line 4, column 'a': 'z' is no number");
  EXPECT_ERROR(refuse("a\n1e999\n"), Value, "is no number");
  EXPECT_ERROR(refuse("a\n1 2\n"), Value, "'1 2' is no number");
  EXPECT_ERROR(refuse("a,b\n1,2\n3,4,5\n"), Damaged,
               "line 3 has 3 fields, wanted 2");
  EXPECT_ERROR(refuse("a,b\n1, \n", {.label = "b"}), Value,
               "line 2, column 'b': the label is missing");
  EXPECT_ERROR(refuse("a,b\n1,2\n", {.columns = {"c"}}), Mismatch,
               "no column 'c', but 'a', 'b'");
  EXPECT_ERROR(refuse("a,b\n1,2\n", {.label = "c"}), Mismatch, "no column 'c'");
  EXPECT_ERROR(refuse("a,a\n1,2\n"), Damaged, "two columns 'a'");
  EXPECT_ERROR(refuse("a,b\n1,\"2\n"), Damaged,
               "line 2: a quote is not closed");
  EXPECT_ERROR(refuse("a,b\n\"1\"x,2\n"), Damaged, "behind a closing quote");
  EXPECT_ERROR(refuse("a,b\n"), Empty, "no rows");
  EXPECT_ERROR(refuse(""), Empty, "no rows");
  EXPECT_ERROR(readCsv(path("none"), {}).status(), Read, "No such file");
}

TEST_F(CsvTest, survivesDamage) {
  std::string good = "a,\"b\",c\n1,2,\"x\ny\"\n\"4\",5,\"\"\"\"\n7,8,z\n";
  int read = 0;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    MemoryFile file(damage(good, seed));
    auto table = readCsv(file.path(), {.label = "c"});
    if (!table.ok())
      continue;
    ++read;
    EXPECT_EQ(table->arrays[0].dims[0], table->arrays[1].dims[0]);
  }
  EXPECT_GT(read, 100);
}

TEST_F(CsvTest, isADataSet) {
  auto table = parse("a,b,kind\n1,2.5,no\n3,4,yes\n", {.label = "kind"});
  ASSERT_TRUE(table.ok());
  std::vector<Want> wants = {{"input", WEFT_F32, {2}},
                             {"target", WEFT_I64, {}}};
  auto set = makeArrayDataSet(std::move(table->arrays), wants);
  ASSERT_TRUE(set.ok()) << set.status().describe();
  float x[2] = {};
  int64_t y = 0;
  std::byte *out[] = {reinterpret_cast<std::byte *>(x),
                      reinterpret_cast<std::byte *>(&y)};
  ASSERT_TRUE((*set)->read(1, {}, out).ok());
  EXPECT_EQ(x[0], 3);
  EXPECT_EQ(x[1], 4);
  EXPECT_EQ(y, 1);
}
