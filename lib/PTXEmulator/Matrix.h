//===- Matrix.h - Products of the warp group that are under way ---*- C++
//-*-===//

#ifndef WEFT_PTXEMULATOR_MATRIX_H
#define WEFT_PTXEMULATOR_MATRIX_H

#include "Machine.h"

namespace weft::ptx {

/// The asynchronous products (wgmma) of one warp.
struct MatrixQueue {};

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_MATRIX_H
