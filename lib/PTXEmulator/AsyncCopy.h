//===- AsyncCopy.h - Copies that land later -----------------------*- C++
//-*-===//

#ifndef WEFT_PTXEMULATOR_ASYNCCOPY_H
#define WEFT_PTXEMULATOR_ASYNCCOPY_H

#include "Mbarrier.h"

namespace weft::ptx {

/// Who does an asynchronous operation, for the order of accesses.
struct AsyncIdentity {
  uint32_t agent = 0, clock = 0;
};

/// Begins one for a warp; all zero unless races are looked for.
AsyncIdentity startAsync(Warp &warp);

/// It has ended, and the warp knows.
void endOperation(Warp &warp, const AsyncIdentity &identity);

/// What an access of a copy engine looks like.
AccessInfo asyncAccess(Access access, Space space, unsigned lane,
                       const AsyncIdentity &identity, unsigned align);

/// Runs `land`, or keeps it until the lane's groups are waited for.
void addToGroup(Warp &warp, CopyGroups &groups, unsigned lane,
                const AsyncIdentity &identity, std::function<void()> land);
void commitGroup(CopyGroups &groups, Mask lanes);
/// Waits until at most `left` committed groups are outstanding; with `all`,
/// also for what was not committed.
void waitForGroups(Warp &warp, CopyGroups &groups, Mask lanes, uint32_t left,
                   bool all);

/// Runs `land`, or keeps it until somebody waits for the mbarrier.
void addToBarrier(Warp &warp, uint32_t rank, uint32_t barrier,
                  std::function<void()> land);

/// Marks bytes of shared memory as what a copy has yet to write, if copies are
/// late. `address` has its block's rank.
void markInFlight(Warp &warp, uint32_t address, uint32_t bytes);
/// Marks bytes that a copy has written.
void markLanded(Warp &warp, uint32_t address, uint32_t bytes);

/// Faults if the asynchronous proxy would read what was written through the
/// generic one with no proxy fence after it.
void checkProxy(Warp &warp, uint32_t address, uint32_t bytes, unsigned lane);

/// The address with the rank of its block, whatever its space.
uint32_t sharedAddress(Warp &warp, Space space, uint64_t address,
                       unsigned lane);

/// While it lives, faults name the instruction that issued an operation.
class IssuedBy {
public:
  IssuedBy(Warp &warp, const Instr &instr) : warp(warp), before(warp.current) {
    warp.current = &instr;
  }
  ~IssuedBy() { warp.current = before; }

private:
  Warp &warp;
  const Instr *before;
};

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_ASYNCCOPY_H
