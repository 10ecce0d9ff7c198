//===- ext.cpp - Python's view of the compiler and the runtime ------------===//
//
// Thin: buffers cross as addresses, and outcomes as numbers with a message; the
// package turns them into arrays and exceptions.
//
//===----------------------------------------------------------------------===//

#include "NotFinite.h"
#include "weft-c/compiler.h"
#include "weft-rt/train.h"
#include <cstring>
#include <memory>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <stdexcept>

namespace nb = nanobind;

namespace {

using OptionalText = std::optional<std::string>;
/// Address, bytes, element type, sizes.
using Buffer = std::tuple<uintptr_t, int64_t, int32_t, std::vector<int64_t>>;

/// An outcome other than success: the exit code that the tool would give, and
/// the message.
struct Failure : std::runtime_error {
  Failure(int code, const std::string &text)
      : std::runtime_error(text), code(code) {}
  int code;
};

void check(weft_status status) {
  if (status)
    throw Failure(1, std::string("error: ") + weft_last_error());
}

/// Throws unless a call of the compiler succeeded; takes its message over.
void check(weft_outcome outcome, char *message) {
  std::string text = message ? message : "";
  weft_message_free(message);
  if (outcome != WEFT_OUTCOME_OK)
    throw Failure(outcome, text);
}

/// What is compiled, and how.
class Source {
public:
  Source(nb::object model, OptionalText mcpu, OptionalText dims,
         OptionalText dumpStages, OptionalText training, OptionalText batch,
         OptionalText target, OptionalText cudaArch, int64_t memoryBudget,
         OptionalText preprocess, bool tf32)
      : mcpu(std::move(mcpu)), dims(std::move(dims)),
        dumpStages(std::move(dumpStages)), training(std::move(training)),
        batch(std::move(batch)), target(std::move(target)),
        cudaArch(std::move(cudaArch)), preprocess(std::move(preprocess)),
        memoryBudget(memoryBudget), tf32(tf32) {
    if (nb::isinstance<nb::bytes>(model))
      bytes = nb::cast<nb::bytes>(model);
    else
      path = nb::cast<std::string>(model);
  }

  weft_compiled *compile() const {
    weft_compile_options options = getOptions();
    weft_compiled *compiled = nullptr;
    char *message = nullptr;
    weft_outcome outcome;
    {
      nb::gil_scoped_release release;
      outcome =
          bytes.is_valid()
              ? weft_compile_bytes(bytes.c_str(), bytes.size(), &options,
                                   &compiled, &message)
              : weft_compile_file(path.c_str(), &options, &compiled, &message);
    }
    check(outcome, message);
    return compiled;
  }

  void save(const std::string &output, const std::string &emit) const {
    weft_compile_options options = getOptions();
    char *message = nullptr;
    weft_outcome outcome;
    {
      nb::gil_scoped_release release;
      outcome = bytes.is_valid()
                    ? weft_compile_bytes_to_file(bytes.c_str(), bytes.size(),
                                                 emit.c_str(), output.c_str(),
                                                 &options, &message)
                    : weft_compile_to_file(path.c_str(), emit.c_str(),
                                           output.c_str(), &options, &message);
    }
    check(outcome, message);
  }

  /// What is said of a step of `trainer` that has come to no finite loss.
  std::string explain(const weft_program &program, weft_model *model,
                      weft_trainer *trainer,
                      const std::vector<weft_tensor> &inputs, float rate,
                      int64_t seed) const {
    nb::gil_scoped_release release;
    weft::tool::NotFiniteSearch search(path.c_str(), getOptions(), program);
    return search.repeat(model, trainer, inputs, rate, seed);
  }

private:
  static const char *orNull(const OptionalText &text) {
    return text ? text->c_str() : nullptr;
  }

  weft_compile_options getOptions() const {
    weft_compile_options options;
    weft_compile_options_init(&options);
    options.mcpu = orNull(mcpu);
    options.target = orNull(target);
    options.cuda_arch = orNull(cudaArch);
    options.cuda_tf32 = tf32;
    options.dims = orNull(dims);
    options.dump_stages = orNull(dumpStages);
    options.training = orNull(training);
    options.preprocess = orNull(preprocess);
    options.memory_budget = memoryBudget;
    options.keep_fixed_batch = training && !batch;
    options.batch = options.keep_fixed_batch ? "batch" : orNull(batch);
    return options;
  }

