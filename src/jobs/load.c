/* load.c - the steps from files to a model that may serve.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "jobs/load.h"

#include <malloc.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "infer/fault.h"
#include "infer/crash.h"
#include "infer/loaded.h"
#include "jobs/folder.h"
#include "jobs/golden.h"
#include "jobs/job.h"
#include "jobs/warm.h"
#include "wire/onnx_walk.h"

/* A model that answers zeros slower than this is served without having been warmed. */
#define WARM_DEADLINE_US INT64_C(10000000)
enum { LOADED_ARENA_MAX = 64 << 20 };

/* ---- which engine */

static enum code engine_unknown(struct slice name, struct err *err)
{
  char names[128] = "";
  size_t len = 0;
  for (size_t i = 0; i < engine_count() && len < sizeof names; i++)
    len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i ? ", " : "",
                            engine_at(i)->name);
  if (!name.len)
    return fail(err, E_MODEL_REJECTED,
                "no engine knows these files: a model is a model.onnx, or a model.json that names "
                "its engine (%s)",
                names);
  return fail(err, E_BAD_CONFIG, "there is no engine \"%.*s\": there are %s", SLICE_ARG(name),
              names);
}

static enum code engine_choose(const struct letter_load *letter, const struct model_source *source,
                               const struct engine **engine, struct err *err)
{
  struct slice name = letter->engine.len ? letter->engine : source->config->engine;
  *engine = name.len ? engine_named(name) : engine_guess(source);
  return *engine ? OK : engine_unknown(name, err);
}

/* Our own look at files from strangers, before an engine sees them. */
static enum code files_walk(const struct folder *folder, struct err *err)
{
  for (uint32_t i = 0; i < folder->n_files; i++) {
    if (!slice_ends(folder->files[i].name, SLICE(".onnx"))) continue;
    struct onnx_limits limits = {0};
    struct onnx_summary summary;
    struct arena scratch;
    rand_secret(limits.hash_key, sizeof limits.hash_key);
    arena_init(&scratch, WALK_ARENA_MAX, NULL);
    enum code code = onnx_walk(folder->files[i].bytes, &limits, &scratch, &summary, err);
    arena_deinit(&scratch);
    if (code != OK) return code;
  }
  return OK;
}

/* ---- contracts */

static bool label_fits(const struct tensor_spec *spec, uint32_t n, bool exact)
{
  if (spec->rank_free || spec->shape.rank == 0) return false;
  int64_t last = spec->shape.dims[spec->shape.rank - 1];
  return exact ? last == (int64_t)n : last == -1;
}

/* slipway.yaml's labels name the classes of the outputs that have as many columns; where none says
 * how many it has, of those that leave it open. */
static enum code labels_give(const struct model_config *config, struct loaded *loaded,
                             struct err *err)
{
  struct contract *contract = &loaded->contract;
  uint32_t n_given = 0;
  if (!config->n_labels) return OK;
  struct tensor_spec *outputs = arena_get(&loaded->arena, contract->n_outputs * sizeof *outputs);
  struct slice *labels = arena_get(&loaded->arena, config->n_labels * sizeof *labels);
  if (!outputs || !labels) return fail(err, E_LIMIT_EXCEEDED, "slipway.yaml: too many labels");
  memcpy(outputs, contract->outputs, contract->n_outputs * sizeof *outputs);
  for (uint32_t i = 0; i < config->n_labels; i++) {
    labels[i] = arena_copy(&loaded->arena, config->labels[i]);
    if (!labels[i].at) return fail(err, E_LIMIT_EXCEEDED, "slipway.yaml: too many labels");
  }
  for (int exact = 1; exact >= 0 && !n_given; exact--) {
    for (uint32_t i = 0; i < contract->n_outputs; i++) {
      if (!label_fits(&outputs[i], config->n_labels, exact)) continue;
      outputs[i].labels = labels;
      outputs[i].n_labels = config->n_labels;
      n_given++;
    }
  }
  contract->outputs = outputs;
  if (n_given) return OK;
  return fail(
      err, E_BAD_CONFIG,
      "slipway.yaml: there are %u labels, but no output has as many columns: name one label "
      "per class",
      config->n_labels);
}

