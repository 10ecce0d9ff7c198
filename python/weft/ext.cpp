//===- ext.cpp - Python's view of the compiler and the runtime ------------===//
//
// Thin: buffers cross as addresses, and outcomes as numbers with a message; the
// package turns them into arrays and exceptions.
//
//===----------------------------------------------------------------------===//

#include "weft-c/compiler.h"
#include "weft-rt/weft.h"
#include <memory>
#include <nanobind/nanobind.h>
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

const char *orNull(const OptionalText &text) {
  return text ? text->c_str() : nullptr;
}

/// A compiled program with a session to run it in.
class Program {
public:
  static Program *compile(nb::object source, OptionalText mcpu,
                          OptionalText dims, OptionalText dumpStages,
                          int threads, bool profile) {
    weft_compile_options options;
    weft_compile_options_init(&options);
    options.mcpu = orNull(mcpu);
    options.dims = orNull(dims);
    options.dump_stages = orNull(dumpStages);
    auto program = std::make_unique<Program>();
    char *message = nullptr;
    weft_outcome outcome;
    if (nb::isinstance<nb::bytes>(source)) {
      auto bytes = nb::cast<nb::bytes>(source);
      nb::gil_scoped_release release;
      outcome = weft_compile_bytes(bytes.c_str(), bytes.size(), &options,
                                   &program->compiled, &message);
    } else {
      std::string path = nb::cast<std::string>(source);
      nb::gil_scoped_release release;
      outcome = weft_compile_file(path.c_str(), &options, &program->compiled,
                                  &message);
    }
    std::string text = message ? message : "";
    weft_message_free(message);
    if (outcome != WEFT_OUTCOME_OK)
      throw Failure(outcome, text);
    check(weft_model_wrap(weft_compiled_program(program->compiled), nullptr,
                          &program->model));
    program->start(threads, profile);
    return program.release();
  }

  static Program *open(const std::string &path, int threads, bool profile) {
    auto program = std::make_unique<Program>();
    check(weft_model_open(path.c_str(), &program->model));
    program->start(threads, profile);
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
    for (int32_t i = 0; i < count; ++i) {
      nb::list dims;
      for (int32_t d = 0; d < all[i].rank; ++d) {
        weft_dim dim = all[i].dims[d];
        if (dim.symbol >= 0)
          dims.append(program->symbols[dim.symbol].name);
        else if (dim.symbol == -1)
          dims.append(dim.size);
        else
          dims.append(nb::none());
      }
      result.append(nb::make_tuple(all[i].name, int(all[i].dtype), dims));
    }
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

  nb::list run(const std::vector<Buffer> &inputs) {
    std::vector<weft_tensor> in(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      auto &[address, bytes, dtype, dims] = inputs[i];
      if (dims.size() > WEFT_MAX_RANK)
        throw Failure(1, "rank " + std::to_string(dims.size()) +
                             " is more than a tensor can have");
      in[i].data = reinterpret_cast<void *>(address);
      in[i].bytes = bytes;
      in[i].dtype = static_cast<weft_dtype>(dtype);
      in[i].rank = dims.size();
      std::copy(dims.begin(), dims.end(), in[i].dims);
    }
    std::vector<weft_tensor> out(weft_model_program(model)->num_outputs);
    weft_status status;
    {
      nb::gil_scoped_release release;
      status = weft_session_run(session, in.size(), in.data(), out.size(),
                                out.data());
    }
    check(status);
    nb::list result;
    for (const weft_tensor &tensor : out) {
      nb::list dims;
      int64_t bytes = weft_dtype_bytes(tensor.dtype);
      for (int32_t d = 0; d < tensor.rank; ++d) {
        dims.append(tensor.dims[d]);
        bytes *= tensor.dims[d];
      }
      result.append(nb::make_tuple(nb::bytearray(tensor.data, bytes),
                                   int(tensor.dtype), dims));
    }
    return result;
  }

  int64_t arenaBytes() const { return weft_session_arena_taken(session); }
  void writeTrace(const std::string &path) const {
    check(weft_session_write_trace(session, path.c_str()));
  }

private:
  static void check(weft_status status) {
    if (status)
      throw Failure(1, weft_last_error());
  }

  void start(int threads, bool profile) {
    weft_session_options options;
    weft_session_options_init(&options);
    options.threads = threads;
    options.profile = profile;
    check(weft_session_create(model, &options, &session));
  }

  weft_compiled *compiled = nullptr;
  weft_model *model = nullptr;
  weft_session *session = nullptr;
};

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
  nb::class_<Program>(m, "Program")
      .def_static("compile", &Program::compile, nb::arg("source"),
                  nb::arg("mcpu").none(), nb::arg("dims").none(),
                  nb::arg("dump_stages").none(), nb::arg("threads"),
                  nb::arg("profile"), nb::rv_policy::take_ownership)
      .def_static("open", &Program::open, nb::rv_policy::take_ownership)
      .def("ports", &Program::ports)
      .def("kernels", &Program::kernels)
      .def("run", &Program::run)
      .def("arena_bytes", &Program::arenaBytes)
      .def("write_trace", &Program::writeTrace);
}
