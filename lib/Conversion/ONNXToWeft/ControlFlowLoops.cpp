//===- ControlFlowLoops.cpp - Loop and Scan -------------------------------===//

#include "ControlFlowBody.h"
#include "Loops.h"
#include "Lowering.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace weft {

/// Loops that carry sequences or tensors whose shapes change are written out,
/// if they have no more iterations than this.
static constexpr int64_t kMaxUnrolledTrips = 64;
/// A `Loop` with a condition and a trip count above this has the count only for
/// form's sake, so that no room is set aside for the results of all iterations.
static constexpr int64_t kMaxReservedTrips = 1 << 16;

//===----------------------------------------------------------------------===//
// Loop
//===----------------------------------------------------------------------===//

/// What an iteration yields must be what the next one takes.
static LogicalResult checkSameElements(Lowering &lower, onnx::Node node,
                                       Value argument, Value yield) {
  auto wanted = dyn_cast<TensorType>(argument.getType());
  auto found = dyn_cast<TensorType>(yield.getType());
  if (!wanted || !found || wanted.getElementType() == found.getElementType())
    return success();
  std::string text;
  llvm::raw_string_ostream(text)
      << "'body' yields '" << onnx::getValueName(yield) << "' of "
      << found.getElementType() << " for '" << onnx::getValueName(argument)
      << "' of " << wanted.getElementType();
  return lower.fail(node, text);
}

namespace {

/// One Loop node.
class LoopRule {
public:
  LoopRule(Lowering &lower, onnx::Node node)
      : lower(lower), node(node), graph(*node.getGraph("body")) {}

  LogicalResult run(SmallVectorImpl<Value> &results);

private:
  LogicalResult readOperands();
  SmallVector<GraphValue> bind(Value number, ArrayRef<GraphValue> carried);
  bool keepsGoing(Value yielded);
  LogicalResult unroll(SmallVectorImpl<Value> &results);
  bool appendIteration(int64_t iteration, SmallVector<GraphValue> &carried,
                       SmallVector<SmallVector<Value>> &scanned, bool &goesOn);
  void emitCounted(LoopBody &body, SmallVectorImpl<Value> &results);
  void emitWhile(LoopBody &body, SmallVectorImpl<Value> &results);
  void emitWhileHead(scf::WhileOp loop, unsigned numValues);
  unsigned numCarried() { return inits.size(); }
  std::optional<int64_t> constantTrips() {
    return limit ? getConstantIntValue(*limit) : std::nullopt;
  }
  /// Whether results of all iterations get room beforehand.
  bool reserves() {
    return limit &&
           constantTrips().value_or(kMaxReservedTrips) <= kMaxReservedTrips;
  }

  Lowering &lower;
  onnx::Node node;
  Region &graph;
  std::optional<OpFoldResult> limit; // at most so many iterations
  Value condition;                   // null if there is none
  std::optional<bool> constantCondition;
  SmallVector<GraphValue> inits;
};

} // namespace

LogicalResult LoopRule::readOperands() {
  if (Value trips = lower.operand(node, 0)) {
    SmallVector<OpFoldResult> values = lower.indexValues(trips);
    if (values.size() != 1)
      return lower.fail(node, "'M' must have one element");
    limit = lower.maxSizes(values.front(), lower.index(0));
  }
  condition = lower.operand(node, 1);
  if (condition) {
    if (std::optional<HostTensor> value = lower.constantOf(condition))
      constantCondition = value->getInt(0) != 0;
  } else {
    constantCondition = true;
  }
  for (unsigned i = 2; i < node.getNumOperands(); ++i) {
    Value from = node.getOperand(i);
    if (!from)
      return lower.unsupported(node, "a carried value that is absent at first");
    FailureOr<GraphValue> value = readValue(lower, node, from);
    if (failed(value))
      return failure();
    inits.push_back(*value);
  }
  Block &block = graph.front();
  if (block.getNumArguments() != inits.size() + 2 ||
      block.getTerminator()->getNumOperands() < inits.size() + 1)
    return lower.fail(node, "'body' does not fit the number of operands");
  ValueRange yields = block.getTerminator()->getOperands().drop_front();
  if (node.getNumResults() > yields.size())
    return lower.fail(node, "'body' yields " + Twine(yields.size()) +
                                " values for " + Twine(node.getNumResults()) +
                                " results");
  for (auto [argument, yield] :
       llvm::zip(block.getArguments().drop_front(2), yields))
    if (failed(checkSameElements(lower, node, argument, yield)))
      return failure();
  return success();
}

