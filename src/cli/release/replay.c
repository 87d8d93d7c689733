/* replay.c - fetches what the judge saw of a release, judges it again, compares.
 * Thread: main (own).
 * Every number of a verdict is written with as many digits as its bits need, so equal texts are
 * equal bits. What a verdict says beside its evidence (names of segments, request ids, the hash of
 * the plan) is not judged and not compared; what a later version says besides is not, either.
 * SPDX-License-Identifier: MIT */
#include "cli/release/replay.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/out.h"
#include "cli/release/rejudge.h"

enum { EXIT_DIFFERS = 8, LOOKS_PAGE = 1000, DIFFERENCES_SHOWN = 10 };

struct replaying {
  const struct cli *cli;
  struct client *client;
  const char *path;
  json_t *recorded; /* "look" -> [verdict] */
  struct rejudge *rejudge;
  uint64_t looks, next;                  /* judged; the next to fetch */
  uint32_t recorded_n, verdicts, differ; /* in the ledger; judged again; not the same */
  uint32_t older;                        /* recorded by a judge of another version */
  json_t *differences;
};

/* ---- what was recorded ---- */

static const char *const beside[] = {"sample_request_ids", "spec_hash", "judge"};

static void segments_forget(json_t *gates)
{
  json_t *gate;
  size_t i;
  json_array_foreach(gates, i, gate) json_object_del(gate, "segment");
}

static json_t *evidence_of(const json_t *verdict)
{
  json_t *copy = json_deep_copy(verdict);
  for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) json_object_del(copy, beside[i]);
  segments_forget(json_object_get(copy, "gates"));
  segments_forget(json_object_get(copy, "closed"));
  return copy;
}

/* Members that the recorded object does not have. */
static void members_trim(const json_t *was, json_t *is)
{
  const char *key;
  json_t *value;
  void *next;
  json_object_foreach_safe(is, next, key, value)
  {
    if (!json_object_get(was, key)) json_object_del(is, key);
  }
}

/* Whether all that was recorded came out again. What a later slipway says besides (members, gates
 * behind the ones there were) nobody recorded, so it is not compared. */
static bool is_same(const json_t *was, const json_t *whole)
{
  static const char *const lists[] = {"gates", "closed"};
  json_t *is = json_deep_copy(whole), *gates = json_object_get(is, "gates");
  members_trim(was, is);
  while (json_array_size(gates) > json_array_size(json_object_get(was, "gates")))
    json_array_remove(gates, json_array_size(gates) - 1);
  for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
    const json_t *before = json_object_get(was, lists[k]), *now = json_object_get(is, lists[k]);
    for (size_t i = 0; i < json_array_size(now); i++)
      members_trim(json_array_get(before, i), json_array_get(now, i));
  }
  bool same = json_equal(was, is);
  json_decref(is);
  return same;
}

static void recorded_collect(struct replaying *replaying, const json_t *release)
{
  size_t i;
  const json_t *move;
  json_array_foreach(json_object_get(release, "moves"), i, move)
  {
    char key[24];
    const json_t *verdict = json_object_get(move, "verdict");
    if (!json_is_integer(json_object_get(verdict, "look"))) continue;
    snprintf(key, sizeof key, "%llu", (unsigned long long)get_u64(verdict, "look"));
    json_t *list = json_object_get(replaying->recorded, key);
    if (!list) {
      list = json_array();
      json_object_set_new(replaying->recorded, key, list);
    }
    json_array_append_new(list, evidence_of(verdict));
    uint64_t judge = get_u64(verdict, "judge");
    replaying->older += (judge ? judge : 1) != rejudge_version();
    replaying->recorded_n++;
  }
}

/* ---- judging again ---- */

static void difference_add(struct replaying *replaying, uint64_t look, const json_t *was,
                           const json_t *is)
{
  replaying->differ++;
  if (json_array_size(replaying->differences) >= DIFFERENCES_SHOWN) return;
  json_array_append_new(replaying->differences, json_pack("{s:I,s:O,s:O}", "look", (json_int_t)look,
                                                          "recorded", was, "replayed", is));
}

static void look_compare(struct replaying *replaying, uint64_t look)
{
  char key[24];
  struct arena arena;
  size_t i;
  json_t *was;
  snprintf(key, sizeof key, "%llu", (unsigned long long)look);
  const json_t *list = json_object_get(replaying->recorded, key);
  if (!list) return;
  arena_init(&arena, 1 << 20, NULL);
  struct slice text = rejudge_verdict(replaying->rejudge, &arena);
  json_t *whole = json_loadb(text.at, text.len, 0, NULL);
  json_t *is = evidence_of(whole);
  json_array_foreach(list, i, was)
  {
    replaying->verdicts++;
    if (!is_same(was, is)) difference_add(replaying, look, was, is);
  }
  json_decref(is);
  json_decref(whole);
  arena_deinit(&arena);
}

