/* call.h - one request on its way: what it asks, the memory it lives in, the task it lends to a
 * lane, the answer it becomes. Calls are a pool of their loop's; a call is everything the loop
 * must keep while somebody else (a lane owner, a desk) holds a letter of it.
 *
 *   FREE --path_begin--> OPEN --body stage--> BODY --path_resume--> OPEN --submit--> LENT
 *                         |                                                            |
 *                         |        OPEN <--------- path_resume (ANSWER is home) -------+
 *                         |          |                                                 |
 *                         |          |                                     client left,|
 *                         +----------+--> DONE (the answer is in call->answer)  deadline|
 *                                          |                                           v
 *                                          +------path_end--> FREE <-- ANSWER home -- GONE
 *
 * Between OPEN and OPEN it may be WAKING: its version rests, and comes back into memory (wake.c);
 * or FOLLOWS: an equal request is being run, and it waits for that one's answer (recall.c); or ASKS
 * the cache's second level, for some milliseconds at most. When its client leaves then, it is DONE,
 * or GONE until the LANDED that is on its way has come.
 *
 * Thread: its loop. Only `task` crosses, as the letter it is, and only while LENT or GONE.
 * Memory: `arena` holds head, body, tensors and answer. The connection reads a head into an arena
 * of its own and gives its memory to the call with path_begin; path_end empties it. `scratch` is
 * lent with the task.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_CALL_H
#define SERVE_CALL_H

#include "base/list.h"
#include "serve/body.h"
#include "serve/cache/flight.h"
#include "serve/far/far.h"
#include "serve/quota/take.h"
#include "wire/http.h"
#include "wire/infer/infer.h"
#include "wire/infer/predict_v1.h"
#include "wire/zip.h"
#include "world/letters.h"

struct serve;
struct lease;
struct brake;

enum call_state { CALL_FREE, CALL_OPEN, CALL_BODY, CALL_WAKING, CALL_FOLLOWS, CALL_ASKS,
                  CALL_LENT, CALL_GONE, CALL_DONE };

/* V2 JSON or binary, V2 raw (Inference-Header-Content-Length: 0), V1 predict. */
enum call_form { FORM_V2, FORM_RAW, FORM_V1 };

/* What goes out. Slices live in the call's arena, its scratch, or are literals. */
struct answer {
  int status;
  enum code code; /* OK, or the error this answer tells about */
  const char *content_type;
  const char *encoding;        /* "gzip", "deflate"; NULL: none */
  const char *accept_encoding; /* of a 415; NULL: none */
  uint32_t retry_after_s;      /* 0: none */
  uint32_t retry_after_ms;     /* x-slipway-retry-after-ms; 0: none */
  bool has_json_length;        /* Inference-Header-Content-Length: json_length */
  size_t json_length;
  struct slice model, version; /* x-slipway-model, -version; len 0: none */
  const char *arm;             /* x-slipway-arm; NULL: none */
  uint32_t release;            /* x-slipway-release: its model and this number; 0: none */
  const char *cache;           /* x-slipway-cache; NULL: none */
  struct slice allow, etag;    /* of the control plane's answers; len 0: none */
  struct slice fields;         /* the same: whole lines */
  struct slice *parts;         /* the body */
  uint32_t n_parts;
  size_t bytes; /* of all parts: Content-Length */
  bool endless; /* no Content-Length: the body ends with the connection, and is not to be kept */
};

/* Where an answer came from that no run of this call made: of the cache, of another's run. */
enum recalled { RECALL_NOT, RECALL_HIT, RECALL_SHARED };

/* What a call has to do with the prediction cache (recall.c). */
struct recall {
  enum recalled how;
  bool fills;   /* its answer is to be kept */
  bool leads;   /* others may wait for its run */
  bool follows; /* it waits for another's, or is being told of it */
  bool asks;    /* the second level, or is being told what that has */
  bool named;   /* ask.name is there */
  int64_t ns;   /* what looking and keeping took */
  struct flight flight;
  struct far_ask ask;
};

enum { REQUEST_ID_MAX = ERR_ID_MAX };

/* What a connection knows of a request, and all that it says of it. */
struct call_came {
  void *client;                          /* the connection */
  const struct http_head *head;          /* the connection's; valid while it waits */
  const struct tenant *tenant;           /* the newest world's, by serve/who.h; NULL: none */
  struct slice model_name, version_text; /* of the path; version_text.at NULL: not named */
  struct slice request_id;               /* up to REQUEST_ID_MAX; copied */
  bool v1;
  uint64_t body_max;
};

/* Connections read state, body, answer and bytes; everything is written in this room alone. A call
 * is a recycled slot: path_begin zeroes all of it before error_json, so no field can keep what the
 * caller before left in it. */
struct call {
  enum call_state state;
  uint8_t stage; /* the row of the path it is in */
  struct serve *serve;
  struct lease *lease; /* keeps `world` alive */
  const struct world *world;
  void *client;     /* came.client while it waits; NULL: nobody does */
  struct link link; /* serve->lent while LENT or FOLLOWS, serve->waking while WAKING */
  struct call_came came;
  struct arena arena;
  char request_id[REQUEST_ID_MAX];
  uint8_t request_id_len;
  int64_t began_us; /* the head was whole */

  /* The body: arrives while BODY. */
  struct body body;
  struct slice plain; /* the body, decoded */

  /* What the stages found. */
  struct slice model_name; /* as came; the world's own once it is found */
  const struct model *model;
  const struct version *version;
  /* What a split by request draws with: ours, since a client that chooses its request id would
   * choose its arm, and could show the judge what it likes. */
  uint64_t lot;
  const struct arm *arm;     /* NULL: the version was named */
  const struct split *split; /* the release it was chosen by; NULL: none runs, or it was named */
  bool copied;               /* a shadow gets the request once stable has answered it */
  uint64_t unit;             /* the hash of what the lot was drawn with, where it is evidence */
  bool counts;               /* the answer is evidence: chosen by lot, or no release runs */
  uint64_t probe;            /* it tries a version: the opening's number; 0: it does not */
  bool costs;                /* of a release: its CPU time is measured */
  bool tries;                /* let through to see whether its version is quick again */
  enum zip_coding coding, answer_coding;
  enum call_form form;
  enum task_class class; /* as asked for: by header, or by priority; else interactive */
  enum predict_form predict;
  struct infer_request request;
  uint64_t rows;
  int64_t asked_us; /* how long the client would wait, by header or parameter; 0: not said */
  int64_t deadline_us;
  struct {                /* WAKING: what is waited for, of no world */
    struct slice tenant;  /* its name, and the model's in model_name: in the arena */
    uint32_t slot, naps;  /* the model's; of the version when the waiting began */
    uint32_t version;
    bool named;           /* by the client, and not by lot */
  } wake;
  uint64_t bytes_counted; /* of the bodies' budget */
  struct brake *brake;    /* that the task which is out counts in; NULL: none */
  uint32_t crowd;         /* the slot of the tenant it counts as, plus one; 0: it does not */
  uint8_t seat;           /* where the task is, as its limit counts seats */
  struct taken taken;     /* of the tenant's and the model's quotas */

  struct recall recall;

  struct task task;
  /* the task's; from the loop's blocks for residents, else from the heap */
  struct arena scratch;
  struct err err; /* why it failed; code OK: it did not */
  struct answer answer;
  struct slice part_one; /* room for a body of one part */
  char version_digits[TEXT_NUMBER_MAX];
  char error_json[ERR_JSON_MAX]; /* last: not zeroed */
};

static inline struct slice call_id(const struct call *call)
{
  return slice_of(call->request_id, call->request_id_len);
}

#endif
