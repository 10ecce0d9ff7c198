//===- SelectEmit.cpp - Elements of gathers and random tensors ------------===//

#include "SelectIndex.h"
#include "StructuredSupport.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Indices that are data
//===----------------------------------------------------------------------===//

CheckedIndex weft::emitCheckedIndex(ElementEmitter &emitter, Operation *op,
                                    Value raw, Value size) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Value index = arith::IndexCastOp::create(b, b.getIndexType(), raw);
  Value zero = emitter.index(0);
  Value isNegative =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, zero);
  Value fromEnd = arith::AddIOp::create(b, index, size);
  Value wrapped = arith::SelectOp::create(b, isNegative, fromEnd, index);
  Value inRange =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, wrapped, size);
  emitter.require(op, inRange, Fault::IndexOutOfRange, index, size);
  return {arith::SelectOp::create(b, inRange, wrapped, zero), inRange};
}

// Loads the input's element at `indices`, some of which were checked. A zero in
// place of a wrong index is safe unless a dimension is empty; where that cannot
// be excluded, nothing is loaded.
static Value emitSafeElement(ElementEmitter &emitter, Value input,
                             ArrayRef<Value> indices,
                             ArrayRef<int64_t> checkedDims, Value inRange) {
  auto type = cast<RankedTensorType>(input.getType());
  bool mayBeEmpty = llvm::any_of(checkedDims, [&](int64_t dim) {
    return type.isDynamicDim(dim) || type.getDimSize(dim) == 0;
  });
  if (!mayBeEmpty)
    return emitter.element(input, indices);
  return emitter.choose(
      inRange, [&] { return emitter.element(input, indices); },
      [&] {
        return emitter.constant(getSignlessType(type.getElementType()), 0);
      });
}

Value GatherOp::emitElement(ElementEmitter &emitter, ArrayRef<Value> indices) {
  int64_t axis = getAxis();
  int64_t indexRank = getIndices().getType().getRank();
  Value raw = emitter.element(getIndices(), indices.slice(axis, indexRank));
  CheckedIndex checked = emitCheckedIndex(emitter, getOperation(), raw,
                                          emitter.size(getInput(), axis));
  SmallVector<Value> position(indices.take_front(axis));
  position.push_back(checked.index);
  llvm::append_range(position, indices.drop_front(axis + indexRank));
  return emitSafeElement(emitter, getInput(), position, axis, checked.inRange);
}

Value GatherElementsOp::emitElement(ElementEmitter &emitter,
                                    ArrayRef<Value> indices) {
  int64_t axis = getAxis();
  Value raw = emitter.element(getIndices(), indices);
  CheckedIndex checked = emitCheckedIndex(emitter, getOperation(), raw,
                                          emitter.size(getInput(), axis));
  SmallVector<Value> position(indices);
  position[axis] = checked.index;
  return emitSafeElement(emitter, getInput(), position, axis, checked.inRange);
}

Value GatherNDOp::emitElement(ElementEmitter &emitter,
                              ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  RankedTensorType type = getIndices().getType();
  int64_t outer = type.getRank() - 1;
  int64_t batch = getBatchDims();
  SmallVector<Value> at(indices.take_front(outer));
  SmallVector<Value> position(indices.take_front(batch));
  SmallVector<int64_t> checkedDims;
  Value inRange = arith::ConstantOp::create(b, b.getBoolAttr(true));
  at.emplace_back();
  for (int64_t i = 0; i < type.getShape().back(); ++i) {
    at.back() = emitter.index(i);
    int64_t dim = batch + i;
    CheckedIndex checked = emitCheckedIndex(emitter, getOperation(),
                                            emitter.element(getIndices(), at),
                                            emitter.size(getInput(), dim));
    position.push_back(checked.index);
    checkedDims.push_back(dim);
    inRange = arith::AndIOp::create(b, inRange, checked.inRange);
  }
  llvm::append_range(position, indices.drop_front(outer));
  return emitSafeElement(emitter, getInput(), position, checkedDims, inRange);
}

