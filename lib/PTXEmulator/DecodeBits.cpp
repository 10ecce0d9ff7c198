//===- DecodeBits.cpp - Bits of integers ----------------------------------===//

#include "Handlers.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

constexpr auto kAnd = [](auto a, auto b) { return decltype(a)(a & b); };
constexpr auto kOr = [](auto a, auto b) { return decltype(a)(a | b); };
constexpr auto kXor = [](auto a, auto b) { return decltype(a)(a ^ b); };
constexpr auto kNot = [](auto a) { return decltype(a)(~a); };
constexpr auto kCnot = [](auto a) { return decltype(a)(a == 0); };
constexpr auto kShl = [](auto a, uint32_t b) {
  using T = decltype(a);
  return b >= sizeof(T) * 8 ? T(0) : T(Wrapping<T>(a) << b);
};
constexpr auto kShr = [](auto a, uint32_t b) {
  using T = decltype(a);
  uint32_t most = sizeof(T) * 8;
  if (b >= most)
    return a < 0 ? T(-1) : T(0);
  return T(a >> b);
};

// Predicates are masks: x picks the operation.
void predicateLogic(Warp &warp, const Instr &instr, Mask lanes) {
  Mask a = *warp.in<Mask>(instr.a);
  Mask b = instr.b == kNoOperand ? 0 : *warp.in<Mask>(instr.b);
  a = instr.y & 1 ? ~a : a;
  b = instr.y & 2 ? ~b : b;
  Mask value = instr.x == 0   ? (a & b)
               : instr.x == 1 ? (a | b)
               : instr.x == 2 ? (a ^ b)
                              : ~a;
  warp.setPredicate(instr.d, lanes, value);
}

void decodePredicateLogic(Decoder &decoder, uint8_t operation, size_t inputs) {
  decoder.expectCount(inputs + 1, inputs + 1);
  bool negateA, negateB = false;
  decoder.instr.x = operation;
  decoder.instr.d = decoder.target(0, Type::Pred);
  decoder.instr.a = decoder.predicate(decoder.operand(1), negateA);
  if (inputs == 2)
    decoder.instr.b = decoder.predicate(decoder.operand(2), negateB);
  decoder.instr.y = uint8_t(negateA | negateB << 1);
  decoder.instr.run = predicateLogic;
  decoder.emit();
}

Type asUnsigned(Type type) {
  return bitsOf(type) == 16   ? Type::U16
         : bitsOf(type) == 32 ? Type::U32
                              : Type::U64;
}

void decodeLogic(Decoder &decoder) {
  std::string_view name = decoder.name();
  Type type = decoder.takeType();
  uint8_t operation = name == "and" ? 0 : name == "or" ? 1 : 2;
  if (type == Type::Pred)
    return decodePredicateLogic(decoder, operation, 2);
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  type = asUnsigned(type);
  setHandler(decoder, operation == 0   ? integerBinary<kAnd>(type)
                      : operation == 1 ? integerBinary<kOr>(type)
                                       : integerBinary<kXor>(type));
  decoder.emit();
}

void decodeNot(Decoder &decoder) {
  Type type = decoder.takeType();
  if (type == Type::Pred)
    return decodePredicateLogic(decoder, 3, 1);
  decoder.expectCount(2, 2);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  type = asUnsigned(type);
  setHandler(decoder, decoder.name() == "not" ? integerUnary<kNot>(type)
                                              : integerUnary<kCnot>(type));
  decoder.emit();
}

void decodeShift(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, Type::U32);
  bool left = decoder.name() == "shl";
  setHandler(decoder, forInteger(type, [=](auto value) -> Handler {
               using T = decltype(value);
               return left ? Handler(binary<kShl, T, T, uint32_t>)
                           : Handler(binary<kShr, T, T, uint32_t>);
             }));
  decoder.emit();
}

