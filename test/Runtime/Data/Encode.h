//===- Encode.h - Makes image files for tests -----------------------------===//

#ifndef WEFT_TEST_RUNTIME_DATA_ENCODE_H
#define WEFT_TEST_RUNTIME_DATA_ENCODE_H

#include <cstdint>
#include <string>
#include <turbojpeg.h>
#include <vector>
#include <zlib.h>

namespace weft::test {

/// A PNG file of `rows` (without filter bytes, as the file has them): `depth`
/// bits per sample, `kind` 0 grey, 2 colours, 4 grey and alpha, 6 colours and
/// alpha.
inline std::string png(uint32_t width, uint8_t depth, uint8_t kind,
                       const std::vector<std::string> &rows) {
  auto big = [](uint32_t value) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8)
      text += static_cast<char>(value >> shift);
    return text;
  };
  auto chunk = [&](const std::string &name, const std::string &content) {
    std::string body = name + content;
    uLong sum =
        crc32(0, reinterpret_cast<const Bytef *>(body.data()), body.size());
    return big(content.size()) + body + big(sum);
  };
  std::string raw;
  for (const std::string &row : rows)
    raw += '\0' + row;
  uLongf length = compressBound(raw.size());
  std::string packed(length, '\0');
  compress(reinterpret_cast<Bytef *>(packed.data()), &length,
           reinterpret_cast<const Bytef *>(raw.data()), raw.size());
  packed.resize(length);
  std::string header = big(width) + big(rows.size());
  header += {static_cast<char>(depth), static_cast<char>(kind), 0, 0, 0};
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", packed) +
         chunk("IEND", "");
}

/// A JPEG file of the best quality from pixels of `format`, all of them
/// `pixel`.
inline std::string jpeg(int width, int height, int format, int sampling,
                        const std::string &pixel) {
  std::string pixels;
  for (int i = 0; i < width * height; ++i)
    pixels += pixel;
  tjhandle handle = tjInitCompress();
  unsigned char *memory = nullptr;
  unsigned long size = 0;
  tjCompress2(handle, reinterpret_cast<const unsigned char *>(pixels.data()),
              width, 0, height, format, &memory, &size, sampling, 100, 0);
  std::string bytes(reinterpret_cast<char *>(memory), size);
  tjFree(memory);
  tjDestroy(handle);
  return bytes;
}

} // namespace weft::test

#endif // WEFT_TEST_RUNTIME_DATA_ENCODE_H
