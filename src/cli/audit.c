/* audit.c - `slipway audit`: the ledger out of a server into a file, and a file held against its
 * own hashes and against signed checkpoints. verify and what it rests on (wire/audit/chain.h) talk
 * to nobody.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/out.h"
#include "wire/audit/chain.h"

enum { LINE_BYTES_MAX = 16 << 20, CHECKPOINTS_MAX = 1 << 20 };

/* --- export ----------------------------------------------------------------------------------- */

struct exporting {
  FILE *file;
  uint64_t rows, next; /* next: the row to ask for; 0: all are there */
  bool begun;
  struct chain_row last;
};

/* One line of a page, with its line feed. The rows and the first page's first line are copied. */
static bool line_take(struct exporting *exporting, struct slice line)
{
  static const char row[] = "{\"hash\":\"";
  if (slice_starts(line, SLICE("{\"audit\":"))) {
    bool first = !exporting->begun;
    exporting->begun = true;
    return !first || fwrite(line.at, 1, line.len, exporting->file) == line.len;
  }
  if (slice_starts(line, SLICE("{\"more\":"))) {
    exporting->next = strtoull(line.at + 8, NULL, 10);
    return true;
  }
  if (slice_starts(line, SLICE("{\"end\":"))) return true;
  if (!slice_starts(line, SLICE(row)) || line.len < sizeof row + SHA256_HEX_LEN) return false;
  exporting->rows++;
  return digest_from_hex(slice_of(line.at + sizeof row - 1, SHA256_HEX_LEN),
                         &exporting->last.hash) &&
         fwrite(line.at, 1, line.len, exporting->file) == line.len;
}

/* The number of the last row, from its line. */
static uint64_t seq_of(struct slice line)
{
  static const char name[] = ",\"seq\":";
  for (size_t at = line.len; at-- > 0;)
    if (slice_starts(slice_from(line, at), SLICE(name)))
      return strtoull(line.at + at + sizeof name - 1, NULL, 10);
  return 0;
}

static enum code page_take(struct exporting *exporting, struct slice text, struct err *err)
{
  exporting->next = 0;
  while (text.len) {
    const char *feed = memchr(text.at, '\n', text.len);
    if (!feed) return fail(err, E_UNAVAILABLE, "the server's answer is cut; try again");
    struct slice line = slice_of(text.at, (size_t)(feed - text.at) + 1);
    uint64_t rows = exporting->rows;
    if (!line_take(exporting, line))
      return fail(err, errno == ENOSPC ? E_STORAGE_FULL : E_UNAVAILABLE,
                  "a line cannot be kept: %s", errno ? strerror(errno) : "is it slipway?");
    if (exporting->rows > rows) exporting->last.seq = seq_of(line);
    text = slice_from(text, line.len);
  }
  return OK;
}

static enum code pages_get(struct client *client, const struct cli *cli,
                           struct exporting *exporting, struct err *err)
{
  char path[128];
  exporting->next = args_given(&cli->args, "from") ? args_count(&cli->args, "from") : 1;
  while (exporting->next) {
    struct answer answer = {0};
    snprintf(path, sizeof path, "/api/v1/audit?limit=10000&from=%" PRIu64 "%s", exporting->next,
             args_given(&cli->args, "all") ? "&tenants=all" : "");
    errno = 0;
    enum code code = client_text(client, path, &answer, err);
    if (!code) code = page_take(exporting, buf_lend(&answer.body), err);
    answer_free(&answer);
    if (code) return code;
  }
  struct buf end;
  buf_init(&end, 1024);
  chain_end_write(&end, exporting->rows, &exporting->last);
  bool good = fwrite(end.at, 1, end.len, exporting->file) == end.len;
  buf_deinit(&end);
  return good ? OK : fail(err, E_STORAGE_FULL, "the file cannot be written: %s", strerror(errno));
}

/* Where the export goes: into a file beside NAME that takes its place when all of it is there, so
 * that a refusal leaves the export of before. What is no plain file (a pipe, a link) is written
 * itself. */
struct target {
  char beside[PATH_MAX]; /* empty: NAME itself is written */
  FILE *file;
};

static enum code target_open(struct target *to, const char *name, struct err *err)
{
  struct stat st;
  bool is_stdout = strcmp(name, "-") == 0;
  bool direct = is_stdout || (lstat(name, &st) == 0 && !S_ISREG(st.st_mode));
  int len = snprintf(to->beside, sizeof to->beside, "%s.XXXXXX", name);
  if (len < 0 || len >= (int)sizeof to->beside)
    return fail(err, E_INVALID_ARGUMENT, "the file's name is too long");
  if (direct) to->beside[0] = '\0';
  int fd = is_stdout ? dup(STDOUT_FILENO)
           : direct  ? open(name, O_WRONLY | O_TRUNC | O_CLOEXEC)
                     : mkostemp(to->beside, O_CLOEXEC);
  to->file = fd < 0 ? NULL : fdopen(fd, "w");
  if (to->file) return OK;
  return fail(err, E_INVALID_ARGUMENT, "'%s' cannot be written: %s", name, strerror(errno));
}

