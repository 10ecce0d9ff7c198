//===- Converter.h - From tensors to buffers, one function at a time ------===//

#ifndef WEFT_LIB_CONVERSION_DISPATCHTOHOST_CONVERTER_H
#define WEFT_LIB_CONVERSION_DISPATCHTOHOST_CONVERTER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/MapVector.h"

namespace weft::host {

/// A tensor on the host: where its elements are, and all its sizes.
struct Buffer {
  mlir::Value memory;
  llvm::SmallVector<mlir::OpFoldResult> sizes;
};

/// How a loop carries one of its values from iteration to iteration.
struct Carried {
  enum Kind {
    /// A number: as it is.
    Scalar,
    /// A tensor whose sizes stay the same: two buffers that take turns. The
    /// first operand is the one to read, the second the one to write next.
    TwoBuffers,
    /// A tensor whose sizes change: an address and the `?` sizes of its type.
    AnyBuffer,
    /// A tensor that each iteration changes in place, or leaves as it is: one
    /// buffer, known outside of the loop, without an operand.
    InPlace,
  };
  Kind kind;
  mlir::Type type;
  /// Of TwoBuffers and InPlace.
  llvm::SmallVector<mlir::OpFoldResult> sizes;
  /// Of InPlace.
  mlir::Value memory;
  /// The operands of the new loop that stand for the value.
  unsigned firstOperand = 0;
  unsigned numOperands = 1;
};

/// A step of a computation in place: `result` is made in the memory of `place`,
/// an operand of the same op.
struct InPlaceStep {
  mlir::OpResult result;
  mlir::OpOperand *place;
};

/// How the values that a loop carries are computed in place, if they are.
struct InPlacePlan {
  /// By value; the last step first.
  llvm::SmallVector<llvm::SmallVector<InPlaceStep>> steps;
  /// Which values are.
  llvm::BitVector chosen;
};

/// What an argument or result is for, as its attributes say.
struct PortRole {
  Role role = Role::data;
  int32_t twin = -1;
  mlir::TypedAttr initial;
};

/// Turns a function on tensors into a host program.
class Converter {
public:
  Converter(mlir::ModuleOp module, mlir::func::FuncOp from);

  /// Emits `@main` and the program's tables, and erases the function. Fails
  /// after an error.
  llvm::LogicalResult convert();

private:
  //===--------------------------------------------------------------------===//
  // Program.cpp: the boundary of the program
  //===--------------------------------------------------------------------===//

  /// Fills the tables of inputs and symbols and maps the arguments.
  void convertInputs();
  PortAttr makePortAttr(llvm::StringRef name, mlir::RankedTensorType type,
                        llvm::ArrayRef<int32_t> symbols, const PortRole &role);
  mlir::Value getSymbol(llvm::StringRef name);
  /// Decides which results of launches are written into outputs at once.
  void placeOutputs();
  mlir::Value createOutput(unsigned number, const Buffer &buffer);
  /// Copies `value` to output `number`, unless it was placed there.
  void copyToOutput(unsigned number, mlir::Value value);
  llvm::LogicalResult convertReturn(mlir::func::ReturnOp op);
  SymbolAttr makeSymbolAttr(llvm::StringRef name);
  DataOp declareData(mlir::TypedAttr value, llvm::StringRef name);

  //===--------------------------------------------------------------------===//
  // Roles.cpp: what arguments and results are for
  //===--------------------------------------------------------------------===//

  /// Fills `inputRoles` and `outputRoles`.
  llvm::LogicalResult readRoles();
  llvm::LogicalResult readRole(mlir::DictionaryAttr attrs,
                               const llvm::Twine &of, PortRole &out);
  llvm::LogicalResult readInitial(unsigned argument);
  llvm::LogicalResult readTwin(unsigned result);

  //===--------------------------------------------------------------------===//
  // DispatchToHost.cpp: straight-line code
  //===--------------------------------------------------------------------===//

  llvm::LogicalResult convertBlock(mlir::Block &block);
  llvm::LogicalResult convertOp(mlir::Operation &op);
  llvm::LogicalResult convertLaunch(dispatch::LaunchOp op);
  mlir::Value chooseMemory(mlir::OpResult result, const Buffer &buffer);
  llvm::LogicalResult convertConstant(mlir::Value result,
                                      mlir::TypedAttr value);
  llvm::LogicalResult convertDim(mlir::tensor::DimOp op);
  llvm::LogicalResult convertFromElements(mlir::tensor::FromElementsOp op);
  llvm::LogicalResult convertExtract(mlir::tensor::ExtractOp op);
  llvm::LogicalResult convertCast(mlir::tensor::CastOp op);
  llvm::LogicalResult convertEmpty(mlir::tensor::EmptyOp op);
  llvm::LogicalResult convertReshape(ReshapeOp op);
  llvm::LogicalResult convertSelect(mlir::arith::SelectOp op);
  llvm::LogicalResult convertScalarOp(mlir::Operation &op);

