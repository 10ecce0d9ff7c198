//===- Device.h - Code for GPUs -------------------------------------------===//

#ifndef WEFT_TARGET_DEVICE_H
#define WEFT_TARGET_DEVICE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace weft {

/// What GPU to compile for, and with what.
struct DeviceOptions {
  std::string arch = "sm_80"; ///< "sm_" and a number, perhaps with "a"
  std::string toolkit;        ///< folder; empty: the usual ones are tried
  bool tf32 = false;          ///< products of f32 may round operands to tf32
  /// `pack-from` of the pass that generates kernels; none: its default.
  std::optional<int64_t> packFrom;
};

/// PTX of a module in the LLVM and NVVM dialects. Functions of libdevice are
/// linked in; it is an error if there are any and libdevice is not found.
llvm::Expected<std::string> emitPTX(mlir::ModuleOp device,
                                    const DeviceOptions &options);

/// What the driver loads: a fatbin with `ptx` and its machine code, where the
/// toolkit is found, else `ptx` with a zero byte.
llvm::Expected<std::string> makeDeviceImage(llvm::StringRef ptx,
                                            const DeviceOptions &options);

} // namespace weft

#endif // WEFT_TARGET_DEVICE_H
