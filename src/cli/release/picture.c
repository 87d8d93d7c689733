/* picture.c - drawing a release with letters.
 * Thread: main (own).
 * Evidence is drawn as a bar towards its threshold: full on the harm side means rolled back, full
 * on the pass side means the gate lets the step go on.
 * SPDX-License-Identifier: MIT */
#include "cli/release/picture.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/out.h"
#include "judge/step.h"

enum { BAR_CELLS = 10, EXIT_GATE = 8 };

/* ---- small things ---- */

static double number(const json_t *object, const char *key)
{
  return json_number_value(json_object_get(object, key));
}

static bool is_state(const json_t *release, const char *state)
{
  return strcmp(get_str(release, "state"), state) == 0;
}

/* "5 %", "0.25 %": a share of 1. */
static const char *percent(double share, char to[OUT_NUMBER_MAX])
{
  snprintf(to, OUT_NUMBER_MAX, "%.4g %%", 100 * share);
  return to;
}

const char *picture_bar(const json_t *have, const json_t *want, char to[PICTURE_BAR_MAX])
{
  double part = json_is_number(have) && json_number_value(want) > 0
                    ? json_number_value(have) / json_number_value(want)
                    : 0;
  int cells = part <= 0 ? 0 : part >= 1 ? BAR_CELLS : (int)(part * BAR_CELLS);
  to[0] = '[';
  for (int i = 0; i < BAR_CELLS; i++) to[1 + i] = i < cells ? '#' : '.';
  memcpy(to + 1 + BAR_CELLS, "]", 2);
  return to;
}

bool picture_is_over(const json_t *release, int *rc)
{
  const struct state_facts *facts = state_facts_named(slice_str(get_str(release, "state")));
  *rc = facts && facts->charge == CHARGE_STABLE ? EXIT_GATE : 0;
  return facts && facts->charge != CHARGE_AS_IT_WAS;
}

/* ---- steps ---- */

/* A step of the canonical plan is a map with one key, its kind. */
static const char *step_kind(json_t *step, const json_t **body)
{
  void *at = json_object_iter(step);
  *body = at ? json_object_iter_value(at) : NULL;
  return at ? json_object_iter_key(at) : "";
}

static void words_add(char *to, size_t cap, const char *fmt, ...) PRINTF(3, 4);
static void words_add(char *to, size_t cap, const char *fmt, ...)
{
  size_t len = strlen(to);
  va_list args;
  va_start(args, fmt);
  if (len < cap) vsnprintf(to + len, cap - len, fmt, args);
  va_end(args);
}

static void value_add(char *to, size_t cap, const char *before, const json_t *value,
                      const char *behind)
{
  if (json_is_string(value))
    words_add(to, cap, "%s%s%s", before, json_string_value(value), behind);
  else if (json_is_integer(value) && json_integer_value(value))
    words_add(to, cap, "%s%lld%s", before, (long long)json_integer_value(value), behind);
}

/* What the running step still needs, as the judge counts it; what nobody asked for is left out. */
static void needs_add(char *to, size_t cap, const json_t *verdict)
{
  size_t i;
  const json_t *need;
  const char *comma = ": ";
  char a[OUT_NUMBER_MAX], b[OUT_NUMBER_MAX];
  json_array_foreach(json_object_get(verdict, "needs"), i, need)
  {
    const char *what = get_str(need, "what");
    double have = number(need, "have"), want = number(need, "want");
    if (want <= 0) continue;
    if (strcmp(what, "milliseconds") == 0)
      words_add(to, cap, "%s%s of %s", comma, out_seconds((uint64_t)(have / 1000), a),
                out_seconds((uint64_t)(want / 1000), b));
    else
      words_add(to, cap, "%s%.0f of %.0f %s", comma, have, want, what);
    comma = ", ";
  }
}

