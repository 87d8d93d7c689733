/* recall.c - answers that are known already, and runs that others wait for: before a task is lent.
 * Thread: its loop.
 *
 *   recall stage -- no ttl, or it may not be --> submit
 *      | -- kept ------------------------------> encode       hit
 *      | -- nobody runs it: ASKS -- far has it-> encode       hit; kept, who follows is told
 *      |                         -- or not ----> submit, lent; keep, tell who follows (recall_home)
 *      '-- somebody does: FOLLOWS -- LANDED ---> encode       shared
 *                                    or --> submit            the leader's run failed
 *
 * It comes after `check`: only what fits the contract is asked for, rows are taken of the tenant's
 * quota as for every other request, and requests of all forms have one canonical form by then.
 * Whoever keeps or leads owes that to be settled, whatever becomes of the call: recall_home once
 * its task is home, recall_end where it never left.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "serve/cache/canon.h"
#include "serve/stages_int.h"

/* An answer of more than this is not handed to those who follow: each runs by itself. */
enum { SHARED_MAX = 16 << 20 };

/* --- whether it may be ------------------------------------------------------------------------ */

/* What the header and the parameter say; the stricter one holds. */
static enum infer_cache asked_for(const struct call *call)
{
  const struct http_head *head = call->came.head;
  enum infer_cache cache = call->request.cache;
  uint16_t from = 0;
  if (!head->first[FIELD_CACHE_CONTROL]) return cache;
  for (;;) {
    struct slice value = http_head_find(head, SLICE("cache-control"), &from);
    if (!value.at) return cache;
    if (http_list_has(value, SLICE("no-store"))) return INFER_CACHE_NEVER;
    if (http_list_has(value, SLICE("no-cache")) && cache == INFER_CACHE_USE)
      cache = INFER_CACHE_REFRESH;
  }
}

/* A sequence's answer depends on what came before; a rehearsal's copy is to fail as it was told. */
static bool is_plain(const struct call *call)
{
  const struct infer_request *request = &call->request;
  return !request->sequence_number && !request->sequence_name.len && !request->sequence_start &&
         !request->sequence_end && call->version != call->model->copy;
}

static bool key_make(struct call *call)
{
  struct canon canon = {.tenant = call->came.tenant->name,
                        .model = call->model->name,
                        .version = call->version,
                        .request = &call->request};
  struct slice bytes = canon_write(&call->arena, &canon, CACHE_ENTRY_MAX);
  if (!bytes.at) return false;
  call->recall.flight.key = cache_key_of(call->serve->opts.cache, canon.tenant, bytes);
  return true;
}

/* --- an answer that is there ------------------------------------------------------------------ */

static bool answer_take(struct call *call, struct blob *blob, enum recalled how)
{
  const struct contract *contract = &call->version->contract;
  struct slice packed = slice_from(blob_lend(blob), call->recall.flight.key.bytes.len);
  struct tensor *outputs = arena_zero(&call->arena, contract->n_outputs, sizeof *outputs);
  bool whole =
      outputs && tensors_unpack(packed, contract, call->task.wanted, &call->arena, outputs);
  blob_drop(blob);
  if (!whole) return false;
  call->task.outputs = outputs;
  call->task.inputs = call->request.inputs;
  call->task.rows = (uint32_t)call->rows;
  call->task.cpu_ns = -1;
  call->copied = false; /* a shadow is compared with runs */
  call->recall.how = how;
  return true;
}

static enum step answered(struct call *call, struct blob *blob, enum recalled how)
{
  if (answer_take(call, blob, how)) return STEP_ANSWER;
  fail(&call->err, E_OUT_OF_MEMORY, "the request needs more memory than one may have");
  return STEP_REPLY;
}

/* --- asking ----------------------------------------------------------------------------------- */

static enum step follow(struct call *call)
{
  struct serve *serve = call->serve;
  call->deadline_us = call_deadline(call);
  call->state = CALL_FOLLOWS;
  list_push_back(&serve->lent, &call->link);
  if (call->deadline_us < serve->alarm_us) serve->alarm_us = call->deadline_us;
  return STEP_AGAIN; /* when it is told */
}

static enum step told(struct call *call)
{
  struct flight *flight = &call->recall.flight;
  call->recall.follows = false;
  if (flight->news == NEWS_ANSWER) return answered(call, flight->blob, RECALL_SHARED);
  call->recall.leads = flight->news == NEWS_LEAD;
  call->recall.fills = true;
  return STEP_NEXT;
}

