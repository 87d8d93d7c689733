/* letters.h - every letter there is, and who may write to whom. Nothing else crosses threads
 * (docs/THREADS.md names the two numbered exceptions).
 *
 *   letter              from     to        comes home   memory
 *   WORLD               control  loop,desk WORLD_HOME   control's; the lease itself
 *   TALLY               control  loop      TALLY_HOME   control's; out empty, home full
 *   TASK                loop     lane own. ANSWER       part of the call
 *   LANDED              loop     loop      -            part of the call that gets it: the run it
 *                                                       waited for is over (serve/cache/flight.h)
 *   ASK                 loop     desk      ASK_HOME     part of the call
 *   WAKE                loop     control   WAKE_HOME    the loop's; somebody asks who rests
 *   CHUNK               loop     desk      CHUNK_HOME   the loop's; upload bytes
 *   COMMAND             desk     control   COMMAND_HOME the desk's
 *   STATS               desk     control   STATS_HOME   the desk's; asks for one fresh snapshot
 *   RELEASE             desk     control   RELEASE_HOME the desk's; how a release stands
 *   APPEND              control  scribe    APPEND_HOME  control's
 *   SNAPSHOT            control  scribe    ..._HOME     control's; what it has folded so far
 *   PREDICTIONS         control, scribe    ..._HOME     the sender's; what loops remembered, who
 *                       desk                            was given which variant of a flag
 *   FEEDBACK            desk     scribe    ..._HOME     the desk's; outcomes, durable when home
 *   MEASURE             control  desk      ..._HOME     control's; what outcomes say of a release
 *   LOAD, UNLOAD        control  job       LOAD_HOME..  control's
 *   CHECK               control  job       CHECK_HOME   control's
 *   INSPECT             desk     inspector INSPECT_HOME the desk's; a model before it is a version
 *   NOTIFY              control  notifier  NOTIFY_HOME  control's; home when taken or given up
 *   TOLD                control   scribe    ..._HOME     control's; the same letter: owed no more
 *   LANE_OPEN, _CLOSE   control  lane own. ..._HOME     control's
 *   REFS                janitor  control   REFS_HOME    the janitor's; which objects versions need
 *   CHORE               desk     janitor   CHORE_HOME   the desk's; how stored files are kept
 *   FREED               control  janitor   -            the janitor's; which files a removal left
 *   STOP                main     any       -            main's; finish and return
 *   DRAIN               main     loop,     DRAIN_HOME   main's; refuse new work, finish the rest
 *                                inspector              (the inspector: end what runs)
 *   SETTINGS            main     loop,desk ..._HOME     main's; what SIGHUP changed
 *   PRESSURE            main     control   ..._HOME     main's; how short the process is of memory
 *                                                       and descriptors
 *
 * Thread: one at a time, as the table says. The sender does not touch a letter between sending it
 * and its coming home.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_LETTERS_H
#define WORLD_LETTERS_H

#include "base/blob.h"
#include "base/mail.h"
#include "base/role.h"
#include "world/event.h"
#include "world/fault.h"
#include "world/outcome.h"
#include "world/guard/pressure.h"
#include "world/settings.h"
#include "world/state.h"
#include "world/tally.h"
#include "world/task.h"
#include "world/world.h"

enum letter {
  LETTER_NONE,
  LETTER_WORLD, LETTER_WORLD_HOME,
  LETTER_TALLY, LETTER_TALLY_HOME,
  LETTER_TASK, LETTER_ANSWER, LETTER_LANDED,
  LETTER_ASK, LETTER_ASK_HOME,
  LETTER_WAKE, LETTER_WAKE_HOME,
  LETTER_CHUNK, LETTER_CHUNK_HOME,
  LETTER_COMMAND, LETTER_COMMAND_HOME,
  LETTER_STATS, LETTER_STATS_HOME,
  LETTER_RELEASE, LETTER_RELEASE_HOME,
  LETTER_APPEND, LETTER_APPEND_HOME,
  LETTER_SNAPSHOT, LETTER_SNAPSHOT_HOME,
  LETTER_PREDICTIONS, LETTER_PREDICTIONS_HOME,
  LETTER_FEEDBACK, LETTER_FEEDBACK_HOME,
  LETTER_MEASURE, LETTER_MEASURE_HOME,
  LETTER_LOAD, LETTER_LOAD_HOME,
  LETTER_UNLOAD, LETTER_UNLOAD_HOME,
  LETTER_CHECK, LETTER_CHECK_HOME,
  LETTER_INSPECT, LETTER_INSPECT_HOME,
  LETTER_NOTIFY, LETTER_NOTIFY_HOME,
  LETTER_TOLD, LETTER_TOLD_HOME,
  LETTER_LANE_OPEN, LETTER_LANE_OPEN_HOME,
  LETTER_LANE_CLOSE, LETTER_LANE_CLOSE_HOME,
  LETTER_REFS, LETTER_REFS_HOME,
  LETTER_CHORE, LETTER_CHORE_HOME,
  LETTER_FREED,
  LETTER_DRAIN, LETTER_DRAIN_HOME,
  LETTER_SETTINGS, LETTER_SETTINGS_HOME,
  LETTER_PRESSURE, LETTER_PRESSURE_HOME,
  LETTER_STOP,
};

/* Who lives where. Filled by daemon.c before any thread starts, constant afterwards. */
struct post {
  struct mailbox *control, *scribe, *keeper; /* keeper: the main thread */
  struct mailbox *janitor;                   /* NULL: in tests */
  struct mailbox *notifier;                  /* NULL: no webhook is configured anywhere */
  struct mailbox *inspector;                 /* NULL: versions are made without being looked at */
  struct mailbox **loops, **desks, **workers, **jobs;
  struct mailbox **residents; /* one per loop: the lane owner that lives on it */
  uint32_t n_loops, n_desks, n_workers, n_jobs;
};

