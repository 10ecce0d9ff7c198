//===- ParseDeclarations.cpp - Variables and functions of a text ----------===//

#include "Memory.h"
#include "Syntax.h"

#include <bit>
#include <cstring>

using namespace weft::ptx;

Parser::Parser(std::string_view text, ModuleImpl &module)
    : module(module), program(module.program), tokens(lex(text)) {
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    program.lines.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

void Parser::fail(const std::string &text) const {
  throw ParseError{peek().line, text};
}

const Token &Parser::peek(size_t ahead) const {
  return tokens[std::min(at + ahead, tokens.size() - 1)];
}

Token Parser::take() {
  Token token = peek();
  if (at + 1 < tokens.size())
    ++at;
  return token;
}

bool Parser::accept(std::string_view text) {
  if (!peek().is(text) || peek().kind == Token::String)
    return false;
  take();
  return true;
}

void Parser::expect(std::string_view text) {
  if (!accept(text))
    fail("expected '" + std::string(text) + "' instead of '" +
         std::string(peek().text) + "'");
}

int64_t Parser::integer() {
  bool negative = accept("-");
  if (peek().kind != Token::Integer)
    fail("expected a number instead of '" + std::string(peek().text) + "'");
  int64_t value = int64_t(take().value);
  return negative ? -value : value;
}

std::string_view Parser::word() {
  if (peek().kind != Token::Word)
    fail("expected a name instead of '" + std::string(peek().text) + "'");
  return take().text;
}

void Parser::skipToSemicolon() {
  while (!accept(";")) {
    if (peek().kind == Token::End)
      fail("expected ';'");
    take();
  }
}

void Parser::skipBraces() {
  while (!accept("{"))
    take();
  for (unsigned depth = 1; depth;) {
    if (peek().kind == Token::End)
      fail("expected '}'");
    Token token = take();
    depth += token.is("{") ? 1 : token.is("}") ? -1 : 0;
  }
}

Symbol *Parser::add(Scope &scope, std::string_view name, Symbol symbol) {
  Symbol *kept = &symbols.emplace_back(std::move(symbol));
  if (!scope.symbols.emplace(name, kept).second)
    fail("'" + std::string(name) + "' is declared twice");
  return kept;
}

void Parser::run() {
  header();
  while (peek().kind != Token::End)
    topLevel();
  for (const Function &function : program.functions)
    if (!function.defined && function.isKernel)
      throw ParseError{function.info.line,
                       "kernel '" + function.info.name + "' has no body"};
}

void Parser::header() {
  expect(".version");
  take();
  expect(".target");
  target();
  if (accept(".address_size") && integer() != 64)
    fail("only addresses of 64 bits are supported");
}

void Parser::target() {
  std::string_view name = word();
  if (!name.starts_with("sm_"))
    fail("expected '.target sm_N' instead of '" + std::string(name) + "'");
  for (char c : name.substr(3))
    if (c >= '0' && c <= '9')
      program.smVersion = program.smVersion * 10 + (c - '0');
    else
      program.smSpecific = true;
  while (accept(","))
    word();
}

void Parser::skipLocation() {
  // `.loc 1 2 3` or with `, function_name NAME, inlined_at 1 2 3`.
  take();
  for (int i = 0; i < 3; ++i)
    integer();
  while (accept(",")) {
    std::string_view what = word();
    if (what == "function_name") {
      word();
      if (accept("+"))
        integer();
    } else {
      for (int i = 0; i < 3; ++i)
        integer();
    }
  }
}

void Parser::topLevel() {
  bool isExternal = false;
  for (;;) {
    if (accept(".visible") || accept(".weak") || accept(".common"))
      continue;
    if (!accept(".extern"))
      break;
    isExternal = true;
  }
  Token token = take();
  if (token.is(".entry") || token.is(".func")) {
    function(token.is(".entry"), isExternal);
  } else if (token.is(".global") || token.is(".const")) {
    variables(token.is(".const") ? Space::Const : Space::Global, top, nullptr);
  } else if (token.is(".shared")) {
    variables(Space::Shared, top, nullptr);
  } else if (token.is(".file")) {
    integer();
    take();
    while (accept(","))
      take();
  } else if (token.is(".section")) {
    skipBraces();
  } else if (token.is(".pragma")) {
    skipToSemicolon();
  } else if (token.is(".loc")) {
    --at;
    skipLocation();
  } else {
    --at;
    fail("unknown directive '" + std::string(token.text) + "'");
  }
}

// `.align 16 .v2 .f32`, in front of a name.
Type Parser::qualifiers(Variable &variable, unsigned &vector) {
  Type type = Type::None;
  bool aligned = false;
  while (peek().kind == Token::Directive) {
    Token token = take();
    if (token.is(".align")) {
      variable.align = size_t(integer());
      aligned = true;
      if (!std::has_single_bit(variable.align))
        fail("an alignment is a power of two");
    } else if (token.is(".v2") || token.is(".v4")) {
      vector = token.is(".v2") ? 2 : 4;
    } else if (token.is(".attribute")) {
      while (!accept(")"))
        take();
    } else if (token.is(".ptr")) {
      while (peek().is(".global") || peek().is(".shared") ||
             peek().is(".local") || peek().is(".const") || peek().is(".align"))
        if (take().is(".align"))
          integer();
    } else if (typeNamed(token.text.substr(1)) != Type::None) {
      type = typeNamed(token.text.substr(1));
    } else {
      --at;
      fail("'" + std::string(token.text) + "' is no type");
    }
  }
  if (type == Type::None || type == Type::Pred)
    fail("a variable has no type");
  if (!aligned)
    variable.align = bitsOf(type) / 8 * vector;
  return type;
}

// Behind `.global` and so on: `.align 4 .b8 a[16] = {1, 2}, b;`
void Parser::variables(Space space, Scope &scope, Function *function) {
  Variable model;
  model.space = space;
  model.line = peek().line;
  unsigned vector = 1;
  Type type = qualifiers(model, vector);
  do {
    Variable variable = model;
    std::string_view name = word();
    variable.name = name;
    unsigned elementBytes = bitsOf(type) / 8;
    variable.size = size_t(elementBytes) * vector;
    bool open = false;
    while (accept("[")) {
      if (accept("]")) {
        open = true;
        continue;
      }
      variable.size *= size_t(integer());
      expect("]");
    }
    std::vector<Operand> values;
    if (accept("=")) {
      initialiserList(values);
      if (open)
        variable.size = values.size() * elementBytes;
    } else if (open && space == Space::Shared) {
      variable.dynamicShared = true;
      variable.size = 0;
    }
    place(variable, function);
    if (space == Space::Global || space == Space::Const) {
      uint64_t to = variable.address;
      if (values.size() * elementBytes > variable.size)
        fail("'" + variable.name + "' has more values than elements");
      for (const Operand &value : values) {
        uint64_t bits = value.value;
        if (value.kind == Operand::Variable)
          bits += value.symbol->variable.address;
        else if (value.kind == Operand::Function)
          bits = value.symbol->function + 1;
        else if (type == Type::F32 && value.kind == Operand::Float64)
          bits = std::bit_cast<uint32_t>(float(std::bit_cast<double>(bits)));
        memcpy(reinterpret_cast<void *>(to), &bits, elementBytes);
        to += elementBytes;
      }
    }
    Symbol symbol;
    symbol.kind = Symbol::Memory;
    symbol.type = type;
    symbol.variable = variable;
    if (&scope == &top) {
      // A declaration and its definition are one variable.
      module.variables[variable.name] = variable;
      if (scope.symbols.contains(name)) {
        scope.symbols[name]->variable = variable;
        continue;
      }
    }
    add(scope, name, symbol);
  } while (accept(","));
  expect(";");
}

void Parser::initialiserList(std::vector<Operand> &values) {
  if (!accept("{")) {
    values.push_back(primary(&top));
    return;
  }
  while (!accept("}")) {
    initialiserList(values);
    if (!peek().is("}"))
      expect(",");
  }
}

// Decides where a variable lies.
void Parser::place(Variable &variable, Function *function) {
  auto append = [&](size_t &end) {
    end = (end + variable.align - 1) / variable.align * variable.align;
    variable.address = end;
    end += variable.size;
  };
  switch (variable.space) {
  case Space::Shared:
    // Each kernel lays out those that it uses.
    return;
  case Space::Local:
  case Space::Param:
    append(function->localBytes);
    return;
  default:
    break;
  }
  void *memory = module.memory->impl().allocate(
      std::max<size_t>(variable.size, 1), std::max<size_t>(variable.align, 16),
      "variable '" + variable.name + "'");
  if (!memory)
    fail("no memory for '" + variable.name + "'");
  memset(memory, 0, variable.size);
  module.memory->markInitialised(memory, variable.size);
  module.allocations.push_back(memory);
  variable.address = reinterpret_cast<uint64_t>(memory);
}

uint32_t Parser::declare(std::string_view name, bool isKernel) {
  if (auto found = top.symbols.find(name); found != top.symbols.end()) {
    if (found->second->kind != Symbol::Function)
      fail("'" + std::string(name) + "' is declared twice");
    return found->second->function;
  }
  Function &function = program.functions.emplace_back();
  function.info.name = name;
  function.info.line = peek().line;
  function.isKernel = isKernel;
  Symbol symbol;
  symbol.kind = Symbol::Function;
  symbol.function = uint32_t(program.functions.size() - 1);
  add(top, name, symbol);
  return symbol.function;
}

// `(.param .b32 a, .param .align 8 .b8 b[16])`
std::vector<Variable> Parser::parameterList() {
  std::vector<Variable> list;
  expect("(");
  while (!accept(")")) {
    if (!accept(".param"))
      fail("only parameters in '.param' are supported");
    Variable variable;
    variable.space = Space::Param;
    unsigned vector = 1;
    Type type = qualifiers(variable, vector);
    variable.size = bitsOf(type) / 8 * vector;
    variable.name = word();
    while (accept("[")) {
      if (accept("]"))
        continue;
      variable.size *= size_t(integer());
      expect("]");
    }
    list.push_back(variable);
    if (!peek().is(")"))
      expect(",");
  }
  return list;
}

// Kernels' parameters lie in the launch's buffer, those of functions in the
// local memory of the thread.
void Parser::placeParameters(Function &function, std::vector<Variable> &list) {
  size_t &end =
      function.isKernel ? function.info.parameterBytes : function.localBytes;
  for (Variable &variable : list) {
    end = (end + variable.align - 1) / variable.align * variable.align;
    variable.address = end;
    end += variable.size;
    if (function.isKernel)
      function.info.parameters.push_back(
          {variable.name, variable.address, variable.size, variable.align});
  }
}

void Parser::triple(uint32_t (&values)[3]) {
  values[1] = values[2] = 1;
  unsigned i = 0;
  do
    values[i++] = uint32_t(integer());
  while (i < 3 && accept(","));
}

void Parser::functionDirectives(KernelInfo &info) {
  while (peek().kind == Token::Directive) {
    Token token = take();
    if (token.is(".maxntid")) {
      triple(info.maxThreads);
    } else if (token.is(".reqntid")) {
      triple(info.requiredThreads);
    } else if (token.is(".reqnctapercluster")) {
      triple(info.requiredCluster);
    } else if (token.is(".minnctapersm") || token.is(".maxnctapersm")) {
      info.minBlocks = uint32_t(integer());
    } else if (token.is(".maxnreg")) {
      info.maxRegisters = uint32_t(integer());
    } else if (token.is(".maxclusterrank")) {
      integer();
    } else if (token.is(".pragma")) {
      skipToSemicolon();
    } else if (!token.is(".noreturn") && !token.is(".explicitcluster") &&
               !token.is(".blocksareclusters")) {
      --at;
      fail("unknown directive '" + std::string(token.text) + "' of a function");
    }
  }
}

void Parser::function(bool isKernel, bool isExternal) {
  std::vector<Variable> results, parameters;
  if (!isKernel && peek().is("("))
    results = parameterList();
  std::string_view name = word();
  uint32_t index = declare(name, isKernel);
  if (peek().is("("))
    parameters = parameterList();
  Function &function = program.functions[index];
  bool isNew = function.parameters.empty() && function.results.empty();
  if (isNew) {
    placeParameters(function, parameters);
    placeParameters(function, results);
    function.parameters = std::move(parameters);
    function.results = std::move(results);
  } else {
    // The definition behind a declaration: the names are those of the former.
    auto rename = [&](std::vector<Variable> &to, std::vector<Variable> &from) {
      if (to.size() != from.size())
        fail("'" + std::string(name) + "' is declared with another signature");
      for (size_t i = 0; i < to.size(); ++i)
        to[i].name = from[i].name;
    };
    rename(function.parameters, parameters);
    rename(function.results, results);
  }
  functionDirectives(function.info);
  if (accept(";"))
    return;
  if (function.defined || isExternal)
    fail("'" + std::string(name) + "' has two bodies");
  expect("{");
  function.defined = true;
  FunctionSyntax &syntax = bodies.emplace_back();
  syntax.index = index;
  Scope &scope = syntax.scopes.emplace_back();
  scope.parent = &top;
  for (std::vector<Variable> *list : {&function.parameters, &function.results})
    for (const Variable &variable : *list) {
      Symbol symbol;
      symbol.kind = Symbol::Memory;
      symbol.variable = variable;
      add(scope, variable.name, symbol);
    }
  body(program.functions[index], syntax);
}
