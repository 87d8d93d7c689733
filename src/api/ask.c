/* ask.c - what every handler needs: answers, errors, letters out, and the names in the path.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/ask_int.h"

#include <stdio.h>

#include "api/routes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* ---- answers ---- */

static int dump_to_buf(const char *bytes, size_t len, void *buf)
{
  return buf_add(buf, slice_of(bytes, len)) == OK ? 0 : -1;
}

static struct blob *buf_take_blob(struct buf *buf)
{
  struct blob *blob = blob_copy(buf_lend(buf));
  buf_deinit(buf);
  return blob;
}

enum desk_step ask_text(struct ask *ask, int status, const char *type, struct blob *body)
{
  struct ask_reply *reply = &ask->letter->reply;
  must(reply->status == 0);
  reply->status = status;
  reply->content_type = type;
  reply->body = body;
  return DESK_DONE;
}

enum desk_step ask_json(struct ask *ask, int status, json_t *body)
{
  struct buf buf;
  buf_init(&buf, ASK_ANSWER_MAX);
  must(body != NULL);
  int rc = json_dump_callback(body, dump_to_buf, &buf, JSON_COMPACT | JSON_ENCODE_ANY);
  json_decref(body);
  if (rc != 0) {
    buf_deinit(&buf);
    fail(&ask->err, E_OUT_OF_MEMORY, "the answer is over %d MiB; ask for less",
         ASK_ANSWER_MAX >> 20);
    return ask_fail(ask);
  }
  return ask_text(ask, status, "application/json", buf_take_blob(&buf));
}

static struct blob *error_body(const struct err *err, struct slice request_id)
{
  char text[ERR_JSON_MAX];
  return blob_copy(slice_of(text, err_json(text, err, request_id)));
}

enum desk_step ask_fail(struct ask *ask)
{
  const struct err *err = &ask->err;
  must(err->code != OK);
  ask->letter->reply.retry_after_s = err_retry_s(err);
  log_event(code_level(err->code), "ask_refused", "code", code_name(err->code), "tenant",
            log_slice(ask->letter->tenant), "path", log_slice(ask->letter->path), "request_id",
            log_slice(ask->letter->request_id), NULL);
  return ask_text(ask, code_http(err->code), "application/json",
                  error_body(err, ask->letter->request_id));
}

bool ask_sees_server(const struct ask *ask)
{
  struct principal principal = {ask->letter->role, ask->letter->tenant};
  struct resource resource = {RESOURCE_server, ask->letter->tenant};
  return world_tenants(ask->world) <= 1 || authz(&principal, VERB_audit, &resource) == OK;
}

/* ---- letters ---- */

/* After the last world control answers no letter (desk.h). */
bool control_listens(struct ask *ask)
{
  if (!world_draining(ask->world) || world_tenants(ask->world)) return true;
  fail(&ask->err, E_DRAINING, "the server is stopping");
  return false;
}

bool ask_once_key(struct ask *ask)
{
  struct slice key = ask->letter->headers[ASK_IDEMPOTENCY_KEY];
  bool good = key.len ? key.len <= EVENT_TEXT_MAX : !key.at;
  for (size_t i = 0; good && i < key.len; i++) good = key.at[i] >= 0x21 && key.at[i] <= 0x7e;
  if (good) return true;
  fail(&ask->err, E_INVALID_ARGUMENT, "the Idempotency-Key is not 1 to %d visible ASCII characters",
       EVENT_TEXT_MAX);
  return false;
}

/* If-Match: what is no ETag of a model's ("m17") matches none, and so does an empty list. */
static void wanted_read(struct slice list, struct letter_command *command)
{
  if (list.at && !list.len) command->seqs_wanted[command->n_seqs_wanted++] = 0;
  while (list.len && command->n_seqs_wanted < SEQS_WANTED_MAX) {
    const char *end = memchr(list.at, ',', list.len);
    struct slice one = slice_of(list.at, end ? (size_t)(end - list.at) : list.len);
    uint64_t seq = 0;
    list = slice_from(list, end ? one.len + 1 : one.len);
    while (one.len && one.at[0] == ' ') one = slice_from(one, 1);
    while (one.len && one.at[one.len - 1] == ' ') one.len--;
    if (slice_eq(one, SLICE("*"))) {
      command->n_seqs_wanted = 0;
      return;
    }
    bool quoted = one.len > 3 && slice_starts(one, SLICE("\"m")) && one.at[one.len - 1] == '"';
    if (!quoted || !text_read_u64(slice_of(one.at + 2, one.len - 3), UINT64_MAX, &seq)) seq = 0;
    command->seqs_wanted[command->n_seqs_wanted++] = seq;
  }
}