/* --- worlds and pulses ------------------------------------------------------------------------ */

struct letter_world { /* a lease: home again when the holder's last call on this world has ended */
  struct mail mail;
  const struct world *world;
  uint32_t holder; /* control's number for the loop or desk */
  void *control_state;
};

struct letter_tally {
  struct mail mail;
  struct tally *tally; /* out: empty, with slots for the newest world; home: what the loop had, with
                        * no slots (or NULL) the first time. A loop has its first tally before its
                        * first world, and a larger one before a world with more slots: it crashes
                        * on a broken promise rather than count into what is not there */
  uint32_t loop;
};

/* Home as soon as it is read: what comes of it is in the worlds that follow. */
struct letter_wake {
  struct mail mail;
  struct mailbox *home;
  uint32_t model, version; /* the model's slot */
};

/* --- the control plane's questions ------------------------------------------------------------ */

enum { PARAMS_MAX = 4, ASK_HEADERS_MAX = 10, REPLY_FIELDS_MAX = 256 };

enum ask_header { ASK_ACCEPT, ASK_CONTENT_TYPE, ASK_HOST, ASK_ORIGIN, ASK_IF_NONE_MATCH,
                  ASK_IF_MATCH, ASK_IDEMPOTENCY_KEY, ASK_UPLOAD_OFFSET, ASK_UPLOAD_COMPLETE,
                  ASK_UPLOAD_LENGTH };
_Static_assert(ASK_UPLOAD_LENGTH + 1 == ASK_HEADERS_MAX, "one slot per header");

struct ask_reply {
  int status;               /* 0: not answered yet */
  const char *content_type; /* a literal */
  struct blob *body;        /* taken by the loop; NULL: empty */
  const char *allow;        /* literal or NULL */
  uint32_t retry_after_s;   /* 0: none */
  char etag[72];            /* empty: none */
  char fields[REPLY_FIELDS_MAX]; /* more of the head, whole lines: "Upload-Offset: 5\r\n" */
};

struct letter_ask {
  struct mail mail;
  struct mailbox *home;
  uint32_t loop;
  uint16_t route; /* row of api/routes.def */
  struct slice tenant, actor;
  struct slice person; /* who that is: keys of one person count as one where two must agree */
  enum role role; /* the caller's; the loop has compared it with the route's */
  struct slice method, path, query;
  struct slice params[PARAMS_MAX]; /* in the order of the route's pattern */
  struct slice headers[ASK_HEADERS_MAX];
  struct slice body;       /* whole; empty for uploads */
  struct slice request_id;
  struct slice peer;       /* address text, for the log */
  bool loopback;           /* the client is on this machine */
  uint64_t upload_bytes;   /* Content-Length of an upload; UINT64_MAX: chunked */
  struct ask_reply reply;  /* desk fills */
  void *desk_state;        /* the desk's own, across chunks and commands; NULL when it goes home */
};

