//===- Convert.cpp - Elements of one type as those of another -------------===//

#include "Convert.h"
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

using namespace weft::data;

namespace {
/// Elements of 16 bits that C++ has no type for.
struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};
} // namespace

static float widen(Half half) {
  uint32_t sign = uint32_t(half.bits & 0x8000) << 16;
  uint32_t exponent = half.bits >> 10 & 31, fraction = half.bits & 1023;
  if (exponent == 0) {
    float value = fraction * 0x1p-24f;
    return sign ? -value : value;
  }
  uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

static float widen(Brain brain) {
  return std::bit_cast<float>(uint32_t(brain.bits) << 16);
}

template <typename T> static T widen(T value) { return value; }

template <typename T> static T load(const std::byte *from) {
  T value;
  memcpy(&value, from, sizeof(T));
  return value;
}

/// The value as a `To`; false if it is a NaN or `To` does not have it.
template <typename To, typename From>
static bool convertOne(From value, To &result) {
  if constexpr (std::is_same_v<From, To> || std::is_floating_point_v<From>) {
    if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
      // The bounds are powers of two, so that they are exact.
      constexpr int digits = std::numeric_limits<To>::digits;
      constexpr From limit = static_cast<From>(uint64_t(1) << (digits - 1)) * 2;
      constexpr From least = std::is_signed_v<To> ? -limit : From(0);
      if (!(value >= least && value < limit))
        return false;
      result = static_cast<To>(value);
      return static_cast<From>(result) == value;
    } else {
      result = static_cast<To>(value);
      if constexpr (std::is_floating_point_v<From>)
        return !std::isnan(value) && std::isinf(result) == std::isinf(value);
      return true;
    }
  } else if constexpr (std::is_floating_point_v<To>) {
    result = static_cast<To>(value);
    constexpr uint64_t exact = uint64_t(1) << std::numeric_limits<To>::digits;
    if constexpr (std::is_signed_v<From>)
      return value <= static_cast<int64_t>(exact) &&
             value >= -static_cast<int64_t>(exact);
    else
      return value <= exact;
  } else {
    result = static_cast<To>(value);
    return std::in_range<To>(value);
  }
}

template <typename From, typename To>
static int64_t convertAll(const std::byte *from, std::byte *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    To result;
    if (!convertOne(widen(load<From>(from + i * sizeof(From))), result))
      return i;
    memcpy(to + i * sizeof(To), &result, sizeof(To));
  }
  return -1;
}

template <typename From> static Convert findTo(weft_dtype to) {
  switch (to) {
  case WEFT_F32:
    return convertAll<From, float>;
  case WEFT_F64:
    return convertAll<From, double>;
  case WEFT_I32:
    return convertAll<From, int32_t>;
  case WEFT_I64:
    return convertAll<From, int64_t>;
  case WEFT_I8:
    return convertAll<From, int8_t>;
  case WEFT_I16:
    return convertAll<From, int16_t>;
  case WEFT_U8:
    return convertAll<From, uint8_t>;
  case WEFT_U16:
    return convertAll<From, uint16_t>;
  case WEFT_U32:
    return convertAll<From, uint32_t>;
  case WEFT_U64:
    return convertAll<From, uint64_t>;
  default:
    return nullptr;
  }
}

/// The same type on both sides.
template <typename T>
static int64_t copyAll(const std::byte *from, std::byte *to, int64_t count) {
  memcpy(to, from, count * sizeof(T));
  if constexpr (std::is_floating_point_v<decltype(widen(T{}))>) {
    bool good = true;
    for (int64_t i = 0; i < count; ++i) {
      auto value = widen(load<T>(from + i * sizeof(T)));
      good &= !std::isnan(value);
    }
    for (int64_t i = 0; !good && i < count; ++i)
      if (std::isnan(widen(load<T>(from + i * sizeof(T)))))
        return i;
  }
  return -1;
}

template <typename From>
static Convert findFrom(weft_dtype from, weft_dtype to) {
  return from == to ? copyAll<From> : findTo<From>(to);
}

/// Calls `action` with a value of the type that `dtype` has in memory; else
/// returns `otherwise`.
template <typename R, typename Action>
static R dispatch(weft_dtype dtype, R otherwise, Action action) {
  switch (dtype) {
  case WEFT_F32:
    return action(float{});
  case WEFT_F64:
    return action(double{});
  case WEFT_F16:
    return action(Half{});
  case WEFT_BF16:
    return action(Brain{});
  case WEFT_I8:
    return action(int8_t{});
  case WEFT_I16:
    return action(int16_t{});
  case WEFT_I32:
    return action(int32_t{});
  case WEFT_I64:
    return action(int64_t{});
  case WEFT_BOOL:
  case WEFT_U8:
    return action(uint8_t{});
  case WEFT_U16:
    return action(uint16_t{});
  case WEFT_U32:
    return action(uint32_t{});
  case WEFT_U64:
    return action(uint64_t{});
  default:
    return otherwise;
  }
}

Convert weft::data::findConversion(weft_dtype from, weft_dtype to) {
  return dispatch<Convert>(from, nullptr, [&](auto value) {
    return findFrom<decltype(value)>(from, to);
  });
}

std::string weft::data::print(weft_dtype dtype, const std::byte *element) {
  return dispatch<std::string>(dtype, "?", [&](auto value) {
    auto wide = widen(load<decltype(value)>(element));
    if constexpr (std::is_floating_point_v<decltype(wide)>) {
      char text[32];
      snprintf(text, sizeof text, "%g", static_cast<double>(wide));
      return std::string(text);
    } else {
      return std::to_string(wide);
    }
  });
}
