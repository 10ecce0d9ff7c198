//===- TensorCopy.cpp - Tiles of tensors, to and from shared memory -------===//

#include "AsyncCopy.h"
#include "DecodeAsync.h"
#include "Number.h"

#include "weft/PTXEmulator/TensorMap.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

enum class Direction : uint8_t { Load, Store, Reduce };

struct TensorCopy {
  Direction direction = Direction::Load;
  uint32_t rank = 0;
  AddressOperand shared, barrier, map;
  std::vector<int32_t> coordinates;
  int32_t mask = kNoOperand;
};

/// One copy of one lane.
struct Tile {
  TensorMapArguments map;
  int64_t at[5] = {};
  uint32_t shared = 0;
  unsigned lane = 0;
  AsyncIdentity identity;

  uint32_t count(uint32_t dim) const {
    return dim < map.rank ? (map.box[dim] + map.elementStride[dim] - 1) /
                                map.elementStride[dim]
                          : 1;
  }
  uint32_t rowBytes() const { return map.box[0] * uint32_t(bytesOf(map.type)); }
  uint32_t bytes() const {
    uint32_t all = rowBytes();
    for (uint32_t dim = 1; dim < map.rank; ++dim)
      all *= count(dim);
    return all;
  }
};

uint32_t swizzle(uint32_t address, Swizzle kind) {
  uint32_t mask = (1u << uint32_t(kind)) - 1;
  return address ^ (address >> 7 & mask) << 4;
}

// What stands for elements outside the tensor.
void fill(uint8_t *to, uint32_t bytes, const TensorMapArguments &map) {
  memset(to, 0, bytes);
  if (map.fill == OutOfBoundsFill::Zeros)
    return;
  size_t element = bytesOf(map.type);
  uint64_t nan = element == 8                       ? 0x7ff8000000000000
                 : element == 4                     ? 0x7fffffff
                 : map.type == TensorType::BFloat16 ? 0x7fc0
                                                    : 0x7fff;
  for (uint32_t i = 0; i < bytes; i += element)
    memcpy(to + i, &nan, element);
}

/// Calls `body` with each run of bytes that is contiguous in shared memory: its
/// address there, the address in the tensor, and how many of its bytes lie
/// before, inside and behind the tensor.
struct Run {
  uint32_t shared;
  uint64_t global;
  uint32_t before, inside, behind;
};

template <class Body>
void forRow(const Tile &tile, uint32_t row, uint64_t global, bool outside,
            Body body) {
  auto element = uint32_t(bytesOf(tile.map.type));
  uint32_t bytes = tile.rowBytes();
  int64_t size = int64_t(tile.map.size[0]) * element;
  int64_t begin = tile.at[0] * element;
  for (uint32_t x = 0; x < bytes; x += 16) {
    uint32_t run = std::min(16u, bytes - x);
    int64_t first = begin + x;
    int64_t low = std::clamp<int64_t>(-first, 0, run);
    int64_t high = std::clamp<int64_t>(size - first, low, run);
    if (outside)
      low = high = 0;
    body(Run{swizzle(tile.shared + row + x, tile.map.swizzle),
             global + uint64_t(first), uint32_t(low), uint32_t(high - low),
             uint32_t(run - high)});
  }
}

template <class Body> void forRuns(const Tile &tile, Body body) {
  uint32_t index[5] = {};
  uint32_t rows = tile.bytes() / tile.rowBytes();
  for (uint32_t row = 0; row < rows; ++row) {
    uint64_t global = reinterpret_cast<uint64_t>(tile.map.address);
    bool outside = false;
    for (uint32_t dim = 1; dim < tile.map.rank; ++dim) {
      int64_t at =
          tile.at[dim] + int64_t(index[dim]) * tile.map.elementStride[dim];
      outside |= at < 0 || at >= int64_t(tile.map.size[dim]);
      global += uint64_t(at) * tile.map.stride[dim - 1];
    }
    forRow(tile, row * tile.rowBytes(), global, outside, body);
    for (uint32_t dim = 1; dim < tile.map.rank; ++dim) {
      if (++index[dim] < tile.count(dim))
        break;
      index[dim] = 0;
    }
  }
}

