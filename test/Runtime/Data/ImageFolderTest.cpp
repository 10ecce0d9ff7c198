//===- ImageFolderTest.cpp - A folder of images per class -----------------===//

#include "weft/Runtime/Data/ImageFolder.h"
#include "DataTest.h"
#include "Encode.h"
#include "weft/Runtime/Data/Loader.h"
#include <cmath>
#include <set>

using namespace weft::data;
using namespace weft::test;

namespace {
class ImageFolderTest : public FolderTest {
protected:
  void SetUp() override {
    FolderTest::SetUp();
    for (const char *name : {"d/cat/deep", "d/ant", "d/.hidden"})
      std::filesystem::create_directories(path(name));
    // Columns of 0, 50, 100 and 150.
    std::string row("\x00\x32\x64\x96", 4);
    write("d/cat/2.png", png(4, 8, 0, {row, row}));
    write("d/cat/deep/1.JPG", jpeg(2, 2, TJPF_GRAY, TJSAMP_GRAY, "\x80"));
    write("d/ant/1.jpeg", jpeg(9, 9, TJPF_RGB, TJSAMP_444, "\xFF\xFF\xFF"));
    write("d/ant/notes.txt", "no image");
    write("d/readme.txt", "no class");
  }

  Result<ImageFolder> open() {
    return openImageFolder(path("d"), wants, options);
  }

  /// Sample `index`: its pixels times 255, and its label behind.
  std::vector<float> sample(const ImageFolder &one, int64_t index,
                            const Visit &visit = {}) {
    std::span<const Field> fields = one.set->fields();
    std::vector<float> pixels(bytesOf(fields[0]) / 4);
    int64_t label = -1;
    std::byte *out[] = {reinterpret_cast<std::byte *>(pixels.data()),
                        reinterpret_cast<std::byte *>(&label)};
    Status status = one.set->read(index, visit, out);
    EXPECT_TRUE(status.ok()) << status.describe();
    for (float &value : pixels)
      value = std::round(value * 255);
    pixels.push_back(static_cast<float>(label));
    return pixels;
  }

  std::vector<Want> wants = {{"image", WEFT_F32, {1, 2, 2}},
                             {"label", WEFT_I64, {}}};
  ImageFolderOptions options;
};
} // namespace

TEST_F(ImageFolderTest, readsImagesAndClasses) {
  auto one = open();
  ASSERT_TRUE(one.ok()) << one.status().describe();
  EXPECT_EQ(one->classes, (std::vector<std::string>{"ant", "cat"}));
  ASSERT_EQ(one->set->size(), 3);
  EXPECT_EQ(sample(*one, 0), (std::vector<float>{255, 255, 255, 255, 0}));
  // The middle of 4 x 2.
  EXPECT_EQ(sample(*one, 1), (std::vector<float>{50, 100, 50, 100, 1}));
  EXPECT_EQ(sample(*one, 2), (std::vector<float>{128, 128, 128, 128, 1}));
}

TEST_F(ImageFolderTest, normalisesAndTakesOpenSizes) {
  wants[0].dims = {-1, -1, -1};
  options.height = options.width = 2;
  options.mean = {0, 100 / 255.f, 0};
  options.deviation = {0.5};
  auto one = open();
  ASSERT_TRUE(one.ok()) << one.status().describe();
  EXPECT_EQ(sample(*one, 1),
            (std::vector<float>{100, 200, 100, 200, -100, 0, -100, 0, 100, 200,
                                100, 200, 1}));
}

TEST_F(ImageFolderTest, augmentsByVisit) {
  options.randomCrop = options.randomFlip = true;
  auto one = open();
  ASSERT_TRUE(one.ok());
  std::set<std::vector<float>> seen;
  for (uint32_t epoch = 0; epoch < 40; ++epoch) {
    Visit visit{.seed = 5, .epoch = epoch, .random = true};
    seen.insert(sample(*one, 1, visit));
    EXPECT_EQ(sample(*one, 1, visit), sample(*one, 1, visit));
  }
  // Three places, and each flipped.
  EXPECT_EQ(seen.size(), 6u);
  EXPECT_TRUE(seen.count({0, 50, 0, 50, 1}));
  EXPECT_TRUE(seen.count({150, 100, 150, 100, 1}));
  EXPECT_EQ(sample(*one, 1), (std::vector<float>{50, 100, 50, 100, 1}));
}

