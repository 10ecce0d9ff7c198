//===- Warp.cpp - The lanes of a warp, apart and together -----------------===//
//
// Of the groups that lanes have parted into, the one with the lowest pc runs,
// and groups that meet at the same pc become one.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "Race.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

/// After so many instructions a group makes room for others of its warp: one of
/// them may be what it waits for.
constexpr uint64_t kTurn = 4096;

class Runner {
public:
  Runner(Warp &warp, uint64_t limit)
      : warp(warp), cluster(*warp.cluster), program(*warp.launch->program),
        code(program.code.data()), limit(limit) {}

  void run() {
    while (pick())
      runGroup();
  }

private:
  bool pick();
  void mergeInto(Group &group);
  void absorb();
  Mask meetElsewhere(Mask wanted, Mask lanes);
  void runGroup();
  bool step(const Instr &instr, Mask lanes);
  bool converge(const Instr &instr, Mask lanes);
  bool syncLanes(const Instr &instr, Mask lanes);
  bool poll(const Instr &instr, Mask lanes);
  bool branch(const Instr &instr, Mask lanes);
  bool branchIndexed(const Instr &instr, Mask lanes);
  void call(const Instr &instr, Mask lanes);
  void callIndirect(const Instr &instr, Mask lanes);
  bool leave(Mask lanes);
  bool end(Mask lanes);
  bool arrive(const Instr &instr, Mask lanes);
  bool split(Mask lanes, uint32_t pc, Group::Status status);
  void park(Mask lanes, uint32_t pc, Group::Status status, uint8_t barrier = 0);

  Warp &warp;
  Cluster &cluster;
  const Program &program;
  const Instr *code;
  uint64_t limit, turn = 0;
  Group group;
  uint32_t nextOther = UINT32_MAX;
};

// Takes the ready group with the lowest pc, and all that are at the same place.
bool Runner::pick() {
  std::vector<Group> &groups = warp.groups;
  int best = -1;
  for (size_t i = 0; i < groups.size(); ++i)
    if (groups[i].status == Group::Ready &&
        (best < 0 || groups[i].pc < groups[best].pc))
      best = int(i);
  if (best < 0 || cluster.executed >= limit)
    return false;
  group = std::move(groups[best]);
  groups.erase(groups.begin() + best);
  mergeInto(group);
  return true;
}

void Runner::mergeInto(Group &to) {
  std::vector<Group> &groups = warp.groups;
  nextOther = UINT32_MAX;
  for (size_t i = 0; i < groups.size();) {
    Group &other = groups[i];
    if (other.pc == to.pc && other.status != Group::AtBarrier &&
        other.returns == to.returns) {
      to.mask |= other.mask;
      groups.erase(groups.begin() + i);
      continue;
    }
    if (other.status == Group::Ready)
      nextOther = std::min(nextOther, other.pc);
    // Who waits for company is found when somebody comes by.
    if (other.status == Group::AtConvergence && other.pc > to.pc)
      nextOther = std::min(nextOther, other.pc);
    ++i;
  }
}

// Takes along who waits for company just here.
void Runner::absorb() {
  std::erase_if(warp.groups, [&](Group &other) {
    bool same = other.status == Group::AtConvergence && other.pc == group.pc &&
                other.returns == group.returns;
    if (same)
      group.mask |= other.mask;
    return same;
  });
}

void Runner::park(Mask lanes, uint32_t pc, Group::Status status,
                  uint8_t barrier) {
  warp.groups.push_back({pc, lanes, status, barrier, group.returns});
}

// The lanes go elsewhere; true if none is left here.
bool Runner::split(Mask lanes, uint32_t pc, Group::Status status) {
  park(lanes, pc, status);
  group.mask &= ~lanes;
  if (!group.mask)
    return true;
  if (status == Group::Ready)
    nextOther = std::min(nextOther, pc);
  return false;
}

