//===- DecodeCompare.cpp - Comparisons and selections ---------------------===//

#include "Handlers.h"
#include "Number.h"

using namespace weft::ptx;

namespace {

/// The comparisons in the order of their names below.
enum Comparison : uint8_t {
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kLo,
  kLs,
  kHi,
  kHs,
  kEqu,
  kNeu,
  kLtu,
  kLeu,
  kGtu,
  kGeu,
  kNum,
  kNan
};
constexpr std::string_view kNames[] = {
    "eq", "ne",  "lt",  "le",  "gt",  "ge",  "lo",  "ls",  "hi",
    "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

enum Combination : uint8_t { kAlone, kWithAnd, kWithOr, kWithXor };

template <class T> bool isNaN(T value) {
  if constexpr (std::is_floating_point_v<T>)
    return value != value;
  return false;
}

template <class T, class Compare>
Mask compareLanes(const T *a, const T *b, Compare compare) {
  Mask result = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane)
    result |= Mask(compare(a[lane], b[lane])) << lane;
  return result;
}

// The outcome for all lanes; what the inactive ones hold is not used.
template <class T> Mask compare(uint8_t comparison, const T *a, const T *b) {
  auto either = [](T x, T y) { return isNaN(x) || isNaN(y); };
  switch (comparison) {
  case kEq:
    return compareLanes(a, b, [](T x, T y) { return x == y; });
  case kNe:
    return compareLanes(a, b,
                        [&](T x, T y) { return x != y && !either(x, y); });
  case kLt:
  case kLo:
    return compareLanes(a, b, [](T x, T y) { return x < y; });
  case kLe:
  case kLs:
    return compareLanes(a, b, [](T x, T y) { return x <= y; });
  case kGt:
  case kHi:
    return compareLanes(a, b, [](T x, T y) { return x > y; });
  case kGe:
  case kHs:
    return compareLanes(a, b, [](T x, T y) { return x >= y; });
  case kEqu:
    return compareLanes(a, b, [&](T x, T y) { return x == y || either(x, y); });
  case kNeu:
    return compareLanes(a, b, [](T x, T y) { return x != y; });
  case kLtu:
    return compareLanes(a, b, [](T x, T y) { return !(x >= y); });
  case kLeu:
    return compareLanes(a, b, [](T x, T y) { return !(x > y); });
  case kGtu:
    return compareLanes(a, b, [](T x, T y) { return !(x <= y); });
  case kGeu:
    return compareLanes(a, b, [](T x, T y) { return !(x < y); });
  case kNum:
    return compareLanes(a, b, [&](T x, T y) { return !either(x, y); });
  default:
    return compareLanes(a, b, [&](T x, T y) { return either(x, y); });
  }
}

Mask combine(const Warp &warp, const Instr &instr, Mask value) {
  if (instr.y == kAlone)
    return value;
  Mask other = *warp.in<Mask>(instr.c);
  other = instr.z ? ~other : other;
  return instr.y == kWithAnd  ? value & other
         : instr.y == kWithOr ? value | other
                              : value ^ other;
}

// x: comparison, y: combination, z: whether c is negated, u: flush to zero.
template <class T> Mask outcome(const Warp &warp, const Instr &instr) {
  const T *a = warp.in<T>(instr.a), *b = warp.in<T>(instr.b);
  if constexpr (std::is_same_v<T, float>)
    if (instr.u) {
      float left[kLanes], right[kLanes];
      for (unsigned lane = 0; lane < kLanes; ++lane)
        left[lane] = flush(a[lane]), right[lane] = flush(b[lane]);
      return compare(instr.x, left, right);
    }
  return compare(instr.x, a, b);
}

// The halves of lanes, as float: Half is 0 or 1; of 16-bit registers, 0.
template <bool BFloat16, unsigned Parts, unsigned Half>
Mask halfOutcome(const Warp &warp, const Instr &instr) {
  const uint16_t *a = warp.in<uint16_t>(instr.a);
  const uint16_t *b = warp.in<uint16_t>(instr.b);
  float left[kLanes], right[kLanes];
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    uint16_t x = a[lane * Parts + Half], y = b[lane * Parts + Half];
    left[lane] = BFloat16 ? bfloatToFloat(x) : halfToFloat(x);
    right[lane] = BFloat16 ? bfloatToFloat(y) : halfToFloat(y);
  }
  return compare(instr.x, left, right);
}

void setBoth(Warp &warp, const Instr &instr, Mask lanes, Mask value) {
  Mask first = combine(warp, instr, value),
       second = combine(warp, instr, ~value);
  warp.setPredicate(instr.d, lanes, first);
  warp.setPredicate(instr.e, lanes, second);
}

