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
  const char *mcpu;      ///< processor, NULL for this machine's
  const char *target;    ///< what kernels run on, "cpu" or "cuda"; NULL: "cpu"
  const char *cuda_arch; ///< oldest GPU to run on, NULL: "sm_80"
  int32_t cuda_tf32;     ///< 1: products of f32 may round operands to tf32
  const char *dims;      ///< limits of symbolic sizes, "N=1:64,M=1:8", or NULL
  const char *dump_stages; ///< folder for the IR of each stage, or NULL
  const char *start_at;    ///< stage that a `.mlir` file is of, NULL: "import"
  const char *prefix;      ///< what the symbols of "obj" and "lib" begin with,
                           ///< so that several programs can be linked into one;
                           ///< NULL: "weft"
  const char *batch; ///< a name for the first dimension of all inputs, where
                     ///< that is fixed; NULL: it stays so
  int32_t keep_fixed_batch; ///< where `batch` can't be: 1: warn and leave it
                            ///< fixed; 0: fail
  int32_t opt_level;        ///< of LLVM, 0 to 3
  const char *preprocess;   ///< a graph, as weft_encode_graph() gives it, that
                            ///< is put in front of the model; NULL: none
  const char *training;     ///< NULL: a program for inference; else a training
                            ///< step with these settings, "loss=mse
                            ///< optimizer=adam" (see weft_describe_training)
  int64_t memory_budget; ///< the most bytes that a run may be planned to take,
                         ///< of the GPU where kernels run there; 0: any. What
                         ///< is known to take more is an error; what depends
                         ///< on symbolic sizes the runtime refuses
  /// Told what begins, if not NULL: "import", a later stage, "machine code" or
  /// "link". `progress_user` is passed on.
  void (*progress)(void *user, const char *step);
  void *progress_user;
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
/// by `emit`: one of "so", "obj", "lib" (with a header beside it), "header",
/// "asm", "llvm", "ptx", or the name of a stage for its IR ("import", "tensor",
/// "differentiate", "dispatch", "kernel", "host", "object"). Files appear whole
/// or not at all.
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
/// models that can't be lowered. `*json` is to be freed with
/// weft_message_free().
weft_outcome weft_inspect_file(const char *path, char **json, char **message);

/// Describes as JSON what Weft knows: the operators of ONNX, whether they have
/// a lowering and for which element types, and the ops of the tensor language,
/// how they are computed and whether they have a gradient. To be freed with
/// weft_message_free().
char *weft_describe_operators(void);

/// Describes this machine as JSON, as the compiler sees it: "triple", "cpu",
/// "features", "vector_bytes", "vector_registers", "l1_bytes", "l2_bytes",
/// "cores"; or "error", if it can't compile for it. To be freed with
/// weft_message_free().
char *weft_describe_host(void);

/// A tensor of a model and what it is to be.
typedef struct weft_tensor_update {
  const char *name; ///< of an initializer, or of what a Constant node makes
  weft_tensor value;
} weft_tensor_update;

/// Copies the model in file `path` to `output`, as binary ONNX, with other
/// values in some of its tensors, of the same types and shapes, and with
/// properties set: `metadata` holds `num_metadata` pairs of key and value. All
/// else stays, byte for byte, and values keep their form. External data is
/// copied beside the output; if the model lies there itself, files that change
/// get the name `<output>.<file>`. Files appear when all are complete.
weft_outcome weft_export_updated(const char *path, const char *output,
                                 int32_t num_updates,
                                 const weft_tensor_update *updates,
                                 int32_t num_metadata,
                                 const char *const *metadata, char **message);

/*===- A graph for samples ------------------------------------------------===*/

/// The property of a model that holds the graph which its samples go through
/// before it sees them, as weft_encode_graph() gives it.
#define WEFT_PREPROCESS_PROPERTY "weft.preprocess"

/// The model in file `path`, which can be put in front of others, as text that
/// a property can hold: `*graph`, to be freed with weft_message_free(). It has
/// one output, and keeps its tensors in itself.
weft_outcome weft_encode_graph(const char *path, char **graph, char **message);