/* What must hold before a step is left. */
static void until_write(char *to, size_t cap, const json_t *body)
{
  uint64_t yes = get_u64(json_object_get(body, "approve"), "count");
  to[0] = '\0';
  value_add(to, cap, "", json_object_get(body, "for"), "");
  value_add(to, cap, ", ", json_object_get(body, "requests_min"), " requests");
  value_add(to, cap, ", ", json_object_get(body, "users_min"), " users");
  if (yes) words_add(to, cap, ", %llu %s", (unsigned long long)yes, yes == 1 ? "person" : "people");
}

struct course {
  uint64_t now;
  bool won, lost;
};

static const char *place_of(const struct course *course, uint64_t step)
{
  if (step < course->now || course->won) return "done";
  if (course->lost) return step == course->now ? "lost" : "-";
  return step == course->now ? "now" : "then";
}

static void steps_print(const json_t *release)
{
  static const char *const heads[] = {"", "STEP", ">TRAFFIC", "UNTIL", NULL};
  json_t *plan = json_object_get(release, "plan"), *steps = json_object_get(plan, "steps"), *step;
  struct course course = {.now = get_u64(release, "step")};
  struct table table;
  char until[256] = "";
  size_t i;
  int rc;
  if (!json_array_size(steps)) return;
  if (picture_is_over(release, &rc)) course.won = rc == 0, course.lost = rc != 0;
  table_init(&table, heads);
  json_array_foreach(steps, i, step)
  {
    const json_t *body;
    const char *kind = step_kind(step, &body);
    const json_t *share = json_object_get(body, "traffic");
    if (strcmp(kind, "ab") == 0) /* shares are the arms' */
      share = json_object_get(
          json_array_get(json_object_get(json_object_get(plan, "ab"), "arms"), 0), "traffic");
    const json_t *held = json_object_get(body, "holdback");
    until_write(until, sizeof until, body);
    if (!course.won && !course.lost && i == course.now)
      needs_add(until, sizeof until, json_object_get(release, "verdict"));
    table_add(&table, "%s", place_of(&course, i));
    table_add(&table, "%s", kind);
    if (held)
      table_add(&table, "all but %s", json_string_value(held));
    else if (strcmp(kind, "ab") == 0 && json_array_size(json_object_get(release, "arms")) > 2)
      table_add(&table, "%zu arms", json_array_size(json_object_get(release, "arms")));
    else
      table_add_json(&table, share);
    table_add(&table, "%s", until[0] ? until : "-");
  }
  until[0] = '\0';
  value_add(until, sizeof until, "the one before is kept warm ",
            json_object_get(plan, "keep_previous_warm"), "");
  table_add(&table, "%s", place_of(&course, i));
  table_add(&table, "full");
  table_add(&table, "100%%");
  table_add(&table, "%s", until[0] ? until : "-");
  table_print(&table);
  table_deinit(&table);
}

/* ---- gates ---- */

static void side_add(struct table *table, const json_t *log_e, const json_t *bar)
{
  char cells[PICTURE_BAR_MAX];
  if (json_is_number(log_e) && json_is_number(bar))
    table_add(table, "%s %.1f of %.1f", picture_bar(log_e, bar, cells), json_number_value(log_e),
              json_number_value(bar));
  else
    table_add(table, "-");
}

/* Why it has no data; else how soon it decides and what it lacks. */
static void lacks_add(struct table *table, const json_t *gate)
{
  char text[OUT_NUMBER_MAX];
  const json_t *soon = json_object_get(gate, "decides_in_s");
  if (get_str(gate, "reason")[0])
    table_add(table, "%s", get_str(gate, "reason"));
  else if (strcmp(get_str(gate, "state"), "inconclusive") != 0)
    table_add(table, "-");
  else if (json_is_number(soon) && json_number_value(soon) < 1e9)
    table_add(table, "about %s more", out_seconds((uint64_t)json_number_value(soon) + 1, text));
  else
    table_add(table, "%s", get_str(gate, "missing")[0] ? get_str(gate, "missing") : "-");
}

