//===- Host.cpp - This machine, as JSON -----------------------------------===//

#include "weft-c/compiler.h"
#include "weft/Target/Target.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cstring>

using namespace weft;

/// The features that the processor has, of those that are known.
static llvm::json::Array listFeatures(llvm::StringRef features) {
  llvm::SmallVector<llvm::StringRef> parts;
  features.split(parts, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  llvm::sort(parts);
  llvm::json::Array result;
  for (llvm::StringRef part : parts)
    if (part.consume_front("+"))
      result.push_back(part.str()); // outlives the list of all
  return result;
}

static llvm::Expected<llvm::json::Object> describeHost() {
  llvm::Expected<TargetOptions> options = resolveTarget({});
  if (!options)
    return options.takeError();
  llvm::Expected<Processor> processor = describeProcessor(*options);
  if (!processor)
    return processor.takeError();
  return llvm::json::Object{
      {"triple", options->triple},
      {"cpu", options->cpu},
      {"features", listFeatures(options->features)},
      {"vector_bytes", processor->vectorBytes},
      {"vector_registers", processor->vectorRegisters},
      {"l1_bytes", processor->l1Bytes},
      {"l2_bytes", processor->l2Bytes},
      {"cores", processor->cores},
  };
}

extern "C" char *weft_describe_host() {
  llvm::Expected<llvm::json::Object> host = describeHost();
  llvm::json::Object result;
  if (host)
    result = std::move(*host);
  else
    result["error"] = llvm::toString(host.takeError());
  std::string text =
      llvm::formatv("{0:2}", llvm::json::Value(std::move(result))).str();
  return strdup(text.c_str());
}