// x: to the left, y: wraps.
void decodeFunnelShift(Decoder &decoder) {
  decoder.instr.x = decoder.take("l");
  if (!decoder.instr.x && !decoder.take("r"))
    decoder.fail("'.l' or '.r' is missing");
  decoder.instr.y = decoder.take("wrap");
  decoder.take("clamp");
  decoder.takeType();
  decoder.expectCount(4, 4);
  decoder.instr.d = decoder.target(0, Type::B32);
  decoder.instr.a = decoder.source(1, Type::B32);
  decoder.instr.b = decoder.source(2, Type::B32);
  decoder.instr.c = decoder.source(3, Type::U32);
  constexpr auto op = [](const Instr &instr, uint32_t a, uint32_t b,
                         uint32_t c) {
    uint32_t n = instr.y ? c & 31 : std::min(c, 32u);
    uint64_t both = uint64_t(b) << 32 | a;
    return instr.x ? uint32_t(both << n >> 32) : uint32_t(both >> n);
  };
  decoder.instr.run = ternaryWith<op, uint32_t, uint32_t>;
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// Counting and searching

constexpr auto kPopc = [](auto a) { return uint32_t(std::popcount(a)); };
constexpr auto kClz = [](auto a) { return uint32_t(std::countl_zero(a)); };
constexpr auto kBrev = [](auto a) {
  using T = decltype(a);
  T result = 0;
  for (unsigned i = 0; i < sizeof(T) * 8; ++i)
    result |= T(a >> i & 1) << (sizeof(T) * 8 - 1 - i);
  return result;
};

// The position of the highest bit that is set (for negative numbers: clear).
constexpr auto kFind = [](const Instr &instr, auto a) {
  using T = decltype(a);
  using U = std::make_unsigned_t<T>;
  U bits = U(a < 0 ? ~a : a);
  if (!bits)
    return UINT32_MAX;
  uint32_t zeros = uint32_t(std::countl_zero(bits));
  return instr.x ? zeros : uint32_t(sizeof(T) * 8 - 1) - zeros;
};

void decodeCount(Decoder &decoder) {
  std::string_view name = decoder.name();
  decoder.instr.x = decoder.take("shiftamt");
  Type type = decoder.takeType();
  decoder.expectCount(2, 2);
  decoder.instr.d = decoder.target(0, name == "brev" ? type : Type::U32);
  decoder.instr.a = decoder.source(1, type);
  bool is64 = bitsOf(type) == 64;
  if (name == "popc")
    decoder.instr.run = is64 ? unary<kPopc, uint32_t, uint64_t>
                             : unary<kPopc, uint32_t, uint32_t>;
  else if (name == "clz")
    decoder.instr.run = is64 ? unary<kClz, uint32_t, uint64_t>
                             : unary<kClz, uint32_t, uint32_t>;
  else if (name == "brev")
    decoder.instr.run = is64 ? unary<kBrev, uint64_t, uint64_t>
                             : unary<kBrev, uint32_t, uint32_t>;
  else
    setHandler(decoder, forInteger(type, [](auto value) -> Handler {
                 return unaryWith<kFind, uint32_t, decltype(value)>;
               }));
  decoder.emit();
}

// The n-th bit that is set, counted from a base.
void decodeFindNth(Decoder &decoder) {
  decoder.takeType();
  decoder.expectCount(4, 4);
  decoder.instr.d = decoder.target(0, Type::B32);
  decoder.instr.a = decoder.source(1, Type::B32);
  decoder.instr.b = decoder.source(2, Type::B32);
  decoder.instr.c = decoder.source(3, Type::B32);
  constexpr auto op = [](uint32_t mask, uint32_t base, uint32_t offset) {
    int32_t n = int32_t(offset), step = n < 0 ? -1 : 1;
    if (n == 0)
      return base < 32 && mask >> base & 1 ? base : UINT32_MAX;
    int32_t left = n < 0 ? -n : n;
    for (int32_t at = int32_t(base); at >= 0 && at < 32; at += step)
      if (mask >> at & 1 && --left == 0)
        return uint32_t(at);
    return UINT32_MAX;
  };
  decoder.instr.run = ternary<op, uint32_t, uint32_t>;
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// Fields

constexpr auto kExtract = [](auto a, uint32_t b, uint32_t c) {
  using T = decltype(a);
  using U = std::make_unsigned_t<T>;
  constexpr uint32_t bits = sizeof(T) * 8;
  uint32_t position = b & 0xff, length = c & 0xff;
  bool sign = false;
  if (std::is_signed_v<T> && length)
    sign = U(a) >> std::min(position + length - 1, bits - 1) & 1;
  U result = 0;
  for (uint32_t i = 0; i < bits; ++i) {
    bool bit =
        i < length && position + i < bits ? U(a) >> (position + i) & 1 : sign;
    result |= U(bit) << i;
  }
  return T(result);
};

void decodeExtract(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.expectCount(4, 4);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, Type::U32);
  decoder.instr.c = decoder.source(3, Type::U32);
  setHandler(decoder, forInteger(type, [](auto value) -> Handler {
               using T = decltype(value);
               return ternary<kExtract, T, T, uint32_t, uint32_t>;
             }));
  decoder.emit();
}

template <class T>
void insertField(Warp &warp, const Instr &instr, Mask lanes) {
  T *d = warp.out<T>(instr.d);
  const T *a = warp.in<T>(instr.a), *b = warp.in<T>(instr.b);
  const uint32_t *c = warp.in<uint32_t>(instr.c);
  const uint32_t *e = warp.in<uint32_t>(instr.e);
  constexpr uint32_t bits = sizeof(T) * 8;
  forLanes(lanes, [=](unsigned lane) {
    uint32_t position = c[lane] & 0xff, length = e[lane] & 0xff;
    T ones = length >= bits ? T(~T(0)) : (T(1) << length) - 1;
    T mask = position >= bits ? 0 : ones << position;
    T value = position >= bits ? 0 : a[lane] << position;
    d[lane] = (b[lane] & ~mask) | (value & mask);
  });
}

void decodeInsert(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.expectCount(5, 5);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  decoder.instr.c = decoder.source(3, Type::U32);
  decoder.instr.e = decoder.source(4, Type::U32);
  decoder.instr.run =
      bitsOf(type) == 64 ? insertField<uint64_t> : insertField<uint32_t>;
  decoder.emit();
}

// x: clamps instead of wrapping.
void decodeMask(Decoder &decoder) {
  decoder.instr.x = decoder.take("clamp");
  decoder.take("wrap");
  decoder.takeType();
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, Type::B32);
  decoder.instr.a = decoder.source(1, Type::U32);
  decoder.instr.b = decoder.source(2, Type::U32);
  constexpr auto op = [](const Instr &instr, uint32_t a, uint32_t b) {
    uint32_t position = instr.x ? std::min(a, 32u) : a & 31;
    uint32_t width = instr.x ? std::min(b, 32u) : b & 31;
    return uint32_t(((uint64_t(1) << width) - 1) << position);
  };
  decoder.instr.run = binaryWith<op, uint32_t, uint32_t>;
  decoder.emit();
}