/// The arguments of the graph. The condition is true wherever it is read.
SmallVector<GraphValue> LoopRule::bind(Value number,
                                       ArrayRef<GraphValue> carried) {
  Block &block = graph.front();
  Value truth = lower.splat(1.0, lower.b.getI1Type());
  SmallVector<GraphValue> arguments;
  arguments.push_back(
      {shapeLikeArgument(lower, number, block.getArgument(0)), {}});
  arguments.push_back(
      {shapeLikeArgument(lower, truth, block.getArgument(1)), {}});
  llvm::append_range(arguments, carried);
  return arguments;
}

/// Whether the condition that an iteration yields is sure to be true.
bool LoopRule::keepsGoing(Value yielded) {
  if (!condition)
    return true;
  std::optional<HostTensor> value = lower.constantOf(yielded);
  return value && value->getInt(0) != 0;
}

//===----------------------------------------------------------------------===//
// Loop, written out
//===----------------------------------------------------------------------===//

/// Emits one iteration; false if it cannot be done.
bool LoopRule::appendIteration(int64_t iteration,
                               SmallVector<GraphValue> &carried,
                               SmallVector<SmallVector<Value>> &scanned,
                               bool &goesOn) {
  Value number = lower.splat(iteration, lower.b.getI64Type());
  FailureOr<SmallVector<GraphValue>> yields =
      lowerNested(lower, node, graph, bind(number, carried));
  if (failed(yields))
    return false;
  for (auto [i, value] : llvm::enumerate(*yields)) {
    if (i == 0)
      continue;
    if (i <= carried.size())
      carried[i - 1] = value;
    else
      scanned[i - 1 - carried.size()].push_back(
          insertAxis(lower, value.tensor, 0));
  }
  goesOn = true;
  if (!condition)
    return true;
  std::optional<HostTensor> next = lower.constantOf(yields->front().tensor);
  if (!next) {
    (void)lower.unsupported(node, "a loop that carries sequences or changing "
                                  "shapes, with a condition that is not "
                                  "constant");
    return false;
  }
  goesOn = next->getInt(0) != 0;
  return true;
}

LogicalResult LoopRule::unroll(SmallVectorImpl<Value> &results) {
  std::optional<int64_t> trips = constantTrips();
  if ((limit && !trips) || !constantCondition)
    return lower.unsupported(node, "a loop that carries sequences or changing "
                                   "shapes, with a trip count that is not "
                                   "constant");
  SmallVector<GraphValue> carried = inits;
  SmallVector<SmallVector<Value>> scanned(node.getNumResults() -
                                          carried.size());
  bool goesOn = *constantCondition;
  for (int64_t i = 0; goesOn && (!trips || i < *trips); ++i) {
    if (i == kMaxUnrolledTrips)
      return lower.unsupported(node,
                               "a loop that carries sequences or changing "
                               "shapes, with more than " +
                                   Twine(kMaxUnrolledTrips) + " iterations");
    if (!appendIteration(i, carried, scanned, goesOn))
      return failure();
  }
  for (auto [i, value] : llvm::enumerate(carried)) {
    results.push_back(value.tensor);
    if (value.elements)
      lower.mapSequence(node.getOperation()->getResult(i), *value.elements);
  }
  for (ArrayRef<Value> elements : scanned) {
    if (elements.empty())
      return lower.unsupported(node, "a result of a loop without iterations");
    results.push_back(lower.concat(elements, 0));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Loop, as a loop
//===----------------------------------------------------------------------===//

/// The loop whose condition never becomes false.
void LoopRule::emitCounted(LoopBody &body, SmallVectorImpl<Value> &results) {
  ImplicitLocOpBuilder &b = lower.b;
  OpFoldResult trips = *limit;
  if (constantCondition) {
    if (!*constantCondition)
      trips = lower.index(0);
  } else {
    trips = arith::SelectOp::create(b, extractScalar(lower, condition),
                                    lower.sizeValue(trips),
                                    lower.sizeValue(lower.index(0)))
                .getResult();
  }
  SmallVector<Value> values(body.getInits());
  ArrayRef<Value> scanned = body.getYields().drop_front(numCarried() + 1);
  for (Value element : scanned)
    values.push_back(body.createAccumulator(element, trips, 0));
  auto loop = scf::ForOp::create(b, lower.sizeValue(lower.index(0)),
                                 lower.sizeValue(trips),
                                 lower.sizeValue(lower.index(1)), values);
  llvm::append_range(results, loop.getResults());
  OpBuilder::InsertionGuard guard(b);
  if (!loop.getBody()->empty())
    loop.getBody()->front().erase();
  ValueRange arguments = loop.getRegionIterArgs();
  body.moveTo(loop.getBody(), loop.getInductionVar(),
              arguments.take_front(numCarried()));
  SmallVector<Value> next;
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    Value yielded = body.getYields()[i + 1];
    if (i >= numCarried())
      yielded = accumulate(lower, yielded, argument, loop.getInductionVar(), 0);
    next.push_back(castTo(lower, yielded, argument.getType()));
  }
  scf::YieldOp::create(b, next);
}

/// Continues while the condition, the last of the loop's values, holds and the
/// iteration's number, the last but one, is below the limit.
void LoopRule::emitWhileHead(scf::WhileOp loop, unsigned numValues) {
  ImplicitLocOpBuilder &b = lower.b;
  SmallVector<Location> locs(numValues, b.getLoc());
  TypeRange types = loop.getResultTypes();
  Block *head = b.createBlock(&loop.getBefore(), {}, types, locs);
  Value goesOn = head->getArguments().back();
  if (limit) {
    Value below = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                        head->getArgument(numValues - 2),
                                        lower.sizeValue(*limit));
    goesOn = arith::AndIOp::create(b, goesOn, below);
  }
  scf::ConditionOp::create(b, goesOn, head->getArguments());
  b.createBlock(&loop.getAfter(), {}, types, locs);
}

