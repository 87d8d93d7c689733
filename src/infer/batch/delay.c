/* delay.c - tries a longer wait, and keeps it where it pays.
 * Thread: the lane's owner, a worker or a loop; pure.
 * SPDX-License-Identifier: MIT */
#include "infer/batch/delay.h"

enum { GAPS_PATIENT = 4, GAPS_KNOWN = 32 };
static const double come_min = 0.5, gain_min = 0.02, busy_min = 0.5;

static uint32_t bound(uint32_t us, uint32_t most) { return us < most ? us : most; }

void delay_init(struct delay *delay, bool fixed, uint32_t us_max, int64_t slo_us, int64_t now_us)
{
  *delay = (struct delay){.fixed = fixed, .us_said = us_max, .joined = 1};
  if (fixed) delay->us = delay->us_max = us_max;
  delay_slo(delay, slo_us);
  delay->looked_us = delay->gap_since_us = delay->last_us = now_us;
}

void delay_slo(struct delay *delay, int64_t slo_us)
{
  delay->slo_us = slo_us;
  if (delay->fixed) return;
  uint32_t most = slo_us / 4 < DELAY_US_MAX ? (uint32_t)(slo_us / 4) : DELAY_US_MAX;
  delay->us_max = delay->us_said ? bound(delay->us_said, most) : most;
  delay->us = bound(delay->us, delay->us_max);
}

void delay_came(struct delay *delay, int64_t now_us)
{
  delay->came++;
  delay->last_us = now_us;
}

static bool somebody_comes(const struct delay *delay)
{
  if (!delay->us) return false;
  if (!delay->fixed && (delay->gap_us <= 0 || delay->us < come_min * delay->gap_us)) return false;
  return delay->joined >= come_min || delay->unwaited >= DELAY_PROBE;
}

int64_t delay_until(const struct delay *delay, int64_t eldest_us, int64_t now_us)
{
  if (!somebody_comes(delay)) return now_us;
  int64_t until_us = eldest_us + delay->us;
  if (delay->gap_us <= 0) return until_us;
  double patience_us = GAPS_PATIENT * delay->gap_us;
  if (patience_us < DELAY_STEP_US) patience_us = DELAY_STEP_US;
  int64_t quiet_us = (delay->last_us > eldest_us ? delay->last_us : eldest_us);
  if (patience_us < (double)(until_us - quiet_us)) until_us = quiet_us + (int64_t)patience_us;
  return until_us;
}

void delay_closed(struct delay *delay, int64_t now_us, bool waited, uint32_t joined)
{
  uint64_t came = delay->came - delay->gap_came;
  bool first = delay->gap_us <= 0;
  if ((first ? came >= GAPS_KNOWN : came > 0) && now_us > delay->gap_since_us) {
    double gap_us = (double)(now_us - delay->gap_since_us) / (double)came;
    delay->gap_us += first ? gap_us : (gap_us - delay->gap_us) / 8;
    delay->gap_came = delay->came;
    delay->gap_since_us = now_us;
  }
  if (waited) {
    delay->joined += ((double)joined - delay->joined) / 4;
    delay->unwaited = 0;
  } else if (delay->unwaited < DELAY_PROBE) {
    delay->unwaited++;
  }
}

static void step_back(struct delay *delay)
{
  delay->us = delay->us > DELAY_STEP_US ? delay->us - DELAY_STEP_US : 0;
  delay->rest = DELAY_REST;
  delay->cost_ns = 0;
}

static void look(struct delay *delay, int64_t now_us)
{
  double cost_ns = (double)delay->run_ns / (double)delay->rows;
  double busy = (double)delay->run_ns / 1000 / (double)(now_us - delay->looked_us + 1);
  if (delay->slow * 100 > delay->tasks) {
    delay->us /= 2;
    delay->cost_ns = 0;
    delay->rest = DELAY_REST;
  } else if (busy < busy_min || (delay->cost_ns > 0 && cost_ns > delay->cost_ns * (1 - gain_min))) {
    step_back(delay);
  } else if (delay->rest) {
    delay->rest--;
  } else if (delay->us < delay->us_max) {
    delay->us = bound(delay->us + DELAY_STEP_US, delay->us_max);
    delay->cost_ns = cost_ns;
  }
}

void delay_ran(struct delay *delay, const struct delay_run *run)
{
  delay->batches++;
  delay->tasks += run->tasks;
  delay->slow += run->slow;
  delay->rows += run->rows;
  delay->run_ns += run->run_ns > 0 ? (uint64_t)run->run_ns : 0;
  if (delay->batches < DELAY_BATCHES && run->now_us - delay->looked_us < DELAY_LOOK_US) return;
  if (!delay->fixed && delay->rows) look(delay, run->now_us);
  delay->looked_us = run->now_us;
  delay->batches = delay->tasks = delay->slow = 0;
  delay->rows = delay->run_ns = 0;
}

uint32_t delay_shown(const struct delay *delay) { return somebody_comes(delay) ? delay->us : 0; }
