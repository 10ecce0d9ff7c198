//===- ProductOperand.cpp - Operands on their way to shared memory --------===//
//
// Shared memory holds a part of an operand by depth: a row has the elements of
// one depth, and 16 bytes more than a multiple of 128, so that neither the
// elements of a row nor those at one place of eight rows share a bank. So that
// stores make use of that, a warp takes neighbours in a row, or a patch that is
// eight elements deep; the latter is one sector wide in memory where elements
// are neighbours along the depth.
//
//===----------------------------------------------------------------------===//

#include "Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// The depth of a warp's patch.
static constexpr int64_t kPatch = 8;

//===----------------------------------------------------------------------===//
// Code that is emitted often
//===----------------------------------------------------------------------===//

Value weft::cuda::zeroOf(RegionEmitter &e, Type type) {
  if (!isa<VectorType>(type))
    return e.constant(type, 0);
  ImplicitLocOpBuilder &b = e.builder();
  return arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type)));
}

Value weft::cuda::multiplyAdd(RegionEmitter &e, Value a, Value b, Value sum) {
  ImplicitLocOpBuilder &builder = e.builder();
  if (isa<FloatType>(sum.getType()))
    return LLVM::FMAOp::create(builder, a, b, sum);
  return arith::AddIOp::create(builder, sum,
                               arith::MulIOp::create(builder, a, b));
}

Value weft::cuda::elementAt(RegionEmitter &e, Value base, Type type,
                            Value position) {
  return e.address(MemoryView{base, type, {}, {}}, position);
}

static unsigned bytesOf(Type type, int64_t count) {
  return type.getIntOrFloatBitWidth() / 8 * count;
}

Value weft::cuda::loadVector(RegionEmitter &e, Value base, Type type,
                             int64_t count, Value position) {
  return LLVM::LoadOp::create(e.builder(), VectorType::get(count, type),
                              elementAt(e, base, type, position),
                              bytesOf(type, count));
}

void weft::cuda::storeVector(RegionEmitter &e, Value base, ValueRange elements,
                             Value position) {
  ImplicitLocOpBuilder &b = e.builder();
  Type type = elements.front().getType();
  auto count = static_cast<int64_t>(elements.size());
  Value vector =
      LLVM::PoisonOp::create(b, VectorType::get(elements.size(), type));
  for (auto [i, element] : llvm::enumerate(elements))
    vector = LLVM::InsertElementOp::create(
        b, vector, element,
        LLVM::ConstantOp::create(b, b.getI32Type(), static_cast<int32_t>(i)));
  LLVM::StoreOp::create(b, vector, elementAt(e, base, type, position),
                        bytesOf(type, count));
}

Value weft::cuda::extract(RegionEmitter &e, Value vector, int64_t number) {
  ImplicitLocOpBuilder &b = e.builder();
  return LLVM::ExtractElementOp::create(
      b, vector,
      LLVM::ConstantOp::create(b, b.getI32Type(),
                               static_cast<int32_t>(number)));
}

void weft::cuda::barrier(RegionEmitter &e) {
  NVVM::Barrier0Op::create(e.builder());
}

