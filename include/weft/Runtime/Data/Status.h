//===- Status.h - What a call of the data and train rooms returns ---------===//
//
// These rooms report errors by value: no exception leaves them. A code keeps
// its number and meaning for ever; docs/Errors.md explains each.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_RUNTIME_DATA_STATUS_H
#define WEFT_RUNTIME_DATA_STATUS_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace weft::data {

/// What can go wrong. Printed as WFT and the number.
enum class Error : int {
  // Data sets.
  Read = 6101,
  Damaged = 6102,
  Unsupported = 6103,
  Mismatch = 6104,
  Samples = 6105,
  Value = 6106,
  Empty = 6107,
  Memory = 6108,
  Option = 6109,
  Thread = 6110,
  Image = 6111,
  // Checkpoints and logs.
  CheckpointWrite = 6201,
  CheckpointRead = 6202,
  CheckpointDamaged = 6203,
  CheckpointMismatch = 6204,
  NoCheckpoint = 6205,
  Log = 6206,
  // The loop.
  NotFinite = 6301,
};

/// Success, or a number and a message that names the culprit and says what to
/// do. The number is that of an Error, or of another room's error that is
/// passed on (see weft-rt/status.h).
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Error error, std::string message)
      : number(static_cast<int>(error)), message(std::move(message)) {}
  /// Passes on an error of the runtime; `number` is not 0.
  static Status ofRuntime(int number, std::string message) {
    Status status;
    status.number = number;
    status.message = std::move(message);
    return status;
  }

  bool ok() const { return number == 0; }
  bool is(Error error) const { return number == static_cast<int>(error); }
  int code() const { return number; }
  const std::string &text() const { return message; }
  /// "WFT6101: 'x.npz' can't be read: ...".
  std::string describe() const {
    return "WFT" + std::to_string(number) + ": " + message;
  }

private:
  int number = 0;
  std::string message;
};

/// A value, or why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : content(std::move(value)) {}
  Result(Status status) : failure(std::move(status)) {
    assert(!failure.ok() && "a result without a value needs an error");
  }
  Result(Error error, std::string message)
      : failure(error, std::move(message)) {}

  bool ok() const { return content.has_value(); }
  const Status &status() const { return failure; }
  T &operator*() { return *content; }
  const T &operator*() const { return *content; }
  T *operator->() { return &*content; }
  const T *operator->() const { return &*content; }
  /// Moves the value out.
  T take() { return std::move(*content); }

private:
  std::optional<T> content;
  Status failure;
};

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_STATUS_H
