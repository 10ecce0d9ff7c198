//===- Backward.cpp - What is kept and computed again for gradients -------===//

#include "Session.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "weft/Dialect/Dispatch/IR/DispatchDialect.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Interfaces/ConcreteShapes.h"
#include "weft/Interfaces/HostTensor.h"
#include "weft/Interfaces/Interfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"
#include <cstring>
#include <map>

using namespace mlir;
using namespace weft;
using dispatch::RegionOp;

namespace {
/// Gives values numbers, so that values that are computed in the same way from
/// the same ones have the same, in whatever kernel.
class ValueNumbers {
public:
  void visit(Operation *op);
  int64_t get(Value value) const { return numbers.lookup(value); }

private:
  int64_t find(const std::vector<int64_t> &key) {
    return known.try_emplace(key, known.size() + 1).first->second;
  }

  DenseMap<Value, int64_t> numbers;
  std::map<std::vector<int64_t>, int64_t> known;
};

/// The kernels of a training step before its gradients, and behind them.
class BackwardReport {
public:
  BackwardReport(func::FuncOp main, const PipelineOptions &options)
      : main(main), options(options) {}

  /// Nothing if the function has no loss.
  std::optional<llvm::json::Object> describe();

private:
  bool findForward();
  llvm::json::Array assumeSizes();
  llvm::json::Array describeKept(int64_t &total);
  llvm::json::Array describeRepeated();

  func::FuncOp main;
  const PipelineOptions &options;
  ConcreteShapes shapes;
  llvm::SetVector<Operation *> forward; ///< what the loss depends on
};
} // namespace

static int64_t toNumber(const void *pointer) {
  return static_cast<int64_t>(reinterpret_cast<intptr_t>(pointer));
}

void ValueNumbers::visit(Operation *op) {
  if (auto region = dyn_cast<RegionOp>(op)) {
    Block &body = region.getBody().front();
    for (auto [argument, operand] :
         llvm::zip_equal(body.getArguments(),
                         op->getOperands().take_front(body.getNumArguments())))
      numbers[argument] = get(operand);
    for (Operation &inner : body.without_terminator())
      visit(&inner);
    for (auto [result, yielded] :
         llvm::zip_equal(op->getResults(), region.getYield().getResults()))
      numbers[result] = get(yielded);
    return;
  }
  std::vector<int64_t> key = {
      toNumber(op->getName().getAsOpaquePointer()),
      toNumber(op->getAttrDictionary().getAsOpaquePointer())};
  for (Value operand : op->getOperands()) {
    // What is not followed is like nothing else.
    int64_t number = get(operand);
    key.push_back(number ? number : toNumber(operand.getAsOpaquePointer()));
  }
  if (op->getNumRegions())
    key.push_back(toNumber(op));
  for (OpResult result : op->getResults()) {
    std::vector<int64_t> own = key;
    own.push_back(result.getResultNumber());
    own.push_back(toNumber(result.getType().getAsOpaquePointer()));
    numbers[result] = find(own);
  }
}

/// The node that `op` is of; "" if it has no name.
static std::string getNode(Operation *op) {
  auto name = op->getLoc()->findInstanceOf<NameLoc>();
  return name ? name.getName().str() : "";
}

/// The nodes that a kernel computes.
static llvm::json::Array getNodes(Operation *op) {
  llvm::SetVector<StringRef> names;
  op->walk([&](Operation *inner) {
    if (inner == op && isa<RegionOp>(op))
      return;
    if (auto name = inner->getLoc()->findInstanceOf<NameLoc>())
      names.insert(name.getName().getValue());
  });
  return llvm::json::Array(names.getArrayRef());
}

/// The op that makes `value`, within its kernel if it is a kernel's.
static Operation *getMaker(Value value) {
  auto result = cast<OpResult>(value);
  auto region = dyn_cast<RegionOp>(result.getOwner());
  if (!region)
    return result.getOwner();
  Value inner = region.getYield().getResults()[result.getResultNumber()];
  Operation *maker = inner.getDefiningOp();
  return maker ? maker : result.getOwner();
}

bool BackwardReport::findForward() {
  Operation *end = main.getBody().front().getTerminator();
  SmallVector<Value> open;
  for (auto [i, value] : llvm::enumerate(end->getOperands())) {
    auto role = main.getResultAttrOfType<StringAttr>(i, kRoleAttr);
    if (role && role.getValue() == "loss")
      open.push_back(value);
  }
  while (!open.empty()) {
    Operation *op = open.pop_back_val().getDefiningOp();
    if (op && forward.insert(op))
      llvm::append_range(open, op->getOperands());
  }
  return !forward.empty();
}

