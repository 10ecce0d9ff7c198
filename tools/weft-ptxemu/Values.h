//===- Values.h - Arguments of kernels ----------------------------*- C++
//-*-===//

#ifndef WEFT_TOOLS_PTXEMU_VALUES_H
#define WEFT_TOOLS_PTXEMU_VALUES_H

#include "weft/PTXEmulator/Emulator.h"

namespace weft::ptx::tool {

/// A type of elements, as `--arg` names it and as NumPy does.
struct ElementType {
  std::string_view name;
  std::string_view numpy;
  size_t bytes;
};

/// Null if there is none of the name.
const ElementType *typeNamed(std::string_view name);
/// Writes `value` as an element.
void writeElement(const ElementType &type, double value, void *to);
/// An element as text.
std::string elementText(const ElementType &type, const void *from);

/// One `--arg`: a value, or a buffer in the device's memory.
struct Argument {
  const ElementType *type = nullptr;
  std::vector<std::byte> value;
  void *buffer = nullptr;
  size_t count = 0;
  std::vector<size_t> shape;
};

/// Reads `f32=1.5`, `f32:file.npy`, `f32[64]`, `f32[64]=0` or `f32[64]=iota`.
/// Returns false and fills `error` if it is none of them.
bool parseArgument(const std::string &text, Memory &memory, Argument &argument,
                   std::string &error);

/// Files of NumPy: elements, in the order of C.
bool readNpy(const std::string &path, std::string &type,
             std::vector<size_t> &shape, std::string &bytes,
             std::string &error);
bool writeNpy(const std::string &path, std::string_view type,
              const std::vector<size_t> &shape, std::string_view bytes,
              std::string &error);

} // namespace weft::ptx::tool

#endif // WEFT_TOOLS_PTXEMU_VALUES_H