void Runner::runGroup() {
  turn = 0;
  bool counting = !cluster.lines.empty();
  for (;;) {
    const Instr &instr = code[group.pc];
    if (instr.kind != Kind::Normal && !warp.groups.empty())
      absorb();
    Mask lanes = group.mask;
    if (instr.guard != kNoOperand) {
      Mask value = warp.predicate(instr.guard);
      lanes &= instr.guardNegated ? ~value : value;
    }
    ++cluster.executed;
    cluster.counters.threadInstructions += std::popcount(lanes);
    if (counting)
      ++cluster.lines[instr.line].instructions;
    warp.pc = group.pc;
    warp.current = &instr;
    if (!lanes)
      ++group.pc;
    else if (step(instr, lanes))
      return;
    bool others = nextOther != UINT32_MAX;
    if (cluster.executed >= limit) {
      park(group.mask, group.pc, Group::Ready);
      return;
    }
    if (others && ++turn > kTurn) {
      park(group.mask, group.pc, Group::Yielded);
      ++cluster.progress;
      return;
    }
    if (group.pc >= nextOther) {
      park(group.mask, group.pc, Group::Ready);
      return;
    }
  }
}

// Executes one instruction; true if no lane goes on from here.
bool Runner::step(const Instr &instr, Mask lanes) {
  switch (instr.kind) {
  case Kind::Normal:
    instr.run(warp, instr, lanes);
    ++group.pc;
    return false;
  case Kind::WholeWarp:
    return converge(instr, lanes);
  case Kind::WarpSync:
  case Kind::WarpBarrier:
    return syncLanes(instr, lanes);
  case Kind::Poll:
    return poll(instr, lanes);
  case Kind::Branch:
    return branch(instr, lanes);
  case Kind::BranchIndexed:
    return branchIndexed(instr, lanes);
  case Kind::Call:
    call(instr, lanes);
    return false;
  case Kind::CallIndirect:
    callIndirect(instr, lanes);
    return false;
  case Kind::Return:
    return leave(lanes);
  case Kind::Exit:
    return end(lanes);
  case Kind::Barrier:
    return arrive(instr, lanes);
  }
  return true;
}

// Matrix instructions and the like: all lanes of the warp together.
bool Runner::converge(const Instr &instr, Mask lanes) {
  if (lanes != warp.live)
    return split(lanes, group.pc, Group::AtConvergence);
  if (lanes != kAllLanes)
    warp.fail(FaultKind::BadBarrier,
              "needs all 32 lanes of the warp, and only " +
                  std::to_string(std::popcount(lanes)) + " are left");
  instr.run(warp, instr, lanes);
  ++group.pc;
  return false;
}

// Each lane names those that it wants to meet.
bool Runner::syncLanes(const Instr &instr, Mask lanes) {
  const Mask *members = warp.in<Mask>(instr.e);
  Mask waiting = 0;
  for (Mask left = lanes; left;) {
    unsigned first = std::countr_zero(left);
    Mask wanted = members[first], same = 0;
    forLanes(left, [&](unsigned lane) {
      if (members[lane] == wanted)
        same |= Mask(1) << lane;
    });
    left &= ~same;
    if (same & ~wanted)
      warp.fail(FaultKind::BadBarrier, "a lane is not in its own member mask",
                std::countr_zero(same & ~wanted));
    if ((wanted & warp.live) == same)
      instr.run(warp, instr, same);
    else if (instr.kind != Kind::WarpBarrier || !meetElsewhere(wanted, same))
      waiting |= same;
  }
  if (!waiting) {
    ++group.pc;
    return false;
  }
  // Those that passed, and those that the guard left out, go on.
  park(waiting, group.pc, Group::AtConvergence);
  group.mask &= ~waiting;
  ++group.pc;
  return !group.mask;
}

