/* serve.c - what the path keeps for all calls of one loop.
 * Thread: its loop; serve_new and serve_free: main.
 * SPDX-License-Identifier: MIT */
#include "serve/serve.h"

#include "base/mem.h"
#include "base/text.h"
#include "serve/release_int.h"

struct serve *serve_new(const struct serve_opts *opts)
{
  struct serve *serve = grab_zero(1, sizeof *serve);
  serve->opts = *opts;
  serve->alarm_us = INT64_MAX;
  serve->leases = grab_zero(opts->calls_max + 2, sizeof *serve->leases);
  for (uint32_t i = 0; i < opts->calls_max + 2; i++) {
    serve->leases[i].next = serve->lease_free;
    serve->lease_free = &serve->leases[i];
  }
  serve->tally = tally_new(0, 0, 0); /* counts who knocks before the first TALLY; no version yet */
  serve->resting = grab_zero(opts->calls_max, sizeof *serve->resting);
  serve->units_seen = grab_zero(UNITS_SEEN, sizeof *serve->units_seen);
  shadows_init(&serve->shadows, opts->calls_max, opts->bodies->max);
  list_init(&serve->lent);
  wakes_init(serve);
  uint64_t seed;
  rand_secret(&seed, sizeof seed);
  rand_seed(&serve->rand, seed);
  /* Ids: 8 hex digits of this start, 2 of the loop, then a counter. */
  hex_number(rand_u64(&serve->rand), serve->id_prefix, 8);
  hex_number(opts->loop, serve->id_prefix + 8, 2);
  serve->id_prefix[10] = '-';
  serve->id_prefix_len = 11;
  return serve;
}

uint64_t serve_boot_bytes(uint32_t calls_max)
{
  return sizeof(struct serve) + shadows_boot_bytes(calls_max) + UNITS_SEEN * sizeof(uint64_t) +
         ((uint64_t)calls_max + 2) * (sizeof(struct lease) + sizeof(struct arena));
}

void serve_free(struct serve *serve)
{
  must(serve->calls == 0 && !serve->newest);
  shadows_deinit(&serve->shadows);
  wakes_deinit(serve);
  brakes_deinit(&serve->brakes);
  crowds_deinit(&serve->crowds);
  budget_deinit(serve->opts.bodies);
  while (serve->n_resting) arena_deinit(&serve->resting[--serve->n_resting]);
  ungrab(serve->units_seen);
  ungrab(serve->probes);
  ungrab(serve->resting);
  tally_free(serve->tally);
  ungrab(serve->leases);
  ungrab(serve);
}

void serve_turn(struct serve *serve, int64_t now_us, int64_t wall_us)
{
  serve->now_us = now_us;
  serve->wall_us = wall_us;
}

/* What is kept of releases from pulse to pulse goes on in the new tally. */
static void locals_carry(const struct tally *from, struct tally *to)
{
  uint32_t n = from->n_releases < to->n_releases ? from->n_releases : to->n_releases;
  if (!to->n_releases) return;
  if (n) memcpy(to->locals, from->locals, n * sizeof *to->locals);
  memset(to->locals + n, 0, (to->n_releases - n) * sizeof *to->locals);
  for (uint32_t i = 0; i < n; i++) release_local_carry(&to->locals[i], &from->releases[i]);
}

void serve_tally(struct serve *serve, struct letter_tally *letter)
{
  must(letter->tally->n_slots >= serve->tally->n_slots); /* control's never shrink */
  must(letter->tally->n_releases >= serve->tally->n_releases);
  locals_carry(serve->tally, letter->tally);
  if (serve->opts.far) far_count(serve->opts.far, &serve->tally->far);
  struct tally *full = serve->tally;
  serve->tally = letter->tally;
  letter->tally = full;
  letter->loop = serve->opts.loop;
  letter->mail.kind = LETTER_TALLY_HOME;
  mail_send(serve->opts.post->control, &letter->mail);
}

void serve_sweep(struct serve *serve)
{
  const struct world *world = serve_newest(serve);
  struct cache *cache = serve->opts.cache;
  if (!world || !cache) return;
  uint64_t budget = cache_budget_normal(cache);
  if (world_presses(world, ACTION_HALF_CACHE)) budget /= 2;
  if (cache_budget(cache) != budget) cache_budget_set(cache, budget);
  if (!cache_bytes(cache)) return;
  cache_sweep(cache, world, serve->opts.loop, serve->opts.n_loops, serve->now_us);
}

