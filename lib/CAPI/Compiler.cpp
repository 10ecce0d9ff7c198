//===- Compiler.cpp - The C face of the compiler --------------------------===//

#include "weft-c/compiler.h"
#include "Session.h"
#include "mlir/Parser/Parser.h"
#include "weft/Import/Import.h"
#include "weft/Support/OutputFile.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Path.h"
#include <cstring>

using namespace mlir;
using namespace weft;

struct weft_compiled {
  std::unique_ptr<JITProgram> program;
};

extern "C" void weft_compile_options_init(weft_compile_options *options) {
  *options = {};
  options->opt_level = 3;
}

extern "C" void weft_message_free(char *message) { free(message); }

/// Lowers the module to the LLVM dialect and emits an object.
static FailureOr<CompiledModule> compile(CompileSession &session,
                                         bool inProcess) {
  session.pipeline.inProcess = inProcess;
  if (failed(session.runTo(Stage::Object)))
    return failure();
  session.pipeline.tell("machine code");
  llvm::Expected<CompiledModule> compiled =
      CompiledModule::create(*session.module, session.pipeline.target);
  if (compiled)
    return std::move(*compiled);
  return session.fail(Problem::MachineCode, compiled.takeError());
}

static weft_outcome compileInProcess(CompileSession &session,
                                     weft_compiled **out, char **message) {
  *out = nullptr;
  auto run = [&]() -> LogicalResult {
    FailureOr<CompiledModule> compiled = compile(session, true);
    if (failed(compiled))
      return failure();
    auto object = compiled->emitObject();
    if (!object)
      return session.fail(Problem::MachineCode, object.takeError());
    session.pipeline.tell("link");
    auto program =
        JITProgram::create(std::move(*object), compiled->getConstants());
    if (!program)
      return session.fail(Problem::MachineCode, program.takeError());
    *out = new weft_compiled{std::move(*program)};
    return success();
  };
  bool failedRun = !session.module || failed(run());
  return session.finish(failedRun, message);
}

extern "C" weft_outcome weft_compile_file(const char *path,
                                          const weft_compile_options *options,
                                          weft_compiled **out, char **message) {
  CompileSession session(options);
  session.readFile(path);
  return compileInProcess(session, out, message);
}

extern "C" weft_outcome weft_compile_bytes(const void *bytes, size_t size,
                                           const weft_compile_options *options,
                                           weft_compiled **out,
                                           char **message) {
  CompileSession session(options);
  session.readBytes(bytes, size);
  return compileInProcess(session, out, message);
}

extern "C" weft_outcome weft_compile_graph(const char *graph,
                                           const weft_compile_options *options,
                                           weft_compiled **out,
                                           char **message) {
  CompileSession session(options);
  session.readGraph(graph);
  return compileInProcess(session, out, message);
}

extern "C" const weft_program *
weft_compiled_program(const weft_compiled *compiled) {
  return compiled->program->getProgram();
}

