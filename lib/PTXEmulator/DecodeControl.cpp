//===- DecodeControl.cpp - Branches, calls and ends -----------------------===//

#include "Handlers.h"
#include "Printf.h"

using namespace weft::ptx;

namespace {

void nothing(Warp &, const Instr &, Mask) {}

void decodeBranch(Decoder &decoder) {
  decoder.take("uni");
  decoder.expectCount(1, 1);
  decoder.branchTo(decoder.operand(0).name);
  decoder.instr.kind = Kind::Branch;
  decoder.emit();
}

void decodeIndexedBranch(Decoder &decoder) {
  if (!decoder.take("idx"))
    decoder.fail("'.idx' is missing");
  decoder.take("uni");
  decoder.expectCount(2, 2);
  decoder.instr.a = decoder.source(0, Type::U32);
  const auto *names = decoder.targets(decoder.operand(1).name);
  if (!names)
    decoder.fail("unknown list of targets '" +
                 std::string(decoder.operand(1).name) + "'");
  decoder.instr.detail = decoder.targetList(*names);
  decoder.instr.kind = Kind::BranchIndexed;
  decoder.emit();
}

void decodeReturn(Decoder &decoder) {
  decoder.take("uni");
  decoder.instr.kind = decoder.function.isKernel ? Kind::Exit : Kind::Return;
  decoder.emit();
}

void decodeExit(Decoder &decoder) {
  decoder.instr.kind = Kind::Exit;
  decoder.emit();
}

void trap(Warp &warp, const Instr &, Mask lanes) {
  warp.fail(FaultKind::Trap, "the kernel stops itself",
            std::countr_zero(lanes));
}

void decodeTrap(Decoder &decoder) {
  decoder.instr.run = trap;
  decoder.emit();
}

// Others run in the meantime.
void sleep(Warp &warp, const Instr &, Mask) {
  warp.wait = true;
  ++warp.cluster->progress;
}

void decodeSleep(Decoder &decoder) {
  decoder.takeType();
  decoder.expectCount(1, 1);
  decoder.instr.kind = Kind::Poll;
  decoder.instr.x = 1;
  decoder.instr.run = sleep;
  decoder.emit();
}

// Of dependent launches: each starts when the one before has ended.
void decodeIgnored(Decoder &decoder) {
  while (!decoder.next().empty())
    decoder.takeNext();
  decoder.instr.run = nothing;
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// Calls

struct Parts {
  const Operand *results = nullptr, *callee = nullptr, *arguments = nullptr;
  bool indirect = false;
};

// `call (results), f, (arguments), prototype`, all but f optional.
Parts partsOf(Decoder &decoder) {
  Parts parts;
  size_t i = 0;
  if (decoder.operand(0).kind == Operand::Vector)
    parts.results = &decoder.operand(i++);
  parts.callee = &decoder.operand(i++);
  if (i < decoder.count() && decoder.operand(i).kind == Operand::Vector)
    parts.arguments = &decoder.operand(i++);
  parts.indirect = parts.callee->kind == Operand::Register;
  if (i + parts.indirect < decoder.count())
    decoder.fail("has too many operands");
  return parts;
}

uint32_t placeOf(Decoder &decoder, const Operand &operand, size_t *bytes) {
  if (operand.kind != Operand::Variable ||
      operand.symbol->variable.space != Space::Param)
    decoder.fail("arguments and results are variables in '.param'");
  Space space;
  uint64_t address = decoder.addressOf(operand.symbol->variable, space);
  if (space != Space::Local)
    decoder.fail("a kernel's parameter cannot be passed on");
  *bytes = operand.symbol->variable.size;
  return uint32_t(address);
}

std::vector<ParamCopy> copiesOf(Decoder &decoder, const Operand *operands,
                                const Function *callee, bool results) {
  std::vector<ParamCopy> copies;
  size_t count = operands ? operands->parts.size() : 0;
  if (callee) {
    const auto &wanted = results ? callee->results : callee->parameters;
    if (wanted.size() != count)
      decoder.fail("'" + callee->info.name + "' has " +
                   std::to_string(wanted.size()) +
                   (results ? " results" : " parameters"));
  }
  for (size_t i = 0; i < count; ++i) {
    size_t bytes = 0;
    uint32_t own = placeOf(decoder, operands->parts[i], &bytes), other = 0;
    if (callee) {
      const Variable &variable =
          results ? callee->results[i] : callee->parameters[i];
      other = uint32_t(callee->localBase + variable.address);
      if (variable.size != bytes)
        decoder.fail("'" + variable.name + "' has " +
                     std::to_string(variable.size) + " bytes");
    }
    copies.push_back(results ? ParamCopy{other, own, uint32_t(bytes)}
                             : ParamCopy{own, other, uint32_t(bytes)});
  }
  return copies;
}

// Behind a call.
void takeResults(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &detail = *static_cast<const CallDetail *>(instr.detail);
  if (!instr.x)
    return copyParameters(warp, detail.out, lanes);
  std::vector<ParamCopy> copies = detail.out;
  const Function &callee = *warp.returnedFrom;
  for (size_t i = 0; i < copies.size(); ++i)
    copies[i].from = uint32_t(callee.localBase + callee.results[i].address);
  copyParameters(warp, copies, lanes);
}

bool decodeBuiltin(Decoder &decoder, const Parts &parts) {
  std::string_view name = parts.callee->name;
  Handler handler = name == "vprintf"        ? printFormatted
                    : name == "__assertfail" ? failAssertion
                                             : nullptr;
  if (!handler)
    return false;
  CallDetail detail;
  detail.in = copiesOf(decoder, parts.arguments, nullptr, false);
  detail.out = copiesOf(decoder, parts.results, nullptr, true);
  size_t wanted = name == "vprintf" ? 2 : 5;
  if (detail.in.size() != wanted)
    decoder.fail("'" + std::string(name) + "' has " + std::to_string(wanted) +
                 " parameters");
  decoder.instr.detail = decoder.addDetail(detail);
  decoder.instr.run = handler;
  decoder.emit();
  return true;
}

void decodeCall(Decoder &decoder) {
  decoder.take("uni");
  Parts parts = partsOf(decoder);
  const Function *callee = nullptr;
  CallDetail detail;
  if (parts.callee->kind == Operand::Function) {
    detail.function = parts.callee->symbol->function;
    callee = &decoder.program.functions[detail.function];
    if (!callee->defined) {
      if (decodeBuiltin(decoder, parts))
        return;
      decoder.fail("'" + callee->info.name + "' has no body");
    }
    decoder.function.callees.push_back(detail.function);
  } else if (parts.indirect) {
    decoder.instr.a = decoder.source(*parts.callee, Type::B64);
  } else {
    decoder.fail("unknown function '" + std::string(parts.callee->name) + "'");
  }
  detail.in = copiesOf(decoder, parts.arguments, callee, false);
  detail.out = copiesOf(decoder, parts.results, callee, true);
  decoder.instr.detail = decoder.addDetail(detail);
  decoder.instr.kind = parts.indirect ? Kind::CallIndirect : Kind::Call;
  decoder.emit();
  decoder.instr.kind = Kind::Normal;
  decoder.instr.x = parts.indirect;
  decoder.instr.run = takeResults;
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::controlTable() {
  return {{"bra", decodeBranch},      {"brx", decodeIndexedBranch},
          {"ret", decodeReturn},      {"exit", decodeExit},
          {"trap", decodeTrap},       {"brkpt", decodeTrap},
          {"nanosleep", decodeSleep}, {"griddepcontrol", decodeIgnored},
          {"pmevent", decodeIgnored}, {"setmaxnreg", decodeIgnored},
          {"call", decodeCall}};
}
