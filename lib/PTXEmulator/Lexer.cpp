//===- Lexer.cpp - Tokens of PTX ------------------------------------------===//

#include "Lexer.h"
#include "Program.h"

#include <bit>
#include <charconv>
#include <cstdlib>

using namespace weft::ptx;

namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '$' || c == '%';
}
bool isWord(char c) { return isWordStart(c) || isDigit(c); }

class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    do
      tokens.push_back(next());
    while (tokens.back().kind != Token::End);
    return tokens;
  }

private:
  char peek(size_t ahead = 0) const {
    return at + ahead < text.size() ? text[at + ahead] : '\0';
  }

  void skipBlanks() {
    while (at < text.size()) {
      if (peek() == '/' && peek(1) == '/') {
        while (at < text.size() && peek() != '\n')
          ++at;
      } else if (peek() == '/' && peek(1) == '*') {
        unsigned begin = line;
        for (at += 2; peek() != '*' || peek(1) != '/'; ++at) {
          if (at >= text.size())
            throw ParseError{begin, "a comment does not end"};
          line += peek() == '\n';
        }
        at += 2;
      } else if (peek() == '\n') {
        ++line, ++at;
      } else if (peek() == ' ' || peek() == '\t' || peek() == '\r' ||
                 peek() == '\0') {
        ++at;
      } else {
        return;
      }
    }
  }

  Token finish(Token::Kind kind, size_t begin) const {
    return {kind, text.substr(begin, at - begin), 0, line};
  }

  // Words hold their dots (`ld.global.v4.f32`, `%tid.x`) and double colons
  // (`shared::cluster`).
  Token word(Token::Kind kind) {
    size_t begin = at++;
    while (at < text.size()) {
      if (isWord(peek()))
        ++at;
      else if (peek() == '.' && isWord(peek(1)) && kind == Token::Word)
        ++at;
      else if (peek() == ':' && peek(1) == ':' && isWord(peek(2)))
        at += 2;
      else
        break;
    }
    return finish(kind, begin);
  }

  Token hexFloat(Token::Kind kind, unsigned digits) {
    size_t begin = at;
    at += 2 + digits;
    Token token = finish(kind, begin);
    auto body = token.text.substr(2);
    auto done = std::from_chars(body.data(), body.data() + body.size(),
                                token.value, 16);
    if (body.size() != digits || done.ptr != body.data() + digits)
      throw ParseError{line, "'" + std::string(token.text) +
                                 "' is no floating-point constant"};
    return token;
  }

  Token number() {
    if (peek() == '0' && (peek(1) == 'f' || peek(1) == 'F'))
      return hexFloat(Token::Float32, 8);
    if (peek() == '0' && (peek(1) == 'd' || peek(1) == 'D'))
      return hexFloat(Token::Float64, 16);
    size_t begin = at;
    int base = 10;
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X'))
      base = 16, at += 2;
    else if (peek() == '0' && (peek(1) == 'b' || peek(1) == 'B'))
      base = 2, at += 2;
    else if (peek() == '0' && isDigit(peek(1)))
      base = 8, at += 1;
    size_t digits = at;
    while (isDigit(peek()) || (base == 16 && std::isxdigit(peek())))
      ++at;
    if (base == 10 && (peek() == '.' || peek() == 'e' || peek() == 'E'))
      return decimal(begin);
    Token token = finish(Token::Integer, begin);
    auto done = std::from_chars(text.data() + digits, text.data() + at,
                                token.value, base);
    if (done.ec != std::errc() || done.ptr != text.data() + at)
      throw ParseError{line, "'" + std::string(token.text) + "' is no number"};
    if (peek() == 'U' || peek() == 'u')
      ++at;
    return token;
  }

  Token decimal(size_t begin) {
    double value = 0;
    auto done =
        std::from_chars(text.data() + begin, text.data() + text.size(), value);
    at = done.ptr - text.data();
    Token token = finish(Token::Float64, begin);
    token.value = std::bit_cast<uint64_t>(value);
    return token;
  }

  Token next() {
    skipBlanks();
    if (at >= text.size())
      return {Token::End, "end of text", 0, line};
    char c = peek();
    if (isWordStart(c))
      return word(Token::Word);
    if (c == '.' && isWordStart(peek(1)))
      return word(Token::Directive);
    if (isDigit(c))
      return number();
    if (c == '"') {
      size_t begin = ++at;
      while (at < text.size() && peek() != '"')
        at += peek() == '\\' ? 2 : 1;
      Token token = finish(Token::String, begin);
      ++at;
      return token;
    }
    size_t begin = at++;
    return finish(Token::Punctuation, begin);
  }

  std::string_view text;
  size_t at = 0;
  unsigned line = 1;
};

} // namespace

std::vector<Token> weft::ptx::lex(std::string_view text) {
  return Lexer(text).run();
}
