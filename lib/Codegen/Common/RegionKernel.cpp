//===- RegionKernel.cpp - What kernels of all processors share ------------===//

#include "weft/Codegen/Common/RegionKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace weft;

//===----------------------------------------------------------------------===//
// Functions and their operands
//===----------------------------------------------------------------------===//

RegionKernel::RegionKernel(dispatch::RegionOp region, StringRef name,
                           ModuleOp module)
    : region(region), name(name), module(module),
      moduleBuilder(OpBuilder::atBlockEnd(module.getBody())) {}

/// The number of `?` sizes of `types`.
static unsigned countDynamic(TypeRange types) {
  unsigned count = 0;
  for (Type type : types)
    count += cast<RankedTensorType>(type).getNumDynamicDims();
  return count;
}

func::FuncOp RegionKernel::createFunction(StringRef suffix, TypeRange types) {
  auto type = moduleBuilder.getFunctionType(types, {});
  auto function = func::FuncOp::create(moduleBuilder, region.getLoc(),
                                       name + suffix.str(), type);
  function.setPrivate();
  function.addEntryBlock();
  return function;
}

SmallVector<Type> RegionKernel::wordTypes() {
  SmallVector<Type> types(region.getInputs().size() + region.getNumResults() +
                              hasScratchWord(),
                          LLVM::LLVMPointerType::get(module.getContext()));
  types.append(region.getScalars().size() +
                   countDynamic(region.getInputs().getTypes()) +
                   countDynamic(region.getResultTypes()),
               moduleBuilder.getIndexType());
  return types;
}

SmallVector<Value> RegionKernel::loadWords(ImplicitLocOpBuilder &b,
                                           Value address) {
  SmallVector<Value> words;
  for (auto [number, type] : llvm::enumerate(wordTypes())) {
    Value at = LLVM::GEPOp::create(
        b, address.getType(), b.getI64Type(), address,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)},
        LLVM::GEPNoWrapFlags::inbounds);
    bool isNumber = type.isIndex();
    Value word =
        LLVM::LoadOp::create(b, isNumber ? Type(b.getI64Type()) : type, at);
    words.push_back(isNumber ? arith::IndexCastOp::create(b, type, word)
                             : word);
  }
  return words;
}

void RegionKernel::bindOperands(RegionEmitter &emitter, ValueRange words) {
  Block &block = region.getBody().front();
  size_t numInputs = region.getInputs().size();
  ValueRange pointers = words.take_front(numInputs + region.getNumResults());
  ValueRange numbers = words.drop_front(pointers.size() + hasScratchWord());
  for (BlockArgument scalar : block.getArguments().drop_front(numInputs)) {
    emitter.bindScalar(scalar, numbers.front());
    numbers = numbers.drop_front();
  }
  auto takeSizes = [&](RankedTensorType type) {
    SmallVector<Value> sizes;
    for (int64_t size : type.getShape()) {
      if (ShapedType::isStatic(size)) {
        sizes.push_back(emitter.index(size));
        continue;
      }
      sizes.push_back(numbers.front());
      numbers = numbers.drop_front();
    }
    return sizes;
  };
  auto makeView = [&](Value pointer, RankedTensorType type) {
    SmallVector<Value> sizes = takeSizes(type);
    SmallVector<Value> strides = emitter.rowMajorStrides(sizes);
    return MemoryView{pointer, type.getElementType(), sizes, strides};
  };
  // What is made in place is found where it is made.
  SmallVector<Value> inputPointers(pointers.take_front(numInputs));
  for (unsigned number : llvm::seq(region.getNumResults()))
    if (int64_t input = region.getInPlaceInput(number); input >= 0)
      inputPointers[input] = pointers[numInputs + number];
  for (BlockArgument input : block.getArguments().take_front(numInputs)) {
    MemoryView view = makeView(inputPointers[input.getArgNumber()],
                               cast<RankedTensorType>(input.getType()));
    for (auto [dim, size] : llvm::enumerate(view.sizes))
      emitter.bindSize(input, dim, size);
    emitter.bindMemory(input, view);
  }
  resultViews.clear();
  for (OpResult result : region.getResults()) {
    unsigned number = result.getResultNumber();
    MemoryView view = makeView(pointers[numInputs + number],
                               cast<RankedTensorType>(result.getType()));
    for (auto [dim, size] : llvm::enumerate(view.sizes))
      emitter.bindSize(getYields()[number], dim, size);
    resultViews.push_back(view);
  }
}

