/* feedback.c - POST /api/v1/feedback: how predictions turned out, one or up to a thousand.
 * Thread: desk.
 *
 *   {"model":"fraud","request_id":"r-1","outcome":1,"at":"2026-01-31T18:00Z","weight":1}
 *   {"model":"fraud","items":[{"request_id":"r-1","outcome":"spam"}, ...]}
 *   [{"model":"fraud","request_id":"r-1","outcome":{"value":12.5,"label":"spam"}}, ...]
 *
 * or of a feature flag, about whoever was given a variant by lot:
 *   {"flag":"new-ranker","targetingKey":"u1","outcome":1}
 *
 * The number of an outcome is itself, 1 and 0 for true and false, or the member `value` of an
 * object; its label is a whole number, a text, or the member `label`. A text that is one of the
 * model's labels stands for that label's place, as it does in predictions.
 * All of a request is taken or nothing; 202 says that it is durable.
 * Source: release features, section 8.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/flag/desk_int.h"
#include "api/handlers_int.h"
#include "api/outcome/outcome_int.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

enum { TEXTS_MAX = 16 << 20, AHEAD_MS = 60000 };
static const double weight_max = 1e9;

/* One question on its way to the scribe. */
struct telling {
  struct letter_feedback letter;
  struct arena texts;
  bool single, bare; /* an item alone; a list without an object around it */
  struct feedback items[];
};

static void telling_free(void *state)
{
  struct telling *telling = state;
  arena_deinit(&telling->texts);
  ungrab(telling);
}

/* "outcome" becomes "items[3].outcome", as the question's form has it. */
static bool item_fail(struct ask *ask, const struct telling *telling, uint32_t i)
{
  if (!telling->single) fail_under(&ask->err, "%s[%u]", telling->bare ? "" : "items", i);
  return false;
}

static bool bad(struct ask *ask, enum code code, const char *key, const char *text)
{
  fail(&ask->err, code, "'%s' %s", key, text);
  fail_at(&ask->err, "%s", key);
  return false;
}

/* --- one item --------------------------------------------------------------------------------- */

static struct slice number_text(struct arena *arena, const json_t *number)
{
  char text[TEXT_NUMBER_MAX];
  double value = json_number_value(number);
  bool whole = json_is_integer(number) || (value == floor(value) && fabs(value) < 0x1p53);
  size_t n = json_is_integer(number) ? text_print_i64(text, json_integer_value(number))
             : whole                 ? text_print_i64(text, (int64_t)value)
                                     : text_print_f64(text, value);
  return arena_copy(arena, slice_of(text, n));
}