  //===--------------------------------------------------------------------===//
  // ControlFlow.cpp
  //===--------------------------------------------------------------------===//

  llvm::LogicalResult convertIf(mlir::scf::IfOp op);
  llvm::LogicalResult convertFor(mlir::scf::ForOp op);
  llvm::LogicalResult convertWhile(mlir::scf::WhileOp op);
  /// Converts a loop, given which carried tensors change their sizes. Sets
  /// more of them if it finds more; the new loop is of no use then.
  llvm::LogicalResult tryFor(mlir::scf::ForOp op, llvm::BitVector &changing);
  llvm::LogicalResult tryWhile(mlir::scf::WhileOp op,
                               llvm::BitVector &changing);
  llvm::LogicalResult convertBefore(mlir::scf::WhileOp op,
                                    mlir::scf::WhileOp loop,
                                    llvm::ArrayRef<Carried> carried,
                                    llvm::SmallVectorImpl<Buffer> &forwarded);
  llvm::LogicalResult
  convertAfter(mlir::scf::WhileOp op, mlir::scf::WhileOp loop,
               llvm::ArrayRef<Carried> carried, const InPlacePlan &plan,
               llvm::ArrayRef<Buffer> forwarded, llvm::BitVector &changing);
  /// Converts one side of a branch and notes the tensors that it yields.
  llvm::LogicalResult convertBranch(mlir::Region &from, mlir::Region &to,
                                    llvm::SmallVectorImpl<Buffer> &yielded);

  /// Appends the first operands of a loop that carries `inits`, which are
  /// tensors and scalars of the old function.
  llvm::SmallVector<Carried>
  carry(llvm::MutableArrayRef<mlir::OpOperand> inits,
        const llvm::BitVector &changing, const InPlacePlan &plan,
        llvm::SmallVectorImpl<mlir::Value> &operands);
  /// The memory of `init`, if the loop may write to it, or a copy.
  mlir::Value takeMemory(mlir::OpOperand &init);
  /// Maps `values`, arguments or results of the old loop, to `operands` of the
  /// new one.
  void mapCarried(llvm::ArrayRef<Carried> carried, mlir::ValueRange values,
                  mlir::ValueRange operands);
  /// Chooses where the launches in `block` write what is to be carried on.
  void placeYields(mlir::Block &block, llvm::ArrayRef<Carried> carried,
                   mlir::ValueRange yielded,
                   llvm::ArrayRef<mlir::Value> operands);
  /// The operands of the new yield. `args` are the old values that stand for
  /// what was carried. Notes in `changing` what does not keep its sizes.
  llvm::SmallVector<mlir::Value>
  yieldCarried(mlir::Operation *loop, llvm::ArrayRef<Carried> carried,
               llvm::ArrayRef<mlir::Value> args, mlir::ValueRange yielded,
               llvm::ArrayRef<mlir::Value> operands, llvm::BitVector &changing);
  void yieldTwoBuffers(const Carried &entry, mlir::Value value,
                       llvm::ArrayRef<mlir::Value> operands,
                       llvm::SmallVectorImpl<mlir::Value> &yields);
  void yieldAnyBuffer(mlir::Operation *loop, mlir::Value arg, mlir::Value value,
                      llvm::SmallVectorImpl<mlir::Value> &yields);

  /// The types that stand for a value of `type` that is passed as an address
  /// and its `?` sizes.
  void addPassedTypes(mlir::Type type,
                      llvm::SmallVectorImpl<mlir::Type> &types);
  void addPassed(mlir::Value value,
                 llvm::SmallVectorImpl<mlir::Value> &operands);
  /// Maps `value` to the front of `passed` and drops that. A size on which all
  /// of `sources` agree and that is known outside of `scope` is taken as it is.
  void mapPassed(mlir::Operation *scope, mlir::Value value,
                 mlir::ValueRange &passed, llvm::ArrayRef<Buffer> sources);

  //===--------------------------------------------------------------------===//
  // InPlace.cpp: results that take over the memory of an operand
  //===--------------------------------------------------------------------===//

