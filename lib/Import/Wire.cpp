//===- Wire.cpp - Models as protobuf bytes --------------------------------===//

#include "Wire.h"

#include <optional>

using namespace llvm;
using namespace weft::importer;

namespace {

/// The messages on the way from a model to its tensors.
enum class Message {
  Model,
  Graph,
  Node,
  Attribute,
  Tensor,
  SparseTensor,
  Function,
  Training,
};

// Field numbers, from onnx-ml.proto.
enum : uint64_t {
  TensorDims = 1,
  TensorDataType = 2,
  TensorFloatData = 4,
  TensorRawData = 9,
  TensorDoubleData = 10,
  TensorExternalData = 13,
  TensorDataLocation = 14,
};

enum : uint64_t {
  TypeFloat = 1,
  TypeInt32 = 6,
  TypeInt64 = 7,
  TypeDouble = 11,
  TypeComplex64 = 14,
  TypeComplex128 = 15,
};

enum WireType : unsigned { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

// protobuf's own limit, so that what passes here is what it accepts.
constexpr unsigned maxDepth = 100;
// Larger one-dimensional integers are data, not shapes.
constexpr size_t maxShapeBytes = 64 << 10;

std::optional<Message> getField(Message message, uint64_t field) {
  switch (message) {
  case Message::Model:
    if (field == 7)
      return Message::Graph;
    if (field == 20)
      return Message::Training;
    if (field == 25)
      return Message::Function;
    return std::nullopt;
  case Message::Graph:
    if (field == 1)
      return Message::Node;
    if (field == 5)
      return Message::Tensor;
    if (field == 15)
      return Message::SparseTensor;
    return std::nullopt;
  case Message::Node:
    if (field == 5)
      return Message::Attribute;
    return std::nullopt;
  case Message::Attribute:
    if (field == 5 || field == 10)
      return Message::Tensor;
    if (field == 6 || field == 11)
      return Message::Graph;
    if (field == 22 || field == 23)
      return Message::SparseTensor;
    return std::nullopt;
  case Message::SparseTensor:
    if (field == 1 || field == 2)
      return Message::Tensor;
    return std::nullopt;
  case Message::Function:
    if (field == 7)
      return Message::Node;
    if (field == 11)
      return Message::Attribute;
    return std::nullopt;
  case Message::Training:
    if (field == 1 || field == 2)
      return Message::Graph;
    return std::nullopt;
  case Message::Tensor:
    return std::nullopt;
  }
  llvm_unreachable("unknown message");
}

/// One field of a message: `whole` with its tag, `payload` what it holds.
struct Field {
  uint64_t number;
  unsigned type;
  uint64_t value;
  ArrayRef<char> whole;
  ArrayRef<char> payload;
};

/// Reads the fields of one message in turn.
class Reader {
public:
  explicit Reader(ArrayRef<char> bytes) : bytes(bytes) {}

  bool atEnd() const { return position == bytes.size(); }

  Expected<Field> next() {
    size_t begin = position;
    Field field;
    uint64_t tag;
    if (!readVarint(tag) || tag >> 3 == 0)
      return malformed("a field number");
    field.number = tag >> 3;
    field.type = tag & 7;
    field.value = 0;
    uint64_t length = 0;
    switch (field.type) {
    case Varint:
      if (!readVarint(field.value))
        return malformed("a number");
      break;
    case Fixed64:
      length = 8;
      break;
    case Fixed32:
      length = 4;
      break;
    case Bytes:
      if (!readVarint(length))
        return malformed("a length");
      break;
    default:
      return malformed("a field type");
    }
    if (length > bytes.size() - position)
      return createStringError(
          inconvertibleErrorCode(),
          "a field claims %llu bytes where %llu are left: the file is "
          "truncated or damaged",
          (unsigned long long)length,
          (unsigned long long)(bytes.size() - position));
    field.payload = bytes.slice(position, length);
    position += length;
    field.whole = bytes.slice(begin, position - begin);
    return field;
  }

private:
  bool readVarint(uint64_t &value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && position < bytes.size();
         shift += 7) {
      uint8_t byte = bytes[position++];
      value |= uint64_t(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return true;
    }
    return false;
  }

