//===- BatchShapes.cpp - What changes of shape do with a batch
//---------------===//

#include "Batch.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cstring>

using namespace llvm;
using namespace weft;
using namespace weft::importer;
using ::onnx::NodeProto;

using Shape = BatchAnalysis::Shape;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Error BatchAnalysis::transpose(NodeProto &node) {
  auto at = placeOf(node, 0);
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  int64_t rank = shape->size();
  std::optional<Shape> order = listOf(node, 1, "perm");
  for (int64_t dim : llvm::seq(rank))
    if ((order ? (*order)[dim] : rank - 1 - dim) == at->dim)
      place(node, 0, at->movedTo(dim));
  return Error::success();
}

Error BatchAnalysis::squeeze(NodeProto &node) {
  auto at = placeOf(node, 0);
  std::optional<Shape> axes = listOf(node, 1, "axes");
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  if (!at || !axes)
    return fail(node, "the dimensions that it drops are not known");
  if (count(*axes, at->dim, shape->size()))
    return fail(node, "it drops the dimension of the batch");
  int64_t dim = at->dim;
  for (int64_t other : llvm::seq(at->dim))
    dim -= count(*axes, other, shape->size());
  place(node, 0, at->movedTo(dim));
  return Error::success();
}

Error BatchAnalysis::unsqueeze(NodeProto &node) {
  auto at = placeOf(node, 0);
  std::optional<Shape> axes = listOf(node, 1, "axes");
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  if (!at || !axes)
    return fail(node, "the dimensions that it adds are not known");
  int64_t rank = shape->size() + axes->size(), old = 0;
  for (int64_t dim : llvm::seq(rank)) {
    if (count(*axes, dim, rank))
      continue;
    if (old++ == at->dim)
      place(node, 0, at->movedTo(dim));
  }
  return Error::success();
}

Error BatchAnalysis::flatten(NodeProto &node) {
  auto at = placeOf(node, 0);
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  int64_t rank = shape->size(), axis = getInt(node, "axis", 1);
  axis = axis < 0 ? axis + rank : axis;
  ArrayRef<int64_t> sizes(*shape);
  bool isFirst = at->dim < axis;
  int64_t begin = isFirst ? 0 : axis, end = isFirst ? axis : rank;
  int64_t inner = multiply(sizes.slice(at->dim + 1, end - at->dim - 1));
  int64_t outer = multiply(sizes.slice(begin, at->dim - begin));
  if (inner < 0 || outer < 0)
    return fail(node, "the sizes beside the batch are not known");
  place(node, 0, {isFirst ? 0 : 1, at->inner * inner, at->outer * outer});
  return Error::success();
}

/// Where samples may be after a reshape, the likeliest place first: in each of
/// them the same elements are of a sample. With a batch of 1 several may be
/// meant.
static SmallVector<BatchPlace> findPlaces(ArrayRef<int64_t> from, BatchPlace at,
                                          ArrayRef<int64_t> to, int64_t batch) {
  int64_t before = multiply(from.take_front(at.dim));
  SmallVector<BatchPlace> found;
  for (int64_t dim : llvm::seq<int64_t>(0, to.size())) {
    int64_t prefix = multiply(to.take_front(dim));
    if (before < 0 || prefix <= 0 || before * at.outer % prefix)
      continue;
    int64_t outer = before * at.outer / prefix;
    if (to[dim] > 0 && to[dim] % (outer * batch) == 0)
      found.push_back({dim, to[dim] / (outer * batch), outer});
  }
  // Dimensions that stay beside the batch speak for a place.
  auto judge = [&](BatchPlace place) {
    bool sameTail = from.drop_front(at.dim + 1) == to.drop_front(place.dim + 1);
    bool sameHead = from.take_front(at.dim) == to.take_front(place.dim);
    return 8 * (place == at) + 4 * (sameHead && place.isAlone()) +
           2 * (sameHead || sameTail) + place.isAlone();
  };
  llvm::stable_sort(
      found, [&](BatchPlace a, BatchPlace b) { return judge(a) > judge(b); });
  return found;
}

