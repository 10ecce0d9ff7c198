//===- MovementEval.cpp ---===//

#include "weft/Dialect/Weft/IR/WeftDialect.h"
