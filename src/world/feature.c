/* feature.c - which numbers of a request are its features.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/feature.h"

#include <stdio.h>

/* Values a row; 0: the input has no features. */
static uint32_t width_of(const struct contract *contract, const struct tensor_spec *spec)
{
  uint64_t width = 1;
  if (spec->rank_free || spec->dtype == DT_BYTES || spec->dtype == DT_NONE) return 0;
  for (uint32_t i = contract->batches ? 1 : 0; i < spec->shape.rank; i++) {
    int64_t dim = spec->shape.dims[i];
    if (dim < 1 || dim > FEATURE_WIDTH_MAX) return 0;
    width *= (uint64_t)dim;
    if (width > FEATURE_WIDTH_MAX) return 0;
  }
  return (uint32_t)width;
}

uint32_t features_count(const struct contract *contract)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < contract->n_inputs && n < DRIFT_FEATURES; i++)
    n += width_of(contract, &contract->inputs[i]);
  return n < DRIFT_FEATURES ? n : DRIFT_FEATURES;
}

uint32_t features_read(const struct contract *contract, const struct tensor *inputs,
                       float to[DRIFT_FEATURES])
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < contract->n_inputs && n < DRIFT_FEATURES; i++) {
    uint32_t width = width_of(contract, &contract->inputs[i]);
    const struct tensor *tensor = &inputs[i];
    for (uint32_t k = 0; k < width && n < DRIFT_FEATURES; k++)
      to[n++] = tensor->dtype == DT_NONE || k >= tensor->count ? __builtin_nanf("")
                : dtype_is_float(tensor->dtype)                ? (float)tensor_float(tensor, k)
                                                               : (float)tensor_whole(tensor, k);
  }
  for (uint32_t i = n; i < DRIFT_FEATURES; i++) to[i] = __builtin_nanf("");
  return n;
}

void feature_name(const struct contract *contract, uint32_t feature, char to[FEATURE_NAME_MAX])
{
  to[0] = '\0';
  for (uint32_t i = 0; i < contract->n_inputs; i++) {
    const struct tensor_spec *spec = &contract->inputs[i];
    uint32_t width = width_of(contract, spec);
    int len = spec->name.len < FEATURE_NAME_MAX - 6 ? (int)spec->name.len : FEATURE_NAME_MAX - 6;
    if (feature >= width) {
      feature -= width;
      continue;
    }
    if (width > 1)
      snprintf(to, FEATURE_NAME_MAX, "%.*s[%u]", len, spec->name.at, feature);
    else
      snprintf(to, FEATURE_NAME_MAX, "%.*s", len, spec->name.at);
    break;
  }
  for (char *c = to; *c; c++)
    if (*c < 0x20 || *c > 0x7e) *c = '?';
}