void LoopRule::emitWhile(LoopBody &body, SmallVectorImpl<Value> &results) {
  ImplicitLocOpBuilder &b = lower.b;
  if (limit) // in front of the loop, which reads it
    limit = lower.sizeValue(*limit);
  SmallVector<Value> values(body.getInits());
  for (Value element : body.getYields().drop_front(numCarried() + 1)) {
    Value room = body.createAccumulator(
        element, reserves() ? *limit : lower.index(0), 0);
    SmallVector<int64_t> shape(Lowering::typeOf(room).getShape());
    if (!reserves())
      shape[0] = ShapedType::kDynamic;
    values.push_back(castTo(lower, room, Lowering::typeOf(room).clone(shape)));
  }
  unsigned numTensors = values.size();
  values.push_back(lower.sizeValue(lower.index(0)));
  values.push_back(extractScalar(lower, condition));
  auto loop = scf::WhileOp::create(b, TypeRange(ValueRange(values)), values);
  {
    OpBuilder::InsertionGuard guard(b);
    emitWhileHead(loop, values.size());
    Block *tail = loop.getAfterBody();
    ValueRange arguments = tail->getArguments();
    Value number = arguments[numTensors];
    body.moveTo(tail, number, arguments.take_front(numCarried()));
    SmallVector<Value> next;
    for (unsigned i = 0; i < numTensors; ++i) {
      Value yielded = body.getYields()[i + 1], argument = arguments[i];
      if (i >= numCarried())
        yielded =
            reserves()
                ? accumulate(lower, yielded, argument, number, 0)
                : lower.concat({argument, insertAxis(lower, yielded, 0)}, 0);
      next.push_back(castTo(lower, yielded, argument.getType()));
    }
    next.push_back(lower.sizeValue(lower.addSizes(number, lower.index(1))));
    next.push_back(extractScalar(lower, body.getYields().front()));
    scf::YieldOp::create(b, next);
  }
  for (unsigned i = 0; i < numTensors; ++i) {
    Value result = loop.getResult(i);
    if (i >= numCarried() && reserves()) {
      int64_t rank = Lowering::rankOf(result);
      SmallVector<OpFoldResult> sizes = lower.sizes(result);
      sizes[0] = loop.getResult(numTensors);
      result =
          lower.slice(result, SmallVector<OpFoldResult>(rank, lower.index(0)),
                      sizes, SmallVector<OpFoldResult>(rank, lower.index(1)));
    }
    results.push_back(result);
  }
}

