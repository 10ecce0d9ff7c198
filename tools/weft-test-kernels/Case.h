//===- Case.h - A function that is compiled and compared ------------------===//

#ifndef WEFT_TOOLS_WEFT_TEST_KERNELS_CASE_H
#define WEFT_TOOLS_WEFT_TEST_KERNELS_CASE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "weft/Interfaces/HostTensor.h"
#include <optional>
#include <string>
#include <vector>

namespace weft::test {

using Tensors = llvm::SmallVector<HostTensor>;

/// How the elements of an input were made: each from the next number x of a
/// std::mt19937_64, u = (x >> 11) * 2^-53, as low + (high - low) * u, or of
/// integers the floor of low + (high - low + 1) * u.
struct RandomSource {
  double low, high;
  std::vector<uint64_t> state; ///< of the engine, before it is used
};

/// A function of `weft` ops. What its attributes say:
///
/// - `test.sizes = [{N = 3}, {N = 97}]` on the function: values of the symbols
///   that arguments name in `weft.dims`; the case runs once for each entry.
/// - `test.exact` on the function: it is compared with what the evaluator finds
///   in the function's own types alone. It is meant for functions that are not
///   continuous, where f64 may lead elsewhere.
/// - `test.bound = 1.0e-9` on the function: instead of the bound of the type.
/// - `test.magnitude = 1.0` on the function: smaller results count as this
///   large, since they are differences of numbers that are.
/// - `test.range = [lo, hi]` on an argument: where its elements lie.
/// - `test.special` on an argument: some elements are NaN, infinite, zero of
///   either sign, tiny or huge.
struct Case {
  mutable mlir::func::FuncOp function; ///< a handle, which is not const

  std::string getName() const { return function.getName().str(); }
  bool isExact() const { return function->hasAttr("test.exact"); }
  int64_t getNumRuns() const;
  /// The type of argument `number` in run `run`.
  mlir::RankedTensorType getInputType(unsigned number, int64_t run) const;
  /// Inputs of run `run`; the same for the same seed.
  Tensors makeInputs(int64_t run, uint64_t seed) const;
  /// How input `number` of that run is made; nothing if some of its elements
  /// are special.
  std::optional<RandomSource> getSource(unsigned number, int64_t run,
                                        uint64_t seed) const;
  /// What the run is called in messages: the values of its symbols.
  std::string describeRun(int64_t run) const;
};

/// What the reference evaluator says of a case.
struct Reference {
  Tensors own;  ///< in the function's own types
  Tensors wide; ///< in f64; empty if the case is exact
};

/// Evaluates the case on `inputs`. Fails after an error.
mlir::FailureOr<Reference> evaluateCase(const Case &test,
                                        llvm::ArrayRef<HostTensor> inputs);

/// How far results of `elementType` may be from the reference: the mean of the
/// squared errors over the mean of the squares. Zero: they must be equal.
double getBound(mlir::Type elementType);

/// The same for a result of `test`, which may have a bound of its own.
double getOwnBound(const Case &test, mlir::Type elementType);
/// What results of `test` count as at least.
double getMagnitude(const Case &test);

/// Compares a result with the reference, as if none of it were smaller than
/// `magnitude`. Returns what is wrong, or "".
std::string compare(const HostTensor &result, const HostTensor &reference,
                    double bound, double magnitude);

} // namespace weft::test

#endif // WEFT_TOOLS_WEFT_TEST_KERNELS_CASE_H
