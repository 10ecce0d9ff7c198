//===- Wire.cpp - Models as protobuf bytes --------------------------------===//

#include "WireFormat.h"

using namespace llvm;
using namespace weft::importer;
using namespace weft::importer::wire;

namespace {

//===----------------------------------------------------------------------===//
// Taking data out
//===----------------------------------------------------------------------===//

// Larger one-dimensional integers are data, not shapes.
constexpr size_t maxShapeBytes = 64 << 10;

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
