//===- weft-test-kernels.cpp - Compiled code against the evaluator --------===//
//
//   weft-test-kernels cases.mlir
//
// compiles each function of the file (`weft` ops on tensors; Case.h tells the
// attributes) through all stages, many at a time, runs it on random inputs and
// compares the results with those of the reference evaluator. Memory around
// inputs and outputs must stay untouched, and any number of threads must give
// the same bits. Each batch runs in a process of its own, so that a crash is
// found and reported as any other failure. The last line counts.
//
//===----------------------------------------------------------------------===//

#include "Emit.h"
#include "Program.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Regex.h"
#include <csignal>
#include <cstdlib>
#include <deque>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;
using namespace weft;
using namespace weft::test;
namespace cl = llvm::cl;

static cl::opt<std::string> inputFile(cl::Positional, cl::Required,
                                      cl::desc("<cases.mlir, or ->"));
static cl::opt<std::string> only("only", cl::init("."),
                                 cl::desc("Cases whose names match"));
static cl::opt<uint64_t> seed("seed", cl::init(1), cl::desc("Of the inputs"));
static cl::opt<unsigned> batchSize("batch", cl::init(40),
                                   cl::desc("Cases per program"));
static cl::opt<unsigned> jobs("jobs", cl::init(2), cl::desc("Processes"));
static cl::opt<unsigned> limit("limit", cl::init(120),
                               cl::desc("Seconds for a program"));
static cl::opt<int> timeRuns(
    "time", cl::init(0),
    cl::desc("Print each kernel's fastest time of so many runs on one thread"));
static cl::opt<std::string> mcpu("mcpu", cl::desc("Processor"));
static cl::opt<std::string>
    cudaArch("cuda-arch", cl::desc("Run kernels on a GPU: the architecture"));
static cl::list<std::string>
    modes("modes", cl::CommaSeparated,
          cl::desc("Modes of an emulated GPU, each of which all cases run in, "
                   "and are counted in; else one, which is as the driver is"));
static cl::opt<std::string>
    emitTo("emit",
           cl::desc("Folder that gets each batch as a program, with its "
                    "inputs and results"));
static cl::opt<std::string>
    ptxFolder("ptx", cl::desc("Folder for the kernels' PTX, in files named "
                              "after a program's first case; nothing is run"));
static cl::opt<bool> cudaTF32("cuda-tf32",
                              cl::desc("Round operands of products to tf32"));
static cl::opt<int64_t> cudaPackFrom(
    "cuda-pack-from",
    cl::desc("Pack tensors of convolutions from so many loads of elements on"));
static cl::opt<double>
    leastBound("bound", cl::init(0),
               cl::desc("Least bound of results that are floats"));
static cl::opt<std::string> dumpStages("dump-stages",
                                       cl::desc("Folder for the IR"));

//===----------------------------------------------------------------------===//
// One batch
//===----------------------------------------------------------------------===//

namespace {
/// How a batch's process ends.
enum Outcome { AllPassed = 0, SomeFailed = 1, Unusable = 2 };

/// Cases of one program and what became of them.
class Batch {
public:
  Batch(ArrayRef<Case> cases) : cases(cases) {}
  /// The file of the batch in the folder of `--emit`, without its ending.
  static std::string getFile(ArrayRef<Case> cases) {
    return emitTo + "/" + cases.front().getName();
  }
  Outcome run();

private:
  /// What a run of all cases is given, and what it should make of it.
  struct Run {
    SmallVector<HostTensor> inputs;
    std::vector<Reference> references;
  };

  Outcome writePTX(const PipelineOptions &options);
  std::string evaluate();
  Outcome runAll(Program &program, RunRecorder *recorder);
  Outcome runInModes(Program &program);
  void check(int64_t number, ArrayRef<HostTensor> results);
  void fail(const Case &test, int64_t run, const Twine &message);
  Outcome giveUp(int64_t run, const Twine &message);

  ArrayRef<Case> cases;
  std::string diagnostics, mode;
  llvm::StringMap<bool> failed;
  std::vector<Run> runs;
};
} // namespace

void Batch::fail(const Case &test, int64_t run, const Twine &message) {
  if (failed.insert({test.getName(), true}).second)
    llvm::outs() << "FAIL " << test.getName() << test.describeRun(run)
                 << " (seed " << seed << mode << "): " << message << "\n";
}

/// What is wrong with one of many is found by running it alone.
Outcome Batch::giveUp(int64_t run, const Twine &message) {
  if (cases.size() == 1)
    fail(cases.front(), run, message);
  return Unusable;
}

