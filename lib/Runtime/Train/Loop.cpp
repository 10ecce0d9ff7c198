//===- Loop.cpp - Epochs of updates, with checkpoints and logs ------------===//

#include "weft/Runtime/Train/Loop.h"
#include "Data/Guard.h"
#include "Interrupt.h"
#include <charconv>
#include <cstring>
#include <optional>

using namespace weft::data;
using namespace weft::train;
using Clock = std::chrono::steady_clock;

namespace {
/// How far a run is; what a checkpoint holds besides the step's state.
struct Position {
  int64_t epoch = 0; ///< that is under way, from 0
  int64_t batch = 0; ///< the next one; the number of batches: only the
                     ///< evaluation is left
  int64_t update = 0;
  int64_t updateSamples = 0; ///< of the update under way, so far
  double lossSum = 0;        ///< over the epoch's samples
  int64_t lossSamples = 0;
};

class Loop {
public:
  Loop(Step &step, Loader &training, Loader *validation,
       const LoopOptions &options)
      : step(step), training(training), validation(validation),
        options(options), folder(options.checkpoints, options.keep),
        progress(options.progress), interrupt(options.catchSignals) {}

  Status prepare();
  Status run();
  LoopResult result;

private:
  Status checkOptions() const;
  Status resume();
  Status openLogs();
  Status trainEpoch();
  Status evaluateEpoch();
  Status endEpoch();
  Status update(const Batch &batch);
  void endUpdate(const Step::Outcome &outcome, double rate);
  Status explainLoss(const Batch &batch, double loss, float rate,
                     int64_t seed) const;
  Status save();
  Status saveAfter(const Status &failure);
  std::string lastCheckpoint() const;
  void log(const Record &record);
  void show(double loss);
  Metadata settings() const;
  bool finished() const { return at.epoch >= options.epochs; }

  Step &step;
  Loader &training;
  Loader *validation;
  const LoopOptions &options;
  CheckpointFolder folder;
  Progress progress;
  Interrupt interrupt;
  std::optional<CsvLog> csv;
  std::optional<EventFile> events;
  Position at;
  bool isSaved = false; ///< whether there is a checkpoint of this position
  double finiteLoss = NAN;
  EpochReport report;
  // Of this process alone.
  Clock::time_point began, epochBegan;
  int64_t batchesDone = 0, epochSamples = 0;
};
} // namespace

