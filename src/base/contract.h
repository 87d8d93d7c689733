/* contract.h - what a model takes and gives: its tensors' names, datatypes and shapes.
 * Thread: any. Plain data; made by an engine at load, copied into the world, read by everybody.
 * Source: "Model Metadata" of the Open Inference Protocol V2.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_CONTRACT_H
#define BASE_CONTRACT_H

#include "base/arena.h"
#include "base/tensor.h"

struct tensor_spec {
  struct slice name;
  enum dtype dtype;
  struct shape shape;          /* -1: any size; includes the batch dimension */
  bool rank_free;              /* the model leaves even the rank open: shape is not checked */
  bool optional;               /* an input the model has a default for */
  /* an output's class names for the classification parameter, or NULL */
  const struct slice *labels;
  uint32_t n_labels;
};

struct contract {
  const struct tensor_spec *inputs, *outputs;
  uint32_t n_inputs, n_outputs;
  bool batches; /* dimension 0 of every input and output is a free batch of rows */
};

/* A deep copy in the arena; false past its cap. */
bool contract_copy(struct arena *arena, const struct contract *from, struct contract *to);
/* The spec called name, or NULL. *index receives its place. */
const struct tensor_spec *spec_find(const struct tensor_spec *specs, uint32_t n, struct slice name,
                                    uint32_t *index);
/* Whether a concrete shape fits a spec. E_BAD_SHAPE says both. */
CHECKED enum code spec_fits(const struct tensor_spec *spec, const struct tensor *tensor,
                            struct err *err);

#endif
