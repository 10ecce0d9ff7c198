//===- RunData.h - weft run --data ----------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_RUNDATA_H
#define WEFT_TOOLS_WEFT_RUNDATA_H

#include "TrainData.h"

namespace weft::tool {

/// Runs the model in file `path` on the samples of `data`, batch by batch, and
/// writes the outputs of all to `folder`, unless that is empty.
void runData(const std::string &path, CompileFlags compile, DataFlags data,
             const std::string &folder, int threads);

} // namespace weft::tool

#endif // WEFT_TOOLS_WEFT_RUNDATA_H
