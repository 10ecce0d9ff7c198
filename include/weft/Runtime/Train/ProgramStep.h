//===- ProgramStep.h - A compiled training step for the loop --------------===//

#ifndef WEFT_RUNTIME_TRAIN_PROGRAMSTEP_H
#define WEFT_RUNTIME_TRAIN_PROGRAMSTEP_H

#include "weft-rt/train.h"
#include "weft/Runtime/Train/Loop.h"

namespace weft::train {

/// Runs a program that is a training step, and one that tells the loss and the
/// accuracy of a batch from the same parameters.
class ProgramStep : public Step {
public:
  /// `evaluation` may be null: then evaluate() fails. Its inputs are those of
  /// the batch and states of the other program, found by name. Both models are
  /// retained. `accumulate` is what the training was compiled with.
  static data::Result<std::unique_ptr<ProgramStep>>
  create(weft_model *training, weft_model *evaluation,
         const weft_session_options &options, int64_t accumulate = 1);
  ~ProgramStep() override;

  data::Result<Outcome> update(const data::Batch &batch, float rate,
                               int64_t seed, bool isLast) override;
  data::Result<Evaluation> evaluate(const data::Batch &batch) override;
  data::Result<std::vector<NamedTensor>> state() override;
  data::Status setState() override;
  bool wantsAhead() const override;
  void expect(const data::Batch &batch) override;

  /// What a sample must hold: an entry per data input of the training program.
  data::Result<std::vector<data::Want>> wants() const;
  weft_trainer *trainer() { return owner; }
  /// Null if there is no program to evaluate with.
  weft_session *evaluator() { return evaluating; }
  const weft_program &trainingProgram() const { return *training; }
  const weft_program &evaluationProgram() const { return *evaluation; }

private:
  ProgramStep() = default;
  data::Status bindEvaluation();
  data::Status makeLast();
  double getScale();

  weft_trainer *owner = nullptr;
  weft_session *evaluating = nullptr;
  int64_t accumulate = 1; ///< batches of an update
  const weft_program *training = nullptr, *evaluation = nullptr;
  /// By input of the evaluation: the tensor of the batch, or -1.
  std::vector<int> fields;
  std::vector<weft_tensor> inputs; ///< of the evaluation
};

} // namespace weft::train

#endif // WEFT_RUNTIME_TRAIN_PROGRAMSTEP_H
