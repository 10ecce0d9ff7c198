/*===- program.h - The contract between compiled programs and the runtime -===*\
|*                                                                            *|
|* A compiled program exports one symbol, `weft_program_query`, and calls the *|
|* weft_rt_* functions below, which the runtime library provides. The         *|
|* compiler and the runtime share this header and nothing else. Treat it as a *|
|* schema: any change of a structure or of a function's meaning raises        *|
|* WEFT_PROGRAM_ABI.                                                          *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef WEFT_RT_PROGRAM_H
#define WEFT_RT_PROGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Version of everything in this header.
#define WEFT_PROGRAM_ABI 5

/// Alignment in bytes of every buffer that a program plans and of what the
/// runtime provides. Inputs and outputs in the caller's memory are aligned to
/// their elements.
#define WEFT_BUFFER_ALIGNMENT 64

/// Element types. The values are those of ONNX's TensorProto.DataType. In
/// memory, an element narrower than a byte takes one byte, of which only the
/// low bits count: the others are zero in constants and anything in inputs.
typedef enum weft_dtype {
  WEFT_F32 = 1,
  WEFT_U8 = 2,
  WEFT_I8 = 3,
  WEFT_U16 = 4,
  WEFT_I16 = 5,
  WEFT_I32 = 6,
  WEFT_I64 = 7,
  WEFT_STRING = 8,
  WEFT_BOOL = 9,
  WEFT_F16 = 10,
  WEFT_F64 = 11,
  WEFT_U32 = 12,
  WEFT_U64 = 13,
  WEFT_BF16 = 16,
  WEFT_F8E4M3FN = 17,
  WEFT_F8E4M3FNUZ = 18,
  WEFT_F8E5M2 = 19,
  WEFT_F8E5M2FNUZ = 20,
  WEFT_U4 = 21,
  WEFT_I4 = 22,
  WEFT_F4E2M1FN = 23,
  WEFT_F8E8M0FNU = 24,
  WEFT_U2 = 25,
  WEFT_I2 = 26,
} weft_dtype;

/// Largest rank of a tensor that crosses the boundary of a program.
#define WEFT_MAX_RANK 16

/// A dense row-major tensor in memory. An element narrower than a byte takes
/// one byte, of which the low bits count.
typedef struct weft_tensor {
  void *data;    ///< a copy is made where it is not aligned to its elements
  int64_t bytes; ///< of memory at `data`, at least what the tensor needs
  weft_dtype dtype;
  int32_t rank;
  int64_t dims[WEFT_MAX_RANK];
} weft_tensor;

/// A dimension of an input or output: a fixed size if `symbol` is -1, else the
/// number of a symbol (see weft_symbol). An output whose size is known only
/// when the run has computed it has `symbol` -2.
typedef struct weft_dim {
  int64_t size;
  int32_t symbol;
} weft_dim;

/// What a port is for. All ports of a program that is only run are data. A
/// program that is a step of training takes its state as inputs and gives the
/// new state as outputs (see train.h).
typedef enum weft_role {
  WEFT_ROLE_DATA = 0,      ///< of the model: what it is given, and its results
  WEFT_ROLE_PARAMETER = 1, ///< state that is trained
  WEFT_ROLE_STATE = 2,     ///< state of the optimizer and of statistics
  WEFT_ROLE_RATE = 3,      ///< an input, scalar f32: the learning rate
  WEFT_ROLE_SEED = 4,      ///< an input, scalar i64: where random numbers start
  WEFT_ROLE_LOSS = 5,      ///< an output, scalar f32
  WEFT_ROLE_METRIC = 6,    ///< an output, a scalar
} weft_role;

/// An input or output of a program.
///
/// Each input that is a parameter or state has a twin among the outputs, its
/// new value, of the same role, type and fixed sizes. Both may be given the
/// same memory (at exactly the same address): the program then updates it in
/// place.
typedef struct weft_port {
  const char *name;
  weft_dtype dtype;
  int32_t rank;
  const weft_dim *dims;
  weft_role role;
  int32_t twin;    ///< of parameters and state: the output that is the input's
                   ///< new value, and the other way round; else -1
  int32_t initial; ///< of an input that has a twin: the constant that it starts
                   ///< from, or -1 for zeros; else -1
  int32_t early;   ///< of an output: not 0 if the program may write to it while
                   ///< it can still fail, so that the runtime lets it write
                   ///< elsewhere and copies after a success; else 0
} weft_port;

/// A symbolic size, bound by the first input dimension that mentions it.
typedef struct weft_symbol {
  const char *name; ///< as the model calls it, or made up ("x.0")
  int64_t min, max; ///< inclusive
} weft_symbol;

/// Where a constant's bytes come from.
typedef enum weft_constant_source {
  WEFT_CONSTANT_EMBEDDED = 0, ///< `data` points at them
  WEFT_CONSTANT_FILE = 1,     ///< `size` bytes at `offset` of `file`
} weft_constant_source;

typedef struct weft_constant {
  const char *name; ///< of the initializer
  weft_constant_source source;
  const void *data;
  const char *file;
  int64_t offset;
  int64_t size;   ///< in bytes, as stored
  int32_t packed; ///< 0, or the bits of one element (2 or 4) if packed
  int64_t count;  ///< number of elements
} weft_constant;

/// A kernel, for profiles and messages.
typedef struct weft_kernel {
  const char *name;
  const char *nodes; ///< the ONNX nodes it computes, one per line
} weft_kernel;

/// One run's state. Opaque to the program but for what the functions below do.
/// It begins with the table of entry.h.
typedef struct weft_run weft_run;

/// A function in the device code of a program.
typedef struct weft_device_kernel {
  const char *entry; ///< its name in the image
  int32_t kernel;    ///< what it is part of, in the program's table of kernels
  int32_t num_args;
  int32_t block[3];   ///< threads of a block in x, y and z, each at least 1
  int32_t cluster[3]; ///< blocks of a cluster; 0, 0, 0 without clusters
} weft_device_kernel;

/// What of a program runs on a GPU.
typedef struct weft_device_code {
  /// What the driver loads: a fatbin with machine code for some GPUs and PTX
  /// for others. Aligned to 8 bytes.
  const void *image;
  int64_t image_bytes;
  int32_t num_kernels, num_places;
  const weft_device_kernel *kernels;
  /// Places in the model, by the numbers that faults give (weft_device_fault).
  const char *const *places;
  /// Bytes of the arena on the device, given the values of the symbols.
  int64_t (*arena_bytes)(const int64_t *symbols);
  /// Non-zero if all that `run` does is to call weft_rt_device_* functions, but
  /// for _allocate(), _upload() and _download(), and weft_rt_fault(), in a way
  /// that depends on nothing but the values of the symbols. The runtime may
  /// then record a run and replay it for the same values, without calling
  /// `run`.
  int32_t replayable;
} weft_device_code;

/// A buffer of the arena, for messages.
typedef struct weft_planned_buffer {
  const char *name; ///< of the node that makes it
  int64_t bytes;    ///< times the values of all `symbols`
  int32_t num_symbols;
  const int32_t *symbols;
  int32_t first, last; ///< when it is needed, both inclusive, counted from 0 in
                       ///< the order of the program
} weft_planned_buffer;

typedef struct weft_program {
  uint32_t abi; ///< WEFT_PROGRAM_ABI
  const char *name;
  const char *producer; ///< compiler and its version
  const char *target;   ///< such as "cpu znver3"
  int32_t num_inputs, num_outputs, num_symbols, num_constants, num_kernels;
  const weft_port *inputs;
  const weft_port *outputs;
  const weft_symbol *symbols;
  const weft_constant *constants;
  const weft_kernel *kernels;
  /// Bytes of scratch that each thread needs.
  int64_t scratch_bytes;
  /// Bytes of the arena, given the values of the symbols.
  int64_t (*arena_bytes)(const int64_t *symbols);
  /// Runs the program. Returns 0, or non-zero after weft_rt_fault().
  int32_t (*run)(weft_run *run);
  /// What runs on a GPU, or NULL: then no driver is looked for.
  const weft_device_code *device;
  /// The most bytes that a run may be planned to take; 0: any number.
  int64_t memory_budget;
  /// Buffers of the arena whose sizes are known so; left out without a budget.
  int32_t num_buffers;
  const weft_planned_buffer *buffers;
} weft_program;

/// The one symbol that a program exports. Returns NULL if it was made for
/// another ABI than `abi`.
const weft_program *weft_program_query(uint32_t abi);

/// What a kernel may find wrong at run time.
typedef enum weft_fault {
  WEFT_FAULT_INDEX_OUT_OF_RANGE = 1,
  WEFT_FAULT_DIVISION_BY_ZERO = 2,
  WEFT_FAULT_SIZE_MISMATCH = 3,
  WEFT_FAULT_NEGATIVE_SIZE = 4,
  WEFT_FAULT_OUT_OF_MEMORY = 5,
} weft_fault;

/*===- What the runtime offers to programs --------------------------------===*/

