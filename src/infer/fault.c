/* fault.c - running the real engine, then doing what the fault says.
 * Thread: worker, loop or job, as fault.h says.
 * SPDX-License-Identifier: MIT */
#include "infer/fault.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/rand.h"

struct faulty {
  const struct engine *engine; /* the real one */
  void *model;
  struct fault fault;
  _Atomic int64_t began_us; /* of the first run; 0: none yet */
  _Atomic uint32_t seats;
  _Atomic uint64_t leaked;
};

struct leak {
  struct leak *next;
};

struct faulty_seat {
  struct faulty *faulty;
  void *seat;
  struct rand rand;
  struct leak *leaks;
  _Atomic bool cancelled;
};

static void faulty_close(void *model)
{
  struct faulty *faulty = model;
  faulty->engine->close(faulty->model);
  ungrab(faulty);
}

static enum code faulty_sit(void *model, void **seat, struct err *err)
{
  struct faulty *faulty = model;
  void *inner;
  if (faulty->engine->sit(faulty->model, &inner, err) != OK) return err->code;
  struct faulty_seat *made = grab_zero(1, sizeof *made);
  made->faulty = faulty;
  made->seat = inner;
  rand_seed(&made->rand, atomic_fetch_add(&faulty->seats, 1) + 1);
  *seat = made;
  return OK;
}

static void faulty_leave(void *seat)
{
  struct faulty_seat *left = seat;
  for (struct leak *leak = left->leaks, *next; leak; leak = next) {
    next = leak->next;
    ungrab(leak);
  }
  left->faulty->engine->leave(left->seat);
  ungrab(left);
}

static void faulty_cancel(void *seat)
{
  struct faulty_seat *sitting = seat;
  atomic_store(&sitting->cancelled, true);
  if (sitting->faulty->engine->cancel) sitting->faulty->engine->cancel(sitting->seat);
}

static uint64_t faulty_bytes(const void *model, uint64_t *peak)
{
  const struct faulty *faulty = model;
  uint64_t leaked = atomic_load_explicit(&faulty->leaked, memory_order_relaxed);
  *peak = 0;
  uint64_t bytes = faulty->engine->bytes ? faulty->engine->bytes(faulty->model, peak) : 0;
  *peak += leaked;
  return bytes + leaked;
}

/* Whether the fault has begun. */
static bool is_due(struct faulty *faulty)
{
  int64_t now_us = clock_us(), none = 0;
  if (!faulty->fault.after_us) return true;
  if (atomic_compare_exchange_strong(&faulty->began_us, &none, now_us)) none = now_us;
  return now_us - none >= faulty->fault.after_us;
}

/* --- what each fault does --------------------------------------------------------------------- */

/* Busy, as a slow model is. */
static enum code slow_down(struct faulty_seat *seat, int64_t took_ns, struct err *err)
{
  const struct fault *fault = &seat->faulty->fault;
  int64_t more_ns = (int64_t)((double)took_ns * (fault->factor - 1)) + fault->add_ns;
  for (int64_t until_ns = clock_ns() + more_ns; clock_ns() < until_ns;)
    if (atomic_load_explicit(&seat->cancelled, memory_order_relaxed))
      return fail(err, E_DEADLINE_EXCEEDED, "the slowed model was stopped at its deadline");
  return OK;
}

/* The elements of each row the other way round: another label, the same shape and values. A row of
 * one becomes something else by its bits. */
static void data_turn(char *to, const char *from, uint64_t rows, uint64_t n, size_t width)
{
  for (uint64_t row = 0; row < rows; row++)
    for (uint64_t i = 0; i < n; i++)
      memcpy(to + (row * n + n - 1 - i) * width, from + (row * n + i) * width, width);
  if (n == 1)
    for (uint64_t row = 0; row < rows; row++) to[(row + 1) * width - 1] ^= 1;
}

static enum code answer_spoil(struct task *task, struct err *err)
{
  for (uint32_t i = 0; i < task->contract->n_outputs; i++) {
    struct tensor *output = &task->outputs[i];
    size_t width = dtype_width(output->dtype);
    if (output->dtype == DT_NONE || !width || !output->count) continue;
    uint64_t n = output->shape.rank ? (uint64_t)output->shape.dims[output->shape.rank - 1] : 1;
    char *turned = arena_get(task->scratch, output->bytes);
    if (!turned) return fail(err, E_OUT_OF_MEMORY, "the answer has no room to be spoiled in");
    data_turn(turned, output->data, output->count / n, n, width);
    output->data = turned;
  }
  return OK;
}

static void memory_keep(struct faulty_seat *seat)
{
  struct faulty *faulty = seat->faulty;
  uint64_t bytes = faulty->fault.bytes;
  if (bytes < sizeof(struct leak)) bytes = sizeof(struct leak);
  if (atomic_load(&faulty->leaked) + bytes > LEAK_BYTES_MAX) return;
  struct leak *leak = grab_zero(1, bytes);
  leak->next = seat->leaks;
  seat->leaks = leak;
  atomic_fetch_add(&faulty->leaked, bytes);
}

static enum code faulty_run(void *seat, struct task *task, struct err *err)
{
  struct faulty_seat *sitting = seat;
  struct faulty *faulty = sitting->faulty;
  const struct fault *fault = &faulty->fault;
  bool due = is_due(faulty);
  if (due && fault->kind == FAULT_CRASH)
    return fail(err, E_MODEL_FAILED, "rehearsed: the model's process has died");
  if (due && fault->kind == FAULT_ERRORS && task->many) /* each draws for itself, alone */
    return fail(err, E_MODEL_FAILED, "rehearsed: the model takes one request at a time");
  if (due && fault->kind == FAULT_ERRORS && rand_unit(&sitting->rand) < fault->share)
    return fail(err, E_MODEL_FAILED, "rehearsed: the model failed");
  int64_t began_ns = clock_ns();
  if (faulty->engine->run(sitting->seat, task, err) != OK) return err->code;
  if (!due) return OK;
  if (fault->kind == FAULT_SLOW) return slow_down(sitting, clock_ns() - began_ns, err);
  if (fault->kind == FAULT_LEAK) memory_keep(sitting);
  if (fault->kind == FAULT_WRONG && rand_unit(&sitting->rand) < fault->share)
    return answer_spoil(task, err);
  return OK;
}

/* Names and platform are the real one's: loaded->engine points to a copy that says so. */
struct wrapped {
  struct faulty faulty; /* first: the model is this */
  struct engine engine;
};

void fault_wrap(struct loaded *loaded, const struct fault *fault)
{
  if (fault->kind == FAULT_NONE) return;
  struct wrapped *wrapped = grab_zero(1, sizeof *wrapped);
  wrapped->faulty.engine = loaded->engine;
  wrapped->faulty.model = loaded->model;
  wrapped->faulty.fault = *fault;
  wrapped->engine = *loaded->engine;
  wrapped->engine.close = faulty_close;
  wrapped->engine.sit = faulty_sit;
  wrapped->engine.leave = faulty_leave;
  wrapped->engine.run = faulty_run;
  wrapped->engine.cancel = faulty_cancel;
  wrapped->engine.bytes = faulty_bytes;
  loaded->engine = &wrapped->engine;
  loaded->model = wrapped;
}

int64_t fault_run_ns(const struct fault *fault, int64_t run_ns)
{
  if (fault->kind != FAULT_SLOW || !run_ns) return run_ns;
  return (int64_t)((double)run_ns * fault->factor) + fault->add_ns;
}
