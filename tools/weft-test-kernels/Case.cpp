//===- Case.cpp - Inputs and references of a case -------------------------===//

#include "Case.h"
#include "mlir/IR/Verifier.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "llvm/Support/xxhash.h"
#include <cmath>
#include <random>
#include <sstream>

using namespace mlir;
using namespace weft;
using namespace weft::test;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

static ArrayAttr getSizes(const Case &test) {
  return test.function->getAttrOfType<ArrayAttr>("test.sizes");
}

int64_t Case::getNumRuns() const {
  ArrayAttr sizes = getSizes(*this);
  return sizes ? sizes.size() : 1;
}

RankedTensorType Case::getInputType(unsigned number, int64_t run) const {
  auto type = cast<RankedTensorType>(function.getArgumentTypes()[number]);
  if (type.hasStaticShape())
    return type;
  auto names = function.getArgAttrOfType<ArrayAttr>(number, "weft.dims");
  auto values = cast<DictionaryAttr>(getSizes(*this)[run]);
  SmallVector<int64_t> shape(type.getShape());
  for (auto [dim, size] : llvm::enumerate(shape))
    if (ShapedType::isDynamic(size))
      size = values.getAs<IntegerAttr>(cast<StringAttr>(names[dim]).getValue())
                 .getInt();
  return type.clone(shape);
}

std::string Case::describeRun(int64_t run) const {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (ArrayAttr sizes = getSizes(*this))
    for (NamedAttribute size : cast<DictionaryAttr>(sizes[run]))
      os << ' ' << size.getName().getValue() << '='
         << cast<IntegerAttr>(size.getValue()).getInt();
  return text;
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

namespace {
/// Where the elements of an input lie, both ends included.
struct Interval {
  double low, high;
};
} // namespace

static double getNumber(Attribute attr) {
  if (auto number = dyn_cast<FloatAttr>(attr))
    return number.getValueAsDouble();
  return static_cast<double>(cast<IntegerAttr>(attr).getInt());
}

static Interval getInterval(const Case &test, unsigned number) {
  if (auto range =
          test.function.getArgAttrOfType<ArrayAttr>(number, "test.range"))
    return {getNumber(range[0]), getNumber(range[1])};
  Type type = test.getInputType(number, 0).getElementType();
  auto intType = dyn_cast<IntegerType>(type);
  if (!intType)
    return {-2, 2};
  unsigned width = intType.getWidth();
  if (width == 1)
    return {0, 1};
  if (intType.isUnsigned())
    return {0, std::min(std::ldexp(1.0, width) - 1, 16.0)};
  double low = std::max(-std::ldexp(1.0, width - 1), -8.0);
  return {low, std::min(std::ldexp(1.0, width - 1) - 1, 8.0)};
}

static double makeSpecial(uint64_t choice) {
  static constexpr double inf = std::numeric_limits<double>::infinity();
  static const double values[] = {std::nan(""), inf,   -inf,  0.0,  -0.0,
                                  1e-45,        -6e-8, 1e-40, 3e38, -6.5e4,
                                  448,          2.5,   -0.5,  1.5};
  return values[choice % std::size(values)];
}

static std::mt19937_64 makeEngine(const Case &test, unsigned number,
                                  int64_t run, uint64_t seed) {
  std::seed_seq mixed{seed, static_cast<uint64_t>(run),
                      static_cast<uint64_t>(number),
                      llvm::xxh3_64bits(test.getName())};
  return std::mt19937_64(mixed);
}

std::optional<RandomSource> Case::getSource(unsigned number, int64_t run,
                                            uint64_t seed) const {
  if (function.getArgAttr(number, "test.special"))
    return std::nullopt;
  Interval range = getInterval(*this, number);
  RandomSource source{range.low, range.high, {}};
  std::stringstream text;
  text << makeEngine(*this, number, run, seed);
  source.state.resize(std::mt19937_64::state_size);
  for (uint64_t &word : source.state)
    text >> word;
  return source;
}

Tensors Case::makeInputs(int64_t run, uint64_t seed) const {
  Tensors inputs;
  for (unsigned number : llvm::seq(function.getNumArguments())) {
    std::mt19937_64 engine = makeEngine(*this, number, run, seed);
    auto uniform = [&] { return std::ldexp(double(engine() >> 11), -53); };
    HostTensor input(getInputType(number, run));
    Interval range = getInterval(*this, number);
    bool isSpecial = !!function.getArgAttr(number, "test.special");
    bool isFloat = isa<FloatType>(input.getElementType());
    for (int64_t i : llvm::seq(input.getNumElements())) {
      double value;
      if (isSpecial && isFloat && engine() % 4 == 0)
        value = makeSpecial(engine());
      else if (isFloat)
        value = range.low + (range.high - range.low) * uniform();
      else
        value =
            std::floor(range.low + (range.high - range.low + 1) * uniform());
      input.setFloat(i, value);
    }
    inputs.push_back(input);
  }
  return inputs;
}

//===----------------------------------------------------------------------===//
// References
//===----------------------------------------------------------------------===//

/// Whether numbers of this type are computed in f64 for the reference. Those of
/// fewer than 16 bits are stored forms, not types that are computed in.
static bool isComputedType(Type type) {
  return type.isF16() || type.isBF16() || type.isF32();
}

static Type widen(Type type) {
  Type wide = Float64Type::get(type.getContext());
  if (isComputedType(type))
    return wide;
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && isComputedType(tensor.getElementType()))
    return tensor.clone(wide);
  return type;
}

