//===- CompiledModule.cpp - LLVM IR, optimized, and its machine code ------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "weft/Conversion/HostToLLVM.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Target/Target.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/Threading.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"

using namespace mlir;
using namespace weft;

template <typename... Args>
static llvm::Error makeError(const char *format, const Args &...args) {
  return llvm::createStringError(std::errc::invalid_argument, format, args...);
}

//===----------------------------------------------------------------------===//
// The machine
//===----------------------------------------------------------------------===//

static void initializeTargets() {
  static bool once = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
    return true;
  }();
  (void)once;
}

/// The features of this machine's processor.
static std::string getHostFeatures() {
  llvm::SubtargetFeatures features;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    features.AddFeature(feature.getKey(), feature.getValue());
  return features.getString();
}

llvm::Expected<TargetOptions> weft::resolveTarget(TargetOptions options) {
  initializeTargets();
  std::string host = llvm::sys::getDefaultTargetTriple();
  if (options.triple.empty())
    options.triple = host;
  llvm::Triple triple(options.triple);
  bool isNative = triple.getArch() == llvm::Triple(host).getArch();
  if (options.cpu.empty() || options.cpu == "native") {
    if (!isNative)
      return makeError("'%s' is not this machine: name the processor",
                       options.triple.c_str());
    options.cpu = llvm::sys::getHostCPUName().str();
    options.isHost = true;
    if (options.features.empty())
      options.features = getHostFeatures();
  }
  std::string problem;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, problem);
  if (!target)
    return makeError("no code generator for '%s': %s", options.triple.c_str(),
                     problem.c_str());
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!info->isCPUStringValid(options.cpu))
    return makeError("'%s' has no processor '%s'", options.triple.c_str(),
                     options.cpu.c_str());
  return options;
}

/// The machine of `options`, which are resolved.
static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createMachine(const TargetOptions &options) {
  llvm::Triple triple(options.triple);
  std::string problem;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, problem);
  auto level = options.optLevel == 0   ? llvm::CodeGenOptLevel::None
               : options.optLevel == 1 ? llvm::CodeGenOptLevel::Less
               : options.optLevel == 2 ? llvm::CodeGenOptLevel::Default
                                       : llvm::CodeGenOptLevel::Aggressive;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, options.cpu, options.features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, level));
  if (!machine)
    return makeError("no code generator for '%s'", options.triple.c_str());
  return machine;
}

/// The size of this machine's cache of `level` that holds data, or 0. The
/// kernel knows better than the C library, which on virtual machines may fall
/// back to what processors once had.
static int64_t readCacheSize(int level) {
  for (int index = 0; index < 8; ++index) {
    std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" +
                         std::to_string(index) + "/";
    auto read = [&](const char *name) -> std::string {
      auto buffer = llvm::MemoryBuffer::getFileAsStream(folder + name);
      return buffer ? (*buffer)->getBuffer().trim().str() : "";
    };
    std::string text = read("size");
    llvm::StringRef size = text;
    int64_t number;
    if (read("level") != std::to_string(level) ||
        read("type") == "Instruction" || size.consumeInteger(10, number))
      continue;
    if (size == "K")
      return number << 10;
    if (size == "M")
      return number << 20;
  }
  return 0;
}

llvm::Expected<Processor>
weft::describeProcessor(const TargetOptions &options) {
  auto resolved = resolveTarget(options);
  if (!resolved)
    return resolved.takeError();
  auto machine = createMachine(*resolved);
  if (!machine)
    return machine.takeError();
  const llvm::MCSubtargetInfo &info = *(*machine)->getMCSubtargetInfo();
  Processor processor{16, 16};
  if ((*machine)->getTargetTriple().isAArch64())
    processor.vectorRegisters = 32;
  else if (info.checkFeatures("+avx512f"))
    processor = {64, 32};
  else if (info.checkFeatures("+avx"))
    processor.vectorBytes = 32;
  if (resolved->isHost) {
    processor.l1Bytes = readCacheSize(1);
    processor.l2Bytes = readCacheSize(2);
    processor.cores = llvm::hardware_concurrency().compute_thread_count();
  }
  return processor;
}

