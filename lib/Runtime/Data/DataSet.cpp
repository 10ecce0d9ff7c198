//===- DataSet.cpp - Samples that a program is trained on -----------------===//

#include "weft/Runtime/Data/DataSet.h"
#include <algorithm>
#include <cmath>
#include <numeric>

using namespace weft::data;

Result<Want> weft::data::wantOf(const weft_port &port) {
  if (port.rank < 1)
    return {Error::Mismatch,
            std::string("the program's input '") + port.name +
                "' is a scalar, so that it can't take a batch of samples; give "
                "it a first dimension in the model"};
  Want want{port.name, port.dtype, {}};
  for (int32_t i = 1; i < port.rank; ++i)
    want.dims.push_back(port.dims[i].symbol == -1 ? port.dims[i].size : -1);
  return want;
}

int64_t weft::data::bytesOf(const Field &field) {
  int64_t bytes = 0;
  bool fits = multiply(field.dims, bytesOf(field.dtype), bytes);
  assert(fits && "data sets check this when they are made");
  (void)fits;
  return bytes;
}

Result<Split> weft::data::splitSamples(int64_t samples, double fraction,
                                       uint64_t seed) {
  if (std::isnan(fraction) || fraction < 0 || fraction >= 1)
    return {Error::Option, "the fraction for validation is " +
                               std::to_string(fraction) +
                               ", wanted at least 0 and less than 1"};
  Split split;
  std::vector<int64_t> &all = split.training;
  all.resize(samples);
  std::iota(all.begin(), all.end(), 0);
  if (fraction == 0)
    return split;
  if (samples < 2)
    return {Error::Empty, "a data set of " + std::to_string(samples) +
                              " samples can't be split for validation; give "
                              "validation data of its own"};
  int64_t aside =
      std::clamp<int64_t>(std::llround(samples * fraction), 1, samples - 1);
  shuffle(all, Random(seed, Random::Split, 0, 0));
  split.validation.assign(all.end() - aside, all.end());
  all.resize(samples - aside);
  std::sort(all.begin(), all.end());
  std::sort(split.validation.begin(), split.validation.end());
  return split;
}
