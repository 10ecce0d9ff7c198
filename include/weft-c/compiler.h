/*===- compiler.h - The C face of the compiler ----------------------------===*\
|*                                                                            *|
|* Compiles models into this process or into files. All functions may be      *|
|* called from any thread; each call stands on its own. Programs are run by   *|
|* the runtime (weft-rt/weft.h).                                              *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef WEFT_C_COMPILER_H
#define WEFT_C_COMPILER_H

#include "weft-rt/program.h"
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What became of a call; the values are the exit codes of the tool `weft`.
typedef enum weft_outcome {
  WEFT_OUTCOME_OK = 0,
  WEFT_OUTCOME_ERROR = 1,
  WEFT_OUTCOME_UNSUPPORTED = 77, ///< the model is sound, but not all of it has
                                 ///< a lowering
} weft_outcome;

/// How to compile. Fill it with weft_compile_options_init() first.
typedef struct weft_compile_options {
  const char *mcpu; ///< processor, NULL for this machine's
  const char *dims; ///< limits of symbolic sizes, "N=1:64,M=1:8", or NULL
  const char *dump_stages; ///< folder for the IR of each stage, or NULL
  const char *start_at;    ///< stage that a `.mlir` file is of, NULL: "import"
  const char *stop_after;  ///< stage after which to stop, for `mlir` output
  int32_t opt_level;       ///< of LLVM, 0 to 3
} weft_compile_options;

void weft_compile_options_init(weft_compile_options *options);

/// A program compiled into this process.
typedef struct weft_compiled weft_compiled;

/// Compiles the model in file `path` (`.onnx`, ONNX text, or `.mlir`). On
/// success `*out` is to be released. On failure `*message` tells why; it is to
/// be freed with weft_message_free(), as are warnings after a success, if not
/// NULL.
weft_outcome weft_compile_file(const char *path,
                               const weft_compile_options *options,
                               weft_compiled **out, char **message);

/// The same for a model in memory; the bytes are copied.
weft_outcome weft_compile_bytes(const void *bytes, size_t size,
                                const weft_compile_options *options,
                                weft_compiled **out, char **message);

/// The program, which lives as long as `compiled`.
const weft_program *weft_compiled_program(const weft_compiled *compiled);
void weft_compiled_release(weft_compiled *compiled);

/// Compiles the model in file `path` and writes `output`. What is written goes
/// by `emit`: one of "so", "obj", "lib", "asm", "llvm", or the name of a stage
/// for its IR ("import", "tensor", "dispatch", "kernel", "host", "object").
weft_outcome weft_compile_to_file(const char *path, const char *emit,
                                  const char *output,
                                  const weft_compile_options *options,
                                  char **message);

/// The same for a model in memory; the bytes are copied.
weft_outcome weft_compile_bytes_to_file(const void *bytes, size_t size,
                                        const char *emit, const char *output,
                                        const weft_compile_options *options,
                                        char **message);

/// Checks that the model can be read and lowered, without compiling it.
weft_outcome weft_check_file(const char *path, char **message);

/// Describes the model as JSON: inputs, outputs, symbols, numbers of nodes by
/// operator, parameters, and the work of a run, "flops": arithmetic operations
/// in total and by operator, and the bytes that the operators read and write
/// (fusion saves some). Symbolic sizes count as one there; it is left out of
/// models that can't be lowered. `*json` is to be freed with weft_message_free().
weft_outcome weft_inspect_file(const char *path, char **json, char **message);

/// Describes as JSON what Weft knows: the operators of ONNX, whether they have
/// a lowering and for which element types, and the ops of the tensor language,
/// how they are computed and whether they have a gradient. To be freed with
/// weft_message_free().
char *weft_describe_operators(void);

void weft_message_free(char *message);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_C_COMPILER_H */
