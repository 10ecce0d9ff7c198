//===- Session.cpp - One compilation on behalf of the C API ---------------===//

#include "Session.h"
#include "mlir/Parser/Parser.h"
#include "weft/Conversion/ONNXToWeft.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Import/Import.h"
#include "weft/Training/Options.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
#include <cstring>

using namespace mlir;
using namespace weft;

static DialectRegistry createRegistry() {
  DialectRegistry registry;
  registerDialects(registry);
  registerONNXDialect(registry);
  return registry;
}

/// Appends a diagnostic and its notes as lines of text. Locations that are
/// names only are in the text already.
static void append(std::string &text, Diagnostic &diagnostic) {
  llvm::raw_string_ostream os(text);
  auto print = [&](Diagnostic &one) {
    if (auto file = dyn_cast<FileLineColLoc>(one.getLocation()))
      os << file.getFilename().getValue() << ':' << file.getLine() << ':'
         << file.getColumn() << ": ";
    switch (one.getSeverity()) {
    case DiagnosticSeverity::Note:
      os << "note: ";
      break;
    case DiagnosticSeverity::Warning:
      os << "warning: ";
      break;
    case DiagnosticSeverity::Remark:
      os << "remark: ";
      break;
    case DiagnosticSeverity::Error:
      os << "error: ";
      break;
    }
    // Whatever a pass or the parser of IR says without a code of its own.
    std::string message = one.str();
    if (one.getSeverity() == DiagnosticSeverity::Error &&
        !StringRef(message).starts_with("WFT"))
      os << "WFT" << static_cast<int>(Problem::Invalid) << ": ";
    for (char c : message) {
      if (static_cast<unsigned char>(c) < ' ' && c != '\n')
        os << "\\x" << llvm::format_hex_no_prefix(c, 2);
      else
        os << c;
    }
    os << '\n';
  };
  print(diagnostic);
  for (Diagnostic &note : diagnostic.getNotes())
    print(note);
}

CompileSession::CompileSession(const weft_compile_options *options)
    : context(createRegistry(), MLIRContext::Threading::DISABLED),
      handler(&context, [this](Diagnostic &diagnostic) {
        append(messages, diagnostic);
        return success();
      }) {
  // The operations are in the messages as far as users know them.
  context.printOpOnDiagnostic(false);
  weft_compile_options defaults;
  weft_compile_options_init(&defaults);
  if (!options)
    options = &defaults;
  if (options->mcpu)
    pipeline.target.cpu = options->mcpu;
  pipeline.target.optLevel = options->opt_level;
  StringRef kernelTarget = options->target ? options->target : "cpu";
  if (kernelTarget == "cuda")
    pipeline.device.emplace();
  else if (kernelTarget != "cpu")
    (void)fail(Problem::Option,
               "there is no target '" + kernelTarget + "': wanted cpu or cuda");
  if (options->cuda_arch && pipeline.device)
    pipeline.device->arch = options->cuda_arch;
  pipeline.memoryBudget = options->memory_budget;
  if (pipeline.device)
    pipeline.device->tf32 = options->cuda_tf32;
  if (options->batch)
    importOptions.batchSymbol = options->batch;
  importOptions.keepFixedBatch = options->keep_fixed_batch;
  if (options->preprocess)
    importOptions.preprocess = options->preprocess;
  if (options->training)
    pipeline.training = options->training;
  // It would be trained, too.
  if (options->training && options->preprocess)
    (void)fail(Problem::Option, "a graph for samples goes in front of a model "
                                "in use: a training step takes what the graph "
                                "has made");
  if (options->prefix) {
    pipeline.prefix = options->prefix;
    bool isName =
        !pipeline.prefix.empty() && !llvm::isDigit(pipeline.prefix.front()) &&
        llvm::all_of(pipeline.prefix,
                     [](char c) { return llvm::isAlnum(c) || c == '_'; });
    if (!isName)
      (void)fail(Problem::Option,
                 "prefix '" + pipeline.prefix +
                     "' is no name that a symbol can begin with");
  }
  if (options->dump_stages)
    pipeline.dumpStages = options->dump_stages;
  if (options->progress)
    pipeline.progress = [progress = options->progress,
                         user = options->progress_user](StringRef step) {
      progress(user, step.str().c_str());
    };
  if (options->dims)
    parseDims(options->dims);
  if (options->start_at) {
    std::optional<Stage> start = getStage(options->start_at);
    if (start)
      stage = *start;
    else
      (void)fail(Problem::Option,
                 "there is no stage called '" + Twine(options->start_at) + "'");
  }
  llvm::Expected<TargetOptions> target = resolveTarget(pipeline.target);
  if (target)
    pipeline.target = *target;
  else
    (void)fail(Problem::Option, target.takeError());
}

