//===- Decoder.cpp - Statements to instructions ---------------------------===//

#include "Decoder.h"

#include <algorithm>
#include <bit>

using namespace weft::ptx;

namespace {

const std::unordered_map<std::string_view, DecodeFunction> &table() {
  static const auto *all = [] {
    auto *map = new std::unordered_map<std::string_view, DecodeFunction>;
    for (auto group : {arithmeticTable, integerTable, bitTable, functionTable,
                       convertTable, compareTable, moveTable, memoryTable,
                       atomicTable, warpTable, controlTable, barrierTable,
                       mbarrierTable, asyncTable, matrixTable, wgmmaTable})
      for (const DecodeEntry &entry : group())
        map->emplace(entry.opcode, entry.decode);
    return map;
  }();
  return *all;
}

size_t roundUp(size_t value, size_t align) {
  return (value + align - 1) / align * align;
}

} // namespace

Decoder::Decoder(ModuleImpl &module, FunctionSyntax &syntax)
    : module(module), program(module.program),
      function(program.functions[syntax.index]), syntax(syntax) {}

void Decoder::fail(const std::string &text) const {
  throw ParseError{
      statement ? statement->line : function.info.line,
      statement ? "'" + std::string(statement->opcode) + "': " + text : text};
}

void Decoder::run() {
  function.registerBytes = program.functionRegisters;
  function.localBase = roundUp(program.functionLocal, 16);
  function.sharedBytes = program.functionShared;
  for (const Statement &each : syntax.statements)
    for (const Operand &operand : each.operands)
      layOutShared(operand);
  function.entry = uint32_t(program.code.size());
  for (const Statement &each : syntax.statements) {
    statement = &each;
    firstInstr.push_back(uint32_t(program.code.size()));
    decode();
  }
  firstInstr.push_back(uint32_t(program.code.size()));
  // Behind the last statement, as if there were one more.
  instr = {};
  instr.kind = function.isKernel ? Kind::Exit : Kind::Return;
  instr.line = statement ? statement->line : function.info.line;
  program.code.push_back(instr);
  function.end = uint32_t(program.code.size());
  for (auto [at, target] : fixups)
    program.code[at].target = firstInstr[target];
  for (std::vector<uint32_t> *list : listFixups)
    for (uint32_t &target : *list)
      target = firstInstr[target];
  function.info.localBytes = function.localBase + function.localBytes;
  function.info.staticShared = function.sharedBytes;
  function.info.sharedAlign = function.sharedAlign;
  if (function.isKernel)
    return;
  program.functionRegisters = function.registerBytes;
  program.functionLocal = function.info.localBytes;
  program.functionShared = function.sharedBytes;
}

void Decoder::layOutShared(const Operand &operand) {
  for (const Operand &part : operand.parts)
    layOutShared(part);
  if (operand.kind != Operand::Variable)
    return;
  const Variable &variable = operand.symbol->variable;
  if (variable.space != Space::Shared)
    return;
  function.sharedAlign = std::max(function.sharedAlign, variable.align);
  if (variable.dynamicShared || sharedOffsets.contains(operand.symbol))
    return;
  size_t at = roundUp(function.sharedBytes, variable.align);
  sharedOffsets[operand.symbol] = at;
  operand.symbol->variable.address = at;
  function.sharedBytes = at + variable.size;
}

void Decoder::decode() {
  parts.clear();
  std::string_view rest = statement->opcode;
  for (;;) {
    size_t dot = rest.find('.');
    parts.push_back(rest.substr(0, dot));
    if (dot == std::string_view::npos)
      break;
    rest.remove_prefix(dot + 1);
  }
  used.assign(parts.size(), false);
  used[0] = true;
  instr = {};
  auto found = table().find(name());
  if (found == table().end())
    fail("unknown instruction");
  found->second(*this);
  for (size_t i = 0; i < parts.size(); ++i)
    if (!used[i])
      fail("modifier '." + std::string(parts[i]) + "' is not supported");
}

void Decoder::emit() {
  instr.line = statement->line;
  if (statement->guard) {
    instr.guard = registerOffset(*statement->guard);
    instr.guardNegated = statement->guardNegated;
  }
  program.code.push_back(instr);
}

