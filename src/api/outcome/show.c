/* show.c - GET /api/v1/models/{model}/feedback: how a release's predictions turned out, by arm; or
 * what was answered while none ran, by version.
 * Thread: desk.
 * Read from the store as it stands, for people; what a release is judged by is control's to ask
 * (measure.c).
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "api/handlers_int.h"
#include "api/outcome/outcome_int.h"
#include "api/release/release_int.h"
#include "base/clock.h"
#include "base/text.h"
#include "store/outcome.h"

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *share(double part, uint64_t of)
{
  return of ? json_real(part / (double)of) : json_null();
}

/* n, mean and the standard deviation of a unit, in the metric's own unit. */
static json_t *metric_json(const struct mean_arm *metric, double cap)
{
  double part = cap / (double)(1 << MEAN_PARTS_BITS), n = (double)metric->n;
  double mean = metric->n ? (double)metric->y / n : NAN;
  double var = metric->n > 1 ? ((double)metric->yy - n * mean * mean) / (n - 1) : NAN;
  return json_pack("{so,so,so}", "units", json_u64(metric->n), "mean", number(mean * part),
                   "deviation", number(sqrt(fmax(var, 0)) * part));
}

static json_t *reliability_json(const struct outcome_sums *sums)
{
  json_t *list = json_array();
  for (int i = 0; i < CALIBRATION_BINS; i++) {
    const struct calibration_bin *bin = &sums->bins[i];
    json_array_append_new(
        list, json_pack("{sf,sf,so,so,so}", "from", (double)i / CALIBRATION_BINS, "to",
                        (double)(i + 1) / CALIBRATION_BINS, "answers", json_u64(bin->n), "score",
                        share(bin->p, bin->n), "happened", share(bin->y, bin->n)));
  }
  return list;
}

static json_t *ages_json(const struct outcome_sums *sums)
{
  json_t *list = json_array();
  for (int i = 0; i < AGES; i++) {
    json_array_append_new(list, json_pack("{si,so}", "seconds", 1 << i, "share",
                                          share((double)sums->ages[i], sums->requests)));
    if (sums->ages[i] == sums->labelled) break;
  }
  return list;
}

/* release 0: there are no arms, only versions. */
static json_t *arm_json(const struct outcome_sums *sums, uint32_t release, uint32_t arm, double cap)
{
  uint64_t scored = 0;
  for (int i = 0; i < CALIBRATION_BINS; i++) scored += sums->bins[i].n;
  json_t *json = json_object();
  json_object_set_new(json, "arm", release ? json_integer(arm) : json_null());
  json_object_set_new(json, "name", release ? json_string(arm_name(arm)) : json_null());
  json_object_set_new(json, "version", json_integer(sums->version));
  json_object_set_new(json, "requests", json_u64(sums->requests));
  json_object_set_new(json, "with_outcome", json_u64(sums->labelled));
  json_object_set_new(json, "late", json_u64(sums->late));
  json_object_set_new(json, "share", share((double)sums->labelled, sums->requests));
  json_object_set_new(json, "metric", metric_json(&sums->metric, cap));
  json_object_set_new(json, "judged", json_u64(sums->judged));
  json_object_set_new(json, "accuracy", share((double)sums->right, sums->judged));
  json_object_set_new(json, "brier", share(sums->brier, scored));
  json_object_set_new(json, "ece", number(outcome_ece(sums)));
  json_object_set_new(json, "reliability", scored ? reliability_json(sums) : json_array());
  json_object_set_new(json, "ages", ages_json(sums));
  return json;
}

/* Of the plan that the release began with. */
struct cap_search {
  uint32_t release;
  double cap;
};

static enum code cap_met(void *arg, const struct event *event, const struct digest *hash,
                         struct err *err)
{
  struct cap_search *search = arg;
  (void)hash;
  if (event->kind != EVENT_RELEASE_STARTED || event->release != search->release) return OK;
  json_t *plan = fact_json(event, "plan");
  double cap = json_number_value(json_object_get(json_object_get(plan, "metric"), "cap"));
  if (cap > 0) search->cap = cap;
  json_decref(plan);
  return fail(err, E_CANCELLED, "enough");
}

/* Where the question does not say: the plan's, or 1 without a metric. */
static enum code cap_find(struct ask *ask, struct slice model, uint32_t release, double *cap)
{
  struct cap_search search = {.release = release, .cap = 1};
  if (*cap > 0) return OK;
  enum code code = release ? ledger_walk(ask, model, cap_met, &search) : OK;
  *cap = search.cap;
  return code;
}

