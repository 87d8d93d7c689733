/* far_fuzz.c - any bytes as what Redis says to questions and fills, in any pieces: nobody is told
 * anything, and the line ends or goes on. Then any bytes as a sealed value, and as an answer.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "base/log.h"
#include "serve/cache/canon.h"
#include "serve/far/far.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ASKS = 4, FAR_NOW = 1000000 };

static struct far_opts opts = {.budget_us = 20000};

static void line_look(struct slice bytes)
{
  struct far *far = far_new(&opts, 1);
  struct far_ask asks[ASKS], *told;
  struct slice out;
  size_t piece = bytes.len ? 1 + (unsigned char)bytes.at[0] : 1;
  far_connecting(far, FAR_NOW);
  far_up(far, FAR_NOW);
  while ((out = far_out(far, FAR_NOW)).len) far_sent(far);
  far_fed(far, SLICE("$-1\r\n"), FAR_NOW, 1);
  for (int i = 0; i < ASKS; i++) {
    asks[i] = (struct far_ask){.canonical = SLICE("c")};
    must(far_get(far, &asks[i], INT64_MAX, FAR_NOW));
    if (i % 2) far_set(far, &asks[i].name, SLICE("answer"), 1000000, FAR_NOW, 1);
  }
  while ((out = far_out(far, FAR_NOW)).len) far_sent(far);
  for (; bytes.len; bytes = slice_from(bytes, piece))
    far_fed(far, slice_of(bytes.at, piece < bytes.len ? piece : bytes.len), FAR_NOW, 1);
  far_down(far, NULL, FAR_NOW);
  while ((told = far_told(far))) must(!told->blob);
  far_free(far);
}

static void value_look(struct slice bytes)
{
  static const struct tensor_spec specs[2] = {
      {.name = SLICE("x"), .dtype = DT_FP32, .shape = {.rank = 2, .dims = {-1, 2}}},
      {.name = SLICE("s"), .dtype = DT_BYTES, .rank_free = true}};
  static const struct contract contract = {specs, specs, 2, 2, true};
  struct tensor outputs[2];
  struct digest name = {{0}};
  struct arena arena;
  struct slice answer;
  int64_t left_ms;
  must(seal_open(&opts.keys, &name, bytes, 1, &answer, &left_ms) == SEAL_BAD);
  for (uint64_t wanted = 0; wanted < 4; wanted++) {
    if (!tensors_fit(bytes, &contract, wanted)) continue;
    arena_init(&arena, 1 << 24, NULL);
    must(tensors_unpack(bytes, &contract, wanted, &arena, outputs));
    for (int i = 0; i < 2; i++) {
      size_t at = 0;
      if (!(wanted >> i & 1) || outputs[i].dtype != DT_BYTES) continue;
      for (uint64_t n = 0; n < outputs[i].count; n++) tensor_bytes_next(&outputs[i], &at);
      must(at == outputs[i].bytes);
    }
    arena_deinit(&arena);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static bool ready;
  if (!ready) {
    seal_keys_init(&opts.keys, SLICE("0123456789abcdef0123456789abcdef"));
    log_level_set(LOG_ERROR);
    ready = true;
  }
  line_look(slice_of((const char *)data, size));
  value_look(slice_of((const char *)data, size));
  return 0;
}
