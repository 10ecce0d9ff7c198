//===- ExternalData.cpp - Where the bytes of tensors are ------------------===//

#include "Model.h"

#include "weft/Support/DataStore.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace weft;
using namespace weft::importer;
using ::onnx::SparseTensorProto;
using ::onnx::TensorProto;

Expected<std::string> weft::importer::findExternalFile(StringRef folder,
                                                       StringRef location) {
  auto refuse = [&](const Twine &why) {
    return createStringError("external data '" + location + "' " + why);
  };
  if (folder.empty())
    return refuse("can't be found: the model has no folder");
  if (location.empty() || location.contains('\0'))
    return refuse("is no file name");
  if (sys::path::is_absolute(location))
    return refuse("is an absolute path, wanted one in the model's folder");
  for (StringRef part :
       make_range(sys::path::begin(location), sys::path::end(location)))
    if (part == "..")
      return refuse("leads out of the model's folder");
  SmallString<128> path(folder), realFolder, realPath;
  sys::path::append(path, location);
  std::error_code error = sys::fs::real_path(folder, realFolder);
  if (!error)
    error = sys::fs::real_path(path, realPath);
  if (error)
    return refuse("can't be read: " + error.message());
  // Links are followed before this.
  if (!realFolder.ends_with("/"))
    realFolder += '/';
  if (!realPath.starts_with(realFolder))
    return refuse("leads out of the model's folder");
  return path.str().str();
}

namespace {

/// Resolves the tensors of one model.
class Resolver {
public:
  Resolver(Model &model, int64_t limit, Report &report)
      : model(model), limit(limit), report(report) {}

  void run(TensorProto &tensor) {
    // Function bodies and graphs share the errors; one per tensor is enough.
    if (Error error = resolve(tensor))
      (void)report.error(Code::Tensor, "tensor '" + tensor.name() +
                                           "': " + toString(std::move(error)));
  }

private:
  Error resolve(TensorProto &tensor) {
    if (tensor.has_segment())
      return createStringError("data in segments is not supported");
    if (tensor.data_type() != TensorProto::STRING &&
        getRawBits(tensor.data_type()) == 0)
      return createStringError("unknown element type " +
                               Twine(tensor.data_type()));
    std::optional<int64_t> size = getRawSize(tensor);
    if (!size)
      return createStringError("the shape is negative or too large");
    if (std::optional<uint64_t> ref = getRef(tensor)) {
      if (*ref < model.refs.size() && model.refs[*ref].size == *size)
        return Error::success();
      return createStringError(
          "the shape wants " + Twine(*size) + " bytes of data, found " +
          (*ref < model.refs.size() ? Twine(model.refs[*ref].size)
                                    : Twine("none")));
    }
    if (tensor.data_location() == TensorProto::EXTERNAL)
      return resolveExternal(tensor, *size);
    if (tensor.data_type() == TensorProto::STRING)
      return checkStrings(tensor);
    return getRawData(tensor).takeError();
  }

  static Error checkStrings(const TensorProto &tensor) {
    int64_t count = *getNumElements(tensor);
    if (tensor.string_data_size() == count)
      return Error::success();
    return createStringError("the shape wants " + Twine(count) +
                             " strings, found " +
                             Twine(tensor.string_data_size()));
  }

  Error resolveExternal(TensorProto &tensor, int64_t size) {
    if (tensor.data_type() == TensorProto::STRING)
      return createStringError("strings can't be external data");
    std::string location;
    uint64_t offset = 0, length = size;
    for (const auto &entry : tensor.external_data()) {
      if (entry.key() == "location")
        location = entry.value();
      uint64_t *number = entry.key() == "offset"   ? &offset
                         : entry.key() == "length" ? &length
                                                   : nullptr;
      if (number && StringRef(entry.value()).getAsInteger(10, *number))
        return createStringError("external data has the " + entry.key() + " '" +
                                 entry.value() + "', wanted a number");
    }
    if (length != uint64_t(size))
      return createStringError("the shape wants " + Twine(size) +
                               " bytes of data, its external data has " +
                               Twine(length));
    Expected<std::string> path = findFile(location);
    if (!path)
      return path.takeError();
    if (offset > INT64_MAX)
      return createStringError("the offset of its external data is too large");
    Expected<ArrayRef<char>> bytes = DataStore::get(*path, offset, size);
    if (!bytes)
      return bytes.takeError();
    adopt(tensor, *path, offset, *bytes);
    return Error::success();
  }

  /// Small tensors and shapes are read, since inference looks into them.
  void adopt(TensorProto &tensor, StringRef path, int64_t offset,
             ArrayRef<char> bytes) {
    tensor.clear_external_data();
    tensor.clear_data_location();
    constexpr size_t maxShapeBytes = 64 << 10;
    bool isLarge = int64_t(bytes.size()) > limit;
    bool isShape = tensor.dims_size() <= 1 && bytes.size() <= maxShapeBytes &&
                   (tensor.data_type() == TensorProto::INT64 ||
                    tensor.data_type() == TensorProto::INT32);
    if (!isLarge || isShape)
      tensor.set_raw_data(std::string(bytes.begin(), bytes.end()));
    else
      tensor.set_data_location(TensorProto::EXTERNAL);
    if (!isLarge)
      return;
    auto *entry = tensor.add_external_data();
    entry->set_key(refKey.str());
    entry->set_value(std::to_string(model.refs.size()));
    model.refs.push_back(
        {path.str(), offset, static_cast<int64_t>(bytes.size())});
  }