static bool version_stays(const struct call *call, const struct world *world);
static bool keep(struct call *call, struct blob *blob, int64_t ttl_us);

/* --- the second level ------------------------------------------------------------------------- */

/* As every node writes it; at NULL: there is none, or this is too large for it. */
static struct slice far_form(const struct call *call, size_t packed)
{
  static const struct digest none;
  struct slice key = call->recall.flight.key.bytes;
  if (!call->serve->opts.far || digest_same(&call->version->digest, &none)) return SLICE_NONE;
  if (key.len + packed > FAR_ENTRY_MAX) return SLICE_NONE;
  return slice_from(key, CANON_OWN);
}

static void far_named(struct call *call, struct slice form)
{
  struct recall *recall = &call->recall;
  if (recall->named) return;
  recall->ask.name = far_name(call->serve->opts.far, call->came.tenant->name, form);
  recall->named = true;
}

/* It leads: who asks the same meanwhile follows it. */
static enum step far_ask(struct call *call)
{
  struct recall *recall = &call->recall;
  struct slice form = far_form(call, 0);
  if (!form.at) return STEP_NEXT;
  far_named(call, form);
  recall->ask.canonical = recall->flight.key.bytes;
  recall->asks = far_get(call->serve->opts.far, &recall->ask, call_deadline(call),
                         call->serve->now_us);
  if (!recall->asks) return STEP_NEXT;
  call->state = CALL_ASKS;
  return STEP_AGAIN; /* when it is told */
}

static enum step far_says(struct call *call)
{
  struct recall *recall = &call->recall;
  struct blob *blob = recall->ask.blob;
  recall->asks = false;
  recall->ask.blob = NULL;
  if (!blob) return STEP_NEXT;
  struct slice packed = slice_from(blob_lend(blob), recall->flight.key.bytes.len);
  if (!tensors_fit(packed, &call->version->contract, call->task.wanted)) {
    far_forged(call->serve->opts.far);
    blob_drop(blob);
    return STEP_NEXT;
  }
  int64_t ttl_us = call->version->cache_ttl_us;
  keep(call, blob, recall->ask.left_us < ttl_us ? recall->ask.left_us : ttl_us);
  cache_land(call->serve->opts.cache, &recall->flight, blob);
  recall->fills = recall->leads = false;
  return answered(call, blob, RECALL_HIT);
}

static void far_keep(struct call *call, struct slice packed)
{
  const struct serve *serve = call->serve;
  struct slice form = far_form(call, packed.len);
  if (!form.at) return;
  far_named(call, form);
  far_set(serve->opts.far, &call->recall.ask.name, packed, call->version->cache_ttl_us,
          serve->now_us, (serve->now_us + serve->wall_us) / 1000);
}

/* --- looking ---------------------------------------------------------------------------------- */

static void mismatches_count(struct call *call, uint32_t n)
{
  struct meter *meter = call->came.tenant->meter;
  if (meter && n) atomic_fetch_add_explicit(&meter->cache_mismatches, n, memory_order_relaxed);
}

static enum step look(struct call *call)
{
  struct recall *recall = &call->recall;
  struct serve *serve = call->serve;
  struct blob *blob = NULL;
  uint32_t mismatches = 0;
  enum infer_cache may = is_plain(call) ? asked_for(call) : INFER_CACHE_NEVER;
  if (may == INFER_CACHE_NEVER || !key_make(call)) return STEP_NEXT;
  recall->fills = true;
  if (may == INFER_CACHE_REFRESH) return STEP_NEXT;
  int64_t began_ns = clock_ns();
  struct cache_key key = recall->flight.key;
  recall->flight.home = serve->opts.home;
  recall->flight.gone = &call->task.gone;
  recall->flight.class = (uint8_t)call->class;
  atomic_store_explicit(&call->task.gone, false, memory_order_relaxed);
  enum cache_asked asked = cache_ask(serve->opts.cache, &recall->flight, &key, serve->now_us,
                                     &blob, &mismatches);
  if (mismatches) mismatches_count(call, mismatches);
  recall->leads = asked == CACHE_LEADS;
  recall->follows = asked == CACHE_FOLLOWS;
  recall->ns = clock_ns() - began_ns;
  if (asked == CACHE_FOLLOWS) return follow(call); /* from here on its news may come any time */
  return asked == CACHE_HIT ? answered(call, blob, RECALL_HIT) : far_ask(call);
}

enum step recall_stage(struct call *call)
{
  if (!call->version->cache_ttl_us || !call->serve->opts.cache) return STEP_NEXT;
  if (call->recall.asks) return far_says(call);
  return call->recall.follows ? told(call) : look(call);
}