LogicalResult LoopRule::run(SmallVectorImpl<Value> &results) {
  if (failed(readOperands()))
    return failure();
  if (!limit && !condition)
    return lower.fail(node,
                      "a loop without trip count and condition never ends");
  SmallVector<Value> tensors;
  for (GraphValue &init : inits) {
    if (!init.tensor)
      return unroll(results);
    tensors.push_back(init.tensor);
  }
  // The body is the same whatever the number of iterations.
  LoopBody body(lower, node, graph, limit.value_or(lower.index(1)), tensors);
  LoopBody::Fit fit = body.build(
      [&](Value iteration, ValueRange carried) {
        SmallVector<GraphValue> values;
        for (Value value : carried)
          values.push_back({value, {}});
        return bind(indexTensor(lower, iteration, lower.b.getI64Type()),
                    values);
      },
      /*firstCarried=*/1);
  if (fit == LoopBody::Fit::Failed)
    return failure();
  if (fit == LoopBody::Fit::Changes)
    return unroll(results);
  bool counted = limit && keepsGoing(body.getYields().front());
  if (fit == LoopBody::Fit::Grows && counted && constantCondition &&
      constantTrips().value_or(kMaxUnrolledTrips + 1) <= kMaxUnrolledTrips)
    return unroll(results);
  if (!counted && !condition)
    return lower.fail(node,
                      "a loop without trip count and condition never ends");
  if (counted)
    emitCounted(body, results);
  else
    emitWhile(body, results);
  return success();
}

static LogicalResult lowerLoop(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  if (!node.getGraph("body"))
    return lower.fail(node, "attribute 'body' is missing");
  return LoopRule(lower, node).run(results);
}

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

namespace {

/// One Scan node.
class ScanRule {
public:
  ScanRule(Lowering &lower, onnx::Node node)
      : lower(lower), node(node), graph(*node.getGraph("body")) {}

  LogicalResult run(SmallVectorImpl<Value> &results);

private:
  LogicalResult readOperands();
  FailureOr<SmallVector<int64_t>> readAxes(StringRef name,
                                           ArrayRef<int64_t> ranks);
  OpFoldResult positionOf(StringRef directions, unsigned index,
                          OpFoldResult iteration);
  Value elementAt(unsigned index, OpFoldResult iteration);
  void emit(LoopBody &body, ArrayRef<int64_t> axes,
            SmallVectorImpl<Value> &results);

  Lowering &lower;
  onnx::Node node;
  Region &graph;
  SmallVector<Value> states, inputs;
  SmallVector<int64_t> inputAxes;
  OpFoldResult trips;
};

} // namespace

FailureOr<SmallVector<int64_t>> ScanRule::readAxes(StringRef name,
                                                   ArrayRef<int64_t> ranks) {
  SmallVector<int64_t> axes = node.getInts(name);
  axes.resize(ranks.size(), 0);
  for (auto [axis, rank] : llvm::zip_equal(axes, ranks)) {
    FailureOr<int64_t> counted = lower.axis(node, axis, rank);
    if (failed(counted))
      return failure();
    axis = *counted;
  }
  return axes;
}

LogicalResult ScanRule::readOperands() {
  int64_t numInputs = node.getInt("num_scan_inputs", 0);
  int64_t numStates = int64_t(node.getNumOperands()) - numInputs;
  Block &block = graph.front();
  if (numInputs <= 0 || numStates < 0 ||
      block.getNumArguments() != node.getNumOperands() ||
      block.getTerminator()->getNumOperands() < numStates)
    return lower.fail(node,
                      "'body' and 'num_scan_inputs' do not fit the number "
                      "of operands");
  SmallVector<int64_t> ranks;
  for (unsigned i = 0; i < node.getNumOperands(); ++i) {
    Value operand = lower.operand(node, i);
    if (!operand)
      return lower.fail(node, "operand " + Twine(i) + " is not a tensor");
    (i < numStates ? states : inputs).push_back(operand);
    if (i >= numStates)
      ranks.push_back(Lowering::rankOf(operand));
  }
  FailureOr<SmallVector<int64_t>> axes = readAxes("scan_input_axes", ranks);
  if (failed(axes))
    return failure();
  inputAxes = *axes;
  for (auto [input, axis] : llvm::zip_equal(inputs, inputAxes))
    if (failed(lower.require(node, SizeRelation::equal, lower.size(input, axis),
                             lower.size(inputs.front(), inputAxes.front()))))
      return failure();
  trips = lower.size(inputs.front(), inputAxes.front());
  return success();
}

