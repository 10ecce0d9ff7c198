//===- Schedule.cpp - The learning rate of each update --------------------===//

#include "weft/Runtime/Train/Schedule.h"
#include <algorithm>
#include <cmath>
#include <numbers>

using namespace weft::data;
using namespace weft::train;

Status Schedule::check() const {
  auto refuse = [](const std::string &why) {
    return Status(Error::Option, "the schedule's " + why);
  };
  if (!(rate > 0) || std::isinf(rate))
    return refuse("rate is " + std::to_string(rate) + ", wanted above 0");
  if (warmup < 0)
    return refuse("warm-up is " + std::to_string(warmup) +
                  " updates, wanted at least 0");
  if (shape == Shape::Step && every < 1)
    return refuse("steps are " + std::to_string(every) +
                  " updates apart, wanted at least 1");
  if (shape == Shape::Step && (!(factor > 0) || std::isinf(factor)))
    return refuse("factor is " + std::to_string(factor) + ", wanted above 0");
  if (shape != Shape::Cosine && shape != Shape::Linear)
    return {};
  if (total <= warmup)
    return refuse("end, after " + std::to_string(total) +
                  " updates, is not behind its warm-up of " +
                  std::to_string(warmup));
  if (!(last >= 0) || std::isinf(last))
    return refuse("last rate is " + std::to_string(last) +
                  ", wanted at least 0");
  return {};
}

double Schedule::at(int64_t update) const {
  if (update < warmup)
    return rate * static_cast<double>(update + 1) /
           static_cast<double>(warmup + 1);
  int64_t since = update - warmup;
  double part =
      total > warmup
          ? std::min(1.0, static_cast<double>(since) / (total - warmup))
          : 1.0;
  int64_t passed = shape == Shape::Step ? since / every : 0;
  switch (shape) {
  case Shape::Constant:
    return rate;
  case Shape::Step:
    return rate * std::pow(factor, static_cast<double>(passed));
  case Shape::Linear:
    return rate + (last - rate) * part;
  case Shape::Cosine:
    return last + (rate - last) * (1 + std::cos(std::numbers::pi * part)) / 2;
  }
  return rate;
}
