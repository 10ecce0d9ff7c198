//===- Verifier.cpp - Kernels against the reference evaluator -------------===//

#include "Tensors.h"
#include "weft/Dialect/Host/IR/HostDialect.h"
#include "weft/Verify/KernelCheck.h"
#include "llvm/ADT/StringExtras.h"
#include <cstring>

using namespace mlir;
using namespace weft;

struct weft_verifier {
  explicit weft_verifier(const weft_compile_options *options)
      : session(options) {}

  CompileSession session; ///< at stage `host`
  OwningOpRef<ModuleOp> dispatch, kernel;
  std::optional<KernelCheck> check;
};

extern "C" weft_outcome
weft_verifier_create(const char *path, const weft_compile_options *options,
                     double scale, weft_verifier **out, char **message) {
  *out = nullptr;
  auto verifier = std::make_unique<weft_verifier>(options);
  CompileSession &session = verifier->session;
  auto prepare = [&]() -> LogicalResult {
    session.readFile(path);
    if (!session.module || failed(session.runTo(Stage::Dispatch)))
      return failure();
    verifier->dispatch = session.module->clone();
    if (failed(session.runTo(Stage::Kernel)))
      return failure();
    verifier->kernel = session.module->clone();
    if (failed(session.runTo(Stage::Host)))
      return failure();
    auto check =
        KernelCheck::create(*verifier->dispatch, *verifier->kernel, scale);
    if (failed(check))
      return failure();
    verifier->check.emplace(std::move(*check));
    return success();
  };
  weft_outcome outcome = session.finish(failed(prepare()), message);
  if (outcome == WEFT_OUTCOME_OK)
    *out = verifier.release();
  return outcome;
}

/// Whether `port` is what the table of the model says of it.
static bool isSamePort(const weft_port &port, host::PortAttr attr) {
  RankedTensorType type = attr.getType();
  if (port.name != attr.getName() ||
      static_cast<int32_t>(port.dtype) != getDtype(type.getElementType()) ||
      port.rank != type.getRank() ||
      port.role != static_cast<weft_role>(attr.getRole()) ||
      port.twin != attr.getTwin())
    return false;
  for (auto [i, size] : llvm::enumerate(type.getShape()))
    if (port.dims[i].symbol != attr.getSymbols()[i] ||
        (ShapedType::isStatic(size) && port.dims[i].size != size))
      return false;
  return true;
}

static LogicalResult matchPorts(CompileSession &session, StringRef kind,
                                StringRef attrName, ArrayRef<weft_port> ports) {
  auto attrs = session.module.get()->getAttrOfType<ArrayAttr>(attrName);
  if (attrs.size() != ports.size())
    return session.fail(Problem::Mismatch,
                        "the program has " + Twine(ports.size()) + " " + kind +
                            "s, the model " + Twine(attrs.size()));
  for (auto [attr, port] :
       llvm::zip_equal(attrs.getAsRange<host::PortAttr>(), ports))
    if (!isSamePort(port, attr))
      return session.fail(Problem::Mismatch,
                          kind + " '" + Twine(port.name) +
                              "' of the program is not like that of the model");
  return success();
}

static LogicalResult matchKernel(CompileSession &session,
                                 const KernelCheck &check,
                                 const weft_kernel &kernel) {
  ArrayAttr nodes = check.getNodes(kernel.name);
  std::string wanted;
  if (nodes)
    wanted =
        llvm::join(llvm::map_range(nodes.getAsValueRange<StringAttr>(),
                                   [](StringRef node) { return node.str(); }),
                   "\n");
  if (nodes && wanted == kernel.nodes)
    return success();
  return session.fail(
      Problem::Mismatch,
      "the program's kernel '" + Twine(kernel.name) +
          "' is none of the model's: was it compiled from it, with "
          "the same options?");
}

extern "C" weft_outcome weft_verifier_match(weft_verifier *verifier,
                                            const weft_program *program,
                                            char **message) {
  CompileSession &session = verifier->session;
  auto match = [&]() -> LogicalResult {
    if (failed(matchPorts(session, "input", host::inputsAttrName,
                          ArrayRef(program->inputs, program->num_inputs))) ||
        failed(matchPorts(session, "output", host::outputsAttrName,
                          ArrayRef(program->outputs, program->num_outputs))))
      return failure();
    for (int32_t i = 0; i < program->num_kernels; ++i)
      if (failed(matchKernel(session, *verifier->check, program->kernels[i])))
        return failure();
    return success();
  };
  return session.finish(failed(match()), message);
}

extern "C" void weft_verifier_read_with(weft_verifier *verifier,
                                        int32_t (*read)(void *, const void *,
                                                        int64_t)) {
  verifier->check->readWith(read);
}

extern "C" void weft_verifier_announce(weft_verifier *verifier,
                                       const weft_kernel *kernel,
                                       void *const *words) {
  verifier->check->announce(kernel->name, words);
}

extern "C" weft_outcome
weft_verifier_check(weft_verifier *verifier, const weft_kernel *kernel,
                    void *const *words, int32_t *num_results, int32_t *result,
                    weft_difference *out, char **message) {
  *num_results = *result = 0;
  *out = {};
  CompileSession &session = verifier->session;
  if (!verifier->check->getNodes(kernel->name)) {
    (void)session.fail(Problem::Mismatch,
                       "the model has no kernel '" + Twine(kernel->name) + "'");
    return session.finish(/*hasFailed=*/true, message);
  }
  auto differences = verifier->check->check(kernel->name, words);
  if (failed(differences))
    return session.finish(/*hasFailed=*/true, message);
  *num_results = differences->size();
  for (auto [i, difference] : llvm::enumerate(*differences))
    if (difference.ratio > (*differences)[*result].ratio)
      *result = i;
  if (!differences->empty())
    describeDifference((*differences)[*result], out);
  return session.finish(/*hasFailed=*/false, message);
}

extern "C" weft_outcome weft_verifier_find_not_finite(weft_verifier *verifier,
                                                      const weft_kernel *kernel,
                                                      void *const *words,
                                                      char **found,
                                                      char **message) {
  *found = nullptr;
  CompileSession &session = verifier->session;
  if (!verifier->check->getNodes(kernel->name)) {
    (void)session.fail(Problem::Mismatch,
                       "the model has no kernel '" + Twine(kernel->name) + "'");
    return session.finish(/*hasFailed=*/true, message);
  }
  auto text = verifier->check->findNotFinite(kernel->name, words);
  if (failed(text))
    return session.finish(/*hasFailed=*/true, message);
  if (!text->empty())
    *found = strdup(text->c_str());
  return session.finish(/*hasFailed=*/false, message);
}

extern "C" void weft_verifier_release(weft_verifier *verifier) {
  delete verifier;
}
