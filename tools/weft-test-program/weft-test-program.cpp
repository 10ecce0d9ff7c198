//===- weft-test-program.cpp - Runs a module of any stage, for tests ------===//
//
//   weft-test-program kernel.mlir --from=kernel --input='f32[2x2]1,2,3,4'
//
// compiles the module, runs it in this process and prints each output in the
// same form as the inputs. With --library=PATH it goes through a shared library
// at that path.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "weft-rt/weft.h"
#include "weft/Pipelines/Pipelines.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include <cstring>

using namespace mlir;
namespace cl = llvm::cl;

static cl::opt<std::string> inputFile(cl::Positional, cl::Required,
                                      cl::desc("<module>"));
static cl::opt<std::string> fromStage("from", cl::init("kernel"),
                                      cl::desc("The stage of the module"));
static cl::list<std::string> inputTexts("input", cl::ZeroOrMore,
                                        cl::desc("dtype[sizes]elements"));
static cl::opt<std::string> library("library",
                                    cl::desc("Go through this library"));
static cl::opt<std::string> dumpStages("dump-stages",
                                       cl::desc("Folder for the IR"));
static cl::opt<std::string> mcpu("mcpu", cl::desc("Processor"));
static cl::opt<int> threads("run-threads", cl::init(2), cl::desc("Threads"));
static cl::opt<int> runs("runs", cl::init(1), cl::desc("How often to run"));
static cl::opt<bool> showArena("arena", cl::desc("Print the arena's bytes"));

static llvm::ExitOnError exitOnError("weft-test-program: ");

static int fail(const llvm::Twine &message) {
  llvm::errs() << "weft-test-program: " << message << "\n";
  return 1;
}

//===----------------------------------------------------------------------===//
// Tensors as text
//===----------------------------------------------------------------------===//

static weft_dtype parseDtype(llvm::StringRef name) {
  for (int dtype = WEFT_F32; dtype <= WEFT_I2; ++dtype)
    if (name == weft_dtype_name(static_cast<weft_dtype>(dtype)))
      return static_cast<weft_dtype>(dtype);
  exitOnError(llvm::createStringError("no such type: " + name.str()));
  return WEFT_F32;
}

template <typename T> static void put(void *data, int64_t i, double value) {
  static_cast<T *>(data)[i] = static_cast<T>(value);
}

static void setElement(weft_tensor &tensor, int64_t i, double value) {
  switch (tensor.dtype) {
  case WEFT_F32:
    return put<float>(tensor.data, i, value);
  case WEFT_F64:
    return put<double>(tensor.data, i, value);
  case WEFT_I32:
    return put<int32_t>(tensor.data, i, value);
  case WEFT_I64:
    return put<int64_t>(tensor.data, i, value);
  default:
    return put<int8_t>(tensor.data, i, value);
  }
}

static double getElement(const weft_tensor &tensor, int64_t i) {
  switch (tensor.dtype) {
  case WEFT_F32:
    return static_cast<const float *>(tensor.data)[i];
  case WEFT_F64:
    return static_cast<const double *>(tensor.data)[i];
  case WEFT_I32:
    return static_cast<const int32_t *>(tensor.data)[i];
  case WEFT_I64:
    return static_cast<double>(static_cast<const int64_t *>(tensor.data)[i]);
  default:
    return static_cast<const int8_t *>(tensor.data)[i];
  }
}

