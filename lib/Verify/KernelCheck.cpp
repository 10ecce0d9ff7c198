//===- KernelCheck.cpp - Kernels against the reference evaluator ----------===//

#include "weft/Verify/KernelCheck.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"
#include "weft/Dialect/Weft/IR/ModuleAttrs.h"
#include <cmath>
#include <cstdio>

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
    Entry &entry = result.entries[launch.getKernel()];
    entry.kernel = op;
    entry.regions.push_back(region);
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
  Words(dispatch::RegionOp region, void *const *words,
        KernelCheck::Reader *reader)
      : numInputs(region.getInputs().size()), addresses(words),
        numbers(words + numInputs + region.getNumResults()), reader(reader) {}

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
    const void *address = *addresses++;
    if (!reader)
      return HostTensor::borrow(
          sized, ArrayRef(static_cast<const char *>(address), bytes));
    HostTensor copy(sized);
    canRead &= bytes == 0 ||
               reader(copy.getMutableBytes().data(), address, bytes) == 0;
    return copy;
  }

  /// Whether all tensors could be read.
  bool canRead = true;

private:
  size_t numInputs;
  void *const *addresses;
  void *const *numbers;
  KernelCheck::Reader *reader;
};

} // namespace

void KernelCheck::announce(StringRef name, void *const *words) {
  auto it = entries.find(name);
  if (it == entries.end() || it->second.launches != 0)
    return;
  Entry &entry = it->second;
  dispatch::RegionOp region = entry.regions.front();
  entry.kept.assign(region.getInputs().size(), {});
  Words taken(region, words, reader);
  for (size_t i = 0; i < region.getScalars().size(); ++i)
    taken.takeNumber();
  llvm::SmallDenseSet<int64_t> inPlace;
  for (unsigned i : llvm::seq(region.getNumResults()))
    inPlace.insert(region.getInPlaceInput(i));
  for (auto [i, type] : llvm::enumerate(region.getInputs().getTypes())) {
    HostTensor input = taken.takeTensor(type);
    if (inPlace.contains(i))
      llvm::append_range(entry.kept[i], input.getBytes());
  }
}

bool KernelCheck::isLastTask(Entry &entry) {
  if (++entry.launches < entry.kernel.getTasks().size())
    return false;
  entry.launches = 0;
  ++entry.runs;
  return true;
}

/// What `region` was given, from before the launch; and what came out.
FailureOr<SmallVector<HostTensor>>
KernelCheck::takeArguments(const Entry &entry, dispatch::RegionOp region,
                           void *const *words,
                           SmallVectorImpl<HostTensor> &results) const {
  Words taken(region, words, reader);
  SmallVector<HostTensor> scalars, arguments;
  for (size_t i = 0; i < region.getScalars().size(); ++i)
    scalars.push_back(
        HostTensor::fromIndex(region.getContext(), taken.takeNumber()));
  for (auto [i, type] : llvm::enumerate(region.getInputs().getTypes())) {
    HostTensor input = taken.takeTensor(type);
    bool isKept = i < entry.kept.size() && !entry.kept[i].empty();
    arguments.push_back(
        isKept ? HostTensor::borrow(input.getType(), entry.kept[i]) : input);
  }
  llvm::append_range(arguments, scalars);
  for (Type type : region.getResultTypes())
    results.push_back(taken.takeTensor(type));
  if (!taken.canRead)
    return region.emitOpError("has operands or results that can't be read");
  return arguments;
}

FailureOr<SmallVector<Difference>> KernelCheck::check(StringRef name,
                                                      void *const *words) {
  auto it = entries.find(name);
  assert(it != entries.end() && "there is a kernel of this name");
  Entry &entry = it->second;
  if (!isLastTask(entry))
    return SmallVector<Difference>{};
  dispatch::RegionOp region = entry.regions.front();
  SmallVector<HostTensor> results;
  auto arguments = takeArguments(entry, region, words, results);
  if (failed(arguments))
    return failure();
  FailureOr<SmallVector<HostTensor>> wanted =
      evaluateBlock(region.getBody().front(), *arguments);
  if (failed(wanted))
    return failure();

  SmallVector<Difference> differences;
  for (auto [got, want] : llvm::zip_equal(results, *wanted)) {
    if (got.getShape() != want.getShape())
      return region.emitOpError("result has the shape ")
             << got.getType() << " in the program, but the evaluator makes "
             << want.getType();
    differences.push_back(
        compareTensors(got, want, getKernelTolerance(want, scale)));
  }
  return differences;
}

