//===- Stages.cpp - From stage to stage, with dumps -----------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/Verifier.h"
#include "weft/Codegen/CPU/Target.h"
#include "weft/Codegen/CUDA/Passes.h"
#include "weft/Conversion/DispatchToHost.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Pipelines/Pipelines.h"
#include "weft/Support/DataStore.h"
#include "weft/Support/OutputFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace weft;

static constexpr llvm::StringLiteral stageNames[] = {
    "import", "tensor", "differentiate", "dispatch",
    "kernel", "host",   "object"};

llvm::StringRef weft::getStageName(Stage stage) {
  return stageNames[static_cast<unsigned>(stage)];
}

std::optional<Stage> weft::getStage(llvm::StringRef name) {
  for (auto [number, stageName] : llvm::enumerate(stageNames))
    if (stageName == name)
      return static_cast<Stage>(number);
  return std::nullopt;
}

/// Writes the bytes of memory `name` to a file in `folder`, unless they are
/// there; returns its path.
static llvm::Expected<std::string> storeMemory(StringRef name,
                                               StringRef folder) {
  auto bytes = DataStore::getAll(name);
  if (!bytes)
    return bytes.takeError();
  llvm::SmallString<128> path(folder);
  uint64_t hash = llvm::xxh3_64bits(ArrayRef(
      reinterpret_cast<const uint8_t *>(bytes->data()), bytes->size()));
  llvm::sys::path::append(path, "constants-" + llvm::utohexstr(hash) + ".bin");
  uint64_t size = 0;
  if (!llvm::sys::fs::file_size(path, size) && size == bytes->size())
    return path.str().str();
  if (llvm::Error error = writeWholeFile(path, [&](llvm::raw_ostream &os) {
        os.write(bytes->data(), bytes->size());
        return llvm::Error::success();
      }))
    return error;
  return path.str().str();
}

/// Whether a constant of `module` is in memory.
static bool usesMemory(ModuleOp module) {
  return module
      .walk([](Operation *op) {
        for (NamedAttribute attr : op->getAttrs())
          if (auto data = dyn_cast<ExternAttr>(attr.getValue());
              data && data.getFile().starts_with("memory:"))
            return WalkResult::interrupt();
        return WalkResult::advance();
      })
      .wasInterrupted();
}

/// A copy of `module` without constants in memory.
static llvm::Expected<OwningOpRef<ModuleOp>> storeConstants(ModuleOp module,
                                                            StringRef folder) {
  OwningOpRef<ModuleOp> copy = module.clone();
  llvm::Error failed = llvm::Error::success();
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](ExternAttr data) -> std::optional<Attribute> {
    if (!data.getFile().starts_with("memory:") || failed)
      return std::nullopt;
    auto path = storeMemory(data.getFile(), folder);
    if (!path) {
      failed = llvm::joinErrors(std::move(failed), path.takeError());
      return std::nullopt;
    }
    return ExternAttr::get(module.getContext(), data.getType(), *path,
                           data.getOffset(), data.getSize(), data.getPacked());
  });
  replacer.recursivelyReplaceElementsIn(*copy);
  if (failed)
    return failed;
  return copy;
}

llvm::Error weft::writeStage(ModuleOp module, StringRef path) {
  OwningOpRef<ModuleOp> copy;
  if (path != "-" && usesMemory(module)) {
    auto stored = storeConstants(module, llvm::sys::path::parent_path(path));
    if (!stored)
      return stored.takeError();
    copy = std::move(*stored);
  }
  return writeWholeFile(path, [&](llvm::raw_ostream &os) {
    (copy ? *copy : module).print(os, OpPrintingFlags().enableDebugInfo());
    os << "\n";
    return llvm::Error::success();
  });
}

/// Writes `module` to its file in the folder of dumps.
static LogicalResult dumpStage(ModuleOp module, Stage stage,
                               const PipelineOptions &options) {
  if (options.dumpStages.empty())
    return success();
  llvm::SmallString<128> path(options.dumpStages);
  if (std::error_code error = llvm::sys::fs::create_directories(path))
    return module.emitError("WFT3002: can't create the folder '")
           << path << "': " << error.message();
  llvm::sys::path::append(path, llvm::Twine(static_cast<int>(stage) + 1) + "-" +
                                    getStageName(stage) + ".mlir");
  if (llvm::Error error = writeStage(module, path))
    return module.emitError("WFT3002: ") << llvm::toString(std::move(error));
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

/// The names of the symbolic sizes of the inputs of `main`. One without a name
/// is called after its input, as in the program.
static std::vector<std::string> getSymbols(func::FuncOp main) {
  std::vector<std::string> names;
  for (unsigned i : llvm::seq(main.getNumArguments())) {
    auto type = dyn_cast<RankedTensorType>(main.getArgumentTypes()[i]);
    auto input = main.getArgAttrOfType<StringAttr>(i, "weft.name");
    auto dims = main.getArgAttrOfType<ArrayAttr>(i, "weft.dims");
    for (unsigned dim : llvm::seq<unsigned>(0, type ? type.getRank() : 0)) {
      if (!type.isDynamicDim(dim))
        continue;
      std::string name;
      if (dims && dim < dims.size())
        name = cast<StringAttr>(dims[dim]).str();
      if (name.empty())
        name = (input ? input.str() : "input" + std::to_string(i)) + "." +
               std::to_string(dim);
      if (!llvm::is_contained(names, name))
        names.push_back(name);
    }
  }
  return names;
}

/// Notes the limits of sizes in the IR.
static LogicalResult limitSizes(ModuleOp module,
                                const PipelineOptions &options) {
  if (options.dims.empty())
    return success();
  auto main = module.lookupSymbol<func::FuncOp>("main");
  std::vector<std::string> known;
  if (main)
    known = getSymbols(main);
  Builder builder(module.getContext());
  NamedAttrList ranges;
  for (const auto &[name, range] : options.dims) {
    if (!llvm::is_contained(known, name))
      return module.emitError("WFT6001: the model has no symbolic size '")
             << name << "'"
             << (known.empty()
                     ? ""
                     : "; it has '" + llvm::join(known, "', '") + "'");
    ranges.set(name, builder.getDenseI64ArrayAttr({range.first, range.second}));
  }
  module->setAttr(kDimRangesAttr, ranges.getDictionary(module.getContext()));
  return success();
}

llvm::Expected<std::string> weft::makePTX(ModuleOp module,
                                          const PipelineOptions &options) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  addDevicePasses(pm);
  if (failed(pm.run(module)))
    return llvm::createStringError("device code can't be lowered");
  auto device = module.lookupSymbol<ModuleOp>(kDeviceModule);
  if (!device)
    return llvm::createStringError("the program has no code for a GPU");
  return emitPTX(device, *options.device);
}

LogicalResult weft::runStages(ModuleOp module, Stage from, Stage to,
                              const PipelineOptions &options) {
  if (from < Stage::Host && failed(limitSizes(module, options)))
    return failure();
  if (failed(describeMachine(module, options)) ||
      failed(dumpStage(module, from, options)))
    return failure();
  for (int next = static_cast<int>(from) + 1; next <= static_cast<int>(to);
       ++next) {
    auto stage = static_cast<Stage>(next);
    options.tell(getStageName(stage));
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
