//===- KernelCheck.cpp - Kernels against the reference evaluator ----------===//

#include "weft/Verify/KernelCheck.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"

using namespace mlir;
using namespace weft;

FailureOr<KernelCheck> KernelCheck::create(ModuleOp dispatch, ModuleOp kernel,
                                           double scale) {
  SmallVector<dispatch::RegionOp> regions;
  dispatch.walk([&](dispatch::RegionOp op) { regions.push_back(op); });
  SmallVector<dispatch::LaunchOp> launches;
  kernel.walk([&](dispatch::LaunchOp op) { launches.push_back(op); });
  if (regions.size() != launches.size())
    return kernel.emitError("there are ") << launches.size() << " launches of "
                                          << regions.size() << " regions";
  KernelCheck result;
  result.scale = scale;
  // Each launch stands where its region stood. Regions that share a kernel
  // differ in nothing but their locations.
  for (auto [region, launch] : llvm::zip_equal(regions, launches)) {
    auto op = kernel.lookupSymbol<dispatch::KernelOp>(launch.getKernelAttr());
    if (!op || launch.getResultTypes() != region.getResultTypes())
      return launch.emitOpError("does not belong to the region of its place");
    result.entries.try_emplace(launch.getKernel(), Entry{region, op});
  }
  return result;
}

ArrayAttr KernelCheck::getNodes(StringRef name) const {
  auto it = entries.find(name);
  if (it == entries.end())
    return nullptr;
  dispatch::KernelOp kernel = it->second.kernel;
  return kernel.getNodes();
}

namespace {

/// Takes the words of a launch apart.
class Words {
public:
  Words(dispatch::RegionOp region, void *const *words)
      : numInputs(region.getInputs().size()), addresses(words),
        numbers(words + numInputs + region.getNumResults()) {}

  int64_t takeNumber() { return reinterpret_cast<intptr_t>(*numbers++); }

  /// `type` with the sizes that it leaves open.
  RankedTensorType takeSizes(Type type) {
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<int64_t> shape(tensor.getShape());
    for (int64_t &size : shape)
      if (ShapedType::isDynamic(size))
        size = takeNumber();
    return tensor.clone(shape);
  }

  HostTensor takeTensor(Type type) {
    RankedTensorType sized = takeSizes(type);
    int64_t bytes =
        sized.getNumElements() * getStorageBytes(sized.getElementType());
    return HostTensor::borrow(
        sized, ArrayRef(static_cast<const char *>(*addresses++), bytes));
  }

private:
  size_t numInputs;
  void *const *addresses;
  void *const *numbers;
};

} // namespace

void KernelCheck::announce(StringRef name, void *const *words) {
  auto it = entries.find(name);
  if (it == entries.end() || it->second.launches != 0)
    return;
  Entry &entry = it->second;
  dispatch::RegionOp region = entry.region;
  entry.kept.assign(region.getInputs().size(), {});
  Words reader(region, words);
  for (size_t i = 0; i < region.getScalars().size(); ++i)
    reader.takeNumber();
  llvm::SmallDenseSet<int64_t> inPlace;
  for (unsigned i : llvm::seq(region.getNumResults()))
    inPlace.insert(region.getInPlaceInput(i));
  for (auto [i, type] : llvm::enumerate(region.getInputs().getTypes())) {
    HostTensor input = reader.takeTensor(type);
    if (inPlace.contains(i))
      llvm::append_range(entry.kept[i], input.getBytes());
  }
}

FailureOr<SmallVector<Difference>> KernelCheck::check(StringRef name,
                                                      void *const *words) {
  auto it = entries.find(name);
  assert(it != entries.end() && "there is a kernel of this name");
  Entry &entry = it->second;
  if (++entry.launches < entry.kernel.getTasks().size())
    return SmallVector<Difference>{};
  entry.launches = 0;

  dispatch::RegionOp region = entry.region;
  Words reader(region, words);
  SmallVector<HostTensor> scalars, arguments;
  for (size_t i = 0; i < region.getScalars().size(); ++i)
    scalars.push_back(
        HostTensor::fromIndex(region.getContext(), reader.takeNumber()));
  for (auto [i, type] : llvm::enumerate(region.getInputs().getTypes())) {
    HostTensor input = reader.takeTensor(type);
    bool isKept = i < entry.kept.size() && !entry.kept[i].empty();
    arguments.push_back(
        isKept ? HostTensor::borrow(input.getType(), entry.kept[i]) : input);
  }
  llvm::append_range(arguments, scalars);
  FailureOr<SmallVector<HostTensor>> wanted =
      evaluateBlock(region.getBody().front(), arguments);
  if (failed(wanted))
    return failure();

  SmallVector<Difference> differences;
  for (auto [type, want] : llvm::zip_equal(region.getResultTypes(), *wanted)) {
    HostTensor got = reader.takeTensor(type);
    if (got.getShape() != want.getShape())
      return region.emitOpError("result has the shape ")
             << got.getType() << " in the program, but the evaluator makes "
             << want.getType();
    differences.push_back(
        compareTensors(got, want, getKernelTolerance(want, scale)));
  }
  return differences;
}
