//===- Guard.h - Where exceptions of the standard library end -------------===//

#ifndef WEFT_LIB_RUNTIME_DATA_GUARD_H
#define WEFT_LIB_RUNTIME_DATA_GUARD_H

#include "weft/Runtime/Data/Status.h"
#include <new>
#include <stdexcept>

namespace weft::data {

/// What `action` returns, a Status or Result; where memory for a container runs
/// out, an error that says what it was for.
template <typename Action>
auto guard(const char *what, const std::string &name, Action action)
    -> decltype(action()) {
  try {
    return action();
  } catch (const std::bad_alloc &) {
  } catch (const std::length_error &) {
  }
  return Status(Error::Memory, std::string("there is no memory for ") + what +
                                   " '" + name + "'");
}

} // namespace weft::data

#endif // WEFT_LIB_RUNTIME_DATA_GUARD_H
