//===- Verify.cpp - weft verify -------------------------------------------===//

#include "Commands.h"
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace weft::tool;

namespace {
struct VerifyFlags {
  CompileFlags compile;
  InputFlags inputs;
  std::string model, program;
  double scale = 1;
  int threads = 0;
  bool firstBad = false, json = false, gradients = false;
  std::string settings; ///< of training, with `gradients`
};

/// What was found out about a kernel.
struct Finding {
  int launches = 0, bad = 0;
  int32_t result = 0; ///< the one furthest out, in the launch furthest out
  weft_difference worst = {};
};

/// Checks each launch of a run.
class Verification {
public:
  Verification(const VerifyFlags &flags, LoadedModel &model);
  void run();
  /// Says what was found; returns whether all is well.
  bool report() const;

private:
  static void announce(void *user, int32_t kernel, void *const *words);
  static void observe(void *user, int32_t kernel, void *const *words);
  void checkLaunch(int32_t kernel, void *const *words);
  void print(int32_t kernel) const;
  nlohmann::json describe(int32_t kernel) const;

  const VerifyFlags &flags;
  LoadedModel &model;
  std::unique_ptr<weft_verifier, void (*)(weft_verifier *)> verifier{
      nullptr, weft_verifier_release};
  std::vector<Finding> findings; ///< by kernel
  int launches = 0;
  int32_t firstBad = -1;
  bool stopped = false;
  std::string problem; ///< what the evaluator stumbled over
};
} // namespace

Verification::Verification(const VerifyFlags &flags, LoadedModel &model)
    : flags(flags), model(model), findings(model.program().num_kernels) {
  weft_compile_options options = flags.compile.get(flags.model);
  weft_verifier *created = nullptr;
  char *message = nullptr;
  weft_outcome outcome = weft_verifier_create(flags.model.c_str(), &options,
                                              flags.scale, &created, &message);
  showProgress("");
  check(outcome, message);
  verifier.reset(created);
  if (model.program().device)
    weft_verifier_read_with(created, weft_launch_read);
  outcome = weft_verifier_match(verifier.get(), &model.program(), &message);
  check(outcome, message);
}

/// How often the error holds what is allowed.
static double getRatio(const weft_difference &difference) {
  if (difference.error == 0 || difference.allowed > 0)
    return difference.error == 0 ? 0 : difference.error / difference.allowed;
  return std::numeric_limits<double>::infinity();
}

void Verification::checkLaunch(int32_t kernel, void *const *words) {
  const weft_kernel &entry = model.program().kernels[kernel];
  showProgress("verifying " + std::string(entry.name) + ", launch " +
               std::to_string(launches + 1));
  int32_t results = 0, result = 0;
  weft_difference difference;
  char *message = nullptr;
  weft_outcome outcome = weft_verifier_check(
      verifier.get(), &entry, words, &results, &result, &difference, &message);
  if (outcome != WEFT_OUTCOME_OK) {
    problem = message;
    weft_message_free(message);
    stopped = true;
    return;
  }
  if (results == 0)
    return;
  ++launches;
  Finding &finding = findings[kernel];
  if (finding.launches == 0 ||
      !(getRatio(difference) <= getRatio(finding.worst))) {
    finding.worst = difference;
    finding.result = result;
  }
  ++finding.launches;
  if (difference.outside == 0)
    return;
  ++finding.bad;
  if (firstBad < 0)
    firstBad = kernel;
  stopped = flags.firstBad;
}

void Verification::announce(void *user, int32_t kernel, void *const *words) {
  auto *self = static_cast<Verification *>(user);
  if (!self->stopped)
    weft_verifier_announce(self->verifier.get(),
                           &self->model.program().kernels[kernel], words);
}

void Verification::observe(void *user, int32_t kernel, void *const *words) {
  // Exceptions must not pass through the program.
  auto *self = static_cast<Verification *>(user);
  if (!self->stopped)
    self->checkLaunch(kernel, words);
}