  nb::bytes bytes = nb::steal<nb::bytes>(nb::handle());
  std::string path;
  OptionalText mcpu, dims, dumpStages, training, batch, target, cudaArch,
      preprocess;
  int64_t memoryBudget = 0;
  bool tf32 = false;
};

/// Tensors in the memory of others.
std::vector<weft_tensor> getTensors(const std::vector<Buffer> &buffers) {
  std::vector<weft_tensor> result(buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    const auto &[address, bytes, dtype, dims] = buffers[i];
    if (dims.size() > WEFT_MAX_RANK)
      throw Failure(1, "error: rank " + std::to_string(dims.size()) +
                           " is more than a tensor can have");
    result[i].data = reinterpret_cast<void *>(address);
    result[i].bytes = bytes;
    result[i].dtype = static_cast<weft_dtype>(dtype);
    result[i].rank = dims.size();
    std::copy(dims.begin(), dims.end(), result[i].dims);
  }
  return result;
}

/// Name, element type and sizes: numbers, names of symbols, or None.
nb::tuple describePort(const weft_program *program, const weft_port &port) {
  nb::list dims;
  for (int32_t d = 0; d < port.rank; ++d) {
    weft_dim dim = port.dims[d];
    if (dim.symbol >= 0)
      dims.append(program->symbols[dim.symbol].name);
    else if (dim.symbol == -1)
      dims.append(dim.size);
    else
      dims.append(nb::none());
  }
  return nb::make_tuple(port.name, int(port.dtype), dims);
}

/// A compiled program with a session to run it in.
class Program {
public:
  static Program *compile(const Source &source, int threads, bool profile) {
    auto program = std::make_unique<Program>();
    program->compiled = source.compile();
    check(weft_model_wrap(weft_compiled_program(program->compiled), nullptr,
                          &program->model));
    program->start(threads, profile);
    return program.release();
  }

  /// A graph for samples by itself, given as text.
  static Program *compileGraph(const std::string &graph, OptionalText mcpu) {
    auto program = std::make_unique<Program>();
    weft_compile_options options;
    weft_compile_options_init(&options);
    options.mcpu = mcpu ? mcpu->c_str() : nullptr;
    char *message = nullptr;
    weft_outcome outcome = weft_compile_graph(graph.c_str(), &options,
                                              &program->compiled, &message);
    check(outcome, message);
    check(weft_model_wrap(weft_compiled_program(program->compiled), nullptr,
                          &program->model));
    program->start(/*threads=*/1, /*profile=*/false, /*memoryBudget=*/0);
    return program.release();
  }

  static Program *open(const std::string &path, int threads, bool profile,
                       int64_t memoryBudget) {
    auto program = std::make_unique<Program>();
    check(weft_model_open(path.c_str(), &program->model));
    program->start(threads, profile, memoryBudget);
    return program.release();
  }

  ~Program() {
    weft_session_release(session);
    weft_model_release(model);
    if (compiled)
      weft_compiled_release(compiled);
  }

  nb::list ports(bool outputs) const {
    const weft_program *program = weft_model_program(model);
    int32_t count = outputs ? program->num_outputs : program->num_inputs;
    const weft_port *all = outputs ? program->outputs : program->inputs;
    nb::list result;
    for (int32_t i = 0; i < count; ++i)
      result.append(describePort(program, all[i]));
    return result;
  }

  nb::list kernels() const {
    const weft_program *program = weft_model_program(model);
    nb::list result;
    for (int32_t i = 0; i < program->num_kernels; ++i)
      result.append(
          nb::make_tuple(program->kernels[i].name, program->kernels[i].nodes));
    return result;
  }

  /// Runs the program; outputs without an address get memory of their own.
  /// Each result is its memory (None if the caller provided it), type and
  /// sizes.
  nb::list run(const std::vector<Buffer> &inputs,
               const std::vector<Buffer> &outputs) {
    std::vector<weft_tensor> in = getTensors(inputs), out = getTensors(outputs);
    weft_status status;
    {
      nb::gil_scoped_release release;
      status = weft_session_run(session, in.size(), in.data(), out.size(),
                                out.data());
    }
    check(status);
    nb::list result;
    for (size_t i = 0; i < out.size(); ++i) {
      nb::list dims;
      for (int32_t d = 0; d < out[i].rank; ++d)
        dims.append(out[i].dims[d]);
      bool isOurs = !std::get<0>(outputs[i]);
      nb::object data = isOurs ? take(i, out[i].bytes) : nb::object(nb::none());
      result.append(nb::make_tuple(data, int(out[i].dtype), dims));
    }
    return result;
  }

