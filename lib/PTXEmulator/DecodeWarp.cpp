//===- DecodeWarp.cpp - Lanes that talk to each other ---------------------===//

#include "Handlers.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

enum ShuffleMode : uint8_t { kUp, kDown, kButterfly, kIndex };

// x: mode; `target`: the predicate's register, if y.
void shuffle(Warp &warp, const Instr &instr, Mask lanes) {
  uint32_t source[kLanes];
  memcpy(source, warp.in<uint32_t>(instr.a), sizeof source);
  const uint32_t *b = warp.in<uint32_t>(instr.b),
                 *c = warp.in<uint32_t>(instr.c);
  uint32_t *d = warp.out<uint32_t>(instr.d);
  Mask inRange = 0;
  uint32_t result[kLanes];
  forLanes(lanes, [&](unsigned lane) {
    uint32_t step = b[lane] & 31, clamp = c[lane] & 31,
             segment = c[lane] >> 8 & 31;
    uint32_t least = lane & segment, most = least | (clamp & ~segment);
    uint32_t from = 0;
    bool holds = false;
    switch (instr.x) {
    case kUp:
      from = lane - step;
      holds = int32_t(from) >= int32_t(most);
      break;
    case kDown:
      from = lane + step;
      holds = from <= most;
      break;
    case kButterfly:
      from = lane ^ step;
      holds = from <= most;
      break;
    default:
      from = least | (step & ~segment);
      holds = from <= most;
    }
    from = holds ? from : lane;
    if (!(lanes >> from & 1))
      warp.fail(FaultKind::BadBarrier,
                "takes a value of lane " + std::to_string(from) +
                    ", which does not take part",
                int(lane));
    result[lane] = source[from];
    inRange |= Mask(holds) << lane;
  });
  forLanes(lanes, [&](unsigned lane) { d[lane] = result[lane]; });
  if (instr.y)
    warp.setPredicate(int32_t(instr.target), lanes, inRange);
}

void wantSync(Decoder &decoder) {
  if (!decoder.take("sync"))
    decoder.fail("only the form with '.sync' is supported");
}

void decodeShuffle(Decoder &decoder) {
  wantSync(decoder);
  int mode = decoder.takeOneOf({"up", "down", "bfly", "idx"}, -1);
  if (mode < 0)
    decoder.fail("a mode is missing");
  decoder.instr.x = uint8_t(mode);
  decoder.takeType();
  decoder.expectCount(5, 5);
  const Operand &d = decoder.operand(0);
  bool pair = d.kind == Operand::Pair;
  decoder.instr.d = decoder.target(pair ? d.parts[0] : d, Type::B32);
  decoder.instr.y = pair;
  if (pair)
    decoder.instr.target = uint32_t(decoder.target(d.parts[1], Type::Pred));
  decoder.instr.a = decoder.source(1, Type::B32);
  decoder.instr.b = decoder.source(2, Type::U32);
  decoder.instr.c = decoder.source(3, Type::U32);
  decoder.instr.e = decoder.source(4, Type::B32);
  decoder.instr.kind = Kind::WarpSync;
  decoder.instr.run = shuffle;
  decoder.emit();
}

enum VoteMode : uint8_t { kAll, kAny, kUniform, kBallot };

// x: mode, y: negates.
void vote(Warp &warp, const Instr &instr, Mask lanes) {
  Mask value = *warp.in<Mask>(instr.a);
  value = (instr.y ? ~value : value) & lanes;
  if (instr.x == kBallot) {
    forLanes(lanes,
             [&](unsigned lane) { warp.out<uint32_t>(instr.d)[lane] = value; });
    return;
  }
  bool holds = instr.x == kAll   ? value == lanes
               : instr.x == kAny ? value != 0
                                 : value == lanes || value == 0;
  warp.setPredicate(instr.d, lanes, holds ? kAllLanes : 0);
}

void decodeVote(Decoder &decoder) {
  wantSync(decoder);
  int mode = decoder.takeOneOf({"all", "any", "uni", "ballot"}, -1);
  if (mode < 0)
    decoder.fail("a mode is missing");
  decoder.instr.x = uint8_t(mode);
  Type type = decoder.takeType();
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, type);
  bool negated;
  decoder.instr.a = decoder.predicate(decoder.operand(1), negated);
  decoder.instr.y = negated;
  decoder.instr.e = decoder.source(2, Type::B32);
  decoder.instr.kind = Kind::WarpSync;
  decoder.instr.run = vote;
  decoder.emit();
}

// x: all lanes have to agree, y: there is a predicate.
template <class T> void match(Warp &warp, const Instr &instr, Mask lanes) {
  const T *a = warp.in<T>(instr.a);
  uint32_t *d = warp.out<uint32_t>(instr.d);
  Mask agree[kLanes];
  forLanes(lanes, [&](unsigned lane) {
    agree[lane] = 0;
    for (Mask left = lanes; left; left &= left - 1)
      if (a[std::countr_zero(left)] == a[lane])
        agree[lane] |= left & -left;
  });
  Mask first = agree[std::countr_zero(lanes)];
  forLanes(lanes, [&](unsigned lane) {
    d[lane] = instr.x ? (first == lanes ? lanes : 0) : agree[lane];
  });
  if (instr.y)
    warp.setPredicate(int32_t(instr.target), lanes,
                      first == lanes ? kAllLanes : 0);
}

