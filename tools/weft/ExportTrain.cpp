//===- ExportTrain.cpp - weft export-train --------------------------------===//

#include "Commands.h"

using namespace weft::tool;

void weft::tool::addExportTrain(CLI::App &app) {
  CLI::App *command = app.add_subcommand(
      "export-train",
      "Write a model that brings its training along, as ONNX's training info");
  command->footer(
      "  weft export-train net.onnx --loss mse --optimizer adam --lr 1e-3 "
      "-o train.onnx\n"
      "  weft train train.onnx --data train.npz -o tuned.onnx\n\n"
      "What is written is of the newest operator set.\n"
      "Exit codes: 0 done, 1 error, 2 wrong usage.");
  struct Flags {
    std::string model, output;
    StepFlags step;
    double rate = 0.01;
  };
  auto flags = std::make_shared<Flags>();
  command->add_option("model", flags->model, "Model: .onnx or .onnxtxt")
      ->required();
  command->add_option("-o,--output", flags->output, "File to write")
      ->required();
  flags->step.add(*command);
  command->add_option("--lr", flags->rate,
                      "Learning rate, where weft train --lr says no other "
                      "[0.01]");
  command->callback([flags] {
    char *message = nullptr;
    weft_outcome outcome = weft_export_training(
        flags->model.c_str(), flags->step.getSettings().c_str(), flags->rate,
        flags->output.c_str(), &message);
    check(outcome, message);
  });
}
