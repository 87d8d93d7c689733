/* codec.c - writing events in one canonical way, and reading what was written, damaged or not.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "store/codec.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

/* --- checking --------------------------------------------------------------------------------- */

/* Names are unique and in order, so that one event has one text. */
static enum code facts_check(const struct event *event, struct err *err)
{
  size_t bytes = 0;
  if (event->n_facts > EVENT_FACTS_MAX)
    return fail(err, E_INVALID_ARGUMENT, "an event has at most %d facts, got %u", EVENT_FACTS_MAX,
                event->n_facts);
  for (uint32_t i = 0; i < event->n_facts; i++) {
    const struct event_fact *fact = &event->facts[i];
    if (event_text_check("a fact's name", fact->name, EVENT_FACT_NAME_MAX, err) ||
        event_text_check("a fact", fact->value, EVENT_FACT_MAX, err))
      return err->code;
    if (!fact->name.len || (i && slice_order(event->facts[i - 1].name, fact->name) >= 0))
      return fail(err, E_INVALID_ARGUMENT, "facts go by their names, each once");
    bytes += fact->value.len;
  }
  if (bytes > EVENT_FACT_MAX)
    return fail(err, E_INVALID_ARGUMENT, "an event's facts have %zu bytes; at most %d are kept",
                bytes, EVENT_FACT_MAX);
  return OK;
}

