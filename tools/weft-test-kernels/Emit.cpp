//===- Emit.cpp - Cases to be run on another machine ----------------------===//

#include "Emit.h"

using namespace mlir;
using namespace weft;
using namespace weft::test;

RunRecorder::RunRecorder(const std::string &file)
    : file(file), bytes(file + ".bin", error) {}

/// Whether elements of `type` are made elsewhere as they are here.
static bool isPlain(Type type) {
  return type.isF16() || type.isBF16() || type.isF32() || type.isF64() ||
         (type.isInteger() && type.getIntOrFloatBitWidth() >= 8);
}

llvm::json::Object
RunRecorder::describe(const HostTensor &tensor,
                      const std::optional<RandomSource> &source) {
  ArrayRef<char> raw = tensor.getBytes();
  llvm::json::Array dims;
  for (int64_t size : tensor.getShape())
    dims.push_back(size);
  llvm::json::Object object{
      {"type", static_cast<int64_t>(getDtype(tensor.getElementType()))},
      {"dims", std::move(dims)}};
  if (source && isPlain(tensor.getElementType()) &&
      raw.size() > 2 * source->state.size() * sizeof(uint64_t)) {
    raw = {reinterpret_cast<const char *>(source->state.data()),
           source->state.size() * sizeof(uint64_t)};
    object["low"] = source->low;
    object["high"] = source->high;
  }
  bytes.write(raw.data(), raw.size());
  return object;
}

void RunRecorder::add(ArrayRef<Case> cases, ArrayRef<Reference> references,
                      ArrayRef<HostTensor> inputs, ArrayRef<HostTensor> results,
                      int64_t run, uint64_t seed) {
  llvm::json::Array given, made;
  for (const Case &test : cases)
    for (unsigned number : llvm::seq(test.function.getNumArguments())) {
      int64_t own = std::min(run, test.getNumRuns() - 1);
      given.push_back(
          describe(inputs.front(), test.getSource(number, own, seed)));
      inputs = inputs.drop_front();
    }
  for (auto [test, reference] : llvm::zip_equal(cases, references))
    for (size_t i = 0; i < reference.own.size(); ++i) {
      llvm::json::Object result = describe(results.front());
      results = results.drop_front();
      result["case"] = test.getName();
      result["bound"] = getOwnBound(test, reference.own[i].getElementType());
      result["magnitude"] = getMagnitude(test);
      made.push_back(std::move(result));
    }
  runs.push_back(llvm::json::Object{{"inputs", std::move(given)},
                                    {"results", std::move(made)}});
}

std::string RunRecorder::finish() {
  bytes.close();
  llvm::raw_fd_ostream text(file + ".json", error);
  text << llvm::json::Value(std::move(runs)) << "\n";
  text.close();
  return bytes.has_error() || text.has_error() || error
             ? "'" + file + ".json' can't be written"
             : "";
}
