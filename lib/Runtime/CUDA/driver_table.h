//===- driver_table.h - The CUDA driver, loaded while running -------------===//

#ifndef WEFT_RUNTIME_CUDA_DRIVER_TABLE_H
#define WEFT_RUNTIME_CUDA_DRIVER_TABLE_H

#include "Core/status.h"
#include "driver_api.h"
#include "weft-rt/weft.h"

/// The oldest driver that will do, as cuDriverGetVersion() counts: 12.0.
#define WEFT_DRIVER_LEAST_VERSION 12000

/// The calls of a driver.
typedef struct weft_driver {
  void *library; ///< of dlopen()
  int version;   ///< as cuDriverGetVersion() counts: 12040 for 12.4
#define WEFT_DRIVER_CALL(name, parameters) CUresult(*name) parameters;
#include "driver_table.def"
} weft_driver;

/// Loads the driver library `path`, finds its calls and initializes it. On
/// failure `out` holds nothing.
weft_status weft_driver_load(const char *path, weft_driver *out);

/// Unloads what weft_driver_load() has loaded.
void weft_driver_unload(weft_driver *driver);

/// The driver of this process: `libcuda.so.1`, or what the environment variable
/// WEFT_LIBCUDA names. It is loaded on the first call and stays; a failure is
/// not remembered.
weft_status weft_driver_get(const weft_driver **out);

/// Appends "NAME (number, what it means)" of a result.
void weft_driver_describe(const weft_driver *driver, CUresult result,
                          weft_text *text);

#endif // WEFT_RUNTIME_CUDA_DRIVER_TABLE_H
