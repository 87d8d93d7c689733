/* exposure.c - who got which variant by lot, on its way to the scribe.
 * Thread: desk.
 * One letter is out at a time; what comes meanwhile is the next one. So a desk needs no clock for
 * it, and a burst travels in a few letters. What finds no room is counted, not waited for.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "api/flag/desk_int.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
  ROWS_MAX = 512,
  OWNERS_MAX = 64,
  SEEN_MAX = 8192, /* a power of two */
  NAMES_MAX = 256 << 10,
};

struct batch {
  struct letter_predictions letter;
  struct prediction rows[ROWS_MAX];
  struct prediction_owner owners[OWNERS_MAX];
};

struct exposures {
  struct batch batches[2];
  uint32_t filling; /* the other one may be out */
  bool out;
  uint64_t missed;         /* for lack of room */
  uint64_t seen[SEEN_MAX]; /* (flag, unit) noted lately, by their hash */
};

struct slice exposure_model(struct arena *arena, struct slice flag)
{
  char *name = arena_get(arena, flag.len + 5);
  if (!name) return SLICE_NONE;
  memcpy(name, "flag:", 5);
  memcpy(name + 5, flag.at, flag.len);
  return slice_of(name, flag.len + 5);
}

struct slice exposure_id(struct arena *arena, struct slice key)
{
  _Static_assert((int)PREDICTION_ID_MAX == (int)SHA256_HEX_LEN, "a digest is as long as an id");
  char hex[SHA256_HEX_LEN + 1];
  if (key.len <= PREDICTION_ID_MAX) return arena_copy(arena, key);
  struct digest digest = sha256_of(key);
  digest_hex(&digest, hex);
  return arena_copy(arena, slice_of(hex, SHA256_HEX_LEN));
}

static struct exposures *exposures_of(struct flag_desk *desk)
{
  if (desk->exposures) return desk->exposures;
  desk->exposures = grab_zero(1, sizeof *desk->exposures);
  for (int i = 0; i < 2; i++)
    arena_init(&desk->exposures->batches[i].letter.arena, NAMES_MAX, NULL);
  return desk->exposures;
}

void exposures_free(struct exposures *exposures)
{
  if (!exposures) return;
  must(!exposures->out);
  for (int i = 0; i < 2; i++) arena_deinit(&exposures->batches[i].letter.arena);
  ungrab(exposures);
}

bool exposures_are_out(const struct desk *desk)
{
  return desk->flags && desk->flags->exposures && desk->flags->exposures->out;
}

uint64_t exposures_missed(const struct flag_desk *flags)
{
  return flags->exposures ? flags->exposures->missed : 0;
}

static void batch_send(struct desk *desk, struct exposures *exposures)
{
  struct batch *batch = &exposures->batches[exposures->filling];
  if (exposures->out || !batch->letter.n_rows) return;
  batch->letter.mail = (struct mail){.kind = LETTER_PREDICTIONS};
  batch->letter.home = &desk->box;
  batch->letter.rows = batch->rows;
  batch->letter.owners = batch->owners;
  exposures->out = true;
  exposures->filling ^= 1;
  mail_send(desk->post->scribe, &batch->letter.mail);
}

void exposures_home(struct desk *desk, struct letter_predictions *letter)
{
  struct exposures *exposures = desk->flags->exposures;
  must(exposures && exposures->out);
  letter->n_rows = letter->n_owners = 0;
  arena_reset(&letter->arena);
  exposures->out = false;
  batch_send(desk, exposures);
}

/* The owner's place; OWNERS_MAX: no room. */
static uint32_t owner_place(struct batch *batch, struct slice tenant, struct slice flag)
{
  struct letter_predictions *letter = &batch->letter;
  struct slice prefix = SLICE("flag:");
  uint32_t i = 0;
  for (; i < letter->n_owners; i++)
    if (slice_eq(batch->owners[i].tenant, tenant) &&
        slice_eq(slice_from(batch->owners[i].model, prefix.len), flag))
      return i;
  if (i == OWNERS_MAX) return i;
  struct slice name = arena_copy(&letter->arena, tenant);
  struct slice model = exposure_model(&letter->arena, flag);
  if (!name.at || !model.at) return OWNERS_MAX;
  batch->owners[i] = (struct prediction_owner){.slot = i, .tenant = name, .model = model};
  letter->n_owners++;
  return i;
}

static uint32_t variant_place(const struct flag *flag, struct slice variant)
{
  uint32_t place = 0;
  const struct value *member = flag->variants->first;
  for (; member && !slice_eq(member->key, variant); member = member->next) place++;
  return place;
}

static void row_fill(struct prediction *row, struct arena *work, struct slice key)
{
  static const unsigned char fixed[16] = "slipway flags 1";
  struct slice id = exposure_id(work, key);
  row->unit = siphash(fixed, key);
  row->id_len = id.at ? (uint8_t)id.len : 0;
  if (id.at) memcpy(row->id, id.at, id.len);
}

void exposure_note(struct ask *ask, const struct flag *flag, const struct flag_result *result,
                   struct slice key)
{
  struct flag_desk *desk = flag_desk_of(ask->desk);
  struct exposures *exposures = exposures_of(desk);
  uint32_t arm = flag->variants ? variant_place(flag, result->variant) : ARMS_MAX;
  if (!key.len || arm >= ARMS_MAX) return;
  uint64_t mark = siphash(desk->hash_key, key) ^ siphash(desk->hash_key, flag->key) * 3 ^
                  siphash(desk->hash_key, ask->letter->tenant) * 5;
  uint64_t *seen = &exposures->seen[mark & (SEEN_MAX - 1)];
  if (*seen == mark) return;
  struct batch *batch = &exposures->batches[exposures->filling];
  uint32_t owner = batch->letter.n_rows < ROWS_MAX
                       ? owner_place(batch, ask->letter->tenant, flag->key)
                       : OWNERS_MAX;
  if (owner == OWNERS_MAX) {
    exposures->missed++;
    return;
  }
  struct prediction *row = &batch->rows[batch->letter.n_rows++];
  *row = (struct prediction){.arm = (uint8_t)arm,
                             .model = owner,
                             .release = EXPOSURE_RELEASE,
                             .weight = result->share,
                             .score = (float)NAN,
                             .label = LABEL_NONE,
                             .wall_ms = clock_wall_ms()};
  row_fill(row, &desk->out, key);
  *seen = mark;
  batch_send(ask->desk, exposures);
}
