//===- brokendriver.c - Drivers that will not do --------------------------===//
//
// Has all calls of a driver, which do nothing. What is wrong with it is defined
// when it is compiled: BROKEN_VERSION, which it tells; BROKEN_VERSION_RESULT
// and BROKEN_INIT_RESULT, which calls return; BROKEN_LACKS_LAUNCH.
//
//===----------------------------------------------------------------------===//

#include "CUDA/driver_api.h"

#ifndef BROKEN_VERSION
#define BROKEN_VERSION 13000
#endif
#ifndef BROKEN_VERSION_RESULT
#define BROKEN_VERSION_RESULT 0
#endif
#ifndef BROKEN_INIT_RESULT
#define BROKEN_INIT_RESULT 0
#endif

// These are written by hand below.
#define cuInit unused_cuInit
#define cuDriverGetVersion unused_cuDriverGetVersion
#ifdef BROKEN_LACKS_LAUNCH
#define cuGraphLaunch unused_cuGraphLaunch
#endif
#define WEFT_DRIVER_CALL(name, parameters)                                     \
  CUresult name parameters { return CUDA_SUCCESS; }
#include "CUDA/driver_table.def"
#undef cuInit
#undef cuDriverGetVersion

CUresult cuInit(unsigned flags) {
  (void)flags;
  return (CUresult)BROKEN_INIT_RESULT;
}

CUresult cuDriverGetVersion(int *version) {
  *version = BROKEN_VERSION;
  return (CUresult)BROKEN_VERSION_RESULT;
}
