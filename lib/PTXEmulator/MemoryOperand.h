//===- MemoryOperand.h - Addresses of instructions ----------------*- C++
//-*-===//

#ifndef WEFT_PTXEMULATOR_MEMORYOPERAND_H
#define WEFT_PTXEMULATOR_MEMORYOPERAND_H

#include "Handlers.h"

namespace weft::ptx {

/// The address that `Decoder::address` decoded, of one lane.
inline uint64_t addressAt(const Warp &warp, const Instr &instr, unsigned lane) {
  uint64_t base = instr.y == 8   ? warp.in<uint64_t>(instr.a)[lane]
                  : instr.y == 4 ? warp.in<uint32_t>(instr.a)[lane]
                                 : 0;
  return base + uint64_t(instr.imm);
}

/// An address that an instruction has besides its first.
struct AddressOperand {
  int32_t base = kNoOperand;
  uint8_t bytes = 0;
  int64_t displacement = 0;
  Space space = Space::Generic;

  uint64_t at(const Warp &warp, unsigned lane) const {
    uint64_t address = bytes == 8   ? warp.in<uint64_t>(base)[lane]
                       : bytes == 4 ? warp.in<uint32_t>(base)[lane]
                                    : 0;
    return address + uint64_t(displacement);
  }
};

/// Decodes such an address; `instr` is left as it is.
inline AddressOperand decodeAddress(Decoder &decoder, const Operand &operand,
                                    Space space) {
  Instr kept = decoder.instr;
  AddressOperand result;
  result.space = decoder.address(operand, space);
  result.base = decoder.instr.a;
  result.bytes = decoder.instr.y;
  result.displacement = decoder.instr.imm;
  decoder.instr = kept;
  return result;
}

Space takeMemorySpace(Decoder &decoder);

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_MEMORYOPERAND_H
