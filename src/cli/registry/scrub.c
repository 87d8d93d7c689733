/* scrub.c - `slipway scrub`: stored files read again, and what nobody needs taken away.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "cli/client.h"
#include "cli/out.h"

enum { EXIT_ROTTEN = 8 };

static void chores_print(const json_t *tree)
{
  const json_t *scrub = json_object_get(tree, "scrub"), *collect = json_object_get(tree, "collect");
  char text[OUT_NUMBER_MAX], when[OUT_NUMBER_MAX];
  if (json_is_string(json_object_get(scrub, "ended_at")))
    printf("all stored files were read last %s: %llu, %s, %llu damaged\n",
           out_time(json_object_get(scrub, "ended_at"), when),
           (unsigned long long)get_u64(scrub, "objects"), out_bytes(get_u64(scrub, "bytes"), text),
           (unsigned long long)get_u64(scrub, "rotten"));
  else
    puts("the stored files: not read yet");
  if (json_is_true(json_object_get(scrub, "running")))
    printf("they are being read again: %.0f %% done\n",
           100 * json_real_value(json_object_get(scrub, "done")));
  printf("what no version needs was taken away last %s: %llu files, %s, %llu unfinished uploads; "
         "%llu needed ones are missing\n",
         out_time(json_object_get(collect, "ended_at"), when),
         (unsigned long long)get_u64(collect, "objects"),
         out_bytes(get_u64(collect, "bytes"), text),
         (unsigned long long)get_u64(collect, "uploads"),
         (unsigned long long)get_u64(collect, "missing"));
}

int command_scrub(struct cli *cli)
{
  static const struct opt opts[] = {
      {"now", 0, OPT_SWITCH, NULL, "begin to read all stored files again"},
      {"collect", 0, OPT_SWITCH, NULL, "take away what no version needs, and say what went"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct answer answer;
  int rc;
  if (!cli_args(cli, opts, 0, 0, &rc)) return rc;
  bool now = args_given(&cli->args, "now"), collect = args_given(&cli->args, "collect");
  rc = 0;
  if (now) {
    rc = client_once(cli, "POST", "/api/v1/storage/scrub", json_object(), &answer);
    if (!collect || rc) goto told;
    answer_free(&answer);
  }
  rc = collect ? client_once(cli, "POST", "/api/v1/storage/collect", json_object(), &answer)
               : client_once(cli, "GET", "/api/v1/storage", NULL, &answer);
told:
  if (!rc && cli->args.json)
    out_json(answer.json);
  else if (!rc)
    chores_print(answer.json);
  if (!rc && get_u64(json_object_get(answer.json, "scrub"), "rotten")) rc = EXIT_ROTTEN;
  answer_free(&answer);
  return rc;
}