bool Decoder::take(std::string_view modifier) {
  for (size_t i = 1; i < parts.size(); ++i)
    if (!used[i] && parts[i] == modifier) {
      used[i] = true;
      return true;
    }
  return false;
}

std::string_view Decoder::next() const {
  for (size_t i = 1; i < parts.size(); ++i)
    if (!used[i])
      return parts[i];
  return {};
}

std::string_view Decoder::takeNext() {
  std::string_view part = next();
  if (part.empty())
    fail("a modifier is missing");
  take(part);
  return part;
}

Type Decoder::peekType() const {
  for (size_t i = 1; i < parts.size(); ++i)
    if (!used[i] && typeNamed(parts[i]) != Type::None)
      return typeNamed(parts[i]);
  return Type::None;
}

Type Decoder::takeType() {
  for (size_t i = 1; i < parts.size(); ++i)
    if (!used[i] && typeNamed(parts[i]) != Type::None) {
      used[i] = true;
      return typeNamed(parts[i]);
    }
  fail("a type is missing");
}

int Decoder::takeOneOf(std::span<const std::string_view> modifiers,
                       int otherwise) {
  int index = 0;
  for (std::string_view modifier : modifiers) {
    if (take(modifier))
      return index;
    ++index;
  }
  return otherwise;
}

void Decoder::expectCount(size_t least, size_t most) {
  if (count() < least || count() > most)
    fail("has " + std::to_string(count()) + " operands instead of " +
         std::to_string(least) +
         (least == most ? "" : " to " + std::to_string(most)));
}

const Operand &Decoder::operand(size_t index) const {
  if (index >= statement->operands.size())
    fail("operand " + std::to_string(index + 1) + " is missing");
  return statement->operands[index];
}

std::string Decoder::describe(const Operand &operand) const {
  return operand.name.empty() ? "an operand"
                              : "'" + std::string(operand.name) + "'";
}

int32_t Decoder::registerOffset(Symbol &symbol) {
  if (symbol.offset == kNoOperand) {
    unsigned bytes = symbol.type == Type::Pred
                         ? sizeof(Mask)
                         : std::max(16u, bitsOf(symbol.type)) / 8 * kLanes;
    symbol.offset = int32_t(function.registerBytes);
    function.registerBytes += uint32_t(roundUp(bytes, 64));
  }
  return symbol.offset;
}

int32_t Decoder::scratch(unsigned bits) {
  uint32_t bytes = bits == 1 ? 64 : bits / 8 * kLanes;
  int32_t offset = int32_t(function.registerBytes);
  function.registerBytes += uint32_t(roundUp(bytes, 64));
  return offset;
}

int32_t Decoder::constant(uint64_t bits, unsigned width) {
  unsigned bytes = std::max(16u, width) / 8;
  auto &known = constants[std::countr_zero(bytes)];
  if (bytes < 8)
    bits &= (uint64_t(1) << (bytes * 8)) - 1;
  auto [entry, isNew] = known.emplace(bits, 0);
  if (isNew) {
    // The pool is addressed from its begin with negative offsets.
    size_t at = program.constants.size();
    program.constants.resize(at + roundUp(size_t(bytes) * kLanes, 64));
    for (unsigned lane = 0; lane < kLanes; ++lane)
      memcpy(program.constants.data() + at + size_t(lane) * bytes, &bits,
             bytes);
    entry->second = -int32_t(at) - 64;
  }
  return entry->second;
}

int32_t Decoder::special(std::string_view name, Type type) {
  Special kind;
  Type own;
  if (!specialNamed(name, kind, own))
    fail("'" + std::string(name) + "' can only be moved");
  unsigned bits = bitsOf(type) == 64 || own == Type::U64 ? 64 : 32;
  if (bitsOf(type) != bits && bitsOf(type) != 16)
    fail("'" + std::string(name) + "' has " + std::to_string(bits) + " bits");
  unsigned bytes = bitsOf(type) / 8;
  auto &uses = function.isKernel ? function.specials : program.specials;
  for (const SpecialUse &use : uses)
    if (use.kind == kind && use.bytes == bytes)
      return int32_t(use.offset);
  int32_t offset = scratch(bitsOf(type));
  uses.push_back({kind, uint32_t(offset), bytes});
  return offset;
}