/// Makes the inputs and references of all runs.
std::string Batch::evaluate() {
  int64_t count = 1;
  for (const Case &test : cases)
    count = std::max(count, test.getNumRuns());
  for (int64_t number : llvm::seq(count)) {
    Run &run = runs.emplace_back();
    for (const Case &test : cases) {
      // A case with fewer runs than others repeats its last.
      int64_t own = std::min(number, test.getNumRuns() - 1);
      Tensors values = test.makeInputs(own, seed);
      FailureOr<Reference> reference = evaluateCase(test, values);
      if (mlir::failed(reference))
        return "can't be evaluated: " + diagnostics;
      run.inputs.append(values);
      run.references.push_back(*reference);
    }
  }
  return "";
}

void Batch::check(int64_t number, ArrayRef<HostTensor> results) {
  for (auto [test, reference] :
       llvm::zip_equal(cases, runs[number].references)) {
    for (size_t i : llvm::seq(reference.own.size())) {
      const HostTensor &result = results.front();
      results = results.drop_front();
      double bound = getOwnBound(test, result.getElementType());
      if (bound > 0)
        bound = std::max(bound, leastBound.getValue());
      double magnitude = getMagnitude(test);
      std::string message = compare(result, reference.own[i], bound, magnitude);
      if (message.empty() && !reference.wide.empty() && bound > 0) {
        message = compare(result, reference.wide[i], bound, magnitude);
        if (!message.empty())
          message = "in f64: " + message;
      }
      if (!message.empty())
        fail(test, std::min(number, test.getNumRuns() - 1),
             "result " + Twine(i) + ": " + message);
    }
  }
}

Outcome Batch::writePTX(const PipelineOptions &options) {
  FailureOr<std::string> ptx = Program::makePTX(cases, options);
  if (mlir::failed(ptx)) {
    fail(cases.front(), 0, diagnostics);
    return Unusable;
  }
  std::error_code error;
  llvm::raw_fd_ostream file(ptxFolder + "/" + cases.front().getName() + ".ptx",
                            error);
  file << *ptx;
  if (error)
    fail(cases.front(), 0, "PTX can't be written: " + error.message());
  return error ? Unusable : AllPassed;
}

Outcome Batch::runAll(Program &program, RunRecorder *recorder) {
  for (auto [number, run] : llvm::enumerate(runs)) {
    SmallVector<RankedTensorType> types;
    for (const Reference &reference : run.references)
      for (const HostTensor &result : reference.own)
        types.push_back(result.getType());
    SmallVector<HostTensor> results, again;
    std::string error = program.run(/*threads=*/1, run.inputs, types, results);
    if (error.empty())
      error = program.run(/*threads=*/3, run.inputs, types, again);
    if (!error.empty())
      return giveUp(number, error);
    check(number, results);
    // Which case it was, the references tell: `again` would differ from them.
    size_t place = 0;
    for (auto [test, reference] : llvm::zip_equal(cases, run.references))
      for (size_t i = 0; i < reference.own.size(); ++i, ++place)
        if (results[place].getBytes() != again[place].getBytes())
          fail(test, std::min<int64_t>(number, test.getNumRuns() - 1),
               "result " + Twine(i) + ": one and three threads differ");
    if (recorder)
      recorder->add(cases, run.references, run.inputs, results, number, seed);
    if (timeRuns)
      program.printTimes(/*threads=*/1, timeRuns, run.inputs);
  }
  return failed.empty() ? AllPassed : SomeFailed;
}

/// Runs all in each mode, in a process of its own, which loads the driver.
Outcome Batch::runInModes(Program &program) {
  Outcome worst = AllPassed;
  for (StringRef name : modes) {
    llvm::outs().flush();
    pid_t child = fork();
    if (child == 0) {
      alarm(limit);
      setenv("WEFT_FAKECUDA_MODE", name.str().c_str(), /*overwrite=*/1);
      mode = (", mode " + name).str();
      Outcome outcome = runAll(program, nullptr);
      llvm::outs().flush();
      std::exit(outcome);
    }
    int status;
    waitpid(child, &status, 0);
    mode = (", mode " + name).str();
    failed.clear();
    Outcome outcome = Unusable;
    if (!WIFEXITED(status))
      giveUp(0, WTERMSIG(status) == SIGALRM ? "takes too long"
                                            : strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) <= SomeFailed)
      outcome = static_cast<Outcome>(WEXITSTATUS(status));
    worst = std::max(worst, outcome);
    // Each is run alone then.
    if (worst == Unusable && cases.size() > 1)
      break;
  }
  return worst;
}

