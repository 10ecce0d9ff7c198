//===- Registration.h - All conversions, for tools ------------------------===//

#ifndef WEFT_CONVERSION_REGISTRATION_H
#define WEFT_CONVERSION_REGISTRATION_H

#include "weft/Conversion/DispatchToHost.h"
#include "weft/Conversion/HostToLLVM.h"
#include "weft/Conversion/ONNXToWeft.h"
#include "weft/Conversion/WeftToDispatch.h"

namespace weft {
#define GEN_PASS_REGISTRATION
#include "weft/Conversion/Passes.h.inc"
} // namespace weft

#endif // WEFT_CONVERSION_REGISTRATION_H
