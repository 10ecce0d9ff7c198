//===- Emitter.h - How an op's elements are turned into loops -------------===//

#ifndef WEFT_INTERFACES_EMITTER_H
#define WEFT_INTERFACES_EMITTER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace weft {

/// What a kernel found wrong at run time. The values are part of the program
/// ABI (`weft_fault` in weft-rt/program.h).
enum class Fault : int32_t {
  IndexOutOfRange = 1,
  DivisionByZero = 2,
  SizeMismatch = 3,
  NegativeSize = 4,
};

/// Gives an op's emission rule access to its operands, whatever computes them
/// and wherever they are stored. The CPU and the GPU code generators implement
/// it. All indices and sizes are of `index` type; elements of integer tensors
/// are signless.
class ElementEmitter {
public:
  virtual ~ElementEmitter() = default;

  /// The builder at the place where code is wanted, with the location set.
  virtual mlir::ImplicitLocOpBuilder &builder() = 0;

  /// The element of `tensor` at `indices`: loaded, or computed on the spot by
  /// the rule of the op that defines it.
  virtual mlir::Value element(mlir::Value tensor,
                              llvm::ArrayRef<mlir::Value> indices) = 0;

  /// The size of dimension `dim` of `tensor`; a constant where it is static.
  virtual mlir::Value size(mlir::Value tensor, unsigned dim) = 0;

  /// The value of an operand that is an `index` scalar.
  virtual mlir::Value scalar(mlir::Value operand) = 0;

  /// Reports `fault` for `op` unless `condition` (i1) holds: `found` is the
  /// offending value, `wanted` what it should be or stay below. Execution goes
  /// on: the caller must make what follows safe by itself, by clamping an index
  /// for instance.
  virtual void require(mlir::Operation *op, mlir::Value condition, Fault fault,
                       mlir::Value found, mlir::Value wanted) = 0;

  /// Constants.
  virtual mlir::Value index(int64_t value);
  /// A constant of the scalar type `type`, int or float.
  virtual mlir::Value constant(mlir::Type type, double value);

  /// Emits `for (iv = lower; iv < upper; iv += 1)` with carried values, and
  /// returns the final ones. `body` returns the next carried values.
  llvm::SmallVector<mlir::Value>
  loop(mlir::Value lower, mlir::Value upper, mlir::ValueRange inits,
       llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value,
                                                         mlir::ValueRange)>
           body);

  /// Emits a loop nest over `sizes`, innermost last, with carried values.
  llvm::SmallVector<mlir::Value>
  loopNest(llvm::ArrayRef<mlir::Value> sizes, mlir::ValueRange inits,
           llvm::function_ref<llvm::SmallVector<mlir::Value>(
               llvm::ArrayRef<mlir::Value>, mlir::ValueRange)>
               body);

  /// Emits `condition ? then() : otherwise()`, where only the chosen side runs.
  mlir::Value choose(mlir::Value condition,
                     llvm::function_ref<mlir::Value()> then,
                     llvm::function_ref<mlir::Value()> otherwise);
};

/// Adds what ops need that write whole results by loops of their own.
class LoopEmitter : public ElementEmitter {
public:
  /// Stores one element of result number `result`.
  virtual void store(unsigned result, llvm::ArrayRef<mlir::Value> indices,
                     mlir::Value element) = 0;
  /// Loads an element of a result that was stored before.
  virtual mlir::Value load(unsigned result,
                           llvm::ArrayRef<mlir::Value> indices) = 0;
  /// The size of a result's dimension.
  virtual mlir::Value resultSize(unsigned result, unsigned dim) = 0;

  /// Emits `body` for each index within `sizes`. Iterations may run in any
  /// order and at the same time, so they must not touch the same elements. An
  /// op calls this once or several times; the calls run one after the other.
  virtual void
  parallel(llvm::ArrayRef<mlir::Value> sizes,
           llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)> body) = 0;
};

/// The type that an element of a tensor of `elementType` has in emitted code:
/// integers lose their sign, all else stays.
mlir::Type getSignlessType(mlir::Type elementType);

} // namespace weft

#endif // WEFT_INTERFACES_EMITTER_H
