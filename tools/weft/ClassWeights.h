//===- ClassWeights.h - What labels of rare and frequent classes count ----===//

#ifndef WEFT_TOOLS_WEFT_CLASSWEIGHTS_H
#define WEFT_TOOLS_WEFT_CLASSWEIGHTS_H

#include "TrainData.h"

namespace weft::tool {

/// Weights, as a setting of a step takes them, by which all classes count alike
/// in sum: of a class with n of the N labels that samples for training have, N
/// / (classes * n), where the classes are those that have labels; 1 of others.
std::string balanceClasses(const std::string &path, const CompileFlags &compile,
                           const StepFlags &step, const DataFlags &data,
                           uint64_t seed);

} // namespace weft::tool

#endif // WEFT_TOOLS_WEFT_CLASSWEIGHTS_H