/// What property `key` of the model in file `path` holds: `*value`, to be freed
/// with weft_message_free(); NULL if there is no such property.
weft_outcome weft_read_property(const char *path, const char *key, char **value,
                                char **message);

/// Compiles a graph that weft_encode_graph() gave by itself, for any number of
/// samples.
weft_outcome weft_compile_graph(const char *graph,
                                const weft_compile_options *options,
                                weft_compiled **out, char **message);

/// Writes the model in file `path` with `graph`, as weft_encode_graph() gives
/// it, in front of it to `output`, as binary ONNX of the newest operator set;
/// `output` may be `path`. NULL: only checks that it can be done.
weft_outcome weft_export_merged(const char *path, const char *graph,
                                const char *output, char **message);

/*===- Training -----------------------------------------------------------===*/

/// Tells as JSON what training would do with each constant of the model: an
/// array of objects with "name", "type", "trained" and "reason". `settings` are
/// those of training, of which "train" and "freeze" matter; NULL: none.
/// `*json` is to be freed with weft_message_free().
weft_outcome weft_inspect_trainable(const char *path, const char *settings,
                                    char **json, char **message);

/// Tells as JSON of the training that the model brings along in its training
/// info; null if there is none. An object with "algorithms", their number,
/// "loss", the name of what is minimised (absent if unknown), "rate", its
/// "name" and perhaps its "default" (absent if the algorithm takes none),
/// "updates", an array of objects with "name", "role" (parameter or state) and
/// "value", "initialized", names of what initialization assigns to, and
/// "inputs", names of what an iteration is given. `settings` are those of
/// training, of which "loss" matters; NULL: none. `*json` is to be freed with
/// weft_message_free().
weft_outcome weft_inspect_training(const char *path, const char *settings,
                                   char **json, char **message);

/// Writes the model in file `path` to `output`, as binary ONNX of the newest
/// operator set, with training info: the training step that weft_compile_file()
/// makes with these settings, in ONNX's own terms, and `rate` as its learning
/// rate where nobody says otherwise.
weft_outcome weft_export_training(const char *path, const char *settings,
                                  double rate, const char *output,
                                  char **message);

/// Tells as JSON what the backward pass of a training step
/// (`options->training`) needs of the forward pass: "kept", the values that are
/// in memory until then, each with the "node" that makes it, "type", "bytes"
/// and, in "read_by", the nodes of each kernel that reads it; "kept_bytes"; and
/// "recomputed": the "nodes" that a kernel of the backward pass computes again,
/// with all that it computes, "in". Symbolic sizes are the least of
/// `options->dims`, else one.
/// `*json` is to be freed with weft_message_free().
weft_outcome weft_inspect_backward(const char *path,
                                   const weft_compile_options *options,
                                   char **json, char **message);

/// The settings of training steps, one line each: name, values, meaning. To be
/// freed with weft_message_free().
char *weft_describe_training(void);

/*===- Tensors ------------------------------------------------------------===*/

/// Reads a file that holds one ONNX tensor, such as `input_0.pb` of ONNX's test
/// data. `*name` is what the file calls it, to be freed with
/// weft_message_free(); `out` is to be freed with weft_tensor_free().
weft_outcome weft_tensor_read(const char *path, weft_tensor *out, char **name,
                              char **message);
void weft_tensor_free(weft_tensor *tensor);

/// How far a tensor is from what it should be.
typedef struct weft_difference {
  int64_t elements; ///< that were compared
  int64_t outside;  ///< of these, how many are outside the tolerance
  int64_t worst;    ///< the one furthest out, in row-major order; -1: none
  double got, want; ///< what that is and should be
  double error;     ///< |got - want|
  double allowed;   ///< how much that may be
} weft_difference;

/// Compares two tensors. An element may be off by `relative * |want| +
/// absolute`. Fails if they differ in shape or element type.
weft_outcome weft_tensor_compare(const weft_tensor *got,
                                 const weft_tensor *want, double relative,
                                 double absolute, weft_difference *out,
                                 char **message);

/*===- The reference evaluator --------------------------------------------===*/

