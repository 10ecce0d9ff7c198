//===- Emulator.h - Runs PTX on the processor --------------------*- C++
//-*-===//
//
// Executes the text of PTX kernels, warp by warp, and checks what they do.
// Needs no GPU, no driver and nothing of the compiler; tests link it. Nothing
// here throws.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_EMULATOR_H
#define WEFT_PTXEMULATOR_EMULATOR_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft::ptx {

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  bool operator==(const Dim3 &) const = default;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

/// How asynchronous copies and products behave, and what is checked.
enum class Mode {
  /// They take effect when they are issued.
  Plain,
  /// As `Plain`; accesses that no synchronisation orders are faults.
  Race,
  /// They take effect as late as the program's waits allow, and what they have
  /// not written yet reads as uninitialised.
  Lazy,
};

struct Options {
  Mode mode = Mode::Plain;
  /// Accesses must lie inside one live allocation.
  bool bounds = true;
  /// Loads must not touch bytes that nothing has written.
  bool uninitialised = true;
  /// Fill `Counters::lines` and count sectors and wavefronts.
  bool counters = false;
  /// Threads of the host that blocks are spread over; one in `Mode::Race`.
  unsigned threads = 1;
  /// A launch that executes more instructions (of warps) than this is a fault.
  uint64_t maxInstructions = uint64_t(1) << 33;
  /// Where the kernel's printf goes; standard output if empty.
  std::function<void(std::string_view)> print;
};

/// The memory of the pretended device. Pointers into it are pointers of the
/// host, so that both sides can use them. Thread-safe, except that memory must
/// not be freed while a launch uses it.
class Memory {
public:
  Memory();
  ~Memory();
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  /// Allocates `bytes` bytes at a multiple of 512, poisoned and with guard
  /// zones on both sides; null if the host has no more. Zero bytes are one
  /// byte.
  void *allocate(size_t bytes);
  /// Frees what `allocate` returned; false for any other pointer.
  bool free(void *pointer);
  /// Bytes in live allocations.
  size_t used() const;
  /// Live allocations, without the variables of modules.
  size_t allocations() const;
  /// Whether `bytes` bytes at `pointer` lie inside one live allocation.
  bool contains(const void *pointer, size_t bytes) const;
  /// The live allocation that holds `pointer`: its begin and its size.
  bool find(const void *pointer, void **begin, size_t *bytes) const;
  /// Says that the host (or a copy) wrote these bytes.
  void markInitialised(const void *pointer, size_t bytes);
  /// Gives the bytes at `to` what is known of those at `from`.
  void copyInitialised(const void *to, const void *from, size_t bytes);
  /// Whether all of these bytes were written.
  bool initialised(const void *pointer, size_t bytes) const;

  struct Impl;
  Impl &impl() const { return *state; }

private:
  std::unique_ptr<Impl> state;
};

struct Parameter {
  std::string name;
  size_t offset = 0, size = 0, align = 0;
};

struct KernelInfo {
  std::string name;
  std::vector<Parameter> parameters;
  size_t parameterBytes = 0;
  /// Static shared memory, and the alignment of all of it.
  size_t staticShared = 0, sharedAlign = 0;
  /// Bytes of local memory per thread.
  size_t localBytes = 0;
  /// From `.reqntid`, `.maxntid`, `.reqnctapercluster`: zero where absent.
  uint32_t requiredThreads[3] = {0, 0, 0};
  uint32_t maxThreads[3] = {0, 0, 0};
  uint32_t requiredCluster[3] = {0, 0, 0};
  /// From `.minnctapersm` and `.maxnreg`: zero where absent.
  uint32_t minBlocks = 0, maxRegisters = 0;
  /// Where the kernel begins in the text.
  unsigned line = 0;
};

struct ModuleImpl;

/// One PTX text, parsed once. Only its variables change afterwards.
class Module {
public:
  /// Parses and decodes `ptx`. Its `.global` and `.const` variables are
  /// allocated in `memory`, which must outlive the module. Returns null and
  /// fills `error` ("line 12: ...") if the text is wrong or uses what the
  /// emulator does not know.
  static std::unique_ptr<Module> parse(std::string_view ptx, Memory &memory,
                                       std::string &error);
  ~Module();

  /// Null if there is no such kernel.
  const KernelInfo *kernel(std::string_view name) const;
  std::vector<const KernelInfo *> kernels() const;
  /// The address and the size of a variable; null if there is none.
  void *global(std::string_view name, size_t *bytes) const;
  /// The number in `.target`: 90 for sm_90a.
  unsigned sm() const;
  /// Whether `.target` has an architecture's own features (`sm_90a`).
  bool architectureSpecific() const;

  ModuleImpl &impl() const { return *state; }

private:
  explicit Module(std::unique_ptr<ModuleImpl> state);
  std::unique_ptr<ModuleImpl> state;
};

enum class FaultKind {
  IllegalAddress,
  Misaligned,
  Uninitialised,
  Race,
  Deadlock,
  BadBarrier,
  BadDescriptor,
  Unsupported,
  Trap,
  TooLong,
  BadLaunch,
};

/// "illegal address" and so on.
const char *nameOf(FaultKind kind);

/// Why a launch stopped.
struct Fault {
  FaultKind kind = FaultKind::BadLaunch;
  /// All there is to say, in one text: kernel, line of the PTX and its text,
  /// block, thread, address, the allocation next to it.
  std::string message;
  std::string kernel;
  unsigned line = 0;
  Dim3 block{0, 0, 0}, thread{0, 0, 0};
};

/// What one line of PTX did, over all warps.
struct LineCounters {
  uint64_t instructions = 0;
  uint64_t globalRequests = 0, globalSectors = 0;
  uint64_t sharedRequests = 0, sharedWavefronts = 0, idealSharedWavefronts = 0;
};

/// What a launch did. Instructions are those of warps, not of threads.
struct Counters {
  uint64_t instructions = 0;
  uint64_t threadInstructions = 0;
  /// Loads, stores, atomics and copies that warps asked global memory for, and
  /// the aligned pieces of 32 bytes that they touched.
  uint64_t globalRequests = 0, globalSectors = 0;
  /// The same of shared memory: rounds that the banks need, and would need if
  /// no two words shared a bank.
  uint64_t sharedRequests = 0, sharedWavefronts = 0, idealSharedWavefronts = 0;
  /// mma.sync and wgmma of warps.
  uint64_t mma = 0;
  uint64_t barriers = 0;
  uint64_t atomics = 0;
  /// Bytes that bulk and tensor copies moved.
  uint64_t bulkBytes = 0;
  /// Branches on which the lanes of a warp parted.
  uint64_t divergentBranches = 0;
  uint64_t blocks = 0;
  std::map<unsigned, LineCounters> lines;

  void add(const Counters &other);
};

struct Launch {
  const Module *module = nullptr;
  std::string kernel;
  Dim3 grid, block, cluster;
  size_t dynamicShared = 0;
  /// Laid out as `KernelInfo` says.
  std::vector<std::byte> parameters;
};

/// Runs a kernel to its end. Returns false and fills `fault` if it could not
/// start or did something wrong. `counters`, if given, is added to.
bool run(Memory &memory, const Launch &launch, const Options &options,
         Counters *counters, Fault &fault);

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_EMULATOR_H
