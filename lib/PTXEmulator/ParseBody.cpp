//===- ParseBody.cpp - Statements of functions ----------------------------===//

#include "Syntax.h"

#include <bit>

using namespace weft::ptx;

void Parser::body(Function &function, FunctionSyntax &syntax) {
  // The parameters' scope was made first.
  Scope *parent = &syntax.scopes.front();
  syntax.scopes.emplace_back().parent = parent;
  scopeBody(function, syntax, &syntax.scopes.back());
}

// Behind the opening brace, to and with the closing one.
void Parser::scopeBody(Function &function, FunctionSyntax &syntax,
                       Scope *scope) {
  while (!accept("}")) {
    if (peek().kind == Token::End)
      fail("the body of '" + function.info.name + "' does not end");
    if (accept("{")) {
      syntax.scopes.emplace_back().parent = scope;
      scopeBody(function, syntax, &syntax.scopes.back());
    } else if (accept(";")) {
      continue;
    } else if (peek().kind == Token::Directive) {
      directive(function, scope);
    } else if (!label(syntax, scope)) {
      statement(syntax, scope);
    }
  }
}

void Parser::directive(Function &function, Scope *scope) {
  std::string_view name = peek().text;
  if (name == ".reg") {
    take();
    registers(scope);
  } else if (name == ".loc") {
    skipLocation();
  } else if (name == ".pragma") {
    skipToSemicolon();
  } else if (name == ".shared") {
    take();
    variables(Space::Shared, *scope, &function);
  } else if (name == ".local") {
    take();
    variables(Space::Local, *scope, &function);
  } else if (name == ".param") {
    take();
    variables(Space::Param, *scope, &function);
  } else if (name == ".const" || name == ".global") {
    Space space = take().is(".const") ? Space::Const : Space::Global;
    variables(space, *scope, nullptr);
  } else {
    fail("unknown directive '" + std::string(name) + "' in a function");
  }
}

// `.reg .b32 %r<12>, %x;`
void Parser::registers(Scope *scope) {
  Token token = take();
  if (token.is(".v2") || token.is(".v4"))
    fail("registers that are vectors are not supported");
  Type type = token.is(".pred") ? Type::Pred : typeNamed(token.text.substr(1));
  if (token.kind != Token::Directive || type == Type::None)
    fail("'" + std::string(token.text) + "' is no type of a register");
  do {
    std::string_view name = word();
    Symbol symbol;
    symbol.type = type;
    if (!accept("<")) {
      add(*scope, name, symbol);
      continue;
    }
    int64_t count = integer();
    expect(">");
    if (count < 0 || count > 1 << 20)
      fail("cannot declare " + std::to_string(count) + " registers");
    for (int64_t i = 0; i < count; ++i) {
      // Names that the text does not hold are kept by the module.
      auto kept =
          std::make_shared<std::string>(std::string(name) + std::to_string(i));
      program.details.push_back(kept);
      add(*scope, *kept, symbol);
    }
  } while (accept(","));
  expect(";");
}

bool Parser::label(FunctionSyntax &syntax, Scope *scope) {
  if (peek().kind != Token::Word || !peek(1).is(":"))
    return false;
  std::string_view name = take().text;
  take();
  if (peek().is(".branchtargets") || peek().is(".calltargets")) {
    take();
    std::vector<std::string_view> &targets = scope->targets[name];
    do
      targets.push_back(word());
    while (accept(","));
    expect(";");
    return true;
  }
  if (peek().is(".callprototype")) {
    scope->targets[name];
    skipToSemicolon();
    return true;
  }
  if (!scope->labels.emplace(name, uint32_t(syntax.statements.size())).second)
    fail("label '" + std::string(name) + "' is defined twice");
  return true;
}

void Parser::statement(FunctionSyntax &syntax, Scope *scope) {
  Statement statement;
  statement.scope = scope;
  if (accept("@")) {
    statement.guardNegated = accept("!");
    std::string_view name = word();
    statement.guard = find(scope, name);
    if (!statement.guard || statement.guard->type != Type::Pred)
      fail("'" + std::string(name) + "' is no predicate");
  }
  statement.line = peek().line;
  statement.opcode = word();
  if (!peek().is(";"))
    do
      statement.operands.push_back(operand(scope));
    while (accept(","));
  expect(";");
  syntax.statements.push_back(std::move(statement));
}

