//===- Memory.cpp - Allocations of the pretended device -------------------===//

#include "Memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

using namespace weft::ptx;

namespace {

constexpr size_t kGuard = 4096;
/// Not a number in every floating-point type, and far from any index.
constexpr int kPoison = 0xff;
constexpr size_t kKeptFreed = 64;

uint64_t addressOf(const void *pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

std::string hex(uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

} // namespace

Memory::Impl::~Impl() {
  for (auto &[begin, allocation] : live) {
    std::free(allocation.host);
    std::free(allocation.written);
  }
}

void *Memory::Impl::allocate(size_t bytes, size_t align,
                             const std::string &variable) {
  bytes = std::max<size_t>(bytes, 1);
  align = std::max<size_t>(align, 64);
  size_t front = (kGuard + align - 1) / align * align;
  if (bytes > SIZE_MAX / 4)
    return nullptr;
  size_t total = (front + bytes + kGuard + align - 1) / align * align;
  auto *host = static_cast<uint8_t *>(std::aligned_alloc(align, total));
  auto *written = static_cast<uint8_t *>(std::calloc(bytes, 1));
  if (!host || !written) {
    std::free(host);
    std::free(written);
    return nullptr;
  }
  memset(host, kPoison, total);
  Allocation allocation;
  allocation.begin = addressOf(host) + front;
  allocation.end = allocation.begin + bytes;
  allocation.written = written;
  allocation.host = host;
  allocation.isVariable = !variable.empty();
  allocation.label =
      variable.empty() ? "an allocation of " + std::to_string(bytes) + " bytes"
                       : variable + " of " + std::to_string(bytes) + " bytes";
  std::unique_lock lock(mutex);
  if (!allocation.isVariable)
    used += bytes;
  live.emplace(allocation.begin, allocation);
  return host + front;
}

bool Memory::Impl::free(void *pointer) {
  std::unique_lock lock(mutex);
  auto found = live.find(addressOf(pointer));
  if (found == live.end())
    return false;
  Allocation &allocation = found->second;
  if (!allocation.isVariable)
    used -= allocation.end - allocation.begin;
  freed.emplace_back(allocation.begin, allocation.end);
  if (freed.size() > kKeptFreed)
    freed.pop_front();
  std::free(allocation.host);
  std::free(allocation.written);
  live.erase(found);
  return true;
}

const Allocation *Memory::Impl::find(uint64_t address) const {
  std::shared_lock lock(mutex);
  auto next = live.upper_bound(address);
  if (next == live.begin())
    return nullptr;
  const Allocation &allocation = std::prev(next)->second;
  return address < allocation.end ? &allocation : nullptr;
}

std::string Memory::Impl::describe(uint64_t address) const {
  std::shared_lock lock(mutex);
  if (address < 4096)
    return "a null pointer";
  for (auto [begin, end] : freed)
    if (address >= begin && address < end)
      return "memory that was freed: " + std::to_string(address - begin) +
             " bytes into " + std::to_string(end - begin) + " bytes at " +
             hex(begin);
  auto next = live.upper_bound(address);
  const Allocation *before =
      next == live.begin() ? nullptr : &std::prev(next)->second;
  const Allocation *after = next == live.end() ? nullptr : &next->second;
  uint64_t toBefore = before && address >= before->end
                          ? address - before->end
                          : (before ? 0 : UINT64_MAX);
  uint64_t toAfter = after ? after->begin - address : UINT64_MAX;
  if (!before && !after)
    return "no allocation is live";
  if (before && address < before->end)
    return std::to_string(before->end - address) + " bytes before the end of " +
           before->label + " at " + hex(before->begin);
  const Allocation *near = toBefore <= toAfter ? before : after;
  return std::to_string(std::min(toBefore, toAfter)) + " bytes " +
         (near == before ? "behind the end of " : "before the begin of ") +
         near->label + " at " + hex(near->begin);
}

Memory::Memory() : state(std::make_unique<Impl>()) {}
Memory::~Memory() = default;

void *Memory::allocate(size_t bytes) { return state->allocate(bytes, 512, ""); }

bool Memory::free(void *pointer) { return state->free(pointer); }

size_t Memory::used() const {
  std::shared_lock lock(state->mutex);
  return state->used;
}

size_t Memory::allocations() const {
  std::shared_lock lock(state->mutex);
  return std::count_if(state->live.begin(), state->live.end(),
                       [](auto &entry) { return !entry.second.isVariable; });
}

bool Memory::contains(const void *pointer, size_t bytes) const {
  const Allocation *found = state->find(addressOf(pointer));
  return found && bytes <= found->end - addressOf(pointer);
}

bool Memory::find(const void *pointer, void **begin, size_t *bytes) const {
  const Allocation *found = state->find(addressOf(pointer));
  if (!found)
    return false;
  *begin = reinterpret_cast<void *>(found->begin);
  *bytes = found->end - found->begin;
  return true;
}

void Memory::markInitialised(const void *pointer, size_t bytes) {
  const Allocation *found = state->find(addressOf(pointer));
  if (!found)
    return;
  size_t at = addressOf(pointer) - found->begin;
  memset(found->written + at, 1,
         std::min<size_t>(bytes, found->end - addressOf(pointer)));
}

void Memory::copyInitialised(const void *to, const void *from, size_t bytes) {
  const Allocation *source = state->find(addressOf(from));
  const Allocation *target = state->find(addressOf(to));
  if (!target)
    return;
  if (!source || addressOf(from) + bytes > source->end ||
      addressOf(to) + bytes > target->end) {
    markInitialised(to, bytes);
    return;
  }
  memmove(target->written + (addressOf(to) - target->begin),
          source->written + (addressOf(from) - source->begin), bytes);
}

bool Memory::initialised(const void *pointer, size_t bytes) const {
  const Allocation *found = state->find(addressOf(pointer));
  if (!found || bytes > found->end - addressOf(pointer))
    return false;
  const uint8_t *begin = found->written + (addressOf(pointer) - found->begin);
  return !memchr(begin, 0, bytes);
}