static enum code row_judge(struct replaying *replaying, const json_t *row, struct buf *bytes,
                           struct err *err)
{
  bool judged;
  uint64_t look;
  buf_reset(bytes);
  if (buf_unhex(bytes, slice_str(get_str(row, "hex"))))
    return fail(err, E_UNAVAILABLE, "the journal's row %llu is not hex; is it slipway?",
                (unsigned long long)get_u64(row, "look"));
  struct slice rest = buf_lend(bytes);
  while (rest.len) {
    if (rejudge_next(replaying->rejudge, &rest, &judged, &look, err) != OK) return err->code;
    if (!judged) continue;
    replaying->looks++;
    look_compare(replaying, look);
  }
  replaying->next = get_u64(row, "look") + 1;
  return OK;
}

/* One page of the journal. *n: how many rows it had. */
static enum code page_judge(struct replaying *replaying, size_t *n, struct err *err)
{
  char path[CLIENT_PATH_MAX];
  struct answer answer = {0};
  struct buf bytes;
  size_t i;
  json_t *row;
  snprintf(path, sizeof path, "%s/looks?from=%llu&limit=%d", replaying->path,
           (unsigned long long)replaying->next, LOOKS_PAGE);
  enum code code = client_call(replaying->client, "GET", path, SLICE_NONE, 0, &answer, err);
  const json_t *rows = json_object_get(answer.json, "looks");
  *n = json_array_size(rows);
  buf_init(&bytes, 1 << 20);
  if (code == OK) json_array_foreach(rows, i, row)
    {
      code = row_judge(replaying, row, &bytes, err);
      if (code != OK) break;
    }
  buf_deinit(&bytes);
  answer_free(&answer);
  return code;
}

/* ---- telling ---- */

static int result_print(const struct replaying *replaying, const char *name)
{
  uint32_t missing = replaying->recorded_n - replaying->verdicts;
  int rc = replaying->differ || missing ? EXIT_DIFFERS : 0;
  if (replaying->cli->args.json) {
    json_t *tree =
        json_pack("{s:s,s:I,s:i,s:i,s:i,s:i,s:b,s:O}", "release", name, "looks",
                  (json_int_t)replaying->looks, "verdicts", (int)replaying->verdicts, "differ",
                  (int)replaying->differ, "missing", (int)missing, "older", (int)replaying->older,
                  "equal", rc == 0, "differences", replaying->differences);
    out_json(tree);
    json_decref(tree);
    return rc;
  }
  printf("release %s: %llu looks judged again, %u recorded verdicts: ", name,
         (unsigned long long)replaying->looks, replaying->recorded_n);
  if (rc == 0)
    printf("%s\n", replaying->verdicts ? "all the same, bit for bit" : "none was recorded");
  if (missing) printf("%u WITHOUT LOOKS that led to them\n", missing);
  if (!replaying->differ) return rc;
  printf("%u DIFFER\n", replaying->differ);
  if (replaying->older)
    printf("%u were recorded by another version of the judge, which may have judged otherwise\n",
           replaying->older);
  size_t i;
  json_t *difference;
  json_array_foreach(replaying->differences, i, difference)
  {
    static const char *const sides[] = {"recorded", "replayed"};
    for (int s = 0; s < 2; s++) {
      printf("look %llu %s: ", (unsigned long long)get_u64(difference, "look"), sides[s]);
      out_text(slice_str(get_str(json_object_get(difference, sides[s]), "sentence")));
      putchar('\n');
    }
  }
  printf("see every number with: slipway release replay %s --json\n", name);
  return rc;
}

int replay_release(const struct cli *cli, const char *path, const char *name)
{
  struct err err;
  struct answer answer = {0};
  struct replaying replaying = {.cli = cli, .path = path};
  size_t n;
  int rc;
  if (client_new(&replaying.client, cli, &err) != OK) return cli_fail(cli, &err);
  replaying.recorded = json_object();
  replaying.differences = json_array();
  replaying.rejudge = rejudge_new();
  enum code code = client_call(replaying.client, "GET", path, SLICE_NONE, 0, &answer, &err);
  if (code == OK) recorded_collect(&replaying, answer.json);
  do n = 0;
  while (code == OK && (code = page_judge(&replaying, &n, &err)) == OK && n == LOOKS_PAGE);
  rc = code == OK ? result_print(&replaying, name) : cli_fail(cli, &err);
  answer_free(&answer);
  rejudge_free(replaying.rejudge);
  json_decref(replaying.recorded);
  json_decref(replaying.differences);
  client_free(replaying.client);
  return rc;
}
