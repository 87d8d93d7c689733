/* onnx_fuzz.c - any bytes as an ONNX model: walked to the end or refused with a reason.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>

#include "wire/onnx_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct arena scratch;
  struct err err = {0};
  struct onnx_summary sum;
  struct slice model = {(const char *)data, size};
  arena_init(&scratch, 8 << 20, NULL);
  enum code code = onnx_walk(model, NULL, &scratch, &sum, &err);
  if (code == OK) {
    must(sum.ir_version > 0 && sum.n_graphs > 0 && sum.depth <= ONNX_DEPTH_MAX);
    must(sum.weight_bytes <= 64 * size); /* a byte of int32_data can stand for a few of weight */
    for (uint32_t i = 0; i < sum.n_inputs && i < ONNX_NAMES_MAX; i++)
      must(sum.inputs[i].len && sum.inputs[i].at > model.at &&
           sum.inputs[i].at + sum.inputs[i].len <= model.at + size);
  } else {
    must(code == E_MODEL_REJECTED || code == E_EXTERNAL_DATA_FORBIDDEN || code == E_OUT_OF_MEMORY);
    must(err.text[0]);
  }
  arena_deinit(&scratch);
  return 0;
}
