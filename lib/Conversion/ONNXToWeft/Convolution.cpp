//===- Convolution.cpp - Convolutions and their transposes ----------------===//

#include "Terms.h"
#include "Windows.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;

/// Adds a bias of one element per channel (dimension 1).
static Value addBias(Lowering &lower, Value y, Value bias) {
  if (!bias)
    return y;
  return lower.make<AddOp>(y, lower.broadcastInDims(bias, lower.sizes(y), {1}));
}

static LogicalResult checkRanks(Lowering &lower, onnx::Node node, Value input,
                                Value filter) {
  int64_t rank = Lowering::rankOf(input);
  if (rank < 3)
    return lower.fail(node, "the input has rank " + Twine(rank) +
                                ", at least 3 is wanted");
  if (Lowering::rankOf(filter) != rank)
    return lower.fail(node, "the filter has rank " +
                                Twine(Lowering::rankOf(filter)) +
                                ", the input " + Twine(rank));
  return success();
}

/// The number of groups that the channels are in.
static FailureOr<int64_t> readGroups(Lowering &lower, onnx::Node node) {
  int64_t groups = node.getInt("group", 1);
  if (groups >= 1)
    return groups;
  (void)lower.fail(node, "'group' is " + Twine(groups) + ", wanted 1 or more");
  return failure();
}

/// The filter's sizes are what `kernel_shape` says.
static LogicalResult checkKernel(Lowering &lower, onnx::Node node, Value filter,
                                 const Windows &windows) {
  for (auto [dim, size] : llvm::enumerate(windows.kernel))
    if (failed(lower.require(node, SizeRelation::equal,
                             lower.size(filter, dim + 2), lower.index(size))))
      return failure();
  return success();
}

static LogicalResult lowerConv(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0), filter = lower.operand(node, 1);
  if (failed(checkRanks(lower, node, input, filter)))
    return failure();
  SmallVector<OpFoldResult> sizes = lower.sizes(input);
  FailureOr<Windows> windows =
      Windows::read(lower, node, ArrayRef(sizes).drop_front(2),
                    Lowering::typeOf(filter).getShape().drop_front(2));
  FailureOr<int64_t> groups = readGroups(lower, node);
  if (failed(windows) || failed(groups) ||
      failed(checkKernel(lower, node, filter, *windows)) ||
      failed(windows->checkRoom(lower, node, ArrayRef(sizes).drop_front(2))))
    return failure();
  if (!windows->hasConstantPads())
    input = windows->padNow(lower, input,
                            lower.splat(0, Lowering::elementOf(input)));
  SmallVector<int64_t> ones(windows->kernel.size(), 1);
  Value y = lower.make<ConvOp>(input, filter, ArrayRef(windows->strides),
                               ArrayRef<int64_t>(windows->constantLow()),
                               ArrayRef<int64_t>(windows->constantHigh()),
                               ArrayRef<int64_t>(ones),
                               ArrayRef(windows->dilations), *groups);
  results.push_back(addBias(lower, y, lower.operand(node, 2)));
  return success();
}

//===----------------------------------------------------------------------===//
// Transposed
//===----------------------------------------------------------------------===//

/// [C, O / groups, k...] of a transposed convolution as the filter
/// [O, C / groups, k...] of the convolution that it is: mirrored, and with the
/// channels exchanged within each group.
static Value transposeFilter(Lowering &lower, Value filter, int64_t groups) {
  SmallVector<OpFoldResult> shape = lower.sizes(filter);
  int64_t rank = shape.size();
  SmallVector<OpFoldResult> offsets(rank, lower.index(0));
  SmallVector<OpFoldResult> strides(rank, lower.index(1));
  for (int64_t dim = 2; dim < rank; ++dim) {
    if (getConstantIntValue(shape[dim]) == 1)
      continue;
    offsets[dim] = lower.subSizes(shape[dim], lower.index(1));
    strides[dim] = lower.index(-1);
  }
  Value mirrored = lower.slice(filter, offsets, shape, strides);
  OpFoldResult inputs = lower.divSizes(shape[0], lower.index(groups));
  OpFoldResult outputs = shape[1];
  SmallVector<OpFoldResult> split = {lower.index(groups), inputs, outputs};
  SmallVector<OpFoldResult> merged = {
      lower.mulSizes(outputs, lower.index(groups)), inputs};
  SmallVector<int64_t> permutation = {0, 2, 1};
  for (int64_t dim = 2; dim < rank; ++dim) {
    split.push_back(shape[dim]);
    merged.push_back(shape[dim]);
    permutation.push_back(dim + 1);
  }
  Value swapped = lower.transpose(lower.reshape(mirrored, split), permutation);
  return lower.reshape(swapped, merged);
}

