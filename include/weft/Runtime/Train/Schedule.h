//===- Schedule.h - The learning rate of each update ----------------------===//

#ifndef WEFT_RUNTIME_TRAIN_SCHEDULE_H
#define WEFT_RUNTIME_TRAIN_SCHEDULE_H

#include "weft/Runtime/Data/Status.h"
#include <cstdint>

namespace weft::train {

/// The rate as a function of the number of updates made before.
struct Schedule {
  enum class Shape {
    Constant, ///< rate
    Step,     ///< rate * factor^(number of whole `every` that have passed)
    Cosine,   ///< half a cosine from rate to last, then last
    Linear,   ///< a line from rate to last, then last
  };

  Shape shape = Shape::Constant;
  double rate = 0.01;
  /// Updates of a rise from rate / (warmup + 1) to the rate; the shape begins
  /// behind them.
  int64_t warmup = 0;
  /// Updates in all, the warm-up among them: when Cosine and Linear arrive.
  int64_t total = 0;
  int64_t every = 0;   ///< of Step, in updates
  double factor = 0.1; ///< of Step
  double last = 0;     ///< of Cosine and Linear

  /// What means nothing is an error, which names the member.
  data::Status check() const;
  double at(int64_t update) const;
};

} // namespace weft::train

#endif // WEFT_RUNTIME_TRAIN_SCHEDULE_H
