//===- otherabi.c - A program for a runtime that is not this one ----------===//

#include "weft-rt/program.h"
#include <stddef.h>

const weft_program *weft_program_query(uint32_t abi) {
  (void)abi;
  return NULL;
}
