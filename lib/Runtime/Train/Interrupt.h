//===- Interrupt.h - Ends a loop on Ctrl-C --------------------------------===//

#ifndef WEFT_LIB_RUNTIME_TRAIN_INTERRUPT_H
#define WEFT_LIB_RUNTIME_TRAIN_INTERRUPT_H

#include <csignal>

namespace weft::train {

/// While one of these lives, the first SIGINT or SIGTERM is only noted; the
/// next one of its kind ends the process. At most one lives at a time.
class Interrupt {
public:
  explicit Interrupt(bool enabled);
  ~Interrupt();
  Interrupt(const Interrupt &) = delete;
  Interrupt &operator=(const Interrupt &) = delete;

  bool raised() const;

private:
  bool enabled;
  struct sigaction before[2] = {};
};

} // namespace weft::train

#endif // WEFT_LIB_RUNTIME_TRAIN_INTERRUPT_H
