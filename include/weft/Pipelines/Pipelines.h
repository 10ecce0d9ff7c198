//===- Pipelines.h - From stage to stage ----------------------------------===//

#ifndef WEFT_PIPELINES_PIPELINES_H
#define WEFT_PIPELINES_PIPELINES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"
#include "weft/Target/Device.h"
#include "weft/Target/Target.h"
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace weft {

/// What a module is at a point of its compilation. Each stage's IR can be
/// printed, parsed back and compiled on from there.
enum class Stage {
  Import,        ///< ONNX nodes
  Tensor,        ///< `weft` ops
  Differentiate, ///< the same, with gradients and updates if it is to train
  Dispatch,      ///< ops grouped into kernels
  Kernel,        ///< functions for the processor, and launches
  Host,          ///< a program on buffers in one arena
  Object,        ///< the LLVM dialect
};

llvm::StringRef getStageName(Stage stage);
/// The stage called `name`, as in `--stop-after=name`.
std::optional<Stage> getStage(llvm::StringRef name);

/// Everything about a compilation that can be chosen.
struct PipelineOptions {
  TargetOptions target;
  /// Kernels run on this GPU; without, on the processor of `target`.
  std::optional<DeviceOptions> device;
  /// Symbolic sizes that are limited: name to smallest and largest.
  std::map<std::string, std::pair<int64_t, int64_t>> dims;
  /// Make a training step of the model, with these settings (see
  /// weft/Training/Options.h), which may be empty.
  std::optional<std::string> training;
  /// The most bytes that a run may be planned to take; 0: any number.
  int64_t memoryBudget = 0;
  /// Folder that gets the IR of each stage, `1-import.mlir` and so on.
  std::string dumpStages;
  /// The program is to run in this process: constants are mapped from the
  /// files they came from.
  bool inProcess = false;
  /// What the symbols begin with that a program shows to the linker. Shared
  /// libraries and programs in this process need the default.
  std::string prefix = "weft";
  /// Told what begins, if set: the name of a stage, or what comes after them.
  std::function<void(llvm::StringRef)> progress;
  void tell(llvm::StringRef step) const {
    if (progress)
      progress(step);
  }
  /// Check the IR after each pass, not only after each stage.
  bool verifyEach = false;
};

/// Registers the dialects of all stages, or all passes of Weft.
void registerDialects(mlir::DialectRegistry &registry);
void registerPasses();

/// Adds the passes that make a module of stage `to` from the one before.
void addPassesTo(Stage to, mlir::OpPassManager &pm,
                 const PipelineOptions &options);

/// Adds the passes that move code for a GPU to a module of its own and lower
/// it; they are the first of stage Object.
void addDevicePasses(mlir::OpPassManager &pm);

/// The PTX of `module`, which is of stage Host and changed.
llvm::Expected<std::string> makePTX(mlir::ModuleOp module,
                                    const PipelineOptions &options);

/// Writes the IR of a stage to `path`, from which another process can go on.
/// The bytes of constants that are in this process's memory go to files in the
/// same folder, which are called after their content.
llvm::Error writeStage(mlir::ModuleOp module, llvm::StringRef path);

/// Takes `module` from stage `from` to stage `to`. Fails after an error.
llvm::LogicalResult runStages(mlir::ModuleOp module, Stage from, Stage to,
                              const PipelineOptions &options);

} // namespace weft

#endif // WEFT_PIPELINES_PIPELINES_H