static enum code target_close(struct target *to, const char *name, enum code code, struct err *err)
{
  if (!to->file) return code;
  bool good = fflush(to->file) == 0 && (!to->beside[0] || fsync(fileno(to->file)) == 0);
  good = fclose(to->file) == 0 && good;
  if (!code && good && to->beside[0]) good = rename(to->beside, name) == 0;
  if (!code && !good)
    code = fail(err, E_STORAGE_FULL, "'%s' cannot be written: %s", name, strerror(errno));
  if (code && to->beside[0]) unlink(to->beside);
  return code;
}

static int audit_export(struct cli *cli, const char *name)
{
  struct err err = {.code = OK};
  struct client *client = NULL;
  struct exporting exporting = {0};
  struct target target = {.file = NULL};
  bool is_stdout = strcmp(name, "-") == 0;
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  enum code code = target_open(&target, name, &err);
  exporting.file = target.file;
  if (!code) code = pages_get(client, cli, &exporting, &err);
  code = target_close(&target, name, code, &err);
  client_free(client);
  if (code) return cli_fail(cli, &err);
  char hash[SHA256_HEX_LEN + 1];
  digest_hex(&exporting.last.hash, hash);
  if (!is_stdout && cli->args.json) {
    json_t *tree = json_pack("{s:I,s:I,s:s}", "rows", (json_int_t)exporting.rows, "last_seq",
                             (json_int_t)exporting.last.seq, "hash", hash);
    out_json(tree);
    json_decref(tree);
  } else if (!is_stdout) {
    printf("%" PRIu64 " events up to %" PRIu64 " are in %s\nhead %s\n", exporting.rows,
           exporting.last.seq, name, hash);
  }
  return 0;
}

/* --- verify ----------------------------------------------------------------------------------- */

struct witnesses {
  struct checkpoint *all;
  uint32_t n, cap;
  struct digest key; /* that signed them all */
};

