/* ofrep.c - flags for any OpenFeature client: one by its key, or all at once.
 * Thread: desk. From the world and the desk's own memory: no store, no letter.
 * An evaluation that fails is told in the protocol's words, {"key","errorCode","errorDetails"};
 * what fails before there is one (who asks, whether we are up) in ours.
 * Source: OpenFeature Remote Evaluation Protocol 0.3; release features, section 10.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "api/flag/desk_int.h"
#include "api/handlers_int.h"
#include "base/clock.h"
#include "world/ticket.h"

#define BULK_STEPS_MAX UINT64_C(2000000) /* of all flags of one request */

#define EVENTS_URI "/ofrep/v1/events"
enum { EVENTS_URI_MAX = sizeof EVENTS_URI + TICKET_TEXT_MAX + 8 };

/* --- the question ----------------------------------------------------------------------------- */

static enum desk_step refuse(struct ask *ask, int status, struct slice key, const char *code,
                             const char *details)
{
  struct flag_desk *desk = flag_desk_of(ask->desk);
  struct json_out out;
  json_out_init(&out, &desk->out, 512);
  json_out_open(&out, '{');
  if (key.at) {
    json_out_key(&out, "key");
    json_out_str(&out, key);
  }
  json_out_key(&out, "errorCode");
  json_out_str(&out, slice_str(code));
  json_out_key(&out, "errorDetails");
  json_out_str(&out, slice_str(details));
  json_out_close(&out, '}');
  return ask_text(ask, status, "application/json", blob_copy(json_out_lend(&out)));
}

static const char *context_read(struct ask *ask, struct arena *arena, struct value *context)
{
  struct value body = VALUE_OF_NULL;
  struct slice text = ask->letter->body;
  *context = VALUE_OF_NULL;
  if (text.len > FLAG_CONTEXT_MAX) {
    fail(&ask->err, E_BODY_TOO_LARGE, "the request has %zu bytes, a context at most %d", text.len,
         FLAG_CONTEXT_MAX);
    return "INVALID_CONTEXT";
  }
  if (!text.len) return NULL;
  enum code code = value_read(text, VALUE_SORTED, arena, &body, &ask->err);
  if (code)
    return code == E_BAD_JSON || code == E_DUPLICATE_KEY ? "PARSE_ERROR" : "INVALID_CONTEXT";
  const struct value *member = value_get(&body, SLICE("context"));
  if (body.kind != VALUE_MAP) {
    fail(&ask->err, E_WRONG_TYPE, "the body is %s, not an object", value_kind_name(body.kind));
    return "INVALID_CONTEXT";
  }
  if (!member) return NULL;
  *context = *member;
  if (value_depth(context) > LOGIC_DEPTH_MAX) {
    fail(&ask->err, E_JSON_TOO_DEEP, "the context is nested deeper than %d levels",
         LOGIC_DEPTH_MAX);
    return "INVALID_CONTEXT";
  }
  return flag_context_check(context, &ask->err) ? "INVALID_CONTEXT" : NULL;
}

static struct flag_desk *desk_ready(struct ask *ask)
{
  struct flag_desk *desk = flag_desk_of(ask->desk);
  arena_reset(&desk->context);
  arena_reset(&desk->work);
  arena_reset(&desk->out);
  return desk;
}

static struct slice key_of(const struct value *context)
{
  const struct value *key = value_get(context, SLICE("targetingKey"));
  return key ? key->text : SLICE_NONE;
}

/* --- the answer ------------------------------------------------------------------------------- */

/* The file's and the flag's own, which wins. */
static void metadata_write(struct json_out *out, const struct flags *flags, const struct flag *flag)
{
  const struct value *both[] = {flags->metadata, flag->metadata};
  if (!both[0] && !both[1]) return;
  json_out_key(out, "metadata");
  json_out_open(out, '{');
  for (int i = 0; i < 2; i++)
    for (const struct value *m = both[i] ? both[i]->first : NULL; m; m = m->next) {
      if (i == 0 && value_get(flag->metadata, m->key)) continue;
      json_out_key_of(out, m->key);
      value_write(out, &(struct value){
                           .kind = m->kind, .yes = m->yes, .number = m->number, .text = m->text});
    }
  json_out_close(out, '}');
}

