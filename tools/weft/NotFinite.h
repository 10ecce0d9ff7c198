//===- NotFinite.h - Where infinities and NaN come from -------------------===//
//
// Needs compiler and runtime alone: the Python package has it, too.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TOOLS_WEFT_NOTFINITE_H
#define WEFT_TOOLS_WEFT_NOTFINITE_H

#include "weft-c/compiler.h"
#include "weft-rt/train.h"
#include <algorithm>
#include <string>
#include <vector>

namespace weft::tool {

/// Watches the launches of a run for the op that makes the first number that is
/// not finite.
class NotFiniteSearch {
public:
  /// Compiles the model in file `path` once more, with the same options as
  /// `program`, which must outlive this object.
  NotFiniteSearch(const char *path, const weft_compile_options &options,
                  const weft_program &program)
      : program(program) {
    char *message = nullptr;
    if (weft_verifier_create(path, &options, /*scale=*/1, &verifier, &message))
      problem = message;
    else if (program.device)
      weft_verifier_read_with(verifier, weft_launch_read);
    weft_message_free(message);
  }
  NotFiniteSearch(const NotFiniteSearch &) = delete;
  ~NotFiniteSearch() { weft_verifier_release(verifier); }

  /// Makes a session with these options tell of its launches. This object must
  /// outlive the session.
  void watch(weft_session_options &options) {
    options.announce = [](void *self, int32_t kernel, void *const *words) {
      static_cast<NotFiniteSearch *>(self)->announce(kernel, words);
    };
    options.observe = [](void *self, int32_t kernel, void *const *words) {
      static_cast<NotFiniteSearch *>(self)->observe(kernel, words);
    };
    options.observe_user = this;
  }

  /// Makes the step that `failed` has made in vain once more, and tells what
  /// was found out.
  std::string repeat(weft_model *model, weft_trainer *failed,
                     const std::vector<weft_tensor> &inputs, float rate,
                     int64_t seed);

  /// Who made it; empty if nobody was seen to.
  std::string found;
  /// Why it can't be told; empty if nothing went wrong.
  std::string problem;

private:
  void announce(int32_t kernel, void *const *words) {
    if (verifier && found.empty() && problem.empty())
      weft_verifier_announce(verifier, &program.kernels[kernel], words);
  }
  void observe(int32_t kernel, void *const *words) {
    if (!verifier || !found.empty() || !problem.empty())
      return;
    char *text = nullptr, *message = nullptr;
    if (weft_verifier_find_not_finite(verifier, &program.kernels[kernel], words,
                                      &text, &message))
      problem = message;
    if (text)
      found = text;
    weft_message_free(text);
    weft_message_free(message);
  }
  void tell(weft_status status) {
    if (status)
      problem = weft_last_error();
  }
  void runAgain(weft_trainer *again, weft_trainer *failed,
                const std::vector<weft_tensor> &inputs, float rate,
                int64_t seed);

  const weft_program &program;
  weft_verifier *verifier = nullptr;
};

/// Whether all elements of a tensor are finite, as far as they are f32 or f64.
inline bool isFinite(const weft_tensor &tensor) {
  auto isNull = [](auto number) { return number - number == 0; };
  int64_t count = tensor.bytes / weft_dtype_bytes(tensor.dtype);
  for (int64_t i = 0; i < count; ++i)
    if (tensor.dtype == WEFT_F32
            ? !isNull(static_cast<const float *>(tensor.data)[i])
            : tensor.dtype == WEFT_F64 &&
                  !isNull(static_cast<const double *>(tensor.data)[i]))
      return false;
  return true;
}

inline void NotFiniteSearch::runAgain(weft_trainer *again, weft_trainer *failed,
                                      const std::vector<weft_tensor> &inputs,
                                      float rate, int64_t seed) {
  for (int32_t i = 0; i < weft_trainer_num_states(failed); ++i) {
    weft_tensor from, to;
    tell(weft_trainer_state(failed, i, &from));
    tell(weft_trainer_state(again, i, &to));
    if (!problem.empty())
      return;
    auto *bytes = static_cast<const char *>(from.data);
    std::copy(bytes, bytes + from.bytes, static_cast<char *>(to.data));
    tell(weft_trainer_changed(again, i));
  }
  size_t count = 0;
  for (int32_t i = 0; i < program.num_outputs; ++i)
    count += program.outputs[i].role != WEFT_ROLE_PARAMETER &&
             program.outputs[i].role != WEFT_ROLE_STATE;
  std::vector<weft_tensor> outputs(count);
  tell(weft_step(again, inputs.size(), inputs.data(), rate, seed,
                 outputs.size(), outputs.data()));
}

inline std::string
NotFiniteSearch::repeat(weft_model *model, weft_trainer *failed,
                        const std::vector<weft_tensor> &inputs, float rate,
                        int64_t seed) {
  for (int32_t i = 0; i < weft_trainer_num_states(failed); ++i) {
    weft_tensor state;
    if (!weft_trainer_state(failed, i, &state) && !isFinite(state))
      return std::string("'") + weft_trainer_state_port(failed, i)->name +
             "' was not finite before it: a gradient was not in an update "
             "before; with check=gradients the run ends there, and tells why";
  }
  weft_session_options options;
  weft_session_options_init(&options);
  watch(options);
  weft_trainer *again = nullptr;
  if (problem.empty())
    tell(weft_trainer_create(model, &options, &again));
  if (problem.empty())
    runAgain(again, failed, inputs, rate, seed);
  weft_trainer_release(again);
  if (!problem.empty())
    return "where it comes from can't be told: " + problem;
  return found.empty() ? "no node makes it of finite numbers" : found;
}

} // namespace weft::tool

#endif // WEFT_TOOLS_WEFT_NOTFINITE_H