/// A model that is evaluated op by op, by naive loops: what compiled programs
/// are compared with. One thread at a time may use it.
typedef struct weft_reference weft_reference;

/// Reads the model in file `path`. On success `*out` is to be released.
weft_outcome weft_reference_create(const char *path,
                                   const weft_compile_options *options,
                                   weft_reference **out, char **message);

/// The inputs, outputs and symbols of the model, as those of a program that has
/// no kernels and can't be run.
const weft_program *weft_reference_program(const weft_reference *reference);

/// Evaluates the model. The outputs belong to `reference`, until it is run
/// again or released.
weft_outcome weft_reference_run(weft_reference *reference, int32_t num_inputs,
                                const weft_tensor *inputs, int32_t num_outputs,
                                weft_tensor *outputs, char **message);
void weft_reference_release(weft_reference *reference);

/*===- Kernels against the reference --------------------------------------===*/

/// The kernels of a model and what they should compute. One thread at a time
/// may use it.
typedef struct weft_verifier weft_verifier;

/// Compiles the model in file `path` as far as its kernels. `scale` widens or
/// narrows the tolerances, which are (times the element and the root of the
/// mean square of all) 1e-4 for f32, 1e-10 for f64, four units in the last
/// place for narrower floats, and nothing for integers. On success `*out` is to
/// be released.
weft_outcome weft_verifier_create(const char *path,
                                  const weft_compile_options *options,
                                  double scale, weft_verifier **out,
                                  char **message);

/// Says how to read what the words of a launch point at: `read` copies, and
/// returns 0 after a success. Without, it is memory of this process. Of
/// programs that run on a GPU it is not; weft_launch_read() (weft-rt/weft.h)
/// reads both.
void weft_verifier_read_with(weft_verifier *verifier,
                             int32_t (*read)(void *to, const void *from,
                                             int64_t bytes));

/// Fails unless `program` has the inputs, outputs and kernels that the model
/// has when it is compiled with the verifier's options.
weft_outcome weft_verifier_match(weft_verifier *verifier,
                                 const weft_program *program, char **message);

/// Is to be called before each launch of `kernel`, of a program that matches,
/// with the words of weft_observe_fn (weft-rt/weft.h): keeps what the kernel
/// will write over.
void weft_verifier_announce(weft_verifier *verifier, const weft_kernel *kernel,
                            void *const *words);

/// Is to be called after each launch of `kernel`, of a program that matches,
/// with the words of weft_observe_fn (weft-rt/weft.h). After the last of the
/// kernel's tasks, compares its results with what the reference evaluator makes
/// of its inputs. `*num_results` is the number of results that were compared, 0
/// before the last task; `*result` the one furthest out and `*out` how far.
weft_outcome weft_verifier_check(weft_verifier *verifier,
                                 const weft_kernel *kernel, void *const *words,
                                 int32_t *num_results, int32_t *result,
                                 weft_difference *out, char **message);

/// Is to be called in the place of weft_verifier_check(). If a result is not
/// finite, finds the first op whose result is not though its operands are, in
/// the kernel, and says so in `*found`, which is to be freed like a message;
/// else it is NULL.
weft_outcome weft_verifier_find_not_finite(weft_verifier *verifier,
                                           const weft_kernel *kernel,
                                           void *const *words, char **found,
                                           char **message);
void weft_verifier_release(weft_verifier *verifier);

/*===- Gradients against differences --------------------------------------===*/

/// Compares the gradients of the model's inputs and of what training would
/// change, with `options->training` for what that is, with central differences
/// in f64 along random directions, by the reference evaluator. `inputs` are
/// those of the model, in order. `*json` tells "right", the largest "error"
/// (relative to the sizes that are added up), of each of "tensors" its own,
/// and, if one is above `tolerance`, "first_bad": the first node whose own
/// gradient is, or null. It is to be freed with weft_message_free().
weft_outcome weft_verify_gradients(const char *path,
                                   const weft_compile_options *options,
                                   double tolerance, int32_t num_inputs,
                                   const weft_tensor *inputs, char **json,
                                   char **message);

void weft_message_free(char *message);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_C_COMPILER_H */
