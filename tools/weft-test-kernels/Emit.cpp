//===- Emit.cpp - Cases to be run on another machine ----------------------===//

#include "Emit.h"

using namespace mlir;
using namespace weft;
using namespace weft::test;

RunRecorder::RunRecorder(const std::string &file)
    : file(file), bytes(file + ".bin", error) {}

llvm::json::Object RunRecorder::describe(const HostTensor &tensor) {
  ArrayRef<char> raw = tensor.getBytes();
  bytes.write(raw.data(), raw.size());
  llvm::json::Array dims;
  for (int64_t size : tensor.getShape())
    dims.push_back(size);
  return llvm::json::Object{
      {"type", static_cast<int64_t>(getDtype(tensor.getElementType()))},
      {"dims", std::move(dims)}};
}

void RunRecorder::add(ArrayRef<Case> cases, ArrayRef<Reference> references,
                      ArrayRef<HostTensor> inputs,
                      ArrayRef<HostTensor> results) {
  llvm::json::Array given, made;
  for (const HostTensor &input : inputs)
    given.push_back(describe(input));
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
