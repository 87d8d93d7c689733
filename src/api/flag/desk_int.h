/* desk_int.h - what a desk keeps of flags: files made ready to evaluate, memory to do it in, what
 * was evaluated. Room-internal.
 * Thread: desk. Routes of kind HOME bring all questions of a tenant about flags to one desk
 * (wire/route.h), so that a file is made ready once and counts lie in one place.
 * SPDX-License-Identifier: MIT */
#ifndef API_FLAG_DESK_INT_H
#define API_FLAG_DESK_INT_H

#include "api/ask_int.h"
#include "flag/edit.h"
#include "store/outcome.h"

enum {
  FLAG_SETS_MAX = 16,       /* files ready at one desk; the one not used for longest goes */
  FLAG_ROWS_MAX = 4096,     /* (tenant, flag, variant, reason) that are counted; a power of two */
  FLAG_WORK_MAX = 16 << 20, /* each: what comes, what is computed, the answer */
};

struct flag_set {
  struct slice tenant; /* in the arena; at NULL: a free place */
  uint64_t seq, used;
  struct arena arena;
  struct flags flags;
};

/* How often a flag gave a variant. */
struct flag_row {
  struct slice tenant, flag, variant; /* tenant.at NULL: a free row */
  enum flag_reason reason;
  enum flag_error error;
  uint64_t single, bulk; /* asked for by its key; with all others */
};

struct flag_desk {
  struct flag_set sets[FLAG_SETS_MAX];
  uint64_t clock;
  struct arena context, work, out; /* emptied with each question */
  struct arena texts;              /* of rows */
  struct flag_row *rows;           /* open addressing by a hash of all four */
  uint32_t n_rows;
  uint64_t rows_left_out;
  struct exposures *exposures; /* exposure.c's; NULL before the first */
  unsigned char hash_key[16];
};

/* The desk's, made at first use. */
struct flag_desk *flag_desk_of(struct desk *desk);
void flag_desk_free(struct flag_desk *flags); /* NULL is fine */
void flag_limits_list(struct limits *to, uint32_t n_desks);

/* The caller's flags in ask's world, ready to evaluate; an empty set where there are none. Valid
 * until the next question. NULL with ask->err. */
const struct flags *flag_set_of(struct ask *ask);

/* A release whose split goes by units is a read-only flag, `release.MODEL`: its arm for the
 * context's targetingKey, which is the value of what the plan calls sticky_by. */
struct split_flag {
  struct flag flag;
  struct flag_result result;
  struct value values[5]; /* the value, metadata and its members */
  char key[80];
};
/* False when the model has none. Views into the world, the context and *to. */
bool split_flag_of(const struct tenant *tenant, const struct model *model,
                   const struct value *context, struct split_flag *to);
/* The same by the flag's key. */
bool split_flag_find(struct ask *ask, struct slice key, const struct value *context,
                     struct split_flag *to);

/* --- a flag as an experiment ---
 * Whoever a lot gave a variant (a `fractional` chose) is remembered once for each flag, beside
 * predictions of models: model "flag:KEY", request id the targetingKey, arm the variant's place in
 * the flag. Feedback that names flag and targetingKey finds it; the results are sums of both. */
enum { EXPOSURE_RELEASE = 1 }; /* what stands where predictions have their release */
void exposure_note(struct ask *ask, const struct flag *flag, const struct flag_result *result,
                   struct slice key);
void exposures_home(struct desk *desk, struct letter_predictions *letter);
bool exposures_are_out(const struct desk *desk);
uint64_t exposures_missed(const struct flag_desk *flags); /* for lack of room */
void exposures_free(struct exposures *exposures);
/* "flag:KEY", and the request id that stands for a targetingKey: itself, or its digest where it is
 * longer than an id may be. at is NULL past the arena's cap. */
struct slice exposure_model(struct arena *arena, struct slice flag);
struct slice exposure_id(struct arena *arena, struct slice key);

/* The one place that hears of every evaluation. key: the context's targetingKey, or at NULL. bulk:
 * a client that asks for everything, which is no exposure yet. */
void flag_exposed(struct ask *ask, const struct flag *flag, const struct flag_result *result,
                  struct slice key, bool bulk);
/* The tenant's counts as Prometheus text. */
void flag_metrics_write(const struct desk *desk, struct slice tenant, struct buf *to);

#endif
