//===- Commands.h - The commands of the tool weft -------------------------===//

#ifndef WEFT_TOOLS_WEFT_COMMANDS_H
#define WEFT_TOOLS_WEFT_COMMANDS_H

#include "weft-c/compiler.h"
#include "weft-rt/weft.h"
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::tool {

/// Flags about compilation, shared by the commands that compile.
struct CompileFlags {
  std::string mcpu, target, cudaArch, dims, batch, dumpStages, startAt;
  bool keepFixedBatch = false; ///< no flag
  bool cudaTF32 = false;
  int optLevel = 3;
  int64_t memoryBudget = 0; ///< in bytes, 0: none
  /// Settings of a training step; none: a program for inference. No flag.
  std::optional<std::string> training;
  /// A graph in front of the model: a file, or with `raw` the one that the
  /// model carries.
  std::string preprocess;
  bool raw = false;

  void add(CLI::App &app);
  void addFront(CLI::App &app);
  /// The options for the model in file `path`, valid until the next call; while
  /// they are used, a terminal is told of the progress.
  weft_compile_options get(const std::string &path) const;

private:
  mutable std::string graph; ///< as text
};

/// The graph in file `path`, as text that a model can carry.
std::string encodeGraph(const std::string &path);
/// What property `key` of the model in file `path` holds; empty if nothing.
std::string readProperty(const std::string &path, const char *key);

/// Flags about a training step.
struct StepFlags {
  std::string loss, optimizer, train, freeze, bn, classWeights, precision;
  std::vector<std::string> settings; ///< as weft_describe_training() lists them

  void add(CLI::App &app);
  /// The settings in one text. With `hasAlgorithm` they are of the training
  /// that the model brings along, else loss and optimizer have defaults.
  std::string getSettings(bool hasAlgorithm = false) const;
};

/// What a command throws to end with an exit code after a message.
struct Exit {
  int code;
  std::string message;
};

/// Throws if `status` is an error.
void check(weft_status status);
/// Throws if `outcome` is no success; prints warnings otherwise. Takes over
/// `message`.
void check(weft_outcome outcome, char *message);

/// Shows what is being done on a line of its own, if standard error is a
/// terminal; the next call, or an empty text, takes its place.
void showProgress(const std::string &text);

/// A model that is ready to run, compiled here or opened from a `.so`.
class LoadedModel {
public:
  LoadedModel(const std::string &path, const CompileFlags &flags);
  /// A graph for samples, given as text, by itself.
  static std::unique_ptr<LoadedModel> ofGraph(const std::string &graph,
                                              const CompileFlags &flags);
  ~LoadedModel();
  weft_model *get() { return model; }
  const weft_program &program() { return *weft_model_program(model); }
  double compileSeconds = 0;

private:
  LoadedModel() = default;

  weft_compiled *compiled = nullptr;
  weft_model *model = nullptr;
};

using Session = std::unique_ptr<weft_session, void (*)(weft_session *)>;
Session createSession(LoadedModel &model, const weft_session_options &options);

/// A tensor and the memory that holds it.
struct OwnedTensor {
  std::unique_ptr<void, void (*)(void *)> storage{nullptr, free};
  weft_tensor tensor = {};
};

/// Gives `tensor`, which has a type and a shape, memory of its own.
OwnedTensor allocate(weft_tensor tensor, const std::string &name);

/// The tensors, without their memory.
std::vector<weft_tensor> borrow(const std::vector<OwnedTensor> &tensors);

/// What a model is to be run with, and what should come out of it.
struct DataSet {
  std::vector<OwnedTensor> inputs;
  /// By output; `tensor.data` is null where there is none to compare with.
  std::vector<OwnedTensor> outputs;
  std::vector<std::string> outputFiles;
};

/// Flags that say where inputs come from.
struct InputFlags {
  std::vector<std::string> files;
  std::string folder, sizes;
  bool random = false;

  void add(CLI::App &app);
  /// The inputs of a run of `program`. `dims` are the limits of symbolic sizes,
  /// of which made-up inputs take the lower ones.
  DataSet read(const weft_program &program, const std::string &dims) const;
};

/// Made-up inputs.
std::vector<OwnedTensor> makeUpInputs(const weft_program &program,
                                      const std::string &dims,
                                      const std::string &sizes);
/// Reads `input_0.pb` and so on, and `output_0.pb` where they are, from ONNX's
/// test data in `folder`.
DataSet readDataSet(const weft_program &program, const std::string &folder);

/// Reads a file in numpy's format; `dtype` tells the elements' type where the
/// format can't.
OwnedTensor readArray(const std::string &path, weft_dtype dtype);
/// `tensor` in numpy's format.
std::string formatArray(const weft_tensor &tensor);
/// "f32 [1, 3, 224, 224]".
std::string describe(const weft_tensor &tensor);
/// The position of element `index`, as "[0, 17]".
std::string describePosition(const weft_tensor &tensor, int64_t index);

/// Files that appear together when all are complete, or not at all, also if a
/// signal ends the process.
class OutputFiles {
public:
  OutputFiles() = default;
  OutputFiles(const OutputFiles &) = delete;
  ~OutputFiles();

  /// Writes `bytes` to a file beside `path`.
  void add(const std::string &path, const std::string &bytes);
  /// Gives the files their names.
  void keep();

private:
  struct File {
    std::string path, temporary;
  };
  std::vector<File> files;
};

/// Throws if the file `path` can't be written, as far as that can be told
/// before; `bytes` is how long it will be at least.
void checkOutput(const std::string &path, uint64_t bytes);

/// Creates a folder unless it is there.
void createFolder(const std::string &path);

// Each adds its command to `app`.
void addCompile(CLI::App &app);
void addCheck(CLI::App &app);
void addDoctor(CLI::App &app);
void addExportTrain(CLI::App &app);
void addInspect(CLI::App &app);
void addRun(CLI::App &app);
void addBench(CLI::App &app);
void addOps(CLI::App &app);
void addTrain(CLI::App &app);
void addVerify(CLI::App &app);

} // namespace weft::tool

#endif // WEFT_TOOLS_WEFT_COMMANDS_H
