//===- loop.cpp - A run that can be killed, for test/Runtime/Train/kill.py
//-===//
//
// Trains FakeStep with a checkpoint every third update, and prints a sum of the
// state's bits at the end.
//
//   weft-train-loop FOLDER [--resume] [--slow]
//
//===----------------------------------------------------------------------===//

#include "FakeStep.h"
#include <thread>

using namespace weft::data;
using namespace weft::train;

static int fail(const Status &status) {
  std::fprintf(stderr, "error: %s\n", status.describe().c_str());
  return 1;
}

int main(int argc, char **argv) {
  LoopOptions options;
  bool slow = false;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--resume")
      options.resume = true;
    else if (argument == "--slow")
      slow = true;
    else
      options.checkpoints = argument;
  }
  options.epochs = 6;
  options.keep = 2;
  options.saveUpdates = 3;
  options.csv = options.checkpoints + ".csv";
  options.progress = stdout;
  options.logUpdates = 1;
  options.schedule = {
      .shape = Schedule::Shape::Linear, .rate = 0.3, .warmup = 4, .total = 78};

  weft::test::Points points(100);
  auto training = Loader::create(points, {}, {.batch = 8, .seed = 2});
  auto validation = Loader::create(
      points, {}, {.batch = 32, .shuffle = false, .random = false});
  if (!training.ok() || !validation.ok())
    return fail(training.ok() ? validation.status() : training.status());
  weft::test::FakeStep step;
  step.onUpdate = [&](weft::test::FakeStep &) {
    if (slow)
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
  };
  auto result = train(step, **training, validation->get(), options);
  if (!result.ok())
    return fail(result.status());
  if (result->stopped)
    return 3;
  std::string state;
  for (unsigned char byte : step.fingerprint()) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    state += digits;
  }
  std::printf("state %s\n", state.c_str());
  return 0;
}
