//===- TensorMaps.cpp - What the runtime makes tensor maps of -------------===//

#include "TensorMaps.h"
#include "weft-rt/program.h"
#include "weft/Interfaces/HostTensor.h"

using namespace mlir;
using namespace weft;

TensorMaps::TensorMaps(ModuleOp module)
    : module(module), ptr(LLVM::LLVMPointerType::get(module.getContext())) {
  for (auto kernel : module.getOps<dispatch::KernelOp>())
    if (kernel.getDevice())
      for (auto task :
           kernel.getDevice()->getAsRange<dispatch::DeviceTaskAttr>())
        most = std::max(most, task.getNumMaps());
}

void TensorMaps::reserve(ImplicitLocOpBuilder &b) {
  if (most == 0)
    return;
  Value bytes = LLVM::ConstantOp::create(b, b.getI64Type(),
                                         int64_t(most) * WEFT_TENSOR_MAP_BYTES);
  room = LLVM::AllocaOp::create(b, ptr, b.getI8Type(), bytes,
                                WEFT_TENSOR_MAP_ALIGNMENT);
}

Value TensorMaps::at(ImplicitLocOpBuilder &b, size_t place) {
  return LLVM::GEPOp::create(b, ptr, b.getI8Type(), room,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(
                                 place * WEFT_TENSOR_MAP_BYTES)});
}

TensorMaps::Globals TensorMaps::create(ImplicitLocOpBuilder &b,
                                       dispatch::TensorMapAttr map) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(module.getBody());
  std::string name = "weft_tensor_map_" + std::to_string(known.size() - 1);
  auto global = [&](StringRef suffix, Type element, DenseElementsAttr values) {
    return LLVM::GlobalOp::create(
        b, LLVM::LLVMArrayType::get(element, values.size()),
        /*isConstant=*/true, LLVM::Linkage::Private, name + suffix.str(),
        values);
  };
  // The fields of weft_tensor_map, each an i32.
  constexpr size_t kFields = sizeof(weft_tensor_map) / sizeof(int32_t);
  constexpr size_t kBox = offsetof(weft_tensor_map, box) / sizeof(int32_t);
  SmallVector<int32_t> fields(kFields, 0);
  fields[offsetof(weft_tensor_map, dtype) / sizeof(int32_t)] =
      getDtype(map.getElement());
  fields[offsetof(weft_tensor_map, rank) / sizeof(int32_t)] =
      map.getSizes().size();
  for (auto [dim, size] : llvm::enumerate(map.getBox().asArrayRef()))
    fields[kBox + dim] = size;
  fields[offsetof(weft_tensor_map, swizzle) / sizeof(int32_t)] =
      map.getSwizzle();
  SmallVector<int64_t> sizes(map.getSizes().asArrayRef());
  llvm::append_range(sizes, map.getStrides().asArrayRef());
  return {global("", b.getI32Type(), b.getI32TensorAttr(fields)),
          global("_sizes", b.getI64Type(), b.getI64TensorAttr(sizes))};
}

SmallVector<Value> TensorMaps::describe(ImplicitLocOpBuilder &b,
                                        dispatch::TensorMapAttr map, Value word,
                                        size_t place) {
  auto [entry, isNew] = known.try_emplace(map);
  if (isNew)
    entry->second = create(b, map);
  Value sizes =
      LLVM::AddressOfOp::create(b, ptr, entry->second.sizes.getSymName());
  Value strides = LLVM::GEPOp::create(
      b, ptr, b.getI64Type(), sizes,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(map.getSizes().size())});
  return {LLVM::AddressOfOp::create(b, ptr, entry->second.map.getSymName()),
          LLVM::LoadOp::create(b, ptr, word), sizes, strides, at(b, place)};
}