/* --- settling --------------------------------------------------------------------------------- */

/* Whether the newest world still answers with this very version. */
static bool version_stays(const struct call *call, const struct world *world)
{
  const struct serve *serve = call->serve;
  if (call->lease == serve->newest) return true;
  const struct tenant *tenant = world_tenant(world, call->came.tenant->name);
  const struct model *model = tenant ? world_model(world, tenant, call->model->name) : NULL;
  const struct version *version = model ? model_version(model, call->version->number) : NULL;
  return version && version->seq == call->version->seq && version_answers(version);
}

/* False: the newest world does not answer with this version. */
static bool keep(struct call *call, struct blob *blob, int64_t ttl_us)
{
  const struct serve *serve = call->serve;
  const struct world *world = serve_newest(serve);
  if (!world || !version_stays(call, world)) return false;
  const struct tenant *tenant = call->came.tenant;
  const struct version *version = call->version;
  struct cache_owner owner = {.tenant = tenant->name,
                              .model = call->model->name,
                              .meter = tenant->meter,
                              .tenant_max = quota_value(tenant->quotas, QUOTA_cache_bytes),
                              .model_max = version->cache_bytes_max,
                              .version = version->number,
                              .seq = version->seq};
  cache_fill(serve->opts.cache, &call->recall.flight.key, &owner, blob, serve->now_us,
             serve->now_us + ttl_us, world_serial(world));
  return true;
}

static struct blob *answer_blob(const struct call *call, size_t packed)
{
  struct slice key = call->recall.flight.key.bytes;
  const struct task *task = &call->task;
  struct blob *blob = blob_new(key.len + packed);
  memcpy(blob->bytes, key.at, key.len);
  tensors_pack(task->outputs, call->version->contract.n_outputs, task->wanted,
               blob->bytes + key.len);
  return blob;
}

/* The run is over and its outputs are there. Kept first: who asks after the flight has landed finds
 * it. */
static void landed(struct call *call)
{
  struct recall *recall = &call->recall;
  struct cache *cache = call->serve->opts.cache;
  const struct task *task = &call->task;
  size_t packed = tensors_packed(task->outputs, call->version->contract.n_outputs, task->wanted);
  bool kept = recall->fills && recall->flight.key.bytes.len + packed <= CACHE_ENTRY_MAX;
  bool shared = recall->leads && packed <= SHARED_MAX &&
                (kept || cache_followed(cache, &recall->flight));
  if (!kept && !shared) {
    if (recall->leads) cache_fail(cache, &recall->flight, false, true);
    return;
  }
  struct blob *blob = answer_blob(call, packed);
  bool stays = kept && keep(call, blob, call->version->cache_ttl_us);
  if (recall->leads) cache_land(cache, &recall->flight, blob);
  if (stays) far_keep(call, slice_from(blob_lend(blob), recall->flight.key.bytes.len));
  blob_drop(blob);
}

void recall_home(struct call *call)
{
  struct recall *recall = &call->recall;
  enum code code = call->task.err.code;
  int64_t began_ns = clock_ns();
  if (code == OK) {
    landed(call);
  } else if (recall->leads) {
    bool ran = code != E_DEADLINE_EXCEEDED && code != E_CANCELLED;
    cache_fail(call->serve->opts.cache, &recall->flight, ran, false);
  }
  recall->fills = recall->leads = false;
  recall->ns += clock_ns() - began_ns;
}

void recall_end(struct call *call)
{
  struct recall *recall = &call->recall;
  if (recall->leads) cache_fail(call->serve->opts.cache, &recall->flight, false, false);
  recall->fills = recall->leads = false;
}

void recall_unasked(struct call *call)
{
  struct recall *recall = &call->recall;
  far_leave(call->serve->opts.far, &recall->ask);
  recall->asks = false;
  recall_end(call);
}

/* --- who does not wait any more --------------------------------------------------------------- */

bool recall_leave(struct call *call)
{
  return cache_leave(call->serve->opts.cache, &call->recall.flight);
}

bool recall_unwanted(struct call *call)
{
  if (!call->recall.leads) return true;
  return cache_abandon(call->serve->opts.cache, &call->recall.flight);
}

void recall_gone(struct call *call)
{
  struct recall *recall = &call->recall;
  must(recall->follows);
  recall->follows = false;
  if (recall->flight.news == NEWS_ANSWER) blob_drop(recall->flight.blob);
  recall->leads = recall->flight.news == NEWS_LEAD;
  recall_end(call);
}
