/* result.c - what came of a flag's variants: exposures and outcomes by variant, and how far each is
 * from the default one, with an interval that may be looked at any time.
 * Thread: desk; from this desk's own reader of the outcomes.
 * Several variants share alpha equally (Bonferroni).
 * Source: release statistics, section 11.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "api/flag/desk_int.h"
#include "api/handlers_int.h"
#include "api/outcome/outcome_int.h"
#include "base/clock.h"

static const double alpha = 0.05;

struct asked {
  double cap;
  int64_t maturity_ms;
};

static bool number_read(struct ask *ask, const char *key, double most, double *to)
{
  struct slice text;
  bool over = false;
  double number = 0;
  if (!ask_query(ask, key, &text)) return false;
  if (!text.at) return true;
  if (text_read_f64(text.at, text.len, &number, &over) && !over && number > 0 && number <= most) {
    *to = number;
    return true;
  }
  fail(&ask->err, E_VALUE_OUT_OF_RANGE, "?%s= is '%.*s', it must be a number above 0", key,
       SLICE_ARG(text));
  fail_at(&ask->err, "%s", key);
  return false;
}

static bool asked_read(struct ask *ask, struct asked *asked)
{
  double maturity_s = 0;
  *asked = (struct asked){.cap = 1};
  if (!number_read(ask, "cap", 1e12, &asked->cap) ||
      !number_read(ask, "maturity_s", 3e7, &maturity_s))
    return false;
  asked->maturity_ms = (int64_t)(maturity_s * 1000);
  return true;
}

static bool sums_read(struct ask *ask, const struct flag *flag, const struct asked *asked,
                      struct outcome_sums sums[ARMS_MAX])
{
  struct flag_desk *desk = flag_desk_of(ask->desk);
  int64_t now_ms = clock_wall_ms();
  arena_reset(&desk->work);
  struct outcomes *outcomes = outcomes_of(ask->desk, &ask->err);
  if (!outcomes) return false;
  /* A fresh flag's outcomes count from the first day on: within all of retention. */
  struct outcome_question of = {
      .tenant = ask->letter->tenant,
      .model = exposure_model(&desk->work, flag->key),
      .release = EXPOSURE_RELEASE,
      .since_ms = -1,
      .mature_ms = now_ms - asked->maturity_ms,
      .maturity_ms = asked->maturity_ms ? asked->maturity_ms : OUTCOME_KEEP_MS,
      .cap = asked->cap,
  };
  return outcomes_measured(outcomes, &of, sums, &ask->err) == OK;
}

static void number_out(struct json_out *out, const char *key, double number)
{
  json_out_key(out, key);
  if (isfinite(number))
    json_out_f64(out, number);
  else
    json_out_null(out);
}

static void interval_out(struct json_out *out, const struct mean_interval *interval)
{
  number_out(out, "difference", interval->diff);
  number_out(out, "lower", interval->lower);
  number_out(out, "upper", interval->upper);
  const char *verdict = "too few units";
  if (interval->enough) verdict = "not clear of zero";
  if (interval->enough && interval->lower > 0) verdict = "higher";
  if (interval->enough && interval->upper < 0) verdict = "lower";
  json_out_key(out, "verdict");
  json_out_str(out, slice_str(verdict));
}

static void variant_out(struct json_out *out, struct slice name, const struct outcome_sums *sums,
                        const struct outcome_sums *base, const struct mean_spec *spec)
{
  struct mean_interval interval = mean_difference(&sums->metric, &base->metric, spec);
  json_out_open(out, '{');
  json_out_key(out, "variant");
  json_out_str(out, name);
  json_out_key_u64(out, "exposures", sums->requests);
  json_out_key_u64(out, "outcomes", sums->labelled);
  json_out_key_u64(out, "units", sums->metric.n);
  number_out(out, "mean",
             sums->metric.n ? (double)sums->metric.y / (double)sums->metric.n /
                                  (double)(1 << MEAN_PARTS_BITS) * spec->cap
                            : (double)NAN);
  if (base != sums) interval_out(out, &interval);
  json_out_close(out, '}');
}

/* The default variant's place, the others are compared with; else the first one's. */
static uint32_t base_place(const struct flag *flag)
{
  uint32_t place = 0;
  const struct value *member = flag->variants->first;
  for (; member; member = member->next, place++)
    if (slice_eq(member->key, flag->fallback)) return place < ARMS_MAX ? place : 0;
  return 0;
}

static enum desk_step results_answer(struct ask *ask, const struct flag *flag,
                                     const struct asked *asked, const struct outcome_sums *sums)
{
  struct flag_desk *desk = flag_desk_of(ask->desk);
  struct json_out out;
  uint32_t base = base_place(flag), place = 0;
  uint32_t others = flag->variants->n > 2 ? flag->variants->n - 1 : 1;
  struct mean_spec spec = {.cap = asked->cap, .alpha = alpha / others};
  arena_reset(&desk->out);
  json_out_init(&out, &desk->out, 1024);
  json_out_open(&out, '{');
  json_out_key(&out, "key");
  json_out_str(&out, flag->key);
  number_out(&out, "alpha", alpha);
  number_out(&out, "cap", asked->cap);
  json_out_key(&out, "variants");
  json_out_open(&out, '[');
  const struct value *member = flag->variants->first;
  for (; member && place < ARMS_MAX; member = member->next, place++)
    variant_out(&out, member->key, &sums[place], &sums[base], &spec);
  json_out_close(&out, ']');
  json_out_close(&out, '}');
  must(!out.full);
  return ask_text(ask, 200, "application/json", blob_copy(json_out_lend(&out)));
}

enum desk_step flag_results(struct ask *ask)
{
  struct slice key = ask->letter->params[0];
  struct outcome_sums sums[ARMS_MAX];
  struct asked asked;
  if (!asked_read(ask, &asked)) return ask_fail(ask);
  const struct flags *flags = flag_set_of(ask);
  if (!flags) return ask_fail(ask);
  const struct flag *flag = flags_find(flags, key);
  if (!flag || flag->broken) {
    fail(&ask->err, E_NOT_FOUND, "there is no flag '%.*s' to tell results of", SLICE_ARG(key));
    return ask_fail(ask);
  }
  if (!sums_read(ask, flag, &asked, sums)) return ask_fail(ask);
  return results_answer(ask, flag, &asked, sums);
}
