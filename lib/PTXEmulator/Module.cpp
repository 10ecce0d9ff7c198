//===- Module.cpp - Texts, parsed -----------------------------------------===//

#include "Decoder.h"

#include <algorithm>

using namespace weft::ptx;

namespace {

// Functions have one set of registers each.
void refuseRecursion(const Program &program, uint32_t index,
                     std::vector<uint8_t> &seen) {
  const Function &function = program.functions[index];
  if (seen[index] == 2)
    return;
  if (seen[index] == 1)
    throw ParseError{function.info.line,
                     "'" + function.info.name + "' calls itself"};
  seen[index] = 1;
  for (uint32_t callee : function.callees)
    refuseRecursion(program, callee, seen);
  seen[index] = 2;
}

void decodeAll(Parser &parser, ModuleImpl &module) {
  // Kernels behind the functions: their registers and pcs follow.
  for (bool kernels : {false, true})
    for (FunctionSyntax &syntax : parser.bodies)
      if (module.program.functions[syntax.index].isKernel == kernels)
        Decoder(module, syntax).run();
  std::vector<uint8_t> seen(module.program.functions.size(), 0);
  for (uint32_t i = 0; i < seen.size(); ++i)
    refuseRecursion(module.program, i, seen);
}

} // namespace

ModuleImpl::~ModuleImpl() {
  for (void *pointer : allocations)
    memory->free(pointer);
}

Module::Module(std::unique_ptr<ModuleImpl> state) : state(std::move(state)) {}
Module::~Module() = default;

std::unique_ptr<Module> Module::parse(std::string_view ptx, Memory &memory,
                                      std::string &error) {
  auto impl = std::make_unique<ModuleImpl>();
  impl->memory = &memory;
  try {
    Parser parser(ptx, *impl);
    parser.run();
    decodeAll(parser, *impl);
  } catch (const ParseError &problem) {
    error = "line " + std::to_string(problem.line) + ": " + problem.text;
    return nullptr;
  }
  return std::unique_ptr<Module>(new Module(std::move(impl)));
}

const KernelInfo *Module::kernel(std::string_view name) const {
  for (const Function &function : state->program.functions)
    if (function.isKernel && function.info.name == name)
      return &function.info;
  return nullptr;
}

std::vector<const KernelInfo *> Module::kernels() const {
  std::vector<const KernelInfo *> result;
  for (const Function &function : state->program.functions)
    if (function.isKernel)
      result.push_back(&function.info);
  return result;
}

void *Module::global(std::string_view name, size_t *bytes) const {
  auto found = state->variables.find(std::string(name));
  if (found == state->variables.end() ||
      (found->second.space != Space::Global &&
       found->second.space != Space::Const))
    return nullptr;
  if (bytes)
    *bytes = found->second.size;
  return reinterpret_cast<void *>(found->second.address);
}

unsigned Module::sm() const { return state->program.smVersion; }

bool Module::architectureSpecific() const { return state->program.smSpecific; }
