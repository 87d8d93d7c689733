/* metrics.c - releases as Prometheus families: where each is, and how far each gate from its bar.
 * Thread: desk.
 * A gate's evidence is log_e, acted upon at bar; both are natural logarithms. What does not apply
 * (a gate that speaks by blocks) has no sample.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "api/metrics_int.h"
#include "api/release/release_int.h"
#include "judge/step.h"

_Static_assert((int)MOVES_STATES == (int)ROLLOUT_STATES, "a count for each state");

/* ---- labels ---- */

static void text_add(struct buf *to, const char *name, const json_t *value)
{
  const char *text = json_string_value(value);
  buf_print(to, ",%s=", name);
  metrics_label(to, slice_str(text ? text : ""));
}

/* {model="fraud",release="17" */
static void labels_open(struct buf *to, const char *family, const json_t *release)
{
  buf_print(to, "%s{model=", family);
  const char *model = json_string_value(json_object_get(release, "model"));
  metrics_label(to, slice_str(model ? model : ""));
  buf_print(to, ",release=\"%lld\"",
            (long long)json_integer_value(json_object_get(release, "release")));
}

static void sample_end(struct buf *to, double value) { buf_print(to, "} %.15g\n", value); }

/* ---- one number of each release ---- */

static void number_write(struct buf *to, const json_t *releases, const char *family,
                         const char *type, const char *help, const char *outer, const char *key)
{
  size_t i;
  const json_t *release;
  metrics_head(to, family, type, help);
  json_array_foreach(releases, i, release)
  {
    const json_t *from = outer ? json_object_get(release, outer) : release;
    const json_t *value = json_object_get(from, key);
    if (!json_is_number(value)) continue;
    labels_open(to, family, release);
    sample_end(to, json_number_value(value));
  }
}

static void state_write(struct buf *to, const json_t *releases)
{
  size_t i;
  const json_t *release;
  metrics_head(to, "slipway_release_state", "gauge", "1 for the state a release is in");
  json_array_foreach(releases, i, release)
  {
    const char *is = json_string_value(json_object_get(release, "state"));
    for (int s = 0; is && s < ROLLOUT_STATES; s++) {
      const char *name = rollout_state_name((enum rollout_state)s);
      labels_open(to, "slipway_release_state", release);
      buf_print(to, ",state=\"%s\"", name);
      sample_end(to, strcmp(name, is) == 0);
    }
  }
}

/* ---- gates ---- */

typedef bool (*gate_value)(const json_t *gate, double *value);

static bool number_of(const json_t *object, const char *key, double *value)
{
  const json_t *number = json_object_get(object, key);
  *value = json_number_value(number);
  return json_is_number(number);
}

static bool gate_log_e(const json_t *gate, double *value)
{
  return number_of(gate, "log_e", value);
}

static bool gate_bar(const json_t *gate, double *value) { return number_of(gate, "bar", value); }

static bool gate_pass_log_e(const json_t *gate, double *value)
{
  return number_of(json_object_get(gate, "pass"), "log_e", value);
}

static bool gate_pass_bar(const json_t *gate, double *value)
{
  return number_of(json_object_get(gate, "pass"), "bar", value);
}

static bool gate_no_data(const json_t *gate, double *value)
{
  const char *state = json_string_value(json_object_get(gate, "state"));
  *value = state && strcmp(state, "no_data") == 0;
  return state != NULL;
}

static bool gate_harm(const json_t *gate, double *value)
{
  const char *state = json_string_value(json_object_get(gate, "state"));
  *value = state && strcmp(state, "harm") == 0;
  return state != NULL;
}

static const struct {
  const char *name, *help;
  gate_value value;
  bool reason;
} gate_families[] = {
    {"slipway_release_gate_log_e", "evidence of harm, natural logarithm", gate_log_e, false},
    {"slipway_release_gate_bar", "where evidence of harm acts", gate_bar, false},
    {"slipway_release_gate_pass_log_e", "evidence of no harm", gate_pass_log_e, false},
    {"slipway_release_gate_pass_bar", "where a gate lets pass", gate_pass_bar, false},
    {"slipway_release_gate_harm", "1 once a gate has found harm", gate_harm, false},
    {"slipway_release_no_data", "1 while a gate has nothing to judge", gate_no_data, true},
};

static bool is_idle(const json_t *gate)
{
  const char *state = json_string_value(json_object_get(gate, "state"));
  return !state || strcmp(state, "idle") == 0;
}

static void gates_write(struct buf *to, const json_t *releases)
{
  for (size_t f = 0; f < sizeof gate_families / sizeof *gate_families; f++) {
    size_t i, g;
    const json_t *release, *gate;
    metrics_head(to, gate_families[f].name, "gauge", gate_families[f].help);
    json_array_foreach(releases, i, release)
    {
      const json_t *verdict = json_object_get(release, "verdict");
      json_array_foreach(json_object_get(verdict, "gates"), g, gate)
      {
        double value;
        if (is_idle(gate) || !gate_families[f].value(gate, &value)) continue;
        labels_open(to, gate_families[f].name, release);
        text_add(to, "gate", json_object_get(gate, "gate"));
        if (gate_families[f].reason) text_add(to, "reason", json_object_get(gate, "reason"));
        sample_end(to, value);
      }
    }
  }
}

/* ---- arms ---- */

