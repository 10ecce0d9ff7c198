//===- Syntax.h - PTX as it is written ----------------------------*- C++
//-*-===//
//
// What the parser makes of a text: functions as lists of statements whose names
// are resolved, but not decoded.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_SYNTAX_H
#define WEFT_PTXEMULATOR_SYNTAX_H

#include "Lexer.h"
#include "Program.h"

namespace weft::ptx {

struct Symbol {
  enum Kind : uint8_t { Register, Memory, Function };
  Kind kind = Register;
  Type type = Type::None;
  /// Of a register: where it lies, once something uses it.
  int32_t offset = kNoOperand;
  Variable variable;
  uint32_t function = 0;
};

/// Names between two braces.
struct Scope {
  Scope *parent = nullptr;
  std::unordered_map<std::string_view, Symbol *> symbols;
  /// Statement that follows the label.
  std::unordered_map<std::string_view, uint32_t> labels;
  /// `.branchtargets` and `.calltargets`, by label.
  std::unordered_map<std::string_view, std::vector<std::string_view>> targets;
};

struct Operand {
  enum Kind : uint8_t {
    Register,
    Integer,
    Float32,
    Float64,
    Variable,
    Function,
    /// A name that is nothing else.
    Label,
    Special,
    Sink,
    /// {a, b}; also (a, b) of calls.
    Vector,
    /// [a + value], or [a + value, {b, c}].
    Address,
    /// a|b
    Pair,
  };
  Kind kind = Integer;
  /// `!p`
  bool negated = false;
  Symbol *symbol = nullptr;
  std::string_view name;
  /// The bits of constants; what is added to variables and addresses.
  uint64_t value = 0;
  std::vector<Operand> parts;
};

struct Statement {
  std::string_view opcode;
  Symbol *guard = nullptr;
  bool guardNegated = false;
  std::vector<Operand> operands;
  Scope *scope = nullptr;
  unsigned line = 0;
};

struct FunctionSyntax {
  uint32_t index = 0;
  std::vector<Statement> statements;
  std::deque<Scope> scopes;
};

/// The number behind the name of a register that the hardware fills, and its
/// type; false for other names.
bool specialNamed(std::string_view name, Special &special, Type &type);

class Parser {
public:
  Parser(std::string_view text, ModuleImpl &module);
  /// Throws ParseError.
  void run();

  std::deque<FunctionSyntax> bodies;
  std::deque<Symbol> symbols;
  Scope top;

private:
  [[noreturn]] void fail(const std::string &text) const;
  const Token &peek(size_t ahead = 0) const;
  Token take();
  bool accept(std::string_view text);
  void expect(std::string_view text);
  int64_t integer();
  std::string_view word();
  void skipToSemicolon();
  void skipBraces();

  // Declarations (ParseDeclarations.cpp).
  void header();
  void target();
  void topLevel();
  void skipLocation();
  void variables(Space space, Scope &scope, Function *function);
  Type qualifiers(Variable &variable, unsigned &vector);
  void place(Variable &variable, Function *function);
  void initialise(const Variable &variable, Type type, unsigned elementBytes);
  void initialiserList(std::vector<Operand> &values);
  void function(bool isKernel, bool isExternal);
  uint32_t declare(std::string_view name, bool isKernel);
  std::vector<Variable> parameterList();
  void placeParameters(Function &function, std::vector<Variable> &list);
  void functionDirectives(KernelInfo &info);
  void triple(uint32_t (&values)[3]);
  Symbol *add(Scope &scope, std::string_view name, Symbol symbol);

  // Bodies (ParseBody.cpp).
  void body(Function &function, FunctionSyntax &syntax);
  void scopeBody(Function &function, FunctionSyntax &syntax, Scope *scope);
  void directive(Function &function, Scope *scope);
  void registers(Scope *scope);
  bool label(FunctionSyntax &syntax, Scope *scope);
  void statement(FunctionSyntax &syntax, Scope *scope);
  Operand operand(Scope *scope);
  Operand primary(Scope *scope);
  Operand name(Scope *scope);
  Operand constant();
  Operand group(Scope *scope, std::string_view close);
  Operand address(Scope *scope);
  void addend(Operand &operand);
  Symbol *find(Scope *scope, std::string_view name) const;

  ModuleImpl &module;
  Program &program;
  std::vector<Token> tokens;
  size_t at = 0;
};

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_SYNTAX_H
