//===- Interrupt.cpp - Ends a loop on Ctrl-C ------------------------------===//

#include "Interrupt.h"

using namespace weft::train;

static constexpr int signals[] = {SIGINT, SIGTERM};
static volatile std::sig_atomic_t noted = 0;

static void note(int) { noted = 1; }

Interrupt::Interrupt(bool enabled) : enabled(enabled) {
  noted = 0;
  if (!enabled)
    return;
  struct sigaction action = {};
  action.sa_handler = note;
  // The second one takes the default: the process ends at once.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 2; ++i)
    sigaction(signals[i], &action, &before[i]);
}

Interrupt::~Interrupt() {
  for (int i = 0; enabled && i < 2; ++i)
    sigaction(signals[i], &before[i], nullptr);
}

bool Interrupt::raised() const { return enabled && noted; }
