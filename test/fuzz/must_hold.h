/* must_hold.h - what holds of the inputs of every request that was read.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_FUZZ_MUST_HOLD_H
#define TEST_FUZZ_MUST_HOLD_H

#include "wire/infer/infer.h"

static inline void tensors_must_hold(const struct infer_request *request)
{
  for (uint32_t i = 0; i < request->n_inputs; i++) {
    const struct tensor *tensor = &request->inputs[i];
    if (tensor->dtype == DT_NONE) continue; /* optional, and was not sent */
    uint64_t count;
    size_t width = dtype_width(tensor->dtype);
    must(shape_count(&tensor->shape, &count) && count == tensor->count);
    must((tensor->data != NULL) == (tensor->bytes != 0));
    must(!width || (tensor->bytes == count * width && (uintptr_t)tensor->data % width == 0));
    must(width || tensor_bytes_check(tensor->data, tensor->bytes, count, NULL) == OK);
    if (tensor->dtype == DT_BOOL)
      for (size_t k = 0; k < tensor->bytes; k++) must(((const uint8_t *)tensor->data)[k] <= 1);
  }
}

/* Two readings of the same bytes have the same values. */
static inline void tensors_must_equal(const struct infer_request *a, const struct infer_request *b)
{
  must(a->n_inputs == b->n_inputs);
  for (uint32_t i = 0; i < a->n_inputs; i++) {
    const struct tensor *x = &a->inputs[i], *y = &b->inputs[i];
    must(x->bytes == y->bytes && (!x->bytes || memcmp(x->data, y->data, x->bytes) == 0));
  }
}

#endif