// Barriers of a warp may be different instructions: lets those go that wait at
// others, if all are there with `lanes`.
Mask Runner::meetElsewhere(Mask wanted, Mask lanes) {
  auto waits = [&](const Group &other) {
    const Instr &instr = code[other.pc];
    return other.status == Group::AtConvergence &&
           instr.kind == Kind::WarpBarrier &&
           warp.in<Mask>(instr.e)[std::countr_zero(other.mask)] == wanted;
  };
  Mask there = lanes;
  for (const Group &other : warp.groups)
    if (waits(other))
      there |= other.mask;
  if (there != (wanted & warp.live))
    return 0;
  for (Group &other : warp.groups)
    if (waits(other)) {
      other.status = Group::Ready;
      ++other.pc;
      nextOther = std::min(nextOther, other.pc);
    }
  return there;
}

bool Runner::poll(const Instr &instr, Mask lanes) {
  warp.wait = false;
  instr.run(warp, instr, lanes);
  if (!warp.wait) {
    ++group.pc;
    return false;
  }
  warp.wait = false;
  // `x`: the program tests the outcome itself, so that it goes on.
  if (instr.x) {
    park(group.mask, group.pc + 1, Group::Yielded);
    return true;
  }
  return split(lanes, group.pc, Group::Yielded) || (++group.pc, false);
}

bool Runner::branch(const Instr &instr, Mask lanes) {
  if (lanes == group.mask) {
    group.pc = instr.target;
    return false;
  }
  ++cluster.counters.divergentBranches;
  park(lanes, instr.target, Group::Ready);
  park(group.mask & ~lanes, group.pc + 1, Group::Ready);
  return true;
}

bool Runner::branchIndexed(const Instr &instr, Mask lanes) {
  const auto &targets =
      *static_cast<const std::vector<uint32_t> *>(instr.detail);
  const uint32_t *index = warp.in<uint32_t>(instr.a);
  std::vector<Mask> takers(targets.size(), 0);
  forLanes(lanes, [&](unsigned lane) {
    if (index[lane] >= targets.size())
      warp.fail(FaultKind::IllegalAddress,
                "branches to entry " + std::to_string(index[lane]) + " of " +
                    std::to_string(targets.size()),
                int(lane));
    takers[index[lane]] |= Mask(1) << lane;
  });
  for (size_t i = 0; i < targets.size(); ++i)
    if (takers[i])
      park(takers[i], targets[i], Group::Ready);
  if (group.mask & ~lanes)
    park(group.mask & ~lanes, group.pc + 1, Group::Ready);
  return true;
}

} // namespace

void weft::ptx::copyParameters(Warp &warp, const std::vector<ParamCopy> &copies,
                               Mask lanes) {
  forLanes(lanes, [&](unsigned lane) {
    uint8_t *local = warp.local(lane), *written = warp.localWritten(lane);
    for (const ParamCopy &copy : copies) {
      memmove(local + copy.to, local + copy.from, copy.bytes);
      memmove(written + copy.to, written + copy.from, copy.bytes);
    }
  });
}

