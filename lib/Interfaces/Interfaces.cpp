//===- Interfaces.cpp - Op interfaces -------------------------------------===//

#include "weft/Interfaces/Interfaces.h"

#include "weft/Interfaces/Interfaces.cpp.inc"
