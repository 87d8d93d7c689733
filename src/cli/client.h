/* client.h - calls to a slipway's API.
 * Thread: main (own). libcurl; no redirects, no proxy for loopback, every call has a time limit.
 * Where, and the key that goes along as a bearer token: cli/settings.h.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>

#include "cli/command.h"
#include "cli/settings.h"

struct client;

enum { CLIENT_PATH_MAX = 1024, CLIENT_ANSWER_MAX = 256 << 20 };

struct answer {
  long status;
  struct buf body;
  json_t *json; /* the body; NULL only where the call failed */
};

CHECKED enum code client_new(struct client **client, const struct cli *cli, struct err *err);
/* The same, told where and with what key. */
CHECKED enum code client_new_with(struct client **client, const struct settings *settings,
                                  struct err *err);
void client_free(struct client *client);
const char *client_url(const struct client *client);
/* Whom an operator acts for; NULL: the key's own. */
const char *client_tenant(const struct client *client);
/* The key that goes along; NULL: none does. Gone with the client. */
const char *client_key(const struct client *client);

/* One call. body at NULL: none. seconds_max 0: 30 s. OK: a 2xx with JSON in the answer. Errors are
 * the server's, told by its code and text, or E_UNAVAILABLE when there is none to talk to. The
 * answer is the caller's to answer_free, in either case. */
CHECKED enum code client_call(struct client *client, const char *method, const char *path,
                              struct slice body, long seconds_max, struct answer *answer,
                              struct err *err);
/* What this client's calls wait for, a literal: a terminal is told after 2 s. NULL: nothing worth
 * telling. */
void client_waits(struct client *client, const char *what);
/* A GET whose 2xx is text, not JSON: answer->json is NULL then. */
CHECKED enum code client_text(struct client *client, const char *path, struct answer *answer,
                              struct err *err);
/* progress (or NULL) is told how many bytes went out. */
typedef void (*client_progress)(void *arg, uint64_t sent, uint64_t total);
struct upload {
  FILE *file; /* open; sent from where it stands */
  uint64_t bytes;
  const char *const *fields; /* more lines for the head, a NULL ends them; NULL: none */
  client_progress progress;
  void *arg;
};
/* One call whose body is of a file. Its answer as client_call's; it has no limit in time but stalls
 * end it. */
CHECKED enum code client_send(struct client *client, const char *method, const char *path,
                              const struct upload *upload, struct answer *answer,
                              struct err *err);
void answer_free(struct answer *answer);

/* "/v2/models/%s/infer" with each %s a word percent-encoded. E_BAD_NAME when it does not fit. */
CHECKED enum code client_path(char to[CLIENT_PATH_MAX], struct err *err, const char *fmt,
                              const char *word);
/* One call by a client of its own, with its error told: returns the exit code. The body (or NULL)
 * is taken; with one, up to 15 min may pass (loads). The answer is the caller's to answer_free, in
 * either case. */
int client_once(const struct cli *cli, const char *method, const char *path, json_t *body,
                struct answer *answer);
/* The members of all pages of GET path, which has no query, added to the list. */
CHECKED enum code client_pages(struct client *client, const char *path, const char *member,
                               json_t *list, struct err *err);
/* The same, shown: print is lent the whole list, or {"MEMBER":
 * [...]} goes out with --json. An error is told. Returns the exit code. */
int client_list(const struct cli *cli, const char *path, const char *member,
                void (*print)(const json_t *list));
/* What an answer that is no 2xx tells. */
enum code answer_error(const struct answer *answer, struct err *err);

#endif
