//===- Program.cpp - Cases compiled together ------------------------------===//

#include "Program.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/Format.h"
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;
using namespace weft;
using namespace weft::test;

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static constexpr char kPattern = static_cast<char>(0xa5);

GuardedMemory::GuardedMemory(int64_t bytes) : bytes(bytes) {
  int64_t page = sysconf(_SC_PAGESIZE);
  // At least one byte before, so that stores below the start are seen, too.
  mapped = (bytes + WEFT_BUFFER_ALIGNMENT + page) / page * page;
  base =
      static_cast<char *>(mmap(nullptr, mapped + page, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (base == MAP_FAILED)
    llvm::report_fatal_error("weft-test-kernels: out of memory");
  mprotect(base + mapped, page, PROT_NONE);
  memset(base, kPattern, mapped);
  start =
      base + (mapped - bytes) / WEFT_BUFFER_ALIGNMENT * WEFT_BUFFER_ALIGNMENT;
}

GuardedMemory::GuardedMemory(GuardedMemory &&other)
    : base(std::exchange(other.base, nullptr)), mapped(other.mapped),
      start(other.start), bytes(other.bytes) {}

GuardedMemory::~GuardedMemory() {
  if (base)
    munmap(base, mapped + sysconf(_SC_PAGESIZE));
}

void GuardedMemory::protect() { mprotect(base, mapped, PROT_READ); }

bool GuardedMemory::isIntact() const {
  auto isPattern = [](char byte) { return byte == kPattern; };
  return std::all_of(base, start, isPattern) &&
         std::all_of(start + bytes, base + mapped, isPattern);
}

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

/// Gives an argument's symbols names of their own: "case.N".
static DictionaryAttr nameInput(func::FuncOp function, unsigned number) {
  Builder b(function.getContext());
  SmallVector<NamedAttribute> attrs{b.getNamedAttr(
      "weft.name", b.getStringAttr(function.getName() + "." + Twine(number)))};
  if (auto dims = function.getArgAttrOfType<ArrayAttr>(number, "weft.dims")) {
    SmallVector<Attribute> names;
    for (Attribute dim : dims)
      names.push_back(b.getStringAttr(function.getName() + "." +
                                      cast<StringAttr>(dim).getValue()));
    attrs.push_back(b.getNamedAttr("weft.dims", b.getArrayAttr(names)));
  }
  return b.getDictionaryAttr(attrs);
}

/// One function that does what all cases do.
static OwningOpRef<ModuleOp> joinCases(ArrayRef<Case> cases) {
  func::FuncOp first = cases.front().function;
  OwningOpRef<ModuleOp> module = ModuleOp::create(first.getLoc());
  OpBuilder b(module->getBodyRegion());
  auto main = func::FuncOp::create(b, first.getLoc(), "main",
                                   b.getFunctionType({}, {}));
  Block *body = main.addEntryBlock();
  b.setInsertionPointToStart(body);
  SmallVector<Value> results;
  SmallVector<Attribute> argumentAttrs;
  for (const Case &test : cases) {
    IRMapping mapping;
    func::FuncOp function = test.function;
    for (BlockArgument argument : function.getArguments()) {
      mapping.map(argument,
                  body->addArgument(argument.getType(), argument.getLoc()));
      argumentAttrs.push_back(nameInput(function, argument.getArgNumber()));
    }
    Block &from = function.getBody().front();
    for (Operation &op : from.without_terminator())
      b.clone(op, mapping);
    for (Value result : from.getTerminator()->getOperands())
      results.push_back(mapping.lookup(result));
  }
  func::ReturnOp::create(b, first.getLoc(), results);
  main.setType(b.getFunctionType(body->getArgumentTypes(), TypeRange(results)));
  main.setArgAttrsAttr(b.getArrayAttr(argumentAttrs));
  return module;
}

std::string weft::test::emitProgram(ArrayRef<Case> cases,
                                    const PipelineOptions &options,
                                    StringRef path) {
  OwningOpRef<ModuleOp> module = joinCases(cases);
  if (failed(runStages(*module, Stage::Tensor, Stage::Object, options)))
    return "it can't be compiled";
  auto compiled = CompiledModule::create(*module, options.target);
  if (!compiled)
    return llvm::toString(compiled.takeError());
  auto object = compiled->emitObject();
  if (!object)
    return llvm::toString(object.takeError());
  return llvm::toString(packageProgram(**object, compiled->getConstants(),
                                       compiled->getMachine(),
                                       Packaging::SharedLibrary, path));
}

FailureOr<std::string> Program::makePTX(ArrayRef<Case> cases,
                                        const PipelineOptions &options) {
  OwningOpRef<ModuleOp> module = joinCases(cases);
  if (failed(runStages(*module, Stage::Tensor, Stage::Host, options)))
    return failure();
  auto ptx = weft::makePTX(*module, options);
  if (!ptx)
    return emitError(cases.front().function.getLoc())
           << llvm::toString(ptx.takeError());
  return std::move(*ptx);
}

FailureOr<std::unique_ptr<Program>>
Program::create(ArrayRef<Case> cases, const PipelineOptions &options) {
  Location loc = cases.front().function.getLoc();
  OwningOpRef<ModuleOp> module = joinCases(cases);
  if (failed(runStages(*module, Stage::Tensor, Stage::Object, options)))
    return failure();
  auto emit = [&]() -> llvm::Expected<std::unique_ptr<JITProgram>> {
    auto compiled = CompiledModule::create(*module, options.target);
    if (!compiled)
      return compiled.takeError();
    auto object = compiled->emitObject();
    if (!object)
      return object.takeError();
    return JITProgram::create(std::move(*object), compiled->getConstants());
  };
  auto code = emit();
  if (!code)
    return emitError(loc) << llvm::toString(code.takeError());
  std::unique_ptr<Program> program(new Program);
  program->code = std::move(*code);
  if (weft_model_wrap(program->code->getProgram(), nullptr, &program->model) !=
      WEFT_OK)
    return emitError(loc) << weft_last_error();
  return program;
}

Program::~Program() { weft_model_release(model); }

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

weft_session *Program::createSession(int threads, bool profile) {
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = threads;
  options.profile = profile;
  weft_session *session = nullptr;
  weft_session_create(model, &options, &session);
  return session;
}

static weft_tensor makeTensor(const weft_port &port,
                              const GuardedMemory &memory,
                              const HostTensor &like) {
  weft_tensor tensor = {};
  tensor.data = memory.data();
  tensor.bytes = like.getBytes().size();
  tensor.dtype = port.dtype;
  tensor.rank = like.getRank();
  llvm::copy(like.getShape(), tensor.dims);
  return tensor;
}

namespace {
/// The memory of a run.
struct Ports {
  std::vector<GuardedMemory> inputs, outputs;
  std::vector<weft_tensor> inputTensors, outputTensors;

  Ports(const weft_program *program, ArrayRef<HostTensor> values) {
    for (auto [number, value] : llvm::enumerate(values)) {
      inputs.emplace_back(value.getBytes().size());
      llvm::copy(value.getBytes(), inputs.back().data());
      inputs.back().protect();
      inputTensors.push_back(
          makeTensor(program->inputs[number], inputs.back(), value));
    }
    outputTensors.resize(program->num_outputs);
  }
  void placeOutputs(const weft_program *program,
                    ArrayRef<RankedTensorType> types) {
    for (auto [number, type] : llvm::enumerate(types)) {
      HostTensor like(type);
      outputs.emplace_back(like.getBytes().size());
      outputTensors[number] =
          makeTensor(program->outputs[number], outputs.back(), like);
    }
  }
};
} // namespace

std::string Program::run(int threads, ArrayRef<HostTensor> inputs,
                         ArrayRef<RankedTensorType> types,
                         SmallVectorImpl<HostTensor> &results) {
  const weft_program *program = weft_model_program(model);
  Ports ports(program, inputs);
  ports.placeOutputs(program, types);
  weft_session *session = createSession(threads, /*profile=*/false);
  if (!session)
    return weft_last_error();
  weft_status status = weft_session_run(
      session, ports.inputTensors.size(), ports.inputTensors.data(),
      ports.outputTensors.size(), ports.outputTensors.data());
  std::string error = status == WEFT_OK ? "" : weft_last_error();
  weft_session_release(session);
  if (!error.empty())
    return error;
  for (auto [number, type] : llvm::enumerate(types)) {
    const weft_tensor &tensor = ports.outputTensors[number];
    HostTensor result(type.clone(ArrayRef(tensor.dims, tensor.rank)));
    if (result.getBytes().size() <= HostTensor(type).getBytes().size())
      memcpy(result.getMutableBytes().data(), tensor.data,
             result.getBytes().size());
    results.push_back(result);
    if (!ports.outputs[number].isIntact())
      return "result " + std::to_string(number) +
             " of the program: bytes around it were written";
  }
  return "";
}

void Program::printTimes(int threads, int runs, ArrayRef<HostTensor> inputs) {
  const weft_program *program = weft_model_program(model);
  Ports ports(program, inputs);
  weft_session *session = createSession(threads, /*profile=*/true);
  for (int run = 0; session && run < runs; ++run) {
    std::fill(ports.outputTensors.begin(), ports.outputTensors.end(),
              weft_tensor{});
    if (weft_session_run(session, ports.inputTensors.size(),
                         ports.inputTensors.data(), ports.outputTensors.size(),
                         ports.outputTensors.data()) != WEFT_OK)
      break;
  }
  const weft_launch_record *records = nullptr;
  int64_t count = 0;
  if (session)
    weft_session_profile(session, &records, &count);
  llvm::MapVector<int32_t, int64_t> fastest;
  for (const weft_launch_record &record : ArrayRef(records, count)) {
    int64_t time = record.end - record.begin;
    auto [it, isNew] = fastest.insert({record.kernel, time});
    it->second = std::min(it->second, time);
  }
  for (auto [kernel, time] : fastest)
    llvm::outs() << llvm::format("%12.2f us  ", time / 1e3)
                 << program->kernels[kernel].name << "\n";
  if (session)
    weft_session_release(session);
}
