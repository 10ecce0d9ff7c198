//===- Reference.cpp - Models evaluated op by op --------------------------===//

#include "Tensors.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "weft/Conversion/DispatchToHost.h"
#include "weft/Dialect/Weft/IR/Evaluate.h"
#include <deque>
#include <map>

using namespace mlir;
using namespace weft;

namespace {

/// What a weft_program tells of the inputs and outputs of a function.
class Ports {
public:
  LogicalResult describe(CompileSession &session, func::FuncOp function);
  const weft_program &get() const { return program; }

private:
  FailureOr<weft_port> describePort(CompileSession &session, Type type,
                                    DictionaryAttr attrs, StringRef kind,
                                    unsigned number);
  int32_t getSymbol(ModuleOp module, StringRef name);

  weft_program program = {};
  std::deque<std::string> names;
  std::deque<std::vector<weft_dim>> dims;
  std::vector<weft_port> inputs, outputs;
  std::vector<weft_symbol> symbols;
  std::map<std::string, int32_t> numbers;
};

} // namespace

int32_t Ports::getSymbol(ModuleOp module, StringRef name) {
  auto [it, isNew] = numbers.try_emplace(name.str(), symbols.size());
  if (!isNew)
    return it->second;
  weft_symbol symbol = {names.emplace_back(name).c_str(), 0, INT64_MAX};
  auto ranges = module->getAttrOfType<DictionaryAttr>(kDimRangesAttr);
  if (auto range = ranges ? ranges.getAs<DenseI64ArrayAttr>(name) : nullptr) {
    symbol.min = range[0];
    symbol.max = range[1];
  }
  symbols.push_back(symbol);
  return it->second;
}

FailureOr<weft_port> Ports::describePort(CompileSession &session, Type type,
                                         DictionaryAttr attrs, StringRef kind,
                                         unsigned number) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  auto given = attrs ? attrs.getAs<StringAttr>("weft.name") : StringAttr();
  std::string name = given ? given.str() : kind.str() + std::to_string(number);
  if (!tensor || !getDtype(tensor.getElementType()) ||
      tensor.getRank() > WEFT_MAX_RANK)
    return session.fail(Problem::Input,
                        kind + " '" + name + "' is no tensor of numbers");
  auto dimNames = attrs ? attrs.getAs<ArrayAttr>("weft.dims") : ArrayAttr();
  std::vector<weft_dim> &sizes = dims.emplace_back();
  for (auto [i, size] : llvm::enumerate(tensor.getShape())) {
    if (ShapedType::isStatic(size)) {
      sizes.push_back({size, -1});
      continue;
    }
    StringRef symbol = dimNames && i < dimNames.size()
                           ? cast<StringAttr>(dimNames[i]).getValue()
                           : StringRef();
    bool isKnown = kind == "input" || numbers.contains(symbol.str());
    sizes.push_back(
        {-1, isKnown ? getSymbol(session.module.get(),
                                 symbol.empty() ? name + "." + std::to_string(i)
                                                : symbol.str())
                     : -2});
  }
  return weft_port{names.emplace_back(name).c_str(),
                   static_cast<weft_dtype>(getDtype(tensor.getElementType())),
                   static_cast<int32_t>(tensor.getRank()),
                   sizes.data(),
                   WEFT_ROLE_DATA,
                   -1,
                   -1,
                   0};
}

LogicalResult Ports::describe(CompileSession &session, func::FuncOp function) {
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    auto port =
        describePort(session, type, function.getArgAttrDict(i), "input", i);
    if (failed(port))
      return failure();
    inputs.push_back(*port);
  }
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    auto port =
        describePort(session, type, function.getResultAttrDict(i), "output", i);
    if (failed(port))
      return failure();
    outputs.push_back(*port);
  }
  auto name = session.module->getName();
  program.abi = WEFT_PROGRAM_ABI;
  program.name = names.emplace_back(name ? name->str() : "").c_str();
  program.producer = "weft";
  program.target = "reference";
  program.num_inputs = inputs.size();
  program.num_outputs = outputs.size();
  program.num_symbols = symbols.size();
  program.inputs = inputs.data();
  program.outputs = outputs.data();
  program.symbols = symbols.data();
  return success();
}

struct weft_reference {
  explicit weft_reference(const weft_compile_options *options)
      : session(options) {}

  CompileSession session;
  func::FuncOp main;
  Ports ports;
  SmallVector<HostTensor> outputs;
};

