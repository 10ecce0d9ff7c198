//===- Decoder.h - Statements to instructions ---------------------*- C++
//-*-===//
//
// Each opcode has a decoding function in the table of its group. It asks for
// modifiers and operands, and picks the handler; what it does not ask for is an
// error.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_DECODER_H
#define WEFT_PTXEMULATOR_DECODER_H

#include "Machine.h"
#include "Syntax.h"
#include <initializer_list>
#include <span>

namespace weft::ptx {

class Decoder {
public:
  Decoder(ModuleImpl &module, FunctionSyntax &syntax);
  /// Decodes the whole function. Throws ParseError.
  void run();

  // What decoding functions use.
  Instr instr;

  [[noreturn]] void fail(const std::string &text) const;
  /// The opcode in front of the first dot.
  std::string_view name() const { return parts.front(); }
  /// Whether the modifier (without its dot) is there; it is then used.
  bool take(std::string_view modifier);
  /// The next unused modifier without using it; empty at the end.
  std::string_view next() const;
  std::string_view takeNext();
  /// The next modifier as a type.
  Type takeType();
  /// The same without using it; `None` if there is none.
  Type peekType() const;
  /// One of several modifiers: its index, or `otherwise` if there is none.
  int takeOneOf(std::span<const std::string_view> modifiers, int otherwise);
  int takeOneOf(std::initializer_list<std::string_view> modifiers,
                int otherwise) {
    return takeOneOf(std::span(modifiers.begin(), modifiers.size()), otherwise);
  }

  size_t count() const { return statement->operands.size(); }
  /// Fails unless there are this many operands.
  void expectCount(size_t least, size_t most);
  const Operand &operand(size_t index) const;
  /// An operand that is read: a register or a constant, as wide as `type`.
  int32_t source(const Operand &operand, Type type);
  int32_t source(size_t index, Type type) {
    return source(operand(index), type);
  }
  /// A register of any width that can hold `type`: its width is in `bits`.
  int32_t wideSource(const Operand &operand, Type type, unsigned &bits);
  /// An operand that is written; `_` gives a register that nothing reads.
  int32_t target(const Operand &operand, Type type);
  int32_t target(size_t index, Type type) {
    return target(operand(index), type);
  }
  int32_t wideTarget(const Operand &operand, Type type, unsigned &bits);
  /// A predicate that is read, and whether it is negated.
  int32_t predicate(const Operand &operand, bool &negated);
  /// A value that the text gives.
  int64_t immediate(const Operand &operand);
  int32_t constant(uint64_t bits, unsigned width);
  int32_t scratch(unsigned bits);
  /// Sets `a`, `imm` and `y` (bytes of the register, or 0) to those of an
  /// address; returns the space, which may be narrower than `space`.
  Space address(const Operand &operand, Space space);
  /// Elements in braces, or the operand alone.
  std::vector<const Operand *> elements(const Operand &operand) const;
  /// Appends to `Program::lists`; returns where.
  uint32_t addList(const std::vector<int32_t> &values);
  template <class T> T *addDetail(T value) {
    auto kept = std::make_shared<T>(std::move(value));
    program.details.push_back(kept);
    return kept.get();
  }
  /// The instruction that is emitted next goes to this label.
  void branchTo(std::string_view name);
  /// Where the labels are, once the function is decoded.
  const std::vector<uint32_t> *
  targetList(const std::vector<std::string_view> &names);
  /// Statements behind `.branchtargets`; null if there is no such label.
  const std::vector<std::string_view> *targets(std::string_view name) const;
  void emit();
  /// The address of a variable in its space, as this function sees it.
  uint64_t addressOf(const Variable &variable, Space &space) const;

  ModuleImpl &module;
  Program &program;
  Function &function;

private:
  uint32_t label(std::string_view name) const;
  void layOutShared(const Operand &operand);
  int32_t registerOffset(Symbol &symbol);
  int32_t special(std::string_view name, Type type);
  void decode();
  std::string describe(const Operand &operand) const;

  FunctionSyntax &syntax;
  const Statement *statement = nullptr;
  std::vector<std::string_view> parts;
  std::vector<bool> used;
  std::vector<uint32_t> firstInstr;
  std::vector<std::pair<uint32_t, uint32_t>> fixups;
  std::unordered_map<uint64_t, int32_t> constants[4];
  std::unordered_map<const Symbol *, uint64_t> sharedOffsets;
  std::vector<std::vector<uint32_t> *> listFixups;
};

using DecodeFunction = void (*)(Decoder &);
struct DecodeEntry {
  std::string_view opcode;
  DecodeFunction decode;
};
using DecodeTable = std::vector<DecodeEntry>;

/// Arithmetic, by the type of its operands.
void decodeInteger(Decoder &decoder);
void decodeFloat(Decoder &decoder);
void decodeHalf(Decoder &decoder);

/// The tables of the groups.
DecodeTable arithmeticTable();
DecodeTable integerTable();
DecodeTable bitTable();
DecodeTable functionTable();
DecodeTable convertTable();
DecodeTable compareTable();
DecodeTable moveTable();
DecodeTable memoryTable();
DecodeTable atomicTable();
DecodeTable warpTable();
DecodeTable controlTable();
DecodeTable barrierTable();
DecodeTable mbarrierTable();
DecodeTable asyncTable();
DecodeTable matrixTable();
DecodeTable wgmmaTable();

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_DECODER_H