static double secondsSince(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

//===----------------------------------------------------------------------===//
// Before the first update
//===----------------------------------------------------------------------===//

Status Loop::checkOptions() const {
  auto refuse = [](const char *what, int64_t value, int64_t least) {
    return Status(Error::Option,
                  std::string(what) + " is " + std::to_string(value) +
                      ", wanted at least " + std::to_string(least));
  };
  if (options.epochs < 1)
    return refuse("the number of epochs", options.epochs, 1);
  if (options.accumulate < 1)
    return refuse("the number of batches of an update", options.accumulate, 1);
  if (options.keep < 1)
    return refuse("the number of checkpoints to keep", options.keep, 1);
  if (options.saveUpdates < 0 || options.saveEpochs < 0)
    return refuse("the distance of checkpoints",
                  std::min(options.saveUpdates, options.saveEpochs), 0);
  if (options.logUpdates < 1)
    return refuse("the distance of records", options.logUpdates, 1);
  if (options.resume && options.checkpoints.empty())
    return Status(Error::Option, "to resume takes a folder of checkpoints");
  return options.schedule.check();
}

/// What must be the same in a run that goes on.
Metadata Loop::settings() const {
  const LoaderOptions &loader = training.options();
  Metadata wanted = {{"weft.seed", std::to_string(options.seed)},
                     {"weft.data_seed", std::to_string(loader.seed)},
                     {"weft.samples", std::to_string(training.samples())},
                     {"weft.batch_size", std::to_string(loader.batch)},
                     {"weft.shuffle", loader.shuffle ? "1" : "0"}};
  if (options.accumulate > 1)
    wanted["weft.accumulate"] = std::to_string(options.accumulate);
  if (!options.preprocess.empty())
    wanted["weft.preprocess"] = options.preprocess;
  return wanted;
}

static bool readNumber(const Metadata &metadata, const char *key,
                       int64_t &number) {
  auto found = metadata.find(key);
  if (found == metadata.end())
    return false;
  const std::string &text = found->second;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() &&
         number >= 0;
}

Status Loop::resume() {
  std::vector<std::string> skipped;
  Result<Safetensors> found = folder.latest(skipped);
  for (const std::string &line : skipped)
    progress.say("skipped: " + line);
  if (!found.ok())
    return found.status();
  const Metadata &metadata = found->metadata();
  for (const auto &[key, wanted] : settings()) {
    auto have = metadata.find(key);
    if (have == metadata.end() || have->second != wanted)
      return Status(Error::CheckpointMismatch,
                    "'" + found->path() + "' was made with " + key + " " +
                        (have == metadata.end() ? "unknown" : have->second) +
                        ", this run has " + wanted +
                        "; resume with the same data, batch and seed");
  }
  if (options.preprocess.empty() && metadata.contains("weft.preprocess"))
    return Status(Error::CheckpointMismatch,
                  "'" + found->path() +
                      "' was made with samples that went through a graph; "
                      "resume with the same --preprocess");
  auto sum = metadata.find("weft.loss_sum");
  if (!readNumber(metadata, "weft.epoch", at.epoch) ||
      !readNumber(metadata, "weft.batch", at.batch) ||
      !readNumber(metadata, "weft.update", at.update) ||
      !readNumber(metadata, "weft.loss_samples", at.lossSamples) ||
      sum == metadata.end() || at.batch > training.batches())
    return Status(Error::CheckpointDamaged,
                  "'" + found->path() +
                      "' does not say where in the run it was made");
  at.lossSum = std::strtod(sum->second.c_str(), nullptr);
  // All batches but an epoch's last one are full.
  if (at.batch < training.batches())
    at.updateSamples = at.batch % options.accumulate * training.options().batch;
  Result<std::vector<NamedTensor>> state = step.state();
  if (!state.ok())
    return state.status();
  if (Status status = restore(*found, *state); !status.ok())
    return status;
  if (Status status = step.setState(); !status.ok())
    return status;
  result.checkpoint = found->path();
  isSaved = true;
  progress.say("resumed from '" + found->path() + "': epoch " +
               std::to_string(at.epoch + 1) + ", batch " +
               std::to_string(at.batch) + ", update " +
               std::to_string(at.update));
  return {};
}

Status Loop::openLogs() {
  if (!options.csv.empty()) {
    Result<CsvLog> opened =
        options.resume ? CsvLog::resume(options.csv, at.update, at.epoch)
                       : CsvLog::create(options.csv);
    if (!opened.ok())
      return opened.status();
    csv.emplace(opened.take());
  }
  if (!options.events.empty()) {
    Result<EventFile> opened = EventFile::create(options.events);
    if (!opened.ok())
      return opened.status();
    events.emplace(opened.take());
  }
  return {};
}

Status Loop::prepare() {
  if (Status status = checkOptions(); !status.ok())
    return status;
  if (!options.checkpoints.empty()) {
    if (Status status = folder.prepare(); !status.ok())
      return status;
    std::vector<int64_t> old = folder.list();
    if (!options.resume && !old.empty())
      return Status(Error::Option,
                    "the folder '" + options.checkpoints +
                        "' has checkpoints of another run, up to '" +
                        folder.pathOf(old.back()) +
                        "'; resume from them, or choose another folder");
    if (options.resume)
      if (Status status = resume(); !status.ok())
        return status;
  }
  return openLogs();
}

//===----------------------------------------------------------------------===//
// Epochs
//===----------------------------------------------------------------------===//

Status Loop::run() {
  began = Clock::now();
  Status status;
  while (status.ok() && !finished() && !result.stopped) {
    report = EpochReport();
    status = trainEpoch();
    if (status.ok() && !result.stopped)
      status = evaluateEpoch();
    if (status.ok() && !result.stopped)
      status = endEpoch();
  }
  if (status.ok() && !isSaved)
    status = save();
  result.updates = at.update;
  if (!status.ok())
    return saveAfter(status);
  if (result.stopped)
    progress.say("stopped after update " + std::to_string(at.update) +
                 (result.checkpoint.empty()
                      ? "; there is no folder for checkpoints, so that "
                        "nothing was saved"
                      : "; saved as '" + result.checkpoint + "'; " +
                            options.resumeHint));
  return status;
}

Status Loop::trainEpoch() {
  epochBegan = Clock::now();
  epochSamples = 0;
  training.start(at.epoch, at.batch);
  while (true) {
    // Once more before the first one: a signal may have come in between.
    if (interrupt.raised()) {
      result.stopped = true;
      return {};
    }
    Result<const Batch *> batch = training.next();
    if (!batch.ok())
      return batch.status();
    if (!*batch)
      break;
    if (step.wantsAhead())
      if (const Batch *upcoming = training.peek())
        step.expect(*upcoming);
    int64_t before = at.update;
    if (Status status = update(**batch); !status.ok())
      return status;
    if (options.saveUpdates && at.update != before &&
        at.update % options.saveUpdates == 0)
      if (Status status = save(); !status.ok())
        return status;
  }
  report.seconds = secondsSince(epochBegan);
  return {};
}

Status Loop::update(const Batch &batch) {
  auto rate = static_cast<float>(options.schedule.at(at.update));
  int64_t part = at.batch % options.accumulate;
  bool isLast =
      part + 1 == options.accumulate || at.batch + 1 == training.batches();
  Random random(options.seed, Random::Step, part, at.update);
  auto seed = static_cast<int64_t>(random.next64() >> 1);
  Result<Step::Outcome> outcome = step.update(batch, rate, seed, isLast);
  if (!outcome.ok())
    return outcome.status();
  if (!std::isfinite(outcome->loss))
    return explainLoss(batch, outcome->loss, rate, seed);
  isSaved = false;
  ++at.batch;
  ++batchesDone;
  epochSamples += batch.size();
  at.updateSamples += batch.size();
  if (isLast)
    endUpdate(*outcome, rate);
  show(at.lossSamples ? at.lossSum / at.lossSamples : outcome->loss);
  return {};
}

void Loop::endUpdate(const Step::Outcome &outcome, double rate) {
  finiteLoss = outcome.loss;
  ++at.update;
  if (outcome.isSkipped) {
    ++result.skipped;
    char text[128];
    std::snprintf(
        text, sizeof text,
        "update %lld is left out: a gradient overflowed with the loss "
        "scale %g",
        static_cast<long long>(at.update), outcome.scale);
    progress.say(text);
  }
  at.lossSum += outcome.loss * static_cast<double>(at.updateSamples);
  at.lossSamples += at.updateSamples;
  at.updateSamples = 0;
  if (at.update % options.logUpdates == 0)
    log({.kind = "train",
         .update = at.update,
         .epoch = at.epoch + 1,
         .loss = outcome.loss,
         .rate = rate,
         .scale = outcome.scale,
         .samplesPerSecond = epochSamples / secondsSince(epochBegan)});
}

Status Loop::explainLoss(const Batch &batch, double loss, float rate,
                         int64_t seed) const {
  char text[160];
  std::snprintf(text, sizeof text,
                "the loss of update %lld (epoch %lld, batch %lld) is %g, the "
                "one before was %g, and the rate is %g",
                static_cast<long long>(at.update + 1),
                static_cast<long long>(at.epoch + 1),
                static_cast<long long>(batch.number + 1), loss, finiteLoss,
                rate);
  std::string samples;
  for (size_t i = 0; i < batch.samples.size() && i < 8; ++i)
    samples += (i ? ", " : "") + std::to_string(batch.samples[i]);
  std::string origin;
  if (options.explain)
    origin = "; " + options.explain(batch, rate, seed);
  return Status(Error::NotFinite,
                std::string(text) + origin +
                    "; take a lower rate or a longer warm-up, clip gradients, "
                    "or look at the batch's samples (" +
                    samples + (batch.samples.size() > 8 ? "...)" : ")") +
                    lastCheckpoint());
}

/// Where there is a state to go on from, if there is one.
std::string Loop::lastCheckpoint() const {
  return result.checkpoint.empty()
             ? ""
             : "; the last checkpoint is '" + result.checkpoint + "'";
}

Status Loop::evaluateEpoch() {
  report.epoch = at.epoch + 1;
  report.update = at.update;
  report.loss = at.lossSamples ? at.lossSum / at.lossSamples : NAN;
  if (!validation)
    return {};
  double loss = 0, right = 0;
  int64_t samples = 0;
  validation->start(0, 0);
  while (true) {
    if (interrupt.raised()) {
      result.stopped = true;
      return {};
    }
    Result<const Batch *> batch = validation->next();
    if (!batch.ok())
      return batch.status();
    if (!*batch)
      break;
    Result<Step::Evaluation> one = step.evaluate(**batch);
    if (!one.ok())
      return one.status();
    auto size = static_cast<double>((*batch)->size());
    loss += one->loss * size;
    right += one->accuracy * size;
    samples += (*batch)->size();
  }
  report.validation = {loss / samples, right / samples};
  log({.kind = "validation",
       .update = at.update,
       .epoch = at.epoch + 1,
       .loss = report.validation.loss,
       .accuracy = report.validation.accuracy});
  return {};
}

Status Loop::endEpoch() {
  char text[256];
  int length =
      std::snprintf(text, sizeof text, "epoch %lld/%lld  loss %.4g",
                    static_cast<long long>(report.epoch),
                    static_cast<long long>(options.epochs), report.loss);
  auto add = [&](const char *format, double value) {
    if (std::isfinite(value))
      length +=
          std::snprintf(text + length, sizeof text - length, format, value);
  };
  add("  validation loss %.4g", report.validation.loss);
  add("  accuracy %.2f %%", report.validation.accuracy * 100);
  add("  %.0f samples/s", epochSamples / report.seconds);
  add("  %.1f s", report.seconds);
  progress.say(text);
  result.last = report;
  at = {.epoch = at.epoch + 1, .update = at.update};
  isSaved = false;
  if (options.onEpoch)
    options.onEpoch(report);
  if (finished() || (options.saveEpochs && at.epoch % options.saveEpochs == 0))
    return save();
  return {};
}

//===----------------------------------------------------------------------===//
// Checkpoints and logs
//===----------------------------------------------------------------------===//

Status Loop::save() {
  if (options.checkpoints.empty())
    return {};
  Metadata metadata = settings();
  char sum[64];
  std::snprintf(sum, sizeof sum, "%a", at.lossSum);
  metadata["weft.epoch"] = std::to_string(at.epoch);
  metadata["weft.batch"] = std::to_string(at.batch);
  metadata["weft.update"] = std::to_string(at.update);
  metadata["weft.loss_sum"] = sum;
  metadata["weft.loss_samples"] = std::to_string(at.lossSamples);
  Result<std::vector<NamedTensor>> state = step.state();
  if (!state.ok())
    return Status::ofRuntime(state.status().code(),
                             state.status().text() + lastCheckpoint());
  if (Status status = folder.save(at.update, *state, metadata); !status.ok())
    return Status(Error::CheckpointWrite, status.text() + lastCheckpoint());
  result.checkpoint = folder.pathOf(at.update);
  isSaved = true;
  return {};
}

/// After an error that is not of the state itself, keeps what has been reached,
/// and says how to go on.
Status Loop::saveAfter(const Status &failure) {
  if (failure.is(Error::NotFinite) || failure.is(Error::CheckpointWrite) ||
      at.update == 0)
    return failure;
  std::string outcome,
      state = "the state after update " + std::to_string(at.update);
  if (options.checkpoints.empty()) {
    outcome = "; " + state + " is lost, as there is no folder for checkpoints";
  } else if (Status status = isSaved ? Status() : save(); !status.ok()) {
    outcome = "; and " + status.text();
  } else {
    outcome = "; " + state + " is saved as '" + result.checkpoint + "'; " +
              options.resumeHint;
  }
  return Status::ofRuntime(failure.code(), failure.text() + outcome);
}

/// A log that can't be written is no reason to lose a run.
void Loop::log(const Record &record) {
  if (csv)
    if (Status status = csv->add(record); !status.ok()) {
      progress.say("warning: " + status.describe());
      csv.reset();
    }
  if (events)
    if (Status status = events->add(record); !status.ok()) {
      progress.say("warning: " + status.describe());
      events.reset();
    }
}

void Loop::show(double loss) {
  int64_t left = (options.epochs - at.epoch) * training.batches() - at.batch;
  progress.show({.epoch = at.epoch + 1,
                 .epochs = options.epochs,
                 .batch = at.batch,
                 .batches = training.batches(),
                 .loss = loss,
                 .samplesPerSecond = epochSamples / secondsSince(epochBegan),
                 .secondsLeft = secondsSince(began) / batchesDone * left});
}

Result<LoopResult> weft::train::train(Step &step, Loader &training,
                                      Loader *validation,
                                      const LoopOptions &options) {
  return guard("a run of", std::to_string(options.epochs) + " epochs",
               [&]() -> Result<LoopResult> {
                 Loop loop(step, training, validation, options);
                 if (Status status = loop.prepare(); !status.ok())
                   return status;
                 if (Status status = loop.run(); !status.ok())
                   return status;
                 return loop.result;
               });
}
