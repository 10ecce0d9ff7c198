//===- Matrix.cpp - Fragments of matrices ---------------------------------===//

#include "Matrix.h"

#include <algorithm>
#include <array>

using namespace weft::ptx;

namespace {

std::array<float, 256> tableOf(const Format &format) {
  std::array<float, 256> table;
  for (unsigned i = 0; i < 256; ++i)
    table[i] = float(fromFormat(i, format));
  return table;
}

} // namespace

bool weft::ptx::elementOf(Type type, Element &element) {
  switch (type) {
  case Type::F16:
    element = Element::F16;
    return true;
  case Type::BF16:
    element = Element::BF16;
    return true;
  case Type::TF32:
    element = Element::TF32;
    return true;
  case Type::E4M3:
    element = Element::E4M3;
    return true;
  case Type::E5M2:
    element = Element::E5M2;
    return true;
  case Type::S8:
    element = Element::S8;
    return true;
  case Type::U8:
    element = Element::U8;
    return true;
  default:
    return false;
  }
}

unsigned weft::ptx::bitsOf(Element element) {
  switch (element) {
  case Element::F16:
  case Element::BF16:
    return 16;
  case Element::TF32:
    return 32;
  default:
    return 8;
  }
}

void weft::ptx::unpack(Element element, uint32_t bits, float *values) {
  static const std::array<float, 256> e4m3 = tableOf(kE4M3),
                                      e5m2 = tableOf(kE5M2);
  switch (element) {
  case Element::F16:
    values[0] = halfToFloat(uint16_t(bits));
    values[1] = halfToFloat(uint16_t(bits >> 16));
    return;
  case Element::BF16:
    values[0] = bfloatToFloat(uint16_t(bits));
    values[1] = bfloatToFloat(uint16_t(bits >> 16));
    return;
  case Element::TF32:
    values[0] = tfloatToFloat(bits);
    return;
  default:
    break;
  }
  for (unsigned i = 0; i < 4; ++i) {
    auto byte = uint8_t(bits >> (8 * i));
    values[i] = element == Element::E4M3   ? e4m3[byte]
                : element == Element::E5M2 ? e5m2[byte]
                : element == Element::S8   ? float(int8_t(byte))
                                           : float(byte);
  }
}

template <class Body> void Accumulator::forRegisters(Body body) const {
  for (unsigned lane = 0; lane < kLanes; ++lane)
    for (unsigned i = 0; i < n / 2; ++i) {
      unsigned row = lane / 4 + 8 * (i >> 1 & 1);
      unsigned column = (i >> 2) * 8 + lane % 4 * 2 + (i & 1);
      body(lane, i, row * n + column);
    }
}

void Accumulator::clear() {
  values.assign(16 * size_t(n), 0);
  integers.assign(type == Sum::S32 ? 16 * size_t(n) : 0, 0);
}

void Accumulator::load(const Warp &warp, const int32_t *list) {
  clear();
  forRegisters([&](unsigned lane, unsigned i, unsigned at) {
    switch (type) {
    case Sum::F32:
      values[at] = warp.in<float>(list[i])[lane];
      return;
    case Sum::F16:
      values[at] =
          halfToFloat(warp.in<uint16_t>(list[i / 2])[lane * 2 + i % 2]);
      return;
    case Sum::S32:
      integers[at] = warp.in<int32_t>(list[i])[lane];
      return;
    }
  });
}

void Accumulator::store(const Warp &warp, const int32_t *list) const {
  forRegisters([&](unsigned lane, unsigned i, unsigned at) {
    switch (type) {
    case Sum::F32:
      warp.out<float>(list[i])[lane] = values[at];
      return;
    case Sum::F16:
      warp.out<uint16_t>(list[i / 2])[lane * 2 + i % 2] =
          floatToHalf(values[at]);
      return;
    case Sum::S32:
      warp.out<int32_t>(list[i])[lane] = integers[at];
      return;
    }
  });
}

// Products of bytes are exact in float, sums of them are taken as integers.
void Accumulator::add(const float *a, const float *b, unsigned k,
                      bool saturate) {
  if (type != Sum::S32) {
    multiplyAdd(values.data(), a, b, 16, n, k);
    return;
  }
  std::fill(values.begin(), values.end(), 0.0f);
  multiplyAdd(values.data(), a, b, 16, n, k);
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t sum = int64_t(integers[i]) + int64_t(values[i]);
    if (saturate)
      sum = std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX);
    integers[i] = int32_t(uint32_t(sum));
  }
}

// A register holds neighbours of a row; rows alternate by 8 between registers.
void weft::ptx::loadLeft(const Warp &warp, Element element, const int32_t *list,
                         unsigned k, float *values) {
  unsigned per = 32 / bitsOf(element), registers = k / (4 * per) * 2;
  for (unsigned lane = 0; lane < kLanes; ++lane)
    for (unsigned r = 0; r < registers; ++r) {
      unsigned row = lane / 4 + 8 * (r & 1);
      unsigned column = (r >> 1) * 4 * per + lane % 4 * per;
      unpack(element, warp.in<uint32_t>(list[r])[lane],
             values + row * k + column);
    }
}
