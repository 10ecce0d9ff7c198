//===- Device.cpp - PTX, and images that drivers load ---------------------===//

#include "weft/Target/Device.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "weft-rt/program.h"
#include "weft/Codegen/CUDA/Passes.h"
#include "weft/Conversion/HostToLLVM.h"
#include "weft/Target/Passes.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/Internalize.h"

namespace weft {
#define GEN_PASS_DEF_EMBEDDEVICEPASS
#include "weft/Target/Passes.h.inc"
} // namespace weft

extern "C" {
void LLVMInitializeNVPTXTargetInfo();
void LLVMInitializeNVPTXTarget();
void LLVMInitializeNVPTXTargetMC();
void LLVMInitializeNVPTXAsmPrinter();
}

using namespace mlir;
using namespace weft;

template <typename... Args>
static llvm::Error makeError(const char *format, const Args &...args) {
  return llvm::createStringError(std::errc::invalid_argument, format, args...);
}

//===----------------------------------------------------------------------===//
// The toolkit
//===----------------------------------------------------------------------===//

/// The first of the toolkit's folders that has `file`; empty if none has.
static std::string findInToolkit(const DeviceOptions &options, StringRef file) {
  SmallVector<std::string> folders;
  if (!options.toolkit.empty()) {
    folders.push_back(options.toolkit);
  } else {
    for (const char *variable : {"CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"})
      if (auto folder = llvm::sys::Process::GetEnv(variable))
        folders.push_back(*folder);
    folders.push_back("/usr/local/cuda");
  }
  for (const std::string &folder : folders) {
    llvm::SmallString<128> path(folder);
    llvm::sys::path::append(path, file);
    if (llvm::sys::fs::exists(path))
      return path.str().str();
  }
  return "";
}

/// Links those functions of libdevice that `module` calls.
static llvm::Error linkLibdevice(llvm::Module &module,
                                 const DeviceOptions &options) {
  const llvm::Function *missing = nullptr;
  for (const llvm::Function &function : module)
    if (function.isDeclaration() && function.getName().starts_with("__nv_"))
      missing = &function;
  if (!missing)
    return llvm::Error::success();
  std::string path = findInToolkit(options, "nvvm/libdevice/libdevice.10.bc");
  if (path.empty())
    return makeError("'%s' is needed, but libdevice.10.bc is not found: set "
                     "CUDA_HOME to a folder that has it in nvvm/libdevice, as "
                     "the CUDA toolkit does",
                     missing->getName().str().c_str());
  llvm::SMDiagnostic problem;
  std::unique_ptr<llvm::Module> library =
      llvm::parseIRFile(path, problem, module.getContext());
  if (!library)
    return makeError("'%s' can't be read: %s", path.c_str(),
                     problem.getMessage().str().c_str());
  library->setTargetTriple(module.getTargetTriple());
  library->setDataLayout(module.getDataLayout());
  auto internalize = [](llvm::Module &linked, const llvm::StringSet<> &names) {
    llvm::internalizeModule(linked, [&](const llvm::GlobalValue &value) {
      return !value.hasName() || !names.contains(value.getName());
    });
  };
  if (llvm::Linker::linkModules(module, std::move(library),
                                llvm::Linker::LinkOnlyNeeded, internalize))
    return makeError("'%s' can't be linked", path.c_str());
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// PTX
//===----------------------------------------------------------------------===//

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createMachine(StringRef arch) {
  static bool once = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)once;
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string problem;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, problem);
  if (!target)
    return makeError("no code generator for GPUs: %s", problem.c_str());
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!arch.starts_with("sm_") || !info->isCPUStringValid(arch))
    return makeError("there is no GPU architecture '%s': name one such as "
                     "sm_80 or sm_90a",
                     arch.str().c_str());
  // Drivers from CUDA 12.0 on read this version.
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, arch, "+ptx80", llvm::TargetOptions(), std::nullopt, std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return makeError("no code generator for '%s'", arch.str().c_str());
  return machine;
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PassBuilder builder(&machine);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
}

llvm::Expected<std::string> weft::emitPTX(ModuleOp device,
                                          const DeviceOptions &options) {
  auto machine = createMachine(options.arch);
  if (!machine)
    return machine.takeError();
  registerBuiltinDialectTranslation(*device.getContext());
  registerLLVMDialectTranslation(*device.getContext());
  registerNVVMDialectTranslation(*device.getContext());
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module =
      translateModuleToLLVMIR(device, context, "weft_device");
  if (!module)
    return makeError("device code can't be translated to LLVM IR");
  module->setTargetTriple((*machine)->getTargetTriple());
  module->setDataLayout((*machine)->createDataLayout());
  if (llvm::Error error = linkLibdevice(*module, options))
    return error;
  // Denormals are kept, as on the CPU.
  module->addModuleFlag(llvm::Module::Override, "nvvm-reflect-ftz",
                        uint32_t(0));
  optimize(*module, **machine);
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream os(text);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, os, nullptr,
                                      llvm::CodeGenFileType::AssemblyFile))
    return makeError("no assembly for '%s'", options.arch.c_str());
  passes.run(*module);
  return text.str().str();
}

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

