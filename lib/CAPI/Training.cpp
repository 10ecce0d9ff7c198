//===- Training.cpp - What training needs besides a program ---------------===//

#include "Tensors.h"
#include "weft-c/compiler.h"
#include "weft/Import/Import.h"
#include "weft/Training/Parameters.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cstring>

using namespace mlir;
using namespace weft;

static llvm::json::Array describeChoices(func::FuncOp main,
                                         const TrainingOptions &options) {
  llvm::json::Array choices;
  for (const ParameterChoice &choice : chooseParameters(main, options)) {
    std::string type;
    llvm::raw_string_ostream(type) << choice.constant->getResult(0).getType();
    choices.push_back(llvm::json::Object{{"name", choice.name},
                                         {"type", type},
                                         {"trained", choice.isTrained},
                                         {"reason", choice.reason}});
  }
  return choices;
}

extern "C" weft_outcome weft_inspect_trainable(const char *path,
                                               const char *settings,
                                               char **json, char **message) {
  *json = nullptr;
  CompileSession session(nullptr);
  llvm::Expected<TrainingOptions> options =
      TrainingOptions::parse(settings ? settings : "");
  if (!options) {
    (void)session.fail(Problem::Option, options.takeError());
    return session.finish(true, message);
  }
  session.readFile(path);
  func::FuncOp main;
  if (session.module)
    main = session.module->lookupSymbol<func::FuncOp>("main");
  if (main) {
    llvm::json::Value choices(describeChoices(main, *options));
    *json = strdup(llvm::formatv("{0:2}", choices).str().c_str());
  }
  return session.finish(!main, message);
}

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
