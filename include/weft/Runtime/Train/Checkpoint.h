//===- Checkpoint.h - A folder of the states of a run ---------------------===//

#ifndef WEFT_RUNTIME_TRAIN_CHECKPOINT_H
#define WEFT_RUNTIME_TRAIN_CHECKPOINT_H

#include "weft/Runtime/Train/Safetensors.h"

namespace weft::train {

/// Checkpoints of one run, `update-000000001200.safetensors` and so on, named
/// by the updates that have been made.
class CheckpointFolder {
public:
  /// `keep` is how many of the newest stay, at least 1.
  CheckpointFolder(std::string folder, int keep)
      : folder(std::move(folder)), keep(keep) {}

  /// Makes the folder if it is not there, and tries to write into it, so that a
  /// long run does not end at its first checkpoint.
  data::Status prepare() const;

  /// Writes a checkpoint, then removes those before the newest. After an error
  /// all that were there are there still.
  data::Status save(int64_t update, std::span<const NamedTensor> tensors,
                    const Metadata &metadata) const;

  /// The newest checkpoint that is whole; `skipped` gets a line for each newer
  /// one that is not. Fails with NoCheckpoint if there is none.
  data::Result<Safetensors> latest(std::vector<std::string> &skipped) const;

  std::string pathOf(int64_t update) const;
  /// The numbers of updates of all checkpoints, ascending.
  std::vector<int64_t> list() const;

private:
  std::string folder;
  int keep;
};

/// Copies the tensors of a checkpoint into those of `state`, which must be the
/// same in names, types and shapes. On an error nothing has been copied.
data::Status restore(const Safetensors &from,
                     std::span<const NamedTensor> state);

} // namespace weft::train

#endif // WEFT_RUNTIME_TRAIN_CHECKPOINT_H
