//===- validate.h - Programs that contradict themselves -------------------===//

#ifndef WEFT_RUNTIME_CORE_VALIDATE_H
#define WEFT_RUNTIME_CORE_VALIDATE_H

#include "weft-rt/weft.h"

/// Checks what a program says of itself, so that nobody after has to.
weft_status weft_program_validate(const weft_program *program);

#endif // WEFT_RUNTIME_CORE_VALIDATE_H
