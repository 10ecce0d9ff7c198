//===- DecodeAsync.cpp - cp.async and bulk copies -------------------------===//

#include "DecodeAsync.h"
#include "AsyncCopy.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

//===----------------------------------------------------------------------===//
// cp.async: a few bytes for each lane

struct SmallCopy {
  AddressOperand to, from;
  uint32_t bytes;
  /// How many bytes are read, the rest being zero; or a predicate that says
  /// that none is.
  int32_t sourceBytes = kNoOperand, ignore = kNoOperand;
};

void countCopy(Warp &warp, const SmallCopy &how, Mask lanes) {
  if (warp.cluster->lines.empty())
    return;
  uint64_t to[kLanes], from[kLanes];
  forLanes(lanes, [&](unsigned lane) {
    to[lane] = how.to.at(warp, lane);
    from[lane] = how.from.at(warp, lane);
  });
  countShared(warp, to, lanes, how.bytes);
  countGlobal(warp, from, lanes, how.bytes);
}

void landSmall(Warp &warp, const SmallCopy &how, uint32_t to, uint64_t from,
               uint32_t bytes, unsigned lane, const AsyncIdentity &identity) {
  uint8_t *target = accessMemory(
      warp, to, how.bytes,
      asyncAccess(Access::Write, Space::Shared, lane, identity, how.bytes));
  if (bytes) {
    const uint8_t *source = accessMemory(
        warp, from, bytes,
        asyncAccess(Access::Read, Space::Global, lane, identity, how.bytes));
    memcpy(target, source, bytes);
  }
  memset(target + bytes, 0, how.bytes - bytes);
  markLanded(warp, to, how.bytes);
}

void copySmall(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const SmallCopy *>(instr.detail);
  countCopy(warp, how, lanes);
  AsyncIdentity identity = startAsync(warp);
  Mask ignore = how.ignore == kNoOperand ? 0 : *warp.in<Mask>(how.ignore);
  for (Mask left = lanes; left; left &= left - 1) {
    unsigned lane = std::countr_zero(left);
    uint32_t to =
        sharedAddress(warp, how.to.space, how.to.at(warp, lane), lane);
    uint64_t from = how.from.at(warp, lane);
    uint32_t bytes = how.sourceBytes == kNoOperand
                         ? how.bytes
                         : warp.in<uint32_t>(how.sourceBytes)[lane];
    if (ignore >> lane & 1)
      bytes = 0;
    if (bytes > how.bytes)
      warp.fail(FaultKind::IllegalAddress,
                "reads " + std::to_string(bytes) + " bytes of " +
                    std::to_string(how.bytes),
                int(lane));
    addToGroup(warp, warp.copies, lane, identity, [=, &warp, &how, &instr] {
      IssuedBy issued(warp, instr);
      landSmall(warp, how, to, from, bytes, lane, identity);
    });
    markInFlight(warp, to, how.bytes);
  }
  ++warp.cluster->progress;
}

void decodeSmallCopy(Decoder &decoder) {
  SmallCopy how;
  decoder.take("ca");
  decoder.take("cg");
  Space space = takeMemorySpace(decoder);
  decoder.take("global");
  for (std::string_view hint : {"L2::64B", "L2::128B", "L2::256B"})
    decoder.take(hint);
  bool policy = decoder.take("L2::cache_hint");
  how.to = decodeAddress(decoder, decoder.operand(0), space);
  how.from = decodeAddress(decoder, decoder.operand(1), Space::Global);
  how.bytes = uint32_t(decoder.immediate(decoder.operand(2)));
  if (how.bytes != 4 && how.bytes != 8 && how.bytes != 16)
    decoder.fail("copies 4, 8 or 16 bytes, not " + std::to_string(how.bytes));
  size_t end = decoder.count() - policy;
  decoder.expectCount(3, 5);
  if (end > 3) {
    const Operand &extra = decoder.operand(3);
    bool negated = false;
    if (extra.kind == Operand::Register && extra.symbol->type == Type::Pred)
      how.ignore = decoder.predicate(extra, negated);
    else
      how.sourceBytes = decoder.source(extra, Type::B32);
    if (negated)
      decoder.fail("a negated predicate is not supported");
  }
  decoder.instr.detail = decoder.addDetail(how);
  decoder.instr.run = copySmall;
}