  /// The operand in whose memory `result` is made; null if it has its own.
  mlir::OpOperand *findPlace(mlir::OpResult result);
  /// Whether `to` is made of `from`, a value of the same block, by steps in
  /// place, each of which is the last to need what is before it.
  bool followInPlace(mlir::Value from, mlir::Value to,
                     llvm::SmallVectorImpl<InPlaceStep> &steps);
  /// Whether the memory of `place` is free when its owner has run, and is the
  /// program's own.
  bool canTakeOver(mlir::OpOperand &place);
  /// Finds which of `args`, what a loop carries at the start of an iteration
  /// (null for what is not known there), are computed in place.
  InPlacePlan planInPlace(llvm::ArrayRef<mlir::Value> args,
                          mlir::ValueRange yielded,
                          const llvm::BitVector &changing);
  /// Chooses memory for the steps in the loop's body.
  void placeInPlace(const InPlacePlan &plan, llvm::ArrayRef<Carried> carried);

  //===--------------------------------------------------------------------===//
  // States.cpp: when new values of states are written, and where
  //===--------------------------------------------------------------------===//

  /// Moves the launches that make nothing but new values of states behind
  /// what may fail and what reads the old values.
  void sinkStates();
  /// Whether `launch` may write its result straight into output `number`, the
  /// new value of a state.
  bool isWrittenAtOnce(mlir::OpResult result, unsigned number);
  /// Copies the new values that are not yet where they belong.
  void copyStates(mlir::func::ReturnOp op);

  //===--------------------------------------------------------------------===//
  // DispatchToHost.cpp: memory and sizes
  //===--------------------------------------------------------------------===//

  mlir::Value toValue(mlir::OpFoldResult size);
  llvm::SmallVector<mlir::Value> dynamicSizes(mlir::Type type,
                                              const Buffer &buffer);
  mlir::Value createBytes(mlir::Type elementType,
                          llvm::ArrayRef<mlir::OpFoldResult> sizes);
  /// New memory. If `fresh`, each execution of this place yields another one.
  mlir::Value createMemory(mlir::Type elementType,
                           llvm::ArrayRef<mlir::OpFoldResult> sizes,
                           bool fresh = false);
  void require(mlir::Value condition, Fault fault, mlir::Value detail,
               mlir::Value wanted);
  void convertRequire(RequireSizesOp op);
  void requireEqual(mlir::OpFoldResult size, mlir::OpFoldResult wanted);
  /// The number of elements before the one at `indices`.
  mlir::Value linearize(mlir::ValueRange indices,
                        llvm::ArrayRef<mlir::OpFoldResult> sizes);

  mlir::ModuleOp module;
  mlir::func::FuncOp from;
  mlir::func::FuncOp to;
  mlir::ImplicitLocOpBuilder b;
  mlir::IRMapping scalars;
  llvm::DenseMap<mlir::Value, Buffer> buffers;
  /// Where to write results of launches; an output if `memory` is null.
  llvm::DenseMap<mlir::Value, mlir::Value> placedInMemory;
  llvm::DenseMap<mlir::Value, unsigned> placedInOutput;
  /// Results of launches that need memory of their own in each iteration.
  llvm::DenseSet<mlir::Value> fresh;
  /// First values of loops whose memory the loop may write to.
  llvm::DenseSet<mlir::OpOperand *> takenOver;
  mlir::SymbolTable symbolTable;

  /// The op that is being converted.
  mlir::Operation *current = nullptr;
  llvm::MapVector<mlir::StringAttr, mlir::Value> symbols;
  llvm::SmallVector<PortRole> inputRoles, outputRoles;
  llvm::SmallVector<PortAttr> inputPorts, outputPorts;
  llvm::DenseMap<mlir::Attribute, DataOp> data;
};

/// Whether `role` is that of a parameter or state, which has a twin.
bool isStateRole(Role role);

/// Whether two sizes are the same for sure: the same value or constant, or
/// computed in the same way from the same values.
bool isSameSize(mlir::OpFoldResult lhs, mlir::OpFoldResult rhs);

/// The name of argument or result `number`, from its attributes.
std::string getPortName(mlir::DictionaryAttr attrs, llvm::StringRef kind,
                        unsigned number);

/// The value that is computed when `value` is seen through casts.
mlir::Value skipCasts(mlir::Value value);

} // namespace weft::host

#endif // WEFT_LIB_CONVERSION_DISPATCHTOHOST_CONVERTER_H
