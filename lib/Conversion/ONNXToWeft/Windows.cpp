//===- Windows.cpp - What convolutions and poolings slide over ------------===//

#include "Windows.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

/// Entries beyond this are no sizes, and sums of them could overflow.
static constexpr int64_t maxEntry = int64_t(1) << 31;

static LogicalResult checkEntries(Lowering &lower, onnx::Node node,
                                  StringRef name, ArrayRef<int64_t> list,
                                  int64_t least) {
  for (int64_t entry : list)
    if (entry < least || entry > maxEntry)
      return lower.fail(node, "'" + name + "' has the entry " + Twine(entry) +
                                  ", wanted " + Twine(least) + " to " +
                                  Twine(maxEntry));
  return success();
}

/// A list attribute of one entry per dimension, or `otherwise` for each.
static FailureOr<SmallVector<int64_t>> readList(Lowering &lower,
                                                onnx::Node node, StringRef name,
                                                int64_t size, int64_t otherwise,
                                                int64_t least) {
  SmallVector<int64_t> list = node.getInts(name);
  if (list.empty())
    list.assign(size, otherwise);
  if (int64_t(list.size()) == size) {
    if (failed(checkEntries(lower, node, name, list, least)))
      return failure();
    return list;
  }
  (void)lower.fail(node, "'" + name + "' has " + Twine(list.size()) +
                             " entries, " + Twine(size) + " are wanted");
  return failure();
}

/// Paddings with which the result has ceil(size / stride) elements.
static void padSame(Lowering &lower, Windows &windows,
                    ArrayRef<OpFoldResult> spatial, bool upper) {
  OpFoldResult zero = lower.index(0);
  for (auto [dim, size] : llvm::enumerate(spatial)) {
    OpFoldResult stride = lower.index(windows.strides[dim]);
    OpFoldResult steps = lower.mulSizes(
        lower.subSizes(lower.ceilDivSizes(size, stride), lower.index(1)),
        stride);
    OpFoldResult total = lower.subSizes(
        lower.addSizes(steps, lower.index(windows.extent(dim))), size);
    if (!Lowering::isNonNegative(total))
      total = lower.maxSizes(total, zero);
    OpFoldResult half = lower.divSizes(total, lower.index(2));
    OpFoldResult rest = lower.subSizes(total, half);
    windows.low.push_back(upper ? half : rest);
    windows.high.push_back(upper ? rest : half);
  }
}

FailureOr<Windows> Windows::read(Lowering &lower, onnx::Node node,
                                 ArrayRef<OpFoldResult> spatial,
                                 ArrayRef<int64_t> kernel) {
  Windows windows;
  int64_t rank = spatial.size();
  auto strides = readList(lower, node, "strides", rank, 1, 1);
  auto dilations = readList(lower, node, "dilations", rank, 1, 1);
  auto pads = readList(lower, node, "pads", 2 * rank, 0, -maxEntry);
  if (failed(strides) || failed(dilations) || failed(pads))
    return failure();
  windows.strides = *strides;
  windows.dilations = *dilations;
  windows.kernel = node.getInts("kernel_shape");
  if (windows.kernel.empty())
    windows.kernel.assign(kernel.begin(), kernel.end());
  if (int64_t(windows.kernel.size()) != rank ||
      ShapedType::isDynamicShape(windows.kernel)) {
    (void)lower.fail(node, "the size of the window is not known for " +
                               Twine(rank) + " dimensions");
    return failure();
  }
  if (failed(checkEntries(lower, node, "kernel_shape", windows.kernel, 1)))
    return failure();
  StringRef mode = node.getString("auto_pad", "NOTSET");
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    padSame(lower, windows, spatial, mode == "SAME_UPPER");
    return windows;
  }
  if (mode == "VALID")
    pads->assign(2 * rank, 0);
  for (int64_t dim = 0; dim < rank; ++dim) {
    windows.low.push_back(lower.index((*pads)[dim]));
    windows.high.push_back(lower.index((*pads)[rank + dim]));
  }
  return windows;
}

LogicalResult Windows::checkRoom(Lowering &lower, onnx::Node node,
                                 ArrayRef<OpFoldResult> spatial) const {
  // One may hang over the end then.
  if (node.getInt("ceil_mode", 0))
    return success();
  for (auto [dim, size] : llvm::enumerate(spatial)) {
    std::optional<int64_t> room = getConstantIntValue(
        lower.addSizes(lower.addSizes(size, low[dim]), high[dim]));
    if (room && *room < extent(dim))
      return lower.fail(node, "the window spans " + Twine(extent(dim)) +
                                  " elements of dimension " + Twine(dim + 2) +
                                  ", which has " + Twine(*room) +
                                  " with its padding");
  }
  return success();
}

int64_t Windows::numElements() const {
  int64_t product = 1;
  for (int64_t size : kernel)
    product *= size;
  return product;
}

bool Windows::hasConstantPads() const {
  auto isConstant = [](OpFoldResult size) {
    return getConstantIntValue(size).has_value();
  };
  return llvm::all_of(low, isConstant) && llvm::all_of(high, isConstant);
}

static SmallVector<int64_t> constants(ArrayRef<OpFoldResult> sizes) {
  return llvm::map_to_vector(
      sizes, [](OpFoldResult size) { return *getConstantIntValue(size); });
}

SmallVector<int64_t> Windows::constantLow() const { return constants(low); }
SmallVector<int64_t> Windows::constantHigh() const { return constants(high); }

Value Windows::padNow(Lowering &lower, Value value, Value padding) {
  int64_t first = Lowering::rankOf(value) - int64_t(low.size());
  SmallVector<OpFoldResult> before(first, lower.index(0)), after = before;
  before.append(low);
  after.append(high);
  low.assign(low.size(), lower.index(0));
  high.assign(high.size(), lower.index(0));
  return lower.pad(value, padding, before, after);
}
