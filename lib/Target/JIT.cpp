//===- JIT.cpp - Programs in this process ---------------------------------===//

#include "weft/Support/DataStore.h"
#include "weft/Target/Target.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/DynamicLibrary.h"
#include "llvm/Support/TargetSelect.h"

using namespace weft;

struct JITProgram::Engine {
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

JITProgram::JITProgram(std::unique_ptr<Engine> engine)
    : engine(std::move(engine)) {}
JITProgram::~JITProgram() = default;

/// Defines the symbols of `constants` where their files are mapped.
static llvm::Error defineConstants(llvm::orc::LLJIT &jit,
                                   llvm::ArrayRef<ExternalConstant> constants) {
  llvm::orc::SymbolMap symbols;
  for (const ExternalConstant &constant : constants) {
    auto bytes = DataStore::get(constant.file, constant.offset, constant.size);
    if (!bytes)
      return bytes.takeError();
    symbols[jit.mangleAndIntern(constant.symbol)] = {
        llvm::orc::ExecutorAddr::fromPtr(bytes->data()),
        llvm::JITSymbolFlags::Exported};
  }
  return jit.getMainJITDylib().define(
      llvm::orc::absoluteSymbols(std::move(symbols)));
}

llvm::Expected<std::unique_ptr<JITProgram>>
JITProgram::create(std::unique_ptr<llvm::MemoryBuffer> object,
                   llvm::ArrayRef<ExternalConstant> constants) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  auto engine = std::make_unique<Engine>();
  engine->jit = std::move(*jit);

  // Functions of libm and libc come from the process.
  llvm::orc::JITDylib &library = engine->jit->getMainJITDylib();
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      engine->jit->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  library.addGenerator(std::move(*process));
  if (llvm::Error error = defineConstants(*engine->jit, constants))
    return error;
  if (llvm::Error error = engine->jit->addObjectFile(std::move(object)))
    return error;
  auto address = engine->jit->lookup("weft_program_query");
  if (!address)
    return address.takeError();

  std::unique_ptr<JITProgram> program(new JITProgram(std::move(engine)));
  program->program =
      address->toPtr<const weft_program *(uint32_t)>()(WEFT_PROGRAM_ABI);
  return program;
}
