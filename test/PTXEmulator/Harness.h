//===- Harness.h - Kernels in tests -------------------------------*- C++
//-*-===//
//
// What tests of the emulator share: texts around a few instructions, buffers,
// and launches whose faults are failures.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TEST_PTXEMULATOR_HARNESS_H
#define WEFT_TEST_PTXEMULATOR_HARNESS_H

#include "weft/PTXEmulator/Emulator.h"

#include <gtest/gtest.h>

#include <cstring>

namespace weft::ptx::test {

/// A buffer of the device with typed contents.
template <class T> class Buffer {
public:
  Buffer(Memory &memory, size_t count) : memory(memory), size(count) {
    data = static_cast<T *>(memory.allocate(count * sizeof(T)));
  }
  Buffer(Memory &memory, const std::vector<T> &values)
      : Buffer(memory, values.size()) {
    std::memcpy(data, values.data(), values.size() * sizeof(T));
    memory.markInitialised(data, values.size() * sizeof(T));
  }
  ~Buffer() { memory.free(data); }
  Buffer(const Buffer &) = delete;

  T &operator[](size_t i) { return data[i]; }
  std::vector<T> values() const { return {data, data + size}; }

  Memory &memory;
  T *data = nullptr;
  size_t size;
};

/// Parameters, each at a multiple of its size.
class Arguments {
public:
  template <class T> Arguments &add(const T &value) {
    bytes.resize((bytes.size() + alignof(T) - 1) / alignof(T) * alignof(T));
    const auto *from = reinterpret_cast<const std::byte *>(&value);
    bytes.insert(bytes.end(), from, from + sizeof value);
    return *this;
  }
  template <class T> Arguments &add(const Buffer<T> &buffer) {
    return add(reinterpret_cast<uint64_t>(buffer.data));
  }
  std::vector<std::byte> bytes;
};

class EmulatorTest : public testing::Test {
protected:
  /// Parses, or fails the test.
  void load(const std::string &text) {
    std::string error;
    module = Module::parse(text, memory, error);
    ASSERT_TRUE(module) << error;
  }

  Launch launchOf(Dim3 grid, Dim3 block, const Arguments &arguments) {
    Launch launch;
    launch.module = module.get();
    if (module && !module->kernels().empty())
      launch.kernel = module->kernels().front()->name;
    launch.grid = grid;
    launch.block = block;
    launch.parameters = arguments.bytes;
    return launch;
  }

  /// Runs the first kernel; a fault fails the test.
  void runKernel(Dim3 grid, Dim3 block, const Arguments &arguments) {
    ASSERT_TRUE(module);
    Fault fault;
    EXPECT_TRUE(run(memory, launchOf(grid, block, arguments), options,
                    &counters, fault))
        << fault.message;
  }

  /// Runs the first kernel, which has to fail.
  Fault failKernel(Dim3 grid, Dim3 block, const Arguments &arguments) {
    Fault fault;
    if (!module)
      return fault;
    EXPECT_FALSE(run(memory, launchOf(grid, block, arguments), options,
                     &counters, fault));
    return fault;
  }

  Memory memory;
  std::unique_ptr<Module> module;
  Options options;
  Counters counters;
};

/// A text with one kernel `k` around `body`; `parameters` as in its list.
inline std::string kernelText(const std::string &parameters,
                              const std::string &body,
                              const std::string &target = "sm_90a",
                              const std::string &variables = "") {
  return ".version 8.3\n.target " + target + "\n.address_size 64\n" +
         variables + "\n.visible .entry k(" + parameters + ")\n{\n" + body +
         "\nret;\n}\n";
}

} // namespace weft::ptx::test

#endif // WEFT_TEST_PTXEMULATOR_HARNESS_H