template <class T>
void setPredicate(Warp &warp, const Instr &instr, Mask lanes) {
  setBoth(warp, instr, lanes, outcome<T>(warp, instr));
}

template <bool BFloat16>
void setPredicateHalf(Warp &warp, const Instr &instr, Mask lanes) {
  setBoth(warp, instr, lanes, halfOutcome<BFloat16, 1, 0>(warp, instr));
}

// Of pairs, the first predicate is that of the low half.
template <bool BFloat16>
void setPredicatePair(Warp &warp, const Instr &instr, Mask lanes) {
  Mask low = halfOutcome<BFloat16, 2, 0>(warp, instr);
  Mask high = halfOutcome<BFloat16, 2, 1>(warp, instr);
  low = combine(warp, instr, low), high = combine(warp, instr, high);
  warp.setPredicate(instr.d, lanes, low);
  warp.setPredicate(instr.e, lanes, high);
}

template <template <class> class Holder> Handler forTypes(Type type) {
  switch (type) {
  case Type::F32:
    return Holder<float>::run;
  case Type::F64:
    return Holder<double>::run;
  default:
    return forInteger(type, [](auto value) -> Handler {
      return Holder<decltype(value)>::run;
    });
  }
}

template <class T> struct SetPredicate {
  static constexpr Handler run = setPredicate<T>;
};

// `setp.lt.and.f32 p|q, a, b, c`; what comes of the modifiers and of a, b, c.
Type decodeComparison(Decoder &decoder, bool isSet) {
  Instr &instr = decoder.instr;
  int comparison = decoder.takeOneOf(kNames, -1);
  if (comparison < 0)
    decoder.fail("a comparison is missing");
  instr.x = uint8_t(comparison);
  instr.y = uint8_t(decoder.takeOneOf({"and", "or", "xor"}, -1) + 1);
  instr.u = decoder.take("ftz");
  if (isSet)
    return Type::None;
  return decoder.takeType();
}

void decodeInputs(Decoder &decoder, Type type) {
  Instr &instr = decoder.instr;
  instr.a = decoder.source(1, type);
  instr.b = decoder.source(2, type);
  if (instr.y == kAlone)
    return decoder.expectCount(3, 3);
  decoder.expectCount(4, 4);
  bool negated;
  instr.c = decoder.predicate(decoder.operand(3), negated);
  instr.z = negated;
}

// .lo and so on compare without signs.
Type comparedAs(const Instr &instr, Type type) {
  if (instr.x < kLo || instr.x > kHs || !isSigned(type))
    return type;
  return bitsOf(type) == 16   ? Type::U16
         : bitsOf(type) == 32 ? Type::U32
                              : Type::U64;
}

