//===- bind.h - The values that inputs give to symbols --------------------===//

#ifndef WEFT_RUNTIME_CORE_BIND_H
#define WEFT_RUNTIME_CORE_BIND_H

#include "weft-rt/weft.h"

/// The symbols of a program with their values, and where those come from.
typedef struct weft_binding {
  int64_t *values; ///< one for each symbol
  struct weft_binding_source {
    int32_t input, axis; ///< -1 while the symbol is unbound
  } *sources;
} weft_binding;

/// Makes room for the symbols of `program`.
weft_status weft_binding_create(const weft_program *program, weft_binding *out);

/// Frees it.
void weft_binding_destroy(weft_binding *binding);

/// Checks the inputs against the program and binds its symbols.
weft_status weft_binding_bind(weft_binding *binding,
                              const weft_program *program, int32_t num_inputs,
                              const weft_tensor *inputs);

/// Checks that the value is in the range of the symbol.
weft_status weft_symbol_check(const weft_symbol *symbol, int64_t value);

#endif // WEFT_RUNTIME_CORE_BIND_H
