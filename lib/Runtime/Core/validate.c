//===- validate.c - Programs that contradict themselves -------------------===//

#include "validate.h"
#include "roles.h"
#include "status.h"
#include <stdbool.h>

static weft_status check_dim(const weft_program *program, const char *kind,
                             const weft_port *port, int32_t axis,
                             int32_t least_symbol) {
  weft_dim dim = port->dims[axis];
  if (dim.symbol < least_symbol || dim.symbol >= program->num_symbols)
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "%s \"%s\" dimension %d mentions symbol %d, but there are "
                     "%d symbols",
                     kind, port->name, axis, dim.symbol, program->num_symbols);
  if (dim.symbol == -1 && dim.size < 0)
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "%s \"%s\" dimension %d has the negative size %lld", kind,
                     port->name, axis, (long long)dim.size);
  return WEFT_OK;
}

static weft_status check_ports(const weft_program *program, const char *kind,
                               const weft_port *ports, int32_t count,
                               int32_t least_symbol) {
  if (count < 0 || (count && !ports))
    return weft_fail(WEFT_ERROR_PROGRAM, "the list of %ss is broken", kind);
  for (int32_t i = 0; i < count; ++i) {
    const weft_port *port = &ports[i];
    if (!port->name)
      return weft_fail(WEFT_ERROR_PROGRAM, "%s %d has no name", kind, i);
    if (!weft_dtype_bytes(port->dtype))
      return weft_fail(WEFT_ERROR_PROGRAM,
                       "%s \"%s\" has the type %s (%d), which programs cannot "
                       "exchange",
                       kind, port->name, weft_dtype_name(port->dtype),
                       (int)port->dtype);
    if (port->rank < 0 || port->rank > WEFT_MAX_RANK ||
        (port->rank && !port->dims))
      return weft_fail(WEFT_ERROR_PROGRAM,
                       "%s \"%s\" has rank %d, wanted 0 to %d", kind,
                       port->name, port->rank, WEFT_MAX_RANK);
    for (int32_t axis = 0; axis < port->rank; ++axis) {
      weft_status status = check_dim(program, kind, port, axis, least_symbol);
      if (status)
        return status;
    }
  }
  return WEFT_OK;
}

static bool is_bound(const weft_program *program, int32_t symbol) {
  for (int32_t i = 0; i < program->num_inputs; ++i)
    for (int32_t axis = 0; axis < program->inputs[i].rank; ++axis)
      if (program->inputs[i].dims[axis].symbol == symbol)
        return true;
  return false;
}

static weft_status check_symbols(const weft_program *program) {
  for (int32_t i = 0; i < program->num_symbols; ++i) {
    const weft_symbol *symbol = &program->symbols[i];
    if (!symbol->name)
      return weft_fail(WEFT_ERROR_PROGRAM, "symbol %d has no name", i);
    if (symbol->min < 0 || symbol->min > symbol->max)
      return weft_fail(WEFT_ERROR_PROGRAM,
                       "symbol \"%s\" has the range %lld to %lld", symbol->name,
                       (long long)symbol->min, (long long)symbol->max);
    if (!is_bound(program, i))
      return weft_fail(WEFT_ERROR_PROGRAM,
                       "symbol \"%s\" is the size of no input", symbol->name);
  }
  return WEFT_OK;
}

static weft_status check_constant(const weft_constant *constant, int32_t i) {
  if (!constant->name)
    return weft_fail(WEFT_ERROR_PROGRAM, "constant %d has no name", i);
  bool embedded = constant->source == WEFT_CONSTANT_EMBEDDED;
  if (!embedded && constant->source != WEFT_CONSTANT_FILE)
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "constant \"%s\" comes from the unknown source %d",
                     constant->name, (int)constant->source);
  if (constant->size < 0 || constant->offset < 0 || constant->count < 0)
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "constant \"%s\" has a negative size, offset or count",
                     constant->name);
  if (embedded ? (constant->size && !constant->data) : !constant->file)
    return weft_fail(WEFT_ERROR_PROGRAM, "constant \"%s\" has no bytes",
                     constant->name);
  int32_t bits = constant->packed;
  if (bits != 0 && bits != 2 && bits != 4)
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "constant \"%s\" is packed to %d bits, wanted 2 or 4",
                     constant->name, bits);
  int64_t per_byte = bits ? 8 / bits : 1;
  int64_t needed =
      constant->count / per_byte + (constant->count % per_byte != 0);
  if (constant->size < needed)
    return weft_fail(
        WEFT_ERROR_PROGRAM, "constant \"%s\" has %lld elements in %lld bytes",
        constant->name, (long long)constant->count, (long long)constant->size);
  return WEFT_OK;
}