SmallVector<Value>
weft::cuda::emitIf(RegionEmitter &e, Value condition, TypeRange types,
                   llvm::function_ref<SmallVector<Value>()> body,
                   llvm::function_ref<SmallVector<Value>()> otherwise) {
  if (!condition)
    return body();
  ImplicitLocOpBuilder &b = e.builder();
  auto ifOp = scf::IfOp::create(b, types, condition, /*addThenBlock=*/true,
                                /*addElseBlock=*/!types.empty());
  OpBuilder::InsertionGuard guard(b);
  auto emitSide = [&](Block *block,
                      llvm::function_ref<SmallVector<Value>()> side) {
    b.setInsertionPointToStart(block);
    SmallVector<Value> values = side();
    b.setInsertionPointToEnd(block);
    if (block->empty() || !block->back().hasTrait<OpTrait::IsTerminator>())
      scf::YieldOp::create(b, values);
  };
  emitSide(ifOp.thenBlock(), body);
  if (types.empty())
    return {};
  emitSide(ifOp.elseBlock(), [&] {
    if (otherwise)
      return otherwise();
    return llvm::map_to_vector(types,
                               [&](Type type) { return zeroOf(e, type); });
  });
  return SmallVector<Value>(ifOp.getResults());
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

Value ProductOperand::address(RegionEmitter &e, ArrayRef<Value> batch,
                              ValueRange patch, Value outer, Value k,
                              Value &inside) {
  if (hasPatches())
    return problem.patchAddress(e, patch, k, inside);
  if (isAlongOuter())
    return isA ? problem.columnAddressA(e, batch, outer, k)
               : problem.columnAddress(e, batch, k, outer);
  Value start = isA ? problem.rowAddress(e, batch, outer)
                    : problem.depthAddress(e, batch, outer);
  return elementAt(e, start, type(), k);
}

OperandCopy::OperandCopy(ProductOperand operand, int64_t outer, int64_t depth,
                         int64_t vector, int64_t threads)
    : operand(operand), outer(outer), depth(depth), vector(vector),
      threads(threads),
      rowStride(llvm::alignTo(outer, kPatch * vector) + vector) {
  if (operand.hasVectorsAlongOuter(vector))
    form = Form::VectorsOuter;
  else if (operand.hasVectorsAlongDepth(vector))
    form = Form::VectorsDepth;
  else
    form = operand.isDeep() ? Form::ElementsDepth : Form::ElementsOuter;
}

SmallVector<Type> OperandCopy::types() const {
  Type type = operand.type();
  return SmallVector<Type>(
      share(), isVector() ? Type(VectorType::get(vector, type)) : type);
}

namespace {
/// A number that is `first + step * number`, below `limit`, where all but
/// `first`, which is below `step`, are known, and powers of two.
struct Counted {
  Value first;
  int64_t step, number;

  /// Its quotient and rest by `size`, a power of two.
  std::pair<Counted, Value> split(RegionEmitter &e, int64_t size) const {
    if (step >= size)
      return {Counted{e.div(first, e.index(size)), step / size, number},
              e.rem(first, e.index(size))};
    int64_t steps = size / step;
    return {Counted{e.index(0), 1, number / steps},
            e.add(first, e.index(number % steps * step))};
  }
  Value get(RegionEmitter &e) const {
    return e.add(first, e.index(step * number));
  }
};
} // namespace

OperandCopy::Place OperandCopy::place(RegionEmitter &e,
                                      const ProductBlock &block,
                                      int64_t number) {
  Counted unit{block.thread, threads, number};
  int64_t along = isVector() ? vector : 1;
  if (form == Form::VectorsOuter || form == Form::ElementsOuter) {
    auto [k, place] = unit.split(e, outer / along);
    return {e.mul(place, e.index(along)), k.get(e)};
  }
  auto [rest, inPatch] = unit.split(e, kPatch / along);
  auto [patch, place] = rest.split(e, outer);
  return {place, e.add(e.mul(patch.get(e), e.index(kPatch)),
                       e.mul(inPatch, e.index(along)))};
}

SmallVector<Value>
OperandCopy::ifSharing(RegionEmitter &e, const ProductBlock &block,
                       llvm::function_ref<SmallVector<Value>()> body) {
  Value condition;
  if (units() < threads)
    condition = arith::CmpIOp::create(e.builder(), arith::CmpIPredicate::slt,
                                      block.thread, e.index(units()));
  return emitIf(e, condition, types(), body);
}

/// The index of the operand's element; what lies beyond the edges is read from
/// within.
Value OperandCopy::indexOf(RegionEmitter &e, const ProductBlock &block,
                           Value place) {
  Value index = e.add(operand.isA ? block.m0 : block.n0, place);
  if (ProductOperand::isMultiple(operand.staticOuter(), outer))
    return index;
  int64_t count = form == Form::VectorsOuter ? vector : 1;
  return e.min(index, e.sub(operand.outerSize(e), e.index(count)));
}

void OperandCopy::begin(RegionEmitter &e, const ProductBlock &block) {
  patches.clear();
  for (int64_t number :
       llvm::seq(isVector() && operand.hasPatches() ? share() : 0))
    patches.push_back(operand.beginPatch(
        e, block.batch, indexOf(e, block, place(e, block, number).outer)));
}

/// The vector at `index` and `k`, or zeros from where there are such.
Value OperandCopy::loadVector(RegionEmitter &e, const ProductBlock &block,
                              int64_t number, Value index, Value k) {
  ImplicitLocOpBuilder &b = e.builder();
  Value inside;
  Value from = patches.empty()
                   ? operand.address(e, block.batch, {}, index, k, inside)
                   : operand.problem.patchOrZeros(e, patches[number], k);
  return LLVM::LoadOp::create(b, VectorType::get(vector, operand.type()), from,
                              bytesOf(operand.type(), vector));
}

SmallVector<Value> OperandCopy::load(RegionEmitter &e,
                                     const ProductBlock &block, Value k0) {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t alongDepth = form == Form::VectorsDepth ? vector : 1;
  bool isDeep = !ProductOperand::isMultiple(operand.problem.staticK, depth);
  return ifSharing(e, block, [&] {
    SmallVector<Value> values;
    for (int64_t number : llvm::seq(share())) {
      Place at = place(e, block, number);
      Value index = indexOf(e, block, at.outer);
      Value k = e.add(k0, at.k), inside;
      if (isDeep) {
        Value size = operand.problem.depth(e);
        inside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, k, size);
        k = e.min(k, e.sub(size, e.index(alongDepth)));
      }
      Value value = isVector() ? loadVector(e, block, number, index, k)
                               : operand.element(e, block.batch, index, k);
      if (inside)
        value = arith::SelectOp::create(b, inside, value,
                                        zeroOf(e, value.getType()));
      values.push_back(value);
    }
    return values;
  });
}

void OperandCopy::store(RegionEmitter &e, const ProductBlock &block, Value base,
                        ValueRange values) {
  ImplicitLocOpBuilder &b = e.builder();
  Type type = operand.type();
  auto storeAt = [&](Value value, const Place &at, int64_t deeper) {
    Value row = e.add(at.k, e.index(deeper));
    Value position = e.add(e.mul(row, e.index(rowStride)), at.outer);
    unsigned bytes = isa<VectorType>(value.getType()) ? bytesOf(type, vector)
                                                      : bytesOf(type, 1);
    LLVM::StoreOp::create(b, value, elementAt(e, base, type, position), bytes);
  };
  Value condition;
  if (units() < threads)
    condition = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                      block.thread, e.index(units()));
  emitIf(e, condition, {}, [&] {
    for (auto [number, value] : llvm::enumerate(values)) {
      Place at = place(e, block, number);
      if (form == Form::VectorsDepth)
        for (int64_t i : llvm::seq(vector))
          storeAt(extract(e, value, i), at, i);
      else
        storeAt(value, at, 0);
    }
    return SmallVector<Value>();
  });
}
