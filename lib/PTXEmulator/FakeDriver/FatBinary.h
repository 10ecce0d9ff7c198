//===- FatBinary.h - The PTX in what a driver loads -------------*- C++ -*-===//

#ifndef WEFT_PTXEMULATOR_FAKEDRIVER_FATBINARY_H
#define WEFT_PTXEMULATOR_FAKEDRIVER_FATBINARY_H

#include "CUDA/driver_api.h"
#include <string>

namespace weft::ptx::fake {

/// Finds the PTX that fits sm_`sm` best in `image`: a fatbin, whose machine
/// code is passed over, or PTX by itself. Otherwise fills `reason` and returns
/// the error that a driver gives.
CUresult findPTX(const void *image, int sm, std::string &ptx,
                 std::string &reason);

} // namespace weft::ptx::fake

#endif // WEFT_PTXEMULATOR_FAKEDRIVER_FATBINARY_H
