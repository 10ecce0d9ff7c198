//===- ImageTest.cpp - JPEG and PNG files as pixels -----------------------===//

#include "weft/Runtime/Data/Image.h"
#include "DataTest.h"
#include "Encode.h"
#include <cmath>

using namespace weft::data;
using namespace weft::test;

using Pixels = std::vector<int>;

static Result<Image> decode(const std::string &bytes, int channels = 3) {
  return decodeImage("x.img", std::as_bytes(std::span(bytes)), channels);
}

/// The image's bytes; none, and a failure, if it can't be decoded.
static Pixels pixels(const std::string &bytes, int channels = 3) {
  Result<Image> image = decode(bytes, channels);
  EXPECT_TRUE(image.ok()) << image.status().describe();
  Pixels result;
  for (int64_t i = 0; image.ok() && i < image->pixels.size(); ++i)
    result.push_back(static_cast<uint8_t>(image->pixels.data()[i]));
  return result;
}

static void expectNear(const Pixels &seen, const Pixels &wanted, int most) {
  ASSERT_GE(seen.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(seen[i], wanted[i], most) << i;
}

TEST(ImageTest, decodesPng) {
  using namespace std::string_literals;
  EXPECT_EQ(
      pixels(png(2, 8, 2,
                 {"\x01\x02\x03\xFF\xFE\xFD"s, "\x0A\x14\x1E\x28\x32\x3C"s})),
      (Pixels{1, 2, 3, 255, 254, 253, 10, 20, 30, 40, 50, 60}));
  EXPECT_EQ(pixels(png(3, 8, 0, {"\x00\x80\xFF"s})),
            (Pixels{0, 0, 0, 128, 128, 128, 255, 255, 255}));
  EXPECT_EQ(pixels(png(8, 1, 0, {"\xA0"s}), 1),
            (Pixels{255, 0, 255, 0, 0, 0, 0, 0}));
  // Transparency is dropped, not blended.
  EXPECT_EQ(pixels(png(2, 8, 6, {"\x01\x02\x03\x00\xFF\xFE\xFD\x80"s})),
            (Pixels{1, 2, 3, 255, 254, 253}));
  EXPECT_EQ(pixels(png(1, 8, 4, {"\x40\x00"s}), 1), (Pixels{64}));
  EXPECT_EQ(pixels(png(2, 16, 0, {"\x40\x00\xFF\xFF"s}), 1), (Pixels{64, 255}));
  expectNear(pixels(png(1, 16, 2, {"\x10\x80\x80\x00\xFE\xFF"s})),
             {16, 128, 254}, 1);
  // Grey of red, green and blue.
  EXPECT_EQ(pixels(png(3, 8, 2, {"\xFF\0\0\0\xFF\0\0\0\xFF"s}), 1),
            (Pixels{76, 150, 29}));
}

TEST(ImageTest, decodesJpeg) {
  using namespace std::string_literals;
  expectNear(pixels(jpeg(20, 9, TJPF_RGB, TJSAMP_420, "\xC8\x64\x32"s)),
             {200, 100, 50}, 2);
  expectNear(pixels(jpeg(5, 5, TJPF_GRAY, TJSAMP_GRAY, "\x55"s)), {85, 85, 85},
             1);
  expectNear(pixels(jpeg(5, 5, TJPF_RGB, TJSAMP_444, "\xFF\0\0"s), 1), {76}, 1);
  // No cyan, all magenta and yellow, no black: red. Half of black halves it.
  expectNear(pixels(jpeg(8, 8, TJPF_CMYK, TJSAMP_444, "\xFF\0\0\xFF"s)),
             {255, 0, 0}, 3);
  expectNear(pixels(jpeg(8, 8, TJPF_CMYK, TJSAMP_444, "\xFF\xFF\0\x80"s)),
             {128, 128, 0}, 3);
  Result<Image> image = decode(jpeg(20, 9, TJPF_RGB, TJSAMP_420, "abc"));
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image->width, 20);
  EXPECT_EQ(image->height, 9);
  EXPECT_EQ(image->channels, 3);
}

TEST(ImageTest, refusesWhatIsNotWhole) {
  std::string good = jpeg(64, 64, TJPF_RGB, TJSAMP_444, "abc");
  for (size_t size : {4ul, good.size() / 4, good.size() - 20})
    EXPECT_ERROR(decode(good.substr(0, size)).status(), Image,
                 "'x.img' can't be decoded: ");
  std::string small = png(64, 8, 0, std::vector(64, std::string(64, 'x')));
  for (size_t size : {20ul, small.size() / 2, small.size() - 16})
    EXPECT_ERROR(decode(small.substr(0, size)).status(), Image,
                 "'x.img' can't be decoded: ");
  std::string flipped = small;
  flipped[60] ^= 1;
  EXPECT_ERROR(decode(flipped).status(), Image, "");
  EXPECT_ERROR(decode("GIF89a").status(), Image, "neither a JPEG nor a PNG");
  EXPECT_ERROR(decode("").status(), Image, "neither a JPEG nor a PNG");
  // A header alone takes no memory.
  EXPECT_ERROR(
      decode(png(900'000, 8, 0, std::vector(1'000, std::string()))).status(),
      Image, "claims to have 900000 x 1000 pixels");
}

