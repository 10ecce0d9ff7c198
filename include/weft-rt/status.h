/*===- status.h - What can go wrong at run time ---------------------------===*\
|*                                                                            *|
|* The one table of the runtime's error codes. A code is printed as WFT and   *|
|* its four digits; a code keeps its number and meaning for ever.             *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef WEFT_RT_STATUS_H
#define WEFT_RT_STATUS_H

/// Calls X(name, number, meaning) for every status.
#define WEFT_STATUS_TABLE(X)                                                   \
  X(WEFT_OK, 0, "success")                                                     \
  /* Any call. */                                                              \
  X(WEFT_ERROR_ARGUMENT, 5001, "an argument is not one the call takes")        \
  X(WEFT_ERROR_MEMORY, 5002, "memory is exhausted")                            \
  X(WEFT_ERROR_THREAD, 5003, "a thread cannot be started")                     \
  X(WEFT_ERROR_WRITE, 5004, "a file cannot be written")                        \
  X(WEFT_ERROR_BUSY, 5005, "the session is running on another thread")         \
  /* Opening a program. */                                                     \
  X(WEFT_ERROR_LOAD, 5101, "a library cannot be loaded")                       \
  X(WEFT_ERROR_NO_PROGRAM, 5102, "a library holds no program")                 \
  X(WEFT_ERROR_ABI, 5103, "a program was made for another runtime")            \
  X(WEFT_ERROR_PROGRAM, 5104, "a program contradicts itself")                  \
  X(WEFT_ERROR_CONSTANT_FILE, 5105, "a file of constants cannot be read")      \
  X(WEFT_ERROR_CONSTANT_BOUNDS, 5106, "a constant lies outside its file")      \
  /* Binding inputs and outputs. */                                            \
  X(WEFT_ERROR_INPUT_COUNT, 5201, "too many or too few inputs")                \
  X(WEFT_ERROR_OUTPUT_COUNT, 5202, "too many or too few outputs")              \
  X(WEFT_ERROR_DTYPE, 5203, "an input has another element type")               \
  X(WEFT_ERROR_RANK, 5204, "an input has another rank")                        \
  X(WEFT_ERROR_SIZE, 5205, "an input has another size")                        \
  X(WEFT_ERROR_SYMBOL_RANGE, 5206, "a symbolic size is out of its range")      \
  X(WEFT_ERROR_SYMBOL_CONFLICT, 5207, "a symbolic size has two values")        \
  X(WEFT_ERROR_INPUT_MEMORY, 5208, "an input has too little memory")           \
  X(WEFT_ERROR_OUTPUT_MEMORY, 5209, "an output has too little memory")         \
  X(WEFT_ERROR_OUTPUT_SIZE, 5210, "an output came out with another size")      \
  X(WEFT_ERROR_OVERFLOW, 5211, "a size does not fit into 64 bits")             \
  X(WEFT_ERROR_OVERLAP, 5212, "an output shares memory with another tensor")   \
  /* Running. */                                                               \
  X(WEFT_ERROR_FAULT_INDEX, 5301, "an index is out of range")                  \
  X(WEFT_ERROR_FAULT_DIVISION, 5302, "an integer was divided by zero")         \
  X(WEFT_ERROR_FAULT_MISMATCH, 5303, "sizes do not fit together")              \
  X(WEFT_ERROR_FAULT_NEGATIVE, 5304, "a size is negative")                     \
  X(WEFT_ERROR_FAULT_MEMORY, 5305, "memory ran out during the run")            \
  X(WEFT_ERROR_FAULT_UNKNOWN, 5306, "the program reported an unknown fault")   \
  X(WEFT_ERROR_NO_REASON, 5307, "the program failed without a fault")          \
  X(WEFT_ERROR_NO_OUTPUT, 5308, "the program left an output out")              \
  X(WEFT_ERROR_PARALLEL_FOR, 5309, "the caller's loop lost or repeated parts") \
  X(WEFT_ERROR_BUDGET, 5310, "a run would take more memory than it may")       \
  /* GPUs. */                                                                  \
  X(WEFT_ERROR_DRIVER_MISSING, 5401, "there is no CUDA driver")                \
  X(WEFT_ERROR_DRIVER_OLD, 5402, "the CUDA driver is too old")                 \
  X(WEFT_ERROR_DRIVER_SYMBOL, 5403, "the CUDA driver lacks a function")        \
  X(WEFT_ERROR_NO_DEVICE, 5404, "there is no such GPU")                        \
  X(WEFT_ERROR_DEVICE_CODE, 5405, "the GPU cannot run the program's code")     \
  X(WEFT_ERROR_DEVICE_MEMORY, 5406, "memory of the GPU is exhausted")          \
  X(WEFT_ERROR_DEVICE_LAUNCH, 5407, "a kernel cannot be launched so")          \
  X(WEFT_ERROR_DEVICE_KERNEL, 5408, "a kernel failed on the GPU")              \
  X(WEFT_ERROR_DEVICE_CALL, 5409, "a call of the CUDA driver failed")          \
  X(WEFT_ERROR_DEVICE_LOST, 5410, "the GPU was lost by an earlier failure")    \
  X(WEFT_ERROR_STATE_LOST, 5411, "the training state on the GPU was lost")

/// What a call returns: WEFT_OK or the number of an error.
typedef enum weft_status {
#define WEFT_STATUS_ENUMERATOR(name, number, meaning) name = number,
  WEFT_STATUS_TABLE(WEFT_STATUS_ENUMERATOR)
#undef WEFT_STATUS_ENUMERATOR
} weft_status;

#endif /* WEFT_RT_STATUS_H */
