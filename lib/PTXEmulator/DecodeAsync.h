//===- DecodeAsync.h - What kinds of copies share -----------------*- C++
//-*-===//

#ifndef WEFT_PTXEMULATOR_DECODEASYNC_H
#define WEFT_PTXEMULATOR_DECODEASYNC_H

#include "Mbarrier.h"
#include "MemoryOperand.h"

namespace weft::ptx {

/// `cp.async.bulk.tensor`, behind these words; emits nothing.
void decodeTensorCopy(Decoder &decoder);

/// `st.async`, behind these words.
void decodeRemoteStore(Decoder &decoder);

/// Calls `body` with the address and the mbarrier of each block that a copy
/// goes to: those of the mask's register, or just the given ones.
void forTargets(Warp &warp, int32_t mask, uint32_t to, const Mbarrier &barrier,
                unsigned lane,
                const std::function<void(uint32_t, Mbarrier)> &body);

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_DECODEASYNC_H