void CompileSession::parseDims(StringRef text) {
  SmallVector<StringRef> parts;
  text.split(parts, ',', -1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    auto [name, range] = part.split('=');
    auto [low, high] = range.split(':');
    int64_t min, max;
    if (high.empty())
      high = low;
    if (name.empty() || low.getAsInteger(10, min) ||
        high.getAsInteger(10, max) || min < 0 || max < min) {
      (void)fail(Problem::Option,
                 "'" + part +
                     "' is no range of a dimension: wanted NAME=MIN:MAX");
      continue;
    }
    pipeline.dims[name.str()] = {min, max};
  }
}

/// Adds what of the model is wanted. Settings that are wrong are told of later.
static ImportOptions addPart(ImportOptions options, PipelineOptions &pipeline) {
  auto training = TrainingOptions::parse(pipeline.training.value_or(""));
  if (!training) {
    llvm::consumeError(training.takeError());
    return options;
  }
  if (training->initialize) {
    options.part = ModelPart::Initialization;
    pipeline.training.reset();
  } else if (training->algorithm) {
    options.part = ModelPart::Training;
  } else if (!training->evaluate) {
    options.optimizer = training->function;
    options.optimizerFile = training->functionFile;
  }
  return options;
}

void CompileSession::readFile(StringRef path) {
  if (!isUsable)
    return;
  pipeline.tell("import");
  bool isIR = llvm::sys::path::extension(path) == ".mlir";
  if (isIR && !importOptions.preprocess.empty())
    return (void)fail(Problem::Option, "a graph for samples goes in front of "
                                       "an ONNX model, not of IR");
  if (isIR)
    module = parseSourceFile<ModuleOp>(path, &context);
  else
    module = importFile(context, path, addPart(importOptions, pipeline));
}

void CompileSession::readBytes(const void *bytes, size_t size) {
  if (!isUsable)
    return;
  auto copy = std::make_unique<char[]>(size);
  memcpy(copy.get(), bytes, size);
  module = importBytes(context, std::move(copy), size, "<memory>", "",
                       addPart(importOptions, pipeline));
}

void CompileSession::readGraph(StringRef text) {
  llvm::Expected<std::vector<char>> bytes = decodeGraph(text);
  if (!bytes)
    return (void)fail(Problem::Option, bytes.takeError());
  importOptions.batchSymbol = "samples";
  readBytes(bytes->data(), bytes->size());
}

LogicalResult CompileSession::runTo(Stage last) {
  if (last < stage)
    return success();
  Stage from = stage;
  stage = last;
  return runStages(*module, from, last, pipeline);
}

FailureOr<std::string> CompileSession::makeHeader(StringRef output) {
  if (failed(runTo(Stage::Host)))
    return failure();
  if (stage != Stage::Host)
    return fail(Problem::Option, "a header can't be made from stage '" +
                                     getStageName(stage) +
                                     "': the program's tables are gone");
  StringRef name = llvm::sys::path::stem(output);
  if (output == "-")
    name = host::getProgramName(*module);
  std::string text;
  llvm::raw_string_ostream os(text);
  writeProgramHeader(*module, name, pipeline.prefix, os);
  return text;
}

OwningOpRef<ModuleOp> CompileSession::lowerCopy(Stage to) {
  OwningOpRef<ModuleOp> copy = module->clone();
  ScopedDiagnosticHandler silence(&context,
                                  [](Diagnostic &) { return success(); });
  if (failed(runStages(*copy, stage, to, pipeline)))
    return nullptr;
  return copy;
}

LogicalResult CompileSession::fail(Problem problem, const Twine &text) {
  messages +=
      ("error: WFT" + Twine(static_cast<int>(problem)) + ": " + text + "\n")
          .str();
  isUsable = false;
  return failure();
}

LogicalResult CompileSession::fail(Problem problem, llvm::Error error) {
  return fail(problem, llvm::toString(std::move(error)));
}

weft_outcome CompileSession::finish(bool hasFailed, char **message) {
  *message = messages.empty() ? nullptr : strdup(messages.c_str());
  messages.clear();
  if (!hasFailed)
    return WEFT_OUTCOME_OK;
  bool isUnsupported = module && (*module)->hasAttr(kUnsupportedAttr);
  return isUnsupported ? WEFT_OUTCOME_UNSUPPORTED : WEFT_OUTCOME_ERROR;
}
