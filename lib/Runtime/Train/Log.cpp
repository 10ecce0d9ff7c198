//===- Log.cpp - What a run tells others about itself ---------------------===//

#include "weft/Runtime/Train/Log.h"
#include "weft/Runtime/Data/Files.h"
#include <cerrno>
#include <charconv>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft::data;
using namespace weft::train;

//===----------------------------------------------------------------------===//
// CSV
//===----------------------------------------------------------------------===//

static constexpr std::string_view csvHeader =
    "update,epoch,kind,loss,accuracy,rate,samples_per_second,loss_scale\n";

static Status cannotWrite(const std::string &path, int error) {
  return Status(Error::Log, "the log '" + path + "' can't be written: " +
                                strerror(error) + "; choose another file");
}

/// Whether a line is of a run's first updates and epochs. An epoch's line of
/// validation is written after its last update.
static bool isBefore(std::string_view line, int64_t updates, int64_t epochs) {
  int64_t numbers[2] = {};
  for (int64_t &number : numbers) {
    auto [stop, error] =
        std::from_chars(line.data(), line.data() + line.size(), number);
    line.remove_prefix(stop - line.data());
    if (error != std::errc() || !line.starts_with(','))
      return false;
    line.remove_prefix(1);
  }
  return line.starts_with("validation,") ? numbers[1] <= epochs
                                         : numbers[0] <= updates;
}

/// Whether there is something at `path` that is no file to be replaced, such as
/// a terminal.
static bool isSpecial(const std::string &path) {
  struct stat about = {};
  return !stat(path.c_str(), &about) && !S_ISREG(about.st_mode);
}

Result<CsvLog> CsvLog::begin(const std::string &path,
                             const std::string &content) {
  if (isSpecial(path)) {
    std::FILE *file = std::fopen(path.c_str(), "abe");
    if (!file)
      return cannotWrite(path, errno);
    CsvLog log(path, file);
    if (std::fputs(content.c_str(), file) < 0 || std::fflush(file))
      return cannotWrite(path, errno);
    return log;
  }
  AtomicFile fresh(path);
  int error = fresh.open();
  if (!error)
    error = fresh.write(content.data(), content.size());
  if (!error)
    error = fresh.commit();
  std::FILE *file = error ? nullptr : std::fopen(path.c_str(), "abe");
  if (!file)
    return cannotWrite(path, error ? error : errno);
  return CsvLog(path, file);
}

Result<CsvLog> CsvLog::create(const std::string &path) {
  return begin(path, std::string(csvHeader));
}

Result<CsvLog> CsvLog::resume(const std::string &path, int64_t updates,
                              int64_t epochs) {
  std::string content(csvHeader);
  if (Result<MappedFile> old = MappedFile::open(path); old.ok()) {
    std::string_view text = old->text();
    // A last line without an end was cut off.
    for (size_t end; (end = text.find('\n')) != std::string_view::npos;
         text.remove_prefix(end + 1))
      if (isBefore(text.substr(0, end), updates, epochs))
        content += text.substr(0, end + 1);
  }
  return begin(path, content);
}

Status CsvLog::add(const Record &record) {
  char line[256];
  int length = std::snprintf(line, sizeof line, "%lld,%lld,%s",
                             static_cast<long long>(record.update),
                             static_cast<long long>(record.epoch), record.kind);
  for (double value : {record.loss, record.accuracy, record.rate,
                       record.samplesPerSecond, record.scale})
    length += std::snprintf(line + length, sizeof line - length,
                            std::isnan(value) ? "," : ",%.9g", value);
  std::snprintf(line + length, sizeof line - length, "\n");
  if (std::fputs(line, file.get()) < 0 || std::fflush(file.get()))
    return cannotWrite(name, errno);
  return {};
}

//===----------------------------------------------------------------------===//
// Progress
//===----------------------------------------------------------------------===//

std::string weft::train::describeSeconds(double seconds) {
  long long whole = std::llround(seconds);
  char text[64];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%lld h %02lld min", whole / 3600,
                  whole / 60 % 60);
  else if (whole >= 60)
    std::snprintf(text, sizeof text, "%lld min %02lld s", whole / 60,
                  whole % 60);
  else
    std::snprintf(text, sizeof text, "%lld s", whole);
  return text;
}

Progress::Progress(std::FILE *out) : out(out) {
  terminal = out && isatty(fileno(out));
  last = std::chrono::steady_clock::now();
}

void Progress::show(const State &state) {
  auto now = std::chrono::steady_clock::now();
  auto pause = terminal ? std::chrono::milliseconds(100)
                        : std::chrono::milliseconds(10'000);
  if (!out || now - last < pause)
    return;
  last = now;
  std::string left;
  if (std::isfinite(state.secondsLeft))
    left = "  " + describeSeconds(state.secondsLeft) + " left";
  std::fprintf(out,
               "%sepoch %lld/%lld  batch %lld/%lld  loss %.4g"
               "  %.0f samples/s%s%s",
               terminal ? "\r\033[K" : "", static_cast<long long>(state.epoch),
               static_cast<long long>(state.epochs),
               static_cast<long long>(state.batch),
               static_cast<long long>(state.batches), state.loss,
               state.samplesPerSecond, left.c_str(), terminal ? "" : "\n");
  std::fflush(out);
  dirty = terminal;
}

void Progress::say(const std::string &line) {
  if (!out)
    return;
  std::fprintf(out, "%s%s\n", dirty ? "\r\033[K" : "", line.c_str());
  std::fflush(out);
  dirty = false;
}