/* What was asked, as one number: the same again gives the same, anything else another. */
static struct slice request_hash(struct ask *ask)
{
  const struct letter_ask *letter = ask->letter;
  const struct slice parts[] = {letter->method, letter->path, letter->query, letter->body};
  char hex[SHA256_HEX_LEN + 1];
  struct sha256 sha;
  sha256_init(&sha);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    uint64_t len = parts[i].len; /* before each part, so that no two requests read the same */
    sha256_add(&sha, slice_of((const char *)&len, sizeof len));
    if (len) sha256_add(&sha, parts[i]);
  }
  struct digest digest = sha256_end(&sha);
  digest_hex(&digest, hex);
  struct slice text = arena_copy(&ask->arena, slice_of(hex, EVENT_REQUEST_LEN));
  must(text.at);
  return text;
}

enum desk_step ask_command(struct ask *ask, ask_then then)
{
  struct letter_ask *letter = ask->letter;
  struct letter_command *command = &ask->command;
  struct slice key = letter->headers[ASK_IDEMPOTENCY_KEY];
  if (!ask_once_key(ask)) return ask_fail(ask);
  if (!control_listens(ask)) return ask_fail(ask);
  command->mail = (struct mail){.kind = LETTER_COMMAND};
  command->home = &ask->desk->box;
  if (!command->event.tenant.at) command->event.tenant = letter->tenant;
  command->event.actor = letter->actor;
  command->event.idempotency = ask->keyless ? SLICE_NONE : key;
  command->event.request = command->event.idempotency.len ? request_hash(ask) : SLICE_NONE;
  command->arena = &ask->arena;
  command->desk_state = ask;
  command->n_seqs_wanted = 0;
  wanted_read(letter->headers[ASK_IF_MATCH], command);
  command->err = (struct err){.code = OK};
  command->version = 0;
  command->seq = 0;
  ask->then = then;
  ask->letters_out++;
  mail_send(ask->desk->post->control, &command->mail);
  return DESK_LATER;
}

enum desk_step release_ask(struct ask *ask, const struct slice *models, uint32_t n,
                           ask_release_then then)
{
  must(n > 0);
  if (!control_listens(ask)) return ask_fail(ask);
  ask->release_then = then;
  ask->letters_out += n;
  for (uint32_t i = 0; i < n; i++) {
    struct letter_release *letter = grab_zero(1, sizeof *letter);
    letter->mail.kind = LETTER_RELEASE;
    letter->home = &ask->desk->box;
    letter->tenant = ask->letter->tenant;
    letter->model = models[i];
    letter->desk_state = ask;
    mail_send(ask->desk->post->control, &letter->mail);
  }
  return DESK_LATER;
}

static void stats_letter_send(struct desk *desk, struct letter_stats *letter, void *state)
{
  *letter = (struct letter_stats){
      .mail = {.kind = LETTER_STATS}, .home = &desk->box, .desk_state = state};
  mail_send(desk->post->control, &letter->mail);
}

enum desk_step stats_fresh(struct ask *ask, ask_stats_then then)
{
  if (!control_listens(ask)) return ask_fail(ask);
  ask->stats_then = then;
  ask->letters_out++;
  stats_letter_send(ask->desk, &ask->stats, ask);
  return DESK_LATER;
}

enum desk_step stats_recent(struct ask *ask, ask_stats_then then)
{
  struct desk *desk = ask->desk;
  if (desk->stats_last.tally && clock_us() - desk->stats_last_us <= STATS_RECENT_US)
    return then(ask, &desk->stats_last);
  if (!control_listens(ask)) return ask_fail(ask);
  ask->stats_then = then;
  list_push_back(&desk->stats_waiting, &ask->waiting);
  if (!desk->stats_out) {
    desk->stats_out = true;
    stats_letter_send(desk, &desk->stats_letter, NULL);
  }
  return DESK_LATER;
}

void stats_recent_home(struct desk *desk, struct letter_stats *letter)
{
  must(letter == &desk->stats_letter && desk->stats_out);
  desk->stats_out = false;
  tally_free(desk->stats_last.tally);
  desk->stats_last = letter->stats;
  desk->stats_last_us = clock_us();
}

const struct version_tally *stats_slot(const struct stats *stats, uint32_t slot)
{
  static const struct version_tally none;
  if (!stats->tally || slot >= stats->tally->n_slots) return &none;
  return &stats->tally->slots[slot];
}

struct history *ask_history(struct ask *ask)
{
  struct desk *desk = ask->desk;
  if (!desk->history && history_open(&desk->history, desk->opts->datadir, &ask->err) != OK)
    desk->history = NULL;
  return desk->history;
}

/* ---- the path ---- */

const struct model *ask_model(struct ask *ask, uint32_t i)
{
  struct slice name = ask->letter->params[i];
  const char *at = name.len ? memchr(name.at, '@', name.len) : NULL;
  if (at && !slice_starts(ask->letter->path, SLICE("/api/"))) {
    ask->ref = (struct slice){at + 1, name.len - (size_t)(at + 1 - name.at)};
    name = slice_of(name.at, (size_t)(at - name.at));
  }
  const struct model *model = ask->tenant ? world_model(ask->world, ask->tenant, name) : NULL;
  if (!model)
    fail(&ask->err, E_MODEL_NOT_FOUND, "model '%.*s' is not known; 'slipway push' makes one",
         SLICE_ARG(name));
  return model;
}