Operand Parser::operand(Scope *scope) {
  Operand first = primary(scope);
  if (!accept("|"))
    return first;
  Operand pair;
  pair.kind = Operand::Pair;
  pair.parts.push_back(std::move(first));
  pair.parts.push_back(primary(scope));
  return pair;
}

Operand Parser::primary(Scope *scope) {
  if (accept("!")) {
    Operand result = primary(scope);
    result.negated = !result.negated;
    return result;
  }
  if (accept("{"))
    return group(scope, "}");
  if (accept("["))
    return address(scope);
  if (peek().is("(") && peek(1).kind == Token::Word) {
    take();
    return group(scope, ")");
  }
  if (peek().is("(") && peek(1).is(")")) {
    take();
    return group(scope, ")");
  }
  if (peek().kind == Token::Word)
    return name(scope);
  return constant();
}

// A constant, also one in parentheses or a sum.
Operand Parser::constant() {
  Operand result;
  if (accept("(")) {
    result = constant();
    expect(")");
    addend(result);
    return result;
  }
  if (accept("~")) {
    result = constant();
    result.value = ~result.value;
    return result;
  }
  bool negative = accept("-");
  Token token = take();
  result.value = token.value;
  switch (token.kind) {
  case Token::Integer:
    result.kind = Operand::Integer;
    if (negative)
      result.value = -result.value;
    addend(result);
    return result;
  case Token::Float32:
    result.kind = Operand::Float32;
    result.value ^= negative ? uint64_t(1) << 31 : 0;
    return result;
  case Token::Float64:
    result.kind = Operand::Float64;
    result.value ^= negative ? uint64_t(1) << 63 : 0;
    return result;
  default:
    --at;
    fail("'" + std::string(token.text) + "' is no operand");
  }
}

Operand Parser::group(Scope *scope, std::string_view close) {
  Operand result;
  result.kind = Operand::Vector;
  while (!accept(close)) {
    result.parts.push_back(operand(scope));
    if (!peek().is(close))
      expect(",");
  }
  return result;
}

Operand Parser::address(Scope *scope) {
  Operand result;
  result.kind = Operand::Address;
  result.parts.push_back(primary(scope));
  addend(result);
  while (accept(","))
    result.parts.push_back(primary(scope));
  expect("]");
  return result;
}

// `+4`, `+-4`, `-4`, behind a name or a number.
void Parser::addend(Operand &operand) {
  while (peek().is("+") || peek().is("-")) {
    bool negative = take().is("-");
    if (accept("-"))
      negative = !negative;
    Token token = take();
    if (token.kind != Token::Integer)
      fail("'" + std::string(token.text) + "' cannot be added to an address");
    operand.value += negative ? -token.value : token.value;
  }
}

Symbol *Parser::find(Scope *scope, std::string_view name) const {
  for (const Scope *at = scope; at; at = at->parent)
    if (auto found = at->symbols.find(name); found != at->symbols.end())
      return found->second;
  return nullptr;
}

Operand Parser::name(Scope *scope) {
  Operand result;
  result.name = take().text;
  if (result.name == "_") {
    result.kind = Operand::Sink;
    return result;
  }
  if (result.name == "generic" && accept("(")) {
    result = primary(scope);
    expect(")");
    addend(result);
    return result;
  }
  result.symbol = find(scope, result.name);
  if (result.symbol) {
    switch (result.symbol->kind) {
    case Symbol::Register:
      result.kind = Operand::Register;
      return result;
    case Symbol::Function:
      result.kind = Operand::Function;
      return result;
    case Symbol::Memory:
      result.kind = Operand::Variable;
      addend(result);
      return result;
    }
  }
  Special special;
  Type type;
  if (result.name == "WARP_SZ") {
    result.kind = Operand::Integer;
    result.value = kLanes;
  } else if (specialNamed(result.name, special, type) ||
             result.name.starts_with("%clock") ||
             result.name == "%globaltimer" ||
             result.name == "%globaltimer_lo" ||
             result.name == "%globaltimer_hi") {
    result.kind = Operand::Special;
  } else {
    result.kind = Operand::Label;
    if (result.name.starts_with("%"))
      fail("unknown register '" + std::string(result.name) + "'");
  }
  return result;
}
