//===- Import.h - ONNX files to the onnx dialect and back -----------------===//

#ifndef WEFT_IMPORT_IMPORT_H
#define WEFT_IMPORT_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "weft/Interfaces/HostTensor.h"
#include "llvm/ADT/StringRef.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft {

/// What of a model is imported.
enum class ModelPart {
  Inference,
  /// One iteration of its own training: the graph and the algorithms of its
  /// training info. `main` returns the new value of each initializer that they
  /// assign to, as a result of its name with the role `parameter` or, if it is
  /// an algorithm's, `state` and with `weft.updates`. The learning rate, if it
  /// is found, is an argument of the role `rate`, perhaps with `weft.default`.
  Training,
  /// What its training info assigns to initializers at the start: results that
  /// have their names.
  Initialization,
};

struct ImportOptions {
  /// Tensors of up to this many bytes become dense elements; larger ones become
  /// `#weft.extern`.
  int64_t inlineBytes = 1024;
  /// Makes tensors whose bytes are in no file (those of text models, of models
  /// in memory, and packed integers) dense elements whatever their size. For IR
  /// that another process is to read.
  bool inlineMemory = false;
  ModelPart part = ModelPart::Inference;
  /// Makes the first dimension of all inputs, if it is fixed, a symbol of this
  /// name, so that the model takes batches of any size; "": leaves it. Nodes
  /// that hold the size of the batch are rewritten where samples stay apart.
  std::string batchSymbol;
  /// Where that can't be, warns and leaves the model as it is; else that is an
  /// error.
  bool keepFixedBatch = false;
  /// "DOMAIN.NAME" of a function that is an optimizer, of the model or of
  /// another file. It becomes `@optimizer.f32` and `@optimizer.f64`, with the
  /// attribute `weft.optimizer`, whose parameters are tensors without a rank.
  std::string optimizer, optimizerFile;
  /// A graph, as encodeGraph() gives it, that is put in front of the model: its
  /// only output becomes the input of that name, or else the only one that it
  /// fits, and its inputs take the place of that. Empty: none.
  std::string preprocess;
};

/// The property of a model that holds the graph that its samples go through, as
/// encodeGraph() gives it.
inline constexpr llvm::StringLiteral kPreprocessProperty = "weft.preprocess";

/// Registers the `onnx` dialect with the ops of ONNX's schema registry, and the
/// dialects that imported modules use.
void registerONNXDialect(mlir::DialectRegistry &registry);

/// The newest version of an operator set, "" for the main one, to which models
/// are converted.
int getNewestOpset(llvm::StringRef domain = "");

/// An operator of ONNX in its newest version.
struct OperatorInfo {
  std::string name; ///< as the op of the dialect, without its prefix
  int version;
  std::vector<std::string> types; ///< element types, of those that Weft has, of
                                  ///< the first operand, or else of the result
};

/// All operators of ONNX's schema registry, by name; none if the registry can't
/// be read.
std::vector<OperatorInfo> listOperators();

/// Reads the model at `path`, binary or, if the name ends in `.onnxtxt` or
/// `.txt` or the content is so, in ONNX's text syntax. The result holds one
/// function `main`. On failure one or more errors are emitted, each beginning
/// with its code (`WFT1xxx`); the module is null.
///
/// The bytes of large tensors stay in the file, which must not change as long
/// as the module or what is made of it is in use.
mlir::OwningOpRef<mlir::ModuleOp> importFile(mlir::MLIRContext &context,
                                             llvm::StringRef path,
                                             const ImportOptions &options = {});

/// Reads a model from memory. External data is looked for in `folder`, refused
/// if that is empty. `name` stands for the file in messages. The bytes move to
/// the data store, where large tensors refer to them.
mlir::OwningOpRef<mlir::ModuleOp>
importBytes(mlir::MLIRContext &context, std::unique_ptr<char[]> bytes,
            int64_t size, llvm::StringRef name = "<memory>",
            llvm::StringRef folder = "", const ImportOptions &options = {});

/// The model at `path`, binary or text, as text that a property of another
/// model can hold: the bytes in base 64. Fails after an error, also if it can't
/// be a graph in front of a model.
mlir::FailureOr<std::string> encodeGraph(mlir::MLIRContext &context,
                                         llvm::StringRef path);

/// The bytes of the model that encodeGraph() made text of.
llvm::Expected<std::vector<char>> decodeGraph(llvm::StringRef text);

/// What property `key` of the model at `path` holds; nothing if it has none.
/// Fails after an error.
mlir::FailureOr<std::optional<std::string>>
readProperty(mlir::MLIRContext &context, llvm::StringRef path,
             llvm::StringRef key);

/// A tensor and the name that its file gives it, which may be empty.
struct NamedTensor {
  std::string name;
  HostTensor tensor;
};

/// Reads a file that holds one tensor, such as the `input_0.pb` of ONNX's test
/// data. Fails after an error.
mlir::FailureOr<NamedTensor> importTensor(mlir::MLIRContext &context,
                                          llvm::StringRef path);

/// Writes a module of the `onnx` dialect as an ONNX model: text if `path` ends
/// in `.onnxtxt` or `.txt`, else binary. Weights are copied from where they
/// are. A model of 2 GiB or more gets its large tensors in `<path>.data` beside
/// it.
mlir::LogicalResult exportONNX(mlir::ModuleOp module, llvm::StringRef path);

/// Copies the model at `path` to `output`, as a binary one, with other data in
/// the tensors that `updates` name, which are initializers of the main graph or
/// of an algorithm of its training info, or what Constant nodes there make, and
/// which keep their types, and with `metadata` among
/// its properties in place of those of the same key. All else stays, byte for
/// byte, and the data keeps its form: raw, typed, or in a file of its own. Such
/// files are copied beside `output`; if the model lies there itself, those that
/// change get the name `<output>.<file>` and the others are shared. All files
/// appear when all are complete. Fails after an error.
mlir::LogicalResult
exportUpdated(mlir::MLIRContext &context, llvm::StringRef path,
              llvm::StringRef output, llvm::ArrayRef<NamedTensor> updates,
              llvm::ArrayRef<std::pair<std::string, std::string>> metadata);

} // namespace weft

#endif // WEFT_IMPORT_IMPORT_H
