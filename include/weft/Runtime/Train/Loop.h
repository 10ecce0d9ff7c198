//===- Loop.h - Epochs of updates, with checkpoints and logs --------------===//

#ifndef WEFT_RUNTIME_TRAIN_LOOP_H
#define WEFT_RUNTIME_TRAIN_LOOP_H

#include "weft/Runtime/Data/Loader.h"
#include "weft/Runtime/Train/Checkpoint.h"
#include "weft/Runtime/Train/Log.h"
#include "weft/Runtime/Train/Schedule.h"
#include <functional>

namespace weft::train {

/// What is trained, as the loop sees it.
class Step {
public:
  struct Evaluation {
    double loss = NAN;     ///< the mean over the batch
    double accuracy = NAN; ///< the part that is right; NaN if there is none
  };

  struct Outcome {
    double loss = NAN;  ///< before the update, of all its batches so far
    double scale = NAN; ///< what it was multiplied by for the gradients' sake;
                        ///< NaN: nothing
    bool isSkipped = false; ///< a gradient was not finite: nothing has moved,
                            ///< and the next scale is smaller
  };

  virtual ~Step() = default;

  /// Takes a batch of an update, the last of which makes it. `seed` is for what
  /// the program draws at random.
  virtual data::Result<Outcome> update(const data::Batch &batch, float rate,
                                       int64_t seed, bool isLast) = 0;
  /// Looks at a batch; changes nothing.
  virtual data::Result<Evaluation> evaluate(const data::Batch &batch) = 0;
  /// All that an update changes, as it is now: the loop reads it into
  /// checkpoints.
  virtual data::Result<std::vector<NamedTensor>> state() = 0;
  /// The loop has written to all that state() told.
  virtual data::Status setState() = 0;

  /// Whether it helps to know a batch before its update.
  virtual bool wantsAhead() const { return false; }
  /// Tells the batch of the update after the next, which stays as it is until
  /// then.
  virtual void expect(const data::Batch &) {}
};

/// What an epoch came to.
struct EpochReport {
  int64_t epoch = 0;           ///< from 1
  int64_t update = 0;          ///< updates made so far
  double loss = NAN;           ///< the mean over the epoch's samples
  Step::Evaluation validation; ///< NaN without validation data
  double seconds = 0;          ///< for its updates
};

struct LoopOptions {
  int64_t epochs = 1;
  Schedule schedule;
  /// Batches of an update. The last update of an epoch takes what is left.
  int64_t accumulate = 1;
  /// Of what programs draw at random; the loader has its own.
  uint64_t seed = 0;

  /// Where checkpoints go; empty: none are written.
  std::string checkpoints;
  int keep = 3;
  int64_t saveUpdates = 0; ///< a checkpoint every so many updates; 0: none
  int64_t saveEpochs = 1;  ///< and every so many epochs; 0: none
  /// What is said of the graph that samples go through, which must be the same
  /// in a run that goes on; empty: there is none.
  std::string preprocess;
  /// Go on from the newest checkpoint, which must be there.
  bool resume = false;

  std::string csv;         ///< a file; empty: none
  std::string events;      ///< a folder of TensorBoard; empty: none
  int64_t logUpdates = 10; ///< a record every so many updates

  std::FILE *progress = nullptr; ///< for people; null: silent
  /// SIGINT and SIGTERM end the loop after the update that is under way, with a
  /// checkpoint; a second one ends the process.
  bool catchSignals = true;
  /// Said after such an end: how to go on.
  std::string resumeHint = "resume from it to go on";
  /// Finds out what made the loss infinite or NaN in the step of this batch,
  /// rate and seed, which has changed nothing; called if there is one.
  std::function<std::string(const data::Batch &, float, int64_t)> explain;
  /// Called at the end of each epoch, if there is one.
  std::function<void(const EpochReport &)> onEpoch;
};

struct LoopResult {
  int64_t updates = 0; ///< made in all, those before the checkpoint among them
  int64_t skipped = 0; ///< of those of this process, left out by overflow
  EpochReport last;    ///< the last epoch that came to its end, epoch 0 if none
  bool stopped = false;   ///< by a signal
  std::string checkpoint; ///< the last that was written; may be empty
};

/// Trains until all epochs are done. `validation` may be null. Going on from a
/// checkpoint makes the same updates, bit by bit, as having never stopped, if
/// the step is deterministic.
data::Result<LoopResult> train(Step &step, data::Loader &training,
                               data::Loader *validation,
                               const LoopOptions &options);

} // namespace weft::train

#endif // WEFT_RUNTIME_TRAIN_LOOP_H