void load(Warp &warp, const Tile &tile) {
  auto element = unsigned(bytesOf(tile.map.type));
  forRuns(tile, [&](const Run &run) {
    uint32_t all = run.before + run.inside + run.behind;
    uint8_t *to = accessMemory(warp, run.shared, all,
                               asyncAccess(Access::Write, Space::Shared,
                                           tile.lane, tile.identity, 16));
    fill(to, all, tile.map);
    if (run.inside)
      memcpy(to + run.before,
             accessMemory(warp, run.global + run.before, run.inside,
                          asyncAccess(Access::Read, Space::Global, tile.lane,
                                      tile.identity, element)),
             run.inside);
    markLanded(warp, run.shared, all);
  });
}

void reduceRun(uint8_t *to, const uint8_t *from, uint32_t bytes,
               TensorType type) {
  size_t element = bytesOf(type);
  for (uint32_t i = 0; i < bytes; i += element) {
    uint64_t a = 0, b = 0, sum = 0;
    memcpy(&a, to + i, element);
    memcpy(&b, from + i, element);
    if (type == TensorType::Float16 || type == TensorType::BFloat16) {
      const Format &format = type == TensorType::Float16 ? kHalf : kBFloat;
      sum = toFormat(fromFormat(uint32_t(a), format) +
                         fromFormat(uint32_t(b), format),
                     format, Rounding::Nearest);
    } else if (type == TensorType::Float32) {
      sum = std::bit_cast<uint32_t>(std::bit_cast<float>(uint32_t(a)) +
                                    std::bit_cast<float>(uint32_t(b)));
    } else if (type == TensorType::Float64) {
      sum = std::bit_cast<uint64_t>(std::bit_cast<double>(a) +
                                    std::bit_cast<double>(b));
    } else {
      sum = a + b;
    }
    memcpy(to + i, &sum, element);
  }
}

void store(Warp &warp, const Tile &tile, bool reduces) {
  auto element = unsigned(bytesOf(tile.map.type));
  forRuns(tile, [&](const Run &run) {
    uint32_t all = run.before + run.inside + run.behind;
    const uint8_t *from = accessMemory(
        warp, run.shared, all,
        asyncAccess(Access::Read, Space::Shared, tile.lane, tile.identity, 16));
    if (!run.inside)
      return;
    uint8_t *to = accessMemory(
        warp, run.global + run.before, run.inside,
        asyncAccess(reduces ? Access::Atomic : Access::Write, Space::Global,
                    tile.lane, tile.identity, element));
    if (reduces)
      reduceRun(to, from + run.before, run.inside, tile.map.type);
    else
      memcpy(to, from + run.before, run.inside);
  });
}

//===----------------------------------------------------------------------===//
// Issue

Tile prepare(Warp &warp, const TensorCopy &how, unsigned lane) {
  Tile tile;
  tile.lane = lane;
  uint64_t address = how.map.at(warp, lane);
  AccessInfo info;
  info.space = how.map.space;
  info.lane = lane;
  info.align = 64;
  TensorMap map;
  memcpy(map.bytes, accessMemory(warp, address, sizeof map, info), sizeof map);
  if (!decode(map, tile.map))
    warp.fail(FaultKind::BadDescriptor, "there is no tensor map at the address",
              int(lane));
  if (tile.map.rank != how.rank)
    warp.fail(FaultKind::BadDescriptor,
              "the tensor map has " + std::to_string(tile.map.rank) +
                  " dimensions instead of " + std::to_string(how.rank),
              int(lane));
  if (tile.map.interleave != Interleave::None)
    warp.fail(FaultKind::Unsupported, "interleaved layouts", int(lane));
  if (tile.map.elementStride[0] != 1)
    warp.fail(FaultKind::Unsupported,
              "a stride between elements of the first dimension", int(lane));
  for (size_t i = 0; i < how.coordinates.size(); ++i)
    tile.at[i] = warp.in<int32_t>(how.coordinates[i])[lane];
  tile.shared =
      sharedAddress(warp, how.shared.space, how.shared.at(warp, lane), lane);
  if (tile.shared % 128)
    warp.fail(FaultKind::Misaligned,
              "a tile lies at a multiple of 128 in shared memory", int(lane));
  return tile;
}