static void result_write(struct json_out *out, const struct flags *flags, const struct flag *flag,
                         const struct flag_result *result)
{
  json_out_open(out, '{');
  json_out_key(out, "key");
  json_out_str(out, flag->key);
  if (result->error) {
    json_out_key(out, "errorCode");
    json_out_str(out, slice_str(flag_error_name(result->error)));
    json_out_key(out, "errorDetails");
    json_out_str(out, slice_str(result->details));
  } else {
    json_out_key(out, "reason");
    json_out_str(out, slice_str(flag_reason_name(result->reason)));
    if (result->value) {
      struct value value = *result->value;
      value.next = NULL;
      json_out_key(out, "variant");
      json_out_str(out, result->variant);
      json_out_key(out, "value");
      value_write(out, &value);
    }
    metadata_write(out, flags, flag);
  }
  json_out_close(out, '}');
}

static enum desk_step out_answer(struct ask *ask, int status, const struct json_out *out)
{
  if (!out->full) return ask_text(ask, status, "application/json", blob_copy(json_out_lend(out)));
  fail(&ask->err, E_OUT_OF_MEMORY, "the answer is over %d MiB", FLAG_WORK_MAX >> 20);
  return ask_fail(ask);
}

enum desk_step ofrep_flag(struct ask *ask)
{
  struct flag_desk *desk = desk_ready(ask);
  struct slice key = ask->letter->params[0];
  struct value context;
  const char *wrong = context_read(ask, &desk->context, &context);
  if (wrong) return refuse(ask, 400, key, wrong, ask->err.text);
  const struct flags *flags = flag_set_of(ask);
  if (!flags) return ask_fail(ask);
  const struct flag *flag = flags_find(flags, key);
  struct flag_result result;
  struct split_flag split;
  uint64_t steps = FLAG_STEPS_MAX;
  if (flag) {
    flag_evaluate(flag, &context, clock_wall_ms() / 1000, &desk->work, &steps, &result);
  } else if (split_flag_find(ask, key, &context, &split)) {
    flag = &split.flag;
    result = split.result;
  } else {
    fail(&ask->err, E_NOT_FOUND, "there is no flag \"%.*s\"", SLICE_ARG(key));
    return refuse(ask, 404, key, "FLAG_NOT_FOUND", ask->err.text);
  }
  struct json_out out;
  flag_exposed(ask, flag, &result, key_of(&context), false);
  json_out_init(&out, &desk->out, 512);
  result_write(&out, flags, flag, &result);
  return out_answer(ask, result.error ? 400 : 200, &out);
}

/* --- all at once ------------------------------------------------------------------------------ */

/* Where changes are told. A browser opens a stream without header fields: whoever came with a key
 * gets a ticket along, the same one until the day after tomorrow begins, so that open streams stay
 * open. */
static void events_uri(const struct ask *ask, char to[EVENTS_URI_MAX])
{
  char ticket[TICKET_TEXT_MAX];
  const struct hmac *pepper = ask->desk->opts->pepper;
  int64_t day = clock_wall_ms() / 86400000;
  if (pepper && ask->letter->actor.len == KEY_ID_LEN) {
    ticket_write(pepper, ask->letter->actor, (day + 2) * 86400, ticket);
    snprintf(to, EVENTS_URI_MAX, EVENTS_URI "?ticket=%s", ticket);
  } else {
    snprintf(to, EVENTS_URI_MAX, EVENTS_URI);
  }
}

static void streams_write(struct json_out *out, const char *uri)
{
  json_out_key(out, "eventStreams");
  json_out_open(out, '[');
  json_out_open(out, '{');
  json_out_key(out, "type");
  json_out_str(out, SLICE("sse"));
  json_out_key(out, "endpoint");
  json_out_open(out, '{');
  json_out_key(out, "requestUri");
  json_out_str(out, slice_str(uri));
  json_out_close(out, '}');
  json_out_key_u64(out, "inactivityDelaySec", 120);
  json_out_close(out, '}');
  json_out_close(out, ']');
}

/* Strong: the same tenant, flags and context, on every node. Empty where the time counts as
 * well. */
