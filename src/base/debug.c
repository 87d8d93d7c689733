/* debug.c - the mean mode of allocators.
 * Thread: any. The settings are written before threads start; each thread has its own chance.
 * SPDX-License-Identifier: MIT */
#include "base/debug.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"

static bool poisons, probes;
static const char *pressure; /* in the environment, which stays */
static uint64_t fail_one_in, seed = 1;
/* that have asked: each gets a seed of its own, the same each run */
static _Atomic uint64_t threads;
static _Thread_local struct rand chance;
static _Thread_local bool chance_ready;

static bool word_read(const char *word, size_t len)
{
  if (len == 0) return true;
  if (len == 6 && memcmp(word, "poison", 6) == 0) return poisons = true;
  if (len == 5 && memcmp(word, "probe", 5) == 0) return probes = true;
  if (len > 9 && memcmp(word, "pressure=", 9) == 0 && word[len] == '\0') { /* the last word */
    pressure = word + 9;
    return true;
  }
  if (len > 7 && memcmp(word, "fail=1/", 7) == 0) {
    fail_one_in = strtoull(word + 7, NULL, 10);
    return fail_one_in > 0;
  }
  if (len > 5 && memcmp(word, "seed=", 5) == 0) {
    seed = strtoull(word + 5, NULL, 10);
    return true;
  }
  return false;
}

bool debug_start(const char *words)
{
  if (!words) return true;
  for (;;) {
    size_t len = strcspn(words, ",");
    if (!word_read(words, len)) return false;
    if (words[len] == '\0') return true;
    words += len + 1;
  }
}

bool debug_poisons(void) { return poisons; }
bool debug_probes(void) { return probes; }
const char *debug_pressure(void) { return pressure; }

bool debug_fails(void)
{
  if (fail_one_in == 0) return false;
  if (!chance_ready) {
    rand_seed(&chance, seed + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed));
    chance_ready = true;
  }
  return rand_u64(&chance) % fail_one_in == 0;
}
