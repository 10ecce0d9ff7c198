//===- DecodeMbarrier.cpp - mbarrier.* ------------------------------------===//

#include "Mbarrier.h"
#include "MemoryOperand.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

// z: the space. b: a count.
Mbarrier barrierOf(Warp &warp, const Instr &instr, unsigned lane) {
  return Mbarrier(warp, Space(instr.z), addressAt(warp, instr, lane), lane);
}

void init(Warp &warp, const Instr &instr, Mask lanes) {
  const uint32_t *counts = warp.in<uint32_t>(instr.b);
  forLanes(lanes, [&](unsigned lane) {
    barrierOf(warp, instr, lane).init(counts[lane]);
  });
}

void invalidate(Warp &warp, const Instr &instr, Mask lanes) {
  forLanes(lanes,
           [&](unsigned lane) { barrierOf(warp, instr, lane).invalidate(); });
}

// x: 1 drops, 2 expects bytes (c) first.
void arrive(Warp &warp, const Instr &instr, Mask lanes) {
  const uint32_t *counts = warp.in<uint32_t>(instr.b);
  forLanes(lanes, [&](unsigned lane) {
    Mbarrier barrier = barrierOf(warp, instr, lane);
    if (instr.x & 2)
      barrier.expect(warp.in<uint32_t>(instr.c)[lane]);
    uint64_t state = barrier.arrive(counts[lane], instr.x & 1);
    if (instr.d != kNoOperand)
      warp.out<uint64_t>(instr.d)[lane] = state;
  });
}

// x: expects rather than completes.
void transact(Warp &warp, const Instr &instr, Mask lanes) {
  const uint32_t *bytes = warp.in<uint32_t>(instr.b);
  forLanes(lanes, [&](unsigned lane) {
    Mbarrier barrier = barrierOf(warp, instr, lane);
    barrier.expect(instr.x ? int64_t(bytes[lane]) : -int64_t(bytes[lane]));
  });
}

// u: b is a parity rather than a state.
void wait(Warp &warp, const Instr &instr, Mask lanes) {
  Mask passed = 0;
  Cluster &cluster = *warp.cluster;
  forLanes(lanes, [&](unsigned lane) {
    Mbarrier barrier = barrierOf(warp, instr, lane);
    uint32_t parity =
        instr.u ? warp.in<uint32_t>(instr.b)[lane]
                : Mbarrier::parityOf(warp.in<uint64_t>(instr.b)[lane]);
    if (barrier.passed(parity))
      passed |= Mask(1) << lane;
    else if (std::find(cluster.polled.begin(), cluster.polled.end(),
                       barrier.key()) == cluster.polled.end())
      cluster.polled.push_back(barrier.key());
  });
  warp.setPredicate(instr.d, lanes, passed);
  warp.wait = passed == 0;
}

void pendingCount(Warp &warp, const Instr &instr, Mask lanes) {
  forLanes(lanes, [&](unsigned lane) {
    warp.out<uint32_t>(instr.d)[lane] =
        Mbarrier::pendingOf(warp.in<uint64_t>(instr.a)[lane]);
  });
}

void takeScope(Decoder &decoder) {
  for (std::string_view part :
       {"release", "acquire", "relaxed", "cta", "cluster", "b64"})
    decoder.take(part);
}

// The address at an operand; the space goes to z.
void takeAddress(Decoder &decoder, size_t index) {
  Space space = takeMemorySpace(decoder);
  if (space != Space::Shared && space != Space::Generic)
    decoder.fail("an mbarrier is in shared memory");
  decoder.instr.z = uint8_t(decoder.address(decoder.operand(index), space));
}

void decodeArrive(Decoder &decoder) {
  Instr &instr = decoder.instr;
  bool drop = decoder.take("arrive_drop");
  decoder.take("arrive");
  bool expects = decoder.take("expect_tx");
  decoder.take("noComplete");
  takeScope(decoder);
  instr.x = uint8_t(drop | expects << 1);
  bool hasState = decoder.operand(0).kind != Operand::Address;
  size_t next = hasState;
  if (hasState && decoder.operand(0).kind != Operand::Sink)
    instr.d = decoder.target(0, Type::B64);
  takeAddress(decoder, next++);
  instr.b = decoder.constant(1, 32);
  if (expects)
    instr.c = decoder.source(next++, Type::B32);
  else if (next < decoder.count())
    instr.b = decoder.source(next++, Type::B32);
  decoder.expectCount(next, next);
  instr.run = arrive;
}

void decodeWait(Decoder &decoder) {
  Instr &instr = decoder.instr;
  instr.u = decoder.take("parity");
  takeScope(decoder);
  // The last operand of try_wait is a hint for how long.
  decoder.expectCount(3, 4);
  instr.d = decoder.target(0, Type::Pred);
  takeAddress(decoder, 1);
  instr.b = decoder.source(2, instr.u ? Type::B32 : Type::B64);
  instr.kind = Kind::Poll;
  instr.x = 1;
  instr.run = wait;
}

void decodeMbarrier(Decoder &decoder) {
  Instr &instr = decoder.instr;
  if (decoder.take("init")) {
    takeScope(decoder);
    decoder.expectCount(2, 2);
    takeAddress(decoder, 0);
    instr.b = decoder.source(1, Type::B32);
    instr.run = init;
  } else if (decoder.take("inval")) {
    takeScope(decoder);
    decoder.expectCount(1, 1);
    takeAddress(decoder, 0);
    instr.run = invalidate;
  } else if (decoder.next() == "arrive" || decoder.next() == "arrive_drop") {
    decodeArrive(decoder);
  } else if (decoder.next() == "expect_tx" || decoder.next() == "complete_tx") {
    instr.x = decoder.takeNext() == "expect_tx";
    takeScope(decoder);
    decoder.expectCount(2, 2);
    takeAddress(decoder, 0);
    instr.b = decoder.source(1, Type::B32);
    instr.run = transact;
  } else if (decoder.take("test_wait") || decoder.take("try_wait")) {
    decodeWait(decoder);
  } else if (decoder.take("pending_count")) {
    takeScope(decoder);
    decoder.expectCount(2, 2);
    instr.d = decoder.target(0, Type::B32);
    instr.a = decoder.source(1, Type::B64);
    instr.run = pendingCount;
  } else {
    decoder.fail("this form is not supported");
  }
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::mbarrierTable() {
  return {{"mbarrier", decodeMbarrier}};
}