/// Reads "f32[2x3]1,2,3,4,5,6"; missing elements repeat the last one.
static weft_tensor parseTensor(llvm::StringRef text,
                               std::vector<std::vector<char>> &storage) {
  weft_tensor tensor = {};
  auto [head, elements] = text.split(']');
  auto [type, sizes] = head.split('[');
  tensor.dtype = parseDtype(type);
  int64_t count = 1;
  llvm::SmallVector<llvm::StringRef> parts;
  sizes.split(parts, 'x', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef part : parts) {
    part.getAsInteger(10, tensor.dims[tensor.rank]);
    count *= tensor.dims[tensor.rank++];
  }
  tensor.bytes = count * weft_dtype_bytes(tensor.dtype);
  storage.emplace_back(tensor.bytes + 64);
  tensor.data = storage.back().data();
  parts.clear();
  elements.split(parts, ',', -1, /*KeepEmpty=*/false);
  double value = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (i < static_cast<int64_t>(parts.size()))
      parts[i].getAsDouble(value);
    setElement(tensor, i, value);
  }
  return tensor;
}

static void printTensor(llvm::StringRef name, const weft_tensor &tensor) {
  llvm::outs() << name << ": " << weft_dtype_name(tensor.dtype) << "[";
  int64_t count = 1;
  for (int32_t dim = 0; dim < tensor.rank; ++dim) {
    llvm::outs() << (dim ? "x" : "") << tensor.dims[dim];
    count *= tensor.dims[dim];
  }
  llvm::outs() << "]";
  for (int64_t i = 0; i < count; ++i)
    llvm::outs() << (i ? "," : "")
                 << llvm::format("%.*g", tensor.dtype == WEFT_F32 ? 7 : 17,
                                 getElement(tensor, i));
  llvm::outs() << "\n";
}

//===----------------------------------------------------------------------===//
// Compiling and running
//===----------------------------------------------------------------------===//

static int runModel(weft_model *model) {
  const weft_program *program = weft_model_program(model);
  std::vector<std::vector<char>> storage;
  std::vector<weft_tensor> inputs, outputs(program->num_outputs);
  for (const std::string &text : inputTexts)
    inputs.push_back(parseTensor(text, storage));
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = threads;
  weft_session *session;
  if (weft_session_create(model, &options, &session) != WEFT_OK)
    return fail(weft_last_error());
  weft_status status = WEFT_OK;
  for (int run = 0; run < runs && status == WEFT_OK; ++run) {
    outputs.assign(program->num_outputs, {});
    status = weft_session_run(session, inputs.size(), inputs.data(),
                              outputs.size(), outputs.data());
  }
  if (status == WEFT_OK)
    for (int32_t i = 0; i < program->num_outputs; ++i)
      printTensor(program->outputs[i].name, outputs[i]);
  else
    fail(weft_last_error());
  if (showArena)
    llvm::outs() << "arena: " << weft_session_arena_taken(session) << "\n";
  llvm::outs().flush();
  weft_session_release(session);
  return status == WEFT_OK ? 0 : 1;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Runs a module, for tests\n");
  std::optional<weft::Stage> from = weft::getStage(fromStage);
  if (!from)
    return fail("no such stage: " + fromStage);

  DialectRegistry registry;
  weft::registerDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(inputFile, &context);
  weft::PipelineOptions options;
  options.dumpStages = dumpStages;
  options.target.cpu = mcpu;
  options.inProcess = library.empty();
  options.verifyEach = true;
  if (!module ||
      failed(weft::runStages(*module, *from, weft::Stage::Object, options)))
    return 1;
  auto compiled =
      exitOnError(weft::CompiledModule::create(*module, options.target));
  auto object = exitOnError(compiled.emitObject());

  std::unique_ptr<weft::JITProgram> program;
  weft_model *model;
  weft_status status;
  if (library.empty()) {
    program = exitOnError(
        weft::JITProgram::create(std::move(object), compiled.getConstants()));
    status = weft_model_wrap(program->getProgram(), nullptr, &model);
  } else {
    exitOnError(weft::packageProgram(*object, compiled.getConstants(),
                                     compiled.getMachine(),
                                     weft::Packaging::SharedLibrary, library));
    status = weft_model_open(library.c_str(), &model);
  }
  if (status != WEFT_OK)
    return fail(weft_last_error());
  int code = runModel(model);
  weft_model_release(model);
  return code;
}
