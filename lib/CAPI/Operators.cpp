//===- Operators.cpp - What can be compiled, as JSON ----------------------===//

#include "weft-c/compiler.h"
#include "weft/Conversion/ONNXToWeft.h"
#include "weft/Dialect/Weft/IR/WeftDialect.h"
#include "weft/Import/Import.h"
#include "weft/Interfaces/Interfaces.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cstring>

using namespace mlir;
using namespace weft;

static llvm::json::Array describeONNX() {
  llvm::json::Array result;
  for (const OperatorInfo &info : listOperators()) {
    llvm::json::Object entry;
    entry["name"] = info.name;
    entry["version"] = info.version;
    entry["lowered"] = hasLowering(info.name);
    entry["types"] = llvm::json::Array(info.types);
    result.push_back(std::move(entry));
  }
  return result;
}

/// The strongest form in which a kernel can compute the op.
static StringRef getForm(RegisteredOperationName op) {
  if (op.hasInterface<ScalarOpInterface>())
    return "elementwise";
  if (op.hasInterface<IndexedOpInterface>())
    return "by element";
  return op.hasInterface<LoopOpInterface>() ? "by loops" : "outside kernels";
}

static llvm::json::Array describeTensorOps() {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<WeftDialect>();
  auto ops = llvm::filter_to_vector(context.getRegisteredOperations(),
                                    [](RegisteredOperationName op) {
                                      return op.getDialectNamespace() == "weft";
                                    });
  llvm::sort(ops, [](RegisteredOperationName a, RegisteredOperationName b) {
    return a.getStringRef() < b.getStringRef();
  });
  llvm::json::Array result;
  for (RegisteredOperationName op : ops) {
    llvm::json::Object entry;
    entry["name"] = op.getStringRef().str();
    entry["computed"] = getForm(op);
    entry["evaluated"] = op.hasInterface<EvaluableOpInterface>();
    entry["gradient"] = getGradientRuleName(
        op.getInterface<DifferentiableOpInterface>()->getGradientRule());
    result.push_back(std::move(entry));
  }
  return result;
}

extern "C" char *weft_describe_operators() {
  llvm::json::Object all;
  all["onnx"] = describeONNX();
  all["weft"] = describeTensorOps();
  std::string text =
      llvm::formatv("{0:2}", llvm::json::Value(std::move(all))).str();
  return strdup(text.c_str());
}