/// Where an iteration reads or writes along the scanned axis.
OpFoldResult ScanRule::positionOf(StringRef directions, unsigned index,
                                  OpFoldResult iteration) {
  SmallVector<int64_t> flags = node.getInts(directions);
  if (index >= flags.size() || !flags[index])
    return iteration;
  return lower.subSizes(lower.subSizes(trips, lower.index(1)), iteration);
}

Value ScanRule::elementAt(unsigned index, OpFoldResult iteration) {
  Value input = inputs[index];
  int64_t rank = Lowering::rankOf(input), axis = inputAxes[index];
  SmallVector<OpFoldResult> offsets(rank, lower.index(0));
  SmallVector<OpFoldResult> strides(rank, lower.index(1));
  SmallVector<OpFoldResult> sizes = lower.sizes(input);
  offsets[axis] = positionOf("scan_input_directions", index, iteration);
  sizes[axis] = lower.index(1);
  Value part = lower.slice(input, offsets, sizes, strides);
  sizes.erase(sizes.begin() + axis);
  return lower.reshape(part, sizes);
}

void ScanRule::emit(LoopBody &body, ArrayRef<int64_t> axes,
                    SmallVectorImpl<Value> &results) {
  ImplicitLocOpBuilder &b = lower.b;
  unsigned numStates = states.size();
  SmallVector<Value> values(body.getInits());
  for (auto [element, axis] :
       llvm::zip_equal(body.getYields().drop_front(numStates), axes))
    values.push_back(body.createAccumulator(element, trips, axis));
  auto loop = scf::ForOp::create(b, lower.sizeValue(lower.index(0)),
                                 lower.sizeValue(trips),
                                 lower.sizeValue(lower.index(1)), values);
  llvm::append_range(results, loop.getResults());
  OpBuilder::InsertionGuard guard(b);
  if (!loop.getBody()->empty())
    loop.getBody()->front().erase();
  ValueRange arguments = loop.getRegionIterArgs();
  Value number = loop.getInductionVar();
  body.moveTo(loop.getBody(), number, arguments.take_front(numStates));
  SmallVector<Value> next;
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    Value yielded = body.getYields()[i];
    if (i >= numStates)
      yielded = accumulate(
          lower, yielded, argument,
          positionOf("scan_output_directions", i - numStates, number),
          axes[i - numStates]);
    next.push_back(castTo(lower, yielded, argument.getType()));
  }
  scf::YieldOp::create(b, next);
}

LogicalResult ScanRule::run(SmallVectorImpl<Value> &results) {
  if (failed(readOperands()))
    return failure();
  LoopBody body(lower, node, graph, trips, states);
  LoopBody::Fit fit = body.build(
      [&](Value iteration, ValueRange carried) {
        SmallVector<GraphValue> values;
        for (Value value : carried)
          values.push_back({value, {}});
        for (unsigned i = 0; i < inputs.size(); ++i)
          values.push_back({elementAt(i, iteration), {}});
        return values;
      },
      /*firstCarried=*/0);
  if (fit == LoopBody::Fit::Failed)
    return failure();
  if (fit == LoopBody::Fit::Changes)
    return lower.fail(node, "a state changes its rank or element type");
  SmallVector<int64_t> ranks;
  for (Value element : body.getYields().drop_front(states.size()))
    ranks.push_back(Lowering::rankOf(element) + 1);
  FailureOr<SmallVector<int64_t>> axes = readAxes("scan_output_axes", ranks);
  if (failed(axes))
    return failure();
  emit(body, *axes, results);
  return success();
}

static LogicalResult lowerScan(Lowering &lower, onnx::Node node,
                               SmallVectorImpl<Value> &results) {
  if (!node.getGraph("body"))
    return lower.fail(node, "attribute 'body' is missing");
  return ScanRule(lower, node).run(results);
}

void addLoopLowerings(LoweringTable &table) {
  table["Loop"] = lowerLoop;
  table["Scan"] = lowerScan;
}

} // namespace weft