static weft_status check_constants(const weft_program *program) {
  for (int32_t i = 0; i < program->num_constants; ++i) {
    weft_status status = check_constant(&program->constants[i], i);
    if (status)
      return status;
  }
  return WEFT_OK;
}

static weft_status check_kernels(const weft_program *program) {
  for (int32_t i = 0; i < program->num_kernels; ++i)
    if (!program->kernels[i].name || !program->kernels[i].nodes)
      return weft_fail(WEFT_ERROR_PROGRAM, "kernel %d has no name or nodes", i);
  return WEFT_OK;
}

static weft_status check_device_kernel(const weft_program *program, int32_t i) {
  const weft_device_kernel *kernel = &program->device->kernels[i];
  if (!kernel->entry)
    return weft_fail(WEFT_ERROR_PROGRAM, "device kernel %d has no name", i);
  if (kernel->kernel < 0 || kernel->kernel >= program->num_kernels)
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "device kernel \"%s\" belongs to kernel %d, but there are "
                     "%d kernels",
                     kernel->entry, kernel->kernel, program->num_kernels);
  const int32_t *block = kernel->block, *cluster = kernel->cluster;
  bool clustered = cluster[0] > 0 && cluster[1] > 0 && cluster[2] > 0;
  if (kernel->num_args < 0 || block[0] < 1 || block[1] < 1 || block[2] < 1 ||
      (!clustered && (cluster[0] || cluster[1] || cluster[2])))
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "device kernel \"%s\" has %d arguments, blocks of %d x %d "
                     "x %d threads and clusters of %d x %d x %d blocks",
                     kernel->entry, kernel->num_args, block[0], block[1],
                     block[2], cluster[0], cluster[1], cluster[2]);
  return WEFT_OK;
}

static weft_status check_device(const weft_program *program) {
  const weft_device_code *code = program->device;
  if (!code)
    return WEFT_OK;
  if (!code->image || code->image_bytes <= 0 || !code->arena_bytes ||
      code->num_kernels < 0 || (code->num_kernels && !code->kernels) ||
      code->num_places < 0 || (code->num_places && !code->places))
    return weft_fail(WEFT_ERROR_PROGRAM, "the program's device code is broken");
  for (int32_t i = 0; i < code->num_kernels; ++i) {
    weft_status status = check_device_kernel(program, i);
    if (status)
      return status;
  }
  for (int32_t i = 0; i < code->num_places; ++i)
    if (!code->places[i])
      return weft_fail(WEFT_ERROR_PROGRAM, "place %d has no text", i);
  return WEFT_OK;
}

static weft_status check_buffers(const weft_program *program) {
  bool ok = program->memory_budget >= 0 && program->num_buffers >= 0 &&
            (!program->num_buffers || program->buffers);
  for (int32_t i = 0; ok && i < program->num_buffers; ++i) {
    const weft_planned_buffer *buffer = &program->buffers[i];
    ok = buffer->name && buffer->bytes >= 0 && buffer->num_symbols >= 0 &&
         (!buffer->num_symbols || buffer->symbols);
    for (int32_t j = 0; ok && j < buffer->num_symbols; ++j)
      ok = buffer->symbols[j] >= 0 && buffer->symbols[j] < program->num_symbols;
  }
  return ok ? WEFT_OK
            : weft_fail(WEFT_ERROR_PROGRAM,
                        "the memory budget or the list of buffers is broken");
}

weft_status weft_program_validate(const weft_program *program) {
  if (program->abi != WEFT_PROGRAM_ABI)
    return weft_fail(WEFT_ERROR_ABI,
                     "the program has ABI version %u, wanted %u",
                     (unsigned)program->abi, (unsigned)WEFT_PROGRAM_ABI);
  if (!program->name || !program->producer || !program->target ||
      !program->run || !program->arena_bytes || program->scratch_bytes < 0)
    return weft_fail(WEFT_ERROR_PROGRAM, "the program's head is broken");
  if (program->num_symbols < 0 || (program->num_symbols && !program->symbols) ||
      program->num_constants < 0 ||
      (program->num_constants && !program->constants) ||
      program->num_kernels < 0 || (program->num_kernels && !program->kernels))
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "the list of symbols, constants or kernels is broken");
  // Only outputs may have sizes that the run finds (-2).
  weft_status status =
      check_ports(program, "input", program->inputs, program->num_inputs, -1);
  if (!status)
    status = check_ports(program, "output", program->outputs,
                         program->num_outputs, -2);
  if (!status)
    status = check_symbols(program);
  if (!status)
    status = check_buffers(program);
  if (!status)
    status = check_constants(program);
  if (!status)
    status = check_kernels(program);
  if (!status)
    status = check_device(program);
  if (!status)
    status = weft_roles_validate(program);
  return status;
}
