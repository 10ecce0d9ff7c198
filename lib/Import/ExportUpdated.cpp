//===- ExportUpdated.cpp - Copies of models with other weights ------------===//
//
// A copy differs from its model in the data of some initializers, which keeps
// the form that it has, and in metadata. All other fields are copied as bytes,
// known or not.
//
//===----------------------------------------------------------------------===//

#include "CopyWriter.h"
#include "Model.h"
#include "WireFormat.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBuffer.h"
#include <map>

using namespace llvm;
using namespace weft;
using namespace weft::importer;
using namespace weft::importer::wire;

namespace {

/// What a serialized tensor says of itself.
struct TensorHead {
  StringRef name;
  uint64_t dataType = 0;
  SmallVector<int64_t> dims;
  bool isExternal = false;
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
};

/// Takes pieces off the front of a tensor's new data.
class Cursor {
public:
  explicit Cursor(ArrayRef<char> rest) : rest(rest) {}
  Expected<ArrayRef<char>> take(uint64_t size) {
    if (size > rest.size())
      return createStringError("the file holds more data than its shape wants");
    ArrayRef<char> taken = rest.take_front(size);
    rest = rest.drop_front(size);
    return taken;
  }
  bool atEnd() const { return rest.empty(); }

private:
  ArrayRef<char> rest;
};

using Properties = ArrayRef<std::pair<std::string, std::string>>;

/// Where a message stands, as far as it tells whether its tensors are those of
/// the main graph or of an algorithm that trains it.
struct Place {
  Message message = Message::Model;
  unsigned depth = 0;
  bool isMainGraph = false;
  bool isInitializer = false;
  /// What the Constant node around it makes; empty if there is none.
  StringRef constant;

  /// Where the message in a field stands; nothing if it holds no tensors.
  Expected<std::optional<Place>> enter(const Field &field) const;
};

class ModelCopy {
public:
  ModelCopy(ArrayRef<char> bytes, ArrayRef<NamedTensor> updates,
            Properties metadata)
      : bytes(bytes), updates(updates), metadata(metadata) {
    for (const NamedTensor &update : updates)
      wanted[update.name] = &update.tensor;
    for (const auto &[key, value] : metadata)
      keys.insert(key);
  }

  /// Finds the tensors to replace, and the files of external data.
  Error scan() {
    if (Error error = scan(bytes, Place()))
      return error;
    std::string missing;
    for (const NamedTensor &update : updates)
      if (!found.contains(update.name))
        missing += (missing.empty() ? "'" : "', '") + update.name;
    if (missing.empty())
      return Error::success();
    return createStringError("no initializer and no Constant node of the main "
                             "graph has the name " +
                             missing + "'");
  }

  /// The model's bytes with the changes.
  Expected<Rope> build() {
    Rope rope;
    if (Error error = copy(bytes, Place(), rope))
      return error;
    for (const auto &[key, value] : metadata) {
      std::string entry, field;
      writeBytes(entry, EntryKey, key);
      writeBytes(entry, EntryValue, value);
      writeBytes(field, ModelMetadata, entry);
      rope.appendOwned(std::move(field));
    }
    return rope;
  }

  /// By location.
  std::map<std::string, DataFile> files;

private:
  Error scan(ArrayRef<char> in, const Place &place);
  Error scanTensor(ArrayRef<char> in, const Place &place);
  Error copy(ArrayRef<char> in, const Place &place, Rope &out);
  Error copyField(const Field &field, const Place &place, Rope &out);
  Error copyTensor(ArrayRef<char> in, const Place &place, Rope &out);
  Error fillField(const Field &field, uint64_t dataType, Cursor &data,
                  Rope &out);
  void renameData(const Field &field, const TensorHead &head, Rope &out);

  /// The new data of a tensor; null if it stays.
  const HostTensor *getUpdate(const TensorHead &head,
                              const Place &place) const {
    return wanted.lookup(getName(head, place));
  }
  static StringRef getName(const TensorHead &head, const Place &place) {
    return place.isInitializer ? head.name : place.constant;
  }

  ArrayRef<char> bytes;
  ArrayRef<NamedTensor> updates;
  Properties metadata;
  StringMap<const HostTensor *> wanted;
  StringSet<> keys, found;
};

} // namespace

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// Adds a field's dims, which are one or, packed, several.
static void readDims(const Field &field, SmallVectorImpl<int64_t> &dims) {
  if (field.type == Varint)
    return dims.push_back(field.value);
  for (ArrayRef<char> rest = field.payload; !rest.empty();) {
    uint64_t value = 0;
    unsigned shift = 0;
    while (!rest.empty() && shift < 64) {
      auto byte = static_cast<uint8_t>(rest.front());
      rest = rest.drop_front();
      value |= uint64_t(byte & 0x7f) << shift;
      shift += 7;
      if (!(byte & 0x80))
        break;
    }
    dims.push_back(value);
  }
}

