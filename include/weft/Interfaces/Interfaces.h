//===- Interfaces.h - What passes may ask of ops they do not know ---------===//

#ifndef WEFT_INTERFACES_INTERFACES_H
#define WEFT_INTERFACES_INTERFACES_H

#include "mlir/IR/OpDefinition.h"
#include "weft/Interfaces/Cost.h"
#include "weft/Interfaces/Emitter.h"
#include "weft/Interfaces/Gradient.h"
#include "weft/Interfaces/HostTensor.h"
#include "weft/Interfaces/Sharding.h"

#include "weft/Interfaces/Interfaces.h.inc"

#endif // WEFT_INTERFACES_INTERFACES_H
