//===- Random.h - Random numbers by counting ------------------------------===//
//
// A stream of random numbers is a function of what it is for: nothing is
// carried from one use to the next, so that any number of threads, and a run
// that goes on after a stop, see the same numbers.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_DATA_RANDOM_H
#define WEFT_RUNTIME_DATA_RANDOM_H

#include <array>
#include <cstdint>
#include <vector>

namespace weft::data {

/// One block of Philox 4x32 with ten rounds.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter,
                               std::array<uint32_t, 2> key);

/// The numbers of one purpose, epoch and item.
class Random {
public:
  enum Purpose : uint8_t { Order = 1, Augment = 2, Split = 3, Step = 4 };

  /// `item` below 2^56.
  Random(uint64_t seed, Purpose purpose, uint32_t epoch, uint64_t item);

  uint32_t next();
  uint64_t next64();
  /// Uniform in [0, bound), for a bound above 0.
  uint64_t below(uint64_t bound);
  /// Uniform in [0, 1).
  float uniform();

private:
  std::array<uint32_t, 2> key;
  std::array<uint32_t, 4> counter;
  std::array<uint32_t, 4> block = {};
  int used = 4;
};

/// Shuffles `items` in place; the order depends on the state of `random`.
void shuffle(std::vector<int64_t> &items, Random random);

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_RANDOM_H