static void etag_make(struct ask *ask, struct flag_desk *desk, const struct flags *flags,
                      const struct value *context, const char *uri, char to[72])
{
  struct sha256 sha;
  struct json_out out;
  char hex[SHA256_HEX_LEN + 1], seq[32];
  to[0] = '\0';
  if (flags->uses_time) return;
  json_out_init(&out, &desk->work, 1024);
  value_write(&out, context);
  if (out.full) return;
  int len = snprintf(seq, sizeof seq, "%llu\n",
                     (unsigned long long)(ask->tenant ? ask->tenant->flags_version : 0));
  sha256_init(&sha);
  sha256_add(&sha, ask->letter->tenant);
  sha256_add(&sha, SLICE("\n"));
  sha256_add(&sha, slice_of(seq, (size_t)len));
  sha256_add(&sha, json_out_lend(&out));
  sha256_add(&sha, slice_str(uri)); /* or a client would keep a ticket that is over */
  struct digest digest = sha256_end(&sha);
  digest_hex(&digest, hex);
  snprintf(to, 72, "\"%.40s\"", hex);
  arena_reset(&desk->work);
}

/* Whether a list of entity tags ("a", W/"b") holds this one. */
static bool etag_listed(struct slice list, struct slice etag)
{
  while (etag.len && list.len >= etag.len) {
    const char *at = memmem(list.at, list.len, etag.at, etag.len);
    if (!at) return false;
    size_t end = (size_t)(at - list.at) + etag.len;
    if (end == list.len || list.at[end] == ',' || list.at[end] == ' ') return true;
    list = slice_from(list, end);
  }
  return false;
}

static void flags_write(struct ask *ask, struct flag_desk *desk, const struct flags *flags,
                        const struct value *context, struct json_out *out)
{
  uint64_t left = BULK_STEPS_MAX;
  int64_t now_s = clock_wall_ms() / 1000;
  json_out_key(out, "flags");
  json_out_open(out, '[');
  for (uint32_t i = 0; i < flags->n; i++) {
    struct flag_result result;
    uint64_t give = left < FLAG_STEPS_MAX ? left : FLAG_STEPS_MAX, steps = give;
    flag_evaluate(&flags->all[i], context, now_s, &desk->work, &steps, &result);
    left -= give - steps;
    flag_exposed(ask, &flags->all[i], &result, key_of(context), true);
    result_write(out, flags, &flags->all[i], &result);
    arena_reset(&desk->work);
  }
  for (uint32_t i = 0; ask->tenant && i < ask->tenant->n_models; i++) {
    struct split_flag split;
    if (!split_flag_of(ask->tenant, tenant_model(ask->tenant, i), context, &split)) continue;
    flag_exposed(ask, &split.flag, &split.result, key_of(context), true);
    result_write(out, flags, &split.flag, &split.result);
  }
  json_out_close(out, ']');
}

enum desk_step ofrep_bulk(struct ask *ask)
{
  struct flag_desk *desk = desk_ready(ask);
  struct ask_reply *reply = &ask->letter->reply;
  struct value context;
  const char *wrong = context_read(ask, &desk->context, &context);
  if (wrong) return refuse(ask, 400, SLICE_NONE, wrong, ask->err.text);
  const struct flags *flags = flag_set_of(ask);
  if (!flags) return ask_fail(ask);
  char etag[sizeof reply->etag], uri[EVENTS_URI_MAX];
  events_uri(ask, uri);
  etag_make(ask, desk, flags, &context, uri, etag);
  memcpy(reply->etag, etag, sizeof etag);
  if (etag_listed(ask->letter->headers[ASK_IF_NONE_MATCH], slice_str(etag)))
    return ask_text(ask, 304, NULL, NULL);
  struct json_out out;
  json_out_init(&out, &desk->out, 4096);
  json_out_open(&out, '{');
  flags_write(ask, desk, flags, &context, &out);
  if (flags->metadata) {
    struct value metadata = *flags->metadata;
    metadata.next = NULL;
    json_out_key(&out, "metadata");
    value_write(&out, &metadata);
  }
  streams_write(&out, uri);
  json_out_close(&out, '}');
  return out_answer(ask, 200, &out);
}