Value weft::convTranspose(Lowering &lower, Value input, Value filter,
                          const Windows &windows, ArrayRef<int64_t> extra,
                          int64_t groups) {
  SmallVector<int64_t> low = windows.constantLow();
  SmallVector<int64_t> high = windows.constantHigh();
  for (int64_t dim = 0; dim < int64_t(low.size()); ++dim) {
    low[dim] = windows.extent(dim) - 1 - low[dim];
    high[dim] = windows.extent(dim) - 1 - high[dim] + extra[dim];
  }
  SmallVector<int64_t> ones(low.size(), 1);
  return lower.make<ConvOp>(input, transposeFilter(lower, filter, groups),
                            ArrayRef<int64_t>(ones), ArrayRef<int64_t>(low),
                            ArrayRef<int64_t>(high), ArrayRef(windows.strides),
                            ArrayRef(windows.dilations), groups);
}

/// Paddings that follow from `output_shape`, or from `auto_pad`, which asks for
/// a result `stride` times as large as the input.
static LogicalResult padTransposed(Lowering &lower, onnx::Node node,
                                   ArrayRef<OpFoldResult> spatial,
                                   ArrayRef<int64_t> extra, Windows &windows) {
  SmallVector<int64_t> wanted = node.getInts("output_shape");
  StringRef mode = node.getString("auto_pad", "NOTSET");
  if (wanted.empty() && mode != "SAME_UPPER" && mode != "SAME_LOWER")
    return success();
  if (!wanted.empty() && wanted.size() != spatial.size())
    return lower.fail(node, "'output_shape' has " + Twine(wanted.size()) +
                                " entries, " + Twine(spatial.size()) +
                                " are wanted");
  for (auto [dim, size] : llvm::enumerate(spatial)) {
    int64_t stride = windows.strides[dim];
    int64_t total = windows.extent(dim) + extra[dim] - stride;
    if (!wanted.empty()) {
      std::optional<int64_t> constant = getConstantIntValue(size);
      if (!constant)
        return lower.unsupported(
            node, "'output_shape' of an input with symbolic sizes");
      total += stride * *constant - wanted[dim];
    }
    // The result may also be larger than all windows together.
    int64_t half = llvm::divideFloorSigned(total, int64_t(2));
    bool upper = mode == "SAME_UPPER";
    windows.low[dim] = lower.index(upper ? half : total - half);
    windows.high[dim] = lower.index(upper ? total - half : half);
  }
  return success();
}

static LogicalResult lowerConvTranspose(Lowering &lower, onnx::Node node,
                                        SmallVectorImpl<Value> &results) {
  Value input = lower.operand(node, 0), filter = lower.operand(node, 1);
  if (failed(checkRanks(lower, node, input, filter)))
    return failure();
  SmallVector<OpFoldResult> sizes = lower.sizes(input);
  ArrayRef<OpFoldResult> spatial = ArrayRef(sizes).drop_front(2);
  FailureOr<Windows> windows = Windows::read(
      lower, node, spatial, Lowering::typeOf(filter).getShape().drop_front(2));
  FailureOr<int64_t> groups = readGroups(lower, node);
  if (failed(windows) || failed(groups) ||
      failed(checkKernel(lower, node, filter, *windows)))
    return failure();
  SmallVector<int64_t> extra = node.getInts("output_padding");
  if (extra.empty())
    extra.assign(spatial.size(), 0);
  if (extra.size() != spatial.size())
    return lower.fail(node, "'output_padding' has " + Twine(extra.size()) +
                                " entries, " + Twine(spatial.size()) +
                                " are wanted");
  // ONNX leaves it open what more than a step would mean.
  for (auto [more, stride, dilation] :
       llvm::zip_equal(extra, windows->strides, windows->dilations))
    if (more < 0 || more >= std::max(stride, dilation))
      return lower.fail(node, "'output_padding' has the entry " + Twine(more) +
                                  ", wanted less than the stride " +
                                  Twine(stride) + " or dilation " +
                                  Twine(dilation));
  if (failed(padTransposed(lower, node, spatial, extra, *windows)))
    return failure();
  // The filter is taken apart by groups.
  OpFoldResult channels = lower.size(filter, 0);
  if (std::optional<int64_t> count = getConstantIntValue(channels);
      count && *count % *groups != 0)
    return lower.fail(node, "'group' " + Twine(*groups) +
                                " does not divide the filter's " +
                                Twine(*count) + " channels");
  Value y = convTranspose(lower, input, filter, *windows, extra, *groups);
  results.push_back(addBias(lower, y, lower.operand(node, 2)));
  return success();
}

void weft::addConvolutionLowerings(LoweringTable &table) {
  table["Conv"] = lowerConv;
  table["ConvTranspose"] = lowerConvTranspose;
  addCol2ImLowerings(table);
}
