//===- Recurrent.cpp - RNN, GRU and LSTM ----------------------------------===//
//
// The projection of the inputs of all time steps is one contraction. The
// recurrence is one loop over time for both directions: its state is
// [directions, batch, hidden], and the second direction reads the time steps
// from the last to the first.
//
//===----------------------------------------------------------------------===//

#include "Loops.h"
#include "Lowering.h"
#include "RecurrentActivations.h"
#include "Terms.h"

using namespace mlir;

namespace weft {

namespace {

/// What the three cells have in common.
class RecurrentRule {
public:
  RecurrentRule(Lowering &lower, onnx::Node node, int64_t gates)
      : lower(lower), node(node), terms(lower, node), gates(gates) {}
  virtual ~RecurrentRule() = default;

  LogicalResult run(SmallVectorImpl<Value> &results);

protected:
  /// The functions of a cell of one direction by default.
  virtual SmallVector<StringRef> defaultActivations() const = 0;
  /// Reads operands and attributes of its own. The bias of the recurrence that
  /// can be added to the input's projection beforehand is returned through
  /// `bias` ([directions, gates * hidden], holds all of it at first).
  virtual LogicalResult prepare(Value &bias) { return success(); }
  /// The next state from the projected inputs and the state, both
  /// [directions, batch, ...]. The first of the state is the output.
  virtual SmallVector<Value> step(Value inputs, ValueRange state) = 0;
  /// The operands that hold the initial state.
  virtual SmallVector<unsigned> stateOperands() const { return {5}; }

  Value parts(Value value, int64_t first, int64_t count, int64_t axis);
  Value gate(Value value, int64_t index) { return parts(value, index, 1, 2); }
  Value recur(Value h, Value weights);
  /// Applies function `index` of each direction, after clipping.
  Value activate(int64_t index, Value x);

  Lowering &lower;
  onnx::Node node;
  Terms terms;
  int64_t gates, directions = 1;
  OpFoldResult hidden;
  Value weights; // of the recurrence: [directions, gates * hidden, hidden]

private:
  LogicalResult readShape();
  LogicalResult project();
  SmallVector<OpFoldResult> stateShape() {
    return {lower.index(directions), batch, hidden};
  }
  SmallVector<Value> initialState();
  OpFoldResult timeOf(int64_t direction, OpFoldResult iteration);
  Value inputsAt(OpFoldResult iteration);
  Value validAt(OpFoldResult iteration);
  Value storeOutput(Value y, Value h, OpFoldResult iteration);
  Value ofDirection(Value value, int64_t direction);
  Value emptyOutput();
  void finish(SmallVector<Value> carried, SmallVectorImpl<Value> &results);

  bool batchFirst() { return node.getInt("layout", 0) == 1; }
  bool wantsAllSteps() {
    return node.hasResult(0) && !node.getOperation()->getResult(0).use_empty();
  }