static void gate_add(struct table *table, const json_t *gate, bool runs)
{
  const json_t *pass = json_object_get(gate, "pass");
  table_add_json(table, json_object_get(gate, "gate"));
  if (json_is_true(json_object_get(gate, "closed")))
    table_add(table, "%s, out", get_str(gate, "state"));
  else
    table_add_json(table, json_object_get(gate, "state"));
  side_add(table, json_object_get(gate, "log_e"), json_object_get(gate, "bar"));
  side_add(table, json_object_get(pass, "log_e"), json_object_get(pass, "bar"));
  table_add(table, "%s", get_str(gate, "text")[0] ? get_str(gate, "text") : "-");
  if (runs)
    lacks_add(table, gate);
  else
    table_add(table, "%s", get_str(gate, "reason")[0] ? get_str(gate, "reason") : "-");
}

void picture_gates(const json_t *verdict, bool runs)
{
  static const char *const heads[] = {"GATE", "STATE", "HARM", "PASS", "EFFECT", "LACKS", NULL};
  struct table table;
  size_t i, k, shown = 0;
  json_t *gate, *own;
  table_init(&table, heads);
  json_array_foreach(json_object_get(verdict, "gates"), i, gate)
  {
    const json_t *arms = json_object_get(gate, "arms");
    if (strcmp(get_str(gate, "state"), "idle") == 0) continue;
    json_array_foreach(arms, k, own) gate_add(&table, own, runs);
    if (!json_array_size(arms)) gate_add(&table, gate, runs);
    shown++;
  }
  if (shown) table_print(&table);
  table_deinit(&table);
}

/* ---- the whole ---- */

static void head_print(const json_t *release)
{
  char share[OUT_NUMBER_MAX], since[OUT_NUMBER_MAX];
  const json_t *arms = json_object_get(release, "arms");
  const char *why = get_str(release, "why");
  double weight = number(release, "weight"), copied = number(release, "copied");
  bool several = !get_str(release, "chosen")[0] && json_array_size(arms) > 2;
  printf("release %llu: %sversion%s %llu", (unsigned long long)get_u64(release, "release"),
         json_is_true(json_object_get(release, "rehearsal")) ? "a rehearsal, a sick copy of " : "",
         several ? "s" : "", (unsigned long long)get_u64(release, "version"));
  for (size_t i = 2; several && i < json_array_size(arms); i++)
    printf("%s %llu", i + 1 < json_array_size(arms) ? "," : " and",
           (unsigned long long)get_u64(json_array_get(arms, i), "version"));
  printf(" against %llu, %s, ", (unsigned long long)get_u64(release, "stable"),
         get_str(release, "strategy"));
  out_state(get_str(release, "state"));
  printf(" for %s", out_seconds((uint64_t)number(release, "state_s"), since));
  if (why[0] && strcmp(why, "begun") != 0) printf(" (%s)", why);
  printf("; candidate%s answer%s %s", json_array_size(arms) > 2 ? "s" : "",
         json_array_size(arms) > 2 ? "" : "s", percent(weight, share));
  if (copied > 0) printf(", copies of %s", percent(copied, share));
  if (json_is_true(json_object_get(release, "frozen"))) printf("; frozen: nothing advances");
  if (json_is_true(json_object_get(release, "held_off"))) printf("; held off until it is warm");
  putchar('\n');
}

/* What is known of an arm's metric beside stable's. */
static void apart_add(struct table *table, const json_t *verdict, const char *arm)
{
  const json_t *apart;
  size_t i;
  json_array_foreach(json_object_get(verdict, "metric_differences"), i, apart)
  {
    if (strcmp(get_str(apart, "arm"), arm) != 0) continue;
    table_add(table, "%+.3g [%+.3g, %+.3g]", number(apart, "value"), number(apart, "lower"),
              number(apart, "upper"));
    return;
  }
  table_add(table, "-");
}

static const char *arm_state(const json_t *release, const json_t *arm)
{
  const char *name = get_str(arm, "arm"), *chosen = get_str(release, "chosen");
  if (json_is_true(json_object_get(arm, "closed"))) return "out";
  if (chosen[0] && strcmp(chosen, name) == 0) return "chosen";
  const char *winner = get_str(json_object_get(release, "verdict"), "winner");
  return strcmp(winner, name) == 0 ? "has won" : "-";
}

