//===- DataSet.cpp - Samples that a program is trained on -----------------===//

#include "weft/Runtime/Data/DataSet.h"
#include <algorithm>
#include <cmath>
#include <cstring>
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

Status Sample::allocate(size_t index, const Field &field) {
  tensors.resize(std::max(tensors.size(), index + 1));
  buffers.resize(tensors.size());
  int64_t bytes = bytesOf(field);
  if (buffers[index].size() < bytes || !buffers[index].data()) {
    Result<Buffer> buffer =
        Buffer::allocate(bytes, "a sample of '" + field.name + "'");
    if (!buffer.ok())
      return buffer.status();
    buffers[index] = buffer.take();
  }
  weft_tensor &tensor = tensors[index];
  tensor = {};
  tensor.data = buffers[index].data();
  tensor.bytes = bytes;
  tensor.dtype = field.dtype;
  tensor.rank = static_cast<int32_t>(field.dims.size());
  std::copy(field.dims.begin(), field.dims.end(), tensor.dims);
  return {};
}

Status DataSet::readWhole(int64_t index, const Visit &visit,
                          Sample &sample) const {
  std::vector<std::byte *> out;
  for (size_t i = 0; i < fields().size(); ++i) {
    if (Status status = sample.allocate(i, fields()[i]); !status.ok())
      return status;
    out.push_back(sample.buffers[i].data());
  }
  return read(index, visit, out);
}

Status DataSet::readField(size_t field, int64_t index, std::byte *out) const {
  Sample sample;
  if (Status status = readWhole(index, Visit(), sample); !status.ok())
    return status;
  memcpy(out, sample.tensors[field].data, sample.tensors[field].bytes);
  return {};
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
