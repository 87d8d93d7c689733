/* outcome.c - what outcomes say of a run: asked of a desk every few seconds, given to its looks,
 * shown.
 * Thread: control.
 *
 * A unit enters one look, once, when its first prediction is as old as the plan's maturity: the
 * window (since_ms, mature_ms] goes on from question to question. After a restart where it stood is
 * not known; what the looks of the journal hold is then taken off all that has matured.
 * A question is put only about what is written: predictions on their way to the scribe would be
 * left out for ever.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control_int.h"

enum { MEASURE_US = 10000000, MEASURE_REST = 10, SETTLE_MS = 1000 };
enum { SHARES_Z = 5 };

struct question {
  struct letter_measure letter; /* first: the letter is the memory */
  uint32_t model;               /* its slot */
};

bool run_remembers(const struct run *run) { return run->plan.metric.name[0] != '\0'; }

static int64_t maturity_ms(const struct run *run)
{
  return (int64_t)run->plan.metric.maturity_ms;
}

/* As long as outcomes can come and be looked at. */
int64_t run_keep_ms(const struct run *run) { return OUTCOME_KEEP_MS + 2 * maturity_ms(run); }

static double covariate_cap(const struct plan *plan)
{
  bool any = plan->metric.covariate.kind != BY_REQUEST;
  return any ? (double)plan->metric.covariate_cap_e6 / PLAN_MILLION : 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static struct mailbox *desk_next(struct control *control)
{
  const struct post *post = control->post;
  return post->n_desks ? post->desks[control->measures++ % post->n_desks] : NULL;
}

void run_measure(struct control *control, struct run *run)
{
  struct run_outcomes *of = &run->outcomes;
  const struct catalog_release *release = run->model->release;
  int64_t mature_ms = control->written_ms - SETTLE_MS;
  struct mailbox *desk;
  if (mature_ms > control->wall_ms - maturity_ms(run))
    mature_ms = control->wall_ms - maturity_ms(run);
  if (!run_remembers(run) || of->asked || control->now_us < of->next_us || control->stopping ||
      !control->written_ms || (of->measured && mature_ms <= of->since_ms))
    return;
  desk = desk_next(control);
  if (!desk) return;
  struct question *question = grab_zero(1, sizeof *question);
  question->model = run->model->slot;
  question->letter = (struct letter_measure){.mail.kind = LETTER_MEASURE,
                                             .home = &control->box,
                                             .tenant = run->model->tenant->name,
                                             .model = run->model->name,
                                             .release = run->number,
                                             .from_ms = release->started_ms - SETTLE_MS,
                                             .since_ms = of->measured ? of->since_ms : INT64_MIN,
                                             .mature_ms = mature_ms,
                                             .maturity_ms = maturity_ms(run),
                                             .cap = (double)run->plan.metric.cap_e6 / PLAN_MILLION,
                                             .covariate_cap = covariate_cap(&run->plan)};
  of->asked = true;
  control->measures_out++;
  mail_send(desk, &question->letter.mail);
}

/* --- answered --------------------------------------------------------------------------------- */

static void mean_take_off(struct mean_arm *from, const struct mean_arm *what)
{
  from->n -= what->n;
  from->y -= what->y;
  from->x -= what->x;
  from->yy -= what->yy;
  from->xx -= what->xx;
  from->xy -= what->xy;
}

/* What is new of all that has matured, after a restart. An outcome that was told too late, or was
 * replaced, can make it no sum of units: then nothing is. */
static bool mean_is_sum(const struct mean_arm *arm)
{
  mean_wide n = (mean_wide)arm->n << MEAN_PARTS_BITS, yy = n << MEAN_PARTS_BITS;
  return arm->n <= UINT32_MAX && arm->y <= n && -(mean_wide)arm->y <= n && arm->yy >= 0 &&
         arm->yy <= yy && arm->x <= n && -(mean_wide)arm->x <= n && arm->xx >= 0 && arm->xx <= yy &&
         arm->xy <= yy && -arm->xy <= yy;
}

/* Only where the plan asks for it: looks are kept. */
static void calibration_take(struct run *run, uint32_t arm, const struct calibration *seen)
{
  struct run_outcomes *of = &run->outcomes;
  if (!plan_gate_acts(&run->plan, GATE_CALIBRATION, STEP_CANARY)) return;
  for (int i = 0; i < CALIBRATION_BINS; i++) {
    struct mean_arm scored = seen->at[i];
    if (!of->measured) mean_take_off(&scored, &run->trial.calibration[arm].at[i]);
    if (mean_is_sum(&scored)) mean_merge(&of->scored[arm].at[i], &scored);
  }
}

static void answer_take(struct run *run, const struct letter_measure *letter)
{
  struct run_outcomes *of = &run->outcomes;
  for (uint32_t arm = 0; arm < ARMS_MAX; arm++) {
    struct mean_arm matured = letter->arms[arm].metric;
    if (!of->measured) mean_take_off(&matured, &run->trial.metric[arm]);
    if (mean_is_sum(&matured)) mean_merge(&of->matured[arm], &matured);
    calibration_take(run, arm, &letter->arms[arm].calibration);
    of->arms[arm] = letter->arms[arm];
  }
  of->measured = true;
  of->since_ms = letter->mature_ms;
}

void measure_home(struct control *control, struct letter_measure *letter)
{
  struct question *question = (struct question *)(void *)letter;
  const struct catalog_model *model = control->catalog->models[question->model];
  struct run *run = run_of(&control->runs, model);
  control->measures_out--;
  if (run && run->number == letter->release) {
    int64_t rest_us = letter->took_us * MEASURE_REST;
    run->outcomes.asked = false;
    run->outcomes.next_us = control->now_us + (rest_us > MEASURE_US ? rest_us : MEASURE_US);
    if (letter->err.code == OK)
      answer_take(run, letter);
    else
      log_event(LOG_WARN, "outcomes_not_measured", "tenant", log_slice(model->tenant->name),
                "model", log_slice(model->name), "reason",
                letter->err.text, NULL);
  }
  ungrab(question);
}

void outcomes_fill(struct run *run, struct look *look)
{
  struct run_outcomes *of = &run->outcomes;
  for (uint32_t arm = 0; arm < look->n_arms; arm++) {
    look->arms[arm].metric = of->matured[arm];
    look->calibration[arm] = of->scored[arm];
    of->matured[arm] = (struct mean_arm){0};
    of->scored[arm] = (struct calibration){0};
  }
}

/* Two shares apart by more than chance would have it at any of very many looks. What is missing may
 * then be what differs. */
static bool shares_differ(const struct outcome_sums *c, const struct outcome_sums *b)
{
  double n = (double)c->requests, m = (double)b->requests;
  if (!c->requests || !b->requests) return false;
  double all = ((double)c->labelled + (double)b->labelled) / (n + m);
  double apart = (double)c->labelled / n - (double)b->labelled / m;
  return apart * apart > SHARES_Z * SHARES_Z * all * (1 - all) * (1 / n + 1 / m);
}

bool outcomes_differ(const struct run *run)
{
  const struct outcome_sums *arms = run->outcomes.arms;
  for (uint32_t arm = 0; arm < run->trial.n_arms; arm++)
    if (arm != ARM_STABLE && shares_differ(&arms[arm], &arms[ARM_STABLE])) return true;
  return false;
}

/* --- shown ------------------------------------------------------------------------------------ */

static void number_put(struct json_out *out, const char *key, double value)
{
  json_out_key(out, key);
  if (isfinite(value))
    json_out_f64(out, value);
  else
    json_out_null(out);
}

static double ratio(double part, uint64_t of) { return of ? part / (double)of : NAN; }

/* Bins that hold any answer: what scores said, and what came of it. */
static void reliability_put(const struct outcome_sums *sums, struct json_out *out)
{
  json_out_key(out, "reliability");
  json_out_open(out, '[');
  for (uint32_t i = 0; i < CALIBRATION_BINS; i++) {
    const struct calibration_bin *bin = &sums->bins[i];
    if (!bin->n) continue;
    json_out_open(out, '{');
    number_put(out, "from", calibration_low(i));
    number_put(out, "to", calibration_low(i + 1));
    json_out_key_u64(out, "answers", bin->n);
    number_put(out, "score", bin->p / (double)bin->n);
    number_put(out, "happened", bin->y / (double)bin->n);
    json_out_close(out, '}');
  }
  json_out_close(out, ']');
}

static void arm_put(const struct run *run, uint32_t arm, struct json_out *out)
{
  const struct outcome_sums *sums = &run->outcomes.arms[arm];
  const struct mean_arm *metric = &run->trial.metric[arm];
  double part = (double)run->plan.metric.cap_e6 / PLAN_MILLION / (1 << MEAN_PARTS_BITS);
  json_out_open(out, '{');
  json_out_key_u64(out, "arm", arm);
  json_out_key(out, "name");
  json_out_str(out, slice_str(arm_name(arm)));
  json_out_key_u64(out, "requests", sums->requests);
  json_out_key_u64(out, "with_outcome", sums->labelled);
  json_out_key_u64(out, "late", sums->late);
  number_put(out, "share", ratio((double)sums->labelled, sums->requests));
  json_out_key_u64(out, "units", metric->n);
  number_put(out, "mean", ratio((double)metric->y, metric->n) * part);
  number_put(out, "accuracy", ratio((double)sums->right, sums->judged));
  number_put(out, "ece", outcome_ece(sums));
  reliability_put(sums, out);
  json_out_close(out, '}');
}

/* What each candidate's comparison with stable gains by the covariate. */
static void covariate_put(const struct run *run, struct json_out *out)
{
  const struct plan_key *key = &run->plan.metric.covariate;
  double share, theta;
  json_out_key(out, "covariate");
  if (key->kind == BY_REQUEST) {
    json_out_null(out);
    return;
  }
  json_out_open(out, '{');
  json_out_key(out, "name");
  json_out_str(out, slice_str(key->name));
  json_out_key(out, "variance_reduction");
  json_out_open(out, '[');
  for (uint32_t arm = 0; arm < run->trial.n_arms; arm++) {
    if (arm == ARM_STABLE || !metric_relief(&run->trial, arm, &share, &theta)) continue;
    json_out_open(out, '{');
    json_out_key_u64(out, "arm", arm);
    number_put(out, "share", share);
    number_put(out, "theta", theta);
    json_out_close(out, '}');
  }
  json_out_close(out, ']');
  json_out_close(out, '}');
}

void outcomes_put(const struct run *run, struct json_out *out)
{
  json_out_key(out, "feedback");
  if (!run_remembers(run)) {
    json_out_null(out);
    return;
  }
  json_out_open(out, '{');
  json_out_key(out, "metric");
  json_out_str(out, slice_str(run->plan.metric.name));
  json_out_key(out, "maturity_s");
  json_out_f64(out, (double)maturity_ms(run) / 1000);
  covariate_put(run, out);
  json_out_key(out, "arms");
  json_out_open(out, '[');
  for (uint32_t arm = 0; arm < run->trial.n_arms; arm++) arm_put(run, arm, out);
  json_out_close(out, ']');
  json_out_close(out, '}');
}
