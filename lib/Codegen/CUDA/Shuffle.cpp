//===- Shuffle.cpp - Values of other lanes of a warp ----------------------===//

#include "Shuffle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

Value weft::cuda::emitThread(RegionEmitter &e) {
  ImplicitLocOpBuilder &b = e.builder();
  return arith::IndexCastUIOp::create(
      b, b.getIndexType(), NVVM::ThreadIdXOp::create(b, b.getI32Type()));
}

/// Passes `value` through shuffles of 32 bits.
static Value shuffle(RegionEmitter &e, Value value, NVVM::ShflKind kind,
                     int32_t which, int32_t clamp, Value members) {
  ImplicitLocOpBuilder &b = e.builder();
  Type i32 = b.getI32Type(), type = value.getType();
  auto shuffleWord = [&](Value word) -> Value {
    return NVVM::ShflOp::create(b, i32, members, word, e.constant(i32, which),
                                e.constant(i32, clamp), kind, UnitAttr());
  };
  Type bits = b.getIntegerType(type.getIntOrFloatBitWidth());
  Value word = value;
  if (bits != type)
    word = arith::BitcastOp::create(b, bits, value);
  unsigned width = bits.getIntOrFloatBitWidth();
  if (width == 64) {
    Value shift = e.constant(bits, 32);
    Value low = arith::TruncIOp::create(b, i32, word);
    Value high =
        arith::TruncIOp::create(b, i32, arith::ShRUIOp::create(b, word, shift));
    low = arith::ExtUIOp::create(b, bits, shuffleWord(low));
    high = arith::ExtUIOp::create(b, bits, shuffleWord(high));
    word = arith::OrIOp::create(b, low, arith::ShLIOp::create(b, high, shift));
  } else if (width == 32) {
    word = shuffleWord(word);
  } else {
    word = shuffleWord(arith::ExtUIOp::create(b, i32, word));
    word = arith::TruncIOp::create(b, bits, word);
  }
  return bits == type ? word : arith::BitcastOp::create(b, type, word);
}

SmallVector<Value> weft::cuda::emitExchange(RegionEmitter &e, ValueRange values,
                                            int32_t mask, Value members) {
  return llvm::map_to_vector(values, [&](Value value) {
    return shuffle(e, value, NVVM::ShflKind::bfly, mask, kWarp - 1, members);
  });
}

static Value allLanes(RegionEmitter &e) {
  return e.constant(e.builder().getI32Type(), -1);
}

Value weft::cuda::emitExchange(RegionEmitter &e, Value value, int32_t mask) {
  return shuffle(e, value, NVVM::ShflKind::bfly, mask, kWarp - 1, allLanes(e));
}

Value weft::cuda::emitFromBefore(RegionEmitter &e, Value value,
                                 int32_t distance) {
  return shuffle(e, value, NVVM::ShflKind::up, distance, 0, allLanes(e));
}

Value weft::cuda::emitFromLane(RegionEmitter &e, Value value, int32_t lane) {
  return shuffle(e, value, NVVM::ShflKind::idx, lane, kWarp - 1, allLanes(e));
}
