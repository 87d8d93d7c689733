/* demo_tenants.c - the demo's second team: a tenant of its own, a limit that it runs into while the
 * first team's answers go on, and who answered when.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cli/demo/demo_int.h"
#include "cli/out.h"

enum { BURST = 40, RATE = 10 };

static const char wine_row[] =
    "{\"inputs\":[{\"name\":\"measurements\",\"datatype\":\"FP32\",\"shape\":[1,13],\"data\":"
    "[13.2,1.78,2.14,11.2,100,2.65,2.76,0.26,1.28,4.38,1.05,3.4,1050]}]}";

/* BURST predictions as fast as they go: how many were answered, and what the first refusal said. */
static enum code burst(struct client *client, uint32_t *answered, char said[ERR_TEXT_MAX],
                       struct err *err)
{
  said[0] = '\0';
  *answered = 0;
  for (int i = 0; i < BURST; i++) {
    struct answer answer;
    struct err why = {.code = OK};
    enum code code = client_call(client, "POST", "/v2/models/wine/infer", slice_str(wine_row), 10,
                                 &answer, &why);
    *answered += code == OK;
    if (code != OK && answer.status != 429) *err = why;
    if (code != OK && !said[0]) snprintf(said, ERR_TEXT_MAX, "%s", why.text);
    answer_free(&answer);
    if (err->code) return err->code;
  }
  return OK;
}

/* The same requests to both teams' model of the same name. */
static enum code limits_show(struct demo *demo, struct client *first, struct err *err)
{
  char said[ERR_TEXT_MAX], unsaid[ERR_TEXT_MAX];
  struct client *second;
  uint32_t acme, ours;
  setenv("SLIPWAY_TENANT", "acme", 1);
  enum code code = client_new(&second, demo->cli, err);
  unsetenv("SLIPWAY_TENANT");
  if (code) return code;
  if (burst(second, &acme, said, err) == OK) (void)!burst(first, &ours, unsaid, err);
  client_free(second);
  if (err->code) return err->code;
  printf("\n%d predictions at once from each team, to a model that both call wine:\n"
         "  default  %u answered\n"
         "  acme     %u answered, the others refused with 429:\n           %s\n",
         BURST, ours, acme, said);
  if (ours != BURST || acme == BURST || !acme)
    return fail(err, E_INTERNAL, "acme's limit of %d a second let %u through, and default %u", RATE,
                acme, ours);
  return OK;
}

/* Of the time before the first release: another version answered then. */
static enum code history_show(struct demo *demo, struct err *err)
{
  char when[32];
  time_t at = (time_t)(demo->first_ms / 1000);
  struct tm tm;
  gmtime_r(&at, &tm);
  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
  const char *const words[] = {"digits", "--at", when, NULL};
  return demo_step(demo, err, "history", words);
}

enum code demo_tenants(struct demo *demo, struct client *client, struct err *err)
{
  char folder[DEMO_PATH_MAX + 64], rate[16];
  snprintf(folder, sizeof folder, "%s/wine/model", demo->examples);
  snprintf(rate, sizeof rate, "%d", RATE);
  const char *const add[] = {"add", "acme", "--about", "another team", NULL};
  const char *const set[] = {"set", "acme", "--requests-per-second", rate, NULL};
  const char *const push[] = {"wine", folder, "--tenant", "acme", NULL};
  const char *const deploy[] = {"wine", "--wait", "--tenant", "acme", NULL};
  const char *const show[] = {"show", "acme", NULL};
  printf("\nA second team comes: its models, keys and limits are its own.\n");
  if (demo_step(demo, err, "tenant", add) || demo_step(demo, err, "tenant", set) ||
      demo_step(demo, err, "push", push) || demo_step(demo, err, "deploy", deploy) ||
      limits_show(demo, client, err) || demo_step(demo, err, "tenant", show))
    return err->code;
  printf("\nWho answered for digits before all that, since when, and by whose hand:\n");
  return history_show(demo, err);
}