  Error malformed(StringRef what) {
    return createStringError(inconvertibleErrorCode(),
                             "expected " + what +
                                 ": not an ONNX model, or damaged");
  }

  ArrayRef<char> bytes;
  size_t position = 0;
};

Error tooDeep() {
  return createStringError(inconvertibleErrorCode(),
                           "graphs are nested too deeply");
}

void writeVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += char(value | 0x80);
  out += char(value);
}

void writeTag(std::string &out, uint64_t field, WireType type) {
  writeVarint(out, field << 3 | type);
}

void writeBytes(std::string &out, uint64_t field, StringRef bytes) {
  writeTag(out, field, Bytes);
  writeVarint(out, bytes.size());
  out += bytes;
}

void write(std::string &out, ArrayRef<char> bytes) {
  out.append(bytes.data(), bytes.size());
}

//===----------------------------------------------------------------------===//
// Taking data out
//===----------------------------------------------------------------------===//

class Stripper {
public:
  Stripper(ArrayRef<char> file, StringRef name, size_t limit,
           std::vector<DataRef> &refs)
      : file(file), name(name), limit(limit), refs(refs) {}

  Error run(ArrayRef<char> in, Message message, unsigned depth,
            std::string &out) {
    if (depth > maxDepth)
      return tooDeep();
    if (message == Message::Tensor)
      return runTensor(in, out);
    for (Reader reader(in); !reader.atEnd();) {
      Expected<Field> field = reader.next();
      if (!field)
        return field.takeError();
      std::optional<Message> child = getField(message, field->number);
      if (!child || field->type != Bytes) {
        write(out, field->whole);
        continue;
      }
      std::string inner;
      if (Error error = run(field->payload, *child, depth + 1, inner))
        return error;
      writeBytes(out, field->number, inner);
    }
    return Error::success();
  }

private:
  // The field of `in` that holds the tensor's data as it lies in memory, if it
  // is large; 0 if none.
  Expected<uint64_t> findData(ArrayRef<char> in, bool &isShape) {
    uint64_t dataType = 0, found = 0, numDims = 0;
    unsigned numFound = 0;
    size_t size = 0;
    for (Reader reader(in); !reader.atEnd();) {
      Expected<Field> field = reader.next();
      if (!field)
        return field.takeError();
      switch (field->number) {
      case TensorDims:
        // Packed dims count as several, which only matters for `isShape`.
        numDims += field->type == Bytes ? field->payload.size() : 1;
        break;
      case TensorDataType:
        dataType = field->value;
        break;
      case TensorRawData:
      case TensorFloatData:
      case TensorDoubleData:
        if (field->type != Bytes)
          break;
        found = field->number;
        size = field->payload.size();
        ++numFound;
        break;
      }
    }
    if (numFound > 1 && size > limit)
      return createStringError(inconvertibleErrorCode(),
                               "a large tensor's data is in several pieces");
    bool lies = found == TensorRawData ||
                (found == TensorFloatData &&
                 (dataType == TypeFloat || dataType == TypeComplex64)) ||
                (found == TensorDoubleData &&
                 (dataType == TypeDouble || dataType == TypeComplex128));
    if (!lies || numFound != 1 || size <= limit)
      return 0;
    isShape = (dataType == TypeInt64 || dataType == TypeInt32) &&
              numDims <= 1 && size <= maxShapeBytes;
    return found;
  }

  Error runTensor(ArrayRef<char> in, std::string &out) {
    bool isShape = false;
    Expected<uint64_t> data = findData(in, isShape);
    if (!data)
      return data.takeError();
    if (*data == 0) {
      write(out, in);
      return Error::success();
    }
    for (Reader reader(in); !reader.atEnd();) {
      Field field = cantFail(reader.next());
      if (field.number == TensorExternalData ||
          field.number == TensorDataLocation)
        continue;
      if (field.number != *data || isShape)
        write(out, field.whole);
      if (field.number == *data)
        refs.push_back({name.str(), field.payload.data() - file.data(),
                        int64_t(field.payload.size())});
    }
    std::string entry;
    writeBytes(entry, 1, refKey);
    writeBytes(entry, 2, std::to_string(refs.size() - 1));
    writeBytes(out, TensorExternalData, entry);
    if (!isShape) {
      writeTag(out, TensorDataLocation, Varint);
      writeVarint(out, 1);
    }
    return Error::success();
  }