//===----------------------------------------------------------------------===//
// LLVM IR
//===----------------------------------------------------------------------===//

static std::vector<ExternalConstant> collectConstants(ModuleOp module) {
  std::vector<ExternalConstant> constants;
  for (auto global : module.getOps<LLVM::GlobalOp>())
    if (auto attr = global->getAttrOfType<ExternAttr>(kExternAttr))
      constants.push_back({global.getSymName().str(), attr.getFile().str(),
                           attr.getOffset(), attr.getSize()});
  return constants;
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine,
                     unsigned optLevel) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = optLevel > 1;
  tuning.SLPVectorization = optLevel > 1;
  tuning.LoopUnrolling = optLevel > 1;
  tuning.LoopInterleaving = optLevel > 1;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  auto level = optLevel == 0   ? llvm::OptimizationLevel::O0
               : optLevel == 1 ? llvm::OptimizationLevel::O1
               : optLevel == 2 ? llvm::OptimizationLevel::O2
                               : llvm::OptimizationLevel::O3;
  llvm::ModulePassManager passes =
      optLevel == 0 ? builder.buildO0DefaultPipeline(level)
                    : builder.buildPerModuleDefaultPipeline(level);
  passes.run(module, modules);
}

static void setAttributes(llvm::Module &module,
                          const llvm::TargetMachine &machine) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    function.addFnAttr("no-trapping-math", "true");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

CompiledModule::CompiledModule() = default;
CompiledModule::CompiledModule(CompiledModule &&) = default;

CompiledModule::~CompiledModule() {
  // The module goes before its context, whatever the order of members.
  llvmModule.reset();
}

llvm::Expected<CompiledModule>
CompiledModule::create(ModuleOp module, const TargetOptions &options) {
  auto resolved = resolveTarget(options);
  if (!resolved)
    return resolved.takeError();
  auto machine = createMachine(*resolved);
  if (!machine)
    return machine.takeError();

  CompiledModule result;
  result.machine = std::move(*machine);
  result.constants = collectConstants(module);
  result.context = std::make_unique<llvm::LLVMContext>();
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  result.llvmModule = translateModuleToLLVMIR(
      module, *result.context, module.getName().value_or("weft"));
  if (!result.llvmModule)
    return makeError("the program can't be translated to LLVM IR");
  result.llvmModule->setTargetTriple(result.machine->getTargetTriple());
  result.llvmModule->setDataLayout(result.machine->createDataLayout());
  setAttributes(*result.llvmModule, *result.machine);
  optimize(*result.llvmModule, *result.machine, resolved->optLevel);
  return result;
}

void CompiledModule::printIR(llvm::raw_ostream &os) const {
  llvmModule->print(os, nullptr);
}

//===----------------------------------------------------------------------===//
// Machine code
//===----------------------------------------------------------------------===//

llvm::Error CompiledModule::emit(llvm::raw_pwrite_stream &os, bool asText) {
  llvm::legacy::PassManager passes;
  auto kind = asText ? llvm::CodeGenFileType::AssemblyFile
                     : llvm::CodeGenFileType::ObjectFile;
  if (machine->addPassesToEmitFile(passes, os, nullptr, kind))
    return makeError("'%s' can't emit %s",
                     machine->getTargetTriple().str().c_str(),
                     asText ? "assembly" : "objects");
  passes.run(*llvmModule);
  return llvm::Error::success();
}

llvm::Error CompiledModule::emitAssembly(llvm::raw_pwrite_stream &os) {
  return emit(os, /*asText=*/true);
}

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
CompiledModule::emitObject() {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream os(bytes);
  if (llvm::Error error = emit(os, /*asText=*/false))
    return error;
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(
      std::move(bytes), "program.o", /*RequiresNullTerminator=*/false);
}
