/* contract.c - copying and checking what a model takes and gives.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "base/contract.h"

static bool specs_copy(struct arena *arena, const struct tensor_spec *from, uint32_t n,
                       const struct tensor_spec **to)
{
  struct tensor_spec *specs = arena_get(arena, n * sizeof *specs);
  if (!specs) return false;
  for (uint32_t i = 0; i < n; i++) {
    specs[i] = from[i];
    specs[i].name = arena_copy(arena, from[i].name);
    if (!specs[i].name.at) return false;
    if (!from[i].labels) continue;
    struct slice *labels = arena_get(arena, from[i].n_labels * sizeof *labels);
    if (!labels) return false;
    for (uint32_t k = 0; k < from[i].n_labels; k++) {
      labels[k] = arena_copy(arena, from[i].labels[k]);
      if (!labels[k].at) return false;
    }
    specs[i].labels = labels;
  }
  *to = specs;
  return true;
}

bool contract_copy(struct arena *arena, const struct contract *from, struct contract *to)
{
  *to = *from;
  return specs_copy(arena, from->inputs, from->n_inputs, &to->inputs) &&
         specs_copy(arena, from->outputs, from->n_outputs, &to->outputs);
}

const struct tensor_spec *spec_find(const struct tensor_spec *specs, uint32_t n, struct slice name,
                                    uint32_t *index)
{
  for (uint32_t i = 0; i < n; i++) {
    if (!slice_eq(specs[i].name, name)) continue;
    *index = i;
    return &specs[i];
  }
  return NULL;
}

enum code spec_fits(const struct tensor_spec *spec, const struct tensor *tensor, struct err *err)
{
  char got[SHAPE_TEXT_MAX], want[SHAPE_TEXT_MAX];
  if (tensor->dtype != spec->dtype)
    return fail(err, E_BAD_DATATYPE, "tensor \"%.*s\" is %s, the model wants %s",
                SLICE_ARG(spec->name), dtype_name(tensor->dtype), dtype_name(spec->dtype));
  if (spec->rank_free) return OK;
  bool fits = tensor->shape.rank == spec->shape.rank;
  for (uint32_t i = 0; fits && i < spec->shape.rank; i++)
    fits = spec->shape.dims[i] < 0 || spec->shape.dims[i] == tensor->shape.dims[i];
  if (fits) return OK;
  return fail(err, E_BAD_SHAPE, "tensor \"%.*s\" has shape %s, the model wants %s",
              SLICE_ARG(spec->name), shape_text(&tensor->shape, got, sizeof got),
              shape_text(&spec->shape, want, sizeof want));
}
