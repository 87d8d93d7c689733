/* measure.c - what outcomes say of a release, read for control, which never waits for a disk.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/outcome/outcome_int.h"
#include "base/clock.h"
#include "store/outcome.h"

struct outcomes *outcomes_of(struct desk *desk, struct err *err)
{
  if (!desk->outcomes && outcomes_open(&desk->outcomes, desk->opts->datadir, NULL, false, err))
    return NULL;
  return desk->outcomes;
}

static enum code measured(struct desk *desk, struct letter_measure *letter)
{
  struct err *err = &letter->err;
  struct outcomes *outcomes = outcomes_of(desk, err);
  if (!outcomes) return err->code;
  struct outcome_question of = {.tenant = letter->tenant,
                                .model = letter->model,
                                .release = letter->release,
                                .from_ms = letter->from_ms,
                                .since_ms = letter->since_ms,
                                .mature_ms = letter->mature_ms,
                                .maturity_ms = letter->maturity_ms,
                                .cap = letter->cap,
                                .covariate_cap = letter->covariate_cap};
  return outcomes_measured(outcomes, &of, letter->arms, err);
}

void measure_take(struct desk *desk, struct letter_measure *letter)
{
  int64_t began_us = clock_us();
  letter->err = (struct err){.code = OK};
  letter->err.code = measured(desk, letter);
  letter->took_us = clock_us() - began_us;
  letter->mail.kind = LETTER_MEASURE_HOME;
  mail_send(letter->home, &letter->mail);
}