/* Upload bytes. The loop keeps at most UPLOAD_CHUNKS_MAX of an upload in flight and pauses reading
 * past that. A desk that is done with the ask (early refusal) just sends chunks home. */
enum { UPLOAD_CHUNK_BYTES = 64 << 10, UPLOAD_CHUNKS_MAX = 4 };
struct letter_chunk {
  struct mail mail;
  struct letter_ask *ask;
  char *bytes;
  uint32_t len;
  bool last, abort; /* abort: the client went away; the desk tidies up and sends the ask home */
};

enum command_kind {
  COMMAND_PUSH, COMMAND_DEPLOY, COMMAND_RETIRE, COMMAND_ROLLBACK,
  /* event.version: the candidate (0: newest). Facts person and role (the caller's: who submits),
   * plan (canonical), supersede ("true"), rehearse (world/fault.h; the candidate is then a copy of
   * what serves); note: why */
  COMMAND_RELEASE,
  /* A person's word on the running release: fact word, one of promote pause resume approve reject
   * abort override_freeze; facts person, role (the caller's, base/role.h). event.release: the one
   * the person saw (0: whichever runs); facts step and spec (64 hex digits) the same, absent: as it
   * is now. note: why */
  COMMAND_SAY,
  COMMAND_FREEZE,      /* facts as EVENT_FREEZE_SET, or lift ("true") */
  COMMAND_KEY_ADD,     /* facts as EVENT_KEY_ADDED */
  COMMAND_KEY_REVOKE,  /* fact key */
  COMMAND_KEY_ROTATE,  /* facts as EVENT_KEY_ADDED, and ends_ms: when the one it replaces expires */
  COMMAND_FLAG_SET,    /* facts flag and definition (one flag), or flags (the whole file) */
  COMMAND_FLAG_REMOVE, /* fact flag */
  /* --- the registry. Fact patch: a JSON merge patch of a card (control/registry/card.h) */
  COMMAND_MODEL_ADD,      /* facts patch (or none): a model without a version */
  COMMAND_MODEL_SET,      /* fact patch, or quotas */
  COMMAND_VERSION_SET,    /* event.version; fact patch */
  COMMAND_ALIAS_SET,      /* event.version; fact alias */
  COMMAND_ALIAS_REMOVE,   /* fact alias */
  COMMAND_MODEL_REMOVE,
  COMMAND_VERSION_REMOVE, /* event.version */
  COMMAND_VERSION_CORRUPT, /* the janitor's: event.version, reason; facts digest, file */
  COMMAND_VERSION_SOUND,   /* the same */
  COMMAND_VERSION_QUARANTINE, /* control's and main's: event.version, reason */
  COMMAND_VERSION_CLEAR,      /* event.version */
  /* event.tenant: the one it is about. ADD: note as EVENT_TENANT_CREATED, and the facts of
   * EVENT_KEY_ADDED for its first key, or none. SET: facts as EVENT_TENANT_SET. REMOVE: fact force
   * ("true"): although models serve */
  COMMAND_TENANT_ADD,
  COMMAND_TENANT_SET,
  COMMAND_TENANT_REMOVE,
  /* event.tenant: the one that `state` is about; it may be to make. Told, or applied: all events of
   * it in one append, or none */
  COMMAND_STATE,
};

enum { SEQS_WANTED_MAX = 4 };

struct letter_command {
  struct mail mail;
  struct mailbox *home;
  enum command_kind kind;
  /* tenant, actor, model, version (0: newest), engine, note, files, idempotency */
  struct event event;
  uint64_t waiting;   /* PUSH, STATE: bytes of its files that count as pending (world/meter.h) */
  bool wait;          /* DEPLOY, ROLLBACK: home only when it serves or was refused */
  /* If-Match: the model's changed_seq must be one of these; n 0: whatever it is */
  uint64_t seqs_wanted[SEQS_WANTED_MAX];
  uint32_t n_seqs_wanted;
  struct state *state; /* STATE; else NULL */
  /* Home: */
  struct err err;     /* code OK: done and durable */
  uint32_t version;   /* the one made, deployed, gone back to */
  uint32_t release;   /* RELEASE, SAY: the one begun or spoken about */
  uint64_t past;      /* RELEASE: answers of stable's last half hour that latency is judged by */
  uint64_t seq;       /* ledger position of the effect */
  struct arena *arena; /* the desk's: holds event's slices until home */
  void *desk_state;
};

