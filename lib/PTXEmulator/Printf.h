//===- Printf.h - What kernels say --------------------------------*- C++
//-*-===//

#ifndef WEFT_PTXEMULATOR_PRINTF_H
#define WEFT_PTXEMULATOR_PRINTF_H

#include "Machine.h"

namespace weft::ptx {

/// Handlers of calls of vprintf and of __assertfail.
void printFormatted(Warp &warp, const Instr &instr, Mask lanes);
[[noreturn]] void failAssertion(Warp &warp, const Instr &instr, Mask lanes);

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_PRINTF_H
