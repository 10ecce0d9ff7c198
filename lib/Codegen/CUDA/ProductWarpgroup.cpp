//===- ProductWarpgroup.cpp - Products by the instructions of sm_90a ------===//
//
// As with other matrix instructions, but four warps multiply together, 64 rows
// by all columns of the tile, straight from shared memory: `wgmma` takes
// descriptors of where A and B lie. Rows are 128 bytes long there, which is a
// layout that the instruction knows. While one part is multiplied, the next one
// is begun with, so that a part's memory is free two parts later.
//
//===----------------------------------------------------------------------===//

#include "ProductWarpgroup.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

/// Rows, and depth, of an instruction.
static constexpr int64_t kGroupRows = 64, kStep = 16;

Value MatrixCopy::descriptor(RegionEmitter &e, Value base, Value first,
                             int64_t k) {
  ImplicitLocOpBuilder &b = e.builder();
  Type i64 = b.getI64Type();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
  };
  // Rows of eight are a unit, in which chunks are exchanged. Along the depth
  // there is one panel; else panels of 64 elements, `leading` bytes apart.
  int64_t rowBytes = rowElements() * bytesEach;
  assert(rowBytes == 128 && "the only layout that is used");
  int64_t stride = 8 * rowBytes;
  int64_t leading = isDeep ? kChunkBytes : depth() * rowBytes;
  constexpr int64_t mode = 1; // of 128 bytes
  Value at =
      isDeep
          ? e.add(e.mul(first, e.index(rowBytes)), e.index(k * bytesEach))
          : e.add(e.mul(e.div(first, e.index(rowElements())), e.index(leading)),
                  e.index(k * rowBytes));
  Value address =
      LLVM::PtrToIntOp::create(b, i64, elementAt(e, base, b.getI8Type(), at));
  address = arith::ShRUIOp::create(
      b, arith::AndIOp::create(b, address, constant(0x3ffff)), constant(4));
  return arith::OrIOp::create(
      b, address,
      constant(leading / 16 << 16 | stride / 16 << 32 | mode << 62));
}

WarpgroupEmitter::WarpgroupEmitter(const Product &product,
                                   const TileShape &shape, int64_t splits)
    : MatrixEmitter(product, shape, splits, /*depthBytes=*/128) {
  // Of what a multiprocessor has, half, or all if that is too little.
  constexpr int64_t kHalf = 112 * 1024, kLeast = 3, kMost = 4;
  int64_t fit = kHalf / partBytes();
  isAlone = fit < kLeast;
  stages = std::min(kMost, isAlone ? 2 * kHalf / partBytes() : fit);
  // One part is multiplied still when the next one is begun with.
  ahead = stages - 2;
}

int32_t WarpgroupEmitter::together() {
  return isAlone || !areAsynchronous() ? 1 : MatrixEmitter::together();
}

void WarpgroupEmitter::endParts(RegionEmitter &e) {
  NVVM::WgmmaWaitGroupSyncOp::create(e.builder(), 0);
}

void WarpgroupEmitter::publishPart(RegionEmitter &e) {
  ImplicitLocOpBuilder &b = e.builder();
  NVVM::FenceProxyOp::create(
      b,
      NVVM::ProxyKindAttr::get(b.getContext(), NVVM::ProxyKind::async_shared),
      NVVM::SharedSpaceAttr::get(b.getContext(),
                                 NVVM::SharedSpace::shared_cta));
}

SmallVector<Value> WarpgroupEmitter::multiplyPart(RegionEmitter &e, Value at,
                                                  Values sums) {
  ImplicitLocOpBuilder &b = e.builder();
  MLIRContext *context = b.getContext();
  SmallVector<Type> types(sums.size(), b.getF32Type());
  auto result = LLVM::LLVMStructType::getLiteral(context, types);
  Value all = LLVM::PoisonOp::create(b, result);
  for (auto [i, sum] : llvm::enumerate(sums))
    all = LLVM::InsertValueOp::create(b, all, sum, i);

  Value baseA = stage(e, at);
  Value baseB = elementAt(e, baseA, b.getI8Type(), e.index(copyA.bytes()));
  Value row =
      e.mul(e.div(warpM, e.index(kGroupRows / kRows)), e.index(kGroupRows));
  auto type = NVVM::WGMMATypesAttr::get(context, problem.operandType.isF16()
                                                     ? NVVM::WGMMATypes::f16
                                                     : NVVM::WGMMATypes::bf16);
  auto one = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
  auto layout = [&](bool isRow) {
    return NVVM::MMALayoutAttr::get(context, isRow ? NVVM::MMALayout::row
                                                   : NVVM::MMALayout::col);
  };
  NVVM::WgmmaFenceAlignedOp::create(b);
  for (int64_t k = 0; k < partDepth(); k += kStep)
    all = NVVM::WgmmaMmaAsyncOp::create(
        b, result, all, copyA.descriptor(e, baseA, row, k),
        copyB.descriptor(e, baseB, e.index(0), k),
        NVVM::MMAShapeAttr::get(context, kGroupRows, shape.columns(), kStep),
        type, type, NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32),
        NVVM::WGMMAScaleOutAttr::get(context, NVVM::WGMMAScaleOut::one), one,
        one, layout(copyA.isAlongDepth()), layout(!copyB.isAlongDepth()),
        nullptr);
  NVVM::WgmmaGroupSyncAlignedOp::create(b);
  // Of the part before, whose place is free then.
  NVVM::WgmmaWaitGroupSyncOp::create(b, 1);
  for (auto [i, sum] : llvm::enumerate(sums))
    sum = LLVM::ExtractValueOp::create(b, all, i);
  return sums;
}

void weft::cuda::addWarpgroupProduct(const Product &product,
                                     const TileShape &shape, int64_t splits) {
  WarpgroupEmitter(product, shape, splits).addTasks();
}