/* One consistent copy of all counters since start, made of one fresh pulse of every loop. */
struct stats {
  int64_t wall_ms, uptime_us;
  uint32_t loops, loops_silent; /* silent: did not report in the last round; tally lacks theirs */
  uint64_t worlds_built, worlds_freed, world_serial;
  uint64_t models_loading, lanes_pending; /* tasks waiting in lanes, all versions */
  /* Stored; not stored though a tally had room. The tally says how many found none. */
  uint64_t predictions_kept, predictions_dropped;
  struct pressure pressure;
  struct tally *tally; /* slots as in the newest world */
};
struct letter_stats {
  struct mail mail;
  struct mailbox *home;
  struct stats stats; /* home: tally is the desk's to free */
  void *desk_state;
};

/* How a release stands, from control's own state: the running one, or the newest that ended, which
 * has no verdict when that was before the start. E_NOT_FOUND in err. One JSON object, as
 * clients see it; members that do not apply are null:
 *   {"model":"fraud","release":17,"version":3,"stable":2,"strategy":"canary",
 *    "state":"running","why":"passed","step":1,"steps":3,"weight":0.05,"copied":0,
 *    "frozen":false,"held_off":false,"rehearsal":false,"state_s":30,
 *    "submitter":"ann","person":null,
 *    "approvals":{"want":1,"role":"approver","have":["bob"]},"proposal":null,
 *    "spec_hash":"...","plan":{judge/plan.h},"verdict":{judge/explain.h},
 *    "shadow":{"pairs":900,"repeats":0,"disagreements":3,"dropped":0,"errors":0,"flips":[..],
 *              "worst":[..]},
 *    "feedback":{"metric":"clicks","maturity_s":60,"arms":[{"arm":0,"requests":900,
 *      "with_outcome":850,"share":0.94,"units":850,"mean":0.1,"accuracy":null,"ece":null},..]},
 *    "keyless":0,"unjudged":0,"warnings":["..."]}
 * Shares (weight, copied) are of 1; steps count from 0 and `step` is `steps` once completed. */
struct letter_release {
  struct mail mail;
  struct mailbox *home;
  struct slice tenant, model;
  struct blob *json; /* home: the desk's */
  struct err err;
  void *desk_state;
};

/* --- durable writes --------------------------------------------------------------------------- */

/* One look of a release, as the judge saw it: kept beside the ledger, for replay. */
struct journal_row {
  struct slice tenant, model;
  uint32_t release;
  uint64_t look;      /* 0, 1, 2... per release */
  struct slice bytes; /* judge/look.h */
};

/* A message that a webhook is owed for an event: kept beside the ledger until somebody took it. */
struct outbox_row {
  struct slice id; /* the message's own: the same each time it is sent */
  struct slice url, body;
  bool ours; /* as in letter_notify */
  int64_t wall_ms;
};

enum { APPEND_EVENTS_MAX = 4 };
struct letter_append { /* all or none, one transaction, hash-chained */
  struct mail mail;
  struct mailbox *home;
  struct event events[APPEND_EVENTS_MAX]; /* seq is filled in */
  struct event *many; /* instead of these, where they are more: in `arena`; else NULL */
  uint32_t n_events;  /* 0: only rows */
  const struct journal_row *rows;
  uint32_t n_rows;
  const struct outbox_row *notes; /* durable with the events, where the disk has room for both */
  uint32_t n_notes;
  struct arena arena; /* holds what the events point to */
  struct err err;
  void *control_state;
};

static inline struct event *append_events(struct letter_append *letter)
{
  return letter->many ? letter->many : letter->events;
}

/* --- stored files looked after ---------------------------------------------------------------- */

enum refs_of {
  REFS_ALL,     /* digests: every object that a version there is needs */
  REFS_OBJECT,  /* refs: the versions that need `object` */
  REFS_CORRUPT, /* refs: every file of every version that is marked corrupt */
};

