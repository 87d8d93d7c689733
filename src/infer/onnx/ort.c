/* ort.c - finds and opens ONNX Runtime.
 * Thread: any; one caller at a time does the work, the others wait for it (pthread_once).
 * SPDX-License-Identifier: MIT */
#include "infer/onnx/ort.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "infer/onnx/account.h"

/* The one exported function's result. */
struct ort_base {
  const void *const *(*get_api)(uint32_t version);
  const char *(*get_version)(void);
};
typedef const struct ort_base *(*ort_base_fn)(void);

enum { PATH_MAX_BYTES = 4096, FOLDERS_UP = 5 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct ort loaded;
static struct err load_err;

/* Beside the program and in the folders above it; never relative to where we were started. */
static void *library_beside(void)
{
  static const char *const places[] = {"lib/slipway/", "build/deps/onnxruntime/onnxruntime/capi/",
                                       "deps/onnxruntime/onnxruntime/capi/"};
  char path[PATH_MAX_BYTES];
  ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
  if (len <= 0) return NULL;
  path[len] = '\0';
  for (int up = 0; up < FOLDERS_UP; up++) {
    char *slash = strrchr(path, '/');
    if (!slash) return NULL;
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
      char file[PATH_MAX_BYTES + 128];
      snprintf(file, sizeof file, "%s/%s%s", path, places[i], ORT_LIBRARY);
      void *library = access(file, R_OK) == 0 ? dlopen(file, RTLD_NOW | RTLD_LOCAL) : NULL;
      if (library) return library;
    }
  }
  return NULL;
}

static void *library_open(void)
{
  static const char *const names[] = {ORT_LIBRARY, "libonnxruntime.so.1", "libonnxruntime.so"};
  const char *said = getenv("SLIPWAY_ORT");
  if (said && *said) return dlopen(said, RTLD_NOW | RTLD_LOCAL);
  void *library = library_beside();
  for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++)
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  return library;
}

/* "1.24.4" as 12404; 0 when it is not of that form. */
static int version_number(const char *text)
{
  int number = 0, part = 0, parts = 0;
  for (const char *p = text;; p++) {
    if (*p >= '0' && *p <= '9' && part < 100) {
      part = part * 10 + (*p - '0');
      continue;
    }
    number = number * 100 + part;
    part = 0;
    if (++parts == 3) return number;
    if (*p != '.') return 0;
  }
}

/* The first session of a process registers all operators, which takes milliseconds and megabytes:
 * not to be booked on anybody's model, so we load one of our own, y = Identity(x). */
static struct ort_status *first_load(const struct ort *ort)
{
  static const char bytes[] =
      "\10\10\22\7slipway:/\12\20\12\1x\22\1y\42\10Identity\22\1gZ\13\12\1x\22\6\12\4"
      "\10\1\22\0b\13\12\1y\22\6\12\4\10\1\22\0B\2\20\21";
  struct ort_options *options = NULL;
  struct ort_session *session = NULL;
  struct ort_status *status = ort->CreateSessionOptions(&options);
  if (!status) status = ort->SetIntraOpNumThreads(options, 1);
  if (!status)
    status = ort->CreateSessionFromArray(ort->env, bytes, sizeof bytes - 1, options, &session);
  if (session) ort->ReleaseSession(session);
  if (options) ort->ReleaseSessionOptions(options);
  return status;
}

static enum code env_make(struct err *err)
{
  struct ort *ort = &loaded;
  struct ort_status *status = ort->CreateEnv(ORT_LOG_FATAL, "slipway", &ort->env);
  if (!status)
    status = ort->CreateCpuMemoryInfo(ORT_DEVICE_ALLOCATOR, ORT_MEMORY_DEFAULT, &ort->memory);
  if (!status) status = ort->GetAllocatorWithDefaultOptions(&ort->allocator);
  if (!status) status = ort->RegisterAllocator(ort->env, account_allocator(ort->memory));
  if (!status) status = first_load(ort);
  if (!status) return OK;
  ort->ReleaseStatus(status);
  return fail(err, E_UNAVAILABLE,
              "ONNX Runtime %s is here but does not start: see the daemon's log", ort->version);
}

static enum code api_take(void *library, struct err *err)
{
  ort_base_fn base_get;
  *(void **)&base_get = dlsym(library, "OrtGetApiBase");
  const struct ort_base *base = base_get ? base_get() : NULL;
  if (!base) return fail(err, E_UNAVAILABLE, "the library found as ONNX Runtime is something else");
  loaded.version = base->get_version();
  int number = version_number(loaded.version);
  if (number < 12404)
    return fail(err, E_UNAVAILABLE,
                "ONNX Runtime %s is too old to read files of strangers safely: install 1.28.0",
                loaded.version);
  if (number >= 12900)
    log_event(LOG_WARN, "onnxruntime_untested", "version", loaded.version, "tested", "1.28.0",
              NULL);
  const void *const *table = base->get_api(ORT_API);
  if (!table)
    return fail(err, E_UNAVAILABLE, "ONNX Runtime %s has another interface: install 1.28.0",
                loaded.version);
#define SLOT(index, name, result, parameters) memcpy(&loaded.name, &table[index], sizeof *table);
#include "infer/onnx/ort.def"
#undef SLOT
  return OK;
}

static void ort_load(void)
{
  /* 1.29 and later phone home unless told not to, before they are loaded. */
  if (!getenv("ORT_DISABLE_TELEMETRY")) setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  void *library = library_open();
  if (!library) {
    const char *why = dlerror();
    log_event(LOG_WARN, "onnxruntime_missing", "reason", why ? why : "not found", NULL);
    fail(
        &load_err, E_UNAVAILABLE,
        "ONNX Runtime is not on this machine: run `make deps`, or set SLIPWAY_ORT to " ORT_LIBRARY);
    return;
  }
  if (api_take(library, &load_err) == OK) env_make(&load_err);
}

enum code ort_get(const struct ort **ort, struct err *err)
{
  pthread_once(&once, ort_load);
  *ort = &loaded;
  if (load_err.code == OK) return OK;
  *err = load_err;
  return err->code;
}