const struct tenant *ask_tenant(struct ask *ask, uint32_t i)
{
  uint32_t n;
  const struct letter_ask *letter = ask->letter;
  struct slice name = letter->params[i];
  struct principal principal = {letter->role, letter->tenant};
  struct resource resource = {RESOURCE_tenant, name};
  const struct tenant *tenant = world_tenant(ask->world, name);
  enum code code = authz(&principal, routes_all(&n)[letter->route].verb, &resource);
  if (tenant && code == OK) return tenant;
  fail(&ask->err, E_TENANT_NOT_FOUND, "there is no tenant '%.*s'", SLICE_ARG(name));
  return NULL;
}

bool ask_has_version(const struct ask *ask)
{
  /* {model}, then {version} where the path has one */
  return ask->ref.at || ask->letter->params[1].at != NULL;
}

bool ask_version_number(struct ask *ask, uint32_t i, uint32_t *number)
{
  struct slice text = ask->letter->params[i];
  if (version_number_read(text, number)) return true;
  fail(&ask->err, E_BAD_VERSION, "'%.*s' is not a version; versions are numbers like 3",
       SLICE_ARG(text));
  return false;
}

const struct version *ask_version(struct ask *ask, const struct model *model, struct slice ref)
{
  uint32_t number = 0;
  if (ref.len && ref.at[0] == '@') ref = slice_from(ref, 1);
  const struct alias *alias = model_alias(model, ref);
  if (alias)
    number = alias->version;
  else if (!version_number_read(ref, &number) && alias_name_check(ref, &ask->err)) {
    fail(&ask->err, E_BAD_VERSION,
         "'%.*s' is not a version; versions are numbers like 3, or aliases like champion",
         SLICE_ARG(ref));
    return NULL;
  }
  const struct version *version = model_version(model, number);
  if (!version)
    fail(&ask->err, E_VERSION_NOT_FOUND,
         "model '%.*s' has no version or alias '%.*s'; 'slipway status %.*s' lists versions, "
         "'slipway alias list %.*s' aliases",
         SLICE_ARG(model->name), SLICE_ARG(ref), SLICE_ARG(model->name), SLICE_ARG(model->name));
  return version;
}

bool member_version(struct ask *ask, const char *key, int64_t *number)
{
  struct slice ref = slice_str(json_string_value(json_object_get(ask->body, key)));
  uint32_t plain;
  if (!ref.at || version_number_read(ref, &plain)) /* a number in quotes is none */
    return member_int(ask, ask->body, key, 1, UINT32_MAX, number);
  const struct model *model = ask_model(ask, 0);
  if (!model || !member_str(ask, ask->body, key, ASK_MEMBER_MAX, &ref)) return false;
  const struct version *version = ask_version(ask, model, ref);
  if (version)
    *number = version->number;
  else
    fail_at(&ask->err, "%s", key);
  return version != NULL;
}

void ask_etag(struct ask *ask, const struct model *model)
{
  struct ask_reply *reply = &ask->letter->reply;
  snprintf(reply->etag, sizeof reply->etag, "\"m%llu\"", (unsigned long long)model->changed_seq);
}

const struct version *ask_known_version(struct ask *ask, const struct model *model)
{
  const struct version *version = ask_ready_version(ask, model);
  if (!version || version->state == VERSION_READY || version->contract.n_inputs) return version;
  fail(&ask->err, E_NOT_READY,
       "version %u of model '%.*s' has not been in memory since the server started; a prediction "
       "brings it back",
       version->number, SLICE_ARG(model->name));
  return NULL;
}

const struct version *ask_ready_version(struct ask *ask, const struct model *model)
{
  if (!ask_has_version(ask)) {
    if (model->stable) return model->stable;
    const struct version *last = model_newest(model);
    if (last && last->state == VERSION_FAILED)
      fail(&ask->err, E_NOT_READY, "model '%.*s' serves no version: version %u failed: %.*s",
           SLICE_ARG(model->name), last->number, (int)last->reason.len,
           last->reason.at ? last->reason.at : "");
    else
      fail(&ask->err, E_NOT_READY,
           "model '%.*s' serves no version; 'slipway deploy' lets one answer",
           SLICE_ARG(model->name));
    return NULL;
  }
  uint32_t number;
  struct slice said = ask->ref.at ? ask->ref : ask->letter->params[1];
  const struct version *version = NULL;
  if (ask->ref.at)
    version = ask_version(ask, model, ask->ref);
  else if (ask_version_number(ask, 1, &number))
    version = model_version(model, number);
  if (!version && ask->err.code) return NULL;
  if (!version || !version_answers(version)) {
    fail(&ask->err, E_VERSION_NOT_FOUND,
         "model '%.*s' has no version %.*s that is loaded; 'slipway status %.*s' lists versions",
         SLICE_ARG(model->name), SLICE_ARG(said), SLICE_ARG(model->name));
    return NULL;
  }
  return version;
}
