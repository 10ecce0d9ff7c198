//===- Training.cpp - What training needs besides a program ---------------===//

#include "Tensors.h"
#include "weft-c/compiler.h"
#include "weft/Import/Import.h"
#include "weft/Training/Options.h"
#include <cstring>

using namespace mlir;
using namespace weft;

extern "C" char *weft_describe_training(void) {
  return strdup(TrainingOptions::describe().c_str());
}

extern "C" weft_outcome
weft_export_updated(const char *path, const char *output, int32_t num_updates,
                    const weft_tensor_update *updates, int32_t num_metadata,
                    const char *const *metadata, char **message) {
  CompileSession session(nullptr);
  SmallVector<NamedTensor> changes;
  for (int32_t i = 0; i < num_updates; ++i) {
    auto tensor =
        borrowTensor(session, updates[i].value,
                     "the tensor for '" + Twine(updates[i].name) + "'");
    if (failed(tensor))
      return session.finish(true, message);
    changes.push_back({updates[i].name, *tensor});
  }
  SmallVector<std::pair<std::string, std::string>> properties;
  for (int32_t i = 0; i < num_metadata; ++i)
    properties.push_back({metadata[2 * i], metadata[2 * i + 1]});
  return session.finish(
      failed(exportUpdated(session.context, path, output, changes, properties)),
      message);
}
