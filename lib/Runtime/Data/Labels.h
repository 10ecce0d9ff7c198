//===- Labels.h - Which arrays and columns are labels ---------------------===//

#ifndef WEFT_LIB_RUNTIME_DATA_LABELS_H
#define WEFT_LIB_RUNTIME_DATA_LABELS_H

#include <string>

namespace weft::data {

/// Whether labels are called like this: "y", "labels", "target_train"...
bool isLabelName(std::string name);

} // namespace weft::data

#endif // WEFT_LIB_RUNTIME_DATA_LABELS_H
