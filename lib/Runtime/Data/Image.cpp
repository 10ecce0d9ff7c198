//===- Image.cpp - JPEG and PNG files as pixels ---------------------------===//

#include "weft/Runtime/Data/Image.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <png.h>
#include <string_view>
#include <turbojpeg.h>
#include <vector>

using namespace weft::data;

/// Images with more pixels are refused: a header alone must not take all
/// memory.
static constexpr int64_t mostPixels = int64_t(1) << 28;

static Status refuse(const std::string &path, const std::string &why) {
  return Status(Error::Image, "'" + path + "' can't be decoded: " + why);
}

/// Memory for an image's pixels, and for `channels` per pixel in between.
static Result<Image> makeImage(const std::string &path, int64_t width,
                               int64_t height, int channels) {
  if (width < 1 || height < 1 || width > mostPixels / height)
    return refuse(path, "it claims to have " + std::to_string(width) + " x " +
                            std::to_string(height) + " pixels");
  Result<Buffer> pixels =
      Buffer::allocate(width * height * channels, "the image '" + path + "'");
  if (!pixels.ok())
    return pixels.status();
  return Image{width, height, channels, pixels.take()};
}

static uint8_t brightness(const uint8_t *rgb) {
  return (rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000) >> 16;
}

/// Makes pixels of `from` (4 bytes each) into those of the image.
template <typename Convert>
static void convertPixels(const Image &from, Image &to, Convert toRgb) {
  auto *in = reinterpret_cast<const uint8_t *>(from.pixels.data());
  auto *out = reinterpret_cast<uint8_t *>(to.pixels.data());
  for (int64_t i = 0, count = to.width * to.height; i < count; ++i, in += 4) {
    uint8_t rgb[3];
    toRgb(in, rgb);
    if (to.channels == 1)
      *out++ = brightness(rgb);
    else
      out = std::copy(rgb, rgb + 3, out);
  }
}

//===----------------------------------------------------------------------===//
// JPEG
//===----------------------------------------------------------------------===//

/// A warning that leaves the pixels whole: bytes between segments that mean
/// nothing, as some cameras write them.
static bool isHarmless(tjhandle handle) {
  return tjGetErrorCode(handle) == TJERR_WARNING &&
         std::string_view(tjGetErrorStr2(handle)).find("extraneous bytes") !=
             std::string_view::npos;
}

static Result<Image> decodeJpeg(const std::string &path,
                                std::span<const std::byte> bytes,
                                int channels) {
  std::unique_ptr<void, int (*)(tjhandle)> handle(tjInitDecompress(),
                                                  tjDestroy);
  if (!handle)
    return {Error::Memory, "there is no memory to decode '" + path + "'"};
  auto *begin = reinterpret_cast<const unsigned char *>(bytes.data());
  int width = 0, height = 0, sampling = 0, colors = 0;
  if (tjDecompressHeader3(handle.get(), begin, bytes.size(), &width, &height,
                          &sampling, &colors) &&
      !isHarmless(handle.get()))
    return refuse(path, tjGetErrorStr2(handle.get()));
  bool cmyk = colors == TJCS_CMYK || colors == TJCS_YCCK;
  Result<Image> image = makeImage(path, width, height, cmyk ? 4 : channels);
  if (!image.ok())
    return image;
  int format = cmyk ? TJPF_CMYK : channels == 1 ? TJPF_GRAY : TJPF_RGB;
  if (tjDecompress2(handle.get(), begin, bytes.size(),
                    reinterpret_cast<unsigned char *>(image->pixels.data()),
                    width, 0, height, format,
                    TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) &&
      !isHarmless(handle.get()))
    return refuse(path, tjGetErrorStr2(handle.get()));
  if (!cmyk)
    return image;
  Result<Image> result = makeImage(path, width, height, channels);
  if (result.ok())
    // Inks are stored inverted: 255 is none.
    convertPixels(*image, *result, [](const uint8_t *ink, uint8_t *rgb) {
      for (int c = 0; c < 3; ++c)
        rgb[c] = static_cast<uint8_t>((ink[c] * ink[3] + 127) / 255);
    });
  return result;
}

//===----------------------------------------------------------------------===//
// PNG
//===----------------------------------------------------------------------===//