/* Where there are several candidates: who is who, what each answers, and how it does. */
static void arms_print(const json_t *release)
{
  static const char *const heads[] = {"ARM",       ">VERSION", ">TRAFFIC",      "STATE",
                                      ">REQUESTS", "CALLED",   "BESIDE STABLE", NULL};
  const json_t *arms = json_object_get(release, "arms"), *arm;
  char share[OUT_NUMBER_MAX];
  struct table table;
  size_t i;
  if (json_array_size(arms) < 3) return;
  table_init(&table, heads);
  json_array_foreach(arms, i, arm)
  {
    table_add_json(&table, json_object_get(arm, "arm"));
    table_add(&table, "%llu", (unsigned long long)get_u64(arm, "version"));
    table_add(&table, "%s", percent(number(arm, "weight"), share));
    table_add(&table, "%s", arm_state(release, arm));
    table_add(&table, "%llu", (unsigned long long)get_u64(arm, "requests"));
    table_add_json(&table, json_object_get(arm, "name"));
    apart_add(&table, json_object_get(release, "verdict"), get_str(arm, "arm"));
  }
  table_print(&table);
  table_deinit(&table);
  putchar('\n');
}

static void label_print(const json_t *label)
{
  if (json_is_string(label))
    out_text(slice_of(json_string_value(label), json_string_length(label)));
  else
    printf("(others)");
}

/* Which label became which how often, most first as far as a few lines go; then the worst pairs. */
static void pairs_print(const json_t *shadow)
{
  enum { FLIPS_SHOWN = 5, WORST_SHOWN = 3 };
  json_t *flips = json_object_get(shadow, "flips"), *flip, *pair;
  size_t i, shown = 0;
  uint64_t before = UINT64_MAX;
  while (shown < FLIPS_SHOWN && before) {
    uint64_t most = 0; /* the largest below the one before: rows are few */
    json_array_foreach(flips, i, flip)
    {
      uint64_t n = get_u64(flip, "pairs");
      if (n < before && n > most) most = n;
    }
    json_array_foreach(flips, i, flip)
    {
      if (!most || get_u64(flip, "pairs") != most || shown++ >= FLIPS_SHOWN) continue;
      printf("  %6llu times ", (unsigned long long)most);
      label_print(json_object_get(flip, "stable"));
      printf(" -> ");
      label_print(json_object_get(flip, "candidate"));
      putchar('\n');
    }
    before = most;
  }
  json_array_foreach(json_object_get(shadow, "worst"), i, pair)
  {
    if (i == WORST_SHOWN) break;
    printf("  worst: request ");
    out_text(slice_str(get_str(pair, "request_id")));
    printf(", %.2g apart: ", number(pair, "apart"));
    out_text(slice_str(get_str(pair, "answers")));
    putchar('\n');
  }
}

static void shadow_print(const json_t *release)
{
  const json_t *shadow = json_object_get(release, "shadow");
  uint64_t pairs = get_u64(shadow, "pairs"), apart = get_u64(shadow, "disagreements");
  char share[OUT_NUMBER_MAX];
  if (!pairs) return;
  printf("shadow: %llu pairs compared, %llu differ (%s); %llu copies dropped, %llu failed\n",
         (unsigned long long)pairs, (unsigned long long)apart,
         percent((double)apart / (double)pairs, share),
         (unsigned long long)get_u64(shadow, "dropped"),
         (unsigned long long)get_u64(shadow, "errors"));
  pairs_print(shadow);
}

static void feedback_print(const json_t *release)
{
  const json_t *feedback = json_object_get(release, "feedback"), *arm;
  char age[OUT_NUMBER_MAX], share[OUT_NUMBER_MAX];
  size_t i;
  if (!json_is_object(feedback)) return;
  printf("outcomes (");
  out_text(slice_str(get_str(feedback, "metric")));
  printf(", %s after the answer):", out_seconds((uint64_t)number(feedback, "maturity_s"), age));
  json_array_foreach(json_object_get(feedback, "arms"), i, arm)
  {
    uint64_t units = get_u64(arm, "units"), late = get_u64(arm, "late");
    printf("%s %s", i ? ";" : "", get_str(arm, "name"));
    if (units)
      printf(" %.4g over %llu, %s of requests have one", number(arm, "mean"),
             (unsigned long long)units, percent(number(arm, "share"), share));
    else
      printf(late ? " none in time" : " none yet");
    if (late) printf(", %llu came later than that", (unsigned long long)late);
  }
  putchar('\n');
}

