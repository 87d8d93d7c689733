/* ask_int.h - one question at a desk, from its letter to its answer. Room-internal.
 * Thread: desk; an ask belongs to the desk that took it.
 *
 * A handler looks like this:
 *
 *   enum desk_step version_list(struct ask *ask)
 *   {
 *     const struct model *model = ask_model(ask, 0);
 *     if (!model) return ask_fail(ask);
 *     return ask_json(ask, 200, json);       // the tree is taken
 *   }
 *
 * and, when it needs control's answer:
 *
 *   return ask_command(ask, then);           // DESK_LATER; then(ask) runs when it is home
 *
 * Nothing of a world may be kept between a handler and its `then`: the world may have been freed.
 * Replies are jansson trees; memory that is out aborts (json_start), so trees are never NULL for
 * that reason.
 * SPDX-License-Identifier: MIT */
#ifndef API_ASK_INT_H
#define API_ASK_INT_H

#include <jansson.h>

#include "api/desk.h"
#include "base/buf.h"
#include "base/list.h"
#include "store/history.h"

struct flag_desk;

enum desk_step { DESK_DONE, DESK_LATER };

enum {
  ASK_ARENA_MAX = 1 << 20,    /* what one ask may keep beside its parsed body */
  ASK_ANSWER_MAX = 256 << 20, /* one answer */
  ASK_DEPTH_MAX = 64,         /* of a JSON body */
  ASK_MEMBER_MAX = 4096,      /* a string member, before its own rule is asked */
  MOVES_STATES = 9,           /* of judge/step.h */
  STATS_RECENT_US = 100000,   /* how old a snapshot `stats_recent` may hand out */
};

struct ask;
typedef enum desk_step (*ask_then)(struct ask *ask);
typedef enum desk_step (*ask_chore_then)(struct ask *ask, const struct letter_chore *letter);
typedef enum desk_step (*ask_chunk)(struct ask *ask, const struct letter_chunk *chunk);
typedef enum desk_step (*ask_release_then)(struct ask *ask, struct letter_release *letter);
typedef enum desk_step (*ask_stats_then)(struct ask *ask, const struct stats *stats);

struct ask {
  struct link link;    /* on desk->asks */
  struct link waiting; /* on desk->stats_waiting */
  struct desk *desk;
  struct letter_ask *letter;
  const struct world *world;   /* the desk's newest, set before each call of a handler */
  const struct tenant *tenant; /* the caller's in that world; NULL: it has no models yet */
  struct arena arena;          /* lives until the answer */
  json_t *body;                /* parsed; NULL before ask_body */
  struct err err;
  uint32_t letters_out; /* commands, stats and releases not yet home */
  struct slice ref;     /* of "MODEL@REF" in the path; at NULL: none was said */
  bool keyless;         /* the next command does not carry the Idempotency-Key */
  struct letter_command command;
  struct letter_stats stats;
  struct letter_inspect inspect;
  ask_then inspect_then;
  struct slice inspect_of; /* of several: the model that a refusal is about; empty: the one */
  ask_then then;
  ask_stats_then stats_then;
  ask_release_then release_then;
  ask_chore_then chore_then;
  ask_chunk chunk; /* of an upload: what takes the next bytes */
  void *state; /* the handler's own, across letters and chunks */
  void (*state_free)(void *state);
};

struct desk {
  struct mailbox box;
  const struct desk_opts *opts;
  const struct limits *limits; /* of the newest settings */
  const struct post *post;
  uint32_t number;
  bool stopping;
  struct letter_world *lease; /* of the newest world; NULL before the first */
  struct link asks;           /* all that are open */
  struct history *history;    /* this desk's own reader; NULL before the first use */
  struct outcomes *outcomes;  /* the same of outcomes */
  struct flag_desk *flags;    /* api/flag/desk_int.h; NULL before the first use */

  /* One snapshot of all counters shared by those who do not need a fresh one. */
  struct link stats_waiting;
  bool stats_out;
  struct letter_stats stats_letter;
  struct stats stats_last; /* tally NULL: none yet */
  int64_t stats_last_us;

  struct blob *openapi; /* the document, which never changes; NULL before the first use */

  /* /metrics as last written, for one tenant, with or without the process. */
  struct blob *metrics;
  int64_t metrics_us;
  char metrics_tenant[64];
  bool metrics_server;
  uint64_t moves[MOVES_STATES]; /* of releases, by state, up to moves_seq */
  uint64_t moves_seq;
  char moves_tenant[64];
  uint64_t cpu_busy, cpu_all; /* of /proc/stat, when metrics were written last */
};

/* ---- answers: each fills the reply and returns DESK_DONE */
enum desk_step ask_json(struct ask *ask, int status, json_t *body);
enum desk_step ask_text(struct ask *ask, int status, const char *type, struct blob *body);
/* The error in ask->err. */
enum desk_step ask_fail(struct ask *ask);

/* ---- letters: each returns DESK_LATER */
/* Sends ask->command to control. Actor and idempotency key are filled in here, and the caller's
 * tenant, but where the command is about a tenant that ask_tenant has let through. */
enum desk_step ask_command(struct ask *ask, ask_then then);
/* Whether the Idempotency-Key, if there is one, can be kept; false with ask->err. */
bool ask_once_key(struct ask *ask);
/* Has the files of ask->command.event looked at (jobs/inspect); then runs when the letter is home
 * and they are good, with event's facts saying what was found. Where nobody looks it runs at
 * once. */
