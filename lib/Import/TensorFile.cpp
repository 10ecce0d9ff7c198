//===- TensorFile.cpp - Tensors in files of their own ---------------------===//

#include "Model.h"
#include "weft/Support/DataStore.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace weft;
using namespace weft::importer;
using ::onnx::TensorProto;

FailureOr<NamedTensor> weft::importTensor(MLIRContext &context,
                                          StringRef path) {
  Report report(context, path);
  llvm::sys::fs::file_status status;
  std::error_code error = llvm::sys::fs::status(path, status);
  llvm::Expected<ArrayRef<char>> bytes =
      error ? llvm::errorCodeToError(error)
            : DataStore::get(path, 0, status.getSize());
  if (!bytes)
    return report.error(Code::File, "can't read '" + path + "': " +
                                        llvm::toString(bytes.takeError()));
  TensorProto tensor;
  if (bytes->size() > INT32_MAX ||
      !tensor.ParseFromArray(bytes->data(), bytes->size()) ||
      tensor.data_type() == TensorProto::UNDEFINED)
    return report.error(Code::Tensor,
                        "'" + path +
                            "' holds no tensor (sequences, optionals and maps "
                            "can't be read)");
  if (tensor.data_type() == TensorProto::STRING)
    return report.error(Code::Unsupported,
                        "the tensor in '" + path + "' holds strings");
  if (tensor.data_location() == TensorProto::EXTERNAL)
    return report.error(Code::Tensor, "the tensor in '" + path +
                                          "' has its data in another file");
  ImportOptions options;
  options.inlineMemory = true;
  llvm::Expected<TypedAttr> attr = toAttr(tensor, {}, &context, options);
  if (!attr)
    return report.error(
        Code::Tensor, "the tensor in '" + path +
                          "' is damaged: " + llvm::toString(attr.takeError()));
  return NamedTensor{tensor.name(),
                     HostTensor::fromAttr(cast<DenseElementsAttr>(*attr))};
}
