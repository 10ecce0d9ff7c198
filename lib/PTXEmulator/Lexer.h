//===- Lexer.h - Tokens of PTX ------------------------------------*- C++
//-*-===//

#ifndef WEFT_PTXEMULATOR_LEXER_H
#define WEFT_PTXEMULATOR_LEXER_H

#include <cstdint>
#include <string_view>
#include <vector>

namespace weft::ptx {

struct Token {
  enum Kind : uint8_t {
    /// Opcodes with their suffixes, registers, labels, names.
    Word,
    /// `.reg` and the like.
    Directive,
    Integer,
    /// `0f3F800000`, `0d...` or decimal; `value` holds the bits.
    Float32,
    Float64,
    String,
    Punctuation,
    End,
  };
  Kind kind = End;
  std::string_view text;
  uint64_t value = 0;
  unsigned line = 0;
  bool is(std::string_view other) const { return text == other; }
};

/// Splits a text; throws ParseError. The last token is an `End`. Tokens point
/// into the text.
std::vector<Token> lex(std::string_view text);

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_LEXER_H
