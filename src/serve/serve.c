/* serve.c - what the path keeps for all calls of one loop.
 * Thread: its loop; serve_init and serve_deinit: main.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

#include "base/mem.h"

void serve_init(struct serve *serve, const struct serve_opts *opts)
{
  *serve = (struct serve){.opts = *opts, .alarm_us = INT64_MAX};
  serve->leases = grab_zero(opts->calls_max + 2, sizeof *serve->leases);
  for (uint32_t i = 0; i < opts->calls_max + 2; i++) {
    serve->leases[i].next = serve->lease_free;
    serve->lease_free = &serve->leases[i];
  }
  serve->tally = tally_new(0); /* counts who knocks before the first TALLY; no version yet */
  serve->resting = grab_zero(opts->calls_max, sizeof *serve->resting);
  list_init(&serve->lent);
  uint64_t seed;
  rand_secret(&seed, sizeof seed);
  rand_seed(&serve->rand, seed);
  /* Ids: 8 hex digits of this start, 2 of the loop, then a counter. */
  static const char hex[] = "0123456789abcdef";
  uint64_t start = rand_u64(&serve->rand);
  for (int i = 0; i < 8; i++) serve->id_prefix[i] = hex[start >> (4 * i) & 15];
  serve->id_prefix[8] = hex[opts->loop >> 4 & 15];
  serve->id_prefix[9] = hex[opts->loop & 15];
  serve->id_prefix[10] = '-';
  serve->id_prefix_len = 11;
}

void serve_deinit(struct serve *serve)
{
  must(serve->calls == 0 && !serve->newest);
  while (serve->n_resting) arena_deinit(&serve->resting[--serve->n_resting]);
  ungrab(serve->resting);
  tally_free(serve->tally);
  ungrab(serve->leases);
}

void serve_tally(struct serve *serve, struct letter_tally *letter)
{
  must(letter->tally->n_slots >= serve->tally->n_slots); /* control's never shrink */
  struct tally *full = serve->tally;
  serve->tally = letter->tally;
  letter->tally = full;
  letter->loop = serve->opts.loop;
  letter->mail.kind = LETTER_TALLY_HOME;
  mail_send(serve->opts.post->control, &letter->mail);
}

bool serve_ready(const struct serve *serve)
{
  if (!serve->newest || serve->draining) return false;
  const struct world *world = serve->newest->letter->world;
  return world_ready(world) && !world_draining(world);
}

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
  static const char hex[] = "0123456789abcdef";
  if (id_is_sane(asked)) {
    memcpy(to, asked.at, asked.len);
    return (uint8_t)asked.len;
  }
  enum { DIGITS = 10 };
  uint64_t n = ++serve->ids;
  uint8_t len = serve->id_prefix_len;
  memcpy(to, serve->id_prefix, len);
  for (int i = DIGITS - 1; i >= 0; i--, n >>= 4) to[len + i] = hex[n & 15];
  return (uint8_t)(len + DIGITS);
}