void commitSmall(Warp &warp, const Instr &, Mask lanes) {
  commitGroup(warp.copies, lanes);
}

// x: all, also what was not committed.
void waitSmall(Warp &warp, const Instr &instr, Mask lanes) {
  waitForGroups(warp, warp.copies, lanes, uint32_t(instr.imm), instr.x);
}

// Arrives at an mbarrier when the lane's copies have landed. x: the arrival is
// one of those that the barrier was told to expect. z: the space.
void arriveAfterCopies(Warp &warp, const Instr &instr, Mask lanes) {
  for (Mask left = lanes; left; left &= left - 1) {
    unsigned lane = std::countr_zero(left);
    Mbarrier barrier(warp, Space(instr.z), addressAt(warp, instr, lane), lane);
    if (!instr.x)
      barrier.raise(1);
    // All copies so far, and none that follows.
    auto mine = std::make_shared<std::vector<PendingCopy>>();
    std::erase_if(warp.copies.pending, [&](PendingCopy &copy) {
      if (copy.lane != lane)
        return false;
      mine->push_back(std::move(copy));
      return true;
    });
    addToBarrier(warp, barrier.rank, barrier.offset,
                 [mine, barrier, &warp, &instr]() mutable {
                   IssuedBy issued(warp, instr);
                   for (PendingCopy &copy : *mine) {
                     if (copy.land)
                       copy.land();
                     barrier.complete(0, copy.agent, copy.clock);
                   }
                   barrier.arrive(1);
                 });
  }
}

//===----------------------------------------------------------------------===//
// cp.async.bulk: a run of bytes

struct BulkCopy {
  AddressOperand to, from, barrier;
  /// Shared memory is the target; else the source.
  bool load = true;
  /// Both are in shared memory.
  bool within = false;
  int32_t bytes = kNoOperand, mask = kNoOperand;
};

void checkBulk(Warp &warp, uint64_t to, uint64_t from, uint32_t bytes,
               unsigned lane) {
  if (bytes % 16 || to % 16 || from % 16)
    warp.fail(FaultKind::Misaligned,
              "a bulk copy of " + std::to_string(bytes) +
                  " bytes: size and addresses are multiples of 16",
              int(lane));
}

void landBulk(Warp &warp, uint32_t to, uint64_t from, Space fromSpace,
              uint32_t bytes, unsigned lane, const AsyncIdentity &identity) {
  if (!bytes)
    return;
  const uint8_t *source =
      accessMemory(warp, from, bytes,
                   asyncAccess(Access::Read, fromSpace, lane, identity, 16));
  uint8_t *target = accessMemory(
      warp, to, bytes,
      asyncAccess(Access::Write, Space::Shared, lane, identity, 16));
  memmove(target, source, bytes);
  markLanded(warp, to, bytes);
}

void loadBulk(Warp &warp, const Instr &instr, const BulkCopy &how,
              unsigned lane) {
  uint32_t bytes = warp.in<uint32_t>(how.bytes)[lane];
  uint32_t to = sharedAddress(warp, how.to.space, how.to.at(warp, lane), lane);
  uint64_t from = how.from.at(warp, lane);
  Space fromSpace = Space::Global;
  if (how.within) {
    from = sharedAddress(warp, how.from.space, from, lane);
    fromSpace = Space::Shared;
    checkProxy(warp, uint32_t(from), bytes, lane);
  }
  checkBulk(warp, to, from, bytes, lane);
  Mbarrier barrier(warp, how.barrier.space, how.barrier.at(warp, lane), lane);
  forTargets(
      warp, how.mask, to, barrier, lane, [&](uint32_t target, Mbarrier at) {
        AsyncIdentity identity = startAsync(warp);
        markInFlight(warp, target, bytes);
        addToBarrier(warp, at.rank, at.offset, [=, &warp, &instr]() mutable {
          IssuedBy issued(warp, instr);
          landBulk(warp, target, from, fromSpace, bytes, lane, identity);
          at.complete(bytes, identity.agent, identity.clock);
        });
      });
  warp.cluster->counters.bulkBytes += bytes;
}