static int checkpoint_order(const void *a, const void *b)
{
  const struct checkpoint *x = a, *y = b;
  return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static enum code checkpoint_take(struct witnesses *to, const struct chain_check *check,
                                 struct slice line, bool key_known, struct err *err)
{
  struct checkpoint one;
  enum code code = checkpoint_read(line, &one, err);
  if (code == E_BAD_JSON) return OK; /* a line that a crash cut off */
  if (code) return code;
  if (!key_known && !to->n) to->key = one.key;
  if (memcmp(&one.key, &to->key, sizeof one.key) != 0)
    return fail(err, E_CHAIN_BROKEN, "the checkpoint of event %" PRIu64
                " is signed with another key", one.seq);
  if (one.all != check->all || (!one.all && strcmp(one.tenant, check->tenant) != 0)) return OK;
  if (to->n == CHECKPOINTS_MAX) return fail(err, E_LIMIT_EXCEEDED, "too many checkpoints");
  if (to->n == to->cap) {
    to->cap = to->cap ? 2 * to->cap : 64;
    to->all = grab_more(to->all, to->cap * sizeof *to->all);
  }
  to->all[to->n++] = one;
  return OK;
}

/* Hands each line to take, without its line feed; the last one may lack it. */
typedef enum code (*line_fn)(void *arg, struct slice line, struct err *err);
static enum code lines_read(const char *name, line_fn take, void *arg, struct err *err)
{
  FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
  char chunk[1 << 16];
  struct buf line;
  enum code code = OK;
  if (!file) return fail(err, E_NOT_FOUND, "'%s' cannot be read: %s", name, strerror(errno));
  buf_init(&line, LINE_BYTES_MAX);
  while (!code && fgets(chunk, sizeof chunk, file)) {
    size_t len = strlen(chunk); /* a NUL in it cuts the line, which then is none of ours */
    bool whole = len && chunk[len - 1] == '\n';
    if (buf_add(&line, slice_of(chunk, whole ? len - 1 : len)))
      code = fail(err, E_LIMIT_EXCEEDED, "'%s' has a line of over %d MiB", name,
                  LINE_BYTES_MAX >> 20);
    if (code || !whole) continue;
    code = take(arg, buf_lend(&line), err);
    buf_reset(&line);
  }
  if (!code && line.len) code = take(arg, buf_lend(&line), err);
  buf_deinit(&line);
  if (file != stdin) fclose(file);
  return code;
}

struct verifying {
  const struct cli *cli;
  const char *checkpoints; /* a file; NULL: none */
  struct chain_check check;
  struct witnesses witnesses;
  bool key_known;
};

static enum code checkpoint_line(void *arg, struct slice line, struct err *err)
{
  struct verifying *verifying = arg;
  return checkpoint_take(&verifying->witnesses, &verifying->check, line, verifying->key_known,
                         err);
}

/* The first line says whose file it is: then the checkpoints that count are known. */
static enum code verify_line(void *arg, struct slice line, struct err *err)
{
  struct verifying *verifying = arg;
  struct chain_check *check = &verifying->check;
  struct witnesses *witnesses = &verifying->witnesses;
  bool first = !check->begun;
  if (chain_check_line(check, line, err)) return err->code;
  if (!first || !verifying->checkpoints) return OK;
  if (lines_read(verifying->checkpoints, checkpoint_line, verifying, err)) return err->code;
  if (witnesses->n)
    qsort(witnesses->all, witnesses->n, sizeof *witnesses->all, checkpoint_order);
  check->checkpoints = witnesses->all;
  check->n_checkpoints = witnesses->n;
  return OK;
}

static void verified_print(const struct verifying *verifying)
{
  const struct chain_check *check = &verifying->check;
  const struct witnesses *witnesses = &verifying->witnesses;
  char hash[SHA256_HEX_LEN + 1], key[SHA256_HEX_LEN + 1];
  digest_hex(&check->hash, hash);
  digest_hex(&witnesses->key, key);
  if (verifying->cli->args.json) {
    json_t *tree = json_pack("{s:b,s:I,s:I,s:I,s:s,s:i,s:I}", "holds", 1, "rows",
                             (json_int_t)check->rows, "first_seq", (json_int_t)check->first_seq,
                             "last_seq", (json_int_t)check->seq, "hash", hash, "checkpoints",
                             (int)check->agreed, "witnessed_seq", (json_int_t)check->agreed_seq);
    json_object_set_new(tree, "whole", json_boolean(check->whole));
    json_object_set_new(tree, "key", witnesses->n ? json_string(key) : json_null());
    out_json(tree);
    json_decref(tree);
    return;
  }
  printf("%" PRIu64 " events of %s%s, %" PRIu64 " to %" PRIu64 ": each is what it was\nhead %s\n",
         check->rows, check->all ? "all tenants" : "tenant ", check->tenant, check->first_seq,
         check->seq, hash);
  if (check->rows && !check->whole)
    printf("events before %" PRIu64 " are not in this file\n", check->first_seq);
  if (check->agreed) {
    char at[25];
    clock_text(witnesses->all[check->met - 1].at_ms, at);
    printf("%u signed checkpoints agree, the newest of event %" PRIu64 " at %s\nsigned with %s%s\n",
           check->agreed, check->agreed_seq, at, key,
           verifying->key_known ? "" : ": is that your server's key? (slipway audit key)");
  } else {
    printf("%s: that the end was cut off, or all written anew, cannot be told; keep the head "
           "elsewhere, or run the server with --audit-checkpoint\n",
           verifying->checkpoints ? "no checkpoint is of these events" : "without checkpoints");
  }
}

static int audit_verify(struct cli *cli, const char *name)
{
  struct err err = {.code = OK};
  const char *key = args_text(&cli->args, "key");
  struct verifying verifying = {.cli = cli, .checkpoints = args_text(&cli->args, "checkpoint")};
  verifying.key_known = key != NULL;
  if (key && !digest_from_hex(slice_str(key), &verifying.witnesses.key))
    fail(&err, E_INVALID_ARGUMENT, "--key takes 64 hex digits: what 'slipway audit key' prints");
  if (!err.code && lines_read(name, verify_line, &verifying, &err) == OK &&
      chain_check_end(&verifying.check, &err) == OK)
    verified_print(&verifying);
  ungrab(verifying.witnesses.all);
  return err.code ? cli_fail(cli, &err) : 0;
}

/* --- the command ------------------------------------------------------------------------------ */

static int audit_key(struct cli *cli)
{
  struct answer answer;
  int rc = client_once(cli, "GET", "/api/v1/audit/key", NULL, &answer);
  if (rc == 0 && cli->args.json)
    out_json(answer.json);
  else if (rc == 0)
    printf("%s\n", get_str(answer.json, "key"));
  answer_free(&answer);
  return rc;
}

int command_audit(struct cli *cli)
{
  static const struct opt opts[] = {
      {"from", 0, OPT_COUNT, "SEQ", "export: from this event on [1]"},
      {"all", 0, OPT_SWITCH, NULL, "export: of all tenants in one chain; an operator's"},
      {"checkpoint", 0, OPT_TEXT, "FILE", "verify: signed checkpoints, kept elsewhere"},
      {"key", 0, OPT_TEXT, "HEX", "verify: the key they must be signed with"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  int rc;
  if (!cli_args(cli, opts, 1, 2, &rc)) return rc;
  const char *verb = cli->args.words[0], *file = cli->args.n_words > 1 ? cli->args.words[1] : NULL;
  if (strcmp(verb, "export") == 0 && file) return audit_export(cli, file);
  if (strcmp(verb, "verify") == 0 && file) return audit_verify(cli, file);
  if (strcmp(verb, "key") == 0 && !file) return audit_key(cli);
  fail(&err, E_INVALID_ARGUMENT,
       "it is: slipway audit export FILE, slipway audit verify FILE, or slipway audit key");
  return cli_fail(cli, &err);
}
