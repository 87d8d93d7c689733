/* history.c - who changed what: the ledger, read newest first.
 * Thread: desk; each desk has a read-only handle of its own, opened at the first question.
 * SPDX-License-Identifier: MIT */
#include "store/history.h"

#include "api/page.h"
#include "api/release/release_int.h"

enum { HISTORY_DEADLINE_US = 2000000 };

/* What people want to know of an event's facts; of a verdict that moved something its sentence, not
 * of one that a person passed over. Not the rest: plans and
 * evidence have routes of their own, hashes of keys are nobody's business. */
static void facts_set(json_t *tree, const struct event *event)
{
  static const char *const shown[] = {"state", "step",   "stable",  "person",   "role", "key",
                                      "scope", "weekly", "from_ms", "until_ms", "flag", "rehearse",
                                      "inspected", "memory_bytes", "memory_peak_bytes", "alias",
                                      "file", "hold",  "quotas"};
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
    struct slice value = event_fact(event, shown[i]);
    if (value.len) json_object_set_new(tree, shown[i], json_slice(value));
  }
  json_t *card = fact_json(event, "card");
  if (json_is_object(card)) json_object_set(tree, "card", card);
  json_decref(card);
  struct slice why = event_fact(event, "why");
  json_t *verdict = fact_json(event, "verdict"), *sentence = json_object_get(verdict, "sentence");
  if (sentence && !slice_eq(why, SLICE("person")) && !slice_eq(why, SLICE("approved")))
    json_object_set(tree, "why", sentence);
  else if (why.len)
    json_object_set_new(tree, "why", json_slice(why));
  json_decref(verdict);
}

static json_t *event_json(const struct event *event, const struct digest *hash)
{
  json_t *tree = json_object();
  json_object_set_new(tree, "seq", json_u64(event->seq));
  json_object_set_new(tree, "at", json_time(event->wall_ms));
  json_object_set_new(tree, "what", json_string(event_name(event->kind)));
  json_object_set_new(tree, "who", json_slice(event->actor));
  json_object_set_new(tree, "model", json_slice(event->model));
  if (event->version) json_object_set_new(tree, "version", json_integer(event->version));
  if (event->release) json_object_set_new(tree, "release", json_integer(event->release));
  if (event->engine.len) json_object_set_new(tree, "engine", json_slice(event->engine));
  if (event->note.len) json_object_set_new(tree, "note", json_slice(event->note));
  if (event->reason.len) json_object_set_new(tree, "reason", json_slice(event->reason));
  facts_set(tree, event);
  if (event->n_files) {
    json_t *files = json_array();
    for (uint32_t i = 0; i < event->n_files; i++)
      json_array_append_new(files, json_pack("{so,so,so}", "name", json_slice(event->files[i].name),
                                             "bytes", json_u64(event->files[i].bytes), "sha256",
                                             json_digest(&event->files[i].digest)));
    json_object_set_new(tree, "files", files);
  }
  json_object_set_new(tree, "hash", json_digest(hash));
  return tree;
}

static enum code event_met(void *page, const struct event *event, const struct digest *hash,
                           struct err *err)
{
  (void)err;
  page_events_add(page, event, event_json(event, hash));
  return OK;
}

enum desk_step model_history(struct ask *ask)
{
  struct page_events page;
  struct slice at;
  const struct model *model = ask_model(ask, 0);
  if (!model || !ask_query(ask, "at", &at)) return ask_fail(ask);
  if (at.at) return history_at(ask, at);
  struct history *history = ask_history(ask);
  if (!history || !page_events_begin(ask, HISTORY_DEADLINE_US, &page)) return ask_fail(ask);
  page.range.model = model->name;
  enum code code = history_read(history, &page.range, event_met, &page, &ask->err);
  return page_events_end(ask, &page, code, json_pack("{so}", "model", json_slice(model->name)));
}