void issueLoad(Warp &warp, const Instr &instr, const TensorCopy &how,
               const Tile &tile) {
  Mbarrier barrier(warp, how.barrier.space, how.barrier.at(warp, tile.lane),
                   tile.lane);
  forTargets(warp, how.mask, tile.shared, barrier, tile.lane,
             [&](uint32_t target, Mbarrier at) {
               Tile own = tile;
               own.shared = target;
               own.identity = startAsync(warp);
               markInFlight(warp, target, own.bytes());
               addToBarrier(warp, at.rank, at.offset,
                            [own, at, &warp, &instr]() mutable {
                              IssuedBy issued(warp, instr);
                              load(warp, own);
                              at.complete(own.bytes(), own.identity.agent,
                                          own.identity.clock);
                            });
             });
}

void copyTensor(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &how = *static_cast<const TensorCopy *>(instr.detail);
  for (; lanes; lanes &= lanes - 1) {
    Tile tile = prepare(warp, how, unsigned(std::countr_zero(lanes)));
    warp.cluster->counters.bulkBytes += tile.bytes();
    if (how.direction == Direction::Load) {
      issueLoad(warp, instr, how, tile);
      continue;
    }
    checkProxy(warp, tile.shared, tile.bytes(), tile.lane);
    tile.identity = startAsync(warp);
    bool reduces = how.direction == Direction::Reduce;
    addToGroup(warp, warp.bulk, tile.lane, tile.identity,
               [tile, reduces, &warp, &instr] {
                 IssuedBy issued(warp, instr);
                 store(warp, tile, reduces);
               });
  }
  ++warp.cluster->progress;
}

void nothing(Warp &, const Instr &, Mask) {}

// [map, {coordinates}]
void takeMap(Decoder &decoder, const Operand &operand, TensorCopy &how) {
  if (operand.kind != Operand::Address || operand.parts.size() != 2 ||
      operand.parts[1].kind != Operand::Vector ||
      operand.parts[1].parts.size() != how.rank)
    decoder.fail("wants [map, {" + std::to_string(how.rank) + " coordinates}]");
  how.map = decodeAddress(decoder, operand, Space::Generic);
  for (const Operand &part : operand.parts[1].parts)
    how.coordinates.push_back(decoder.source(part, Type::B32));
}

uint32_t takeRank(Decoder &decoder) {
  for (uint32_t rank = 1; rank <= 5; ++rank)
    if (decoder.take(std::to_string(rank) + "d"))
      return rank;
  decoder.fail("the number of dimensions is missing");
}

} // namespace

void weft::ptx::decodeTensorCopy(Decoder &decoder) {
  TensorCopy how;
  decoder.program.usesAsyncProxy = true;
  bool prefetch = decoder.take("prefetch");
  bool reduces = decoder.take("add");
  how.rank = takeRank(decoder);
  if (prefetch) {
    while (!decoder.next().empty())
      decoder.takeNext();
    decoder.instr.run = nothing;
    return;
  }
  std::string_view target = decoder.takeNext();
  decoder.takeNext();
  bool loads = target.starts_with("shared");
  how.direction = loads     ? Direction::Load
                  : reduces ? Direction::Reduce
                            : Direction::Store;
  decoder.take("tile");
  decoder.take("mbarrier::complete_tx::bytes");
  decoder.take("bulk_group");
  bool multicast = decoder.take("multicast::cluster");
  bool policy = decoder.take("L2::cache_hint");
  size_t next = 2;
  if (loads) {
    how.shared = decodeAddress(decoder, decoder.operand(0), Space::Shared);
    takeMap(decoder, decoder.operand(1), how);
    how.barrier =
        decodeAddress(decoder, decoder.operand(next++), Space::Shared);
  } else {
    takeMap(decoder, decoder.operand(0), how);
    how.shared = decodeAddress(decoder, decoder.operand(1), Space::Shared);
  }
  if (multicast)
    how.mask = decoder.source(next++, Type::B16);
  decoder.expectCount(next + policy, next + policy);
  decoder.instr.detail = decoder.addDetail(how);
  decoder.instr.run = copyTensor;
}
