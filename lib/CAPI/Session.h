//===- Session.h - One compilation on behalf of the C API -----------------===//

#ifndef WEFT_LIB_CAPI_SESSION_H
#define WEFT_LIB_CAPI_SESSION_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"
#include "weft-c/compiler.h"
#include "weft/Import/Import.h"
#include "weft/Pipelines/Pipelines.h"
#include "llvm/Support/JSON.h"

namespace weft {

/// What an error is about that no diagnostic tells. Part of the message.
enum class Problem {
  Invalid = 3001, ///< IR
  Write = 3002,
  MachineCode = 3003,
  Option = 6001,
  Input = 6002,    ///< of a run
  Mismatch = 6007, ///< between a program and a model
};

/// A context, the module that is being compiled in it, and what was said about
/// it on the way.
class CompileSession {
public:
  /// NULL `options` are the defaults.
  explicit CompileSession(const weft_compile_options *options);

  /// Reads a model, or IR of some stage; on failure `module` is null.
  void readFile(llvm::StringRef path);
  /// Reads a model in memory, of which it keeps a copy.
  void readBytes(const void *bytes, size_t size);
  /// Reads a graph that encodeGraph() made text of, for any number of samples.
  void readGraph(llvm::StringRef text);
  /// Runs the stages from where the module is to `stage`, which may lie before.
  llvm::LogicalResult runTo(Stage stage);
  /// The C header of the program that will be written to `output`. Takes the
  /// module to stage `host`.
  mlir::FailureOr<std::string> makeHeader(llvm::StringRef output);

  /// Adds an error; always failure.
  llvm::LogicalResult fail(Problem problem, const llvm::Twine &text);
  llvm::LogicalResult fail(Problem problem, llvm::Error error);
  /// The module at stage `to`, made of a copy; null, without a message, if it
  /// can't be lowered.
  mlir::OwningOpRef<mlir::ModuleOp> lowerCopy(Stage to);
  /// The outcome, and the messages so far.
  weft_outcome finish(bool hasFailed, char **message);

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  PipelineOptions pipeline;

private:
  void parseDims(llvm::StringRef text);

  ImportOptions importOptions;
  std::string messages;
  mlir::ScopedDiagnosticHandler handler;
  Stage stage = Stage::Import;
  bool isUsable = true;
};

/// Writes the C header of a program of stage `host`. `name` is what the header
/// calls it; see weft_compile_options for `prefix`.
void writeProgramHeader(mlir::ModuleOp module, llvm::StringRef name,
                        llvm::StringRef prefix, llvm::raw_ostream &os);

/// What an imported model is; see weft_inspect_file.
llvm::json::Object describeModel(mlir::ModuleOp module);

/// The training that the model at `path`, whose graph is `module`, brings
/// along; see weft_inspect_training. Null if there is none; fails after an
/// error.
llvm::FailureOr<llvm::json::Value>
describeOwnTraining(CompileSession &session, llvm::StringRef path,
                    llvm::StringRef settings);

/// What running a model costs, given its nodes and what became of them.
llvm::json::Object describeCosts(mlir::ModuleOp imported,
                                 mlir::ModuleOp lowered);

} // namespace weft

#endif // WEFT_LIB_CAPI_SESSION_H
