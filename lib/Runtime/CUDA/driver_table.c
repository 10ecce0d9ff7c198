//===- driver_table.c - The CUDA driver, loaded while running -------------===//

#include "driver_table.h"
#include "Core/status.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Object pointers and function pointers are not cast to each other in C11.
static void find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  memcpy(function, &symbol, sizeof(symbol));
}

void weft_driver_describe(const weft_driver *driver, CUresult result,
                          weft_text *text) {
  const char *name = NULL, *meaning = NULL;
  if (driver->cuGetErrorName)
    driver->cuGetErrorName(result, &name);
  if (driver->cuGetErrorString)
    driver->cuGetErrorString(result, &meaning);
  weft_text_append(text, "%s (%d%s%s)", name ? name : "an unknown error",
                   (int)result, meaning ? ", " : "", meaning ? meaning : "");
}

static weft_status fail_call(const weft_driver *driver, const char *path,
                             const char *call, CUresult result) {
  char message[512];
  weft_text text = {message, sizeof(message), 0};
  weft_driver_describe(driver, result, &text);
  if (result == CUDA_ERROR_STUB_LIBRARY)
    return weft_fail(WEFT_ERROR_DRIVER_MISSING,
                     "the CUDA driver \"%s\" is a stub to link with, not a "
                     "driver: %s from %s; install NVIDIA's driver, or compile "
                     "for the CPU",
                     path, message, call);
  if (result == CUDA_ERROR_NO_DEVICE)
    return weft_fail(
        WEFT_ERROR_NO_DEVICE,
        "the CUDA driver \"%s\" finds no GPU: %s from %s; make one "
        "visible (CUDA_VISIBLE_DEVICES), or compile for the CPU",
        path, message, call);
  return weft_fail(
      WEFT_ERROR_DEVICE_CALL,
      "the CUDA driver \"%s\" does not start: %s from %s; see what "
      "nvidia-smi says, or compile for the CPU",
      path, message, call);
}

// A driver that is too old lacks functions; its version tells more.
static weft_status check_version(const char *path, weft_driver *driver) {
  if (!driver->cuDriverGetVersion)
    return weft_fail(
        WEFT_ERROR_DRIVER_SYMBOL,
        "the CUDA driver \"%s\" lacks cuDriverGetVersion: it is "
        "no CUDA driver, or a broken one; install NVIDIA's driver, "
        "or compile for the CPU",
        path);
  CUresult result = driver->cuDriverGetVersion(&driver->version);
  if (result)
    return fail_call(driver, path, "cuDriverGetVersion", result);
  if (driver->version >= WEFT_DRIVER_LEAST_VERSION)
    return WEFT_OK;
  return weft_fail(
      WEFT_ERROR_DRIVER_OLD,
      "the CUDA driver \"%s\" is too old: it serves CUDA %d.%d, "
      "needed is %d.%d or newer; install a newer driver, or compile "
      "for the CPU",
      path, driver->version / 1000, driver->version % 1000 / 10,
      WEFT_DRIVER_LEAST_VERSION / 1000, WEFT_DRIVER_LEAST_VERSION % 1000 / 10);
}

static weft_status check_calls(const char *path, const weft_driver *driver) {
#define WEFT_DRIVER_CALL(name, parameters)                                     \
  if (!driver->name)                                                           \
    return weft_fail(WEFT_ERROR_DRIVER_SYMBOL,                                 \
                     "the CUDA driver \"%s\" of CUDA %d.%d lacks " #name       \
                     "; install NVIDIA's driver anew, or compile for the CPU", \
                     path, driver->version / 1000,                             \
                     driver->version % 1000 / 10);
#include "driver_table.def"
  return WEFT_OK;
}

weft_status weft_driver_load(const char *path, weft_driver *out) {
  *out = (weft_driver){0};
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return weft_fail(WEFT_ERROR_DRIVER_MISSING,
                     "there is no CUDA driver: %s; install NVIDIA's driver, or "
                     "compile for the CPU",
                     dlerror());
  weft_driver driver = {.library = library};
#define WEFT_DRIVER_CALL(name, parameters)                                     \
  find(library, #name, (void *)&driver.name);
#include "driver_table.def"
  weft_status status = check_version(path, &driver);
  if (!status)
    status = check_calls(path, &driver);
  if (!status) {
    CUresult result = driver.cuInit(0);
    if (result)
      status = fail_call(&driver, path, "cuInit", result);
  }
  if (status) {
    weft_driver_unload(&driver);
    return status;
  }
  *out = driver;
  return WEFT_OK;
}

void weft_driver_unload(weft_driver *driver) {
  if (driver->library)
    dlclose(driver->library);
  *driver = (weft_driver){0};
}

weft_status weft_driver_get(const weft_driver **out) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static weft_driver driver;
  weft_status status = WEFT_OK;
  *out = NULL;
  pthread_mutex_lock(&mutex);
  if (!driver.library) {
    const char *path = getenv("WEFT_LIBCUDA");
    status = weft_driver_load(path && *path ? path : "libcuda.so.1", &driver);
  }
  pthread_mutex_unlock(&mutex);
  if (!status)
    *out = &driver;
  return status;
}