/// The body of a parallel loop: runs iterations [begin, end). `scratch` is this
/// thread's own, scratch_bytes long.
typedef void (*weft_task)(weft_run *run, void *const *args, int64_t begin,
                          int64_t end, void *scratch);

/* They are called by the thread that runs the program; weft_rt_fault() and
 * weft_rt_allocate() also by tasks. */

/// Runs `count` iterations of `task` on the threads of the run, in contiguous
/// parts whose bounds depend on nothing but `count` and the number of threads.
/// Returns when all are done: 0, or non-zero if a fault was reported. One
/// iteration runs on the calling thread; two or more are handed to threads,
/// which takes a microsecond or more, so iterations should be worth as much.
/// Tasks do not launch.
int32_t weft_rt_launch(weft_run *run, int32_t kernel, weft_task task,
                       void *const *args, int64_t count);

/// The values of the program's symbols in this run.
const int64_t *weft_rt_symbols(weft_run *run);
/// The arena, arena_bytes(symbols) long.
void *weft_rt_arena(weft_run *run);
/// The bytes of a constant, in storage format.
const void *weft_rt_constant(weft_run *run, int32_t index);
/// The bytes of an input.
const void *weft_rt_input(weft_run *run, int32_t index);
/// The memory of an output, whose sizes are thereby settled. NULL, after a
/// fault, if there is none to be had.
void *weft_rt_output(weft_run *run, int32_t index, const int64_t *dims);
/// Memory whose size was not known when the arena was planned; it lives until
/// the run ends. NULL, after a fault at `place`, if there is none to be had.
void *weft_rt_allocate(weft_run *run, const char *place, int64_t bytes);
/// Reports a fault; the first one of a run counts. The run ends with an error
/// after the launch. `place` says where in the model that is and lives as long
/// as the program; it may be NULL. `detail` is the offending value, `wanted`
/// what it should be or stay below.
void weft_rt_fault(weft_run *run, const char *place, weft_fault fault,
                   int64_t detail, int64_t wanted);

