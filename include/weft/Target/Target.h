//===- Target.h - Machine code from a lowered program ---------------------===//

#ifndef WEFT_TARGET_TARGET_H
#define WEFT_TARGET_TARGET_H

#include "mlir/IR/BuiltinOps.h"
#include "weft-rt/program.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
class raw_pwrite_stream;
} // namespace llvm

namespace weft {

/// What machine to compile for, and how hard to try.
struct TargetOptions {
  std::string triple;   ///< empty: this machine's
  std::string cpu;      ///< empty or "native": this machine's, if it can be
  std::string features; ///< such as "+avx2,-fma"; empty: the processor's
  unsigned optLevel = 3;
  bool isHost = false; ///< found to be this machine's, by resolveTarget()
};

/// `options` with nothing left empty. Fails if there is no such target.
llvm::Expected<TargetOptions> resolveTarget(TargetOptions options);

/// What code generation wants to know of a processor.
struct Processor {
  int64_t vectorBytes;     ///< of the widest vector register
  int64_t vectorRegisters; ///< how many there are
  int64_t l1Bytes = 0;     ///< of data cache per core; 0 if not known
  int64_t l2Bytes = 0;     ///< of the next cache; 0 if not known
  int64_t cores = 0;       ///< that this process may use; 0 if not known
};

/// Describes the processor of `options`. Caches and cores are
/// known of this machine's.
llvm::Expected<Processor> describeProcessor(const TargetOptions &options);

/// Constants whose bytes are not in the object: what a symbol stands for.
struct ExternalConstant {
  std::string symbol;
  std::string file; ///< as weft::DataStore knows it
  int64_t offset;
  int64_t size;
};

/// A program on its way to machine code.
class CompiledModule {
public:
  /// Translates `module`, which must hold nothing but the LLVM dialect, and
  /// optimizes it for `options`.
  static llvm::Expected<CompiledModule> create(mlir::ModuleOp module,
                                               const TargetOptions &options);
  CompiledModule(CompiledModule &&);
  ~CompiledModule();

  /// Writes LLVM IR as text.
  void printIR(llvm::raw_ostream &os) const;
  /// Emits assembly. The code generator changes the IR, so that after it or
  /// emitObject() the module is spent.
  llvm::Error emitAssembly(llvm::raw_pwrite_stream &os);
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> emitObject();

  const std::vector<ExternalConstant> &getConstants() const {
    return constants;
  }
  /// The machine that it was compiled for.
  const llvm::TargetMachine &getMachine() const { return *machine; }

private:
  CompiledModule();
  llvm::Error emit(llvm::raw_pwrite_stream &os, bool asText);

  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> llvmModule;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::vector<ExternalConstant> constants;
};

/// A program in this process. Its code lives as long as this object.
class JITProgram {
public:
  /// Links `object` into the process. `constants` are mapped where they are.
  static llvm::Expected<std::unique_ptr<JITProgram>>
  create(std::unique_ptr<llvm::MemoryBuffer> object,
         llvm::ArrayRef<ExternalConstant> constants);
  ~JITProgram();

  const weft_program *getProgram() const { return program; }

private:
  struct Engine;
  explicit JITProgram(std::unique_ptr<Engine> engine);

  std::unique_ptr<Engine> engine;
  const weft_program *program = nullptr;
};

/// How a compiled program is stored.
enum class Packaging {
  Object,        ///< one relocatable object, `.o`
  Archive,       ///< `.a`
  SharedLibrary, ///< `.so` that needs nothing but libc and libm
};

/// Writes `object` and the bytes of `constants` to `path`. The bytes go from
/// file to file without being held in memory. A file that exists is replaced
/// only when all went well.
llvm::Error packageProgram(const llvm::MemoryBuffer &object,
                           llvm::ArrayRef<ExternalConstant> constants,
                           const llvm::TargetMachine &machine,
                           Packaging packaging, llvm::StringRef path);

/// Writes a relocatable ELF object for `machine` that defines a symbol for
/// each of `constants`: with its bytes, or as room in kConstantsSection that
/// embedConstants() fills once a shared library has been linked.
llvm::Error writeConstantsObject(llvm::ArrayRef<ExternalConstant> constants,
                                 const llvm::TargetMachine &machine,
                                 bool hasBytes, llvm::raw_ostream &os);

/// The section that has room for constants, and its alignment: a multiple of
/// the pages of all processors there is code for.
inline constexpr const char *kConstantsSection = ".lweights";
inline constexpr uint64_t kConstantsPage = 65536;

/// Writes the bytes of `constants`, each at a multiple of WEFT_BUFFER_ALIGNMENT
/// from the first.
llvm::Error writeConstants(llvm::ArrayRef<ExternalConstant> constants,
                           llvm::raw_ostream &os);

/// Appends the bytes of `constants` to the shared library `path`, in a segment
/// of their own that is mapped where kConstantsSection has room for them.
llvm::Error embedConstants(llvm::ArrayRef<ExternalConstant> constants,
                           llvm::StringRef path);

} // namespace weft

#endif // WEFT_TARGET_TARGET_H
