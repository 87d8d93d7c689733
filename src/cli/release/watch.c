/* watch.c - `slipway deploy --wait`: the ramp and its gates as they go, then the verdict explained.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/release/watch.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/release/picture.h"

enum { WATCH_MS = 1000, WATCH_TROUBLES_MAX = 30 };

struct watch {
  const struct cli *cli;
  struct client *client;
  const char *model;
  uint64_t number;
  bool terminal;
  char last[PICTURE_LINE_MAX]; /* printed last: state, step and gates, without numbers */
  int troubles;                /* calls in a row that failed */
};

/* What must change for a new line where nobody sees the old one change. */
static void essence(const json_t *release, char to[PICTURE_LINE_MAX])
{
  const json_t *gate;
  size_t i, len;
  snprintf(to, PICTURE_LINE_MAX, "%s %llu", get_str(release, "state"),
           (unsigned long long)get_u64(release, "step"));
  json_array_foreach(json_object_get(json_object_get(release, "verdict"), "gates"), i, gate)
  {
    len = strlen(to);
    snprintf(to + len, PICTURE_LINE_MAX - len, " %s", get_str(gate, "state"));
  }
}

static void progress_print(struct watch *watch, const json_t *release)
{
  char line[PICTURE_LINE_MAX], now[PICTURE_LINE_MAX];
  picture_line(release, line);
  essence(release, now);
  if (watch->terminal)
    fprintf(stderr, "\r\033[K%.100s", line);
  else if (strcmp(now, watch->last) != 0)
    fprintf(stderr, "%s\n", line);
  memcpy(watch->last, now, sizeof now);
  fflush(stderr);
}

/* The end as the ledger tells it, when control speaks of a newer release. */
static int ended_elsewhere(struct watch *watch)
{
  struct answer answer = {0};
  struct err err;
  char path[CLIENT_PATH_MAX];
  int rc;
  if (client_path(path, &err, "/api/v1/releases/%s", watch->model) != OK)
    return cli_fail(watch->cli, &err);
  size_t len = strlen(path);
  snprintf(path + len, sizeof path - len, "/%llu", (unsigned long long)watch->number);
  if (client_call(watch->client, "GET", path, SLICE_NONE, 0, &answer, &err) != OK) {
    rc = cli_fail(watch->cli, &err);
  } else {
    (void)picture_is_over(answer.json, &rc);
    if (watch->cli->args.json)
      out_json(answer.json);
    else
      printf("release %llu: %s (%s)\n", (unsigned long long)watch->number,
             get_str(answer.json, "state"), get_str(answer.json, "why"));
  }
  answer_free(&answer);
  return rc;
}

static void outcome_print(const struct watch *watch, const json_t *release)
{
  if (watch->terminal) fprintf(stderr, "\r\033[K");
  if (watch->cli->args.json)
    out_json(release);
  else
    picture_print(release);
}

/* One look. False: there is more to come. */
static bool watch_once(struct watch *watch, const char *path, int *rc)
{
  struct answer answer = {0};
  struct err err;
  bool over = true;
  if (client_call(watch->client, "GET", path, SLICE_NONE, 0, &answer, &err) != OK) {
    /* A daemon that starts again resumes the release; so do we. */
    over = err.code != E_UNAVAILABLE && err.code != E_NOT_READY && err.code != E_DRAINING;
    over = over || ++watch->troubles >= WATCH_TROUBLES_MAX;
    *rc = over ? cli_fail(watch->cli, &err) : 0;
  } else if (get_u64(answer.json, "release") != watch->number) {
    *rc = ended_elsewhere(watch);
  } else {
    watch->troubles = 0;
    over = picture_is_over(answer.json, rc);
    if (over)
      outcome_print(watch, answer.json);
    else
      progress_print(watch, answer.json);
  }
  answer_free(&answer);
  return over;
}

int watch_release(const struct cli *cli, struct client *client, const char *model,
                  uint64_t number)
{
  struct watch watch = {.cli = cli, .client = client, .model = model, .number = number};
  struct err err;
  char path[CLIENT_PATH_MAX];
  int rc = 0;
  watch.terminal = isatty(STDERR_FILENO) == 1;
  if (client_path(path, &err, "/api/v1/models/%s/release", model) != OK)
    return cli_fail(cli, &err);
  while (!watch_once(&watch, path, &rc)) poll(NULL, 0, WATCH_MS);
  return rc;
}