extern "C" weft_outcome
weft_reference_create(const char *path, const weft_compile_options *options,
                      weft_reference **out, char **message) {
  *out = nullptr;
  auto reference = std::make_unique<weft_reference>(options);
  CompileSession &session = reference->session;
  auto prepare = [&]() -> LogicalResult {
    session.readFile(path);
    if (!session.module || failed(session.runTo(Stage::Tensor)))
      return failure();
    reference->main = session.module->lookupSymbol<func::FuncOp>("main");
    if (!reference->main)
      return session.fail(Problem::Invalid,
                          "there is no function 'main' to evaluate");
    return reference->ports.describe(session, reference->main);
  };
  weft_outcome outcome = session.finish(failed(prepare()), message);
  if (outcome == WEFT_OUTCOME_OK)
    *out = reference.release();
  return outcome;
}

extern "C" const weft_program *
weft_reference_program(const weft_reference *reference) {
  return &reference->ports.get();
}

/// Checks an input against its port; sizes that stand for a symbol get their
/// values from it.
static LogicalResult checkInput(CompileSession &session, const weft_port &port,
                                const weft_program &program,
                                const weft_tensor &tensor,
                                MutableArrayRef<int64_t> symbols) {
  std::string what = "input '" + std::string(port.name) + "'";
  if (tensor.dtype != port.dtype)
    return session.fail(Problem::Input, what + " has elements of another type");
  if (tensor.rank != port.rank)
    return session.fail(Problem::Input, what + " has rank " +
                                            Twine(tensor.rank) + ", wanted " +
                                            Twine(port.rank));
  for (int32_t i = 0; i < port.rank; ++i) {
    int64_t size = tensor.dims[i], wanted = port.dims[i].size;
    if (int32_t number = port.dims[i].symbol; number >= 0) {
      const weft_symbol &symbol = program.symbols[number];
      if (size < symbol.min || size > symbol.max)
        return session.fail(Problem::Input,
                            what + " gives '" + Twine(symbol.name) +
                                "' the value " + Twine(size) + ", wanted " +
                                Twine(symbol.min) + " to " + Twine(symbol.max));
      if (symbols[number] < 0)
        symbols[number] = size;
      wanted = symbols[number];
    }
    if (size != wanted)
      return session.fail(Problem::Input, what + " has size " + Twine(size) +
                                              " in dimension " + Twine(i) +
                                              ", wanted " + Twine(wanted));
  }
  return success();
}

static LogicalResult evaluate(weft_reference &reference,
                              ArrayRef<weft_tensor> given) {
  CompileSession &session = reference.session;
  const weft_program &program = reference.ports.get();
  if (static_cast<int32_t>(given.size()) != program.num_inputs)
    return session.fail(Problem::Input, "got " + Twine(given.size()) +
                                            " inputs, wanted " +
                                            Twine(program.num_inputs));
  SmallVector<int64_t> symbols(program.num_symbols, -1);
  SmallVector<HostTensor> inputs;
  for (auto [i, tensor] : llvm::enumerate(given)) {
    const weft_port &port = program.inputs[i];
    auto input =
        borrowTensor(session, tensor, "input '" + std::string(port.name) + "'");
    if (failed(input) ||
        failed(checkInput(session, port, program, tensor, symbols)))
      return failure();
    inputs.push_back(*input);
  }
  FailureOr<SmallVector<HostTensor>> outputs =
      evaluateFunction(reference.main, inputs);
  if (failed(outputs))
    return failure();
  reference.outputs = std::move(*outputs);
  return success();
}

extern "C" weft_outcome
weft_reference_run(weft_reference *reference, int32_t num_inputs,
                   const weft_tensor *inputs, int32_t num_outputs,
                   weft_tensor *outputs, char **message) {
  CompileSession &session = reference->session;
  auto run = [&]() -> LogicalResult {
    int32_t wanted = reference->ports.get().num_outputs;
    if (num_outputs != wanted)
      return session.fail(Problem::Input, "got " + Twine(num_outputs) +
                                              " outputs, wanted " +
                                              Twine(wanted));
    if (failed(evaluate(*reference, ArrayRef(inputs, num_inputs))))
      return failure();
    for (int32_t i = 0; i < num_outputs; ++i)
      outputs[i] = describeTensor(reference->outputs[i]);
    return success();
  };
  return session.finish(failed(run()), message);
}

extern "C" void weft_reference_release(weft_reference *reference) {
  delete reference;
}
