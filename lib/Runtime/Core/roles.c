//===- roles.c - What the ports of a program are for ----------------------===//

#include "roles.h"
#include "status.h"
#include "tensor.h"

// True if a port of this type may have its role on this side of the program.
static bool is_allowed(const weft_port *port, bool is_input) {
  bool is_scalar = port->rank == 0;
  switch (port->role) {
  case WEFT_ROLE_DATA:
  case WEFT_ROLE_PARAMETER:
  case WEFT_ROLE_STATE:
    return true;
  case WEFT_ROLE_RATE:
    return is_input && is_scalar && port->dtype == WEFT_F32;
  case WEFT_ROLE_SEED:
    return is_input && is_scalar && port->dtype == WEFT_I64;
  case WEFT_ROLE_LOSS:
    return !is_input && is_scalar && port->dtype == WEFT_F32;
  case WEFT_ROLE_METRIC:
    return !is_input && is_scalar;
  }
  return false;
}

static bool is_state(const weft_port *port) {
  return port->role == WEFT_ROLE_PARAMETER || port->role == WEFT_ROLE_STATE;
}

// True if the two are of one role and one type, with fixed sizes.
static bool are_alike(const weft_port *port, const weft_port *other) {
  if (port->role != other->role || port->dtype != other->dtype ||
      port->rank != other->rank)
    return false;
  for (int32_t axis = 0; axis < port->rank; ++axis)
    if (port->dims[axis].symbol != -1 || other->dims[axis].symbol != -1 ||
        port->dims[axis].size != other->dims[axis].size)
      return false;
  return true;
}

static weft_status check_twin(const weft_port *port, const char *kind,
                              int32_t number, const weft_port *others,
                              int32_t count) {
  if (!is_state(port)) {
    if (port->twin == -1)
      return WEFT_OK;
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "%s \"%s\" is no state, but has the twin %d", kind,
                     port->name, port->twin);
  }
  if (port->twin < 0 || port->twin >= count ||
      others[port->twin].twin != number)
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "%s \"%s\" has the twin %d, which is not its twin", kind,
                     port->name, port->twin);
  if (are_alike(port, &others[port->twin]))
    return WEFT_OK;
  return weft_fail(WEFT_ERROR_PROGRAM,
                   "%s \"%s\" and its twin \"%s\" differ in type or role, or "
                   "have sizes that are not fixed",
                   kind, port->name, others[port->twin].name);
}

// Checks the constant that an input starts from.
static weft_status check_initial(const weft_program *program,
                                 const weft_port *port, bool is_input) {
  if (port->initial == -1)
    return WEFT_OK;
  if (!is_input || !is_state(port) || port->initial < 0 ||
      port->initial >= program->num_constants)
    return weft_fail(WEFT_ERROR_PROGRAM,
                     "\"%s\" starts from constant %d, but there are %d "
                     "constants, and only inputs that are state start from one",
                     port->name, port->initial, program->num_constants);
  const weft_constant *constant = &program->constants[port->initial];
  int64_t dims[WEFT_MAX_RANK], bytes = 0;
  for (int32_t axis = 0; axis < port->rank; ++axis)
    dims[axis] = port->dims[axis].size;
  bool fits = weft_tensor_size(port->dtype, port->rank, dims, &bytes);
  int64_t found = constant->packed ? constant->count : constant->size;
  if (fits && found >= bytes)
    return WEFT_OK;
  return weft_fail(WEFT_ERROR_PROGRAM,
                   "\"%s\" starts from constant \"%s\" of %lld bytes, wanted "
                   "%lld",
                   port->name, constant->name, (long long)found,
                   (long long)bytes);
}

static weft_status check_side(const weft_program *program, bool is_input) {
  const weft_port *ports = is_input ? program->inputs : program->outputs;
  const weft_port *others = is_input ? program->outputs : program->inputs;
  int32_t count = is_input ? program->num_inputs : program->num_outputs;
  int32_t num_others = is_input ? program->num_outputs : program->num_inputs;
  const char *kind = is_input ? "input" : "output";
  int32_t seen[WEFT_ROLE_METRIC + 1] = {0};
  for (int32_t i = 0; i < count; ++i) {
    const weft_port *port = &ports[i];
    if (!is_allowed(port, is_input))
      return weft_fail(WEFT_ERROR_PROGRAM,
                       "%s \"%s\" of type %s and rank %d has the role %d, "
                       "which it cannot have",
                       kind, port->name, weft_dtype_name(port->dtype),
                       port->rank, (int)port->role);
    bool is_single = port->role == WEFT_ROLE_RATE ||
                     port->role == WEFT_ROLE_SEED ||
                     port->role == WEFT_ROLE_LOSS;
    if (is_single && seen[port->role]++)
      return weft_fail(WEFT_ERROR_PROGRAM,
                       "%s \"%s\" is the second of the role %d", kind,
                       port->name, (int)port->role);
    if (is_input && port->early)
      return weft_fail(WEFT_ERROR_PROGRAM,
                       "input \"%s\" is marked as written early", port->name);
    weft_status status = check_twin(port, kind, i, others, num_others);
    if (!status)
      status = check_initial(program, port, is_input);
    if (status)
      return status;
  }
  return WEFT_OK;
}

weft_status weft_roles_validate(const weft_program *program) {
  weft_status status = check_side(program, true);
  return status ? status : check_side(program, false);
}