static void arms_write(struct buf *to, const json_t *releases)
{
  static const struct {
    const char *name, *help, *key;
  } families[] = {
      {"slipway_release_arm_weight", "share of traffic this arm answers, 0 to 1", "weight"},
      {"slipway_release_arm_requests", "its answers that were judged", "requests"},
      {"slipway_release_arm_closed", "1 once it is out of the test", "closed"},
  };
  for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
    size_t i, a;
    const json_t *release, *arm;
    metrics_head(to, families[f].name, "gauge", families[f].help);
    json_array_foreach(releases, i, release)
    {
      json_array_foreach(json_object_get(release, "arms"), a, arm)
      {
        const json_t *value = json_object_get(arm, families[f].key);
        labels_open(to, families[f].name, release);
        buf_print(to, ",arm=\"%s\",version=\"%lld\"",
                  json_string_value(json_object_get(arm, "arm")),
                  (long long)json_integer_value(json_object_get(arm, "version")));
        sample_end(to, json_is_boolean(value) ? json_is_true(value) : json_number_value(value));
      }
    }
  }
}

/* ---- outcomes ---- */

static void feedback_write(struct buf *to, const json_t *releases)
{
  static const struct {
    const char *name, *help, *key;
  } families[] = {
      {"slipway_release_outcome_requests", "answers old enough to be judged by their outcomes",
       "requests"},
      {"slipway_release_outcome_share", "of these, those with an outcome, 0 to 1", "share"},
      {"slipway_release_outcome_mean", "the plan's metric, mean over units", "mean"},
      {"slipway_release_outcome_accuracy", "labels that were right, 0 to 1", "accuracy"},
      {"slipway_release_outcome_ece", "expected calibration error of the scores", "ece"},
  };
  for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
    size_t i, a;
    const json_t *release, *arm;
    metrics_head(to, families[f].name, "gauge", families[f].help);
    json_array_foreach(releases, i, release)
    {
      const json_t *feedback = json_object_get(release, "feedback");
      json_array_foreach(json_object_get(feedback, "arms"), a, arm)
      {
        double value;
        if (!number_of(arm, families[f].key, &value)) continue;
        labels_open(to, families[f].name, release);
        buf_print(to, ",arm=\"%lld\"",
                  (long long)json_integer_value(json_object_get(arm, "arm")));
        sample_end(to, value);
      }
    }
  }
}

/* ---- moves, from the ledger ---- */

struct counting {
  struct desk *desk;
  uint64_t until, newest;
  int64_t start_ms; /* of this process: a counter begins with it */
};

static enum code move_met(void *arg, const struct event *event, const struct digest *hash,
                          struct err *err)
{
  struct counting *counting = arg;
  (void)hash;
  if (event->seq <= counting->until || event->wall_ms < counting->start_ms)
    return fail(err, E_CANCELLED, "enough");
  if (!counting->newest) counting->newest = event->seq;
  if (event->kind != EVENT_RELEASE_MOVED) return OK;
  struct slice state = event_fact(event, "state");
  for (int s = 0; s < ROLLOUT_STATES; s++)
    if (slice_eq(state, slice_str(rollout_state_name((enum rollout_state)s))))
      counting->desk->moves[s]++;
  return OK;
}

const uint64_t *release_moves_count(struct ask *ask, int64_t start_ms)
{
  struct desk *desk = ask->desk;
  struct slice tenant = ask->letter->tenant;
  uint64_t kept[MOVES_STATES];
  if (!slice_eq(tenant, slice_str(desk->moves_tenant))) {
    if (!slice_to_str(tenant, desk->moves_tenant, sizeof desk->moves_tenant)) return NULL;
    memset(desk->moves, 0, sizeof desk->moves);
    desk->moves_seq = 0;
  }
  struct counting counting = {
      .desk = desk, .until = desk->moves_seq, .start_ms = start_ms};
  memcpy(kept, desk->moves, sizeof kept);
  if (ledger_walk(ask, SLICE_NONE, move_met, &counting) != OK) {
    memcpy(desk->moves, kept, sizeof kept); /* half a walk would be counted twice */
    ask->err = (struct err){.code = OK};
    return NULL;
  }
  if (counting.newest) desk->moves_seq = counting.newest;
  return desk->moves;
}

static void moves_write(struct buf *to, const uint64_t *moves)
{
  metrics_head(to, "slipway_release_moves_total", "counter", "releases that came into a state");
  for (int s = 0; moves && s < ROLLOUT_STATES; s++)
    buf_print(to, "slipway_release_moves_total{state=\"%s\"} %llu\n",
              rollout_state_name((enum rollout_state)s), (unsigned long long)moves[s]);
}

void release_metrics_write(struct buf *to, const struct metrics_view *view)
{
  const json_t *all = view->releases;
  static const struct {
    const char *family, *type, *help, *outer, *key;
  } rows[] = {
      {"slipway_release_weight", "gauge", "share of traffic the candidate answers, 0 to 1", NULL,
       "weight"},
      {"slipway_release_copied", "gauge", "share of traffic copied to a shadow, 0 to 1", NULL,
       "copied"},
      {"slipway_release_step", "gauge", "step of the plan, from 0", NULL, "step"},
      {"slipway_release_harmed", "gauge", "answers harmed so far, of the harm budget", "verdict",
       "harmed"},
      {"slipway_release_shadow_pairs_total", "counter", "answers compared", "shadow", "pairs"},
      {"slipway_release_shadow_disagreements_total", "counter", "answers that differ", "shadow",
       "disagreements"},
      {"slipway_release_shadow_dropped_total", "counter", "copies not made under load", "shadow",
       "dropped"},
      {"slipway_release_keyless_total", "counter", "requests without the sticky key", NULL,
       "keyless"},
      {"slipway_release_unjudged_total", "counter",
       "requests sent to stable because the judge was behind", NULL, "unjudged"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    number_write(to, all, rows[i].family, rows[i].type, rows[i].help, rows[i].outer, rows[i].key);
  state_write(to, all);
  gates_write(to, all);
  arms_write(to, all);
  feedback_write(to, all);
  moves_write(to, view->release_moves);
}
