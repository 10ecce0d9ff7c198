//===- Tensors.cpp - Tensors of the C API ---------------------------------===//

#include "Tensors.h"
#include "weft/Import/Import.h"
#include "weft/Verify/Difference.h"
#include <cstring>

using namespace mlir;
using namespace weft;

FailureOr<HostTensor> weft::borrowTensor(CompileSession &session,
                                         const weft_tensor &tensor,
                                         const Twine &what) {
  Type element = getTypeOfDtype(tensor.dtype, &session.context);
  if (!element)
    return session.fail(Problem::Input,
                        what + " has elements of a type without a fixed size");
  if (tensor.rank < 0 || tensor.rank > WEFT_MAX_RANK)
    return session.fail(Problem::Input,
                        what + " has rank " + Twine(tensor.rank));
  int64_t bytes = getStorageBytes(element);
  ArrayRef<int64_t> shape(tensor.dims, tensor.rank);
  for (int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes))
      return session.fail(Problem::Input,
                          what + " has a size of " + Twine(size));
  if (bytes > tensor.bytes || (bytes && !tensor.data))
    return session.fail(Problem::Input, what + " has " + Twine(tensor.bytes) +
                                            " bytes of memory, wanted " +
                                            Twine(bytes));
  return HostTensor::borrow(
      RankedTensorType::get(shape, element),
      ArrayRef(static_cast<const char *>(tensor.data), bytes));
}

weft_tensor weft::describeTensor(const HostTensor &tensor) {
  weft_tensor result = {};
  result.data = const_cast<char *>(tensor.getBytes().data());
  result.bytes = tensor.getBytes().size();
  result.dtype = static_cast<weft_dtype>(getDtype(tensor.getElementType()));
  result.rank = tensor.getRank();
  llvm::copy(tensor.getShape(), result.dims);
  return result;
}

void weft::describeDifference(const Difference &difference,
                              weft_difference *out) {
  *out = {difference.elements, difference.outside, difference.worst,
          difference.got,      difference.want,    difference.error,
          difference.allowed};
}

extern "C" weft_outcome weft_tensor_read(const char *path, weft_tensor *out,
                                         char **name, char **message) {
  *out = {};
  *name = nullptr;
  CompileSession session(nullptr);
  auto read = [&]() -> LogicalResult {
    FailureOr<NamedTensor> file = importTensor(session.context, path);
    if (failed(file))
      return failure();
    weft_tensor tensor = describeTensor(file->tensor);
    if (!tensor.dtype || tensor.rank > WEFT_MAX_RANK)
      return session.fail(Problem::Input,
                          "'" + Twine(path) +
                              "' holds a tensor that no program takes");
    void *data = malloc(std::max<int64_t>(tensor.bytes, 1));
    if (!data)
      return session.fail(Problem::Input,
                          "no memory for " + Twine(tensor.bytes) + " bytes");
    memcpy(data, tensor.data, tensor.bytes);
    tensor.data = data;
    *out = tensor;
    *name = strdup(file->name.c_str());
    return success();
  };
  return session.finish(failed(read()), message);
}

extern "C" void weft_tensor_free(weft_tensor *tensor) {
  free(tensor->data);
  *tensor = {};
}

extern "C" weft_outcome weft_tensor_compare(const weft_tensor *got,
                                            const weft_tensor *want,
                                            double relative, double absolute,
                                            weft_difference *out,
                                            char **message) {
  *out = {};
  CompileSession session(nullptr);
  auto compare = [&]() -> LogicalResult {
    auto left = borrowTensor(session, *got, "the tensor");
    auto right = borrowTensor(session, *want, "the wanted tensor");
    if (failed(left) || failed(right))
      return failure();
    if (left->getType() != right->getType()) {
      std::string types;
      llvm::raw_string_ostream(types)
          << left->getType() << ", wanted " << right->getType();
      return session.fail(Problem::Input, "got " + types);
    }
    describeDifference(compareTensors(*left, *right, {relative, absolute}),
                       out);
    return success();
  };
  return session.finish(failed(compare()), message);
}
