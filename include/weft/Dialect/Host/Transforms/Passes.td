//===- Passes.td - Passes on the host dialect -----------------------------===//

#ifndef WEFT_DIALECT_HOST_TRANSFORMS_PASSES
#define WEFT_DIALECT_HOST_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def MarkEarlyPass : Pass<"host-mark-early", "::mlir::ModuleOp"> {
  let summary = "Mark outputs that are written while the run can still fail";
  let description = [{
    Sets `early` of each output of `@main` that is written by a kernel which can
    fault, or before something that can fail: such a kernel, a `host.require`, a
    `host.allocate`, or an output whose sizes only the run settles. The runtime
    gives the program other memory for these, and copies after a success, so
    that no run leaves outputs written in part.

    Requires: a host program, with the tables of its ports.
    Ensures: nothing but the table of outputs is changed.
  }];
  let statistics = [
    Statistic<"numEarly", "early", "Number of outputs that are marked">
  ];
}

def SettleStatesPass : Pass<"host-settle-states", "::mlir::ModuleOp"> {
  let summary = "Say where a program for a GPU begins to write its states";
  let description = [{
    New values of states that are not `early` are written behind all that can
    fail, where the old ones are. Kernels on a GPU report their faults while the
    host goes on, so a `host.settle` comes before the first such write, or
    before the loop with it.

    Requires: `early` as `host-mark-early` sets it.
    Ensures: nothing is changed in programs without kernels for a GPU, or
    without states.
  }];
  let statistics = [
    Statistic<"numSettles", "settles", "Number of ops that were inserted">
  ];
}

def PlanArenaPass : Pass<"host-plan-arena", "::mlir::ModuleOp"> {
  let summary = "Give each planned buffer its place in one arena";
  let description = [{
    Finds how long each `host.alloc` of `@main` is alive, and turns it into a
    `host.arena` so that buffers that are alive at the same time do not
    overlap. Buffers whose sizes are multiples of the same product of symbols,
    those of static size among them, are a pool, packed largest first, each into
    the tightest hole. Others share slots that are as large as the largest of
    their members. Where that makes several pools or slots, the buffers may
    instead lie upon each other, in an order that is good for some values of the
    symbols: each begins where the highest ends of those that are alive at the
    same time and lie below it, which is right for all values. Each starts at a
    multiple of 64 bytes. A function `@arena_bytes` computes the size of the arena from the
    symbols. The module's attribute `host.plan` lists the buffers, in the order
    of the program, with their lifetimes and places.

    Requires: bytes of each `host.alloc` computed from constants and symbols.
    Ensures: no `host.alloc` is left.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect"];
  let statistics = [
    Statistic<"numBuffers", "buffers", "Number of buffers that were placed">,
    Statistic<"numSlots", "slots",
              "Number of slots that buffers of symbolic size share">,
    Statistic<"numStacked", "stacked",
              "Number of buffers that lie upon each other">
  ];
}

def CheckBudgetPass : Pass<"host-check-budget", "::mlir::ModuleOp"> {
  let summary = "Refuse programs that are planned to take too much memory";
  let description = [{
    Adds up the arena, constants, inputs, outputs and states of a program whose
    sizes are all known, and fails if these are more than `bytes`, with the
    largest of them. The budget also becomes the module's attribute
    `host.budget`, with which the runtime checks runs of other programs.

    Requires: `host.plan`.
    Ensures: nothing else is changed.
  }];
  let options = [
    Option<"bytes", "bytes", "int64_t", "0", "The most bytes of a run">
  ];
}

#endif // WEFT_DIALECT_HOST_TRANSFORMS_PASSES
