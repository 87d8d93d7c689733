/* ort_here.h - whether ONNX Runtime is there for a test; where it is not, that is said once.
 * SPDX-License-Identifier: MIT */
#ifndef ORT_HERE_H
#define ORT_HERE_H

#include <stdio.h>

#include "infer/onnx/ort.h"

static inline bool ort_here(void)
{
  const struct ort *ort;
  struct err err;
  static bool said;
  if (ort_get(&ort, &err) == OK) return true;
  if (!said) printf("skipped: %s\n", err.text);
  said = true;
  return false;
}

#endif
