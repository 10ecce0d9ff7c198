//===- Operators.cpp - The operators that ONNX knows ----------------------===//

#include "onnx/defs/schema.h"

#include "weft/Dialect/ONNX/IR/ONNXDialect.h"
#include "weft/Import/Import.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace weft;
using ::onnx::OpSchema;
using ::onnx::OpSchemaRegistry;

/// What Weft calls the element type of an ONNX type such as "tensor(float)";
/// empty for what it has no elements of: strings, complex numbers, and types
/// that are no tensors.
static std::string getElementName(llvm::StringRef type) {
  if (!type.consume_front("tensor(") || !type.consume_back(")"))
    return "";
  if (type.starts_with("int"))
    return "i" + type.drop_front(3).str();
  if (type.starts_with("uint"))
    return "ui" + type.drop_front(4).str();
  return llvm::StringSwitch<std::string>(type)
      .Case("float", "f32")
      .Case("double", "f64")
      .Case("float16", "f16")
      .Case("bfloat16", "bf16")
      .Case("bool", "i1")
      .Case("float8e4m3fn", "f8E4M3FN")
      .Case("float8e4m3fnuz", "f8E4M3FNUZ")
      .Case("float8e5m2", "f8E5M2")
      .Case("float8e5m2fnuz", "f8E5M2FNUZ")
      .Case("float8e8m0", "f8E8M0FNU")
      .Case("float4e2m1", "f4E2M1FN")
      .Default("");
}

static OperatorInfo describe(const OpSchema &schema, llvm::StringRef prefix) {
  OperatorInfo info;
  info.name = (prefix + schema.Name()).str();
  info.version = schema.since_version();
  // What is computed with: the first operand, or what an operator without any
  // gives.
  const auto &ports =
      schema.inputs().empty() ? schema.outputs() : schema.inputs();
  if (ports.empty())
    return info;
  for (const auto *type : ports.front().GetTypes()) {
    std::string name = getElementName(*type);
    if (!name.empty())
      info.types.push_back(name);
  }
  llvm::sort(info.types);
  return info;
}

std::vector<OperatorInfo> weft::listOperators() {
  std::vector<OperatorInfo> result;
  try {
    for (const OpSchema &schema : OpSchemaRegistry::get_all_schemas()) {
      auto prefix = weft::onnx::getDomainPrefix(schema.domain());
      if (prefix && !schema.deprecated())
        result.push_back(describe(schema, *prefix));
    }
  } catch (const std::exception &) {
    return {};
  }
  llvm::sort(result, [](const OperatorInfo &a, const OperatorInfo &b) {
    return a.name < b.name;
  });
  return result;
}
