//===- DecodeInteger.cpp - Arithmetic on integers -------------------------===//

#include "Handlers.h"

#include <algorithm>
#include <limits>

using namespace weft::ptx;

namespace {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

template <class T>
using Wider = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
    std::conditional_t<
        sizeof(T) == 4,
        std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
        std::conditional_t<std::is_signed_v<T>, Int128, UInt128>>>;

constexpr auto kAdd = [](auto a, auto b) {
  using T = decltype(a);
  return T(Wrapping<T>(a) + Wrapping<T>(b));
};
constexpr auto kSub = [](auto a, auto b) {
  using T = decltype(a);
  return T(Wrapping<T>(a) - Wrapping<T>(b));
};
constexpr auto kMulLow = [](auto a, auto b) {
  using T = decltype(a);
  return T(Wrapping<T>(a) * Wrapping<T>(b));
};
constexpr auto kMulHigh = [](auto a, auto b) {
  using T = decltype(a);
  return T((Wider<T>(a) * Wider<T>(b)) >> (sizeof(T) * 8));
};
constexpr auto kMadLow = [](auto a, auto b, auto c) {
  return kAdd(kMulLow(a, b), c);
};
constexpr auto kMadHigh = [](auto a, auto b, auto c) {
  return kAdd(kMulHigh(a, b), c);
};
constexpr auto kSaturate = [](int64_t value) {
  return int32_t(std::clamp<int64_t>(value, INT32_MIN, INT32_MAX));
};
// What the hardware gives for a division by zero: all bits set.
constexpr auto kDiv = [](auto a, auto b) {
  using T = decltype(a);
  if (b == 0)
    return T(~T(0));
  if constexpr (std::is_signed_v<T>)
    if (b == T(-1))
      return T(Wrapping<T>(0) - Wrapping<T>(a));
  return T(a / b);
};
constexpr auto kRem = [](auto a, auto b) {
  using T = decltype(a);
  if (b == 0)
    return a;
  if constexpr (std::is_signed_v<T>)
    if (b == T(-1))
      return T(0);
  return T(a % b);
};
constexpr auto kMin = [](auto a, auto b) { return a < b ? a : b; };
constexpr auto kMax = [](auto a, auto b) { return a > b ? a : b; };
constexpr auto kNeg = [](auto a) {
  using T = decltype(a);
  return T(Wrapping<T>(0) - Wrapping<T>(a));
};
constexpr auto kAbs = [](auto a) { return a < 0 ? kNeg(a) : a; };
constexpr auto kSad = [](auto a, auto b, auto c) {
  return kAdd(c, a < b ? kSub(b, a) : kSub(a, b));
};

// 16-bit halves of a register of 32 bits.
template <auto Op, class T>
constexpr auto kHalves = [](uint32_t a, uint32_t b) {
  auto low = T(Op(T(a), T(b))), high = T(Op(T(a >> 16), T(b >> 16)));
  return uint32_t(uint16_t(low)) | uint32_t(uint16_t(high)) << 16;
};

//===----------------------------------------------------------------------===//
// Carry

struct CarryOf {
  bool subtract, in, out;
};

// x: bit 0 subtracts, bit 1 takes the carry, bit 2 sets it.
template <class T>
void addWithCarry(Warp &warp, const Instr &instr, Mask lanes) {
  T *d = warp.out<T>(instr.d);
  const T *a = warp.in<T>(instr.a), *b = warp.in<T>(instr.b);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    bool carry = instr.x & 2 && warp.carry >> lane & 1, out;
    if (instr.x & 1) {
      UInt128 right = UInt128(b[lane]) + carry;
      out = UInt128(a[lane]) < right;
      d[lane] = T(a[lane] - T(right));
    } else {
      UInt128 sum = UInt128(a[lane]) + b[lane] + carry;
      out = sum >> (sizeof(T) * 8) != 0;
      d[lane] = T(sum);
    }
    if (instr.x & 4)
      warp.carry = (warp.carry & ~(Mask(1) << lane)) | Mask(out) << lane;
  }
}

