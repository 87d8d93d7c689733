/* echo.c - the engine that gives back what it got: for tests, for measuring everything around it.
 *
 *   {"engine": "echo",
 *    "inputs":  [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}, ...],
 *    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}, ...],   as the inputs if
 *    absent
 *    "delay_us": 2000,                          how long a run pretends to take, 0 if absent
 *    "busy_us": 1000}                           what a row takes of a core's time, 0 if absent
 *
 * Output i is a view of input i, whatever it declares: an output whose shape says something else
 * makes a model that breaks its contract, which tests need too. Any datatype.
 * Thread: job opens and closes, worker runs, as engine.h says.
 * SPDX-License-Identifier: MIT */
#include <semaphore.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "infer/model_json.h"

struct echo {
  int64_t delay_us, busy_us;
};

struct echo_seat {
  const struct echo *echo;
  sem_t bell; /* rung by cancel */
};

static bool echo_claims(const struct model_source *source)
{
  return model_json_names(source, "echo");
}

static enum code outputs_read(const json_t *root, struct arena *arena, struct contract *contract,
                              struct err *err)
{
  struct tensor_spec *outputs;
  uint32_t n;
  if (!json_object_get(root, "outputs")) {
    contract->outputs = contract->inputs;
    contract->n_outputs = contract->n_inputs;
    return OK;
  }
  if (model_json_specs(root, "outputs", arena, &outputs, &n, err) != OK) return err->code;
  if (n > contract->n_inputs)
    return fail(err, E_MODEL_REJECTED,
                "model.json has %u outputs and %u inputs: engine echo answers input i as output i",
                n, contract->n_inputs);
  for (uint32_t i = 0; i < n; i++)
    if (outputs[i].optional)
      return fail(err, E_MODEL_REJECTED, "outputs[%u] in model.json: outputs are never optional",
                  i);
  contract->outputs = outputs;
  contract->n_outputs = n;
  return OK;
}

static enum code time_read(const json_t *root, const char *name, int64_t *us, struct err *err)
{
  const json_t *value = json_object_get(root, name);
  *us = json_integer_value(value);
  if (value && (!json_is_integer(value) || *us < 0 || *us > 60000000))
    return fail(err, E_MODEL_REJECTED, "\"%s\" in model.json is not 0 to 60000000", name);
  return OK;
}

static enum code echo_read(const json_t *root, struct arena *arena, struct contract *contract,
                           struct echo *echo, struct err *err)
{
  struct tensor_spec *inputs;
  if (model_json_specs(root, "inputs", arena, &inputs, &contract->n_inputs, err) != OK)
    return err->code;
  contract->inputs = inputs;
  if (outputs_read(root, arena, contract, err) != OK) return err->code;
  for (uint32_t i = 0; i < contract->n_outputs; i++)
    if (inputs[i].optional)
      return fail(err, E_MODEL_REJECTED,
                  "inputs[%u] in model.json is optional: engine echo could not answer it", i);
  contract->batches = specs_batch(contract->inputs, contract->n_inputs) &&
                      specs_batch(contract->outputs, contract->n_outputs);
  if (time_read(root, "delay_us", &echo->delay_us, err) != OK) return err->code;
  return time_read(root, "busy_us", &echo->busy_us, err);
}

static enum code echo_open(const struct model_source *source, struct arena *arena,
                           struct contract *contract, void **model, struct err *err)
{
  static const char *const known[] = {"engine", "inputs", "outputs", "delay_us", "busy_us",
                                      NULL};
  struct echo echo = {0};
  json_t *root;
  if (model_json_read(source, "echo", known, &root, err) != OK) return err->code;
  enum code code = echo_read(root, arena, contract, &echo, err);
  json_decref(root);
  if (code != OK) return code;
  *model = grab(sizeof echo);
  memcpy(*model, &echo, sizeof echo);
  return OK;
}

static void echo_close(void *model) { ungrab(model); }

static enum code echo_sit(void *model, void **seat, struct err *err)
{
  (void)err;
  struct echo_seat *made = grab_zero(1, sizeof *made);
  made->echo = model;
  must(sem_init(&made->bell, 0, 0) == 0);
  *seat = made;
  return OK;
}

static void echo_leave(void *seat)
{
  struct echo_seat *left = seat;
  sem_destroy(&left->bell);
  ungrab(left);
}

/* True when it was cancelled first. */
static bool echo_delay(struct echo_seat *seat)
{
  int64_t until_us = clock_us() + seat->echo->delay_us;
  struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                           .tv_nsec = (long)(until_us % 1000000) * 1000};
  while (clock_us() < until_us)
    if (sem_clockwait(&seat->bell, CLOCK_MONOTONIC, &until) == 0) return true;
  return false;
}

/* Counted by the core, not by the clock: half a core takes twice as long. True when it was
 * cancelled first. */
static bool echo_busy(struct echo_seat *seat, uint32_t rows)
{
  int64_t until_ns = clock_thread_ns() + seat->echo->busy_us * 1000 * rows;
  while (clock_thread_ns() < until_ns)
    if (sem_trywait(&seat->bell) == 0) return true;
  return false;
}

static enum code echo_run(void *seat, struct task *task, struct err *err)
{
  struct echo_seat *echo = seat;
  if (echo->echo->delay_us && echo_delay(echo))
    return fail(err, E_DEADLINE_EXCEEDED, "the echo was stopped at its deadline");
  if (echo->echo->busy_us && echo_busy(echo, task->rows))
    return fail(err, E_DEADLINE_EXCEEDED, "the echo was stopped at its deadline");
  for (uint32_t i = 0; i < task->contract->n_outputs; i++)
    if (task->wanted >> i & 1) task->outputs[i] = task->inputs[i];
  return OK;
}

static void echo_cancel(void *seat)
{
  struct echo_seat *echo = seat;
  sem_post(&echo->bell);
}

static uint64_t echo_bytes(const void *model, uint64_t *peak)
{
  (void)model;
  return *peak = sizeof(struct echo);
}

const struct engine engine_echo = {
    .name = "echo",
    .platform = "slipway_echo",
    .claims = echo_claims,
    .open = echo_open,
    .close = echo_close,
    .sit = echo_sit,
    .leave = echo_leave,
    .run = echo_run,
    .cancel = echo_cancel,
    .bytes = echo_bytes,
    .exact = true,
};