  Expected<std::string> findFile(StringRef location) {
    if (auto it = files.find(location); it != files.end())
      return it->second;
    Expected<std::string> path = findExternalFile(model.folder, location);
    if (path)
      files[location] = *path;
    return path;
  }

  Model &model;
  int64_t limit;
  Report &report;
  StringMap<std::string> files;
};

//===----------------------------------------------------------------------===//
// Sparse tensors
//===----------------------------------------------------------------------===//

class Densifier {
public:
  Densifier(ArrayRef<DataRef> refs, Report &report)
      : refs(refs), report(report) {}

  void run(::onnx::GraphProto &graph) {
    for (const SparseTensorProto &sparse : graph.sparse_initializer())
      densify(sparse, *graph.add_initializer());
    graph.clear_sparse_initializer();
    for (::onnx::NodeProto &node : *graph.mutable_node())
      run(node);
  }

  void run(::onnx::NodeProto &node) {
    for (::onnx::AttributeProto &attr : *node.mutable_attribute()) {
      if (attr.has_g())
        run(*attr.mutable_g());
      if (!attr.has_sparse_tensor())
        continue;
      densify(attr.sparse_tensor(), *attr.mutable_t());
      attr.clear_sparse_tensor();
      attr.set_type(::onnx::AttributeProto::TENSOR);
      if (node.op_type() == "Constant")
        attr.set_name("value");
    }
  }

private:
  void densify(const SparseTensorProto &sparse, TensorProto &dense) {
    if (Error error = fill(sparse, dense))
      (void)report.error(Code::Tensor, "sparse tensor '" +
                                           sparse.values().name() +
                                           "': " + toString(std::move(error)));
  }

  Expected<std::string> read(const TensorProto &tensor) {
    std::optional<uint64_t> ref = getRef(tensor);
    if (!ref && tensor.data_location() == TensorProto::EXTERNAL)
      return createStringError("external data is not supported");
    if (!ref)
      return getRawData(tensor);
    std::optional<int64_t> size = getRawSize(tensor);
    if (*ref >= refs.size() || !size || refs[*ref].size != *size)
      return createStringError("its data does not have the size of its shape");
    const DataRef &data = refs[*ref];
    Expected<ArrayRef<char>> bytes =
        DataStore::get(data.file, data.offset, data.size);
    if (!bytes)
      return bytes.takeError();
    return std::string(bytes->begin(), bytes->end());
  }

  Error fill(const SparseTensorProto &sparse, TensorProto &dense) {
    const TensorProto &values = sparse.values(), &indices = sparse.indices();
    unsigned bits = getRawBits(values.data_type());
    dense.set_name(values.name());
    dense.set_data_type(values.data_type());
    *dense.mutable_dims() = sparse.dims();
    std::optional<int64_t> size = getRawSize(dense);
    // What fits into the file as a few numbers must not fill the memory.
    constexpr int64_t maxBytes = 256 << 20;
    if (!size || *size > maxBytes)
      return createStringError("too large to be made dense");
    if (bits < 8 || indices.data_type() != TensorProto::INT64)
      return createStringError("its element type is not supported");
    Expected<std::string> from = read(values);
    if (!from)
      return from.takeError();
    Expected<std::string> positions = read(indices);
    if (!positions)
      return positions.takeError();
    int64_t rank = indices.dims_size() == 2 ? sparse.dims_size() : 1;
    int64_t count = *getNumElements(values), width = bits / 8;
    if (int64_t(positions->size()) != count * rank * 8)
      return createStringError("it has " + Twine(count) + " values and " +
                               Twine(positions->size() / 8) + " indices");
    std::string raw(*size, 0);
    for (int64_t i = 0; i < count; ++i) {
      int64_t index = 0;
      for (int64_t axis = 0; axis < rank; ++axis) {
        int64_t at;
        memcpy(&at, positions->data() + (i * rank + axis) * 8, 8);
        int64_t extent = rank == 1 ? *size / width : sparse.dims(axis);
        if (at < 0 || at >= extent)
          return createStringError("index " + Twine(at) +
                                   " is out of its range");
        index = index * extent + at;
      }
      memcpy(raw.data() + index * width, from->data() + i * width, width);
    }
    dense.set_raw_data(std::move(raw));
    return Error::success();
  }

  ArrayRef<DataRef> refs;
  Report &report;
};

} // namespace

LogicalResult weft::importer::densify(Model &model, Report &report) {
  Densifier densifier(model.refs, report);
  densifier.run(*model.proto.mutable_graph());
  for (::onnx::FunctionProto &function : *model.proto.mutable_functions())
    for (::onnx::NodeProto &node : *function.mutable_node())
      densifier.run(node);
  return failure(report.hasErrors());
}

LogicalResult weft::importer::resolveTensors(Model &model, int64_t limit,
                                             Report &report) {
  Resolver resolver(model, limit, report);
  auto visit = [&](TensorProto &tensor) { resolver.run(tensor); };
  forEachTensor(*model.proto.mutable_graph(), visit);
  for (::onnx::FunctionProto &function : *model.proto.mutable_functions())
    forEachTensor(function, visit);
  return failure(report.hasErrors());
}
