//===- Target.cpp - What code generation knows of a processor -------------===//

#include "weft/Codegen/CPU/Target.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace weft::cpu;

static constexpr llvm::StringLiteral kAttrName = "weft.cpu";

TargetDescription TargetDescription::get(ModuleOp module) {
  TargetDescription target;
  auto dict = module->getAttrOfType<DictionaryAttr>(kAttrName);
  if (!dict)
    return target;
  auto read = [&](llvm::StringRef name, int64_t &field) {
    if (auto attr = dict.getAs<IntegerAttr>(name))
      field = attr.getInt();
  };
  read("vector_bytes", target.vectorBytes);
  read("vector_registers", target.vectorRegisters);
  read("l1_bytes", target.l1Bytes);
  read("l2_bytes", target.l2Bytes);
  read("cores", target.cores);
  return target;
}

void TargetDescription::set(ModuleOp module) const {
  Builder b(module.getContext());
  module->setAttr(
      kAttrName,
      b.getDictionaryAttr({
          b.getNamedAttr("vector_bytes", b.getI64IntegerAttr(vectorBytes)),
          b.getNamedAttr("vector_registers",
                         b.getI64IntegerAttr(vectorRegisters)),
          b.getNamedAttr("l1_bytes", b.getI64IntegerAttr(l1Bytes)),
          b.getNamedAttr("l2_bytes", b.getI64IntegerAttr(l2Bytes)),
          b.getNamedAttr("cores", b.getI64IntegerAttr(cores)),
      }));
}