namespace {
/// A file that goes when this does.
class ScratchFile {
public:
  explicit ScratchFile(StringRef suffix) {
    error = llvm::sys::fs::createTemporaryFile("weft", suffix, path);
  }
  ~ScratchFile() {
    if (!error)
      llvm::sys::fs::remove(path);
  }
  StringRef name() const { return path; }
  std::error_code error;

private:
  llvm::SmallString<128> path;
};
} // namespace

/// Runs a tool of the toolkit; its messages are part of the error.
static llvm::Error runTool(StringRef tool, ArrayRef<StringRef> args) {
  ScratchFile messages("txt");
  if (messages.error)
    return llvm::errorCodeToError(messages.error);
  SmallVector<StringRef> all{tool};
  llvm::append_range(all, args);
  std::optional<StringRef> redirects[] = {StringRef(), messages.name(),
                                          messages.name()};
  std::string problem;
  int status = llvm::sys::ExecuteAndWait(tool, all, std::nullopt, redirects, 0,
                                         0, &problem);
  if (status == 0)
    return llvm::Error::success();
  if (auto text = llvm::MemoryBuffer::getFile(messages.name()))
    problem += (*text)->getBuffer().str();
  return makeError("'%s' failed: %s", tool.str().c_str(), problem.c_str());
}

llvm::Expected<std::string>
weft::makeDeviceImage(StringRef ptx, const DeviceOptions &options) {
  std::string ptxas = findInToolkit(options, "bin/ptxas");
  std::string fatbinary = findInToolkit(options, "bin/fatbinary");
  if (ptxas.empty() || fatbinary.empty())
    return ptx.str() + '\0';
  ScratchFile text("ptx"), code("cubin"), image("fatbin");
  for (const ScratchFile *file : {&text, &code, &image})
    if (file->error)
      return llvm::errorCodeToError(file->error);
  {
    std::error_code error;
    llvm::raw_fd_ostream os(text.name(), error);
    os << ptx;
    if (error)
      return llvm::errorCodeToError(error);
  }
  if (llvm::Error error = runTool(ptxas, {"-O3", "-arch", options.arch,
                                          text.name(), "-o", code.name()}))
    return error;
  std::string number = StringRef(options.arch).drop_front(3).str();
  std::string create = "--create=" + image.name().str();
  auto entry = [&](const char *kind, StringRef file) {
    return "--image3=kind=" + std::string(kind) + ",sm=" + number +
           ",file=" + file.str();
  };
  std::string elf = entry("elf", code.name()),
              source = entry("ptx", text.name());
  if (llvm::Error error =
          runTool(fatbinary, {create, "-64", "--compress=false", elf, source}))
    return error;
  auto bytes = llvm::MemoryBuffer::getFile(image.name(), /*IsText=*/false,
                                           /*RequiresNullTerminator=*/false);
  if (!bytes)
    return llvm::errorCodeToError(bytes.getError());
  return (*bytes)->getBuffer().str();
}

namespace {
struct EmbedDevice : weft::impl::EmbedDevicePassBase<EmbedDevice> {
  using EmbedDevicePassBase::EmbedDevicePassBase;

  void runOnOperation() override {
    auto device = getOperation().lookupSymbol<ModuleOp>(kDeviceModule);
    if (!device)
      return;
    DeviceOptions options{arch, toolkit};
    auto fail = [&](llvm::Error error) {
      device.emitError("WFT3010: ") << llvm::toString(std::move(error));
      signalPassFailure();
    };
    auto ptx = emitPTX(device, options);
    if (!ptx)
      return fail(ptx.takeError());
    auto image = makeDeviceImage(*ptx, options);
    if (!image)
      return fail(image.takeError());
    if (StringRef(*image).starts_with(*ptx))
      device.emitWarning("WFT3011: ptxas and fatbinary are not found, so the "
                         "program carries PTX alone, which the driver compiles "
                         "when it is opened: set CUDA_HOME to a CUDA toolkit");
    ImplicitLocOpBuilder b(device.getLoc(), device);
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), image->size());
    LLVM::GlobalOp::create(b, type, /*isConstant=*/true,
                           LLVM::Linkage::Internal, kDeviceImage,
                           b.getStringAttr(*image), WEFT_BUFFER_ALIGNMENT);
    device.erase();
  }
};
} // namespace