// y: the high half of the product.
template <class T>
void madWithCarry(Warp &warp, const Instr &instr, Mask lanes) {
  using U = std::make_unsigned_t<T>;
  U *d = warp.out<U>(instr.d);
  const T *a = warp.in<T>(instr.a), *b = warp.in<T>(instr.b);
  const U *c = warp.in<U>(instr.c);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    bool carry = instr.x & 2 && warp.carry >> lane & 1;
    U product =
        U(instr.y ? kMulHigh(a[lane], b[lane]) : kMulLow(a[lane], b[lane]));
    UInt128 sum = UInt128(product) + c[lane] + carry;
    d[lane] = U(sum);
    if (instr.x & 4)
      warp.carry = (warp.carry & ~(Mask(1) << lane)) |
                   Mask(sum >> (sizeof(T) * 8) != 0) << lane;
  }
}

void decodeCarry(Decoder &decoder) {
  std::string_view name = decoder.name();
  bool subtract = name.starts_with("sub"), in = name.ends_with("c");
  bool out = decoder.take("cc");
  Type type = decoder.takeType();
  decoder.instr.x = uint8_t(subtract | in << 1 | out << 2);
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  if (bitsOf(type) == 16)
    decoder.fail("this type is not supported");
  decoder.instr.run =
      bitsOf(type) == 64 ? addWithCarry<uint64_t> : addWithCarry<uint32_t>;
  decoder.emit();
}

