//===- Transform.cpp - What is done to samples on their way ---------------===//

#include "weft/Runtime/Data/Transform.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace weft::data;

Result<Normalization> Normalization::create(std::span<const float> mean,
                                            std::span<const float> deviation,
                                            int64_t channels) {
  Normalization result;
  if (mean.empty() && deviation.empty())
    return result;
  for (auto [what, list] :
       {std::pair("means", mean), std::pair("deviations", deviation)})
    if (list.size() > 1 && static_cast<int64_t>(list.size()) != channels)
      return {Error::Option, std::to_string(list.size()) + " " + what +
                                 " for samples of " + std::to_string(channels) +
                                 " channels; give one for all, or one each"};
  auto at = [](std::span<const float> list, int64_t channel, float otherwise) {
    return list.empty() ? otherwise : list[list.size() == 1 ? 0 : channel];
  };
  for (int64_t channel = 0; channel < channels; ++channel) {
    float m = at(mean, channel, 0), d = at(deviation, channel, 1);
    if (!std::isfinite(m) || !(d > 0) || !std::isfinite(d))
      return {Error::Option, "mean " + std::to_string(m) + " and deviation " +
                                 std::to_string(d) +
                                 ": a deviation must be above 0"};
    result.factors.push_back(1 / d);
    result.offsets.push_back(m);
  }
  return result;
}

void Normalization::apply(float *values, int64_t plane) const {
  for (size_t channel = 0; channel < factors.size(); ++channel)
    for (float *end = values + plane; values < end; ++values)
      *values = (*values - offsets[channel]) * factors[channel];
}

namespace {
class TransformedSet : public DataSet {
public:
  TransformedSet(std::unique_ptr<DataSet> set, const TransformOptions &options,
                 Normalization normalization)
      : set(std::move(set)), options(options),
        normalization(std::move(normalization)) {}

  int64_t size() const override { return set->size(); }
  std::span<const Field> fields() const override { return set->fields(); }
  Status read(int64_t index, const Visit &visit,
              std::span<std::byte *const> out) const override;
  Status readField(size_t field, int64_t index, std::byte *out) const override {
    return field ? set->readField(field, index, out)
                 : DataSet::readField(field, index, out);
  }

private:
  void shift(float *plane, int64_t down, int64_t right) const;

  std::unique_ptr<DataSet> set;
  const TransformOptions options;
  const Normalization normalization;
};
} // namespace

/// Moves the pixels of a plane; those that come in are zeros.
void TransformedSet::shift(float *plane, int64_t down, int64_t right) const {
  int64_t height = fields()[0].dims[1], width = fields()[0].dims[2];
  int64_t kept = std::max<int64_t>(width - std::abs(right), 0);
  // Rows from the end that the move goes to, so that none is overwritten that
  // is still to be read.
  for (int64_t i = 0; i < height; ++i) {
    int64_t y = down > 0 ? height - 1 - i : i;
    float *to = plane + y * width;
    int64_t from = y - down;
    if (from < 0 || from >= height) {
      std::fill(to, to + width, 0.0f);
      continue;
    }
    const float *source = plane + from * width;
    int64_t skip = std::min(std::max<int64_t>(right, 0), width);
    memmove(to + skip, source + std::max<int64_t>(-right, 0),
            kept * sizeof(float));
    std::fill(to, to + skip, 0.0f);
    std::fill(to + skip + kept, to + width, 0.0f);
  }
}

Status TransformedSet::read(int64_t index, const Visit &visit,
                            std::span<std::byte *const> out) const {
  if (Status status = set->read(index, visit, out); !status.ok())
    return status;
  auto *values = reinterpret_cast<float *>(out[0]);
  std::span<const int64_t> dims = fields()[0].dims;
  int64_t plane = 1;
  for (size_t i = 1; i < dims.size(); ++i)
    plane *= dims[i];
  normalization.apply(values, plane);
  if (!visit.random || (!options.randomFlip && !options.randomShift))
    return {};
  // One number each, whatever is asked for, so that one option does not change
  // what another does.
  Random random(visit.seed, Random::Augment, visit.epoch, index);
  uint64_t range = 2 * options.randomShift + 1;
  auto down = static_cast<int64_t>(random.below(range)) - options.randomShift;
  auto right = static_cast<int64_t>(random.below(range)) - options.randomShift;
  bool flip = random.below(2) && options.randomFlip;
  for (int64_t channel = 0; channel < dims[0]; ++channel) {
    float *begin = values + channel * plane;
    if (down || right)
      shift(begin, down, right);
    for (int64_t y = 0; flip && y < dims[1]; ++y)
      std::reverse(begin + y * dims[2], begin + (y + 1) * dims[2]);
  }
  return {};
}

Result<std::unique_ptr<DataSet>>
weft::data::transform(std::unique_ptr<DataSet> set,
                      const TransformOptions &options) {
  const Field &field = set->fields()[0];
  bool moves = options.randomFlip || options.randomShift != 0;
  size_t rank = field.dims.size();
  if (field.dtype != WEFT_F32 || rank < 1 || (moves && rank != 3))
    return {Error::Option,
            "samples of '" + field.name + "', " +
                describe(field.dtype, field.dims) + ", can't be " +
                (moves ? "flipped or shifted, wanted f32 [channels, height, "
                         "width]"
                       : "normalised, wanted f32 with channels")};
  if (options.randomShift < 0 ||
      (moves && options.randomShift > 0 &&
       options.randomShift >= std::min(field.dims[1], field.dims[2])))
    return {Error::Option, "a shift by " + std::to_string(options.randomShift) +
                               " pixels, wanted 0 or more and less than the "
                               "sizes of '" +
                               field.name + "', " + describeDims(field.dims)};
  Result<Normalization> normalization =
      Normalization::create(options.mean, options.deviation, field.dims[0]);
  if (!normalization.ok())
    return normalization.status();
  return std::unique_ptr<DataSet>(std::make_unique<TransformedSet>(
      std::move(set), options, normalization.take()));
}
