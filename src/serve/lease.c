/* lease.c - which worlds this loop still reads.
 * Thread: its loop.
 * A plain counter per world replaces reference counts: only this loop's calls are counted here,
 * and control counts the loops (docs/essays/why-worlds.md).
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

static void lease_home(struct serve *serve, struct lease *lease)
{
  struct letter_world *letter = lease->letter;
  lease->next = serve->lease_free;
  serve->lease_free = lease;
  letter->mail.kind = LETTER_WORLD_HOME;
  mail_send(serve->opts.post->control, &letter->mail);
}

struct lease *lease_take(struct serve *serve)
{
  if (serve->newest) serve->newest->calls++;
  return serve->newest;
}

void lease_drop(struct serve *serve, struct lease *lease)
{
  if (!lease) return;
  must(lease->calls > 0);
  lease->calls--;
  if (lease->calls == 0 && lease != serve->newest) lease_home(serve, lease);
}

void serve_leave(struct serve *serve)
{
  struct lease *lease = serve->newest;
  serve->newest = NULL;
  if (lease && lease->calls == 0) lease_home(serve, lease);
}

void serve_world(struct serve *serve, struct letter_world *letter)
{
  must(world_slots(letter->world) <= serve->tally->n_slots); /* its tally came before it */
  must(world_releases(letter->world) <= serve->tally->n_releases);
  brakes_world(&serve->brakes, world_slots(letter->world));
  probes_world(serve, world_slots(letter->world));
  crowds_world(&serve->crowds, letter->world);
  serve_leave(serve);
  struct lease *lease = serve->lease_free;
  must(lease != NULL); /* one per call, one for the newest, one for this moment */
  serve->lease_free = lease->next;
  *lease = (struct lease){.letter = letter};
  serve->newest = lease;
}
