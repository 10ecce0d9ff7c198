//===- Mbarrier.h - Barriers in shared memory ---------------------*- C++
//-*-===//

#ifndef WEFT_PTXEMULATOR_MBARRIER_H
#define WEFT_PTXEMULATOR_MBARRIER_H

#include "Machine.h"

namespace weft::ptx {

/// An mbarrier of the cluster, named by its shared address with the rank of its
/// block. Operations fault if there is none, and let the phase end when nothing
/// is outstanding.
class Mbarrier {
public:
  /// `address` as instructions of `warp` give it, in `space` (Shared or
  /// Generic).
  Mbarrier(Warp &warp, Space space, uint64_t address, unsigned lane);
  /// At an offset in the shared memory of a block.
  Mbarrier(Warp &warp, uint32_t rank, uint32_t offset, unsigned lane);

  void init(uint32_t count);
  void invalidate();
  /// Returns the state before.
  uint64_t arrive(uint32_t count, bool drop = false);
  /// Raises what is pending, for copies that arrive themselves.
  void raise(uint32_t count);
  void expect(int64_t bytes);
  /// `agent` and `clock` say which asynchronous operation has ended.
  void complete(int64_t bytes, uint32_t agent, uint32_t clock);
  /// Whether the phase with this parity has ended; whoever asks knows then what
  /// those knew that arrived.
  bool passed(uint32_t parity);
  static uint32_t parityOf(uint64_t state) { return uint32_t(state >> 62 & 1); }
  static uint32_t pendingOf(uint64_t state) { return state & 0xfffff; }

  uint32_t rank = 0, offset = 0;
  uint32_t key() const { return (rank + 1) << kRankShift | offset; }

private:
  uint64_t *word();
  void settle(uint64_t *word);

  Warp &warp;
  unsigned lane;
};

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_MBARRIER_H
