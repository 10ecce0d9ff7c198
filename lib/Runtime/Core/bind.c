//===- bind.c - The values that inputs give to symbols --------------------===//

#include "bind.h"
#include "status.h"
#include "tensor.h"
#include <stdlib.h>

weft_status weft_binding_create(const weft_program *program,
                                weft_binding *out) {
  // One more, so that a program without symbols has an address for them too.
  size_t count = (size_t)program->num_symbols + 1;
  out->values = calloc(count, sizeof(*out->values));
  out->sources = calloc(count, sizeof(*out->sources));
  if (out->values && out->sources)
    return WEFT_OK;
  weft_binding_destroy(out);
  return weft_fail(WEFT_ERROR_MEMORY, "no memory for %zu symbols", count);
}

void weft_binding_destroy(weft_binding *binding) {
  free(binding->values);
  free(binding->sources);
  *binding = (weft_binding){0};
}

weft_status weft_symbol_check(const weft_symbol *symbol, int64_t value) {
  if (value >= symbol->min && value <= symbol->max)
    return WEFT_OK;
  return weft_fail(WEFT_ERROR_SYMBOL_RANGE,
                   "symbol \"%s\" is %lld, wanted %lld to %lld", symbol->name,
                   (long long)value, (long long)symbol->min,
                   (long long)symbol->max);
}

// The first dimension that mentions a symbol binds it.
static weft_status bind_symbol(weft_binding *binding,
                               const weft_program *program, int32_t input,
                               int32_t axis, int64_t found) {
  const char *name = program->inputs[input].name;
  int32_t number = program->inputs[input].dims[axis].symbol;
  const weft_symbol *symbol = &program->symbols[number];
  struct weft_binding_source *source = &binding->sources[number];
  if (source->input >= 0) {
    if (binding->values[number] == found)
      return WEFT_OK;
    return weft_fail(WEFT_ERROR_SYMBOL_CONFLICT,
                     "symbol \"%s\" is %lld in input \"%s\" dimension %d, but "
                     "%lld in input \"%s\" dimension %d",
                     symbol->name, (long long)binding->values[number],
                     program->inputs[source->input].name, source->axis,
                     (long long)found, name, axis);
  }
  if (found < symbol->min || found > symbol->max)
    return weft_fail(WEFT_ERROR_SYMBOL_RANGE,
                     "input \"%s\" dimension %d gives symbol \"%s\" the value "
                     "%lld, wanted %lld to %lld",
                     name, axis, symbol->name, (long long)found,
                     (long long)symbol->min, (long long)symbol->max);
  binding->values[number] = found;
  *source = (struct weft_binding_source){input, axis};
  return WEFT_OK;
}

static weft_status bind_dims(weft_binding *binding, const weft_program *program,
                             int32_t input, const weft_tensor *tensor) {
  const weft_port *port = &program->inputs[input];
  for (int32_t axis = 0; axis < port->rank; ++axis) {
    weft_dim wanted = port->dims[axis];
    int64_t found = tensor->dims[axis];
    if (wanted.symbol < 0 ? found != wanted.size : found < 0)
      return weft_fail(WEFT_ERROR_SIZE,
                       "input \"%s\" dimension %d is %lld, wanted %lld%s",
                       port->name, axis, (long long)found,
                       wanted.symbol < 0 ? (long long)wanted.size : 0LL,
                       wanted.symbol < 0 ? "" : " or more");
    if (wanted.symbol < 0)
      continue;
    weft_status status = bind_symbol(binding, program, input, axis, found);
    if (status)
      return status;
  }
  return WEFT_OK;
}

static weft_status check_memory(const weft_port *port,
                                const weft_tensor *tensor) {
  int64_t bytes;
  if (!weft_tensor_size(port->dtype, port->rank, tensor->dims, &bytes))
    return weft_fail(WEFT_ERROR_OVERFLOW,
                     "the bytes of input \"%s\" do not fit into 64 bits",
                     port->name);
  if (bytes && !tensor->data)
    return weft_fail(WEFT_ERROR_INPUT_MEMORY,
                     "input \"%s\" has no memory, wanted %lld bytes",
                     port->name, (long long)bytes);
  if (tensor->bytes < bytes)
    return weft_fail(WEFT_ERROR_INPUT_MEMORY,
                     "input \"%s\" has %lld bytes of memory, wanted %lld",
                     port->name, (long long)tensor->bytes, (long long)bytes);
  return WEFT_OK;
}

static weft_status bind_input(weft_binding *binding,
                              const weft_program *program, int32_t input,
                              const weft_tensor *tensor) {
  const weft_port *port = &program->inputs[input];
  if (tensor->dtype != port->dtype)
    return weft_fail(WEFT_ERROR_DTYPE,
                     "input \"%s\" has element type %s, wanted %s", port->name,
                     weft_dtype_name(tensor->dtype),
                     weft_dtype_name(port->dtype));
  if (tensor->rank != port->rank)
    return weft_fail(WEFT_ERROR_RANK, "input \"%s\" has rank %d, wanted %d",
                     port->name, tensor->rank, port->rank);
  weft_status status = bind_dims(binding, program, input, tensor);
  return status ? status : check_memory(port, tensor);
}

weft_status weft_binding_bind(weft_binding *binding,
                              const weft_program *program, int32_t num_inputs,
                              const weft_tensor *inputs) {
  if (num_inputs != program->num_inputs)
    return weft_fail(WEFT_ERROR_INPUT_COUNT, "got %d inputs, wanted %d",
                     num_inputs, program->num_inputs);
  if (num_inputs && !inputs)
    return weft_fail(WEFT_ERROR_ARGUMENT, "the list of inputs is NULL");
  for (int32_t i = 0; i < program->num_symbols; ++i)
    binding->sources[i].input = -1;
  for (int32_t i = 0; i < num_inputs; ++i) {
    weft_status status = bind_input(binding, program, i, &inputs[i]);
    if (status)
      return status;
  }
  return WEFT_OK;
}