static HostTensor widen(const HostTensor &tensor) {
  auto type = cast<RankedTensorType>(widen(tensor.getType()));
  if (type == tensor.getType())
    return tensor;
  HostTensor wide(type);
  for (int64_t i : llvm::seq(tensor.getNumElements()))
    wide.setFloat(i, tensor.getFloat(i));
  return wide;
}

static Attribute widen(Attribute attr) {
  if (auto dense = dyn_cast<DenseElementsAttr>(attr))
    return isComputedType(dense.getElementType())
               ? widen(HostTensor::fromAttr(dense)).toAttr()
               : attr;
  auto number = dyn_cast<FloatAttr>(attr);
  if (number && isComputedType(number.getType()))
    return FloatAttr::get(widen(number.getType()), number.getValueAsDouble());
  return attr;
}

/// Makes the function one on f64.
static void widen(func::FuncOp function) {
  auto widenTypes = [](TypeRange types) {
    return llvm::map_to_vector(types, [](Type type) { return widen(type); });
  };
  function.setType(FunctionType::get(function.getContext(),
                                     widenTypes(function.getArgumentTypes()),
                                     widenTypes(function.getResultTypes())));
  function.walk([](Operation *op) {
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        argument.setType(widen(argument.getType()));
    for (OpResult result : op->getResults())
      result.setType(widen(result.getType()));
    if (isa<ConstantOp, arith::ConstantOp>(op))
      op->setAttr("value", widen(op->getAttr("value")));
  });
}

FailureOr<Reference> weft::test::evaluateCase(const Case &test,
                                              ArrayRef<HostTensor> inputs) {
  Reference reference;
  FailureOr<SmallVector<HostTensor>> own =
      evaluateFunction(test.function, inputs);
  if (failed(own))
    return failure();
  reference.own = *own;
  if (test.isExact())
    return reference;

  OwningOpRef<func::FuncOp> function =
      cast<func::FuncOp>(test.function->clone());
  widen(*function);
  if (failed(verify(*function)))
    return function->emitError("can't be evaluated in f64; is it test.exact?");
  Tensors wideInputs;
  for (const HostTensor &input : inputs)
    wideInputs.push_back(widen(input));
  FailureOr<SmallVector<HostTensor>> wide =
      evaluateFunction(*function, wideInputs);
  if (failed(wide))
    return failure();
  reference.wide = *wide;
  return reference;
}