void Verification::run() {
  DataSet data = flags.inputs.read(model.program(), flags.compile.dims);
  weft_session_options options;
  weft_session_options_init(&options);
  options.threads = flags.threads;
  options.announce = announce;
  options.observe = observe;
  options.observe_user = this;
  Session session = createSession(model, options);
  std::vector<weft_tensor> inputs = borrow(data.inputs);
  std::vector<weft_tensor> outputs(model.program().num_outputs);
  weft_status status =
      weft_session_run(session.get(), inputs.size(), inputs.data(),
                       outputs.size(), outputs.data());
  showProgress("");
  check(status);
  if (!problem.empty())
    throw Exit{1, problem};
}

/// The nodes in "a\nb" as "'a', 'b'".
static std::string listNodes(const char *nodes) {
  std::string text;
  std::istringstream lines(nodes);
  for (std::string node; std::getline(lines, node);)
    text += (text.empty() ? "'" : ", '") + node + "'";
  return text.empty() ? "none" : text;
}

void Verification::print(int32_t kernel) const {
  const Finding &finding = findings[kernel];
  const weft_kernel &entry = model.program().kernels[kernel];
  const weft_difference &worst = finding.worst;
  if (finding.bad == 0) {
    printf("right  %-20s %6d launches  off by %.3g, allowed %.3g\n", entry.name,
           finding.launches, worst.error, worst.allowed);
    return;
  }
  printf("WRONG  %-20s %6d launches, %d of them wrong\n"
         "       nodes: %s\n"
         "       result %d: %lld of %lld elements outside the tolerance; "
         "furthest out element %lld: %.9g, wanted %.9g (off by %.3g, allowed "
         "%.3g)\n",
         entry.name, finding.launches, finding.bad,
         listNodes(entry.nodes).c_str(), finding.result,
         static_cast<long long>(worst.outside),
         static_cast<long long>(worst.elements),
         static_cast<long long>(worst.worst), worst.got, worst.want,
         worst.error, worst.allowed);
}

nlohmann::json Verification::describe(int32_t kernel) const {
  const Finding &finding = findings[kernel];
  const weft_kernel &entry = model.program().kernels[kernel];
  nlohmann::json nodes = nlohmann::json::array();
  std::istringstream lines(entry.nodes);
  for (std::string node; std::getline(lines, node);)
    nodes.push_back(node);
  return {{"kernel", entry.name},
          {"nodes", nodes},
          {"launches", finding.launches},
          {"wrong_launches", finding.bad},
          {"result", finding.result},
          {"elements", finding.worst.elements},
          {"outside", finding.worst.outside},
          {"element", finding.worst.worst},
          {"got", finding.worst.got},
          {"wanted", finding.worst.want},
          {"error", finding.worst.error},
          {"allowed", finding.worst.allowed}};
}

bool Verification::report() const {
  bool isRight = firstBad < 0;
  const weft_program &program = model.program();
  nlohmann::json kernels = nlohmann::json::array();
  for (int32_t i = 0; i < program.num_kernels; ++i) {
    if (findings[i].launches == 0)
      continue;
    if (flags.json)
      kernels.push_back(describe(i));
    else if (!flags.firstBad || i == firstBad)
      print(i);
  }
  if (flags.json) {
    nlohmann::json result = {{"model", flags.model},
                             {"right", isRight},
                             {"launches", launches},
                             {"first_bad", nullptr},
                             {"kernels", kernels}};
    if (!isRight)
      result["first_bad"] = program.kernels[firstBad].name;
    printf("%s\n", result.dump(2).c_str());
    return isRight;
  }
  if (isRight)
    printf("%d launches agree with the reference evaluator\n", launches);
  else
    printf("the first wrong kernel of the run is '%s', of nodes %s\n",
           program.kernels[firstBad].name,
           listNodes(program.kernels[firstBad].nodes).c_str());
  return isRight;
}