/* 0: the question does not say. */
static bool cap_read(struct ask *ask, double *cap)
{
  struct slice text;
  bool over;
  *cap = 0;
  if (!ask_query(ask, "cap", &text)) return false;
  if (!text.at) return true;
  if (text_read_f64(text.at, text.len, cap, &over) && *cap > 0 && isfinite(*cap)) return true;
  fail(&ask->err, E_VALUE_OUT_OF_RANGE, "?cap= is '%.*s', it must be a number above 0",
       SLICE_ARG(text));
  fail_at(&ask->err, "cap");
  return false;
}

/* Which release, where the question does not say: the one that runs and is remembered, else that of
 * the newest answer. 0: none ran. */
static enum code release_find(struct ask *ask, struct outcomes *outcomes,
                              const struct model *model, uint32_t *release)
{
  *release = 0;
  if (model->release && model->release->remember) *release = model->release->number;
  if (*release) return OK;
  return outcomes_newest(outcomes, ask->letter->tenant, model->name, release, &ask->err);
}

static json_t *release_json(uint32_t release)
{
  return release ? json_integer((json_int_t)release) : json_null();
}

enum desk_step feedback_show(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  int64_t asked = -1, maturity_s = 0, now_ms = clock_wall_ms();
  struct outcome_sums arms[ARMS_MAX];
  double cap;
  if (!model || !ask_query_int(ask, "release", 0, UINT32_MAX, &asked) ||
      !ask_query_int(ask, "maturity", 1, 366 * 86400, &maturity_s) || !cap_read(ask, &cap))
    return ask_fail(ask);
  struct outcomes *outcomes = outcomes_of(ask->desk, &ask->err);
  uint32_t release = asked < 0 ? 0 : (uint32_t)asked;
  if (!outcomes || (asked < 0 && release_find(ask, outcomes, model, &release)) ||
      cap_find(ask, model->name, release, &cap))
    return ask_fail(ask);
  struct outcome_question of = {.tenant = ask->letter->tenant,
                                .model = model->name,
                                .release = release,
                                .since_ms = -1,
                                .mature_ms = now_ms - maturity_s * 1000,
                                .maturity_ms = maturity_s ? maturity_s * 1000 : now_ms,
                                .cap = cap};
  if (outcomes_measured(outcomes, &of, arms, &ask->err)) return ask_fail(ask);
  json_t *list = json_array();
  for (uint32_t i = 0; i < ARMS_MAX; i++)
    if (arms[i].requests) json_array_append_new(list, arm_json(&arms[i], release, i, cap));
  int64_t window_ms = model->stable ? model->stable->feedback_ms : 0;
  return ask_json(ask, 200,
                  json_pack("{so,so,so,so,sf,so}", "model", json_slice(model->name), "release",
                            release_json(release), "window_s",
                            window_ms ? json_real((double)window_ms / 1000) : json_null(),
                            "maturity_s", maturity_s ? json_integer(maturity_s) : json_null(),
                            "cap", cap, "arms", list));
}

/* ---- one request ---- */

static json_t *prediction_json(const struct outcome_found *found)
{
  const struct prediction *row = &found->row;
  json_t *arm = row->release ? json_integer(row->arm) : json_null();
  return json_pack("{so,so,sI,so,sf,so,so,so}", "at", json_time(row->wall_ms), "release",
                   release_json(row->release), "version", (json_int_t)row->version, "arm", arm,
                   "propensity", (double)row->weight / WEIGHT_WHOLE, "label",
                   row->label == LABEL_NONE ? json_null() : json_integer(row->label), "score",
                   number((double)row->score), "inputs",
                   found->inputs.at ? json_slice(found->inputs) : json_null());
}

static json_t *outcome_json(const struct outcome_found *found)
{
  struct err ignored;
  json_t *outcome = json_parse(found->outcome, &ignored);
  return json_pack("{so,sf,so,so}", "outcome", outcome ? outcome : json_slice(found->outcome),
                   "weight", found->weight, "at", json_time(found->at_ms), "told_at",
                   json_time(found->told_ms));
}

enum desk_step feedback_find(struct ask *ask)
{
  const struct model *model = ask_model(ask, 0);
  struct slice id = ask->letter->params[1];
  struct outcome_found found;
  struct outcomes *outcomes = model ? outcomes_of(ask->desk, &ask->err) : NULL;
  if (!outcomes || outcomes_find(outcomes, ask->letter->tenant, model->name, id, &ask->arena,
                                 &found, &ask->err))
    return ask_fail(ask);
  if (!found.predicted && !found.told) {
    fail(&ask->err, E_NOT_FOUND, "nothing is kept of request '%.*s'", SLICE_ARG(id));
    return ask_fail(ask);
  }
  return ask_json(ask, 200,
                  json_pack("{so,so,so,so}", "model", json_slice(model->name), "request_id",
                            json_slice(id), "prediction",
                            found.predicted ? prediction_json(&found) : json_null(), "feedback",
                            found.told ? outcome_json(&found) : json_null()));
}