void storeBulk(Warp &warp, const Instr &instr, const BulkCopy &how,
               unsigned lane) {
  uint32_t bytes = warp.in<uint32_t>(how.bytes)[lane];
  uint64_t to = how.to.at(warp, lane);
  uint32_t from =
      sharedAddress(warp, how.from.space, how.from.at(warp, lane), lane);
  checkBulk(warp, to, from, bytes, lane);
  checkProxy(warp, from, bytes, lane);
  AsyncIdentity identity = startAsync(warp);
  addToGroup(warp, warp.bulk, lane, identity, [=, &warp, &instr] {
    IssuedBy issued(warp, instr);
    if (!bytes)
      return;
    const uint8_t *source = accessMemory(
        warp, from, bytes,
        asyncAccess(Access::Read, Space::Shared, lane, identity, 16));
    uint8_t *target = accessMemory(
        warp, to, bytes,
        asyncAccess(Access::Write, Space::Global, lane, identity, 16));
    memcpy(target, source, bytes);
  });
  warp.cluster->counters.bulkBytes += bytes;
}

void copyBulk(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const BulkCopy *>(instr.detail);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    if (how.load)
      loadBulk(warp, instr, how, lane);
    else
      storeBulk(warp, instr, how, lane);
  }
  ++warp.cluster->progress;
}

void decodeBulkCopy(Decoder &decoder) {
  BulkCopy how;
  decoder.program.usesAsyncProxy = true;
  // The target's space stands first.
  how.load = decoder.next().starts_with("shared");
  std::string_view target = decoder.takeNext(), source = decoder.takeNext();
  if ((target == "global") == (source == "global") &&
      !(source.starts_with("shared") && target.starts_with("shared")))
    decoder.fail("this direction is not supported");
  how.within = source.starts_with("shared") && how.load;
  decoder.take("mbarrier::complete_tx::bytes");
  decoder.take("bulk_group");
  bool multicast = decoder.take("multicast::cluster");
  bool policy = decoder.take("L2::cache_hint");
  how.to = decodeAddress(decoder, decoder.operand(0),
                         how.load ? Space::Shared : Space::Global);
  how.from =
      decodeAddress(decoder, decoder.operand(1),
                    how.load && !how.within ? Space::Global : Space::Shared);
  how.bytes = decoder.source(2, Type::B32);
  size_t next = 3;
  if (how.load)
    how.barrier =
        decodeAddress(decoder, decoder.operand(next++), Space::Shared);
  if (multicast)
    how.mask = decoder.source(next++, Type::B16);
  decoder.expectCount(next + policy, next + policy);
  decoder.instr.detail = decoder.addDetail(how);
  decoder.instr.run = copyBulk;
}

//===----------------------------------------------------------------------===//
// st.async: registers, into the memory of another block

struct RemoteStore {
  AddressOperand to, barrier;
  uint32_t elementBytes = 4;
  std::vector<int32_t> values;
};

void storeRemote(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const RemoteStore *>(instr.detail);
  auto bytes = uint32_t(how.elementBytes * how.values.size());
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    uint32_t to =
        sharedAddress(warp, how.to.space, how.to.at(warp, lane), lane);
    Mbarrier barrier(warp, how.barrier.space, how.barrier.at(warp, lane), lane);
    std::vector<uint8_t> value(bytes);
    for (size_t i = 0; i < how.values.size(); ++i)
      memcpy(value.data() + i * how.elementBytes,
             warp.in<uint8_t>(how.values[i]) + size_t(lane) * how.elementBytes,
             how.elementBytes);
    AsyncIdentity identity = startAsync(warp);
    markInFlight(warp, to, bytes);
    addToBarrier(
        warp, barrier.rank, barrier.offset, [=, &warp, &instr]() mutable {
          IssuedBy issued(warp, instr);
          uint8_t *target = accessMemory(
              warp, to, bytes,
              asyncAccess(Access::Write, Space::Shared, lane, identity, bytes));
          memcpy(target, value.data(), bytes);
          markLanded(warp, to, bytes);
          barrier.complete(bytes, identity.agent, identity.clock);
        });
  }
  ++warp.cluster->progress;
}

void commitBulk(Warp &warp, const Instr &, Mask lanes) {
  commitGroup(warp.bulk, lanes);
}