  int64_t arenaBytes() const { return weft_session_arena_taken(session); }
  int threads() const { return weft_session_threads(session); }
  void writeTrace(const std::string &path) const {
    check(weft_session_write_trace(session, path.c_str()));
  }

private:
  /// Output `index` of the last run as an array of bytes that owns its memory.
  nb::object take(int32_t index, int64_t bytes) {
    void *data = nullptr;
    check(weft_session_take_output(session, index, &data));
    nb::capsule owner(data,
                      [](void *data) noexcept { weft_output_free(data); });
    size_t size = bytes;
    return nb::cast(
        nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>(data, {size}, owner));
  }

  void start(int threads, bool profile, int64_t memoryBudget = 0) {
    weft_session_options options;
    weft_session_options_init(&options);
    options.threads = threads;
    options.profile = profile;
    options.memory_budget = memoryBudget;
    check(weft_session_create(model, &options, &session));
  }

  weft_compiled *compiled = nullptr;
  weft_model *model = nullptr;
  weft_session *session = nullptr;
};

/// A compiled training step and the state that it changes.
class Trainer {
public:
  static Trainer *compile(const Source &source, int threads) {
    auto trainer = std::make_unique<Trainer>();
    trainer->compiled = source.compile();
    check(weft_model_wrap(weft_compiled_program(trainer->compiled), nullptr,
                          &trainer->model));
    weft_session_options options;
    weft_session_options_init(&options);
    options.threads = threads;
    check(weft_trainer_create(trainer->model, &options, &trainer->trainer));
    return trainer.release();
  }

  ~Trainer() {
    weft_trainer_release(trainer);
    weft_model_release(model);
    if (compiled)
      weft_compiled_release(compiled);
  }

  /// The inputs that a batch must hold.
  nb::list inputs() const {
    const weft_program *program = weft_model_program(model);
    nb::list result;
    for (int32_t i = 0; i < program->num_inputs; ++i)
      if (program->inputs[i].role == WEFT_ROLE_DATA)
        result.append(describePort(program, program->inputs[i]));
    return result;
  }

  /// Makes a step; loss and metrics by name.
  nb::dict step(const std::vector<Buffer> &batch, float rate, int64_t seed) {
    const weft_program *program = weft_model_program(model);
    std::vector<weft_tensor> in = getTensors(batch), out;
    std::vector<const char *> names;
    for (int32_t i = 0; i < program->num_outputs; ++i) {
      weft_role role = program->outputs[i].role;
      if (role == WEFT_ROLE_PARAMETER || role == WEFT_ROLE_STATE)
        continue;
      names.push_back(program->outputs[i].name);
      out.push_back({});
    }
    weft_status status;
    {
      nb::gil_scoped_release release;
      status = weft_step(trainer, in.size(), in.data(), rate, seed, out.size(),
                         out.data());
    }
    check(status);
    nb::dict result;
    for (size_t i = 0; i < out.size(); ++i)
      result[names[i]] = out[i].dtype == WEFT_F64
                             ? *static_cast<const double *>(out[i].data)
                             : double(*static_cast<const float *>(out[i].data));
    return result;
  }

  /// Whether the model's file has the tensor.
  static bool isOfModel(const weft_port *port) {
    return port->role == WEFT_ROLE_PARAMETER ||
           (port->initial >= 0 && strcmp(port->name, WEFT_SCALE_NAME) != 0);
  }

  /// Runs the program, of a batch: scalars and other results by name, each with
  /// its element type, its sizes and its bytes in memory of its own.
  nb::dict results(const std::vector<Buffer> &batch, int64_t seed) {
    const weft_program *program = weft_model_program(model);
    std::vector<weft_tensor> in = getTensors(batch), out;
    std::vector<int32_t> numbers;
    for (int32_t i = 0; i < program->num_outputs; ++i)
      if (program->outputs[i].twin < 0)
        numbers.push_back(i);
    out.resize(numbers.size());
    weft_status status;
    {
      nb::gil_scoped_release release;
      status = weft_step(trainer, in.size(), in.data(), 0, seed, out.size(),
                         out.data());
    }
    check(status);
    nb::dict result;
    for (size_t i = 0; i < out.size(); ++i) {
      nb::list dims;
      for (int32_t d = 0; d < out[i].rank; ++d)
        dims.append(out[i].dims[d]);
      void *data = nullptr;
      check(weft_session_take_output(weft_trainer_session(trainer), numbers[i],
                                     &data));
      nb::capsule owner(data,
                        [](void *data) noexcept { weft_output_free(data); });
      size_t size = out[i].bytes;
      result[program->outputs[numbers[i]].name] =
          nb::make_tuple(int(out[i].dtype), dims,
                         nb::cast(nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>(
                             data, {size}, owner)));
    }
    return result;
  }

