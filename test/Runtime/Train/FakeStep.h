//===- FakeStep.h - Something small that can be trained -------------------===//

#ifndef WEFT_TEST_RUNTIME_TRAIN_FAKESTEP_H
#define WEFT_TEST_RUNTIME_TRAIN_FAKESTEP_H

#include "weft/Runtime/Train/Loop.h"
#include <cstring>
#include <functional>

namespace weft::test {

/// Points of the plane; the label says on which side of a line each lies.
class Points : public data::DataSet {
public:
  explicit Points(int64_t count) : count(count) {}
  int64_t size() const override { return count; }
  std::span<const data::Field> fields() const override { return described; }
  data::Status read(int64_t index, const data::Visit &visit,
                    std::span<std::byte *const> out) const override {
    data::Random random(1, data::Random::Augment, 0, index);
    float point[2] = {random.uniform() - 0.5f, random.uniform() - 0.5f};
    int64_t label = point[0] + 2 * point[1] > 0;
    if (visit.random)
      point[0] += 0.01f * data::Random(visit.seed, data::Random::Augment,
                                       visit.epoch, index)
                              .uniform();
    memcpy(out[0], point, sizeof point);
    memcpy(out[1], &label, sizeof label);
    return {};
  }

private:
  int64_t count;
  std::vector<data::Field> described = {{"x", WEFT_F32, {2}},
                                        {"y", WEFT_I64, {}}};
};

/// Logistic regression with momentum, some noise, a count of updates, and sums
/// over the batches of an update.
class FakeStep : public train::Step {
public:
  data::Result<Outcome> update(const data::Batch &batch, float rate,
                               int64_t seed, bool isLast) override {
    rates.push_back(rate);
    sums.loss += look(batch, sums.grad).loss * batch.size();
    sums.samples += batch.size();
    double loss = sums.loss / sums.samples;
    if (!isLast) {
      if (onUpdate)
        onUpdate(*this);
      return Outcome{.loss = loss};
    }
    data::Random noise(seed, data::Random::Step, 0, 0);
    for (int i = 0; i < 3; ++i) {
      momentum[i] = 0.9f * momentum[i] + sums.grad[i] / sums.samples +
                    1e-3f * noise.uniform();
      weights[i] -= rate * momentum[i];
    }
    sums = Sums();
    ++updates;
    if (onUpdate)
      onUpdate(*this);
    return Outcome{.loss = updates == poisonedUpdate ? NAN : loss,
                   .scale = updates == skippedUpdate ? 8. : 4.,
                   .isSkipped = updates == skippedUpdate};
  }

  data::Result<Evaluation> evaluate(const data::Batch &batch) override {
    ++evaluations;
    float grad[3] = {};
    return look(batch, grad);
  }

  data::Result<std::vector<train::NamedTensor>> state() override {
    return std::vector<train::NamedTensor>{
        {"weights", WEFT_F32, {3}, bytes(weights), sizeof weights},
        {"momentum", WEFT_F32, {3}, bytes(momentum), sizeof momentum},
        {"sums", WEFT_U8, {sizeof sums}, bytes(&sums), sizeof sums},
        {"updates", WEFT_I64, {}, bytes(&updates), sizeof updates}};
  }

  data::Status setState() override { return {}; }

  /// All bits of the state.
  std::string fingerprint() {
    std::string text;
    auto tensors = state();
    for (const train::NamedTensor &tensor : *tensors)
      text.append(reinterpret_cast<char *>(tensor.data), tensor.bytes);
    return text;
  }

  int64_t updates = 0, evaluations = 0;
  int64_t poisonedUpdate = -1, skippedUpdate = -1;
  std::vector<float> rates;
  std::function<void(FakeStep &)> onUpdate;

private:
  static std::byte *bytes(void *memory) {
    return static_cast<std::byte *>(memory);
  }

  /// Loss and accuracy; adds the gradient.
  Evaluation look(const data::Batch &batch, float *grad) const {
    auto *points = static_cast<const float *>(batch.tensors[0].data);
    auto *labels = static_cast<const int64_t *>(batch.tensors[1].data);
    Evaluation result{0, 0};
    for (int64_t i = 0; i < batch.size(); ++i) {
      const float *x = points + 2 * i;
      float z = weights[0] * x[0] + weights[1] * x[1] + weights[2];
      float p = 1 / (1 + std::exp(-z));
      auto y = static_cast<float>(labels[i]);
      result.loss -= std::log((labels[i] ? p : 1 - p) + 1e-9) / batch.size();
      result.accuracy += double((p > 0.5f) == (labels[i] == 1)) / batch.size();
      grad[0] += (p - y) * x[0];
      grad[1] += (p - y) * x[1];
      grad[2] += p - y;
    }
    return result;
  }

  /// Of the batches of the update under way.
  struct Sums {
    double loss = 0;
    int64_t samples = 0;
    float grad[4] = {}; // one more, so that there is no padding
  };
  Sums sums;
  float weights[3] = {}, momentum[3] = {};
};

} // namespace weft::test

#endif // WEFT_TEST_RUNTIME_TRAIN_FAKESTEP_H