struct ref {
  struct slice tenant, model, file;
  uint32_t version;
  struct digest digest;
};

/* A tenant with uploads that wait, or with keys of uploads. */
struct ref_meter {
  struct slice tenant;
  struct meter *meter;
};

struct letter_refs {
  struct mail mail;
  struct mailbox *home;
  enum refs_of of;
  struct digest object;
  /* Home: */
  struct digest *digests; /* ALL: grabbed, the janitor's; in no order, one may come twice */
  struct ref *refs;       /* in `arena` */
  uint32_t n;
  struct ref_meter *meters; /* ALL: in `arena`: those for which anything is counted */
  uint32_t n_meters;
  struct arena arena;
};

enum chore { CHORE_LOOK, CHORE_SCRUB, CHORE_COLLECT };

/* What the janitor has done; times are Unix ms, 0: not since the data directory was made. */
struct chores {
  int64_t scrub_ended_ms; /* the last whole pass over all objects */
  uint64_t scrub_objects, scrub_bytes, scrub_rotten; /* of that pass */
  bool scrubbing;
  uint32_t scrub_done; /* of the pass under way: 256ths */
  int64_t collect_ended_ms; /* since the process started */
  uint64_t collected_objects, collected_bytes, swept_uploads, swept_marks, missing; /* by that */
};

struct letter_chore {
  struct mail mail;
  struct mailbox *home;
  enum chore chore; /* SCRUB begins a pass, COLLECT comes home when it is done */
  struct chores chores; /* home */
  struct err err;
  void *desk_state;
};

struct freed_file {
  struct digest digest;
  uint64_t bytes;
};

/* One block, grabbed by control and ungrabbed by the janitor: it has no way home. */
struct letter_freed {
  struct mail mail;
  struct slice tenant;
  struct meter *meter;
  /* No version of the tenant names these any more: they are counted as pending, and wait to be
   * collected. named: one does again. */
  bool named;
  uint32_t n;
  struct freed_file files[];
};

struct letter_snapshot { /* the catalog as of that event; of use to the next start alone */
  struct mail mail;
  struct mailbox *home;
  uint64_t form, seq;
  struct blob *bytes;
  struct err err; /* home: a failure costs time at the next start, nothing else */
};

/* --- what was predicted, and what came of it -------------------------------------------------- */

/* Written when nothing more urgent is there, a few at a time: home when all of it is. */
struct letter_predictions {
  struct mail mail;
  struct mailbox *home;
  struct prediction *rows; /* the sender's */
  uint32_t n_rows;
  const struct prediction_owner *owners; /* of each model that a row names */
  uint32_t n_owners;
  struct arena arena; /* holds the owners */
  struct input_sample *inputs; /* the sender's; of some of the rows, ascending */
  uint32_t n_inputs;
  /* Home: */
  uint32_t dropped; /* rows that were not written: ids that were there, no room, no disk */
  /* The scribe's while it is there: */
  struct letter_predictions *behind;
  uint32_t done;
};

struct letter_feedback { /* all or none */
  struct mail mail;
  struct mailbox *home;
  struct slice tenant;
  struct feedback *items;
  uint32_t n_items; /* up to FEEDBACK_MAX */
  int64_t now_ms;
  /* Home: the states are filled, or why nothing changed; with a field, that of items[bad] */
  struct err err;
  uint32_t bad;
  void *desk_state;
};

/* Reads, and may take its time over it; store/outcome.h says what it answers. */
struct letter_measure {
  struct mail mail;
  struct mailbox *home;
  struct slice tenant, model; /* of control's catalog */
  uint32_t release;
  int64_t from_ms, since_ms, mature_ms, maturity_ms;
  double cap, covariate_cap;
  /* Home: */
  struct err err;
  int64_t took_us;
  struct outcome_sums arms[ARMS_MAX];
  void *control_state;
};

/* --- models in and out of memory -------------------------------------------------------------- */

struct loaded; /* a model in memory: infer/loaded.h */

