/* round.c - arms lent by the first, added to by the rest.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/release/round.h"

#include "base/mem.h"

void round_init(struct round *round) { *round = (struct round){0}; }

void round_deinit(struct round *round)
{
  round_reset(round);
  ungrab(round->arms);
  ungrab(round->releases);
  ungrab(round->kept);
  *round = (struct round){0};
}

static void *longer(void *array, uint32_t had, uint32_t want, size_t each)
{
  char *longer = grab_more(array, want * each);
  memset(longer + had * each, 0, (want - had) * each);
  return longer;
}

static bool arms_take(struct round *round, const struct tally *tally)
{
  bool lent = false;
  if (tally->n_slots > round->arms_cap) {
    round->arms = longer(round->arms, round->arms_cap, tally->n_slots, sizeof *round->arms);
    round->arms_cap = tally->n_slots;
  }
  for (uint32_t slot = 0; tally->pool_used && slot < tally->n_slots; slot++) {
    struct arm_tally *from = tally->arms[slot], **into = &round->arms[slot];
    if (!from) continue;
    if (*into) {
      arm_tally_merge(*into, from);
    } else {
      *into = from;
      lent = true;
    }
  }
  return lent;
}

static bool releases_take(struct round *round, const struct tally *tally)
{
  bool lent = false;
  uint32_t n = tally->n_releases;
  if (n > round->releases_cap) {
    round->releases = longer(round->releases, round->releases_cap, n, sizeof *round->releases);
    round->releases_cap = n;
  }
  for (uint32_t slot = 0; slot < n; slot++) {
    struct release_tally *from = &tally->releases[slot], **into = &round->releases[slot];
    if (!from->touched) continue;
    if (*into) {
      release_tally_merge(*into, from);
    } else {
      *into = from;
      lent = true;
    }
  }
  return lent;
}

bool round_take(struct round *round, struct tally *tally)
{
  if (!tally) return false;
  bool arms = arms_take(round, tally), releases = releases_take(round, tally);
  round->missed += tally->arms_missed;
  if (tally->pool_used > round->arms_most) round->arms_most = tally->pool_used;
  if (!arms && !releases) return false;
  if (round->n_kept == round->kept_cap) {
    round->kept_cap = round->kept_cap ? 2 * round->kept_cap : 8;
    round->kept = grab_more(round->kept, round->kept_cap * sizeof(struct tally *));
  }
  round->kept[round->n_kept++] = tally;
  return true;
}

const struct arm_tally *round_arm(const struct round *round, uint32_t slot)
{
  return slot < round->arms_cap ? round->arms[slot] : NULL;
}

const struct release_tally *round_release(const struct round *round, uint32_t slot)
{
  return slot < round->releases_cap ? round->releases[slot] : NULL;
}

void round_forget_arm(struct round *round, uint32_t slot)
{
  if (slot < round->arms_cap) round->arms[slot] = NULL;
}

void round_forget_release(struct round *round, uint32_t slot)
{
  if (slot < round->releases_cap) round->releases[slot] = NULL;
}

void round_reset(struct round *round)
{
  for (uint32_t i = 0; i < round->n_kept; i++) tally_free(round->kept[i]);
  if (round->arms_cap) memset(round->arms, 0, round->arms_cap * sizeof *round->arms);
  if (round->releases_cap)
    memset(round->releases, 0, round->releases_cap * sizeof *round->releases);
  round->n_kept = 0;
  round->missed = 0;
}