enum code event_check(const struct event *event, struct err *err)
{
  if (event->kind <= EVENT_NONE || event->kind >= EVENT_KINDS)
    return fail(err, E_INVALID_ARGUMENT, "there is no event of kind %d", (int)event->kind);
  if (event->code >= CODE_COUNT)
    return fail(err, E_INVALID_ARGUMENT, "there is no error code %d", (int)event->code);
  if (event->n_files > EVENT_FILES_MAX)
    return fail(err, E_INVALID_ARGUMENT, "a version has at most %d files, got %u", EVENT_FILES_MAX,
                event->n_files);
  const struct {
    const char *what;
    struct slice text;
    size_t max;
  } texts[] = {{"the actor", event->actor, EVENT_TEXT_MAX},
               {"the tenant", event->tenant, EVENT_TEXT_MAX},
               {"the model", event->model, EVENT_TEXT_MAX},
               {"the engine", event->engine, EVENT_TEXT_MAX},
               {"the note", event->note, NOTE_MAX},
               {"the reason", event->reason, REASON_MAX},
               {"the idempotency key", event->idempotency, EVENT_TEXT_MAX},
               {"the request's hash", event->request, EVENT_REQUEST_LEN}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (event_text_check(texts[i].what, texts[i].text, texts[i].max, err)) return err->code;
  for (uint32_t i = 0; i < event->n_files; i++)
    if (event_text_check("a file's name", event->files[i].name, EVENT_FILE_NAME_MAX, err))
      return err->code;
  return facts_check(event, err);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void member_start(struct buf *buf, const char *name)
{
  if (buf->len && buf->at[buf->len - 1] != '{') buf_add(buf, SLICE(","));
  buf_print(buf, "\"%s\":", name);
}

static void member_text(struct buf *buf, const char *name, struct slice text)
{
  if (!text.len) return;
  member_start(buf, name);
  buf_json(buf, text);
}

static void facts_write(struct buf *buf, const struct event *event)
{
  if (!event->n_facts) return;
  member_start(buf, "facts");
  for (uint32_t i = 0; i < event->n_facts; i++) {
    buf_add(buf, i ? SLICE(",") : SLICE("{"));
    buf_json(buf, event->facts[i].name);
    buf_add(buf, SLICE(":"));
    buf_json(buf, event->facts[i].value);
  }
  buf_add(buf, SLICE("}"));
}

void event_body_write(struct buf *buf, const struct event *event)
{
  buf_add(buf, SLICE("{"));
  if (event->code) member_text(buf, "code", slice_str(code_name(event->code)));
  member_text(buf, "engine", event->engine);
  facts_write(buf, event);
  if (event->n_files) {
    member_start(buf, "files");
    for (uint32_t i = 0; i < event->n_files; i++) {
      char hex[SHA256_HEX_LEN + 1];
      digest_hex(&event->files[i].digest, hex);
      buf_print(buf, "%s{\"bytes\":%" PRIu64 ",\"digest\":\"%s\",\"name\":", i ? "," : "[",
                event->files[i].bytes, hex);
      buf_json(buf, event->files[i].name);
      buf_add(buf, SLICE("}"));
    }
    buf_add(buf, SLICE("]"));
  }
  member_text(buf, "note", event->note);
  member_text(buf, "reason", event->reason);
  if (event->release) {
    member_start(buf, "release");
    buf_print(buf, "%" PRIu32, event->release);
  }
  member_text(buf, "request", event->request);
  if (event->version) {
    member_start(buf, "version");
    buf_print(buf, "%" PRIu32, event->version);
  }
  buf_add(buf, SLICE("}"));
}

void event_line_write(struct buf *buf, const struct event *event, int encoding, struct slice body)
{
  buf_add(buf, SLICE("{\"actor\":"));
  buf_json(buf, event->actor);
  buf_add(buf, SLICE(",\"body\":"));
  buf_add(buf, body);
  buf_print(buf, ",\"encoding\":%d,\"idempotency\":", encoding);
  buf_json(buf, event->idempotency);
  buf_print(buf, ",\"kind\":\"%s\",\"model\":", event_name(event->kind));
  buf_json(buf, event->model);
  buf_print(buf, ",\"seq\":%" PRIu64 ",\"tenant\":", event->seq);
  buf_json(buf, event->tenant);
  buf_print(buf, ",\"wall_ms\":%" PRId64 "}", event->wall_ms);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The walk over one JSON object: what is asked for is taken, and at the end nothing may be left. */
struct reading {
  json_t *object;
  struct arena *arena;
  struct err *err;
  size_t taken;
  const char *what;
};

static json_t *take(struct reading *reading, const char *name, json_type type)
{
  json_t *value = json_object_get(reading->object, name);
  if (!value || reading->err->code) return NULL;
  reading->taken++;
  if (json_typeof(value) == type) return value;
  fail(reading->err, E_BAD_JSON, "%s: \"%s\" has the wrong type", reading->what, name);
  return NULL;
}

static struct slice take_text(struct reading *reading, const char *name)
{
  json_t *value = take(reading, name, JSON_STRING);
  if (!value || !json_string_length(value)) return SLICE_NONE;
  struct slice text =
      arena_copy(reading->arena, slice_of(json_string_value(value), json_string_length(value)));
  if (!text.at) fail(reading->err, E_OUT_OF_MEMORY, "%s is too large", reading->what);
  return text;
}

static int64_t take_number(struct reading *reading, const char *name, int64_t max)
{
  json_t *value = take(reading, name, JSON_INTEGER);
  if (!value) return 0;
  int64_t number = json_integer_value(value);
  if (number >= 0 && number <= max) return number;
  fail(reading->err, E_BAD_JSON, "%s: \"%s\" is out of range", reading->what, name);
  return 0;
}

static enum code take_end(struct reading *reading)
{
  if (!reading->err->code && reading->taken != json_object_size(reading->object))
    fail(reading->err, E_BAD_JSON, "%s has a member this slipway does not know", reading->what);
  return reading->err->code;
}

static void files_read(struct reading *body, struct event *event)
{
  json_t *list = take(body, "files", JSON_ARRAY);
  if (!list) return;
  size_t n = json_array_size(list);
  struct event_file *files = NULL;
  if (n == 0 || n > EVENT_FILES_MAX)
    fail(body->err, E_BAD_JSON, "%s: %zu files", body->what, n);
  else if (!(files = arena_zero(body->arena, n, sizeof *files)))
    fail(body->err, E_OUT_OF_MEMORY, "%s is too large", body->what);
  for (size_t i = 0; i < n && !body->err->code; i++) {
    struct reading file = {json_array_get(list, i), body->arena, body->err, 0, "an event's file"};
    if (!json_is_object(file.object)) {
      fail(body->err, E_BAD_JSON, "%s is no object", file.what);
      return;
    }
    files[i].bytes = (uint64_t)take_number(&file, "bytes", INT64_MAX);
    files[i].name = take_text(&file, "name");
    struct slice hex = take_text(&file, "digest");
    if (!body->err->code && !digest_from_hex(hex, &files[i].digest))
      fail(body->err, E_BAD_JSON, "%s: \"digest\" is not a SHA-256", file.what);
    if (take_end(&file)) return;
  }
  event->files = files;
  event->n_files = (uint32_t)n;
}

static int fact_compare(const void *a, const void *b)
{
  return slice_order(((const struct event_fact *)a)->name, ((const struct event_fact *)b)->name);
}

static void facts_read(struct reading *body, struct event *event)
{
  json_t *object = take(body, "facts", JSON_OBJECT), *value;
  if (!object) return;
  size_t n = json_object_size(object);
  struct event_fact *facts = NULL;
  struct reading fact = {object, body->arena, body->err, 0, "an event's facts"};
  const char *name;
  if (n == 0 || n > EVENT_FACTS_MAX)
    fail(body->err, E_BAD_JSON, "%s: %zu of them", fact.what, n);
  else if (!(facts = arena_zero(body->arena, n, sizeof *facts)))
    fail(body->err, E_OUT_OF_MEMORY, "%s are too large", fact.what);
  if (body->err->code) return;
  json_object_foreach(object, name, value)
  {
    struct event_fact *to = &facts[event->n_facts++];
    to->value = take_text(&fact, name);
    to->name = arena_copy(body->arena, slice_str(name));
    if (!to->name.at && !body->err->code) fail(body->err, E_BAD_JSON, "%s: no name", fact.what);
    if (body->err->code) return;
  }
  qsort(facts, n, sizeof *facts, fact_compare);
  event->facts = facts;
}

static enum code body_walk(struct arena *arena, int encoding, json_t *object, struct event *event,
                           struct err *err)
{
  struct reading body = {object, arena, err, 0, "an event's body"};
  if (encoding != EVENT_ENCODING)
    return fail(err, E_BAD_JSON, "an event has encoding %d; this slipway reads %d", encoding,
                EVENT_ENCODING);
  if (!json_is_object(object)) return fail(err, E_BAD_JSON, "%s is no object", body.what);
  struct slice code = take_text(&body, "code");
  event->code = OK;
  if (code.len) event->code = code_named(code.at, (uint32_t)code.len);
  if (event->code == CODE_COUNT) event->code = E_INTERNAL; /* of a slipway newer than this one */
  event->engine = take_text(&body, "engine");
  facts_read(&body, event);
  files_read(&body, event);
  event->note = take_text(&body, "note");
  event->reason = take_text(&body, "reason");
  event->release = (uint32_t)take_number(&body, "release", UINT32_MAX);
  event->request = take_text(&body, "request");
  event->version = (uint32_t)take_number(&body, "version", UINT32_MAX);
  return take_end(&body);
}

static json_t *parse(struct slice text, struct err *err)
{
  json_error_t error;
  json_t *json =
      json_loadb(text.at ? text.at : "", text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
  if (!json)
    fail(err, E_BAD_JSON, "an event is not JSON at byte %d: %s", error.position, error.text);
  return json;
}

enum code event_body_read(struct arena *arena, int encoding, struct slice body, struct event *event,
                          struct err *err)
{
  *err = (struct err){0};
  json_t *json = parse(body, err);
  if (json) body_walk(arena, encoding, json, event, err);
  json_decref(json);
  return err->code;
}

enum code event_line_read(struct arena *arena, struct slice text, struct event *event,
                          struct err *err)
{
  *err = (struct err){0};
  *event = (struct event){0};
  json_t *json = parse(text, err);
  if (!json) return err->code;
  struct reading line = {json, arena, err, 0, "an event"};
  if (!json_is_object(json)) {
    fail(err, E_BAD_JSON, "%s is no object", line.what);
    goto out;
  }
  event->actor = take_text(&line, "actor");
  int encoding = (int)take_number(&line, "encoding", INT32_MAX);
  event->idempotency = take_text(&line, "idempotency");
  event->kind = event_named(take_text(&line, "kind"));
  event->model = take_text(&line, "model");
  event->seq = (uint64_t)take_number(&line, "seq", INT64_MAX);
  event->tenant = take_text(&line, "tenant");
  event->wall_ms = take_number(&line, "wall_ms", INT64_MAX);
  json_t *body = take(&line, "body", JSON_OBJECT);
  if (!err->code && (event->kind == EVENT_NONE || !body))
    fail(err, E_BAD_JSON, "%s has no body or a kind this slipway does not know", line.what);
  if (!err->code && body_walk(arena, encoding, body, event, err) == OK) take_end(&line);
out:
  json_decref(json);
  return err->code;
}