Outcome Batch::run() {
  MLIRContext *context = cases.front().function.getContext();
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    diagnostics += diagnostic.str() + "\n";
    return success();
  });
  PipelineOptions options;
  options.inProcess = true;
  options.target.cpu = mcpu;
  if (!cudaArch.empty())
    options.device = DeviceOptions{.arch = cudaArch, .tf32 = cudaTF32};
  if (!cudaArch.empty() && cudaPackFrom.getNumOccurrences() > 0)
    options.device->packFrom = cudaPackFrom;
  options.dumpStages = dumpStages;
  if (!ptxFolder.empty())
    return writePTX(options);
  FailureOr<std::unique_ptr<Program>> program = Program::create(cases, options);
  if (mlir::failed(program))
    return giveUp(0, "can't be compiled: " + diagnostics);
  std::string error = evaluate();
  if (!error.empty())
    return giveUp(runs.size() - 1, error);
  if (!modes.empty())
    return runInModes(**program);
  std::unique_ptr<RunRecorder> recorder;
  if (!emitTo.empty())
    recorder = std::make_unique<RunRecorder>(getFile(cases));
  Outcome outcome = runAll(**program, recorder.get());
  if (recorder && outcome == AllPassed) {
    options.inProcess = false;
    error = recorder->finish();
    if (error.empty())
      error = emitProgram(cases, options, getFile(cases) + ".so");
    if (!error.empty())
      return giveUp(0, "can't be written: " + error);
  }
  return outcome;
}

//===----------------------------------------------------------------------===//
// All batches
//===----------------------------------------------------------------------===//

namespace {
/// Runs batches in processes of their own.
class Suite {
public:
  explicit Suite(ArrayRef<Case> cases);
  void run();
  int64_t passed = 0, failed = 0;

private:
  void start(ArrayRef<Case> batch);
  void finish();

  std::deque<ArrayRef<Case>> waiting;
  std::map<pid_t, std::pair<ArrayRef<Case>, int>> running;
};
} // namespace

Suite::Suite(ArrayRef<Case> cases) {
  while (!cases.empty()) {
    ArrayRef<Case> batch = cases.take_front(batchSize);
    waiting.push_back(batch);
    cases = cases.drop_front(batch.size());
  }
}

void Suite::start(ArrayRef<Case> batch) {
  int ends[2];
  if (pipe(ends) != 0)
    llvm::report_fatal_error("weft-test-kernels: no more files");
  llvm::outs().flush();
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    // Modes have a time of their own.
    alarm(limit * (1 + modes.size()));
    dup2(ends[1], STDOUT_FILENO);
    Outcome outcome = Batch(batch).run();
    llvm::outs().flush();
    // A driver may have something to say when its process ends.
    if (!cudaArch.empty())
      std::exit(outcome);
    _exit(outcome);
  }
  close(ends[1]);
  running[child] = {batch, ends[0]};
}

static std::string readAll(int file) {
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = read(file, buffer, sizeof(buffer))) > 0;)
    text.append(buffer, got);
  close(file);
  return text;
}

void Suite::finish() {
  int status;
  pid_t child = wait(&status);
  auto [batch, file] = running.at(child);
  running.erase(child);
  std::string text = readAll(file);
  bool isUsable = WIFEXITED(status) && WEXITSTATUS(status) != Unusable;
  if (!isUsable && batch.size() > 1) {
    for (size_t i : llvm::seq(batch.size()))
      waiting.push_front(batch.slice(i, 1));
    return;
  }
  if (WIFSIGNALED(status)) {
    int signal = WTERMSIG(status);
    text += "FAIL " + batch.front().getName() + ": " +
            (signal == SIGALRM ? "takes too long" : strsignal(signal)) + "\n";
  }
  llvm::outs() << text;
  int64_t bad = 0;
  SmallVector<StringRef> lines;
  StringRef(text).split(lines, '\n');
  for (StringRef line : lines)
    bad += line.starts_with("FAIL ");
  failed += bad;
  int64_t count = batch.size() * std::max<size_t>(modes.size(), 1);
  passed += std::max<int64_t>(count - bad, 0);
}

void Suite::run() {
  while (!waiting.empty() || !running.empty()) {
    while (!waiting.empty() && running.size() < jobs) {
      ArrayRef<Case> batch = waiting.front();
      waiting.pop_front();
      start(batch);
    }
    finish();
  }
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv,
                              "Compares kernels with the "
                              "reference evaluator\n");
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(inputFile, &context);
  if (!module)
    return 1;
  llvm::Regex pattern(only);
  std::vector<Case> cases;
  for (auto function : module->getOps<func::FuncOp>())
    if (pattern.match(function.getName()))
      cases.push_back({function});
  // A batch runs as often as the case in it that has most sizes.
  llvm::stable_sort(cases, [](const Case &lhs, const Case &rhs) {
    return lhs.getNumRuns() < rhs.getNumRuns();
  });
  Suite suite(cases);
  suite.run();
  llvm::outs() << suite.passed << " passed, " << suite.failed
               << " failed, 0 skipped\n";
  // Nothing to test is no success.
  return suite.failed == 0 && suite.passed > 0 ? 0 : 1;
}
