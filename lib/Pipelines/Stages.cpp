//===- Stages.cpp - From stage to stage, with dumps -----------------------===//

#include "mlir/IR/Verifier.h"
#include "weft/Codegen/CPU/Target.h"
#include "weft/Conversion/DispatchToHost.h"
#include "weft/Pipelines/Pipelines.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace weft;

static constexpr llvm::StringLiteral stageNames[] = {
    "import", "tensor", "dispatch", "kernel", "host", "object"};

llvm::StringRef weft::getStageName(Stage stage) {
  return stageNames[static_cast<unsigned>(stage)];
}

std::optional<Stage> weft::getStage(llvm::StringRef name) {
  for (auto [number, stageName] : llvm::enumerate(stageNames))
    if (stageName == name)
      return static_cast<Stage>(number);
  return std::nullopt;
}

/// Writes `module` to its file in the folder of dumps.
static LogicalResult dumpStage(ModuleOp module, Stage stage,
                               const PipelineOptions &options) {
  if (options.dumpStages.empty())
    return success();
  llvm::SmallString<128> path(options.dumpStages);
  std::error_code error = llvm::sys::fs::create_directories(path);
  llvm::sys::path::append(path, llvm::Twine(static_cast<int>(stage) + 1) + "-" +
                                    getStageName(stage) + ".mlir");
  if (!error) {
    llvm::raw_fd_ostream os(path, error);
    if (!error) {
      module->print(os, OpPrintingFlags().enableDebugInfo());
      os << "\n";
    }
  }
  if (error)
    return module.emitError("can't write '")
           << path << "': " << error.message();
  return success();
}

/// Notes in the IR what later stages are to know of the machine.
static LogicalResult describeMachine(ModuleOp module,
                                     const PipelineOptions &options) {
  if (module->hasAttr("weft.cpu"))
    return success();
  auto processor = describeProcessor(options.target);
  if (!processor)
    return module.emitError(llvm::toString(processor.takeError()));
  cpu::TargetDescription description;
  description.vectorBytes = processor->vectorBytes;
  description.vectorRegisters = processor->vectorRegisters;
  if (processor->l1Bytes)
    description.l1Bytes = processor->l1Bytes;
  if (processor->l2Bytes)
    description.l2Bytes = processor->l2Bytes;
  if (processor->cores)
    description.cores = processor->cores;
  description.set(module);
  return success();
}

static void limitSizes(ModuleOp module, const PipelineOptions &options) {
  if (options.dims.empty())
    return;
  Builder builder(module.getContext());
  NamedAttrList ranges;
  for (const auto &[name, range] : options.dims)
    ranges.set(name, builder.getDenseI64ArrayAttr({range.first, range.second}));
  module->setAttr(kDimRangesAttr, ranges.getDictionary(module.getContext()));
}

LogicalResult weft::runStages(ModuleOp module, Stage from, Stage to,
                              const PipelineOptions &options) {
  limitSizes(module, options);
  if (failed(describeMachine(module, options)) ||
      failed(dumpStage(module, from, options)))
    return failure();
  for (int next = static_cast<int>(from) + 1; next <= static_cast<int>(to);
       ++next) {
    auto stage = static_cast<Stage>(next);
    PassManager pm(module.getContext(), ModuleOp::getOperationName());
    pm.enableVerifier(options.verifyEach);
    addPassesTo(stage, pm, options);
    if (failed(pm.run(module)))
      return failure();
    // The verifier says why.
    if (failed(verify(module)))
      return failure();
    if (failed(dumpStage(module, stage, options)))
      return failure();
  }
  return success();
}