/* Equal outcomes have equal texts. */
static struct slice outcome_text(struct arena *arena, const json_t *outcome)
{
  if (json_is_number(outcome)) return number_text(arena, outcome);
  char *text = json_dumps(outcome, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
  struct slice kept = arena_copy(arena, slice_str(text));
  ungrab(text);
  return kept;
}

static int64_t text_label(const struct model *model, struct slice text)
{
  const struct contract *contract =
      model && model->stable ? &model->stable->contract : NULL; /* a flag has no model */
  for (uint32_t i = 0; contract && i < contract->n_outputs; i++)
    for (uint32_t k = 0; k < contract->outputs[i].n_labels; k++)
      if (slice_eq(contract->outputs[i].labels[k], text)) return k;
  return outcome_label(text);
}

static void outcome_number(const json_t *json, struct feedback *item)
{
  if (json_is_boolean(json)) item->value = json_is_true(json);
  if (json_is_number(json)) item->value = json_number_value(json);
}

static void outcome_name(const struct model *model, const json_t *json, struct feedback *item)
{
  double value = json_is_real(json) ? json_real_value(json) : NAN;
  if (json_is_integer(json)) item->label = json_integer_value(json);
  if (json_is_boolean(json)) item->label = json_is_true(json);
  if (value == floor(value) && fabs(value) < 0x1p53) item->label = (int64_t)value;
  if (json_is_string(json))
    item->label = text_label(model, slice_of(json_string_value(json), json_string_length(json)));
}

static bool outcome_read(struct ask *ask, struct telling *telling, const struct model *model,
                         const json_t *json, struct feedback *item)
{
  item->value = NAN;
  item->label = LABEL_NONE;
  if (!json) return bad(ask, E_INVALID_ARGUMENT, "outcome", "is missing");
  if (json_is_null(json) || json_is_array(json))
    return bad(ask, E_WRONG_TYPE, "outcome", "is no number, text, truth value or object");
  bool object = json_is_object(json);
  const json_t *value = object ? json_object_get(json, "value") : json;
  const json_t *label = object ? json_object_get(json, "label") : json;
  if (object && value && !json_is_number(value) && !json_is_boolean(value))
    return bad(ask, E_WRONG_TYPE, "outcome.value", "is not a number");
  outcome_number(value, item);
  outcome_name(model, label ? label : value, item);
  item->outcome = outcome_text(&telling->texts, json);
  if (item->outcome.at && item->outcome.len <= OUTCOME_TEXT_MAX) return true;
  fail(&ask->err, E_INVALID_ARGUMENT, "'outcome' is longer than %d bytes", OUTCOME_TEXT_MAX);
  fail_at(&ask->err, "outcome");
  return false;
}

static bool at_read(struct ask *ask, const json_t *json, int64_t now_ms, int64_t *at_ms)
{
  *at_ms = now_ms;
  if (!json) return true;
  if (json_is_string(json)) {
    if (!clock_read(slice_of(json_string_value(json), json_string_length(json)), at_ms))
      return bad(ask, E_INVALID_ARGUMENT, "at", "is no time like 2026-01-31T18:00:00Z");
  } else if (json_is_number(json)) {
    double seconds = json_number_value(json);
    if (!(seconds >= 0 && seconds < 1e11))
      return bad(ask, E_VALUE_OUT_OF_RANGE, "at", "is no Unix time in seconds");
    *at_ms = (int64_t)(seconds * 1000);
  } else {
    return bad(ask, E_WRONG_TYPE, "at", "is neither a time as text nor a Unix time in seconds");
  }
  if (*at_ms > now_ms + AHEAD_MS) return bad(ask, E_VALUE_OUT_OF_RANGE, "at", "lies in the future");
  return true;
}

static bool weight_read(struct ask *ask, const json_t *json, double *weight)
{
  *weight = 1;
  if (!json) return true;
  if (!json_is_number(json)) return bad(ask, E_WRONG_TYPE, "weight", "is not a number");
  *weight = json_number_value(json);
  if (*weight >= 0 && *weight <= weight_max) return true;
  return bad(ask, E_VALUE_OUT_OF_RANGE, "weight", "does not lie between 0 and 1000000000");
}

static const struct model *model_named(struct ask *ask, struct slice name)
{
  if (!name.len) {
    bad(ask, E_INVALID_ARGUMENT, "model", "is missing");
    return NULL;
  }
  const struct model *model = ask->tenant ? world_model(ask->world, ask->tenant, name) : NULL;
  if (model) return model;
  fail(&ask->err, E_MODEL_NOT_FOUND,
       "model '%.*s' is not known; 'slipway status' lists the models there are", SLICE_ARG(name));
  fail_at(&ask->err, "model");
  return NULL;
}

static const char *const item_members[] = {"model",  "request_id", "outcome",      "at",
                                           "weight", "flag",       "targetingKey", NULL};

/* Of a flag: the names that exposures have in the store (api/flag/exposure.c). */
static bool flag_item_read(struct ask *ask, struct telling *telling, const json_t *json,
                           struct slice flag, struct feedback *item)
{
  struct slice key = SLICE_NONE;
  if (json_object_get(json, "model") || json_object_get(json, "request_id"))
    return bad(ask, E_INVALID_ARGUMENT, "flag", "does not go together with a model's request");
  if (!member_str(ask, json, "targetingKey", ASK_MEMBER_MAX, &key)) return false;
  if (!key.len) return bad(ask, E_INVALID_ARGUMENT, "targetingKey", "is missing");
  const struct flags *flags = flag_set_of(ask);
  if (!flags) return false;
  if (!flags_find(flags, flag)) {
    fail(&ask->err, E_NOT_FOUND, "there is no flag '%.*s'", SLICE_ARG(flag));
    fail_at(&ask->err, "flag");
    return false;
  }
  item->model = exposure_model(&telling->texts, flag);
  item->id = exposure_id(&telling->texts, key);
  if (item->model.at && item->id.at) return true;
  return bad(ask, E_OUT_OF_MEMORY, "flag", "takes too much memory with all the others");
}

static bool item_name(struct ask *ask, struct telling *telling, struct slice model_name,
                      const json_t *json, const struct model **model, struct feedback *item)
{
  struct slice flag = SLICE_NONE;
  *model = NULL;
  if (!member_str(ask, json, "flag", ASK_MEMBER_MAX, &flag)) return false;
  if (flag.at) return flag_item_read(ask, telling, json, flag, item);
  if (!member_str(ask, json, "model", ASK_MEMBER_MAX, &model_name) ||
      !member_str(ask, json, "request_id", PREDICTION_ID_MAX, &item->id))
    return false;
  if (!item->id.len) return bad(ask, E_INVALID_ARGUMENT, "request_id", "is missing");
  item->model = model_name; /* the body's: a world's own may be gone when the letter is home */
  *model = model_named(ask, model_name);
  return *model != NULL;
}

static bool item_read(struct ask *ask, struct telling *telling, struct slice model_name,
                      const json_t *json, struct feedback *item)
{
  if (!json_is_object(json)) {
    fail(&ask->err, E_WRONG_TYPE, "an item is not a JSON object");
    ask->err.field[0] = 0;
    return false;
  }
  const struct model *model;
  if (!members_known(ask, json, item_members,
                     "feedback; there are model, request_id, outcome, at, weight, and for a flag: "
                     "flag, targetingKey") ||
      !item_name(ask, telling, model_name, json, &model, item) ||
      !outcome_read(ask, telling, model, json_object_get(json, "outcome"), item) ||
      !at_read(ask, json_object_get(json, "at"), telling->letter.now_ms, &item->at_ms) ||
      !weight_read(ask, json_object_get(json, "weight"), &item->weight))
    return false;
  return true;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int by_request(const void *a, const void *b)
{
  const struct feedback *x = *(const struct feedback *const *)a;
  const struct feedback *y = *(const struct feedback *const *)b;
  int order = slice_order(x->id, y->id);
  if (!order) order = slice_order(x->model, y->model);
  return order ? order : x < y ? -1 : 1;
}

static bool all_differ(struct ask *ask, const struct telling *telling)
{
  uint32_t n = telling->letter.n_items;
  const struct feedback **sorted = arena_zero(&ask->arena, n, sizeof *sorted);
  must(sorted);
  for (uint32_t i = 0; i < n; i++) sorted[i] = &telling->items[i];
  qsort(sorted, n, sizeof *sorted, by_request);
  for (uint32_t i = 1; i < n; i++) {
    if (!slice_eq(sorted[i]->id, sorted[i - 1]->id) ||
        !slice_eq(sorted[i]->model, sorted[i - 1]->model))
      continue;
    fail(&ask->err, E_INVALID_ARGUMENT, "the outcome of '%.*s' is told twice, by item %u, too",
         SLICE_ARG(sorted[i]->id), (uint32_t)(sorted[i - 1] - telling->items));
    fail_at(&ask->err, "request_id");
    return item_fail(ask, telling, (uint32_t)(sorted[i] - telling->items));
  }
  return true;
}

/* The items of the body, whatever its form; NULL with ask->err. */
static const json_t *items_of(struct ask *ask, struct slice *model)
{
  ask->body = json_parse(ask->letter->body, &ask->err);
  if (!ask->body) return NULL;
  const json_t *items = ask->body;
  if (json_is_object(items) && !json_object_get(items, "items")) return items;
  if (json_is_object(items)) {
    if (!ask_members(ask, "model", "items", NULL) ||
        !member_str(ask, items, "model", ASK_MEMBER_MAX, model))
      return NULL;
    items = json_object_get(items, "items");
  }
  if (!json_is_array(items)) {
    fail(&ask->err, E_WRONG_TYPE, "feedback is an object, or a list of such");
    fail_at(&ask->err, items == ask->body ? "" : "items");
    return NULL;
  }
  if (json_array_size(items) >= 1 && json_array_size(items) <= FEEDBACK_MAX) return items;
  fail(&ask->err, E_INVALID_ARGUMENT, "a batch has 1 to %d items, this one has %zu", FEEDBACK_MAX,
       json_array_size(items));
  fail_at(&ask->err, items == ask->body ? "" : "items");
  return NULL;
}

static struct telling *telling_read(struct ask *ask)
{
  struct slice model = SLICE_NONE;
  const json_t *items = items_of(ask, &model);
  if (!items) return NULL;
  bool single = json_is_object(items);
  uint32_t n = single ? 1 : (uint32_t)json_array_size(items);
  struct telling *telling = grab_zero(1, sizeof *telling + n * sizeof *telling->items);
  ask->state = telling;
  ask->state_free = telling_free;
  arena_init(&telling->texts, TEXTS_MAX, NULL);
  telling->single = single;
  telling->bare = items == ask->body;
  telling->letter = (struct letter_feedback){.mail.kind = LETTER_FEEDBACK,
                                             .home = &ask->desk->box,
                                             .tenant = ask->letter->tenant,
                                             .items = telling->items,
                                             .n_items = n,
                                             .now_ms = clock_wall_ms(),
                                             .desk_state = ask};
  for (uint32_t i = 0; i < n; i++) {
    const json_t *item = single ? items : json_array_get(items, i);
    if (item_read(ask, telling, model, item, &telling->items[i])) continue;
    item_fail(ask, telling, i);
    return NULL;
  }
  return all_differ(ask, telling) ? telling : NULL;
}

/* --- the question ----------------------------------------------------------------------------- */

enum desk_step feedback_home(struct ask *ask)
{
  struct telling *telling = ask->state;
  uint32_t counts[FEEDBACK_STATES] = {0};
  if (telling->letter.err.code != OK) {
    ask->err = telling->letter.err;
    if (ask->err.code == E_VALUE_OUT_OF_RANGE) {
      fail_at(&ask->err, "at");
      item_fail(ask, telling, telling->letter.bad);
    }
    return ask_fail(ask);
  }
  json_t *items = json_array();
  for (uint32_t i = 0; i < telling->letter.n_items; i++) {
    const struct feedback *item = &telling->items[i];
    counts[item->state]++;
    json_array_append_new(
        items, json_pack("{so,so,ss}", "model", json_slice(item->model), "request_id",
                         json_slice(item->id), "state", feedback_state_name(item->state)));
  }
  json_t *answer = json_pack("{so}", "items", items);
  for (uint32_t i = 0; i < FEEDBACK_STATES; i++)
    json_object_set_new(answer, feedback_state_name((enum feedback_state)i),
                        json_integer(counts[i]));
  return ask_json(ask, 202, answer);
}

enum desk_step feedback_tell(struct ask *ask)
{
  struct telling *telling = telling_read(ask);
  if (!telling) return ask_fail(ask);
  ask->letters_out++;
  mail_send(ask->desk->post->scribe, &telling->letter.mail);
  return DESK_LATER;
}