  /// The states: name, whether it is of the model, element type, sizes, and the
  /// memory itself as bytes, which keeps `self` alive.
  static nb::list states(nb::object self) {
    auto &own = nb::cast<Trainer &>(self);
    nb::list result;
    for (int32_t i = 0; i < weft_trainer_num_states(own.trainer); ++i) {
      const weft_port *port = weft_trainer_state_port(own.trainer, i);
      weft_tensor tensor;
      check(weft_trainer_state(own.trainer, i, &tensor));
      nb::list dims;
      for (int32_t d = 0; d < tensor.rank; ++d)
        dims.append(tensor.dims[d]);
      size_t size = tensor.bytes;
      result.append(
          nb::make_tuple(port->name, isOfModel(port), int(tensor.dtype), dims,
                         nb::cast(nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>(
                             tensor.data, {size}, self))));
    }
    return result;
  }

  /// Brings the state called `name`, or all, to the memory that states() tells.
  void fetch(const std::string &name) {
    forStates(name, [&](int32_t number) {
      weft_tensor tensor;
      check(weft_trainer_state(trainer, number, &tensor));
    });
  }

  /// Says that this memory was written to.
  void changed(const std::string &name) {
    forStates(name, [&](int32_t number) {
      check(weft_trainer_changed(trainer, number));
    });
  }

  /// Tells the batch of the step after the next one.
  void expect(const std::vector<Buffer> &batch) {
    std::vector<weft_tensor> in = getTensors(batch);
    weft_trainer_expect(trainer, in.size(), in.data());
  }

  /// Where the infinity or NaN of the last step, of this batch, comes from.
  std::string explain(const Source &source, const std::vector<Buffer> &batch,
                      float rate, int64_t seed) {
    return source.explain(*weft_model_program(model), model, trainer,
                          getTensors(batch), rate, seed);
  }

  /// Copies a model with the trained tensors in it; each property is two texts.
  void exportTo(const std::string &path, const std::string &output,
                const std::vector<std::string> &properties) const {
    std::vector<weft_tensor_update> updates;
    for (int32_t i = 0; i < weft_trainer_num_states(trainer); ++i) {
      const weft_port *port = weft_trainer_state_port(trainer, i);
      if (!isOfModel(port))
        continue;
      weft_tensor tensor;
      check(weft_trainer_state(trainer, i, &tensor));
      updates.push_back({port->name, tensor});
    }
    std::vector<const char *> metadata;
    for (const std::string &text : properties)
      metadata.push_back(text.c_str());
    char *message = nullptr;
    weft_outcome outcome = weft_export_updated(
        path.c_str(), output.c_str(), updates.size(), updates.data(),
        properties.size() / 2, metadata.data(), &message);
    check(outcome, message);
  }

  int64_t steps() const { return weft_trainer_steps(trainer); }

  /// The bytes of the arena, 0 before the first step.
  int64_t arenaBytes() const {
    return weft_session_arena_taken(weft_trainer_session(trainer));
  }

private:
  /// Calls `found` for the state called `name`, or for all if it is empty.
  template <typename FoundT>
  void forStates(const std::string &name, FoundT found) {
    for (int32_t i = 0; i < weft_trainer_num_states(trainer); ++i)
      if (name.empty() || name == weft_trainer_state_port(trainer, i)->name)
        found(i);
  }