void decodeMatch(Decoder &decoder) {
  decoder.instr.x = decoder.take("all");
  if (!decoder.instr.x && !decoder.take("any"))
    decoder.fail("a mode is missing");
  wantSync(decoder);
  Type type = decoder.takeType();
  decoder.expectCount(3, 3);
  const Operand &d = decoder.operand(0);
  bool pair = d.kind == Operand::Pair;
  decoder.instr.d = decoder.target(pair ? d.parts[0] : d, Type::B32);
  decoder.instr.y = pair;
  if (pair)
    decoder.instr.target = uint32_t(decoder.target(d.parts[1], Type::Pred));
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.e = decoder.source(2, Type::B32);
  decoder.instr.kind = Kind::WarpSync;
  decoder.instr.run = bitsOf(type) == 64 ? match<uint64_t> : match<uint32_t>;
  decoder.emit();
}

template <auto Op, class T>
void reduce(Warp &warp, const Instr &instr, Mask lanes) {
  const T *a = warp.in<T>(instr.a);
  T *d = warp.out<T>(instr.d);
  T result = a[std::countr_zero(lanes)];
  for (Mask left = lanes & (lanes - 1); left; left &= left - 1)
    result = T(Op(result, a[std::countr_zero(left)]));
  forLanes(lanes, [=](unsigned lane) { d[lane] = result; });
}

Handler reduceHandler(int operation, bool sign) {
  using U = uint32_t;
  using S = int32_t;
  switch (operation) {
  case 0:
    return reduce<[](U a, U b) { return a + b; }, U>;
  case 1:
    return sign ? reduce<[](S a, S b) { return std::min(a, b); }, S>
                : Handler(reduce<[](U a, U b) { return std::min(a, b); }, U>);
  case 2:
    return sign ? reduce<[](S a, S b) { return std::max(a, b); }, S>
                : Handler(reduce<[](U a, U b) { return std::max(a, b); }, U>);
  case 3:
    return reduce<[](U a, U b) { return a & b; }, U>;
  case 4:
    return reduce<[](U a, U b) { return a | b; }, U>;
  default:
    return reduce<[](U a, U b) { return a ^ b; }, U>;
  }
}

void decodeRedux(Decoder &decoder) {
  wantSync(decoder);
  int operation =
      decoder.takeOneOf({"add", "min", "max", "and", "or", "xor"}, -1);
  if (operation < 0)
    decoder.fail("an operation is missing");
  Type type = decoder.takeType();
  if (isFloat(type))
    decoder.fail("this type is not supported");
  decoder.expectCount(3, 3);
  decoder.instr.d = decoder.target(0, type);
  decoder.instr.a = decoder.source(1, type);
  decoder.instr.e = decoder.source(2, Type::B32);
  decoder.instr.kind = Kind::WarpSync;
  decoder.instr.run = reduceHandler(operation, isSigned(type));
  decoder.emit();
}

void activeMask(Warp &warp, const Instr &instr, Mask lanes) {
  uint32_t *d = warp.out<uint32_t>(instr.d);
  forLanes(lanes, [=](unsigned lane) { d[lane] = lanes; });
}

void decodeActiveMask(Decoder &decoder) {
  decoder.takeType();
  decoder.expectCount(1, 1);
  decoder.instr.d = decoder.target(0, Type::B32);
  decoder.instr.run = activeMask;
  decoder.emit();
}

// The lowest lane.
void elect(Warp &warp, const Instr &instr, Mask lanes) {
  uint32_t leader = uint32_t(std::countr_zero(lanes));
  forLanes(lanes,
           [&](unsigned lane) { warp.out<uint32_t>(instr.d)[lane] = leader; });
  warp.setPredicate(int32_t(instr.target), lanes, Mask(1) << leader);
}

void decodeElect(Decoder &decoder) {
  wantSync(decoder);
  decoder.expectCount(2, 2);
  const Operand &d = decoder.operand(0);
  if (d.kind != Operand::Pair)
    decoder.fail("wants a register and a predicate, d|p");
  decoder.instr.d = decoder.target(d.parts[0], Type::B32);
  decoder.instr.target = uint32_t(decoder.target(d.parts[1], Type::Pred));
  decoder.instr.e = decoder.source(1, Type::B32);
  decoder.instr.kind = Kind::WarpSync;
  decoder.instr.run = elect;
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::warpTable() {
  return {{"shfl", decodeShuffle},          {"vote", decodeVote},
          {"match", decodeMatch},           {"redux", decodeRedux},
          {"activemask", decodeActiveMask}, {"elect", decodeElect}};
}