func::FuncOp RegionKernel::createCount(StringRef suffix, CountFn count) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  Type i64 = moduleBuilder.getI64Type();
  func::FuncOp function = createFunction(suffix, pointer);
  function.setType(moduleBuilder.getFunctionType(pointer, i64));
  auto b = ImplicitLocOpBuilder::atBlockEnd(region.getLoc(),
                                            &function.getBody().front());
  RegionEmitter emitter(b);
  SmallVector<Value> words = loadWords(b, function.getArgument(0));
  bindOperands(emitter, words);
  Value number = count(emitter);
  func::ReturnOp::create(
      b, ValueRange{arith::IndexCastOp::create(b, i64, number)});
  return function;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// A name that tells what the region computes: its heaviest op, or how many.
static std::string chooseName(dispatch::RegionOp region) {
  StringRef best;
  for (Operation &op : region.getBody().front().without_terminator()) {
    if (isa<ConstantOp, BroadcastOp>(op))
      continue;
    auto indexed = dyn_cast<IndexedOpInterface>(op);
    if (!indexed || !indexed.isCheap())
      return op.getName().stripDialect().str();
    if (best.empty() || isa<ScalarOpInterface>(op))
      best = op.getName().stripDialect();
  }
  return best.empty() ? "copy" : best.str();
}

/// Adds the names of the ONNX nodes that `loc` stems from.
static void collectNodes(Location loc, llvm::SetVector<StringAttr> &nodes) {
  if (auto name = dyn_cast<NameLoc>(loc))
    nodes.insert(name.getName());
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      collectNodes(part, nodes);
}

ArrayAttr weft::getNodes(dispatch::RegionOp region, ArrayAttr known) {
  llvm::SetVector<StringAttr> nodes;
  if (known)
    for (auto name : known.getAsRange<StringAttr>())
      nodes.insert(name);
  // Constants go by the names of initializers.
  for (Operation &op : region.getBody().front().without_terminator())
    if (!op.hasTrait<OpTrait::ConstantLike>())
      collectNodes(op.getLoc(), nodes);
  SmallVector<Attribute> names(nodes.begin(), nodes.end());
  return ArrayAttr::get(region.getContext(), names);
}

//===----------------------------------------------------------------------===//
// Sharing
//===----------------------------------------------------------------------===//

namespace {
/// Regions that can share a kernel compare equal here.
struct RegionInfo : llvm::DenseMapInfo<Operation *> {
  static unsigned getHashValue(const Operation *op) {
    return OperationEquivalence::computeHash(
        const_cast<Operation *>(op), OperationEquivalence::ignoreHashValue,
        OperationEquivalence::ignoreHashValue,
        OperationEquivalence::IgnoreLocations);
  }
  static bool isEqual(const Operation *lhs, const Operation *rhs) {
    if (lhs == rhs)
      return true;
    if (lhs == getTombstoneKey() || lhs == getEmptyKey() ||
        rhs == getTombstoneKey() || rhs == getEmptyKey())
      return false;
    auto one = cast<dispatch::RegionOp>(const_cast<Operation *>(lhs));
    auto two = cast<dispatch::RegionOp>(const_cast<Operation *>(rhs));
    return one.getResultTypes() == two.getResultTypes() &&
           one.getInPlace() == two.getInPlace() &&
           OperationEquivalence::isRegionEquivalentTo(
               &one.getBody(), &two.getBody(),
               OperationEquivalence::IgnoreLocations);
  }
};
} // namespace

KernelCounts weft::generateKernels(
    ModuleOp module,
    llvm::function_ref<dispatch::KernelOp(dispatch::RegionOp, StringRef)>
        make) {
  KernelCounts counts;
  llvm::DenseMap<Operation *, dispatch::KernelOp, RegionInfo> kernels;
  llvm::StringMap<unsigned> names;
  SmallVector<dispatch::RegionOp> regions;
  module.walk([&](dispatch::RegionOp op) { regions.push_back(op); });
  for (dispatch::RegionOp region : regions) {
    dispatch::KernelOp &kernel = kernels[region];
    if (kernel) {
      ++counts.shared;
      kernel.setNodesAttr(getNodes(region, kernel.getNodes()));
    } else {
      ++counts.kernels;
      std::string name = chooseName(region);
      kernel = make(region, name + "_" + std::to_string(names[name]++));
    }
    OpBuilder b(region);
    auto launch = dispatch::LaunchOp::create(
        b, region.getLoc(), region.getResultTypes(),
        FlatSymbolRefAttr::get(kernel.getSymNameAttr()), region.getInputs(),
        region.getScalars(), region.getResultSizes());
    region.replaceAllUsesWith(launch.getResults());
  }
  kernels.clear();
  for (dispatch::RegionOp region : regions)
    region.erase();
  return counts;
}
