//===- Image.h - JPEG and PNG files as pixels, and what is done to them ---===//

#ifndef WEFT_RUNTIME_DATA_IMAGE_H
#define WEFT_RUNTIME_DATA_IMAGE_H

#include "weft/Runtime/Data/Files.h"
#include <cstdint>
#include <span>

namespace weft::data {

/// Pixels of 8 bits per channel, row by row, the channels side by side.
struct Image {
  int64_t width = 0, height = 0;
  int channels = 0; ///< 1 grey, 3 red, green and blue
  Buffer pixels;
};

/// Decodes a JPEG or PNG file into 1 or 3 channels. Grey becomes three equal
/// channels; colours become grey by their brightness (0.299, 0.587, 0.114);
/// transparency is dropped, as are the lower bits of 16; CMYK is taken as
/// Adobe's programs write it. A rotation that a camera noted is not applied.
/// Fails with Error::Image, `path` in the message, for what is damaged or cut
/// off, and for other formats.
Result<Image> decodeImage(const std::string &path,
                          std::span<const std::byte> bytes, int channels);

/// A part of an image after it has been scaled to `width` by `height`.
struct Window {
  int64_t width, height;       ///< of the whole scaled image
  int64_t x, y, columns, rows; ///< the part, within it
  bool flip = false;           ///< left and right swapped
};

/// Writes the window's pixels, from 0 to 1, plane by plane, into `out`
/// (channels * rows * columns). Each is the mean of the pixels beneath,
/// weighted by a triangle as wide as the scale asks for (bilinear when the
/// image grows, without aliases when it shrinks).
Status resample(const Image &image, const Window &window, float *out);

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_IMAGE_H
