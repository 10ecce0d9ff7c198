//===- Program.h - Decoded PTX ------------------------------------*- C++
//-*-===//
//
// What the parser and the decoders make of a text, and the executor runs: one
// list of compact instructions, and where registers and variables lie.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_PROGRAM_H
#define WEFT_PTXEMULATOR_PROGRAM_H

#include "weft/PTXEmulator/Emulator.h"

#include <deque>
#include <unordered_map>

namespace weft::ptx {

constexpr unsigned kLanes = 32;
/// One bit per lane.
using Mask = uint32_t;
constexpr Mask kAllLanes = ~Mask(0);

enum class Type : uint8_t {
  None,
  Pred,
  B8,
  B16,
  B32,
  B64,
  B128,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  F16x2,
  BF16,
  BF16x2,
  TF32,
  F32,
  F64,
  E4M3,
  E5M2,
  E4M3x2,
  E5M2x2,
};

/// `None` for a name that is no type.
Type typeNamed(std::string_view name);
/// Bits of a value of the type; of a predicate, 1.
unsigned bitsOf(Type type);
bool isSigned(Type type);
bool isFloat(Type type);

enum class Space : uint8_t { Generic, Global, Shared, Local, Param, Const };

/// A variable of the text. `address` is an address of the host for Global and
/// Const, and an offset for the others.
struct Variable {
  std::string name;
  Space space = Space::Global;
  uint64_t address = 0;
  size_t size = 0, align = 1;
  /// `.extern .shared`: begins where static shared memory ends.
  bool dynamicShared = false;
  bool external = false;
  unsigned line = 0;
};

class Warp;
struct Instr;
/// Executes an instruction for the lanes in the mask, which is not empty.
using Handler = void (*)(Warp &, const Instr &, Mask);

enum class Kind : uint8_t {
  /// Runs and goes on.
  Normal,
  /// All lanes of the member mask (operand `e`) have to come first.
  WarpSync,
  /// All lanes of the warp that have not ended have to come first.
  WholeWarp,
  /// Runs; if it asks to wait, it is tried again later.
  Poll,
  Branch,
  BranchIndexed,
  Call,
  CallIndirect,
  Return,
  Exit,
  Barrier,
  WarpBarrier,
};

constexpr int32_t kNoOperand = INT32_MIN;

/// One instruction. What the fields hold beyond their names is the matter of
/// the decoder and the handler of each instruction.
struct Instr {
  Handler run = nullptr;
  Kind kind = Kind::Normal;
  bool guardNegated = false;
  /// Small parameters.
  uint8_t x = 0, y = 0, z = 0, u = 0;
  uint32_t line = 0;
  int32_t guard = kNoOperand;
  /// Operands: offsets of registers, or (negative) of constants.
  int32_t d = kNoOperand, a = kNoOperand, b = kNoOperand, c = kNoOperand,
          e = kNoOperand;
  /// Operands in braces: where they begin in `Program::lists`.
  uint32_t list = 0;
  uint32_t target = 0;
  int64_t imm = 0;
  /// What the handler needs beyond this; owned by the program.
  const void *detail = nullptr;
};

/// One run of bytes that a call copies between parameters.
struct ParamCopy {
  uint32_t from, to, bytes;
};

struct CallDetail {
  uint32_t function = 0;
  std::vector<ParamCopy> in, out;
};

/// Registers that the hardware fills.
enum class Special : uint8_t {
  TidX,
  TidY,
  TidZ,
  NTidX,
  NTidY,
  NTidZ,
  CtaIdX,
  CtaIdY,
  CtaIdZ,
  NCtaIdX,
  NCtaIdY,
  NCtaIdZ,
  LaneId,
  WarpId,
  NWarpId,
  SmId,
  NSmId,
  GridId,
  LaneMaskEq,
  LaneMaskLe,
  LaneMaskLt,
  LaneMaskGe,
  LaneMaskGt,
  ClusterIdX,
  ClusterIdY,
  ClusterIdZ,
  NClusterIdX,
  NClusterIdY,
  NClusterIdZ,
  ClusterCtaIdX,
  ClusterCtaIdY,
  ClusterCtaIdZ,
  ClusterNCtaIdX,
  ClusterNCtaIdY,
  ClusterNCtaIdZ,
  ClusterCtaRank,
  ClusterNCtaRank,
  IsExplicitCluster,
  DynamicSmemSize,
  TotalSmemSize,
  WarpSize,
  Zero,
};

struct SpecialUse {
  Special kind;
  uint32_t offset;
  uint32_t bytes;
};

struct Function {
  KernelInfo info;
  bool isKernel = false;
  bool defined = false;
  uint32_t entry = 0, end = 0;
  /// Of a `.func`: its parameters and results, in local memory.
  std::vector<Variable> parameters, results;
  /// End of its registers.
  uint32_t registerBytes = 0;
  /// Its local memory: where it begins, and how much there is.
  size_t localBase = 0, localBytes = 0;
  /// End of what it uses of the static shared memory.
  size_t sharedBytes = 0, sharedAlign = 16;
  std::vector<uint32_t> callees;
  std::vector<SpecialUse> specials;
};

/// Shared memory begins here in its address space, so that null is none.
constexpr uint32_t kSharedBase = 1024;
/// Shared addresses of another block of the cluster: (rank + 1) << kRankShift.
constexpr unsigned kRankShift = 24;

struct Program {
  std::vector<Instr> code;
  std::vector<Function> functions;
  std::vector<int32_t> lists;
  /// Of `.func`s.
  std::vector<SpecialUse> specials;
  /// Values of all lanes, side by side; see `Warp::in`.
  std::vector<uint8_t> constants;
  /// Registers and local memory of all `.func`s; those of kernels follow.
  uint32_t functionRegisters = 0;
  size_t functionLocal = 0;
  /// Shared memory of `.func`s; that of kernels follows.
  size_t functionShared = 0;
  std::deque<std::shared_ptr<void>> details;
  std::vector<std::string> lines;
  unsigned smVersion = 0;
  bool smSpecific = false;
  /// Whether anything reads shared memory past the generic proxy.
  bool usesAsyncProxy = false;
};

struct ModuleImpl {
  Program program;
  Memory *memory = nullptr;
  /// Variables at the level of the module.
  std::unordered_map<std::string, Variable> variables;
  std::vector<void *> allocations;
  ~ModuleImpl();
};

/// What stops parsing; caught in `Module::parse`.
struct ParseError {
  unsigned line;
  std::string text;
};

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_PROGRAM_H
