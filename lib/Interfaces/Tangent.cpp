//===- Tangent.cpp - The arithmetic of gradients --------------------------===//

#include "weft/Interfaces/Tangent.h"

using namespace mlir;
using namespace weft;

const TangentInterface &TangentInterface::get(MLIRContext *context) {
  for (Dialect *dialect : context->getLoadedDialects())
    if (auto *found = dialect->getRegisteredInterface<TangentInterface>())
      return *found;
  llvm_unreachable("no language with gradients is loaded");
}
