//===- Contraction.cpp - Products of matrices, however they are posed -----===//

#include "weft/Codegen/Common/Contraction.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace weft;

Value Contraction::columnAddressA(RegionEmitter &e, ArrayRef<Value> batch,
                                  Value m, Value k) {
  llvm_unreachable("columns of A are contiguous in no other problem");
}

SmallVector<Value> Contraction::beginPatch(RegionEmitter &e,
                                           ArrayRef<Value> batch, Value n) {
  llvm_unreachable("no other problem has patches");
}

Value Contraction::patchAddress(RegionEmitter &e, ValueRange patch, Value k,
                                Value &inside) {
  llvm_unreachable("no other problem has patches");
}

Value Contraction::patchOrZeros(RegionEmitter &e, ValueRange patch, Value k) {
  llvm_unreachable("no other problem has patches");
}

/// Whether all elements of `tensor` are the constant zero.
static bool isZero(Value tensor) {
  if (auto broadcast = tensor.getDefiningOp<BroadcastOp>())
    tensor = broadcast.getInput();
  auto constant = tensor.getDefiningOp<ConstantOp>();
  return constant && (matchPattern(constant.getValue(), m_PosZeroFloat()) ||
                      matchPattern(constant.getValue(), m_Zero()));
}

bool Contraction::beginsAtZero() { return !init || isZero(init); }

bool weft::isSummable(Type type) {
  return type.isF16() || type.isBF16() || type.isF32() || type.isF64() ||
         type.isInteger(32) || type.isInteger(64);
}

Value weft::widen(ImplicitLocOpBuilder &b, Value value, Type elementType,
                  Type type) {
  if (value.getType() == type)
    return value;
  if (isa<FloatType>(value.getType()))
    return arith::ExtFOp::create(b, type, value);
  if (isa<FloatType>(type))
    return elementType.isUnsignedInteger()
               ? Value(arith::UIToFPOp::create(b, type, value))
               : arith::SIToFPOp::create(b, type, value);
  return elementType.isUnsignedInteger()
             ? Value(arith::ExtUIOp::create(b, type, value))
             : arith::ExtSIOp::create(b, type, value);
}

void weft::forEachPiece(
    RegionEmitter &e, Value begin, Value count, Value size,
    llvm::function_ref<void(Value, Value, Value, Value)> body) {
  size = e.max(size, e.index(1));
  Value end = e.add(begin, count);
  e.loop(e.div(begin, size), e.ceilDiv(end, size), {},
         [&](Value interval, ValueRange) {
           Value start = e.mul(interval, size);
           Value from = e.max(start, begin);
           Value to = e.min(e.add(start, size), end);
           body(interval, e.sub(from, start), e.sub(from, begin),
                e.sub(to, from));
           return SmallVector<Value>();
         });
}