TEST(ImageTest, survivesDamage) {
  std::string files[] = {
      jpeg(17, 11, TJPF_RGB, TJSAMP_420, "abc"),
      jpeg(9, 9, TJPF_CMYK, TJSAMP_444, "abcd"),
      png(6, 8, 6, std::vector(5, std::string("abcdefghijklmnopqrstuvwx"))),
      png(6, 16, 0, std::vector(5, std::string("abcdefghijkl")))};
  int decoded = 0;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    Result<Image> image = decode(damage(files[seed % 4], seed));
    if (image.ok()) {
      ++decoded;
      EXPECT_EQ(image->pixels.size(), image->width * image->height * 3);
    }
  }
  EXPECT_GT(decoded, 10);
  EXPECT_LT(decoded, 3000);
}

//===----------------------------------------------------------------------===//
// Scaling
//===----------------------------------------------------------------------===//

/// An image of one channel.
static Image grey(int64_t width, const std::vector<uint8_t> &values) {
  Image image{width, static_cast<int64_t>(values.size()) / width, 1, {}};
  image.pixels =
      Buffer::allocate(static_cast<int64_t>(values.size()), "a test").take();
  memcpy(image.pixels.data(), values.data(), values.size());
  return image;
}

static std::vector<float> scale(const Image &image, const Window &window) {
  std::vector<float> out(image.channels * window.rows * window.columns);
  EXPECT_TRUE(resample(image, window, out.data()).ok());
  for (float &value : out)
    value *= 255;
  return out;
}

TEST(ImageTest, scales) {
  Image image = grey(4, {0, 10, 20, 30, 40, 50, 60, 70});
  std::vector<float> same = scale(image, {4, 2, 0, 0, 4, 2});
  for (int i = 0; i < 8; ++i)
    EXPECT_NEAR(same[i], i * 10, 1e-3);
  std::vector<float> part = scale(image, {4, 2, 1, 1, 2, 1, true});
  EXPECT_NEAR(part[0], 60, 1e-3);
  EXPECT_NEAR(part[1], 50, 1e-3);
  // Twice as large: between the pixels at a quarter and three; the edge stays.
  std::vector<float> large = scale(image, {8, 2, 0, 0, 8, 1});
  float wanted[] = {0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30};
  for (int i = 0; i < 8; ++i)
    EXPECT_NEAR(large[i], wanted[i], 1e-3) << i;
  // Half as large: a triangle over four pixels, 1 3 3 1, less at the edge.
  std::vector<float> little = scale(image, {2, 2, 0, 0, 2, 1});
  EXPECT_NEAR(little[0], (0 * 3 + 10 * 3 + 20 * 1) / 7.0, 1e-3);
  EXPECT_NEAR(little[1], (10 * 1 + 20 * 3 + 30 * 3) / 7.0, 1e-3);
}

// A part of a scaled image is what it is in the whole; a constant stays; and
// the mean hardly moves.
TEST(ImageTest, scalesParts) {
  std::vector<uint8_t> values(37 * 23);
  Random random(1, Random::Augment, 0, 0);
  for (uint8_t &value : values)
    value = random.next();
  Image image = grey(37, values),
        constant = grey(37, std::vector<uint8_t>(37 * 23, 200));
  for (auto [width, height] :
       {std::pair(10, 7), std::pair(37, 23), std::pair(90, 70), std::pair(1, 1),
        std::pair(36, 50)}) {
    std::vector<float> whole =
        scale(image, {width, height, 0, 0, width, height});
    for (float value : scale(constant, {width, height, 0, 0, width, height}))
      EXPECT_NEAR(value, 200, 1e-3);
    int64_t x = width / 3, y = height / 2;
    Window window{width, height, x, y, width - x, height - y, true};
    std::vector<float> part = scale(image, window);
    for (int64_t i = 0; i < window.rows; ++i)
      for (int64_t j = 0; j < window.columns; ++j)
        EXPECT_EQ(part[i * window.columns + j],
                  whole[(y + i) * width + width - 1 - j]);
    double mean = 0, wanted = 0;
    for (float value : whole)
      mean += value / (width * height);
    for (uint8_t value : values)
      wanted += value / (37.0 * 23.0);
    EXPECT_NEAR(mean, wanted, 8);
  }
}