int32_t Decoder::wideSource(const Operand &operand, Type type, unsigned &bits) {
  bits = std::max(16u, bitsOf(type));
  if (operand.kind == Operand::Register) {
    if (operand.symbol->type == Type::Pred)
      fail(describe(operand) + " is a predicate");
    unsigned own = std::max(16u, bitsOf(operand.symbol->type));
    if (own < bits)
      fail(describe(operand) + " is narrower than " + std::to_string(bits) +
           " bits");
    bits = own;
    return registerOffset(*operand.symbol);
  }
  return source(operand, type);
}

int32_t Decoder::source(const Operand &operand, Type type) {
  unsigned bits = bitsOf(type);
  switch (operand.kind) {
  case Operand::Register: {
    unsigned own = bitsOf(operand.symbol->type);
    if ((operand.symbol->type == Type::Pred) != (type == Type::Pred) ||
        std::max(own, 16u) != std::max(bits, type == Type::Pred ? 1u : 16u))
      if (type != Type::Pred || operand.symbol->type != Type::Pred)
        fail(describe(operand) + " has " + std::to_string(own) +
             " bits instead of " + std::to_string(bits));
    return registerOffset(*operand.symbol);
  }
  case Operand::Integer:
    if (type == Type::F32)
      return constant(std::bit_cast<uint32_t>(float(int64_t(operand.value))),
                      32);
    if (type == Type::F64)
      return constant(std::bit_cast<uint64_t>(double(int64_t(operand.value))),
                      64);
    return constant(operand.value, bits);
  case Operand::Float32:
    if (bits != 32)
      fail("a constant of 32 bits where " + std::to_string(bits) +
           " are wanted");
    return constant(operand.value, 32);
  case Operand::Float64:
    if (bits == 32)
      return constant(
          std::bit_cast<uint32_t>(float(std::bit_cast<double>(operand.value))),
          32);
    if (bits != 64)
      fail("a floating-point constant where " + std::to_string(bits) +
           " bits are wanted");
    return constant(operand.value, 64);
  case Operand::Variable: {
    Space space;
    uint64_t address = addressOf(operand.symbol->variable, space);
    if (space == Space::Param)
      fail("the address of a parameter can only be moved");
    return constant(address + operand.value, bits);
  }
  case Operand::Function:
    return constant(operand.symbol->function + 1, bits);
  case Operand::Special:
    return special(operand.name, type);
  case Operand::Label:
    fail("unknown name " + describe(operand));
  case Operand::Sink:
    fail("'_' cannot be read");
  default:
    fail("an operand has the wrong form");
  }
}

int32_t Decoder::wideTarget(const Operand &operand, Type type, unsigned &bits) {
  bits = std::max(16u, bitsOf(type));
  if (operand.kind == Operand::Sink)
    return scratch(bits);
  if (operand.kind != Operand::Register || operand.symbol->type == Type::Pred)
    fail(describe(operand) + " is no register that can be written");
  unsigned own = std::max(16u, bitsOf(operand.symbol->type));
  if (own < bits)
    fail(describe(operand) + " is narrower than " + std::to_string(bits) +
         " bits");
  bits = own;
  return registerOffset(*operand.symbol);
}

int32_t Decoder::target(const Operand &operand, Type type) {
  if (type != Type::Pred) {
    unsigned bits = 0;
    int32_t offset = wideTarget(operand, type, bits);
    if (bits != std::max(16u, bitsOf(type)))
      fail(describe(operand) + " has " + std::to_string(bits) +
           " bits instead of " + std::to_string(bitsOf(type)));
    return offset;
  }
  if (operand.kind == Operand::Sink)
    return scratch(1);
  if (operand.kind != Operand::Register || operand.symbol->type != Type::Pred)
    fail(describe(operand) + " is no predicate");
  return registerOffset(*operand.symbol);
}