Error BatchAnalysis::reshape(NodeProto &node) {
  auto at = placeOf(node, 0);
  Expected<Shape> from = needShape(node, node.input(0));
  if (!from)
    return from.takeError();
  Expected<Shape> to = needShape(node, node.output(0));
  if (!to)
    return to.takeError();
  std::optional<Sizes> value = valueOf(node, 1);
  std::optional<Shape> target = constantOf(node, 1);
  SmallVector<BatchPlace> possible;
  if (at)
    possible = findPlaces(*from, *at, *to, batch);
  if (possible.empty())
    return fail(node, "it mixes the batch with other dimensions");
  unsigned choice = 0;
  if (possible.size() > 1) {
    if (numPlaces.size() < choices.size())
      choice = choices[numPlaces.size()];
    numPlaces.push_back(possible.size());
  }
  std::optional<BatchPlace> found = possible[choice];
  place(node, 0, *found);
  if (!target) {
    // The sizes are computed; what is known of them must agree.
    if (!value)
      expectations.push_back({node.output(0), found->dim, describe(node)});
    else
      for (auto [dim, entry] : llvm::enumerate(value->entries))
        if (entry.perSample && (int64_t(dim) != found->dim ||
                                entry.number != found->perSample() * batch))
          return fail(node, "it mixes the batch with other dimensions");
    return Error::success();
  }
  Shape sizes = *target;
  bool isCopy = *found == *at && !getInt(node, "allowzero", 0);
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    bool isRest = size == -1 && !isCopy;
    bool isBatch = size == 0 && int64_t(dim) == at->dim;
    if (int64_t(dim) == found->dim || (!isRest && !isBatch))
      continue;
    if ((*to)[dim] < 0)
      return fail(node, "size " + Twine(dim) + " of its result is not known");
    size = (*to)[dim];
  }
  sizes[found->dim] = isCopy ? 0 : -1;
  if (sizes != *target)
    setConstant(node, 1, sizes);
  return Error::success();
}

/// The one entry of `sizes` that grows with the batch, if nothing else does.
static std::optional<BatchPlace> findPlace(const BatchAnalysis::Sizes &sizes,
                                           int64_t batch) {
  std::optional<BatchPlace> found;
  for (auto [dim, entry] : llvm::enumerate(sizes.entries)) {
    if (!entry.perSample)
      continue;
    if (found)
      return std::nullopt;
    found = BatchPlace{int64_t(dim), entry.number / batch};
  }
  return found;
}

Error BatchAnalysis::expand(NodeProto &node) {
  auto at = placeOf(node, 0);
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  std::optional<Sizes> target = valueOf(node, 1);
  if (!target)
    return fail(node, "the sizes of its result are not known");
  int64_t from = shape->size(), to = target->entries.size();
  auto wanted = findPlace(*target, batch);
  if (!at) {
    if (!wanted)
      return fail(node, "it mixes the batch with other dimensions");
    int64_t own = wanted->dim + from - to;
    if (own >= 0 && (*shape)[own] != 1 && !shrink(node, 0, own))
      return fail(node, "operand '" + node.input(0) + "' has " +
                            Twine((*shape)[own]) +
                            " entries where the samples are");
    place(node, 0,
          wanted->movedTo(wanted->dim + std::max<int64_t>(from - to, 0)));
    return Error::success();
  }
  place(node, 0, at->movedTo(at->dim + std::max<int64_t>(to - from, 0)));
  int64_t index = at->dim + to - from;
  if (std::optional<Shape> numbers = constantOf(node, 1)) {
    if (index < 0 || (*numbers)[index] == 1)
      return Error::success();
    if ((*numbers)[index] != batch * at->perSample())
      return fail(node, "it repeats the samples of a batch");
    (*numbers)[index] = 1;
    setConstant(node, 1, *numbers);
    return Error::success();
  }
  if (!wanted || wanted->dim != index || wanted->perSample() != at->perSample())
    return fail(node, "it mixes the batch with other dimensions");
  return Error::success();
}

