//===- Random.cpp - Random numbers by counting ----------------------------===//

#include "weft/Runtime/Data/Random.h"
#include <cstddef>
#include <utility>

using namespace weft::data;

std::array<uint32_t, 4> weft::data::philox(std::array<uint32_t, 4> counter,
                                           std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t left = uint64_t(0xD2511F53) * counter[0];
    uint64_t right = uint64_t(0xCD9E8D57) * counter[2];
    counter = {static_cast<uint32_t>(right >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(right),
               static_cast<uint32_t>(left >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(left)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

Random::Random(uint64_t seed, Purpose purpose, uint32_t epoch, uint64_t item)
    : key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      counter{0, static_cast<uint32_t>(item),
              static_cast<uint32_t>(item >> 32) ^ uint32_t(purpose) << 24,
              epoch} {}

uint32_t Random::next() {
  if (used == 4) {
    block = philox(counter, key);
    ++counter[0];
    used = 0;
  }
  return block[used++];
}

uint64_t Random::next64() {
  uint64_t low = next();
  return low | uint64_t(next()) << 32;
}

uint64_t Random::below(uint64_t bound) {
  // What lies above the last whole multiple of the bound is thrown away.
  uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  uint64_t value = next64();
  while (value >= limit)
    value = next64();
  return value % bound;
}

float Random::uniform() { return (next() >> 8) * 0x1p-24f; }

void weft::data::shuffle(std::vector<int64_t> &items, Random random) {
  for (std::size_t left = items.size(); left > 1; --left)
    std::swap(items[left - 1], items[random.below(left)]);
}