// x: clamps, y: extends the sign.
void decodeExtend(Decoder &decoder) {
  decoder.instr.x = decoder.take("clamp");
  decoder.take("wrap");
  decoder.instr.y = isSigned(decoder.takeType());
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, Type::B32);
  decoder.instr.a = decoder.source(1, Type::B32);
  decoder.instr.b = decoder.source(2, Type::U32);
  constexpr auto op = [](const Instr &instr, uint32_t a, uint32_t b) {
    uint32_t n = instr.x ? std::min(b, 32u) : b & 31;
    if (n == 0)
      return 0u;
    if (n == 32)
      return a;
    uint32_t low = a & ((1u << n) - 1);
    return instr.y && a >> (n - 1) & 1 ? low | ~((1u << n) - 1) : low;
  };
  decoder.instr.run = binaryWith<op, uint32_t, uint32_t>;
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// Permutations and truth tables

uint32_t permute(uint64_t both, uint32_t selector) {
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    uint32_t nibble = selector >> (4 * i) & 15;
    uint32_t byte = uint32_t(both >> (8 * (nibble & 7))) & 0xff;
    if (nibble & 8)
      byte = byte & 0x80 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  return result;
}

// What the modes of prmt pick, by the two low bits of the selector.
constexpr uint32_t kPermuteModes[6][4] = {
    {0x3210, 0x4321, 0x5432, 0x6543}, // f4e
    {0x5670, 0x6701, 0x7012, 0x0123}, // b4e
    {0x0000, 0x1111, 0x2222, 0x3333}, // rc8
    {0x3210, 0x3211, 0x3222, 0x3333}, // ecl
    {0x0000, 0x1110, 0x2210, 0x3210}, // ecr
    {0x1010, 0x3232, 0x1010, 0x3232}, // rc16
};