TEST_F(ImageFolderTest, givesBytesOfImagesAsTheyAre) {
  wants = {{"label", WEFT_I32, {1}}, {"image", WEFT_U8, {-1, -1, 1}}};
  EXPECT_ERROR(open().status(), Option, "give the height and width");
  options.keepSizes = true;
  auto one = open();
  ASSERT_TRUE(one.ok()) << one.status().describe();
  EXPECT_EQ(one->set->fields()[1].dims, (std::vector<int64_t>{-1, -1, 1}));
  auto bytes = [&](int64_t index, const Visit &visit = {}) {
    Sample sample;
    Status status = one->set->readWhole(index, visit, sample);
    EXPECT_TRUE(status.ok()) << status.describe();
    const weft_tensor &image = sample.tensors[1];
    EXPECT_EQ(image.rank, 3);
    auto *data = static_cast<const uint8_t *>(image.data);
    std::vector<int> result(data, data + image.bytes);
    for (int dim : {0, 1})
      result.push_back(static_cast<int>(image.dims[dim]));
    int32_t label;
    memcpy(&label, sample.tensors[0].data, 4);
    result.push_back(label);
    return result;
  };
  EXPECT_EQ(bytes(1),
            (std::vector<int>{0, 50, 100, 150, 0, 50, 100, 150, 2, 4, 1}));
  EXPECT_EQ(bytes(2), (std::vector<int>{128, 128, 128, 128, 2, 2, 1}));
  int32_t label = -1;
  EXPECT_TRUE(
      one->set->readField(0, 1, reinterpret_cast<std::byte *>(&label)).ok());
  EXPECT_EQ(label, 1);

  options.randomFlip = true;
  one = open();
  ASSERT_TRUE(one.ok());
  std::set<std::vector<int>> seen;
  for (uint32_t epoch = 0; epoch < 20; ++epoch)
    seen.insert(bytes(1, {.seed = 5, .epoch = epoch, .random = true}));
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_TRUE(seen.count({150, 100, 50, 0, 150, 100, 50, 0, 2, 4, 1}));

  options.height = options.width = 2;
  one = open();
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(bytes(1), (std::vector<int>{50, 100, 50, 100, 2, 2, 1}));
  options.mean = {0.5};
  EXPECT_ERROR(open().status(), Option, "bytes, which have no mean");
  options.mean.clear();
  options.height = options.width = 0;
  options.randomCrop = true;
  EXPECT_ERROR(open().status(), Option, "images keep their sizes");
}

TEST_F(ImageFolderTest, needsNoClassesWithoutLabels) {
  wants.pop_back();
  auto one = openImageFolder(path("d/ant"), wants, options);
  ASSERT_TRUE(one.ok()) << one.status().describe();
  EXPECT_EQ(one->set->size(), 1);
  EXPECT_TRUE(one->classes.empty());
}

TEST_F(ImageFolderTest, namesOrSkipsWhatIsBroken) {
  std::string good = read("d/cat/2.png");
  write("d/cat/3.png", good.substr(0, good.size() / 2));
  write("d/ant/0.jpg", "no image");
  {
    auto one = open();
    ASSERT_TRUE(one.ok());
    auto loader = Loader::create(*one->set, {}, {.shuffle = false});
    ASSERT_TRUE(loader.ok());
    (*loader)->start(0, 0);
    EXPECT_ERROR((*loader)->next().status(), Image,
                 "'" + path("d/ant/0.jpg") + "' can't be decoded");
  }
  options.skipBroken = true;
  auto one = open();
  ASSERT_TRUE(one.ok()) << one.status().describe();
  EXPECT_EQ(one->set->size(), 3);
  ASSERT_EQ(one->skipped.size(), 2u);
  EXPECT_NE(one->skipped[0].find("ant/0.jpg"), std::string::npos);
  EXPECT_NE(one->skipped[1].find("cat/3.png"), std::string::npos);
  EXPECT_EQ(sample(*one, 1)[4], 1);
}

TEST_F(ImageFolderTest, refusesWhatDoesNotFit) {
  auto refuse = [&](auto change) {
    std::vector<Want> before = wants;
    ImageFolderOptions old = options;
    change();
    Status status = open().status();
    wants = before;
    options = old;
    return status;
  };
  EXPECT_ERROR(refuse([&] { wants[0].dims = {-1, -1, -1}; }), Option,
               "[?, ?, ?]; give the height and width");
  EXPECT_ERROR(refuse([&] { wants[0].dims = {4, 2, 2}; }), Mismatch,
               "wanted 1 or 3 channels");
  EXPECT_ERROR(refuse([&] { wants[0].dtype = WEFT_I64; }), Mismatch,
               "takes i64 [1, 2, 2]");
  EXPECT_ERROR(refuse([&] { wants.erase(wants.begin()); }), Mismatch,
               "takes no image");
  EXPECT_ERROR(refuse([&] { wants[1] = wants[0]; }), Mismatch, "'image'");
  EXPECT_ERROR(refuse([&] { options.shorterSide = 1; }), Option,
               "no 2 x 2 can be cropped");
  EXPECT_ERROR(refuse([&] { options.deviation = {0}; }), Option, "deviation");
  EXPECT_ERROR(refuse([&] { options.mean = {0, 1}; }), Option,
               "2 means for samples of 1 channels");
  EXPECT_ERROR(refuse([&] { options.classes = {"ant", "bee"}; }), Mismatch,
               "other ones than the data for training");
  EXPECT_ERROR(openImageFolder(path("none"), wants, options).status(), Read,
               "No such file");
  EXPECT_ERROR(openImageFolder(path("d/cat/deep"), wants, options).status(),
               Empty, "has no folders");
  std::filesystem::create_directories(path("d/bee"));
  EXPECT_ERROR(open().status(), Empty, "d/bee' has no .jpg");
}
