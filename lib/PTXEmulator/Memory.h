//===- Memory.h - Allocations of the pretended device -------------*- C++
//-*-===//

#ifndef WEFT_PTXEMULATOR_MEMORY_H
#define WEFT_PTXEMULATOR_MEMORY_H

#include "weft/PTXEmulator/Emulator.h"

#include <deque>
#include <shared_mutex>

namespace weft::ptx {

/// One live allocation. `written` holds one byte per byte: 1 if it was written.
struct Allocation {
  uint64_t begin = 0, end = 0;
  uint8_t *written = nullptr;
  void *host = nullptr;
  /// What it is, for messages.
  std::string label;
  bool isVariable = false;
};

struct Memory::Impl {
  ~Impl();
  void *allocate(size_t bytes, size_t align, const std::string &variable);
  bool free(void *pointer);
  /// Null if `address` lies in no live allocation. Takes the lock.
  const Allocation *find(uint64_t address) const;
  /// What lies around an address that should not have been used.
  std::string describe(uint64_t address) const;

  mutable std::shared_mutex mutex;
  std::map<uint64_t, Allocation> live;
  size_t used = 0;
  /// The allocations freed last, for messages.
  std::deque<std::pair<uint64_t, uint64_t>> freed;
};

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_MEMORY_H