void serve_deadlines(struct serve *serve, int64_t deadline_us, int64_t deadline_max_us)
{
  serve->opts.deadline_us = deadline_us;
  serve->opts.deadline_max_us = deadline_max_us;
}

const struct world *serve_newest(const struct serve *serve)
{
  return serve->newest ? serve->newest->letter->world : NULL;
}

enum serve_state serve_state(const struct serve *serve)
{
  if (serve->draining) return SERVE_DRAINING;
  if (!serve->newest) return SERVE_STARTING;
  const struct world *world = serve->newest->letter->world;
  if (world_draining(world)) return SERVE_DRAINING;
  return world_ready(world) ? SERVE_READY : SERVE_WAITING;
}

void serve_drain(struct serve *serve)
{
  serve->draining = true;
  shadows_stop(serve);
}

uint32_t serve_calls(const struct serve *serve) { return serve->calls + serve->shadows.in_use; }

const char *serve_slow_stage(struct serve *serve)
{
  const char *stage = serve->slow_stage;
  serve->slow_ns = 0;
  serve->slow_stage = NULL;
  return stage;
}

/* --- deadlines ------------------------------------------------------------------------------- */

int64_t serve_alarm(struct serve *serve)
{
  if (list_empty(&serve->lent) && list_empty(&serve->waking)) serve->alarm_us = INT64_MAX;
  return serve->alarm_us;
}

void serve_late(struct serve *serve, int64_t now_us, void (*late)(struct call *call, void *client))
{
  int64_t next_us = INT64_MAX;
  serve->alarm_us = INT64_MAX;
  struct link *link = serve->lent.next;
  while (link != &serve->lent) {
    struct call *call = LIST_OF(link, struct call, link);
    link = link->next;
    if (call->deadline_us <= now_us) {
      void *client = call->client;
      path_late(call);
      late(call, client); /* may lend a new call, at the list's end; takes no other one away */
    } else if (call->deadline_us < next_us) {
      next_us = call->deadline_us;
    }
  }
  for (link = serve->waking.next; link != &serve->waking; link = link->next) {
    const struct call *call = LIST_OF(link, struct call, link);
    if (call->deadline_us < next_us) next_us = call->deadline_us;
  }
  if (next_us < serve->alarm_us) serve->alarm_us = next_us;
}

/* --- counters of the wire -------------------------------------------------------------------- */

void serve_count_connection(struct serve *serve) { serve->tally->connections++; }

void serve_count_request(struct serve *serve) { serve->tally->requests++; }

void serve_count_in(struct serve *serve, uint64_t bytes) { serve->tally->bytes_in += bytes; }

void serve_count_answer(struct serve *serve, int status, enum code code, uint64_t bytes)
{
  struct tally *tally = serve->tally;
  tally->by_status[status / 100]++;
  tally->bytes_out += bytes;
  if (code != OK) tally->refused[code]++;
}

void serve_count_left(struct serve *serve) { serve->tally->refused[E_CANCELLED]++; }

void serve_count_turn(struct serve *serve, int64_t took_us)
{
  struct tally *tally = serve->tally;
  tally->turns++;
  int64_t over_us = TALLY_TURN_US;
  for (int i = 0; i < TALLY_TURNS_OVER && took_us > over_us; i++, over_us *= 2)
    tally->turns_over[i]++;
}

bool serve_presses(const struct serve *serve, enum pressure_action action)
{
  const struct world *world = serve_newest(serve);
  return world && world_presses(world, action);
}

void serve_count_slow_turn(struct serve *serve) { serve->tally->slow_turns++; }

enum code serve_ask(struct serve *serve, const struct tenant *tenant, bool uses, struct err *err)
{
  return take_ask(&tenant->allow, uses, serve->now_us, &serve->rand, err);
}

/* --- request ids ----------------------------------------------------------------------------- */

static bool id_is_sane(struct slice id)
{
  if (id.len == 0 || id.len > REQUEST_ID_MAX) return false;
  for (size_t i = 0; i < id.len; i++) {
    unsigned char c = (unsigned char)id.at[i], low = c | 0x20u;
    bool word = (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9');
    if (!word && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

uint8_t serve_request_id(struct serve *serve, struct slice asked, char *to)
{
  if (id_is_sane(asked)) {
    memcpy(to, asked.at, asked.len);
    return (uint8_t)asked.len;
  }
  enum { DIGITS = 10 };
  uint8_t len = serve->id_prefix_len;
  memcpy(to, serve->id_prefix, len);
  hex_number(++serve->ids, to + len, DIGITS);
  return (uint8_t)(len + DIGITS);
}