void decodeSetp(Decoder &decoder) {
  Type type = decodeComparison(decoder, false);
  const Operand &d = decoder.operand(0);
  if (d.kind == Operand::Pair) {
    decoder.instr.d = decoder.target(d.parts[0], Type::Pred);
    decoder.instr.e = decoder.target(d.parts[1], Type::Pred);
  } else {
    decoder.instr.d = decoder.target(d, Type::Pred);
  }
  decodeInputs(decoder, type);
  switch (type) {
  case Type::F16:
    decoder.instr.run = setPredicateHalf<false>;
    break;
  case Type::BF16:
    decoder.instr.run = setPredicateHalf<true>;
    break;
  case Type::F16x2:
    decoder.instr.run = setPredicatePair<false>;
    break;
  case Type::BF16x2:
    decoder.instr.run = setPredicatePair<true>;
    break;
  default:
    setHandler(decoder,
               forTypes<SetPredicate>(comparedAs(decoder.instr, type)));
  }
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// set: all bits or one, or 1.0, in a register

void store(Warp &warp, const Instr &instr, Mask lanes, Mask value, Mask high,
           Type type) {
  forLanes(lanes, [&](unsigned lane) {
    bool holds = value >> lane & 1;
    uint32_t bits = 0;
    switch (type) {
    case Type::F32:
      bits = holds ? 0x3f800000 : 0;
      break;
    case Type::F16x2:
      bits = (holds ? 0x3c00u : 0) | (high >> lane & 1 ? 0x3c000000u : 0);
      break;
    case Type::BF16x2:
      bits = (holds ? 0x3f80u : 0) | (high >> lane & 1 ? 0x3f800000u : 0);
      break;
    case Type::F16:
      warp.out<uint16_t>(instr.d)[lane] = holds ? 0x3c00 : 0;
      return;
    case Type::BF16:
      warp.out<uint16_t>(instr.d)[lane] = holds ? 0x3f80 : 0;
      return;
    case Type::U16:
      warp.out<uint16_t>(instr.d)[lane] = holds ? 0xffff : 0;
      return;
    case Type::B32: // pairs compared into masks
      bits = (holds ? 0xffffu : 0) | (high >> lane & 1 ? 0xffff0000u : 0);
      break;
    default:
      bits = holds ? UINT32_MAX : 0;
    }
    warp.out<uint32_t>(instr.d)[lane] = bits;
  });
}

template <class T> void setValue(Warp &warp, const Instr &instr, Mask lanes) {
  Mask value = combine(warp, instr, outcome<T>(warp, instr));
  store(warp, instr, lanes, value, value, Type(instr.imm));
}

template <bool BFloat16, unsigned Parts>
void setValueHalf(Warp &warp, const Instr &instr, Mask lanes) {
  Mask low = combine(warp, instr, halfOutcome<BFloat16, Parts, 0>(warp, instr));
  Mask high = combine(warp, instr,
                      halfOutcome<BFloat16, Parts, Parts - 1>(warp, instr));
  store(warp, instr, lanes, low, high, Type(instr.imm));
}

template <class T> struct SetValue {
  static constexpr Handler run = setValue<T>;
};

void decodeSet(Decoder &decoder) {
  decodeComparison(decoder, true);
  Type to = decoder.takeType(), type = decoder.takeType();
  decoder.instr.d = decoder.target(0, to);
  decodeInputs(decoder, type);
  bool pair = type == Type::F16x2 || type == Type::BF16x2;
  if (!isFloat(to))
    to = pair ? Type::B32 : bitsOf(to) == 16 ? Type::U16 : Type::U32;
  decoder.instr.imm = int64_t(to);
  if (type == Type::F16)
    decoder.instr.run = setValueHalf<false, 1>;
  else if (type == Type::BF16)
    decoder.instr.run = setValueHalf<true, 1>;
  else if (type == Type::F16x2)
    decoder.instr.run = setValueHalf<false, 2>;
  else if (type == Type::BF16x2)
    decoder.instr.run = setValueHalf<true, 2>;
  else
    setHandler(decoder, forTypes<SetValue>(comparedAs(decoder.instr, type)));
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// Selections

template <class T> void select(Warp &warp, const Instr &instr, Mask lanes) {
  T *d = warp.out<T>(instr.d);
  const T *a = warp.in<T>(instr.a), *b = warp.in<T>(instr.b);
  Mask chosen = *warp.in<Mask>(instr.c);
  chosen = instr.z ? ~chosen : chosen;
  forLanes(lanes, [=](unsigned lane) {
    d[lane] = chosen >> lane & 1 ? a[lane] : b[lane];
  });
}

Handler selectHandler(Type type) {
  return bitsOf(type) == 64   ? select<uint64_t>
         : bitsOf(type) == 16 ? select<uint16_t>
                              : select<uint32_t>;
}

void decodeSelp(Decoder &decoder) {
  Type type = decoder.takeType();
  decoder.expectCount(4, 4);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  bool negated;
  decoder.instr.c = decoder.predicate(decoder.operand(3), negated);
  decoder.instr.z = negated;
  decoder.instr.run = selectHandler(type);
  decoder.emit();
}

// By the sign of c.
template <class T, class C>
void selectBySign(Warp &warp, const Instr &instr, Mask lanes) {
  T *d = warp.out<T>(instr.d);
  const T *a = warp.in<T>(instr.a), *b = warp.in<T>(instr.b);
  const C *c = warp.in<C>(instr.c);
  bool flushes = instr.u;
  forLanes(lanes, [=](unsigned lane) {
    C value = c[lane];
    if constexpr (std::is_same_v<C, float>)
      value = flushes ? flush(value) : value;
    d[lane] = value >= 0 ? a[lane] : b[lane];
  });
}

void decodeSlct(Decoder &decoder) {
  decoder.instr.u = decoder.take("ftz");
  Type type = decoder.takeType(), by = decoder.takeType();
  decoder.expectCount(4, 4);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.b = decoder.source(2, type);
  decoder.instr.c = decoder.source(3, by);
  bool single = by == Type::F32;
  switch (bitsOf(type)) {
  case 16:
    decoder.instr.run = single ? selectBySign<uint16_t, float>
                               : selectBySign<uint16_t, int32_t>;
    break;
  case 32:
    decoder.instr.run = single ? selectBySign<uint32_t, float>
                               : selectBySign<uint32_t, int32_t>;
    break;
  default:
    decoder.instr.run = single ? selectBySign<uint64_t, float>
                               : selectBySign<uint64_t, int32_t>;
  }
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::compareTable() {
  return {{"setp", decodeSetp},
          {"set", decodeSet},
          {"selp", decodeSelp},
          {"slct", decodeSlct}};
}