void decodeMadCarry(Decoder &decoder) {
  bool in = decoder.name() == "madc", out = decoder.take("cc");
  decoder.instr.y = decoder.take("hi");
  decoder.take("lo");
  Type type = decoder.takeType();
  decoder.instr.x = uint8_t(in << 1 | out << 2);
  decoder.expectCount(4, 4);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  decoder.instr.c = decoder.source(3, type);
  setHandler(decoder, forInteger(type, [](auto value) -> Handler {
               return madWithCarry<decltype(value)>;
             }));
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// Decoding

template <auto Op> Handler wideBinary(Type type) {
  switch (type) {
  case Type::U16:
    return binary<Op, uint32_t, uint16_t>;
  case Type::S16:
    return binary<Op, int32_t, int16_t>;
  case Type::U32:
    return binary<Op, uint64_t, uint32_t>;
  case Type::S32:
    return binary<Op, int64_t, int32_t>;
  default:
    return nullptr;
  }
}

template <auto Op> Handler wideTernary(Type type) {
  switch (type) {
  case Type::U16:
    return ternary<Op, uint32_t, uint16_t, uint16_t, uint32_t>;
  case Type::S16:
    return ternary<Op, int32_t, int16_t, int16_t, int32_t>;
  case Type::U32:
    return ternary<Op, uint64_t, uint32_t, uint32_t, uint64_t>;
  case Type::S32:
    return ternary<Op, int64_t, int32_t, int32_t, int64_t>;
  default:
    return nullptr;
  }
}

constexpr auto kMulWide = [](auto a, auto b) {
  using T = decltype(a);
  return Wider<T>(Wrapping<Wider<T>>(a) * Wrapping<Wider<T>>(b));
};
constexpr auto kMadWide = [](auto a, auto b, auto c) {
  return kAdd(decltype(c)(kMulWide(a, b)), c);
};

Type widened(Type type) {
  switch (type) {
  case Type::U16:
    return Type::U32;
  case Type::S16:
    return Type::S32;
  case Type::U32:
    return Type::U64;
  default:
    return Type::S64;
  }
}

void decodeMul(Decoder &decoder, Type type) {
  bool isMad = decoder.name() == "mad";
  bool wide = decoder.take("wide"), high = decoder.take("hi");
  decoder.take("lo");
  bool saturate = decoder.take("sat");
  decoder.expectCount(3 + isMad, 3 + isMad);
  decoder.instr.d = decoder.target(0, wide ? widened(type) : type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  if (isMad)
    decoder.instr.c = decoder.source(3, wide ? widened(type) : type);
  if (saturate && !(isMad && high && type == Type::S32))
    decoder.fail("'.sat' is only for mad.hi.s32");
  Handler handler =
      wide ? (isMad ? wideTernary<kMadWide>(type) : wideBinary<kMulWide>(type))
      : high ? (isMad ? integerTernary<kMadHigh>(type)
                      : integerBinary<kMulHigh>(type))
             : (isMad ? integerTernary<kMadLow>(type)
                      : integerBinary<kMulLow>(type));
  if (saturate)
    handler = ternary<[](int32_t a, int32_t b, int32_t c) {
      return kSaturate(int64_t(kMulHigh(a, b)) + c);
    },
                      int32_t, int32_t>;
  setHandler(decoder, handler);
  decoder.emit();
}

Handler binaryHandler(std::string_view name, Type type, bool saturate) {
  if (name == "add")
    return saturate ? binary<[](int32_t a, int32_t b) {
      return kSaturate(int64_t(a) + b);
    },
                             int32_t, int32_t>
                    : integerBinary<kAdd>(type);
  if (name == "sub")
    return saturate ? binary<[](int32_t a, int32_t b) {
      return kSaturate(int64_t(a) - b);
    },
                             int32_t, int32_t>
                    : integerBinary<kSub>(type);
  if (name == "div")
    return integerBinary<kDiv>(type);
  if (name == "rem")
    return integerBinary<kRem>(type);
  if (name == "min")
    return integerBinary<kMin>(type);
  return integerBinary<kMax>(type);
}

} // namespace

void weft::ptx::decodeInteger(Decoder &decoder) {
  std::string_view name = decoder.name();
  if ((name == "add" || name == "sub") && decoder.take("cc")) {
    // The decoder of carries wants to see it.
    Type type = decoder.takeType();
    decoder.instr.x = uint8_t((name == "sub") | 4);
    decoder.expectCount(3, 3);
    decoder.instr.d = decoder.target(0, type);
    decoder.instr.a = decoder.source(1, type);
    decoder.instr.b = decoder.source(2, type);
    decoder.instr.run =
        bitsOf(type) == 64 ? addWithCarry<uint64_t> : addWithCarry<uint32_t>;
    decoder.emit();
    return;
  }
  if (name == "mad" && decoder.take("cc")) {
    decoder.instr.y = decoder.take("hi");
    decoder.take("lo");
    Type type = decoder.takeType();
    decoder.instr.x = 4;
    decoder.expectCount(4, 4);
    decoder.instr.d = decoder.target(0, type);
    decoder.instr.a = decoder.source(1, type);
    decoder.instr.b = decoder.source(2, type);
    decoder.instr.c = decoder.source(3, type);
    setHandler(decoder, forInteger(type, [](auto value) -> Handler {
                 return madWithCarry<decltype(value)>;
               }));
    decoder.emit();
    return;
  }
  Type type = decoder.takeType();
  if (name == "mul" || name == "mad")
    return decodeMul(decoder, type);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  if (name == "abs" || name == "neg") {
    decoder.expectCount(2, 2);
    setHandler(decoder, name == "abs" ? integerUnary<kAbs>(type)
                                      : integerUnary<kNeg>(type));
    decoder.emit();
    return;
  }
  bool saturate = decoder.take("sat");
  if (saturate && type != Type::S32)
    decoder.fail("'.sat' is only for .s32");
  decoder.expectCount(3, 3);
  decoder.instr.b = decoder.source(2, type);
  setHandler(decoder, binaryHandler(name, type, saturate));
  decoder.emit();
}

namespace {

// Two integers of 16 bits in a register.
void decodePairs(Decoder &decoder, std::string_view name, bool isSigned) {
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, Type::B32);
  decoder.instr.a = decoder.source(1, Type::B32);
  decoder.instr.b = decoder.source(2, Type::B32);
  using U = uint32_t;
  if (name == "add")
    decoder.instr.run = binary<kHalves<kAdd, uint16_t>, U, U>;
  else if (name == "min")
    decoder.instr.run = isSigned ? binary<kHalves<kMin, int16_t>, U, U>
                                 : binary<kHalves<kMin, uint16_t>, U, U>;
  else if (name == "max")
    decoder.instr.run = isSigned ? binary<kHalves<kMax, int16_t>, U, U>
                                 : binary<kHalves<kMax, uint16_t>, U, U>;
  else
    decoder.fail("this type is not supported");
  decoder.emit();
}

void decodeArithmetic(Decoder &decoder) {
  if (decoder.take("u16x2"))
    return decodePairs(decoder, decoder.name(), false);
  if (decoder.take("s16x2"))
    return decodePairs(decoder, decoder.name(), true);
  Type type = decoder.peekType();
  if (type == Type::F32 || type == Type::F64)
    return decodeFloat(decoder);
  if (isFloat(type))
    return decodeHalf(decoder);
  decodeInteger(decoder);
}

void decodeSad(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.expectCount(4, 4);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  decoder.instr.c = decoder.source(3, type);
  setHandler(decoder, integerTernary<kSad>(type));
  decoder.emit();
}

int64_t low24(uint32_t value, bool isSigned) {
  return isSigned ? int64_t(int32_t(value << 8) >> 8)
                  : int64_t(value & 0xffffff);
}

// x: signed, y: the high part.
void decode24(Decoder &decoder) {
  bool isMad = decoder.name() == "mad24";
  decoder.instr.y = decoder.take("hi");
  decoder.take("lo");
  Type type = decoder.takeType();
  decoder.instr.x = isSigned(type);
  decoder.expectCount(3 + isMad, 3 + isMad);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  decoder.instr.c = isMad ? decoder.source(3, type) : decoder.constant(0, 32);
  constexpr auto op = [](const Instr &instr, uint32_t a, uint32_t b,
                         uint32_t c) {
    int64_t product = low24(a, instr.x) * low24(b, instr.x);
    return uint32_t(instr.y ? product >> 16 : product) + c;
  };
  decoder.instr.run = ternaryWith<op, uint32_t, uint32_t>;
  decoder.emit();
}

// Four products of bytes, or two of 16 bits with bytes. x, y: whether a and b
// are signed; z: 0 for dp4a, 1 and 2 for the low and high bytes of dp2a.
void decodeDot(Decoder &decoder) {
  bool four = decoder.name() == "dp4a";
  decoder.instr.z = four ? 0 : decoder.take("hi") ? 2 : 1;
  decoder.take("lo");
  Type a = decoder.takeType(), b = decoder.takeType();
  decoder.instr.x = isSigned(a);
  decoder.instr.y = isSigned(b);
  decoder.expectCount(4, 4);
  decoder.instr.d = decoder.target(0, Type::B32);
  decoder.instr.a = decoder.source(1, Type::B32);
  decoder.instr.b = decoder.source(2, Type::B32);
  decoder.instr.c = decoder.source(3, Type::B32);
  constexpr auto op = [](const Instr &instr, uint32_t a, uint32_t b,
                         uint32_t c) {
    auto byteOf = [](uint32_t value, unsigned i, bool isSigned) {
      uint32_t byte = value >> (8 * i) & 0xff;
      return isSigned ? int64_t(int8_t(byte)) : int64_t(byte);
    };
    int64_t sum = 0;
    for (unsigned i = 0; i < (instr.z ? 2u : 4u); ++i) {
      int64_t left = byteOf(a, i, instr.x);
      if (instr.z) {
        uint32_t half = a >> (16 * i) & 0xffff;
        left = instr.x ? int64_t(int16_t(half)) : int64_t(half);
      }
      sum += left * byteOf(b, i + (instr.z == 2 ? 2 : 0), instr.y);
    }
    return uint32_t(sum) + c;
  };
  decoder.instr.run = ternaryWith<op, uint32_t, uint32_t>;
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::arithmeticTable() {
  return {{"add", decodeArithmetic}, {"sub", decodeArithmetic},
          {"mul", decodeArithmetic}, {"mad", decodeArithmetic},
          {"fma", decodeArithmetic}, {"div", decodeArithmetic},
          {"rem", decodeArithmetic}, {"abs", decodeArithmetic},
          {"neg", decodeArithmetic}, {"min", decodeArithmetic},
          {"max", decodeArithmetic}};
}

DecodeTable weft::ptx::integerTable() {
  return {{"addc", decodeCarry},    {"subc", decodeCarry},
          {"madc", decodeMadCarry}, {"sad", decodeSad},
          {"mul24", decode24},      {"mad24", decode24},
          {"dp4a", decodeDot},      {"dp2a", decodeDot}};
}
