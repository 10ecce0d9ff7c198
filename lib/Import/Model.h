//===- Model.h - A model on its way into the compiler ---------------------===//

#ifndef WEFT_LIB_IMPORT_MODEL_H
#define WEFT_LIB_IMPORT_MODEL_H

#include "Wire.h"
#include "onnx/onnx_pb.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "weft/Import/Import.h"
#include "llvm/ADT/StringMap.h"

namespace weft::importer {

/// What kind of problem a message of the import is about. Part of the message.
enum class Code {
  File = 1001,
  Syntax = 1002,
  Graph = 1003,
  Operator = 1004,
  Schema = 1005,
  Function = 1006,
  Conversion = 1007,
  Inference = 1008,
  Tensor = 1009,
  Unsupported = 1011,
  Export = 1012,
  Type = 1013,
  Training = 1014,
  Batch = 1015,
  Preprocess = 1016,
};

/// Emits the errors of one model, the first twenty of them.
class Report {
public:
  Report(mlir::MLIRContext &context, llvm::StringRef file);

  /// Emits an error about the model; always failure.
  llvm::LogicalResult error(Code code, const llvm::Twine &message);

  bool hasErrors() const { return count != 0; }
  mlir::Location getLoc() const { return loc; }

private:
  mlir::Location loc;
  unsigned count = 0;
};

/// What training or initialization assigns to an initializer.
struct ValueUpdate {
  std::string initializer;
  std::string value; ///< the output that it becomes
  bool isWeight;     ///< of the model itself, not of its algorithm
};

/// A parsed model and where the bytes of its large tensors are.
struct Model {
  ::onnx::ModelProto proto;
  std::vector<DataRef> refs;
  /// The file, as messages name it.
  std::string name;
  /// Where external data may lie; empty if nowhere.
  std::string folder;
  /// The version of the main operator set that the file was written for; 0 if
  /// it does not use the main operator set.
  int64_t sourceOpset = 0;
  /// How many algorithms of training the file brings along.
  int numTrainings = 0;
  /// Of a graph that is a step of training or an initialization.
  std::vector<ValueUpdate> updates;
  /// The input that is the learning rate of a step of training, if there is
  /// one, and what it is where nobody says otherwise.
  std::string rate;
  std::optional<float> defaultRate;
};

/// "node 'conv1' (Conv)", or the first output in place of a missing name.
std::string describe(const ::onnx::NodeProto &node);

/// Whether a model is in ONNX's text syntax, by its name or its content.
bool isText(llvm::ArrayRef<char> bytes, llvm::StringRef name);

/// The path of external data at `location`, which must not lead out of the
/// model's `folder`. No folder means that there can be no such file.
llvm::Expected<std::string> findExternalFile(llvm::StringRef folder,
                                             llvm::StringRef location);

/// What the exception that is being handled says. For the files that call ONNX.
std::string getExceptionMessage();

/// Calls `visit` for each tensor of a graph or function, those of attributes
/// and subgraphs included.
void forEachTensor(::onnx::GraphProto &graph,
                   llvm::function_ref<void(::onnx::TensorProto &)> visit);
void forEachTensor(::onnx::FunctionProto &function,
                   llvm::function_ref<void(::onnx::TensorProto &)> visit);

//===----------------------------------------------------------------------===//
// The steps of the import, in order
//===----------------------------------------------------------------------===//

/// Parses ONNX's text syntax.
llvm::LogicalResult parseText(llvm::StringRef text, Model &model,
                              Report &report);

/// Renames what a node uses and makes, also what Gradient nodes name in their
/// attributes.
void renameValues(::onnx::NodeProto &node,
                  const llvm::StringMap<std::string> &names);

/// Makes the graph one iteration of the model's own training: the graph and the
/// algorithms behind it.
llvm::LogicalResult combineTraining(Model &model, Report &report);

/// Makes the graph the initialization of the model's own training.
llvm::LogicalResult takeInitialization(Model &model, Report &report);

/// Makes dense tensors of sparse ones.
llvm::LogicalResult densify(Model &model, Report &report);

/// Turns external data into references, and reads what is small. Checks that
/// every tensor has the data that its type and shape want.
llvm::LogicalResult resolveTensors(Model &model, int64_t limit, Report &report);

/// Checks the operator sets and replaces calls of functions by their bodies.
llvm::LogicalResult inlineFunctions(Model &model, Report &report);

/// Checks names, order, operators, arities and attributes of all graphs.
llvm::LogicalResult checkModel(const Model &model, Report &report);

/// Converts to the newest version of the main operator set.
llvm::LogicalResult convertToNewest(Model &model, Report &report);

/// Puts a graph, whose tensors are resolved, in front of the input of the model
/// that has its output's name, or else of the only one that its output fits.
llvm::LogicalResult putInFront(Model &prep, Model &model,
                               const ImportOptions &options, Report &report);

/// Checks that a graph can be put in front of models, and infers its types.
llvm::LogicalResult checkFront(Model &prep, Report &report);

/// Adds the types of intermediate values.
llvm::LogicalResult inferShapes(Model &model, Report &report);
llvm::Error inferShapes(Model &model);

/// Makes the first dimension of the inputs a symbol, if the options ask for it.
llvm::LogicalResult freeBatch(Model &model, const ImportOptions &options,
                              Report &report);

/// Checks that operands have types that their operators take.
llvm::LogicalResult checkTypes(const Model &model, Report &report);

/// Why inference fails for a node whose outputs have no type; "" if unknown.
std::string explainInference(const Model &model);

/// Adds to `module` the function `name` of `source`, whose tensors are resolved
/// and whose functions are not inlined, as an optimizer; see ImportOptions.
llvm::LogicalResult addOptimizer(const Model &source, llvm::StringRef name,
                                 mlir::ModuleOp module,
                                 const ImportOptions &options, Report &report);

mlir::OwningOpRef<mlir::ModuleOp> buildModule(const Model &model,
                                              mlir::MLIRContext &context,
                                              const ImportOptions &options,
                                              Report &report);

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// The MLIR type of ONNX element type `dataType`, or null.
mlir::Type getElementType(int32_t dataType, mlir::MLIRContext *context);
/// The ONNX element type of `type`; 0 if there is none.
int32_t getDataType(mlir::Type type);

/// Bits of one element in raw data; 0 for strings and unknown types.
unsigned getRawBits(int32_t dataType);

/// The number of elements, or nothing if a dimension is negative or the tensor
/// too large to address.
std::optional<int64_t> getNumElements(const ::onnx::TensorProto &tensor);
/// The number of bytes of raw data that the type and shape of `tensor` want.
std::optional<int64_t> getRawSize(const ::onnx::TensorProto &tensor);

/// The index that stands for the data of `tensor`, if it has been taken out.
std::optional<uint64_t> getRef(const ::onnx::TensorProto &tensor);

/// The raw data of a tensor that holds its data itself. Fails, saying why, if
/// there is more or less of it than the shape wants.
llvm::Expected<std::string> getRawData(const ::onnx::TensorProto &tensor);

/// `tensor` as dense elements or `#weft.extern`.
llvm::Expected<mlir::TypedAttr> toAttr(const ::onnx::TensorProto &tensor,
                                       llvm::ArrayRef<DataRef> refs,
                                       mlir::MLIRContext *context,
                                       const ImportOptions &options);

} // namespace weft::importer

#endif // WEFT_LIB_IMPORT_MODEL_H
