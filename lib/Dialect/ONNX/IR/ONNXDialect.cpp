//===- ONNXDialect.cpp - The imported graph -------------------------------===//

#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft::onnx;

#include "weft/Dialect/ONNX/IR/ONNXDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "weft/Dialect/ONNX/IR/ONNXTypes.cpp.inc"

#define GET_OP_CLASSES
#include "weft/Dialect/ONNX/IR/ONNXOps.cpp.inc"

void ONNXDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "weft/Dialect/ONNX/IR/ONNXTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "weft/Dialect/ONNX/IR/ONNXOps.cpp.inc"
      >();
}

namespace {
struct DomainName {
  StringRef domain, prefix;
};
} // namespace

// No operator of the main domain has a dot in its name.
static constexpr DomainName domainNames[] = {
    {"ai.onnx.ml", "ml."},
    {"ai.onnx.preview.training", "training."},
    {"ai.onnx.preview", "preview."},
};

std::optional<StringRef> weft::onnx::getDomainPrefix(StringRef domain) {
  if (domain.empty() || domain == "ai.onnx")
    return StringRef();
  for (const DomainName &name : domainNames)
    if (name.domain == domain)
      return name.prefix;
  return std::nullopt;
}

std::pair<StringRef, StringRef>
weft::onnx::splitOpName(StringRef operationName) {
  operationName.consume_front("onnx.");
  for (const DomainName &name : domainNames)
    if (operationName.consume_front(name.prefix))
      return {operationName, name.domain};
  return {operationName, StringRef()};
}