void decodePermute(Decoder &decoder) {
  decoder.take("b32");
  int mode = decoder.takeOneOf({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}, -1);
  decoder.instr.x = uint8_t(mode + 1);
  decoder.expectCount(4, 4);
  decoder.instr.d = decoder.target(0, Type::B32);
  decoder.instr.a = decoder.source(1, Type::B32);
  decoder.instr.b = decoder.source(2, Type::B32);
  decoder.instr.c = decoder.source(3, Type::B32);
  constexpr auto op = [](const Instr &instr, uint32_t a, uint32_t b,
                         uint32_t c) {
    uint64_t both = uint64_t(b) << 32 | a;
    return permute(both,
                   instr.x ? kPermuteModes[instr.x - 1][c & 3] : c & 0xffff);
  };
  decoder.instr.run = ternaryWith<op, uint32_t, uint32_t>;
  decoder.emit();
}

// x: the table; with a predicate (`target`), y: 1 for or, 2 for and.
void lop3(Warp &warp, const Instr &instr, Mask lanes) {
  uint32_t *d = warp.out<uint32_t>(instr.d);
  const uint32_t *a = warp.in<uint32_t>(instr.a);
  const uint32_t *b = warp.in<uint32_t>(instr.b);
  const uint32_t *c = warp.in<uint32_t>(instr.c);
  uint32_t table = instr.x;
  // All bits set where the table has a one.
  uint32_t on[8];
  for (unsigned i = 0; i < 8; ++i)
    on[i] = table >> i & 1 ? UINT32_MAX : 0;
  forLanes(lanes, [=](unsigned lane) {
    uint32_t x = a[lane], y = b[lane], z = c[lane];
    d[lane] = (on[0] & ~x & ~y & ~z) | (on[1] & ~x & ~y & z) |
              (on[2] & ~x & y & ~z) | (on[3] & ~x & y & z) |
              (on[4] & x & ~y & ~z) | (on[5] & x & ~y & z) |
              (on[6] & x & y & ~z) | (on[7] & x & y & z);
  });
  if (!instr.y)
    return;
  Mask nonZero = 0, other = *warp.in<Mask>(instr.e);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    nonZero |= Mask(d[lane] != 0) << lane;
  other = instr.z ? ~other : other;
  warp.setPredicate(int32_t(instr.target), lanes,
                    instr.y == 1 ? nonZero | other : nonZero & other);
}

void decodeLop3(Decoder &decoder) {
  decoder.instr.y = uint8_t(decoder.takeOneOf({"or", "and"}, -1) + 1);
  decoder.takeType();
  bool withPredicate = decoder.instr.y != 0;
  decoder.expectCount(5 + withPredicate, 5 + withPredicate);
  const Operand &d = decoder.operand(0);
  if (withPredicate) {
    if (d.kind != Operand::Pair)
      decoder.fail("wants a register and a predicate, d|p");
    decoder.instr.d = decoder.target(d.parts[0], Type::B32);
    decoder.instr.target = uint32_t(decoder.target(d.parts[1], Type::Pred));
    bool negated;
    decoder.instr.e = decoder.predicate(decoder.operand(5), negated);
    decoder.instr.z = negated;
  } else {
    decoder.instr.d = decoder.target(d, Type::B32);
  }
  decoder.instr.a = decoder.source(1, Type::B32);
  decoder.instr.b = decoder.source(2, Type::B32);
  decoder.instr.c = decoder.source(3, Type::B32);
  decoder.instr.x = uint8_t(decoder.immediate(decoder.operand(4)));
  decoder.instr.run = lop3;
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::bitTable() {
  return {{"and", decodeLogic},    {"or", decodeLogic},
          {"xor", decodeLogic},    {"not", decodeNot},
          {"cnot", decodeNot},     {"shl", decodeShift},
          {"shr", decodeShift},    {"shf", decodeFunnelShift},
          {"popc", decodeCount},   {"clz", decodeCount},
          {"brev", decodeCount},   {"bfind", decodeCount},
          {"fns", decodeFindNth},  {"bfe", decodeExtract},
          {"bfi", decodeInsert},   {"bmsk", decodeMask},
          {"szext", decodeExtend}, {"prmt", decodePermute},
          {"lop3", decodeLop3}};
}