static Result<Image> decodePng(const std::string &path,
                               std::span<const std::byte> bytes, int channels) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  std::unique_ptr<png_image, void (*)(png_imagep)> release(&png,
                                                           png_image_free);
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()))
    return refuse(path, png.message);
  Result<Image> wide = makeImage(path, png.width, png.height, 4);
  if (!wide.ok())
    return wide;
  Result<Image> result = makeImage(path, png.width, png.height, channels);
  if (!result.ok())
    return result;
  // 16 bits are in the same scale as 8, unless the file says otherwise.
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  png.format = PNG_FORMAT_RGBA;
  if (!png_image_finish_read(&png, nullptr, wide->pixels.data(), 0, nullptr))
    return refuse(path, png.message);
  convertPixels(*wide, *result, [](const uint8_t *rgba, uint8_t *rgb) {
    std::copy(rgba, rgba + 3, rgb);
  });
  return result;
}

Result<Image> weft::data::decodeImage(const std::string &path,
                                      std::span<const std::byte> bytes,
                                      int channels) {
  std::string_view text(reinterpret_cast<const char *>(bytes.data()),
                        bytes.size());
  if (text.starts_with("\xFF\xD8\xFF"))
    return decodeJpeg(path, bytes, channels);
  if (text.starts_with("\x89PNG\r\n\x1a\n"))
    return decodePng(path, bytes, channels);
  return refuse(path, "it is neither a JPEG nor a PNG file");
}

//===----------------------------------------------------------------------===//
// Scaling
//===----------------------------------------------------------------------===//

namespace {
/// The pixels that one pixel of the scaled image is the mean of.
struct Taps {
  int64_t first;
  std::vector<float> weights;
};
} // namespace

/// For `count` pixels from `begin` on, when `from` become `to`.
static std::vector<Taps> makeTaps(int64_t from, int64_t to, int64_t begin,
                                  int64_t count) {
  double scale = static_cast<double>(from) / static_cast<double>(to);
  double reach = std::max(scale, 1.0);
  std::vector<Taps> taps(count);
  for (int64_t i = 0; i < count; ++i) {
    double center = (static_cast<double>(begin + i) + 0.5) * scale;
    auto first = std::max<int64_t>(std::llround(center - reach), 0);
    auto last = std::min<int64_t>(std::llround(center + reach), from);
    double sum = 0;
    std::vector<double> weights;
    for (int64_t at = first; at < last; ++at) {
      weights.push_back(std::max(
          0.0, 1 - std::abs((static_cast<double>(at) + 0.5 - center) / reach)));
      sum += weights.back();
    }
    taps[i].first = first;
    for (double weight : weights)
      taps[i].weights.push_back(static_cast<float>(weight / sum));
  }
  return taps;
}

Status weft::data::resample(const Image &image, const Window &window,
                            float *out) {
  std::vector<Taps> columns =
      makeTaps(image.width, window.width, window.x, window.columns);
  std::vector<Taps> rows =
      makeTaps(image.height, window.height, window.y, window.rows);
  if (window.flip)
    std::reverse(columns.begin(), columns.end());
  int64_t firstRow = rows.front().first;
  int64_t lastRow =
      rows.back().first + static_cast<int64_t>(rows.back().weights.size());

  // Along the rows first, for those rows that are needed.
  int channels = image.channels;
  int64_t rowSize = window.columns * channels;
  Result<Buffer> buffer =
      Buffer::allocate((lastRow - firstRow) * rowSize * 4, "a scaled image");
  if (!buffer.ok())
    return buffer.status();
  auto *between = reinterpret_cast<float *>(buffer->data());
  for (int64_t y = firstRow; y < lastRow; ++y) {
    auto *row = reinterpret_cast<const uint8_t *>(image.pixels.data()) +
                y * image.width * channels;
    float *to = between + (y - firstRow) * rowSize;
    for (const Taps &taps : columns)
      for (int c = 0; c < channels; ++c) {
        float sum = 0;
        const uint8_t *pixel = row + taps.first * channels + c;
        for (float weight : taps.weights) {
          sum += weight * *pixel;
          pixel += channels;
        }
        *to++ = sum;
      }
  }
  std::vector<float> line(rowSize);
  for (int64_t y = 0; y < window.rows; ++y) {
    std::fill(line.begin(), line.end(), 0.0f);
    const float *from = between + (rows[y].first - firstRow) * rowSize;
    for (float weight : rows[y].weights) {
      for (int64_t i = 0; i < rowSize; ++i)
        line[i] += weight * from[i];
      from += rowSize;
    }
    for (int64_t x = 0; x < window.columns; ++x)
      for (int c = 0; c < channels; ++c)
        out[(c * window.rows + y) * window.columns + x] =
            line[x * channels + c] / 255;
  }
  return {};
}