//===----------------------------------------------------------------------===//
// Philox-4x32-10
//===----------------------------------------------------------------------===//

namespace {
/// Emits i32 arithmetic with constants.
struct Words {
  ImplicitLocOpBuilder &b;

  Value constant(uint32_t value) {
    return arith::ConstantOp::create(
        b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  /// The low and the high word of an i64.
  std::pair<Value, Value> split(Value wide) {
    Value shift = arith::ConstantOp::create(b, b.getI64IntegerAttr(32));
    Value high = arith::ShRUIOp::create(b, wide, shift);
    return {arith::TruncIOp::create(b, b.getI32Type(), wide),
            arith::TruncIOp::create(b, b.getI32Type(), high)};
  }
};
} // namespace

// Ten rounds of Philox on the counter `c` with the key `k`. The constants are
// those of Salmon et al.
static void emitPhilox(Words words, Value (&c)[4], Value (&k)[2]) {
  ImplicitLocOpBuilder &b = words.b;
  Value mul0 = words.constant(0xD2511F53), mul1 = words.constant(0xCD9E8D57);
  Value weyl0 = words.constant(0x9E3779B9), weyl1 = words.constant(0xBB67AE85);
  for (int round = 0; round < 10; ++round) {
    if (round != 0) {
      k[0] = arith::AddIOp::create(b, k[0], weyl0);
      k[1] = arith::AddIOp::create(b, k[1], weyl1);
    }
    auto product0 = arith::MulUIExtendedOp::create(b, mul0, c[0]);
    auto product1 = arith::MulUIExtendedOp::create(b, mul1, c[2]);
    Value mixed0 = arith::XOrIOp::create(b, product1.getHigh(), c[1]);
    Value mixed2 = arith::XOrIOp::create(b, product0.getHigh(), c[3]);
    c[0] = arith::XOrIOp::create(b, mixed0, k[0]);
    c[1] = product1.getLow();
    c[2] = arith::XOrIOp::create(b, mixed2, k[1]);
    c[3] = product0.getLow();
  }
}

Value RandomUniformOp::emitElement(ElementEmitter &emitter,
                                   ArrayRef<Value> indices) {
  ImplicitLocOpBuilder &b = emitter.builder();
  Words words{b};
  RankedTensorType type = getType();
  Value number = emitter.index(0);
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    Value size = type.isDynamicDim(dim)
                     ? emitter.scalar(getSizes()[type.getDynamicDimIndex(dim)])
                     : emitter.index(type.getDimSize(dim));
    number = arith::AddIOp::create(b, arith::MulIOp::create(b, number, size),
                                   indices[dim]);
  }
  Value wide = arith::IndexCastOp::create(b, b.getI64Type(), number);
  Value two = arith::ConstantOp::create(b, b.getI64IntegerAttr(2));
  Value three = arith::ConstantOp::create(b, b.getI64IntegerAttr(3));
  Value block = arith::ShRUIOp::create(b, wide, two);
  Value lane = arith::AndIOp::create(b, wide, three);

  Value c[4], k[2];
  std::tie(c[0], c[1]) = words.split(block);
  uint64_t stream = getStream();
  c[2] = words.constant(static_cast<uint32_t>(stream));
  c[3] = words.constant(static_cast<uint32_t>(stream >> 32));
  std::tie(k[0], k[1]) = words.split(emitter.element(getSeed(), {}));
  emitPhilox(words, c, k);

  Value word = c[0];
  for (int64_t i = 1; i < 4; ++i) {
    Value number = arith::ConstantOp::create(b, b.getI64IntegerAttr(i));
    Value isLane =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, number);
    word = arith::SelectOp::create(b, isLane, c[i], word);
  }
  // 24 bits fit the significand, so neither step rounds.
  Value bits = arith::ShRUIOp::create(b, word, words.constant(8));
  Value whole = arith::UIToFPOp::create(b, b.getF32Type(), bits);
  return arith::MulFOp::create(b, whole,
                               emitter.constant(b.getF32Type(), 0x1p-24));
}
