//===- Training.cpp - What training needs besides a program ---------------===//

#include "Tensors.h"
#include "weft-c/compiler.h"
#include "weft/Dialect/ONNX/IR/Node.h"
#include "weft/Import/Import.h"
#include "weft/Training/Algorithm.h"
#include "weft/Training/ExportAlgorithm.h"
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

//===----------------------------------------------------------------------===//
// Training that a model brings along
//===----------------------------------------------------------------------===//

/// What the function `main` of a model's training assigns to initializers.
static llvm::json::Array describeUpdates(func::FuncOp main) {
  llvm::json::Array updates;
  for (unsigned i : llvm::seq(main.getNumResults())) {
    DictionaryAttr attrs = main.getResultAttrDict(i);
    auto value = attrs ? attrs.getAs<StringAttr>("weft.updates") : StringAttr();
    if (!value)
      continue;
    updates.push_back(llvm::json::Object{
        {"name", attrs.getAs<StringAttr>("weft.name").getValue()},
        {"role", attrs.getAs<StringAttr>("weft.role").getValue()},
        {"value", value.getValue()}});
  }
  return updates;
}

static llvm::json::Object describeIteration(func::FuncOp main,
                                            const TrainingOptions &options) {
  llvm::json::Object result;
  result["updates"] = describeUpdates(main);
  std::string why;
  if (Value loss = findAlgorithmLoss(main, options, why))
    result["loss"] = onnx::getValueName(loss);
  llvm::json::Array inputs;
  for (unsigned i : llvm::seq(main.getNumArguments())) {
    DictionaryAttr attrs = main.getArgAttrDict(i);
    auto name = attrs.getAs<StringAttr>("weft.name").getValue();
    if (!attrs.getAs<StringAttr>("weft.role")) {
      inputs.push_back(name);
      continue;
    }
    llvm::json::Object rate{{"name", name}};
    if (auto number = attrs.getAs<FloatAttr>("weft.default"))
      rate["default"] = number.getValueAsDouble();
    result["rate"] = std::move(rate);
  }
  result["inputs"] = std::move(inputs);
  return result;
}

FailureOr<llvm::json::Value> weft::describeOwnTraining(CompileSession &session,
                                                       StringRef path,
                                                       StringRef settings) {
  auto attr = (*session.module)->getAttrOfType<DictionaryAttr>("weft.onnx");
  auto count = attr ? attr.getAs<IntegerAttr>("training_info") : IntegerAttr();
  if (!count)
    return llvm::json::Value(nullptr);
  llvm::Expected<TrainingOptions> options = TrainingOptions::parse(settings);
  if (!options)
    return session.fail(Problem::Option, options.takeError());
  ImportOptions import;
  import.part = ModelPart::Training;
  OwningOpRef<ModuleOp> training = importFile(session.context, path, import);
  if (!training)
    return failure();
  import.part = ModelPart::Initialization;
  OwningOpRef<ModuleOp> initial = importFile(session.context, path, import);
  if (!initial)
    return failure();
  llvm::json::Object result =
      describeIteration(training->lookupSymbol<func::FuncOp>("main"), *options);
  result["algorithms"] = count.getInt();
  llvm::json::Array initialized;
  auto main = initial->lookupSymbol<func::FuncOp>("main");
  for (unsigned i : llvm::seq(main.getNumResults()))
    initialized.push_back(
        main.getResultAttrOfType<StringAttr>(i, "weft.name").getValue());
  result["initialized"] = std::move(initialized);
  return llvm::json::Value(std::move(result));
}

extern "C" weft_outcome weft_inspect_training(const char *path,
                                              const char *settings, char **json,
                                              char **message) {
  *json = nullptr;
  CompileSession session(nullptr);
  session.readFile(path);
  if (!session.module)
    return session.finish(true, message);
  auto training = describeOwnTraining(session, path,
                                      settings ? settings : "algorithm=true");
  if (failed(training))
    return session.finish(true, message);
  *json = strdup(llvm::formatv("{0:2}", *training).str().c_str());
  return session.finish(false, message);
}

extern "C" weft_outcome weft_export_training(const char *path,
                                             const char *settings, double rate,
                                             const char *output,
                                             char **message) {
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
  if (!main)
    return session.finish(true, message);
  FailureOr<TrainingAlgorithm> algorithm =
      describeAlgorithm(main, *options, rate);
  return session.finish(
      failed(algorithm) ||
          failed(exportTraining(*session.module, *algorithm, output)),
      message);
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
