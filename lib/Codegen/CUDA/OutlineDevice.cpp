//===- OutlineDevice.cpp - A module of what runs on a GPU -----------------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "weft/Codegen/CUDA/Passes.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"

namespace weft {
#define GEN_PASS_DEF_OUTLINEDEVICEPASS
#include "weft/Codegen/CUDA/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct OutlineDevice : weft::impl::OutlineDevicePassBase<OutlineDevice> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto b = OpBuilder::atBlockBegin(module.getBody());
    auto device = ModuleOp::create(b, module.getLoc(), kDeviceModule);
    for (auto kernel : module.getOps<dispatch::KernelOp>()) {
      if (!kernel.getDevice())
        continue;
      for (auto [task, launch] : llvm::zip_equal(
               kernel.getTasks().getAsRange<FlatSymbolRefAttr>(),
               kernel.getDevice()->getAsRange<dispatch::DeviceTaskAttr>())) {
        auto func = module.lookupSymbol<func::FuncOp>(task.getAttr());
        func->moveBefore(device.getBody(), device.getBody()->end());
        func.setPublic();
        func->setAttr(kThreadsAttr, b.getI32IntegerAttr(launch.getThreads()));
      }
    }
    // Those of the host are in no numbered address space.
    for (auto global :
         llvm::make_early_inc_range(module.getOps<LLVM::GlobalOp>()))
      if (global.getAddrSpace() != 0)
        global->moveBefore(device.getBody(), device.getBody()->begin());
    if (device.getBody()->empty())
      device.erase();
  }
};
} // namespace