//===----------------------------------------------------------------------===//
// What is not finite
//===----------------------------------------------------------------------===//

/// The first element that is infinite or NaN, or -1.
static int64_t findNotFinite(const HostTensor &tensor) {
  if (isa<FloatType>(tensor.getElementType()))
    for (int64_t i : llvm::seq(tensor.getNumElements()))
      if (!std::isfinite(tensor.getFloat(i)))
        return i;
  return -1;
}

/// "from -1 to 3.5", "f16 of no elements".
static std::string describeRange(const HostTensor &tensor) {
  double least = HUGE_VAL, most = -HUGE_VAL;
  for (int64_t i : llvm::seq(tensor.getNumElements())) {
    double element = isa<FloatType>(tensor.getElementType())
                         ? tensor.getFloat(i)
                         : static_cast<double>(tensor.getInt(i));
    least = std::min(least, element);
    most = std::max(most, element);
  }
  if (tensor.getNumElements() == 0)
    return "of no elements";
  char text[64];
  std::snprintf(text, sizeof text, "from %g to %g", least, most);
  return text;
}

/// What an op is part of: a node, its gradient (the locations of training say
/// so), the loss or the move of a parameter.
static std::string describePart(Location loc) {
  auto name = loc->findInstanceOf<NameLoc>();
  auto marked = loc->findInstanceOf<FusedLocWith<StringAttr>>();
  StringRef part = marked ? marked.getMetadata().getValue() : "";
  std::string quoted = name ? "'" + name.getName().str() + "'" : "";
  if (part == kParameterPart)
    return "the gradient or the update of parameter " + quoted;
  if (quoted.empty() || part == kLossPart)
    return part == kGradientPart ? "the gradient of the loss" : "the loss";
  return (part == kGradientPart ? "the gradient of node " : "node ") + quoted;
}

static std::string describeOrigin(Operation *op, ArrayRef<HostTensor> operands,
                                  const HostTensor &result, int64_t element) {
  std::string text;
  llvm::raw_string_ostream os(text);
  char number[32];
  std::snprintf(number, sizeof number, "%g", result.getFloat(element));
  os << describePart(op->getLoc()) << " (" << op->getName()
     << ") makes the first number that is not finite: element " << element
     << " of " << result.getType() << " is " << number;
  const char *separator = "; its operands are ";
  for (const HostTensor &operand : operands) {
    os << separator << describeRange(operand);
    separator = ", ";
  }
  return text;
}

FailureOr<std::string> KernelCheck::findNotFinite(StringRef name,
                                                  void *const *words) {
  auto it = entries.find(name);
  assert(it != entries.end() && "there is a kernel of this name");
  Entry &entry = it->second;
  if (!isLastTask(entry))
    return std::string();
  dispatch::RegionOp region =
      entry.regions[std::min(entry.runs, entry.regions.size()) - 1];
  SmallVector<HostTensor> results;
  auto arguments = takeArguments(entry, region, words, results);
  if (failed(arguments))
    return failure();
  auto isFinite = [](const HostTensor &tensor) {
    return ::findNotFinite(tensor) < 0;
  };
  if (llvm::all_of(results, isFinite))
    return std::string();
  std::string found;
  auto watch = [&](Operation *op, ArrayRef<HostTensor> operands,
                   ArrayRef<HostTensor> made) {
    if (!found.empty() || operands.empty() || !llvm::all_of(operands, isFinite))
      return;
    for (const HostTensor &result : made)
      if (int64_t element = ::findNotFinite(result);
          element >= 0 && found.empty())
        found = describeOrigin(op, operands, result, element);
  };
  if (failed(evaluateBlock(region.getBody().front(), *arguments, watch)))
    return failure();
  return found;
}
