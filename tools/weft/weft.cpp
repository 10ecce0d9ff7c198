//===- weft.cpp - Compiles and runs ONNX models ---------------------------===//

#include "Commands.h"
#include <csignal>
#include <cstdio>
#include <new>

using namespace weft::tool;

int main(int argc, char **argv) {
  CLI::App app("Compiles ONNX models to native programs, runs and trains them.",
               "weft");
  app.footer(
      "Exit codes: 0 done, 1 error, 2 wrong usage, 77 the model asks for "
      "something that has no lowering.\n"
      "`weft COMMAND --help` tells more about a command.");
  app.set_version_flag("--version", "weft 0.1.0");
  app.require_subcommand(1);
  addInspect(app);
  addCheck(app);
  addCompile(app);
  addRun(app);
  addVerify(app);
  addBench(app);
  addTrain(app);
  addExportTrain(app);
  addOps(app);
  addDoctor(app);
  // A file that may not grow is an error of its own.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) ? 2 : 0;
  } catch (const std::bad_alloc &) {
    fputs("error: WFT6003: memory is exhausted\n", stderr);
    return 1;
  } catch (const Exit &exit) {
    fputs(exit.message.c_str(), stderr);
    if (!exit.message.empty() && exit.message.back() != '\n')
      fputc('\n', stderr);
    return exit.code;
  }
  return 0;
}
