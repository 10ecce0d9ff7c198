//===- CheckBudget.cpp - Programs that take too much memory ---------------===//
//
// The runtime does the same for sizes that only a run knows
// (lib/Runtime/Core/plan.c).
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Dialect/Host/Transforms/Passes.h"
#include "weft/Interfaces/HostTensor.h"
#include "llvm/Support/Format.h"

namespace weft::host {
#define GEN_PASS_DEF_CHECKBUDGETPASS
#include "weft/Dialect/Host/Transforms/Passes.h.inc"
} // namespace weft::host

using namespace mlir;
using namespace weft;
using namespace weft::host;

namespace {
/// Something that takes memory.
struct Part {
  std::string what;
  int64_t bytes;
};

/// What a program takes, by kind, and its parts.
struct Demand {
  int64_t arena = 0, state = 0, constants = 0, ports = 0;
  SmallVector<Part> parts;

  int64_t total() const { return arena + state + constants + ports; }
  void add(int64_t &sum, StringRef kind, StringRef name, int64_t bytes) {
    sum += bytes;
    parts.push_back({(kind + " \"" + name + "\"").str(), bytes});
  }
};
} // namespace

static std::string formatBytes(int64_t bytes) {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto value = static_cast<double>(bytes);
  StringRef unit = "bytes";
  for (StringRef larger : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024)
      break;
    value /= 1024;
    unit = larger;
  }
  os << llvm::format("%.4g ", value) << unit;
  return text;
}

/// The size of the arena, if it is a number.
static std::optional<int64_t> getArenaBytes(ModuleOp module) {
  auto func = module.lookupSymbol<func::FuncOp>(arenaBytesName);
  APInt bytes;
  if (!func || !func.getBody().hasOneBlock() ||
      !matchPattern(func.getBody().front().getTerminator()->getOperand(0),
                    m_ConstantInt(&bytes)))
    return std::nullopt;
  return bytes.getSExtValue();
}

/// The buffers that are alive when most bytes are.
static void addPeak(ArrayAttr plan, Demand &demand) {
  auto get = [](Attribute entry, StringRef key) {
    auto number = cast<DictionaryAttr>(entry).getAs<IntegerAttr>(key);
    return number ? number.getInt() : 0;
  };
  auto isAlive = [&](Attribute entry, int64_t time) {
    return get(entry, "first") <= time && time <= get(entry, "last");
  };
  int64_t peak = 0, most = -1;
  for (Attribute entry : plan) {
    int64_t time = get(entry, "first"), sum = 0;
    for (Attribute other : plan)
      sum += isAlive(other, time) ? get(other, "bytes") : 0;
    if (sum > most)
      std::tie(most, peak) = std::pair(sum, time);
  }
  for (Attribute entry : plan)
    if (isAlive(entry, peak))
      demand.parts.push_back(
          {"in the arena for \"" +
               cast<DictionaryAttr>(entry).getAs<StringAttr>("name").str() +
               "\"",
           get(entry, "bytes")});
}

/// What ports take; false if a size is not known.
static bool addPorts(ModuleOp module, Demand &demand) {
  auto inputs = module->getAttrOfType<ArrayAttr>(inputsAttrName);
  auto outputs = module->getAttrOfType<ArrayAttr>(outputsAttrName);
  if (!inputs || !outputs)
    return false;
  auto isStatic = [](PortAttr port) { return port.getType().hasStaticShape(); };
  if (!llvm::all_of(inputs.getAsRange<PortAttr>(), isStatic))
    return false;
  for (auto port : inputs.getAsRange<PortAttr>()) {
    int64_t bytes = getStaticBytes(port.getType());
    if (!port.isState()) {
      demand.add(demand.ports, "of the input", port.getName(), bytes);
      continue;
    }
    bool isEarly = cast<PortAttr>(outputs[port.getTwin()]).getEarly();
    demand.add(demand.state,
               port.getRole() == Role::parameter ? "of the parameter"
                                                 : "of the state",
               port.getName(), isEarly ? 2 * bytes : bytes);
  }
  for (auto port : outputs.getAsRange<PortAttr>())
    if (!port.isState() && isStatic(port))
      demand.add(demand.ports, "of the output", port.getName(),
                 getStaticBytes(port.getType()));
  return true;
}

/// What the program takes, if all sizes are known.
static std::optional<Demand> getDemand(ModuleOp module) {
  Demand demand;
  std::optional<int64_t> arena = getArenaBytes(module);
  if (!arena || !addPorts(module, demand))
    return std::nullopt;
  demand.arena = *arena;
  llvm::DenseSet<StringAttr> initial;
  for (auto port :
       module->getAttrOfType<ArrayAttr>(inputsAttrName).getAsRange<PortAttr>())
    if (port.getInitial())
      initial.insert(port.getInitial().getAttr());
  for (auto data : module.getOps<DataOp>())
    if (!initial.contains(data.getSymNameAttr()))
      demand.add(
          demand.constants, "of the constant", data.getName(),
          getStaticBytes(cast<RankedTensorType>(data.getValue().getType())));
  if (auto plan = module->getAttrOfType<ArrayAttr>(planAttrName))
    addPeak(plan, demand);
  llvm::stable_sort(demand.parts, [](const Part &lhs, const Part &rhs) {
    return lhs.bytes > rhs.bytes;
  });
  return demand;
}

namespace {
struct CheckBudgetPass
    : weft::host::impl::CheckBudgetPassBase<CheckBudgetPass> {
  using CheckBudgetPassBase::CheckBudgetPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    module->setAttr(budgetAttrName,
                    Builder(module.getContext()).getI64IntegerAttr(bytes));
    std::optional<Demand> demand = getDemand(module);
    if (!demand || demand->total() <= bytes)
      return;
    auto error = module.emitError("WFT3012: ")
                 << "a run is planned to take " << formatBytes(demand->total())
                 << " of memory (" << demand->total()
                 << " bytes), and the budget is " << formatBytes(bytes)
                 << ": arena " << formatBytes(demand->arena)
                 << ", parameters and state " << formatBytes(demand->state)
                 << ", constants " << formatBytes(demand->constants)
                 << ", inputs and outputs " << formatBytes(demand->ports)
                 << "; largest are ";
    size_t count = std::min<size_t>(5, demand->parts.size());
    for (auto [number, part] :
         llvm::enumerate(ArrayRef(demand->parts).take_front(count)))
      error << (number ? ", " : "") << formatBytes(part.bytes) << " "
            << part.what;
    error << (demand->state ? "; take a smaller batch, or several for an "
                              "update (accumulate), or a larger budget"
                            : "; take smaller inputs, such as a smaller "
                              "batch, or a larger budget");
    signalPassFailure();
  }
};
} // namespace