Error BatchAnalysis::constantOfShape(NodeProto &node) {
  std::optional<Sizes> target = valueOf(node, 0);
  auto at = target ? findPlace(*target, batch) : std::nullopt;
  if (!at)
    return fail(node, "the sizes of its result are not known");
  placeAll(node, *at);
  return Error::success();
}

Error BatchAnalysis::concat(NodeProto &node) {
  std::optional<BatchPlace> found;
  StringRef like;
  for (const std::string &input : node.input())
    if (auto at = getPlace(input)) {
      if (found && *found != *at)
        return fail(node, "its operands have the batch in different places");
      found = at;
      like = input;
    }
  Expected<Shape> shape = needShape(node, like);
  if (!shape)
    return shape.takeError();
  if (Error error =
          checkAxis(node, getInt(node, "axis", 0), shape->size(), *found))
    return error;
  std::string name = like.str();
  for (int i = 0; i < node.input_size(); ++i) {
    if (getPlace(node.input(i)) || node.input(i) == name)
      continue;
    auto own = shapeOf(node.input(i));
    bool isOne = own && (*own)[found->dim] == 1;
    if (!found->isAlone() || (!isOne && !shrink(node, i, found->dim)))
      return fail(node, "operand '" + node.input(i) +
                            "' is not one entry that all samples could have");
    spread(node, i, found->dim, name, found->dim);
  }
  placeAll(node, *found);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

Error BatchAnalysis::slice(NodeProto &node) {
  auto at = placeOf(node, 0);
  if (Error error = checkAlone(node, at ? 1 : 0))
    return error;
  std::optional<Shape> starts = constantOf(node, 1), ends = constantOf(node, 2);
  std::optional<Shape> axes = constantOf(node, 3), steps = constantOf(node, 4);
  auto isGiven = [&](int i) {
    return i < node.input_size() && !node.input(i).empty();
  };
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  int64_t rank = shape->size();
  if (isGiven(3) && !axes)
    return fail(node, "its axes are not known");
  int64_t number = axes ? axes->size() : starts ? starts->size() : rank;
  for (int64_t i : llvm::seq(number)) {
    int64_t axis = axes ? (*axes)[i] : i;
    if ((axis < 0 ? axis + rank : axis) != at->dim)
      continue;
    bool isWhole = starts && ends && (*starts)[i] == 0 &&
                   (*ends)[i] >= INT32_MAX &&
                   (!isGiven(4) || (steps && (*steps)[i] == 1));
    if (!isWhole)
      return fail(node, "it takes some samples of a batch");
  }
  placeAll(node, *at);
  return Error::success();
}

Error BatchAnalysis::gather(NodeProto &node) {
  auto data = placeOf(node, 0), indices = placeOf(node, 1);
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  Expected<Shape> indexShape = needShape(node, node.input(1));
  if (!indexShape)
    return indexShape.takeError();
  int64_t rank = shape->size(), axis = getInt(node, "axis", 0);
  axis = axis < 0 ? axis + rank : axis;
  if ((data && indices) || sizes.contains(node.input(1)))
    return fail(node, "both its data and its indices depend on the batch");
  if (indices) {
    place(node, 0, indices->movedTo(axis + indices->dim));
    return Error::success();
  }
  if (axis == data->dim)
    return fail(node, "it takes some samples of a batch");
  int64_t added = int64_t(indexShape->size()) - 1;
  place(node, 0, data->movedTo(data->dim + (axis < data->dim ? added : 0)));
  return Error::success();
}

/// GatherElements and ScatterElements: all operands have the samples in the
/// same dimension.
Error BatchAnalysis::gatherElements(NodeProto &node) {
  auto at = placeOf(node, 0);
  for (int i = 0; i < node.input_size(); ++i)
    if (!at || placeOf(node, i) != at)
      return fail(node, "its operands have the batch in different places");
  Expected<Shape> shape = needShape(node, node.input(0));
  if (!shape)
    return shape.takeError();
  if (Error error =
          checkAxis(node, getInt(node, "axis", 0), shape->size(), *at))
    return error;
  placeAll(node, *at);
  return Error::success();
}
