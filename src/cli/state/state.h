/* state.h - what plan and apply read: files that say what tenants are to be like.
 * Thread: main (own).
 *
 *   tenant: acme                  # whose; else the caller's own
 *   about: the fraud team         # these two are an operator's to change
 *   quotas: {requests_per_second: 100, stored_bytes: 10GiB}
 *   models:
 *     fraud:
 *       path: fraud/              # a file or folder beside this; or digest: HEX, or version: 3
 *       engine: onnx              # with path: of the version, when it is made; note: too
 *       description: scores card payments
 *       tags: {team: risk}        # hold: and pin: are texts, too
 *       quotas: {requests_per_second: 50}
 *       aliases: {champion: this, last-good: 2}   # or a list of names for the version above
 *       deploy: now               # none, shadow, canary, bluegreen, {strategy: ab, plan: FILE}
 *   flags:                        # flagd's definitions by key; or the name of such a file
 *     new-ranker: {state: ENABLED, variants: {on: true, off: false}, defaultVariant: off}
 *
 * A folder is all its *.yaml and *.yml, not those of folders in it; files about one tenant add up,
 * and no model or flag may stand in two of them.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_STATE_STATE_H
#define CLI_STATE_STATE_H

#include "cli/registry/files.h"
#include "wire/json_out.h"
#include "wire/yaml.h"

enum { DOCS_MAX = 1000, DECLARATION_BYTES_MAX = 256 << 20, REQUEST_BYTES_MAX = 1 << 20 };

struct doc {
  const char *path, *folder; /* folder: what its paths are seen from, with a slash or empty */
  const struct yaml *root;
};

/* A member of a document: the key is node->key. */
struct item {
  const struct doc *doc;
  const struct yaml *node; /* NULL: not said */
  struct model_files files; /* of a model with a path */
};

struct items {
  struct item *at;
  uint32_t n, cap;
  bool said; /* the section is there, be it empty */
};

/* What is said of one tenant. */
struct wish {
  struct slice tenant;
  struct item head, about, quotas; /* head: the member `tenant` */
  struct items models, flags;
};

struct declaration {
  struct arena arena;
  struct doc *docs;
  struct wish *wishes;
  uint32_t n_docs, n_wishes;
};

/* own: the tenant of files that name none. Files of models are found, not hashed. Errors begin with
 * "FILE:LINE:COLUMN: ". The declaration is to be deinited in either case. */
CHECKED enum code declaration_read(struct declaration *declaration, const char *path,
                                   struct slice own, struct err *err);
/* Of one text; name stands for its file in errors. */
CHECKED enum code declaration_read_text(struct declaration *declaration, struct slice text,
                                        const char *name, struct err *err);
/* Sizes and digests of all models' files. */
CHECKED enum code declaration_hash(struct declaration *declaration, struct err *err);
void declaration_deinit(struct declaration *declaration);

/* YAML as JSON: a plain scalar is null, true, false, a number or else a string. */
void node_write(struct json_out *out, const struct yaml *node);
/* The request's body. whole: models and flags, too; plan: the digest of what was looked at (or
 * NULL). E_BODY_TOO_LARGE names the limit. */
CHECKED enum code wish_write(const struct wish *wish, struct arena *arena, bool whole, bool prune,
                             const char *plan, struct slice *body, struct err *err);
/* The server's field ("models.fraud.tags") as "FILE:LINE:COLUMN: " before the error's text, where
 * it is in one of the files. */
void wish_place(const struct wish *wish, struct err *err);
const struct item *wish_model(const struct wish *wish, const char *name); /* NULL: none */
/* The strategy's word of a model's entry, and the plan file it names, as a path (at NULL: none). */
void wish_release(const struct item *model, struct arena *arena, struct slice *strategy,
                  struct slice *plan);

/* What the tenant is like, on stdout as a file (with --json: as the body that plan and apply take);
 * returns the exit code. */
int state_export(const struct cli *cli);

/* A plan's changes, a line each; returns how many. */
size_t changes_print(const json_t *plan);

#endif