struct letter_load {
  struct mail mail;
  struct mailbox *home;
  struct slice tenant, model;
  uint32_t version;
  struct slice engine; /* empty: guess from the files */
  const struct event_file *files;
  uint32_t n_files;
  struct slice inspected; /* struct inspected's stamp; empty: it never was, as far as is known */
  int objects_fd; /* directory of artifacts by digest: "ab/abcdef..." */
  /* what the serving version has, or NULL; a difference is logged, not refused */
  const struct contract *expected;
  struct fault fault; /* a rehearsal's; zeroed: none */
  /* Home: */
  struct err err;
  struct loaded *loaded;    /* control's until UNLOAD */
  struct contract contract; /* in `arena` */
  struct slice engine_used, platform;
  uint64_t memory_bytes;
  int64_t load_us, run_ns, deadline_us;
  uint32_t instances; /* asked for by the model's slipway.yaml; 0: default */
  int64_t feedback_ms; /* the same: predictions are kept that long; 0: they are not */
  struct batch_spec batch; /* the same */
  enum runs_on runs_on;    /* the same */
  bool fallback;        /* the same: as in struct version */
  int64_t cache_ttl_us; /* the same */
  uint64_t cache_bytes_max;
  uint32_t n_golden;   /* examples that agreed */
  struct arena arena;
  void *control_state;
};

/* The golden examples once more, on a model that is in memory: the way back of a release. Goes to
 * the job that loaded it, before its UNLOAD. */
struct letter_check {
  struct mail mail;
  struct mailbox *home;
  struct loaded *loaded;
  const struct event_file *file; /* golden.jsonl */
  int objects_fd;
  /* Home: */
  struct err err;
  uint32_t n; /* examples that agreed */
  uint32_t release; /* control's */
  void *control_state;
};

/* What a model was found to be by the sandboxed process that loaded it first (jobs/inspect). */
enum { INSPECT_WORD_MAX = 64 };
struct inspected {
  char engine[INSPECT_WORD_MAX];
  char stamp[INSPECT_WORD_MAX]; /* of rules and engine: where it differs, it is looked at again */
  uint64_t memory_bytes;        /* resident, loaded and warm, beside the process itself */
  uint64_t memory_peak_bytes;   /* the most while that went on, files included */
  int64_t load_us, run_ns;      /* run_ns 0: zeros are not what it takes */
  uint32_t n_golden;            /* examples that agreed */
};

enum wall { /* what stood around the process */
  WALL_SECCOMP = 1 << 0,    /* system calls by a list */
  WALL_LANDLOCK = 1 << 1,   /* no file can be opened */
  WALL_PRIVILEGES = 1 << 2, /* none, and none to be had */
  WALL_MEMORY = 1 << 3,     /* address space is limited */
  WALLS_LEAST = WALL_SECCOMP | WALL_PRIVILEGES, /* without these there are none */
};

struct letter_inspect {
  struct mail mail;
  struct mailbox *home;
  struct slice tenant, engine; /* engine empty: guess from the files */
  const struct event_file *files;
  uint32_t n_files; /* 0: only the walls are tried */
  bool fresh;       /* not from memory of what was found before */
  /* Home: */
  struct err err;
  struct inspected found;
  uint32_t walls, landlock_abi;
  /* The inspector's while it is there: */
  struct letter_inspect *behind;
  void *desk_state;
};

struct letter_unload {
  struct mail mail;
  struct mailbox *home;
  struct loaded *loaded;
  void *control_state;
};

/* A message to somebody's webhook: what happened, as JSON (jobs/notify.h). */
struct letter_notify {
  struct mail mail;
  struct mailbox *home;
  struct slice id;        /* webhook-id; the three in `arena` */
  struct slice url, body;
  bool ours;              /* the configuration names the URL, and not somebody's plan */
  int64_t since_ms;       /* control's: when a message of the process before was made */
  struct arena arena;
  struct err err;
  void *control_state;
};

struct letter_lane { /* LANE_OPEN and LANE_CLOSE */
  struct mail mail;
  struct mailbox *home;
  struct loaded *loaded;
  struct lane *lane; /* OPEN: made by the owner; CLOSE: given back; no task is in it */
  struct err err;
  void *control_state;
};

struct letter_settings { /* home: nobody there reads the settings of before any more */
  struct mail mail;
  struct mailbox *home;
  const struct settings *settings;
};

struct letter_pressure {
  struct mail mail;
  struct mailbox *home;
  struct pressure_readings readings;
};

struct letter_note { /* STOP, DRAIN */
  struct mail mail;
  struct mailbox *home;
  int64_t deadline_us;
};

#endif