  ArrayRef<char> file;
  StringRef name;
  size_t limit;
  std::vector<DataRef> &refs;
};

//===----------------------------------------------------------------------===//
// Putting data back
//===----------------------------------------------------------------------===//

class Filler {
public:
  explicit Filler(ArrayRef<ArrayRef<char>> data) : data(data) {}

  Error run(ArrayRef<char> in, Message message, Rope &out) {
    if (message == Message::Tensor)
      return runTensor(in, out);
    for (Reader reader(in); !reader.atEnd();) {
      Expected<Field> field = reader.next();
      if (!field)
        return field.takeError();
      std::optional<Message> child = getField(message, field->number);
      if (!child || field->type != Bytes) {
        out.append(field->whole);
        continue;
      }
      Rope inner;
      if (Error error = run(field->payload, *child, inner))
        return error;
      std::string head;
      writeTag(head, field->number, Bytes);
      writeVarint(head, inner.size);
      out.appendOwned(std::move(head));
      out.append(std::move(inner));
    }
    return Error::success();
  }

private:
  // The index in an `external_data` entry that is a reference.
  static std::optional<uint64_t> getRef(ArrayRef<char> entry) {
    StringRef key, value;
    for (Reader reader(entry); !reader.atEnd();) {
      Field field = cantFail(reader.next());
      StringRef text(field.payload.data(), field.payload.size());
      (field.number == 1 ? key : value) = text;
    }
    uint64_t index;
    if (key != refKey || value.getAsInteger(10, index))
      return std::nullopt;
    return index;
  }

  Error runTensor(ArrayRef<char> in, Rope &out) {
    std::optional<uint64_t> ref;
    for (Reader reader(in); !reader.atEnd();) {
      Expected<Field> field = reader.next();
      if (!field)
        return field.takeError();
      if (field->number == TensorExternalData && !ref) {
        ref = getRef(field->payload);
        if (ref)
          continue;
      }
      if (field->number != TensorDataLocation || !ref)
        out.append(field->whole);
    }
    if (!ref)
      return Error::success();
    std::string head;
    writeTag(head, TensorRawData, Bytes);
    writeVarint(head, data[*ref].size());
    out.appendOwned(std::move(head));
    out.append(data[*ref]);
    return Error::success();
  }

  ArrayRef<ArrayRef<char>> data;
};

} // namespace

void Rope::append(ArrayRef<char> piece) {
  if (piece.empty())
    return;
  size += piece.size();
  // Fields that are neighbours in the input stay one piece.
  if (!pieces.empty() && pieces.back().end() == piece.begin())
    pieces.back() =
        ArrayRef(pieces.back().data(), pieces.back().size() + piece.size());
  else
    pieces.push_back(piece);
}

void Rope::appendOwned(std::string piece) {
  owned.push_back(std::move(piece));
  size += owned.back().size();
  pieces.push_back(ArrayRef(owned.back().data(), owned.back().size()));
}

void Rope::append(Rope &&other) {
  // A short string's characters lie in the string itself, so its piece has to
  // be made anew when it moves.
  size_t next = 0;
  for (ArrayRef<char> piece : other.pieces) {
    if (next < other.owned.size() && piece.data() == other.owned[next].data()) {
      appendOwned(std::move(other.owned[next++]));
      continue;
    }
    append(piece);
  }
}

Expected<std::string> weft::importer::stripTensors(ArrayRef<char> bytes,
                                                   StringRef file,
                                                   int64_t limit,
                                                   std::vector<DataRef> &refs) {
  std::string out;
  if (Error error =
          Stripper(bytes, file, limit, refs).run(bytes, Message::Model, 0, out))
    return error;
  return out;
}

Expected<Rope> weft::importer::fillTensors(ArrayRef<char> bytes,
                                           ArrayRef<ArrayRef<char>> data) {
  Rope rope;
  if (Error error = Filler(data).run(bytes, Message::Model, rope))
    return error;
  return rope;
}