extern "C" void weft_compiled_release(weft_compiled *compiled) {
  delete compiled;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

static LogicalResult
writeFile(CompileSession &session, StringRef path,
          llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write) {
  if (llvm::Error error = writeWholeFile(path, write))
    return session.fail(Problem::Write, std::move(error));
  return success();
}

static LogicalResult writeText(CompileSession &session, StringRef path,
                               StringRef text) {
  return writeFile(session, path, [&](llvm::raw_ostream &os) {
    os << text;
    return llvm::Error::success();
  });
}

static LogicalResult emitText(CompileSession &session, StringRef emit,
                              CompiledModule &compiled, StringRef output) {
  return writeFile(session, output,
                   [&](llvm::raw_pwrite_stream &os) -> llvm::Error {
                     if (emit == "asm")
                       return compiled.emitAssembly(os);
                     compiled.printIR(os);
                     return llvm::Error::success();
                   });
}

static LogicalResult emitFile(CompileSession &session, StringRef emit,
                              StringRef output) {
  if (std::optional<Stage> stage = getStage(emit)) {
    if (failed(session.runTo(*stage)))
      return failure();
    if (llvm::Error error = writeStage(*session.module, output))
      return session.fail(Problem::Write, std::move(error));
    return success();
  }
  if (emit == "ptx") {
    if (!session.pipeline.device)
      return session.fail(Problem::Option, "PTX is for the target cuda");
    if (failed(session.runTo(Stage::Host)))
      return failure();
    llvm::Expected<std::string> ptx =
        makePTX(*session.module, session.pipeline);
    if (!ptx)
      return session.fail(Problem::MachineCode, ptx.takeError());
    return writeText(session, output, *ptx);
  }
  std::string header;
  if (emit == "header" || emit == "lib") {
    FailureOr<std::string> made = session.makeHeader(output);
    if (failed(made))
      return failure();
    header = std::move(*made);
  }
  if (emit == "header")
    return writeText(session, output, header);
  std::optional<Packaging> packaging =
      llvm::StringSwitch<std::optional<Packaging>>(emit)
          .Case("obj", Packaging::Object)
          .Case("lib", Packaging::Archive)
          .Case("so", Packaging::SharedLibrary)
          .Default(std::nullopt);
  bool isText = emit == "llvm" || emit == "asm";
  if (!packaging && !isText)
    return session.fail(Problem::Option,
                        "don't know how to emit '" + emit + "'");
  if (emit == "so" && session.pipeline.prefix != "weft")
    return session.fail(Problem::Option,
                        "a shared library is opened by the symbol "
                        "'weft_program_query': its prefix can't be '" +
                            session.pipeline.prefix + "'");
  FailureOr<CompiledModule> compiled = compile(session, false);
  if (failed(compiled))
    return failure();
  if (isText)
    return emitText(session, emit, *compiled, output);
  auto object = compiled->emitObject();
  if (!object)
    return session.fail(Problem::MachineCode, object.takeError());
  session.pipeline.tell("link");
  if (llvm::Error error =
          packageProgram(**object, compiled->getConstants(),
                         compiled->getMachine(), *packaging, output))
    return session.fail(Problem::Write, std::move(error));
  if (emit != "lib")
    return success();
  // The header comes when there is what it tells of.
  llvm::SmallString<128> path(output);
  llvm::sys::path::replace_extension(path, "h");
  return writeText(session, path, header);
}

extern "C" weft_outcome
weft_compile_to_file(const char *path, const char *emit, const char *output,
                     const weft_compile_options *options, char **message) {
  CompileSession session(options);
  session.readFile(path);
  bool failedRun = !session.module || failed(emitFile(session, emit, output));
  return session.finish(failedRun, message);
}

extern "C" weft_outcome weft_compile_bytes_to_file(
    const void *bytes, size_t size, const char *emit, const char *output,
    const weft_compile_options *options, char **message) {
  CompileSession session(options);
  session.readBytes(bytes, size);
  bool failedRun = !session.module || failed(emitFile(session, emit, output));
  return session.finish(failedRun, message);
}

extern "C" weft_outcome weft_check_file(const char *path, char **message) {
  CompileSession session(nullptr);
  session.readFile(path);
  bool failedRun = !session.module || failed(session.runTo(Stage::Tensor));
  return session.finish(failedRun, message);
}

extern "C" weft_outcome weft_inspect_file(const char *path, char **json,
                                          char **message) {
  CompileSession session(nullptr);
  session.readFile(path);
  *json = nullptr;
  bool isSound = bool(session.module);
  if (isSound) {
    llvm::json::Object model = describeModel(*session.module);
    auto training = describeOwnTraining(session, path, "algorithm=true");
    isSound = succeeded(training);
    if (isSound && training->getAsObject())
      model["training"] = std::move(*training);
    if (OwningOpRef<ModuleOp> lowered = session.lowerCopy(Stage::Tensor))
      model["flops"] = describeCosts(*session.module, *lowered);
    std::string text;
    llvm::raw_string_ostream(text)
        << llvm::formatv("{0:2}", llvm::json::Value(std::move(model)));
    *json = strdup(text.c_str());
  }
  return session.finish(!isSound, message);
}