static StringRef getText(ArrayRef<char> bytes) {
  return {bytes.data(), bytes.size()};
}

static Expected<std::pair<StringRef, StringRef>>
readEntry(ArrayRef<char> bytes) {
  std::pair<StringRef, StringRef> entry;
  for (Reader reader(bytes); !reader.atEnd();) {
    Expected<Field> field = reader.next();
    if (!field)
      return field.takeError();
    if (field->number == EntryKey)
      entry.first = getText(field->payload);
    if (field->number == EntryValue)
      entry.second = getText(field->payload);
  }
  return entry;
}

static Error readExternal(const Field &field, TensorHead &head) {
  auto entry = readEntry(field.payload);
  if (!entry)
    return entry.takeError();
  auto [key, value] = *entry;
  if (key == "location")
    head.location = value.str();
  uint64_t number = 0;
  if (key != "offset" && key != "length")
    return Error::success();
  if (value.getAsInteger(10, number))
    return createStringError("external data has the " + key + " '" + value +
                             "', wanted a number");
  if (key == "offset")
    head.offset = number;
  else
    head.length = number;
  return Error::success();
}

static Expected<TensorHead> readHead(ArrayRef<char> in) {
  TensorHead head;
  for (Reader reader(in); !reader.atEnd();) {
    Expected<Field> field = reader.next();
    if (!field)
      return field.takeError();
    if (field->number == TensorName)
      head.name = getText(field->payload);
    else if (field->number == TensorDataType)
      head.dataType = field->value;
    else if (field->number == TensorDims)
      readDims(*field, head.dims);
    else if (field->number == TensorDataLocation)
      head.isExternal = field->value == 1;
    else if (field->number == TensorExternalData)
      if (Error error = readExternal(*field, head))
        return error;
  }
  return head;
}

/// Checks that `tensor` can take the place of the one in the file.
static Error checkUpdate(const TensorHead &head, const HostTensor &tensor) {
  auto dataType = static_cast<int32_t>(head.dataType);
  if (getRawBits(dataType) < 8)
    return createStringError("strings and elements of fewer than eight bits "
                             "can't be replaced");
  mlir::RankedTensorType type = tensor.getType();
  if (getElementType(dataType, type.getContext()) != type.getElementType() ||
      ArrayRef(head.dims) != tensor.getShape()) {
    std::string shape, text;
    for (int64_t size : head.dims)
      shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    raw_string_ostream(text) << type;
    return createStringError("the initializer is of " +
                             ::onnx::TensorProto_DataType_Name(dataType) + "[" +
                             shape + "], its replacement of '" + text + "'");
  }
  uint64_t size = tensor.getBytes().size();
  if (head.length && *head.length != size)
    return createStringError("the shape wants " + Twine(size) +
                             " bytes of data, its external data has " +
                             Twine(*head.length));
  return Error::success();
}

/// What a Constant node makes; empty for any other node.
static Expected<StringRef> readConstantName(ArrayRef<char> node) {
  StringRef name, type, domain;
  for (Reader reader(node); !reader.atEnd();) {
    Expected<Field> field = reader.next();
    if (!field)
      return field.takeError();
    if (field->number == NodeOutput)
      name = getText(field->payload);
    else if (field->number == NodeOpType)
      type = getText(field->payload);
    else if (field->number == NodeDomain)
      domain = getText(field->payload);
  }
  bool isConstant =
      type == "Constant" && (domain.empty() || domain == "ai.onnx");
  return isConstant ? name : StringRef();
}

static Expected<StringRef> readAttributeName(ArrayRef<char> attribute) {
  StringRef name;
  for (Reader reader(attribute); !reader.atEnd();) {
    Expected<Field> field = reader.next();
    if (!field)
      return field.takeError();
    if (field->number == AttributeName)
      name = getText(field->payload);
  }
  return name;
}