void waitBulk(Warp &warp, const Instr &instr, Mask lanes) {
  waitForGroups(warp, warp.bulk, lanes, uint32_t(instr.imm), false);
}

void nothing(Warp &, const Instr &, Mask) {}

void decodeBulk(Decoder &decoder) {
  Instr &instr = decoder.instr;
  if (decoder.take("tensor")) {
    decodeTensorCopy(decoder);
  } else if (decoder.take("commit_group")) {
    instr.run = commitBulk;
  } else if (decoder.take("wait_group")) {
    decoder.take("read");
    decoder.expectCount(1, 1);
    instr.imm = decoder.immediate(decoder.operand(0));
    instr.run = waitBulk;
  } else if (decoder.take("prefetch")) {
    while (!decoder.next().empty())
      decoder.takeNext();
    instr.run = nothing;
  } else {
    decodeBulkCopy(decoder);
  }
}

void decodeCopy(Decoder &decoder) {
  Instr &instr = decoder.instr;
  // The decoder of tensor copies sees the operation of a reduction.
  if (decoder.take("reduce") && decoder.next() != "async")
    decoder.fail("'.async' is missing");
  if (!decoder.take("async"))
    decoder.fail("'.async' is missing");
  if (decoder.take("bulk")) {
    decodeBulk(decoder);
  } else if (decoder.take("commit_group")) {
    instr.run = commitSmall;
  } else if (decoder.take("wait_group")) {
    decoder.expectCount(1, 1);
    instr.imm = decoder.immediate(decoder.operand(0));
    instr.run = waitSmall;
  } else if (decoder.take("wait_all")) {
    instr.x = 1;
    instr.run = waitSmall;
  } else if (decoder.take("mbarrier")) {
    decoder.take("arrive");
    instr.x = decoder.take("noinc");
    Space space = takeMemorySpace(decoder);
    decoder.take("b64");
    decoder.expectCount(1, 1);
    instr.z = uint8_t(decoder.address(decoder.operand(0), space));
    instr.run = arriveAfterCopies;
  } else {
    decodeSmallCopy(decoder);
  }
  decoder.emit();
}

} // namespace

void weft::ptx::forTargets(
    Warp &warp, int32_t mask, uint32_t to, const Mbarrier &barrier,
    unsigned lane, const std::function<void(uint32_t, Mbarrier)> &body) {
  if (mask == kNoOperand)
    return body(to, barrier);
  uint32_t ranks = warp.in<uint16_t>(mask)[lane];
  if (ranks >> warp.launch->clusterBlocks)
    warp.fail(FaultKind::IllegalAddress,
              "multicasts to blocks beyond the cluster's " +
                  std::to_string(warp.launch->clusterBlocks),
              int(lane));
  for (; ranks; ranks &= ranks - 1) {
    uint32_t rank = uint32_t(std::countr_zero(ranks));
    body((to & ((1u << kRankShift) - 1)) | (rank + 1) << kRankShift,
         Mbarrier(warp, rank, barrier.offset, lane));
  }
}

void weft::ptx::decodeRemoteStore(Decoder &decoder) {
  RemoteStore how;
  decoder.program.usesAsyncProxy = true;
  decoder.take("weak");
  decoder.take("shared::cluster");
  if (!decoder.take("mbarrier::complete_tx::bytes"))
    decoder.fail("'.mbarrier::complete_tx::bytes' is missing");
  size_t count = decoder.take("v2") ? 2 : decoder.take("v4") ? 4 : 1;
  Type type = decoder.takeType();
  how.elementBytes = bitsOf(type) / 8;
  if (how.elementBytes < 4)
    decoder.fail("this type is not supported");
  decoder.expectCount(3, 3);
  how.to = decodeAddress(decoder, decoder.operand(0), Space::Shared);
  for (const Operand *part : decoder.elements(decoder.operand(1)))
    how.values.push_back(decoder.source(*part, type));
  if (how.values.size() != count)
    decoder.fail("wants " + std::to_string(count) + " registers");
  how.barrier = decodeAddress(decoder, decoder.operand(2), Space::Shared);
  decoder.instr.detail = decoder.addDetail(how);
  decoder.instr.run = storeRemote;
  decoder.emit();
}

DecodeTable weft::ptx::asyncTable() { return {{"cp", decodeCopy}}; }
