//===- weft-translate.cpp - ONNX files to MLIR and back -------------------===//

#include "weft/Import/Import.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
namespace cl = llvm::cl;

namespace {

enum class Direction { ToMLIR, ToONNX };

struct Options {
  cl::opt<Direction> direction{
      cl::desc("direction:"), cl::Required,
      cl::values(clEnumValN(Direction::ToMLIR, "onnx-to-mlir",
                            "read an ONNX model, print the onnx dialect"),
                 clEnumValN(Direction::ToONNX, "mlir-to-onnx",
                            "read the onnx dialect, write an ONNX model"))};
  cl::opt<std::string> input{cl::Positional, cl::desc("<input file>"),
                             cl::Required};
  cl::opt<std::string> output{"o", cl::desc("output file"), cl::init("-")};
  cl::opt<int64_t> inlineBytes{
      "inline-bytes", cl::init(weft::ImportOptions().inlineBytes),
      cl::desc("tensors of up to this many bytes become dense elements")};
};

} // namespace

static LogicalResult importModel(MLIRContext &context, const Options &options) {
  weft::ImportOptions importOptions;
  importOptions.inlineBytes = options.inlineBytes;
  // Names for this process's memory mean nothing to the reader of the text.
  importOptions.inlineMemory = true;
  OwningOpRef<ModuleOp> module =
      weft::importFile(context, options.input, importOptions);
  if (!module)
    return failure();
  std::string error;
  auto file = openOutputFile(options.output, &error);
  if (!file) {
    llvm::errs() << error << "\n";
    return failure();
  }
  module->print(file->os());
  file->os() << "\n";
  file->keep();
  return success();
}

static LogicalResult exportModel(MLIRContext &context, const Options &options) {
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(options.input, &context);
  if (!module)
    return failure();
  return weft::exportONNX(*module, options.output);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  Options options;
  registerMLIRContextCLOptions();
  registerAsmPrinterCLOptions();
  cl::ParseCommandLineOptions(argc, argv, "ONNX files to MLIR and back\n");

  DialectRegistry registry;
  weft::registerONNXDialect(registry);
  MLIRContext context(registry);
  llvm::SourceMgr sourceMgr;
  SourceMgrDiagnosticHandler handler(sourceMgr, &context);
  return failed(options.direction == Direction::ToMLIR
                    ? importModel(context, options)
                    : exportModel(context, options));
}