namespace {

// Lanes that the guard leaves out wait behind the call, where the others come
// back to.
void Runner::call(const Instr &instr, Mask lanes) {
  const auto &detail = *static_cast<const CallDetail *>(instr.detail);
  copyParameters(warp, detail.in, lanes);
  if (group.mask & ~lanes) {
    park(group.mask & ~lanes, group.pc + 1, Group::Ready);
    nextOther = std::min(nextOther, group.pc + 1);
    group.mask = lanes;
  }
  group.returns.push_back(group.pc + 1);
  group.pc = program.functions[detail.function].entry;
  // Functions lie in front of their callers, so that they end first.
  nextOther = UINT32_MAX;
  for (const Group &other : warp.groups)
    if (other.status == Group::Ready)
      nextOther = std::min(nextOther, other.pc);
}

void Runner::callIndirect(const Instr &instr, Mask lanes) {
  const uint64_t *pointers = warp.in<uint64_t>(instr.a);
  unsigned first = std::countr_zero(lanes);
  uint64_t index = pointers[first];
  if (index == 0 || index > program.functions.size() ||
      !program.functions[index - 1].defined)
    warp.fail(FaultKind::IllegalAddress, "calls what is no function",
              int(first));
  forLanes(lanes, [&](unsigned lane) {
    if (pointers[lane] != index)
      warp.fail(FaultKind::Unsupported,
                "lanes of a warp call different functions", int(lane));
  });
  const Function &callee = program.functions[index - 1];
  const auto &detail = *static_cast<const CallDetail *>(instr.detail);
  if (detail.in.size() != callee.parameters.size() ||
      detail.out.size() != callee.results.size())
    warp.fail(FaultKind::Trap,
              "calls '" + callee.info.name + "' with another signature");
  for (uint32_t pc : group.returns)
    if (pc > callee.entry && pc <= callee.end)
      warp.fail(FaultKind::Unsupported,
                "'" + callee.info.name + "' calls itself");
  std::vector<ParamCopy> copies = detail.in;
  for (size_t i = 0; i < copies.size(); ++i)
    copies[i].to = uint32_t(callee.localBase + callee.parameters[i].address);
  copyParameters(warp, copies, lanes);
  if (group.mask & ~lanes)
    park(group.mask & ~lanes, group.pc + 1, Group::Ready);
  group.mask = lanes;
  group.returns.push_back(group.pc + 1);
  group.pc = callee.entry;
}

bool Runner::leave(Mask lanes) {
  if (group.returns.empty())
    return end(lanes);
  Group back{group.returns.back(), lanes, Group::Ready, 0, group.returns};
  back.returns.pop_back();
  // Results of indirect calls are copied from here.
  for (const Function &function : program.functions)
    if (function.defined && group.pc >= function.entry &&
        group.pc < function.end)
      warp.returnedFrom = &function;
  group.mask &= ~lanes;
  if (!group.mask) {
    group = std::move(back);
    mergeInto(group);
    return false;
  }
  nextOther = std::min(nextOther, back.pc);
  warp.groups.push_back(std::move(back));
  ++group.pc;
  return false;
}

bool Runner::end(Mask lanes) {
  warp.live &= ~lanes;
  group.mask &= ~lanes;
  ++cluster.progress;
  for (unsigned id = 0; id < 16; ++id)
    checkBarrier(*warp.block, id);
  checkClusterBarrier(cluster);
  if (!warp.live)
    checkEndOfWarp(warp);
  // Who waited for the lanes that ended need not any more.
  for (Group &other : warp.groups)
    if (other.status == Group::AtConvergence)
      other.status = Group::Ready;
  if (!group.mask)
    return true;
  ++group.pc;
  nextOther = 0;
  return false;
}

bool Runner::arrive(const Instr &instr, Mask lanes) {
  // `z`: all lanes of the warp must be at the same instruction.
  if (instr.z && lanes != warp.live)
    return split(lanes, group.pc, Group::AtConvergence);
  warp.wait = false;
  instr.run(warp, instr, lanes);
  if (!warp.wait) {
    ++group.pc;
    return false;
  }
  warp.wait = false;
  unsigned id = warp.arrivedAt;
  park(lanes, group.pc + 1, Group::AtBarrier, uint8_t(id));
  group.mask &= ~lanes;
  ++group.pc;
  checkBarrier(*warp.block, id);
  return !group.mask;
}

} // namespace

void weft::ptx::runWarp(Warp &warp, uint64_t limit) {
  Runner(warp, limit).run();
}

uint8_t *Warp::localWritten(unsigned lane) const {
  return block->localWritten.data() +
         (size_t(index) * kLanes + lane) * launch->localBytes;
}

uint8_t *Warp::local(unsigned lane) const {
  return block->local.data() +
         (size_t(index) * kLanes + lane) * launch->localBytes;
}
