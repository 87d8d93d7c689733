/* codec_bench.c - what the V2 JSON codec costs; with codec_simdjson.cc linked in, next to simdjson
 * On Demand reading the same floats.
 *   make build/release/codec_bench && build/release/codec_bench
 *   g++ -O2 -march=native -std=c++17 -c bench/codec_simdjson.cc -o /tmp/simdjson.o
 *   gcc -O2 -std=c17 -D_GNU_SOURCE -Isrc bench/codec_bench.c /tmp/simdjson.o \
 *     build/release/libslipway.a -lcrypto -lsimdjson -lstdc++ -lm -o /tmp/codec && /tmp/codec
 * Prints the least of 60 rounds of about a millisecond each.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/text.h"
#include "wire/infer/infer.h"

/* Reads data[] as floats; returns how many, 0 on an error. Left out: not measured. */
__attribute__((weak)) size_t codec_simdjson(const char *json, size_t len, size_t padded, float *to,
                                            size_t max);

enum { ROUNDS = 60, PAD = 64 };

static size_t body_make(char *to, size_t n, int digits)
{
  struct rand rand;
  rand_seed(&rand, 7);
  size_t len = (size_t)sprintf(to,
                               "{\"id\":\"42\",\"inputs\":[{\"name\":\"x\",\"shape\":[1,%zu],"
                               "\"datatype\":\"FP32\",\"data\":[",
                               n);
  for (size_t i = 0; i < n; i++) {
    float value = (float)(rand_unit(&rand) * 2 - 1);
    if (i) to[len++] = ',';
    if (digits == 9)
      len += text_print_f32(to + len, value);
    else
      len += text_print_f64(to + len, (double)value);
  }
  return len + (size_t)sprintf(to + len, "]}],\"outputs\":[{\"name\":\"y\"}]}");
}

static struct arena arena;

static void encode(const struct infer_request *request, const struct tensor *y)
{
  struct err err;
  struct infer_output output = {.tensor = y};
  struct infer_answer answer = {.model_name = SLICE("digits"),
                                .model_version = SLICE("3"),
                                .id = request->id,
                                .outputs = &output,
                                .n_outputs = 1};
  struct infer_body body;
  if (infer_write(&arena, &answer, &body, &err) != OK) printf("%s\n", err.text), exit(1);
}

static double measure(const char *body, size_t len, int loops, int what, size_t n)
{
  static float values[1 << 20];
  float y[4] = {0.1234567f, -3.25e-5f, 0.87654321f, 12.5f};
  struct tensor out = {.name = SLICE("y"),
                       .dtype = DT_FP32,
                       .shape = {2, {1, 4}},
                       .count = 4,
                       .data = y,
                       .bytes = sizeof y};
  double best = 1e9;
  if (what == 2 && !codec_simdjson) return NAN;
  for (int round = 0; round < ROUNDS; round++) {
    int64_t from = clock_ns();
    for (int i = 0; i < loops; i++) {
      struct infer_request request = {0};
      struct err err;
      arena_reset(&arena);
      if (what == 2 && codec_simdjson(body, len, len + PAD, values, 1 << 20) != n)
        printf("simdjson failed\n"), exit(1);
      if (what != 2 && infer_read(&arena, slice_of(body, len), SLICE_NONE, &request, &err) != OK)
        printf("%s\n", err.text), exit(1);
      if (what == 1) encode(&request, &out);
    }
    double ns = (double)(clock_ns() - from) / loops;
    if (ns < best) best = ns;
  }
  return best;
}

int main(void)
{
  static char body[64 << 20];
  arena_init(&arena, 256 << 20, NULL);
  printf("best of %d, microseconds a request\n%9s %7s %9s %14s %14s %14s\n", ROUNDS, "floats",
         "digits", "bytes", "decode", "decode+encode4", "simdjson");
  for (int digits = 9; digits <= 17; digits += 8)
    for (size_t n = 16; n <= 1 << 20; n *= n < 1024 ? 64 : 1024) {
      size_t len = body_make(body, n, digits);
      int loops = n < 100 ? 1000 : n < 5000 ? 100 : 1; /* about a millisecond a round */
      printf("%9zu %7d %9zu %14.3f %14.3f %14.3f\n", n, digits, len,
             measure(body, len, loops, 0, n) / 1e3, measure(body, len, loops, 1, n) / 1e3,
             measure(body, len, loops, 2, n) / 1e3);
    }
}
