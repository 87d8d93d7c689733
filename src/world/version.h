/* version.h - one immutable version of a model as a request sees it. Part of a world: read-only.
 * Thread: any, once its world is sealed.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_VERSION_H
#define WORLD_VERSION_H

#include "base/contract.h"
#include "base/hash.h"
#include "base/text.h"
#include "world/batch.h"

struct blob;
struct lane;
struct mailbox;

/*   STORED --deploy--> LOADING --passed--> READY --replaced, unload--> STORED
 *                         |
 *                         +--refused--> FAILED --deploy--> LOADING
 *   READY --room is needed--> RESTING --somebody asks--> READY
 * A RESTING version serves; its memory does not: who asks waits until it is back, or its deadline
 * (serve/wake.c). */
enum version_state {
  VERSION_STORED,
  VERSION_LOADING,
  VERSION_READY,
  VERSION_FAILED,
  VERSION_RESTING
};
enum { VERSION_STATES = VERSION_RESTING + 1 };

/* Whether its calls fail so often that it gets none (control/guard/breaker.h), or a few to try it
 * by. */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* A place where a task of this version can be run: send the task to `owner`. */
struct seat {
  struct mailbox *owner;
  struct lane *lane; /* opaque outside infer */
};

struct version {
  uint32_t number; /* 1, 2, 3... per model */
  uint32_t slot;   /* its place in tallies; SLOT_NONE when it never served since start */
  enum version_state state;
  struct slice reason;   /* why FAILED, or why RESTING could not be woken; empty otherwise */
  enum code refused;     /* the error that goes with the reason; OK: none */
  uint32_t naps;         /* RESTING: how often that was so; more of them: for who waits, too */
  struct slice engine;   /* "onnx" */
  struct slice platform; /* "onnxruntime_onnx"; empty before READY */
  struct slice note;     /* what the person said at push */
  struct digest digest;  /* of the manifest: the version's identity */
  uint64_t bytes;        /* of all files */
  int64_t pushed_ms;     /* Unix time */
  uint64_t seq;          /* of the event that made it: its files are there */
  struct blob *card;     /* what people say of it; NULL: nothing */
  bool quarantined;      /* FAILED for that: reason says why (control/registry/quarantine.h) */
  bool corrupt;          /* a scrub found bytes that are not what was pushed */

  /* The rest is meaningful in READY, and but for seats in RESTING, if it ever was in memory
   * (contract.n_inputs). */
  struct contract contract;
  uint32_t features; /* of a request (feature.h) */
  const struct seat *seats;
  uint32_t n_seats;
  enum breaker_state breaker;
  int64_t breaker_until_us; /* OPEN: when it is tried, by clock_us */
  uint64_t trip;            /* which opening of all that there were */
  bool fallback;            /* stable answers who names this one while it is open */
  bool resident;         /* seat i is loop i's own: no hop; else any seat serves any loop */
  int64_t deadline_us;   /* default time a request may take */
  uint64_t memory_bytes; /* measured */
  int64_t load_us;       /* how long the load took */
  int64_t run_ns;        /* median of the warm-up runs; 0 when it could not be warmed */
  /* How long its predictions are kept for their outcomes, with a release or without (slipway.yaml's
   * feedback.window); 0: only a release's whose plan has a metric (outcome.h). */
  int64_t feedback_ms;
  struct batch_spec batch; /* of its slipway.yaml; no run is shared unless contract.batches */
  /* How long its answers are kept for who asks the same (serve/cache), and how many bytes of them
   * for the model; 0: they are not. */
  int64_t cache_ttl_us;
  uint64_t cache_bytes_max;
};

#define SLOT_NONE UINT32_MAX

/* A request for it gets an answer, if not at once. */
static inline bool version_answers(const struct version *version)
{
  return version->state == VERSION_READY || version->state == VERSION_RESTING;
}

/* A version as paths and command lines name it: false when text is no number (E_BAD_VERSION at
 * both planes). One that is greater than any version can be reads as 0, which no version is. */
static inline bool version_number_read(struct slice text, uint32_t *number)
{
  uint64_t value;
  if (!text_read_u64(text, UINT64_MAX, &value)) return false;
  *number = value > UINT32_MAX ? 0 : (uint32_t)value;
  return true;
}

#endif