/*===- What the runtime offers to programs with device code ---------------===*/

/* Addresses of device memory are of the type `void *` as others are, but must
 * not be read or written by the host. What is asked of the device happens in
 * the order of the calls, after they have returned; only
 * weft_rt_device_download() waits. Functions that return an address return
 * NULL after a fault, and those that return a number 0, or non-zero after a
 * fault. */

/// Launches kernel `kernel` of weft_device_code with `grid[0]` × `grid[1]` ×
/// `grid[2]` blocks, of whose dimensions none is negative; where one is 0
/// nothing happens. `shared` is the number of bytes of dynamic shared memory of
/// a block; more than 48 KiB are asked for as the driver wants it. `args[i]` is
/// the address of argument i, which is of the type that the kernel declares;
/// the arguments are copied before the call returns.
int32_t weft_rt_device_launch(weft_run *run, int32_t kernel,
                              const int64_t *grid, int64_t shared,
                              void *const *args);

/// The arena on the device, weft_device_code::arena_bytes(symbols) long,
/// aligned to 256 bytes.
void *weft_rt_device_arena(weft_run *run);
/// The bytes of a constant on the device, in storage format. It is copied there
/// once in a session.
const void *weft_rt_device_constant(weft_run *run, int32_t index);
/// The bytes of an input on the device.
const void *weft_rt_device_input(weft_run *run, int32_t index);
/// Memory on the device for an output, whose sizes are thereby settled. What it
/// holds when the run has succeeded is the output. An output is made either
/// here or in weft_rt_output().
void *weft_rt_device_output(weft_run *run, int32_t index, const int64_t *dims);
/// Device memory whose size was not known when the arena was planned; it lives
/// until the run ends.
void *weft_rt_device_allocate(weft_run *run, const char *place, int64_t bytes);