/// Compares gradients with differences; says what was found.
static bool verifyGradients(const VerifyFlags &flags) {
  weft_compile_options options = flags.compile.get(flags.model);
  weft_reference *created = nullptr;
  char *message = nullptr, *json = nullptr;
  weft_outcome outcome =
      weft_reference_create(flags.model.c_str(), &options, &created, &message);
  showProgress("");
  check(outcome, message);
  std::unique_ptr<weft_reference, void (*)(weft_reference *)> reference(
      created, weft_reference_release);
  DataSet data =
      flags.inputs.read(*weft_reference_program(created), flags.compile.dims);
  std::vector<weft_tensor> inputs = borrow(data.inputs);
  options.training = flags.settings.c_str();
  outcome =
      weft_verify_gradients(flags.model.c_str(), &options, 1e-5 * flags.scale,
                            inputs.size(), inputs.data(), &json, &message);
  showProgress("");
  std::string text = json ? json : "";
  weft_message_free(json);
  check(outcome, message);
  auto result = nlohmann::json::parse(text);
  bool isRight = result["right"];
  if (flags.json) {
    printf("%s\n", text.c_str());
    return isRight;
  }
  for (const auto &one : result["tensors"])
    printf("%-6s %-10s %-40s off by %.1e\n",
           one["right"].get<bool>() ? "right" : "WRONG",
           one["kind"].get<std::string>().c_str(),
           one["name"].get<std::string>().c_str(), one["error"].get<double>());
  if (isRight)
    printf("the gradients agree with differences (allowed %.1e)\n",
           result["tolerance"].get<double>());
  else if (const auto &bad = result["first_bad"]; bad.is_null())
    printf("each node's own gradient is right\n");
  else
    printf("the first node whose gradient is off is '%s' (%s), by %.1e\n",
           bad["node"].get<std::string>().c_str(),
           bad["op"].get<std::string>().c_str(), bad["error"].get<double>());
  return isRight;
}

static void verify(const VerifyFlags &flags) {
  if (flags.gradients) {
    if (!verifyGradients(flags))
      throw Exit{1, ""};
    return;
  }
  LoadedModel model(flags.program.empty() ? flags.model : flags.program,
                    flags.compile);
  Verification verification(flags, model);
  verification.run();
  if (!verification.report())
    throw Exit{1, ""};
}

void weft::tool::addVerify(CLI::App &app) {
  CLI::App *command = app.add_subcommand(
      "verify",
      "Check each kernel of a run against the reference evaluator, or "
      "gradients against differences");
  command->footer(
      "Runs the model once. After each launch of a kernel, evaluates what the "
      "kernel stands for on the same inputs, op by op, and compares. An "
      "element "
      "may be off by (1e-4 for f32, 1e-10 for f64, four units in the last "
      "place for narrower floats, 0 for integers) times --tolerance, times the "
      "sum of its size and the root of the mean square of the whole result.\n\n"
      "  weft verify model.onnx --inputs test_data_set_0 --first-bad\n"
      "  weft verify model.onnx --program model.so --random --json\n\n"
      "With --grad nothing is compiled: the gradients of inputs and trained "
      "tensors are compared with central differences along random directions, "
      "in f64, by the reference evaluator. They may be off by 1e-5 times "
      "--tolerance of the sizes that are added up. Where a function has a kink "
      "and the inputs lie on it, no difference is right.\n\n"
      "  weft verify model.onnx --grad --random --dim N=2\n\n"
      "Exit codes: 0 all kernels or gradients are right, 1 one is wrong, or an "
      "error; 2 "
      "wrong usage, 77 the model asks for something that has no lowering.");
  auto flags = std::make_shared<VerifyFlags>();
  command->add_option("model", flags->model, "Model")->required();
  flags->inputs.add(*command);
  command->add_flag("--first-bad", flags->firstBad,
                    "Stop at the first launch that is wrong");
  CLI::Option *gradients = command->add_flag(
      "--grad", flags->gradients, "Check gradients instead of kernels");
  command
      ->add_option("--train", flags->settings,
                   "With --grad: settings of training that say what is "
                   "trained, 'train=REGEX freeze=REGEX bn=train'")
      ->needs(gradients);
  command->add_flag("--json", flags->json, "Print the result as JSON");
  command->add_option("--program", flags->program,
                      "Check this .so, compiled from the model with the same "
                      "options [compile the model]");
  command->add_option("--tolerance", flags->scale,
                      "What the tolerances are multiplied by [1]");
  command->add_option("--threads", flags->threads,
                      "Threads of the run [all processors]");
  flags->compile.add(*command);
  flags->compile.addFront(*command);
  command->callback([=] { verify(*flags); });
}
