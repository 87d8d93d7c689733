/* breaker.c - a window of seconds, and when it is too bad.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "control/guard/breaker.h"

#include <string.h>

#include "base/rand.h"

static void window_clear(struct breaker *breaker)
{
  memset(breaker->good, 0, sizeof breaker->good);
  memset(breaker->bad, 0, sizeof breaker->bad);
  memset(breaker->struck_us, 0, sizeof breaker->struck_us);
}

static void window_move(struct breaker *breaker, int64_t second)
{
  int64_t passed = second - breaker->second;
  if (passed <= 0) return;
  if (passed > BREAKER_SECONDS) passed = BREAKER_SECONDS;
  for (int64_t i = 0; i < passed; i++) {
    int64_t at = (second - i) % BREAKER_SECONDS;
    breaker->good[at] = breaker->bad[at] = 0;
  }
  breaker->second = second;
}

/* So many that a sum of the window fits. */
static void add(uint32_t *to, uint64_t n)
{
  uint64_t sum = *to + n, most = UINT32_MAX / BREAKER_SECONDS;
  *to = (uint32_t)(sum < most ? sum : most);
}

static bool window_is_bad(const struct breaker *breaker)
{
  uint32_t good = 0, bad = 0;
  for (int i = 0; i < BREAKER_SECONDS; i++) good += breaker->good[i], bad += breaker->bad[i];
  return good + bad >= BREAKER_CALLS && bad >= good;
}

/* True with the strike that makes it three. */
static bool strike(struct breaker *breaker, int64_t now_us)
{
  int64_t eldest_us = breaker->struck_us[0];
  breaker->struck_us[0] = breaker->struck_us[1];
  breaker->struck_us[1] = now_us;
  return eldest_us && now_us - eldest_us <= BREAKER_STRIKES_US;
}

static bool strikes(struct breaker *breaker, const struct breaker_seen *seen, int64_t now_us)
{
  if (seen->good) {
    memset(breaker->struck_us, 0, sizeof breaker->struck_us);
    return false;
  }
  for (uint64_t i = 0; i < seen->stopped && i < BREAKER_STRIKES; i++)
    if (strike(breaker, now_us)) return true;
  return false;
}

static void open(struct breaker *breaker, int64_t now_us, double chance)
{
  bool calm = breaker->state == BREAKER_CLOSED && now_us - breaker->until_us >= BREAKER_CALM_US;
  if (calm) breaker->openings = 0;
  int64_t span_us = BREAKER_OPEN_US;
  for (uint32_t i = 0; i < breaker->openings && span_us < BREAKER_OPEN_MOST_US; i++) span_us *= 2;
  if (span_us > BREAKER_OPEN_MOST_US) span_us = BREAKER_OPEN_MOST_US;
  breaker->openings++;
  breaker->state = BREAKER_OPEN;
  breaker->until_us = now_us + (int64_t)((double)span_us * rand_fifth(chance));
  breaker->probes = 0;
  window_clear(breaker);
}

static bool probes_count(struct breaker *breaker, const struct breaker_seen *seen, int64_t now_us,
                         double chance)
{
  if (seen->probes_bad) {
    open(breaker, now_us, chance);
    return true;
  }
  breaker->probes += (uint32_t)(seen->probes_good < BREAKER_PROBES ? seen->probes_good
                                                                  : BREAKER_PROBES);
  if (breaker->probes < BREAKER_PROBES) return false;
  breaker->state = BREAKER_CLOSED;
  breaker->until_us = now_us;
  window_clear(breaker);
  return true;
}

bool breaker_count(struct breaker *breaker, const struct breaker_seen *seen, int64_t now_us,
                   double chance)
{
  if (breaker->state == BREAKER_OPEN) return false; /* calls of before come home */
  if (breaker->state == BREAKER_HALF_OPEN) return probes_count(breaker, seen, now_us, chance);
  int64_t second = now_us / 1000000;
  window_move(breaker, second);
  add(&breaker->good[second % BREAKER_SECONDS], seen->good);
  add(&breaker->bad[second % BREAKER_SECONDS], seen->bad);
  if (!strikes(breaker, seen, now_us) && !(seen->bad && window_is_bad(breaker))) return false;
  open(breaker, now_us, chance);
  return true;
}

bool breaker_tick(struct breaker *breaker, int64_t now_us)
{
  if (breaker->state != BREAKER_OPEN || now_us < breaker->until_us) return false;
  breaker->state = BREAKER_HALF_OPEN;
  breaker->probes = 0;
  return true;
}

void breaker_reset(struct breaker *breaker) { *breaker = (struct breaker){0}; }
