//===- Text.cpp - Models in ONNX's text syntax ----------------------------===//

#include "onnx/defs/parser.h"
#include "onnx/defs/printer.h"

#include "ExportGraph.h"
#include "Model.h"

using namespace mlir;
using namespace weft::importer;

LogicalResult weft::importer::parseText(StringRef text, Model &model,
                                        Report &report) {
  // The parser is recursive and has no limit of its own.
  constexpr unsigned maxNesting = 200;
  unsigned nesting = 0;
  for (char c : text) {
    if (c == '(' || c == '{' || c == '[' || c == '<')
      ++nesting;
    else if ((c == ')' || c == '}' || c == ']' || c == '>') && nesting != 0)
      --nesting;
    if (nesting > maxNesting)
      return report.error(Code::Syntax, "brackets are nested too deeply");
  }
  try {
    auto status = ::onnx::OnnxParser::Parse(
        model.proto, std::string_view(text.data(), text.size()));
    if (status.IsOK())
      return success();
    return report.error(Code::Syntax, status.ErrorMessage());
  } catch (const std::exception &error) {
    return report.error(Code::Syntax, error.what());
  }
}

llvm::Expected<std::string>
weft::importer::printText(const ::onnx::ModelProto &model) {
  try {
    std::string text = ::onnx::ProtoToString(model);
    // The printer abbreviates what it can't print, so what it says is read
    // back.
    ::onnx::ModelProto copy;
    auto status = ::onnx::OnnxParser::Parse(copy, text);
    if (status.IsOK())
      return text;
    return llvm::createStringError("ONNX's text syntax can't express it: " +
                                   status.ErrorMessage());
  } catch (...) {
    return llvm::createStringError(getExceptionMessage());
  }
}

llvm::Error weft::importer::parseGraph(const std::string &text,
                                       ::onnx::GraphProto &graph) {
  try {
    ::onnx::OnnxParser parser(text);
    auto status = parser.Parse(graph);
    if (status.IsOK())
      return llvm::Error::success();
    return llvm::createStringError(status.ErrorMessage());
  } catch (...) {
    return llvm::createStringError(getExceptionMessage());
  }
}
