//===- Commands.h - The commands of the tool weft -------------------------===//

#ifndef WEFT_TOOLS_WEFT_COMMANDS_H
#define WEFT_TOOLS_WEFT_COMMANDS_H

#include "weft-c/compiler.h"
#include "weft-rt/weft.h"
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

namespace weft::tool {

/// Flags about compilation, shared by the commands that compile.
struct CompileFlags {
  std::string mcpu, dims, dumpStages, startAt;
  int optLevel = 3;

  void add(CLI::App &app);
  weft_compile_options get() const;
};

/// What a command throws to end with an exit code after a message.
struct Exit {
  int code;
  std::string message;
};

/// A model that is ready to run, compiled here or opened from a `.so`.
class LoadedModel {
public:
  LoadedModel(const std::string &path, const CompileFlags &flags);
  ~LoadedModel();
  weft_model *get() { return model; }
  const weft_program &program() { return *weft_model_program(model); }
  double compileSeconds = 0;

private:
  weft_compiled *compiled = nullptr;
  weft_model *model = nullptr;
};

/// A tensor and the memory that holds it.
struct OwnedTensor {
  std::vector<char> storage;
  weft_tensor tensor;
};

/// Inputs for a run: from `.npy` files by name ("x=x.npy"), and made up for
/// those that are not named if `random`. `sizes` gives symbols values.
std::vector<OwnedTensor> makeInputs(const weft_program &program,
                                    const std::vector<std::string> &files,
                                    bool random, const std::string &sizes);
/// Writes `tensor` in numpy's format.
void writeArray(const std::string &path, const weft_tensor &tensor);
/// "f32 [1, 3, 224, 224]".
std::string describe(const weft_tensor &tensor);

/// Throws if `status` is an error.
void check(weft_status status);

// Each adds its command to `app` and returns what runs it.
void addCompile(CLI::App &app);
void addCheck(CLI::App &app);
void addInspect(CLI::App &app);
void addRun(CLI::App &app);
void addBench(CLI::App &app);
void addOps(CLI::App &app);

} // namespace weft::tool

#endif // WEFT_TOOLS_WEFT_COMMANDS_H