  weft_compiled *compiled = nullptr;
  weft_model *model = nullptr;
  weft_trainer *trainer = nullptr;
};

/// A text that a call of the compiler gave, if it gave one.
OptionalText take(weft_outcome outcome, char *text, char *message) {
  OptionalText result = text ? OptionalText(text) : std::nullopt;
  weft_message_free(text);
  check(outcome, message);
  return result;
}

/// A model's file as text that another can carry.
OptionalText encodeGraph(const std::string &path) {
  char *graph = nullptr, *message = nullptr;
  weft_outcome outcome = weft_encode_graph(path.c_str(), &graph, &message);
  return take(outcome, graph, message);
}

/// A property of the model in file `path`, if it has it.
OptionalText readProperty(const std::string &path, const std::string &key) {
  char *value = nullptr, *message = nullptr;
  weft_outcome outcome =
      weft_read_property(path.c_str(), key.c_str(), &value, &message);
  return take(outcome, value, message);
}

/// Writes the model in file `path` with a graph in front of it.
void exportMerged(const std::string &path, const std::string &graph,
                  const std::string &output) {
  char *message = nullptr;
  weft_outcome outcome =
      weft_export_merged(path.c_str(), graph.c_str(), output.c_str(), &message);
  check(outcome, message);
}

/// Address, code and bits of the elements, and sizes of a tensor in the memory
/// of this machine; and what keeps it alive.
nb::tuple readDLPack(nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu> array) {
  nb::list dims;
  for (size_t i = 0; i < array.ndim(); ++i)
    dims.append(array.shape(i));
  return nb::make_tuple(reinterpret_cast<uintptr_t>(array.data()),
                        int(array.dtype().code), int(array.dtype().bits), dims,
                        nb::capsule(new auto(array), [](void *kept) noexcept {
                          delete static_cast<decltype(array) *>(kept);
                        }));
}

/// Memory that `owner` keeps alive, as a tensor of elements that numpy can't
/// export.
nb::object writeDLPack(uintptr_t address, int code, int bits,
                       const std::vector<size_t> &dims, nb::object owner) {
  nb::dlpack::dtype dtype{static_cast<uint8_t>(code),
                          static_cast<uint8_t>(bits), 1};
  return nb::cast(nb::ndarray<nb::array_api>(reinterpret_cast<void *>(address),
                                             dims.size(), dims.data(), owner,
                                             nullptr, dtype));
}

} // namespace

NB_MODULE(_weft, m) {
  m.doc() = "The compiler and the runtime of Weft";
  nb::object error = nb::steal(
      PyErr_NewException("weft._weft.Failure", PyExc_RuntimeError, nullptr));
  m.attr("Failure") = error;
  nb::register_exception_translator(
      [](const std::exception_ptr &pointer, void *type) {
        try {
          std::rethrow_exception(pointer);
        } catch (const Failure &failure) {
          nb::object args = nb::make_tuple(failure.code, failure.what());
          PyErr_SetObject(static_cast<PyObject *>(type), args.ptr());
        }
      },
      error.ptr());
  nb::class_<Source>(m, "Source")
      .def(nb::init<nb::object, OptionalText, OptionalText, OptionalText,
                    OptionalText, OptionalText, OptionalText, OptionalText,
                    int64_t, OptionalText, bool>(),
           nb::arg("model"), nb::arg("mcpu").none(), nb::arg("dims").none(),
           nb::arg("dump_stages").none(), nb::arg("training").none(),
           nb::arg("batch").none() = nb::none(),
           nb::arg("target").none() = nb::none(),
           nb::arg("cuda_arch").none() = nb::none(),
           nb::arg("memory_budget") = 0,
           nb::arg("preprocess").none() = nb::none(), nb::arg("tf32") = false)
      .def("save", &Source::save);
  nb::class_<Program>(m, "Program")
      .def_static("compile", &Program::compile, nb::rv_policy::take_ownership)
      .def_static("compile_graph", &Program::compileGraph, nb::arg("graph"),
                  nb::arg("mcpu").none(), nb::rv_policy::take_ownership)
      .def_static("open", &Program::open, nb::rv_policy::take_ownership)
      .def("ports", &Program::ports)
      .def("kernels", &Program::kernels)
      .def("run", &Program::run)
      .def("arena_bytes", &Program::arenaBytes)
      .def("threads", &Program::threads)
      .def("write_trace", &Program::writeTrace);
  nb::class_<Trainer>(m, "Trainer")
      .def_static("compile", &Trainer::compile, nb::rv_policy::take_ownership)
      .def("inputs", &Trainer::inputs)
      .def("step", &Trainer::step)
      .def("fetch", &Trainer::fetch)
      .def("changed", &Trainer::changed)
      .def("expect", &Trainer::expect)
      .def("explain", &Trainer::explain)
      .def("results", &Trainer::results)
      .def_static("states", &Trainer::states)
      .def("export", &Trainer::exportTo)
      .def("steps", &Trainer::steps)
      .def("arena_bytes", &Trainer::arenaBytes);
  m.def("encode_graph", &encodeGraph);
  m.def("read_property", &readProperty);
  m.def("export_merged", &exportMerged);
  m.def("read_dlpack", &readDLPack);
  m.def("write_dlpack", &writeDLPack);
}