static bool spec_same(const struct tensor_spec *a, const struct tensor_spec *b)
{
  if (!slice_eq(a->name, b->name) || a->dtype != b->dtype || a->rank_free != b->rank_free ||
      a->optional != b->optional || a->shape.rank != b->shape.rank)
    return false;
  for (uint32_t i = 0; i < a->shape.rank; i++)
    if (a->shape.dims[i] != b->shape.dims[i]) return false;
  return true;
}

/* The name of the first tensor that differs; NULL when none does. */
static const char *specs_differ(const struct tensor_spec *a, uint32_t n_a,
                                const struct tensor_spec *b, uint32_t n_b)
{
  for (uint32_t i = 0; i < n_a && i < n_b; i++)
    if (!spec_same(&a[i], &b[i])) return log_slice(a[i].name);
  return n_a == n_b ? NULL : "(another number of tensors)";
}

/* A version may change what it takes and gives: that is worth a line, not a refusal. */
static void contract_compare(const struct letter_load *letter, const struct contract *now)
{
  const struct contract *before = letter->expected;
  if (!before) return;
  const char *in = specs_differ(now->inputs, now->n_inputs, before->inputs, before->n_inputs);
  const char *out = specs_differ(now->outputs, now->n_outputs, before->outputs, before->n_outputs);
  if (in || out)
    log_event(LOG_WARN, "contract_changed", "tenant", log_slice(letter->tenant), "model",
              log_slice(letter->model), "version", log_num(letter->version), "input", in, "output",
              out, NULL);
}

/* ---- trials */

static void stage_say(load_stage_fn stage, enum load_stage which)
{
  if (stage) stage(which);
}

static enum code trials_run(struct letter_load *letter, const struct folder *folder,
                            struct loaded *loaded, struct watch *watch, int64_t deadline_us,
                            load_stage_fn stage, struct err *err)
{
  struct trial trial;
  struct err warm_err;
  struct slice golden = folder_file(folder, SLICE("golden.jsonl"));
  letter->n_golden = 0;
  if (trial_init(&trial, loaded, watch, deadline_us, err) != OK) return err->code;
  stage_say(stage, LOAD_EXAMPLES);
  enum code code = golden.at ? golden_check(&trial, golden, &letter->n_golden, err) : OK;
  stage_say(stage, LOAD_WARMS);
  int64_t warm_until_us = clock_us() + WARM_DEADLINE_US;
  if (trial.deadline_us > warm_until_us) trial.deadline_us = warm_until_us;
  if (code == OK && warm_up(&trial, &letter->run_ns, &warm_err) != OK)
    log_event(LOG_INFO, "warm_up_failed", "tenant", log_slice(letter->tenant), "model",
              log_slice(letter->model), "version", log_num(letter->version), "reason",
              warm_err.text, NULL);
  /* What an engine calls a batch is sometimes a guess from names: two rows tell. */
  else if (code == OK && loaded->contract.batches && !warm_batches(&trial))
    loaded->contract.batches = false;
  trial_deinit(&trial);
  return code;
}

/* ---- the whole */

struct loaded *loaded_new(void)
{
  struct loaded *loaded = grab_zero(1, sizeof *loaded);
  arena_init(&loaded->arena, LOADED_ARENA_MAX, NULL);
  return loaded;
}

void loaded_free(struct loaded *loaded)
{
  if (loaded->model) loaded->engine->close(loaded->model);
  arena_deinit(&loaded->arena);
  ungrab(loaded);
}

