/* warm.c - warms a model up.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "jobs/warm.h"

#include <stdlib.h>

#include "base/clock.h"

/* Zeros for every required input; dimension 0 is `rows` where it is free. */
static enum code zeros_make(struct trial *trial, int64_t rows, struct tensor *inputs,
                            struct err *err)
{
  const struct contract *contract = trial->contract;
  for (uint32_t i = 0; i < contract->n_inputs; i++) {
    const struct tensor_spec *spec = &contract->inputs[i];
    struct tensor *t = &inputs[i];
    *t = (struct tensor){.name = spec->name, .shape = spec->shape};
    if (spec->optional) continue;
    if (spec->rank_free) t->shape = (struct shape){1, {-1}};
    for (uint32_t k = 0; k < t->shape.rank; k++)
      if (t->shape.dims[k] < 0) t->shape.dims[k] = k == 0 ? rows : 1;
    size_t width = dtype_width(spec->dtype); /* an empty string is four bytes of zero, too */
    if (!width) width = 4;
    if (!shape_count(&t->shape, &t->count) || t->count > TRIAL_BYTES_MAX / width)
      return fail(err, E_LIMIT_EXCEEDED, "input \"%.*s\" is too large to warm up with",
                  SLICE_ARG(spec->name));
    t->dtype = spec->dtype;
    t->bytes = t->count * width;
    t->data = arena_zero(&trial->scratch, t->count ? t->count : 1, width);
    if (!t->data) return fail(err, E_LIMIT_EXCEEDED, "the inputs are too large to warm up with");
  }
  return OK;
}

static int by_size(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static enum code zeros_run(struct trial *trial, int64_t rows, struct err *err)
{
  struct tensor inputs[TENSORS_MAX];
  arena_reset(&trial->scratch);
  if (zeros_make(trial, rows, inputs, err) != OK) return err->code;
  return trial_run(trial, inputs, UINT64_MAX, (uint32_t)rows, err);
}

enum code warm_up(struct trial *trial, int64_t *run_ns, struct err *err)
{
  int64_t runs[WARM_RUNS_MAX], until_us = clock_us() + WARM_US_MAX;
  size_t n = 0;
  *run_ns = 0;
  for (size_t i = 0; i < WARM_RUNS_MAX && (n == 0 || clock_us() < until_us); i++) {
    if (zeros_run(trial, 1, err) != OK) return err->code;
    /* The first pays for what is made once; it counts only when it used up all the time. */
    if (i > 0 || clock_us() >= until_us) runs[n++] = trial->run_ns;
  }
  qsort(runs, n, sizeof *runs, by_size);
  *run_ns = runs[n / 2];
  return OK;
}

bool warm_batches(struct trial *trial)
{
  struct err err;
  for (int64_t rows = 1; rows <= 2; rows++) {
    if (zeros_run(trial, rows, &err) != OK) return false;
    for (uint32_t i = 0; i < trial->contract->n_outputs; i++)
      if (trial->outputs[i].shape.rank == 0 || trial->outputs[i].shape.dims[0] != rows)
        return false;
  }
  return true;
}