/// Symbolic sizes are the least that is allowed, or one.
llvm::json::Array BackwardReport::assumeSizes() {
  llvm::SetVector<StringRef> assumed;
  for (BlockArgument argument : main.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    auto names =
        main.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "weft.dims");
    SmallVector<int64_t> shape(type.getShape());
    for (auto [i, size] : llvm::enumerate(shape)) {
      if (!ShapedType::isDynamic(size))
        continue;
      StringRef name = names && i < names.size()
                           ? cast<StringAttr>(names[i]).getValue()
                           : "";
      auto limit = options.dims.find(name.str());
      size = limit == options.dims.end() ? 1 : limit->second.first;
      if (limit == options.dims.end())
        assumed.insert(name.empty() ? "?" : name);
    }
    shapes.set(argument, shape);
  }
  return llvm::json::Array(assumed.getArrayRef());
}

/// Results of forward kernels that others read.
llvm::json::Array BackwardReport::describeKept(int64_t &total) {
  llvm::json::Array kept;
  for (Operation &op : main.getBody().front()) {
    if (!forward.contains(&op))
      continue;
    for (Value result : op.getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      llvm::SetVector<Operation *> readers;
      for (Operation *user : result.getUsers())
        if (isa<RegionOp>(user) && !forward.contains(user))
          readers.insert(user);
      if (!type || readers.empty())
        continue;
      llvm::json::Array kernels;
      for (Operation *reader : readers)
        kernels.push_back(getNodes(reader));
      std::string text;
      llvm::raw_string_ostream(text) << type;
      llvm::json::Object entry{{"node", getNode(getMaker(result))},
                               {"type", text},
                               {"bytes", nullptr},
                               {"read_by", std::move(kernels)}};
      if (std::optional<ConcreteShapes::Shape> shape =
              shapes.getShape(result)) {
        int64_t bytes = getStorageBytes(type.getElementType());
        for (int64_t size : *shape)
          bytes *= size;
        entry["bytes"] = bytes;
        total += bytes;
      }
      kept.push_back(std::move(entry));
    }
  }
  return kept;
}

/// Whether `op` computes something, with sizes that are not known as one.
static bool hasWork(Operation *op) {
  auto cost = dyn_cast<CostOpInterface>(op);
  if (!cost)
    return false;
  OpShapes sizes;
  auto add = [](ValueRange values, auto &into) {
    for (Value value : values) {
      SmallVector<int64_t> shape;
      if (auto type = dyn_cast<RankedTensorType>(value.getType()))
        for (int64_t size : type.getShape())
          shape.push_back(ShapedType::isDynamic(size) ? 1 : size);
      into.push_back(shape);
    }
  };
  add(op->getOperands(), sizes.operands);
  add(op->getResults(), sizes.results);
  return cost.getCost(sizes).flops > 0;
}

/// What forward kernels compute and others compute again.
llvm::json::Array BackwardReport::describeRepeated() {
  ValueNumbers numbers;
  llvm::DenseSet<int64_t> known;
  llvm::json::Array repeated;
  for (Operation &op : main.getBody().front()) {
    numbers.visit(&op);
    auto region = dyn_cast<RegionOp>(op);
    if (!region)
      continue;
    llvm::SetVector<StringRef> nodes;
    for (Operation &inner : region.getBody().front().without_terminator()) {
      if (!hasWork(&inner) || inner.getNumResults() == 0)
        continue;
      int64_t number = numbers.get(inner.getResult(0));
      if (forward.contains(&op))
        known.insert(number);
      else if (known.contains(number))
        if (auto name = inner.getLoc()->findInstanceOf<NameLoc>())
          nodes.insert(name.getName().getValue());
    }
    if (!nodes.empty())
      repeated.push_back(
          llvm::json::Object{{"nodes", llvm::json::Array(nodes.getArrayRef())},
                             {"in", getNodes(&op)}});
  }
  return repeated;
}

std::optional<llvm::json::Object> BackwardReport::describe() {
  if (!findForward())
    return std::nullopt;
  llvm::json::Object report;
  int64_t total = 0;
  report["sizes_taken_as_one"] = assumeSizes();
  report["kept"] = describeKept(total);
  report["kept_bytes"] = total;
  report["recomputed"] = describeRepeated();
  return report;
}

extern "C" weft_outcome
weft_inspect_backward(const char *path, const weft_compile_options *options,
                      char **json, char **message) {
  *json = nullptr;
  CompileSession session(options);
  if (!session.pipeline.training)
    session.pipeline.training = "";
  session.readFile(path);
  if (!session.module || failed(session.runTo(Stage::Dispatch)))
    return session.finish(true, message);
  auto main = session.module->lookupSymbol<func::FuncOp>("main");
  std::optional<llvm::json::Object> report;
  if (main)
    report = BackwardReport(main, session.pipeline).describe();
  if (report)
    *json = strdup(llvm::formatv("{0:2}", llvm::json::Value(std::move(*report)))
                       .str()
                       .c_str());
  else
    (void)session.fail(Problem::Option, "the program has no loss");
  return session.finish(!report, message);
}
