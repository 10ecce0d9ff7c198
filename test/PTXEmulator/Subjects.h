//===- Subjects.h - Kernels that are run as a whole ---------------*- C++
//-*-===//

#ifndef WEFT_TEST_PTXEMULATOR_SUBJECTS_H
#define WEFT_TEST_PTXEMULATOR_SUBJECTS_H

#include "Harness.h"

namespace weft::ptx::test {

/// The text of corpus/kernels.ptx.
std::string corpusText();

/// Runs one kernel of the corpus on inputs of its own. Returns nothing if its
/// results are right, else what is wrong: a fault's message, or "wrong result".
using Subject = std::string (*)(Memory &, const Module &, const Options &);

std::string runSoftmax(Memory &, const Module &, const Options &);
std::string runMatmul(Memory &, const Module &, const Options &);
std::string runHistogram(Memory &, const Module &, const Options &);
std::string runSumAll(Memory &, const Module &, const Options &);
std::string runRotate(Memory &, const Module &, const Options &);
std::string runTensor(Memory &, const Module &, const Options &);
std::string runStream(Memory &, const Module &, const Options &);
std::string runWarpgroup(Memory &, const Module &, const Options &);

} // namespace weft::ptx::test

#endif // WEFT_TEST_PTXEMULATOR_SUBJECTS_H