/// Copies from host to device. `from` may be changed once the call has
/// returned.
int32_t weft_rt_device_upload(weft_run *run, void *to, const void *from,
                              int64_t bytes);
/// Copies from device to host, and waits until `to` holds the bytes.
int32_t weft_rt_device_download(weft_run *run, void *to, const void *from,
                                int64_t bytes);
/// Copies within the device. The two do not overlap.
int32_t weft_rt_device_copy(weft_run *run, void *to, const void *from,
                            int64_t bytes);
/// Sets each byte to the low byte of `value`.
int32_t weft_rt_device_fill(weft_run *run, void *to, int32_t value,
                            int64_t bytes);

/// How a kernel reads or writes boxes of a tensor in device memory.
typedef struct weft_tensor_map {
  weft_dtype dtype;
  int32_t rank;    ///< 1 to 5
  int32_t box[5];  ///< elements of a box, the innermost dimension first
  int32_t swizzle; ///< bytes of the span in which shared memory is swizzled: 0,
                   ///< 32, 64 or 128
} weft_tensor_map;

/// Bytes and alignment of what a kernel gets as a tensor map.
#define WEFT_TENSOR_MAP_BYTES 128
#define WEFT_TENSOR_MAP_ALIGNMENT 64

/// Writes the tensor map of the tensor at `address` to `out`, which is
/// WEFT_TENSOR_MAP_BYTES long and aligned to WEFT_TENSOR_MAP_ALIGNMENT, to be
/// an argument of a launch. `dims` are its sizes, the innermost dimension
/// first; `strides[i]` are the bytes from one element to the next in dimension
/// i + 1. What lies outside reads as zeros and is not written.
int32_t weft_rt_device_tensor_map(weft_run *run, const weft_tensor_map *map,
                                  const void *address, const int64_t *dims,
                                  const int64_t *strides, void *out);

/// What kernels on the device report. A kernel that finds a fault changes
/// `taken` from 0 to 1 atomically; the one that succeeds writes the rest, and
/// all go on, without reading or writing what they should not. The run ends
/// with an error when its kernels have.
typedef struct weft_device_fault {
  int32_t taken;
  int32_t fault;  ///< weft_fault
  int32_t kernel; ///< in the program's table of kernels, or -1
  int32_t place;  ///< in weft_device_code::places, or -1
  int64_t detail, wanted;
} weft_device_fault;

/// The weft_device_fault of this run, in device memory.
void *weft_rt_device_faults(weft_run *run);

/// Says that what is asked for next may write to outputs that are parameters or
/// state and not `early`, which may lie where the old values are. If these stay
/// on the device, it waits, and fails if a kernel has reported a fault. A
/// program calls it before each first write; what comes after reports no fault.
int32_t weft_rt_device_settle(weft_run *run);

/// Writes the low `bytes` bytes of `value`, at most 8, to the device.
int32_t weft_rt_device_store(weft_run *run, void *to, int64_t value,
                             int32_t bytes);

/// Reports `fault` at `place` unless the i64 that `found` points at, on the
/// device, is, as an unsigned number, below `wanted`. The program goes on, and
/// must not rely on it; the run ends with an error later, in
/// weft_rt_device_settle() or when its kernels have ended.
int32_t weft_rt_device_require(weft_run *run, const char *place,
                               weft_fault fault, const void *found,
                               int64_t wanted);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_RT_PROGRAM_H */