enum code load_make(struct letter_load *letter, const struct folder *folder, struct loaded *loaded,
                    struct watch *watch, load_stage_fn stage, struct err *err)
{
  struct model_source source = {.files = folder->files,
                                .n_files = folder->n_files,
                                .config = &folder->config,
                                .watch = watch,
                                .deadline_us = clock_us() + LOAD_US_MAX};
  if (engine_choose(letter, &source, &loaded->engine, err) != OK) return err->code;
  stage_say(stage, LOAD_WALKS);
  if (files_walk(folder, err) != OK) return err->code;
  stage_say(stage, LOAD_OPENS);
  if (loaded->engine->open(&source, &loaded->arena, &loaded->contract, &loaded->model, err) != OK) {
    loaded->model = NULL;
    return err->code;
  }
  loaded->spread = folder->config.threads > 1;
  loaded->batch = folder->config.batch;
  loaded->deadline_us = folder->config.deadline_us;
  if (labels_give(&folder->config, loaded, err) != OK) return err->code;
  contract_compare(letter, &loaded->contract);
  if (trials_run(letter, folder, loaded, watch, source.deadline_us, stage, err) != OK)
    return err->code;
  if (!contract_copy(&letter->arena, &loaded->contract, &letter->contract))
    return fail(err, E_LIMIT_EXCEEDED, "the model's contract is too large");
  return OK;
}

void load_run(struct letter_load *letter, struct watch *watch)
{
  int64_t began_us = clock_us();
  struct folder folder;
  struct err *err = &letter->err;
  err->code = OK;
  letter->loaded = NULL;
  letter->run_ns = 0;
  if (folder_read(&folder, letter->objects_fd, letter->files, letter->n_files, err) != OK) {
    struct err inner = *err;
    if (inner.code == E_ARTIFACT_CORRUPT)
      fail(err, inner.code, "version %u: %s", letter->version, inner.text);
    return;
  }
  struct loaded *loaded = loaded_new();
  letter->deadline_us = folder.config.deadline_us;
  letter->instances = folder.config.instances;
  letter->fallback = folder.config.fallback;
  letter->feedback_ms = folder.config.feedback_ms;
  letter->batch = folder.config.batch;
  letter->runs_on = folder.config.runs_on;
  letter->cache_ttl_us = folder.config.cache_ttl_us;
  letter->cache_bytes_max = folder.config.cache_bytes_max;
  snprintf(loaded->who, sizeof loaded->who, "%.*s %.*s %u", SLICE_ARG(letter->tenant),
           SLICE_ARG(letter->model), letter->version);
  crash_enter(loaded->who);
  enum code code = load_make(letter, &folder, loaded, watch, NULL, err);
  crash_enter(NULL);
  folder_deinit(&folder);
  letter->load_us = clock_us() - began_us;
  if (code != OK) {
    loaded_free(loaded);
    malloc_trim(0);
    return;
  }
  fault_wrap(loaded, &letter->fault);
  letter->run_ns = fault_run_ns(&letter->fault, letter->run_ns);
  letter->loaded = loaded;
  letter->engine_used = slice_str(loaded->engine->name);
  letter->platform = slice_str(loaded->engine->platform);
  uint64_t peak; /* of the load: asked, it is no run's */
  letter->memory_bytes = loaded->engine->bytes ? loaded->engine->bytes(loaded->model, &peak) : 0;
}

void check_run(struct letter_check *letter, struct watch *watch)
{
  struct folder folder;
  struct trial trial;
  letter->err = (struct err){0};
  letter->n = 0;
  if (folder_read(&folder, letter->objects_fd, letter->file, 1, &letter->err) != OK) return;
  if (trial_init(&trial, letter->loaded, watch, clock_us() + WARM_DEADLINE_US, &letter->err) ==
      OK) {
    struct slice golden = folder_file(&folder, SLICE("golden.jsonl"));
    letter->err.code = golden_check(&trial, golden, &letter->n, &letter->err);
    trial_deinit(&trial);
  }
  folder_deinit(&folder);
}

void unload_run(struct letter_unload *letter)
{
  loaded_free(letter->loaded);
  letter->loaded = NULL;
  malloc_trim(0);
}