  SmallVector<Activation> activations;
  OpFoldResult times, batch;
  Value projected; // [times, batch, directions, gates * hidden]
  Value lengths;   // [batch], null if all are whole
};

} // namespace

//===----------------------------------------------------------------------===//
// Before the loop
//===----------------------------------------------------------------------===//

LogicalResult RecurrentRule::readShape() {
  StringRef direction = node.getString("direction", "forward");
  if (direction != "forward" && direction != "reverse" &&
      direction != "bidirectional")
    return lower.fail(node, "unknown 'direction' \"" + direction + "\"");
  directions = direction == "bidirectional" ? 2 : 1;
  Value x = lower.operand(node, 0);
  weights = lower.operand(node, 2);
  for (Value operand : {x, lower.operand(node, 1), weights})
    if (Lowering::rankOf(operand) != 3)
      return lower.fail(node, "'X', 'W' and 'R' must have rank 3");
  std::optional<int64_t> found = getConstantIntValue(lower.size(weights, 0));
  if (found && *found != directions)
    return lower.fail(node, "'R' is for " + Twine(*found) +
                                " directions, 'direction' is \"" + direction +
                                "\"");
  times = lower.size(x, batchFirst() ? 1 : 0);
  batch = lower.size(x, batchFirst() ? 0 : 1);
  hidden = lower.size(weights, 2);
  lengths = lower.operand(node, 4);
  FailureOr<SmallVector<Activation>> read =
      readActivations(lower, node, defaultActivations(), directions);
  if (failed(read))
    return failure();
  activations = *read;
  return success();
}

/// The part of `value` along `axis` that belongs to gates.
Value RecurrentRule::parts(Value value, int64_t first, int64_t count,
                           int64_t axis) {
  int64_t rank = Lowering::rankOf(value);
  SmallVector<OpFoldResult> offsets(rank, lower.index(0));
  SmallVector<OpFoldResult> strides(rank, lower.index(1));
  SmallVector<OpFoldResult> sizes = lower.sizes(value);
  offsets[axis] = lower.mulSizes(lower.index(first), hidden);
  sizes[axis] = lower.mulSizes(lower.index(count), hidden);
  return lower.slice(value, offsets, sizes, strides);
}

LogicalResult RecurrentRule::project() {
  Value x = lower.operand(node, 0), w = lower.operand(node, 1);
  if (batchFirst())
    x = lower.transpose(x, {1, 0, 2});
  projected = lower.make<ContractOp>(
      x, w, ArrayRef<int64_t>{}, ArrayRef<int64_t>{}, ArrayRef<int64_t>{2},
      ArrayRef<int64_t>{2}, Lowering::elementOf(x));
  Value both = lower.operand(node, 3), recurrent;
  if (both)
    recurrent = parts(both, gates, gates, 1);
  if (failed(prepare(recurrent)))
    return failure();
  if (!both)
    return success();
  Value bias = terms.add(parts(both, 0, gates, 1), recurrent);
  projected = terms.add(
      projected, lower.broadcastInDims(bias, lower.sizes(projected), {2, 3}));
  return success();
}

SmallVector<Value> RecurrentRule::initialState() {
  SmallVector<Value> state;
  for (unsigned index : stateOperands()) {
    Value given = lower.operand(node, index);
    if (given && batchFirst())
      given = lower.transpose(given, {1, 0, 2});
    Value zero = zeros(lower, Lowering::elementOf(weights), stateShape());
    state.push_back(given ? castTo(lower, given, zero.getType()) : zero);
  }
  return state;
}

//===----------------------------------------------------------------------===//
// In the loop
//===----------------------------------------------------------------------===//

/// The time step that a direction deals with in an iteration.
OpFoldResult RecurrentRule::timeOf(int64_t direction, OpFoldResult iteration) {
  bool backward =
      direction == 1 || node.getString("direction", "forward") == "reverse";
  if (!backward)
    return iteration;
  return lower.subSizes(lower.subSizes(times, lower.index(1)), iteration);
}

Value RecurrentRule::inputsAt(OpFoldResult iteration) {
  OpFoldResult zero = lower.index(0), one = lower.index(1);
  OpFoldResult width = lower.size(projected, 3);
  SmallVector<Value> all;
  for (int64_t d = 0; d < directions; ++d) {
    Value part = lower.slice(projected,
                             {timeOf(d, iteration), zero, lower.index(d), zero},
                             {one, batch, one, width}, {one, one, one, one});
    all.push_back(lower.reshape(part, {one, batch, width}));
  }
  return all.size() == 1 ? all.front() : lower.concat(all, 0);
}

/// Whether each sequence of the batch has a step here: [directions, batch, 1].
Value RecurrentRule::validAt(OpFoldResult iteration) {
  OpFoldResult one = lower.index(1);
  SmallVector<Value> all;
  for (int64_t d = 0; d < directions; ++d) {
    Value time =
        indexTensor(lower, timeOf(d, iteration), Lowering::elementOf(lengths));
    Value valid = terms.compare(ComparePredicate::lt, time, lengths);
    all.push_back(lower.reshape(valid, {one, batch, one}));
  }
  return all.size() == 1 ? all.front() : lower.concat(all, 0);
}

Value RecurrentRule::recur(Value h, Value by) {
  return lower.make<ContractOp>(h, by, ArrayRef<int64_t>{0},
                                ArrayRef<int64_t>{0}, ArrayRef<int64_t>{2},
                                ArrayRef<int64_t>{2}, Lowering::elementOf(h));
}

Value RecurrentRule::ofDirection(Value value, int64_t direction) {
  SmallVector<OpFoldResult> offsets(3, lower.index(0));
  SmallVector<OpFoldResult> strides(3, lower.index(1));
  SmallVector<OpFoldResult> sizes = lower.sizes(value);
  offsets[0] = lower.index(direction);
  sizes[0] = lower.index(1);
  return lower.slice(value, offsets, sizes, strides);
}

Value RecurrentRule::activate(int64_t index, Value x) {
  if (std::optional<float> clip = node.getFloat("clip"))
    x = terms.min(terms.max(x, -*clip), *clip);
  int64_t perDirection = activations.size() / directions;
  const Activation &first = activations[index];
  if (directions == 1 || first == activations[index + perDirection])
    return first.apply(terms, x);
  const Activation &second = activations[index + perDirection];
  return lower.concat({first.apply(terms, ofDirection(x, 0)),
                       second.apply(terms, ofDirection(x, 1))},
                      0);
}

Value RecurrentRule::storeOutput(Value y, Value h, OpFoldResult iteration) {
  OpFoldResult zero = lower.index(0), one = lower.index(1);
  for (int64_t d = 0; d < directions; ++d) {
    Value part = directions == 1 ? h : ofDirection(h, d);
    OpFoldResult time = timeOf(d, iteration);
    if (batchFirst())
      y = updateSlice(lower, lower.reshape(part, {batch, one, one, hidden}), y,
                      {zero, time, lower.index(d), zero});
    else
      y = updateSlice(lower, lower.reshape(part, {one, one, batch, hidden}), y,
                      {time, lower.index(d), zero, zero});
  }
  return y;
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

Value RecurrentRule::emptyOutput() {
  Type type = Lowering::elementOf(weights);
  OpFoldResult count = lower.index(directions);
  if (batchFirst())
    return zeros(lower, type, {batch, times, count, hidden});
  return zeros(lower, type, {times, count, batch, hidden});
}

void RecurrentRule::finish(SmallVector<Value> carried,
                           SmallVectorImpl<Value> &results) {
  results.push_back(wantsAllSteps() ? carried.pop_back_val() : Value());
  for (Value state : carried) {
    if (results.size() == node.getNumResults())
      break;
    results.push_back(batchFirst() ? lower.transpose(state, {1, 0, 2}) : state);
  }
}

LogicalResult RecurrentRule::run(SmallVectorImpl<Value> &results) {
  if (failed(readShape()) || failed(project()))
    return failure();
  SmallVector<Value> carried = initialState();
  size_t numStates = carried.size();
  if (wantsAllSteps())
    carried.push_back(emptyOutput());
  carried = emitFor(
      lower, times, carried, [&](OpFoldResult iteration, ValueRange values) {
        SmallVector<Value> state;
        for (Value value : values.take_front(numStates))
          state.push_back(withSizes(lower, value, stateShape()));
        SmallVector<Value> next = step(inputsAt(iteration), state);
        Value output = next.front();
        if (lengths) {
          // A sequence that has ended keeps its state and gives zeros.
          Value valid = validAt(iteration);
          output = terms.select(valid, output, 0.0);
          for (auto [value, old] : llvm::zip_equal(next, state))
            value = terms.select(valid, value, old);
        }
        if (wantsAllSteps())
          next.push_back(storeOutput(values.back(), output, iteration));
        return next;
      });
  finish(carried, results);
  return failure(terms.isBroken());
}

//===----------------------------------------------------------------------===//
// Cells
//===----------------------------------------------------------------------===//

namespace {

/// h = f(x W + h R + b)
class RnnRule : public RecurrentRule {
public:
  RnnRule(Lowering &lower, onnx::Node node) : RecurrentRule(lower, node, 1) {}

private:
  SmallVector<StringRef> defaultActivations() const override {
    return {"Tanh"};
  }
  SmallVector<Value> step(Value inputs, ValueRange state) override {
    return {activate(0, terms.add(inputs, recur(state[0], weights)))};
  }
};

/// z, r = f(...); h~ = g(...); h = (1 - z) h~ + z h. Gates in the order z r h.
class GruRule : public RecurrentRule {
public:
  GruRule(Lowering &lower, onnx::Node node) : RecurrentRule(lower, node, 3) {}

private:
  SmallVector<StringRef> defaultActivations() const override {
    return {"Sigmoid", "Tanh"};
  }

  /// With `linear_before_reset`, the hidden gate's recurrent bias is inside of
  /// what the reset gate scales, so it cannot be added beforehand.
  LogicalResult prepare(Value &bias) override {
    linear = node.getInt("linear_before_reset", 0) != 0;
    if (!linear || !bias)
      return success();
    Value ofHidden = parts(bias, 2, 1, 1);
    hiddenBias = lower.reshape(
        ofHidden, {lower.index(directions), lower.index(1), hidden});
    bias = lower.concat({parts(bias, 0, 2, 1), terms.number(0.0, ofHidden)}, 1);
    return success();
  }

  SmallVector<Value> step(Value inputs, ValueRange state) override {
    Value h = state[0], forHidden, recurrent;
    if (linear) {
      recurrent = recur(h, weights);
      forHidden = gate(recurrent, 2);
      if (hiddenBias)
        forHidden = terms.add(forHidden, hiddenBias);
    } else {
      recurrent = recur(h, parts(weights, 0, 2, 1));
    }
    Value z = activate(0, terms.add(gate(inputs, 0), gate(recurrent, 0)));
    Value r = activate(0, terms.add(gate(inputs, 1), gate(recurrent, 1)));
    forHidden = linear ? terms.mul(r, forHidden)
                       : recur(terms.mul(r, h), parts(weights, 2, 1, 1));
    Value fresh = activate(1, terms.add(gate(inputs, 2), forHidden));
    return {terms.add(terms.mul(terms.sub(1.0, z), fresh), terms.mul(z, h))};
  }

  bool linear = false;
  Value hiddenBias; // [directions, 1, hidden]
};

/// i, o, f = f(...); c = f c + i g(...); h = o h(c). Gates in the order i o f
/// c, peepholes i o f.
class LstmRule : public RecurrentRule {
public:
  LstmRule(Lowering &lower, onnx::Node node) : RecurrentRule(lower, node, 4) {}

private:
  SmallVector<StringRef> defaultActivations() const override {
    return {"Sigmoid", "Tanh", "Tanh"};
  }
  SmallVector<unsigned> stateOperands() const override { return {5, 6}; }

  LogicalResult prepare(Value &) override {
    Value given = lower.operand(node, 7);
    for (int64_t i = 0; given && i < 3; ++i)
      peepholes.push_back(
          lower.reshape(parts(given, i, 1, 1),
                        {lower.index(directions), lower.index(1), hidden}));
    return success();
  }

  /// `x` plus what the cell shows through peephole `index`.
  Value peep(int64_t index, Value x, Value cell) {
    if (peepholes.empty())
      return x;
    return terms.add(x, terms.mul(peepholes[index], cell));
  }

  SmallVector<Value> step(Value inputs, ValueRange state) override {
    Value h = state[0], c = state[1];
    Value sums = terms.add(inputs, recur(h, weights));
    Value i = activate(0, peep(0, gate(sums, 0), c));
    Value f = node.getInt("input_forget", 0)
                  ? terms.sub(1.0, i)
                  : activate(0, peep(2, gate(sums, 2), c));
    Value fresh = activate(1, gate(sums, 3));
    Value cell = terms.add(terms.mul(f, c), terms.mul(i, fresh));
    Value o = activate(0, peep(1, gate(sums, 1), cell));
    return {terms.mul(o, activate(2, cell)), cell};
  }

  SmallVector<Value> peepholes; // each [directions, 1, hidden]
};

} // namespace

template <typename Rule>
static LogicalResult lowerRecurrent(Lowering &lower, onnx::Node node,
                                    SmallVectorImpl<Value> &results) {
  return Rule(lower, node).run(results);
}

void addRecurrentLowerings(LoweringTable &table) {
  table["RNN"] = lowerRecurrent<RnnRule>;
  table["GRU"] = lowerRecurrent<GruRule>;
  table["LSTM"] = lowerRecurrent<LstmRule>;
}

} // namespace weft
