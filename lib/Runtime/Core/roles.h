//===- roles.h - What the ports of a program are for ----------------------===//

#ifndef WEFT_RUNTIME_CORE_ROLES_H
#define WEFT_RUNTIME_CORE_ROLES_H

#include "weft-rt/weft.h"

/// Checks the roles of the ports of `program`, each of which is sound apart
/// from them, and so are the constants.
weft_status weft_roles_validate(const weft_program *program);

#endif // WEFT_RUNTIME_CORE_ROLES_H