enum desk_step ask_inspect(struct ask *ask, ask_then then);
void inspect_home(struct letter_inspect *letter);
/* What was found, as a member of an answer; NULL: nobody looked. */
json_t *inspected_json(const struct ask *ask);
/* Whether control still answers letters; false with ask->err. */
bool control_listens(struct ask *ask);
void ask_stepped(struct ask *ask, enum desk_step step);
void ask_look(struct ask *ask);
/* A pulse of every loop made after now. The stats are freed after `then`. */
enum desk_step stats_fresh(struct ask *ask, ask_stats_then then);
/* A snapshot not older than STATS_RECENT_US: answers at once where there is one. */
enum desk_step stats_recent(struct ask *ask, ask_stats_then then);
void stats_recent_home(struct desk *desk, struct letter_stats *letter);
/* Asks control how releases stand: one letter for each of n models, named by slices that live as
 * long as the ask. `then` runs for each as it comes home, in any order; the letter and its json are
 * freed after it. While ask->letters_out it returns DESK_LATER. */
enum desk_step release_ask(struct ask *ask, const struct slice *models, uint32_t n,
                           ask_release_then then);
/* The counters of a slot; a static zero where the snapshot has none. */
const struct version_tally *stats_slot(const struct stats *stats, uint32_t slot);

/* ---- reading a question. Each returns NULL or false with ask->err filled. */
/* The model or version named by the i-th path parameter. On V1 and V2 routes a model may be named
 * "MODEL@ALIAS" or "MODEL@3", and that is the version, then. */
const struct model *ask_model(struct ask *ask, uint32_t i);
/* The tenant named by the i-th path parameter. E_TENANT_NOT_FOUND for one that is not the caller's
 * to see as for one that is not there. */
const struct tenant *ask_tenant(struct ask *ask, uint32_t i);
bool ask_version_number(struct ask *ask, uint32_t i, uint32_t *number);
/* A version of the model by its number or by an alias, with or without '@' before it. */
const struct version *ask_version(struct ask *ask, const struct model *model, struct slice ref);
/* A member that is a version's number or an alias of the path's model; absent leaves *number. */
bool member_version(struct ask *ask, const char *key, int64_t *number);
/* The answer's ETag is the model's, as the newest world has it. */
void ask_etag(struct ask *ask, const struct model *model);
/* The version of a `[/versions/{version}]` route: parameter 1 where the route has one, else what
 * the model serves. E_VERSION_NOT_FOUND when it is not READY, E_NOT_READY when nothing serves. */
const struct version *ask_ready_version(struct ask *ask, const struct model *model);
/* The same, of which inputs and outputs are known: E_NOT_READY too where it has not been in memory
 * since the start. */
const struct version *ask_known_version(struct ask *ask, const struct model *model);
bool ask_has_version(const struct ask *ask);
/* Parses the body: an object, or nothing at all, which reads as {}. Strict (RFC 8259, UTF-8, no key
 * twice, depth 64). */
bool ask_body(struct ask *ask);
/* No members but these (a NULL ends the list). */
bool ask_members(struct ask *ask, const char *first, ...) __attribute__((sentinel));
/* The same of any object; the names end with NULL. of: what it is, for the error's words. */
bool members_known(struct ask *ask, const json_t *object, const char *const *names, const char *of);
/* Members of an object; absent leaves *value as it is. */
bool member_str(struct ask *ask, const json_t *object, const char *key, size_t bytes_max,
                struct slice *value);
bool member_int(struct ask *ask, const json_t *object, const char *key, int64_t min, int64_t max,
                int64_t *value);
/* A number without a fraction, be it written 3 or 3.0, as JSON Schema has it. */
bool json_whole(const json_t *json, int64_t *value);
bool member_bool(struct ask *ask, const json_t *object, const char *key, bool *value);
/* A value of the query string, decoded; at is NULL when absent. */
bool ask_query(struct ask *ask, const char *key, struct slice *value);
bool ask_query_int(struct ask *ask, const char *key, int64_t min, int64_t max, int64_t *value);

/* The desk's reader of the ledger, opened at the first need; its until it ends. */
struct history *ask_history(struct ask *ask);

/* ---- small JSON */
void json_start(void);                 /* once per process, before the first tree */
json_t *json_slice(struct slice text); /* invalid UTF-8 becomes U+FFFD */
json_t *json_u64(uint64_t value);      /* capped at INT64_MAX, which is what jansson has */
json_t *json_digest(const struct digest *digest);
json_t *json_time(int64_t wall_ms);                     /* "2026-01-31T23:59:59.123Z"; null for 0 */
json_t *json_parse(struct slice text, struct err *err); /* NULL with err; any kind of value */

/* Whether the caller may see what the process does for all tenants together: an operator may, and
 * the only tenant there is. Sums over everybody tell of the others. */
bool ask_sees_server(const struct ask *ask);
/* Whether a page in somebody's browser may be behind this (ask->err: E_DENIED when so). */
bool guard_passes(struct ask *ask);
/* The same, for tests: hosts are extra names, without ports. */
bool guard_host_is_local(struct slice host, const char *const *hosts, uint32_t n_hosts);

#endif
