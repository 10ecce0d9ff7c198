//===- Log.h - What a run tells others about itself -----------------------===//

#ifndef WEFT_RUNTIME_TRAIN_LOG_H
#define WEFT_RUNTIME_TRAIN_LOG_H

#include "weft/Runtime/Data/Status.h"
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace weft::train {

/// Figures at one point of a run; those that are NaN are not there.
struct Record {
  const char *kind = "train"; ///< or "validation"
  int64_t update = 0;         ///< updates made so far
  int64_t epoch = 0;          ///< from 1
  double loss = NAN;
  double accuracy = NAN; ///< from 0 to 1
  double rate = NAN;
  double scale = NAN; ///< of the loss
  double samplesPerSecond = NAN;
};

/// Writes scalars into an event file of TensorBoard.
class EventFile {
public:
  /// Makes a new file in `folder`, which is made if it is not there. Fails with
  /// Error::Log.
  static data::Result<EventFile> create(const std::string &folder);
  EventFile(EventFile &&) = default;

  data::Status addScalar(std::string_view tag, float value, int64_t update,
                         double wallTime);
  /// One scalar per figure: "train/loss" and so on.
  data::Status add(const Record &record);
  const std::string &path() const { return name; }

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  EventFile(std::string path, std::FILE *file)
      : name(std::move(path)), file(file) {}
  data::Status write(const std::string &event);

  std::string name;
  std::unique_ptr<std::FILE, Close> file;
};

/// Writes a line per record into a CSV file.
class CsvLog {
public:
  /// Begins a new file.
  static data::Result<CsvLog> create(const std::string &path);
  /// Goes on with a file, if it is there, after so many updates and epochs:
  /// lines of later ones are dropped.
  static data::Result<CsvLog> resume(const std::string &path, int64_t updates,
                                     int64_t epochs);
  CsvLog(CsvLog &&) = default;

  data::Status add(const Record &record);

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  CsvLog(std::string path, std::FILE *file)
      : name(std::move(path)), file(file) {}
  static data::Result<CsvLog> begin(const std::string &path,
                                    const std::string &content);

  std::string name;
  std::unique_ptr<std::FILE, Close> file;
};

/// How far a run is, for people: a line that is overwritten on a terminal, a
/// line every few seconds elsewhere.
class Progress {
public:
  struct State {
    int64_t epoch = 0, epochs = 0; ///< the epoch from 1
    int64_t batch = 0, batches = 0;
    double loss = NAN;
    double samplesPerSecond = NAN, secondsLeft = NAN;
  };

  /// `out` may be null: then nothing is written.
  explicit Progress(std::FILE *out);
  /// Shows the state, unless something was shown just before.
  void show(const State &state);
  /// Writes a line that stays.
  void say(const std::string &line);

private:
  std::FILE *out;
  bool terminal = false, dirty = false;
  std::chrono::steady_clock::time_point last;
};

/// "1 h 05 min", "3 min 20 s", "12 s".
std::string describeSeconds(double seconds);

} // namespace weft::train

#endif // WEFT_RUNTIME_TRAIN_LOG_H
