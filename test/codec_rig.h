/* codec_rig.h - reading one V2 request and expecting exactly one error.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_RIG_H
#define CODEC_RIG_H

#include "test.h"
#include "wire/infer/infer.h"

static struct arena arena;
static struct infer_request request;
static struct err err;

static enum code read_with_tail(const char *json, struct slice tail)
{
  arena_deinit(&arena);
  arena_init(&arena, 8 << 20, NULL);
  err = (struct err){0};
  return infer_read(&arena, slice_str(json), tail, &request, &err);
}

static enum code body_read(const char *json) { return read_with_tail(json, SLICE_NONE); }

static void expect_fail(enum code got, enum code want, const char *field, const char *text)
{
  EXPECT_STR(code_name(got), code_name(want));
  EXPECT_STR(err.field, field);
  if (text) EXPECT_STR(err.text, text);
}

#endif
