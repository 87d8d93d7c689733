/* engine.h - what an inference engine is: six required entries, two optional ones.
 * Thread: worker or job: each entry says which. One `model` may be run by several seats at once,
 * each on its own thread; a seat is used by one thread at a time.
 * Adding one: infer/engine/NAME.c defining `const struct engine engine_NAME`, and a row in
 * engines.def. CONTRIBUTING.md walks through it.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_ENGINE_H
#define INFER_ENGINE_H

#include "world/batch.h"
#include "world/task.h"

/* A model's file, read and verified: the bytes hashed are the bytes loaded. */
struct model_file {
  struct slice name, bytes;
};

/* From the model folder's slipway.yaml; zero means default. */
struct model_config {
  struct slice engine;
  const struct slice *labels; /* class names of the (first) output */
  uint32_t n_labels;
  int64_t deadline_us;
  uint64_t memory_max;
  uint32_t instances, threads; /* threads: per run, inside the engine; default 1 */
  bool fallback;       /* stable answers who names this version while its breaker is open */
  int64_t feedback_ms; /* how long predictions are kept for their outcomes; 0: they are not */
  struct batch_spec batch;
  enum runs_on runs_on;
  int64_t cache_ttl_us; /* how long answers are kept for who asks the same; 0: they are not */
  uint64_t cache_bytes_max; /* and how many bytes of them */
};

struct watch;

struct model_source {
  const struct model_file *files;
  uint32_t n_files;
  const struct model_config *config;
  struct watch *watch; /* for engines that can stop a load; NULL: no limit */
  int64_t deadline_us; /* clock_us: when the load must be over; used with watch */
};

struct engine {
  const char *name, *platform;
  /* Whether these files look like ours. Any thread, required. */
  bool (*claims)(const struct model_source *source);
  /* Reads the model and fills its contract (memory from arena). Job thread, may block, required.
   * E_MODEL_REJECTED: the file is bad; E_MODEL_LOAD_FAILED: the engine could not; E_UNAVAILABLE:
   * the engine's library is not on this machine. Nothing is left behind on failure. */
  enum code (*open)(const struct model_source *source, struct arena *arena,
                    struct contract *contract, void **model, struct err *err);
  /* No seat is left. Job thread, required. */
  void (*close)(void *model);
  /* What one lane needs of its own: run options, bindings. Lane owner, required. */
  enum code (*sit)(void *model, void **seat, struct err *err);
  void (*leave)(void *seat); /* lane owner, required */
  /* Fills task->outputs for each wanted output. Lane owner, required. Errors: E_MODEL_FAILED,
   * E_DEADLINE_EXCEEDED after a cancel, E_OUT_OF_MEMORY past the scratch arena's cap. */
  enum code (*run)(void *seat, struct task *task, struct err *err);
  /* Makes a run in progress on this seat return soon. The watch's thread; must not block; optional.
   * It may come a moment before the run starts or after it has ended, never during leave. A seat
   * that was cancelled is not run again: the lane leaves it and sits anew, so nothing need be
   * undone. */
  void (*cancel)(void *seat);
  /* Measured bytes the model holds, now; *peak: the most it held at once since somebody asked last,
   * a run's intermediate results among it. Job thread or a lane owner, after each run: a sum that
   * is read, not made. Optional (0 is reported). */
  uint64_t (*bytes)(const void *model, uint64_t *peak);
  /* Rows do not see each other: an answer has the same bits whatever rows are beside it. Else they
   * agree within 1e-5 of the value. */
  bool exact;
};

size_t engine_count(void);
const struct engine *engine_at(size_t i);
const struct engine *engine_named(struct slice name); /* NULL when there is none */
/* The first engine of engines.def that claims the files; NULL when none does. */
const struct engine *engine_guess(const struct model_source *source);
/* The file called name; NULL when there is none. */
const struct model_file *source_file(const struct model_source *source, struct slice name);

#endif