int32_t Decoder::predicate(const Operand &operand, bool &negated) {
  negated = operand.negated;
  if (operand.kind == Operand::Integer) {
    // A predicate's constant is one word: all lanes.
    int32_t offset = constant(operand.value ? kAllLanes : 0, 32);
    return offset;
  }
  return source(operand, Type::Pred);
}

int64_t Decoder::immediate(const Operand &operand) {
  if (operand.kind != Operand::Integer)
    fail(describe(operand) + " is no integer constant");
  return int64_t(operand.value);
}

uint64_t Decoder::addressOf(const Variable &variable, Space &space) const {
  space = variable.space;
  switch (variable.space) {
  case Space::Shared:
    if (!variable.dynamicShared)
      return kSharedBase + variable.address;
    if (!function.isKernel)
      fail("dynamic shared memory in a function that is no kernel is not "
           "supported");
    return kSharedBase + roundUp(function.sharedBytes, function.sharedAlign);
  case Space::Param:
    // Parameters of kernels lie in the launch's buffer, all others in local
    // memory.
    if (function.isKernel)
      for (const Variable &parameter : function.parameters)
        if (parameter.name == variable.name &&
            parameter.address == variable.address)
          return variable.address;
    space = Space::Local;
    return function.localBase + variable.address;
  case Space::Local:
    return function.localBase + variable.address;
  default:
    return variable.address;
  }
}

Space Decoder::address(const Operand &operand, Space space) {
  if (operand.kind != Operand::Address)
    fail("an address in brackets is missing");
  const Operand &base = operand.parts.front();
  instr.imm = int64_t(operand.value);
  instr.a = kNoOperand;
  instr.y = 0;
  switch (base.kind) {
  case Operand::Register:
    instr.y = uint8_t(bitsOf(base.symbol->type) / 8);
    if (instr.y != 4 && instr.y != 8)
      fail(describe(base) + " is no address");
    instr.a = registerOffset(*base.symbol);
    // Addresses of parameters are pointers of the host.
    return space == Space::Param ? Space::Generic : space;
  case Operand::Variable: {
    Space own;
    instr.imm += int64_t(addressOf(base.symbol->variable, own) + base.value);
    if (space == Space::Generic && own == Space::Shared)
      fail(describe(base) + " is no generic address");
    if (space != Space::Generic && space != base.symbol->variable.space &&
        !(own == Space::Local && space == Space::Param))
      fail(describe(base) + " is in another space");
    return own;
  }
  case Operand::Integer:
    instr.imm += int64_t(base.value);
    return space;
  default:
    fail(describe(base) + " is no address");
  }
}

std::vector<const Operand *> Decoder::elements(const Operand &operand) const {
  std::vector<const Operand *> result;
  if (operand.kind != Operand::Vector)
    return {&operand};
  for (const Operand &part : operand.parts)
    result.push_back(&part);
  return result;
}

uint32_t Decoder::addList(const std::vector<int32_t> &values) {
  uint32_t at = uint32_t(program.lists.size());
  program.lists.insert(program.lists.end(), values.begin(), values.end());
  return at;
}

const std::vector<std::string_view> *
Decoder::targets(std::string_view name) const {
  for (const Scope *scope = statement->scope; scope; scope = scope->parent)
    if (auto found = scope->targets.find(name); found != scope->targets.end())
      return &found->second;
  return nullptr;
}

void Decoder::branchTo(std::string_view name) {
  fixups.emplace_back(uint32_t(program.code.size()), label(name));
}

const std::vector<uint32_t> *
Decoder::targetList(const std::vector<std::string_view> &names) {
  auto *list = addDetail(std::vector<uint32_t>());
  for (std::string_view name : names)
    list->push_back(label(name));
  listFixups.push_back(list);
  return list;
}

// The number of the statement behind a label.
uint32_t Decoder::label(std::string_view name) const {
  for (const Scope *scope = statement->scope; scope; scope = scope->parent)
    if (auto found = scope->labels.find(name); found != scope->labels.end())
      return found->second;
  fail("unknown label '" + std::string(name) + "'");
}