void picture_next(const json_t *release)
{
  const char *model = get_str(release, "model");
  const json_t *approvals = json_object_get(release, "approvals");
  size_t have = json_array_size(json_object_get(approvals, "have"));
  uint64_t want = get_u64(approvals, "want");
  if (want > have && !is_state(release, "running"))
    printf("waits for %llu more %s: slipway approve %s\n", (unsigned long long)(want - have),
           want - have == 1 ? "yes" : "people", model);
  else if (is_state(release, "paused"))
    printf("go on with: slipway resume %s; or end it: slipway abort %s\n", model, model);
  else if (is_state(release, "completed"))
    printf("the version before is kept warm; go back with: slipway rollback %s\n", model);
}

void picture_print(const json_t *release)
{
  const json_t *verdict = json_object_get(release, "verdict"), *warning;
  size_t i;
  int rc;
  head_print(release);
  bool over = picture_is_over(release, &rc);
  if (get_str(verdict, "sentence")[0]) {
    if (over && strcmp(get_str(release, "why"), "gate") != 0) printf("the last verdict: ");
    out_text(slice_str(get_str(verdict, "sentence")));
    putchar('\n');
  }
  const char *lacks = get_str(json_object_get(verdict, "winner_lacks"), "text");
  if (!over && lacks[0]) puts(lacks);
  if (over && json_is_number(json_object_get(verdict, "harmed")))
    printf("harmed: about %.0f answers of the %llu its budget allowed\n", number(verdict, "harmed"),
           (unsigned long long)get_u64(verdict, "harm_budget"));
  json_array_foreach(json_object_get(release, "warnings"), i, warning)
  {
    printf("warning: ");
    out_text(slice_str(json_string_value(warning)));
    putchar('\n');
  }
  putchar('\n');
  arms_print(release);
  steps_print(release);
  shadow_print(release);
  feedback_print(release);
  if (json_array_size(json_object_get(verdict, "gates"))) {
    putchar('\n');
    picture_gates(verdict, !over);
  }
  picture_next(release);
}

void picture_line(const json_t *release, char to[PICTURE_LINE_MAX])
{
  const json_t *verdict = json_object_get(release, "verdict"), *gate;
  char share[OUT_NUMBER_MAX], bar[PICTURE_BAR_MAX];
  uint64_t step = get_u64(release, "step"), steps = get_u64(release, "steps");
  size_t i;
  to[0] = '\0';
  words_add(to, PICTURE_LINE_MAX, "%s", get_str(release, "state"));
  if (step < steps)
    words_add(to, PICTURE_LINE_MAX, " step %llu of %llu", (unsigned long long)step + 1,
              (unsigned long long)steps);
  words_add(to, PICTURE_LINE_MAX, ", %s", percent(number(release, "weight"), share));
  json_array_foreach(json_object_get(verdict, "gates"), i, gate)
  {
    const char *state = get_str(gate, "state");
    const json_t *pass = json_object_get(gate, "pass");
    const json_t *have = json_object_get(pass, "log_e"), *want = json_object_get(pass, "bar");
    if (strcmp(state, "idle") == 0) continue;
    if (strcmp(state, "inconclusive") == 0 && json_is_number(have) && json_is_number(want))
      words_add(to, PICTURE_LINE_MAX, "  %s %s", get_str(gate, "gate"),
                picture_bar(have, want, bar));
    else if (strcmp(state, "inconclusive") != 0)
      words_add(to, PICTURE_LINE_MAX, "  %s %s", get_str(gate, "gate"),
                strcmp(state, "non_inferior") == 0 ? "ok" : state);
  }
}