Expected<std::optional<Place>> Place::enter(const Field &field) const {
  std::optional<Message> child = getField(message, field.number);
  if (!child || field.type != Bytes)
    return std::nullopt;
  if (depth == maxDepth)
    return tooDeep();
  Place next;
  next.message = *child;
  next.depth = depth + 1;
  next.isMainGraph =
      message == Message::Model
          ? *child == Message::Graph
          : message == Message::Training && field.number == TrainingAlgorithm;
  next.isInitializer = isMainGraph && *child == Message::Tensor;
  if (isMainGraph && *child == Message::Node) {
    Expected<StringRef> name = readConstantName(field.payload);
    if (!name)
      return name.takeError();
    next.constant = *name;
  } else if (message == Message::Node && !constant.empty()) {
    Expected<StringRef> name = readAttributeName(field.payload);
    if (!name)
      return name.takeError();
    next.constant = *name == "value" ? constant : StringRef();
  } else if (message == Message::Attribute && field.number == AttributeTensor) {
    next.constant = constant;
  }
  return next;
}

Error ModelCopy::scanTensor(ArrayRef<char> in, const Place &place) {
  Expected<TensorHead> head = readHead(in);
  if (!head)
    return head.takeError();
  StringRef name = getName(*head, place);
  const HostTensor *tensor = getUpdate(*head, place);
  if (tensor) {
    found.insert(name);
    if (Error error = checkUpdate(*head, *tensor))
      return createStringError("tensor '" + name +
                               "': " + toString(std::move(error)));
  }
  if (!head->isExternal)
    return Error::success();
  DataRange range{(name.empty() ? head->name : name).str(), head->offset, 0,
                  std::nullopt};
  uint64_t bits = getRawBits(head->dataType);
  for (int64_t size : head->dims)
    bits *= size;
  range.size = head->length.value_or(divideCeil(bits, 8));
  if (tensor)
    range.bytes = tensor->getBytes();
  files[head->location].ranges.push_back(std::move(range));
  return Error::success();
}

