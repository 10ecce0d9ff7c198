//===- FatBinary.cpp - The PTX in what a driver loads ---------------------===//

#include "FatBinary.h"
#include <cstdlib>
#include <cstring>

namespace weft::ptx::fake {

namespace {

/// What `.target` says.
struct Target {
  int sm = 0;
  bool exact = false; ///< sm_90a runs on nothing else
};

/// The places of the fields in a fatbin.
enum : size_t {
  // Of the head.
  HeadSize = 6,
  BodyBytes = 8,
  HeadBytes = 16,
  // Of an entry.
  EntryKind = 0,
  EntryHeadBytes = 4,
  EntryBytes = 8,
  EntryCompressedBytes = 16,
  LeastEntryHeadBytes = 32,
};

template <typename T> T read(const char *at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

} // namespace

static bool readTarget(const std::string &ptx, Target &target) {
  size_t at = ptx.find(".target");
  at = at == std::string::npos ? at : ptx.find("sm_", at);
  if (at == std::string::npos)
    return false;
  char *end = nullptr;
  target.sm = static_cast<int>(std::strtol(ptx.c_str() + at + 3, &end, 10));
  target.exact = *end == 'a';
  return target.sm > 0;
}

static bool fits(const Target &target, int sm) {
  return target.exact ? target.sm == sm : target.sm <= sm;
}

namespace {

/// The best of the entries seen so far.
class Choice {
public:
  explicit Choice(int sm) : sm(sm) {}

  void offer(const std::string &text) {
    Target target;
    if (!readTarget(text, target)) {
      seen += ", PTX without a target";
      return;
    }
    seen +=
        ", PTX for sm_" + std::to_string(target.sm) + (target.exact ? "a" : "");
    bool better =
        !found || target.sm > best.sm || (target.sm == best.sm && target.exact);
    if (!fits(target, sm) || !better)
      return;
    found = true;
    best = target;
    ptx = text;
  }
  void pass(const char *what) { seen += std::string(", ") + what; }

  CUresult finish(std::string &out, std::string &reason) const {
    out = ptx;
    if (found)
      return CUDA_SUCCESS;
    reason = "the image has no PTX for sm_" + std::to_string(sm) +
             "; it holds " + (seen.empty() ? "nothing" : seen.substr(2));
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  }

private:
  int sm;
  bool found = false;
  Target best;
  std::string ptx, seen;
};

} // namespace

static CUresult readFatBinary(const char *image, int sm, std::string &ptx,
                              std::string &reason) {
  Choice choice(sm);
  const char *at = image + read<uint16_t>(image + HeadSize);
  const char *end = at + read<uint64_t>(image + BodyBytes);
  while (at < end) {
    uint64_t left = end - at;
    uint64_t head =
        left < LeastEntryHeadBytes ? 0 : read<uint32_t>(at + EntryHeadBytes);
    uint64_t size = head ? read<uint64_t>(at + EntryBytes) : 0;
    if (head < LeastEntryHeadBytes || head > left || size > left - head) {
      reason = "the fatbin is cut off or damaged";
      return CUDA_ERROR_INVALID_IMAGE;
    }
    uint16_t kind = read<uint16_t>(at + EntryKind);
    if (kind == 2)
      choice.pass("machine code");
    else if (kind != 1)
      choice.pass("something else");
    else if (read<uint32_t>(at + EntryCompressedBytes))
      choice.pass("compressed PTX");
    else
      choice.offer(std::string(at + head, strnlen(at + head, size)));
    at += head + size;
  }
  return choice.finish(ptx, reason);
}

CUresult findPTX(const void *image, int sm, std::string &ptx,
                 std::string &reason) {
  auto *bytes = static_cast<const char *>(image);
  const uint32_t fatbin = 0xba55ed50, elf = 0x464c457f;
  uint32_t magic = read<uint32_t>(bytes);
  if (magic == fatbin)
    return readFatBinary(bytes, sm, ptx, reason);
  if (magic == elf) {
    reason = "the image is machine code, which the emulator does not run";
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  }
  Target target;
  if (!readTarget(bytes, target)) {
    reason = "the image is neither a fatbin nor PTX";
    return CUDA_ERROR_INVALID_IMAGE;
  }
  Choice choice(sm);
  choice.offer(bytes);
  return choice.finish(ptx, reason);
}

} // namespace weft::ptx::fake
