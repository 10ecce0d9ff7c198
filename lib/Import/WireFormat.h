//===- WireFormat.h - The fields of protobuf messages ---------------------===//
//
// Reads and writes the messages between a model and its tensors field by field,
// for those that must leave all the others as they are.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_LIB_IMPORT_WIREFORMAT_H
#define WEFT_LIB_IMPORT_WIREFORMAT_H

#include "Wire.h"
#include <optional>

namespace weft::importer::wire {

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
  TensorInt32Data = 5,
  TensorInt64Data = 7,
  TensorName = 8,
  TensorRawData = 9,
  TensorDoubleData = 10,
  TensorExternalData = 13,
  TensorDataLocation = 14,
  ModelMetadata = 14,
  TrainingAlgorithm = 2,
  NodeOutput = 2,
  NodeOpType = 4,
  NodeDomain = 7,
  AttributeName = 1,
  AttributeTensor = 5,
  EntryKey = 1,
  EntryValue = 2,
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

inline std::optional<Message> getField(Message message, uint64_t field) {
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
  llvm::ArrayRef<char> whole;
  llvm::ArrayRef<char> payload;
};

/// Reads the fields of one message in turn.
class Reader {
public:
  explicit Reader(llvm::ArrayRef<char> bytes) : bytes(bytes) {}

  bool atEnd() const { return position == bytes.size(); }

  llvm::Expected<Field> next() {
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
      return llvm::createStringError(
          llvm::inconvertibleErrorCode(),
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

  llvm::Error malformed(llvm::StringRef what) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "expected " + what +
                                       ": not an ONNX model, or damaged");
  }

  llvm::ArrayRef<char> bytes;
  size_t position = 0;
};

inline llvm::Error tooDeep() {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "graphs are nested too deeply");
}

inline void writeVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += char(value | 0x80);
  out += char(value);
}

inline void writeTag(std::string &out, uint64_t field, WireType type) {
  writeVarint(out, field << 3 | type);
}

inline void writeBytes(std::string &out, uint64_t field,
                       llvm::StringRef bytes) {
  writeTag(out, field, Bytes);
  writeVarint(out, bytes.size());
  out += bytes;
}

inline void write(std::string &out, llvm::ArrayRef<char> bytes) {
  out.append(bytes.data(), bytes.size());
}

} // namespace weft::importer::wire

#endif // WEFT_LIB_IMPORT_WIREFORMAT_H