Error ModelCopy::scan(ArrayRef<char> in, const Place &place) {
  if (place.message == Message::Tensor)
    return scanTensor(in, place);
  for (Reader reader(in); !reader.atEnd();) {
    Expected<Field> field = reader.next();
    if (!field)
      return field.takeError();
    Expected<std::optional<Place>> inner = place.enter(*field);
    if (!inner)
      return inner.takeError();
    if (*inner)
      if (Error error = scan(field->payload, **inner))
        return error;
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// Appends a message of `inner` as field `number`.
static void appendMessage(Rope &out, uint64_t number, Rope inner) {
  std::string head;
  writeTag(head, number, Bytes);
  writeVarint(head, inner.size);
  out.appendOwned(std::move(head));
  out.append(std::move(inner));
}

static bool isSigned(uint64_t dataType) {
  using ::onnx::TensorProto;
  return dataType == TensorProto::INT8 || dataType == TensorProto::INT16 ||
         dataType == TensorProto::INT32;
}

/// Appends one field of a tensor's data with new elements, as many as it has.
Error ModelCopy::fillField(const Field &field, uint64_t dataType, Cursor &data,
                           Rope &out) {
  if (field.number != TensorInt32Data && field.number != TensorInt64Data) {
    // As they lie in memory, packed or each with a tag.
    auto part = data.take(field.payload.size());
    if (!part)
      return part.takeError();
    out.append(field.whole.drop_back(field.payload.size()));
    out.append(*part);
    return Error::success();
  }
  // Each as a number of its own.
  uint64_t width = getRawBits(dataType) / 8;
  bool isPacked = field.type == Bytes;
  uint64_t count = isPacked ? llvm::count_if(field.payload,
                                             [](char c) { return !(c & 0x80); })
                            : 1;
  auto part = data.take(count * width);
  if (!part)
    return part.takeError();
  std::string numbers;
  for (; !part->empty(); *part = part->drop_front(width)) {
    uint64_t number = 0;
    memcpy(&number, part->data(), width);
    // protobuf wants negative integers in 64 bits.
    if (isSigned(dataType) && width < 8)
      number = llvm::SignExtend64(number, 8 * width);
    writeVarint(numbers, number);
  }
  std::string whole;
  if (isPacked) {
    writeBytes(whole, field.number, numbers);
  } else {
    writeTag(whole, field.number, Varint);
    whole += numbers;
  }
  out.appendOwned(std::move(whole));
  return Error::success();
}

/// Appends an entry about external data, with the file's name in the copy.
void ModelCopy::renameData(const Field &field, const TensorHead &head,
                           Rope &out) {
  std::string name = files[head.location].newLocation;
  if (name.empty() || cantFail(readEntry(field.payload)).first != "location")
    return out.append(field.whole);
  std::string entry, whole;
  writeBytes(entry, EntryKey, "location");
  writeBytes(entry, EntryValue, name);
  writeBytes(whole, field.number, entry);
  out.appendOwned(std::move(whole));
}

Error ModelCopy::copyTensor(ArrayRef<char> in, const Place &place, Rope &out) {
  TensorHead head = cantFail(readHead(in));
  const HostTensor *tensor = getUpdate(head, place);
  Cursor data(tensor && !head.isExternal ? tensor->getBytes()
                                         : ArrayRef<char>());
  for (Reader reader(in); !reader.atEnd();) {
    Field field = cantFail(reader.next());
    bool isData =
        field.number == TensorRawData || field.number == TensorFloatData ||
        field.number == TensorDoubleData || field.number == TensorInt32Data ||
        field.number == TensorInt64Data;
    if (head.isExternal && field.number == TensorExternalData) {
      renameData(field, head, out);
    } else if (tensor && !head.isExternal && isData) {
      if (Error error = fillField(field, head.dataType, data, out))
        return createStringError("tensor '" + head.name +
                                 "': " + toString(std::move(error)));
    } else {
      out.append(field.whole);
    }
  }
  if (!data.atEnd())
    return createStringError("tensor '" + head.name +
                             "': the file holds less "
                             "data than its shape wants");
  return Error::success();
}

Error ModelCopy::copyField(const Field &field, const Place &place, Rope &out) {
  if (place.message == Message::Model && field.number == ModelMetadata) {
    auto entry = readEntry(field.payload);
    if (!entry)
      return entry.takeError();
    if (!keys.contains(entry->first))
      out.append(field.whole);
    return Error::success();
  }
  std::optional<Place> child = cantFail(place.enter(field));
  if (!child) {
    out.append(field.whole);
    return Error::success();
  }
  Rope inner;
  if (Error error = copy(field.payload, *child, inner))
    return error;
  // What has not changed keeps its length as it was written, too.
  bool isSame = inner.size == field.payload.size() &&
                (inner.pieces.empty() ||
                 (inner.pieces.size() == 1 &&
                  inner.pieces[0].data() == field.payload.data()));
  if (isSame)
    out.append(field.whole);
  else
    appendMessage(out, field.number, std::move(inner));
  return Error::success();
}

Error ModelCopy::copy(ArrayRef<char> in, const Place &place, Rope &out) {
  if (place.message == Message::Tensor)
    return copyTensor(in, place, out);
  for (Reader reader(in); !reader.atEnd();)
    if (Error error = copyField(cantFail(reader.next()), place, out))
      return error;
  return Error::success();
}

//===----------------------------------------------------------------------===//
// The whole way
//===----------------------------------------------------------------------===//

/// A model in ONNX's text syntax as a binary one; empty after an error.
static std::string convertText(StringRef text, Report &report) {
  Model model;
  std::string bytes;
  if (failed(parseText(text, model, report)))
    return bytes;
  if (!model.proto.SerializeToString(&bytes))
    (void)report.error(Code::Export, "the model is too large for protobuf");
  return bytes;
}

static Error writeCopy(ArrayRef<char> bytes, CopyWriter writer,
                       ArrayRef<NamedTensor> updates, Properties metadata) {
  ModelCopy copy(bytes, updates, metadata);
  if (Error error = copy.scan())
    return error;
  for (auto &[location, file] : copy.files)
    if (Error error = writer.addData(location, file))
      return error;
  Expected<Rope> model = copy.build();
  if (!model)
    return model.takeError();
  return writer.finish(*model);
}

mlir::LogicalResult weft::exportUpdated(mlir::MLIRContext &context,
                                        StringRef path, StringRef output,
                                        ArrayRef<NamedTensor> updates,
                                        Properties metadata) {
  Report report(context, path);
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return report.error(Code::File, "can't read '" + path +
                                        "': " + buffer.getError().message());
  StringRef text = (*buffer)->getBuffer();
  std::string converted;
  if (isText(ArrayRef(text.data(), text.size()), path)) {
    text = converted = convertText(text, report);
    if (report.hasErrors())
      return mlir::failure();
  }
  Error error = writeCopy(ArrayRef(text.data(), text.size()),
                          CopyWriter(path, output), updates, metadata);
  if (!error)
    return mlir::success();
  return report.error(Code::Export, "can't write '" + output +
                                        "': " + toString(std::move(error)));
}
