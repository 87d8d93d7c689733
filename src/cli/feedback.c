/* feedback.c - `slipway feedback MODEL`: how predictions turned out, one or a file of them; without
 * either, what is known so far.
 * Thread: main (own).
 * A file has one outcome a line: JSON objects as the API takes them, or CSV whose first line names
 * the columns request_id, outcome and perhaps at and weight. It goes in batches, each taken whole
 * or not at all; the first that is refused ends the command, and what went before stays told.
 * Telling again what was told changes nothing.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/out.h"

enum { BATCH_MAX = 1000, LINE_MAX_BYTES = 64 << 10, COLUMNS_MAX = 16, BATCH_SECONDS = 60 };
enum { PROGRESS_US = 2000000 };

static const char *const states[] = {"joined", "pending", "unknown", "same", "replaced"};
enum { STATES = sizeof states / sizeof *states, STATE_PENDING = 1, STATE_UNKNOWN = 2 };
enum column { COLUMN_OTHER, COLUMN_REQUEST, COLUMN_OUTCOME, COLUMN_AT, COLUMN_WEIGHT };

struct teller {
  const struct cli *cli;
  struct client *client;
  json_t *items; /* of the batch under way */
  uint64_t counts[STATES], told, line, first_line; /* first_line: of the batch */
  int64_t began_us, said_us;
  bool csv;
  enum column columns[COLUMNS_MAX];
  uint32_t n_columns;
};

/* --- batches ---------------------------------------------------------------------------------- */

static void progress_say(struct teller *teller)
{
  int64_t now_us = clock_us();
  if (now_us - teller->began_us < PROGRESS_US || now_us - teller->said_us < PROGRESS_US) return;
  teller->said_us = now_us;
  fprintf(stderr, "%llu outcomes told\n", (unsigned long long)teller->told);
}

/* Sends what has gathered. */
static enum code batch_send(struct teller *teller, struct err *err)
{
  struct answer answer = {0};
  size_t n = json_array_size(teller->items);
  if (!n) return OK;
  json_t *body = json_pack("{ss,sO}", "model", teller->cli->args.words[0], "items", teller->items);
  if (!body) return fail(err, E_BAD_NAME, "the model's name is not UTF-8");
  char *text = json_dumps(body, JSON_COMPACT);
  json_decref(body);
  enum code code = client_call(teller->client, "POST", "/api/v1/feedback", slice_str(text),
                               BATCH_SECONDS, &answer, err);
  ungrab(text);
  for (int i = 0; code == OK && i < STATES; i++)
    teller->counts[i] += get_u64(answer.json, states[i]);
  answer_free(&answer);
  if (code == OK) {
    teller->told += n;
    json_array_clear(teller->items);
    progress_say(teller);
  }
  return code;
}

/* item is taken. */
static enum code item_add(struct teller *teller, json_t *item, struct err *err)
{
  if (json_array_size(teller->items) == 0) teller->first_line = teller->line;
  json_array_append_new(teller->items, item);
  return json_array_size(teller->items) < BATCH_MAX ? OK : batch_send(teller, err);
}

/* --- lines ------------------------------------------------------------------------------------ */

static json_t *json_of(struct slice text)
{
  return json_loadb(text.at ? text.at : "", text.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
                    NULL);
}

/* A cell of a table: a number where it reads as one, else a text. */
static json_t *cell_json(struct slice cell)
{
  json_t *json = json_of(cell);
  if (json_is_number(json) || json_is_boolean(json) || json_is_object(json)) return json;
  json_decref(json);
  return json_stringn(cell.at ? cell.at : "", cell.len);
}

/* The next cell of a line of CSV, its quotes taken off in place; false at the end. */
static bool cell_next(char **at, char *end, struct slice *cell)
{
  char *from = *at, *to = from, *start = from;
  if (from > end) return false;
  bool quoted = from < end && *from == '"';
  if (quoted) {
    for (from++; from < end; from++) {
      if (*from == '"' && !(from + 1 < end && from[1] == '"')) break;
      if (*from == '"') from++;
      *to++ = *from;
    }
    if (from < end) from++;
  }
  while (from < end && *from != ',') *to++ = *from++;
  *cell = slice_of(start, (size_t)(to - start));
  *at = from + 1;
  return true;
}

static enum code columns_read(struct teller *teller, char *line, size_t len, struct err *err)
{
  static const char *const names[] = {"", "request_id", "outcome", "at", "weight"};
  bool request = false, outcome = false;
  struct slice cell;
  for (char *at = line, *end = line + len; cell_next(&at, end, &cell);) {
    if (teller->n_columns == COLUMNS_MAX)
      return fail(err, E_INVALID_ARGUMENT, "a table has at most %d columns", COLUMNS_MAX);
    enum column column = COLUMN_OTHER;
    for (int i = 1; i < 5; i++)
      if (slice_eq(cell, slice_str(names[i]))) column = (enum column)i;
    teller->columns[teller->n_columns++] = column;
    request = request || column == COLUMN_REQUEST;
    outcome = outcome || column == COLUMN_OUTCOME;
  }
  if (request && outcome) return OK;
  return fail(err, E_INVALID_ARGUMENT,
              "the first line is no JSON object and does not name the columns request_id and "
              "outcome");
}

static enum code row_add(struct teller *teller, char *line, size_t len, struct err *err)
{
  static const char *const names[] = {"", "request_id", "outcome", "at", "weight"};
  json_t *item = json_object();
  struct slice cell;
  uint32_t i = 0;
  for (char *at = line, *end = line + len; i < teller->n_columns && cell_next(&at, end, &cell);
       i++) {
    enum column column = teller->columns[i];
    if (column == COLUMN_OTHER || (!cell.len && column != COLUMN_OUTCOME)) continue;
    json_object_set_new(item, names[column],
                        column == COLUMN_REQUEST
                            ? json_stringn(cell.at, cell.len)
                            : cell_json(cell));
  }
  if (i == teller->n_columns) return item_add(teller, item, err);
  json_decref(item);
  return fail(err, E_INVALID_ARGUMENT, "line %llu has %u cells, the first line has %u",
              (unsigned long long)teller->line, i, teller->n_columns);
}

static enum code line_add(struct teller *teller, char *line, size_t len, struct err *err)
{
  while (len && (line[len - 1] == '\n' || line[len - 1] == '\r')) len--;
  teller->line++;
  if (!len) return OK;
  if (teller->csv) return row_add(teller, line, len, err);
  json_t *item = json_of(slice_of(line, len));
  if (json_is_object(item)) return item_add(teller, item, err);
  json_decref(item);
  if (teller->line == 1 && line[0] != '{') {
    teller->csv = true;
    return columns_read(teller, line, len, err);
  }
  return fail(err, E_BAD_JSON, "line %llu is no JSON object", (unsigned long long)teller->line);
}

static enum code lines_add(struct teller *teller, FILE *file, struct err *err)
{
  char *line = grab(LINE_MAX_BYTES);
  enum code code = OK;
  while (code == OK && fgets(line, LINE_MAX_BYTES, file)) {
    size_t len = strlen(line);
    if (len + 1 == LINE_MAX_BYTES && line[len - 1] != '\n')
      code = fail(err, E_INVALID_ARGUMENT, "line %llu is longer than %d bytes",
                  (unsigned long long)teller->line + 1, LINE_MAX_BYTES - 2);
    else
      code = line_add(teller, line, len, err);
  }
  ungrab(line);
  if (code == OK && ferror(file))
    code = fail(err, E_UNAVAILABLE, "the file cannot be read: %s", strerror(errno));
  return code ? code : batch_send(teller, err);
}

/* --- the command ------------------------------------------------------------------------------ */

static enum code file_tell(struct teller *teller, const char *name, struct err *err)
{
  bool is_stdin = strcmp(name, "-") == 0;
  FILE *file = is_stdin ? stdin : fopen(name, "rbe");
  if (!file) return fail(err, E_NOT_FOUND, "'%s': %s", name, strerror(errno));
  enum code code = lines_add(teller, file, err);
  if (!is_stdin) fclose(file);
  /* The server counts from the batch's beginning, people from the file's. */
  if (code && strncmp(err->field, "items[", 6) == 0)
    fprintf(stderr, "the batch that was refused begins with line %llu\n",
            (unsigned long long)teller->first_line);
  return code;
}

static enum code one_tell(struct teller *teller, const char *request, struct err *err)
{
  const struct args *args = &teller->cli->args;
  const char *outcome = args_text(args, "outcome"), *at = args_text(args, "at");
  const char *weight = args_text(args, "weight");
  if (!outcome) return fail(err, E_INVALID_ARGUMENT, "--request needs --outcome");
  if (outcome[0] == '{' || outcome[0] == '[') {
    json_t *json = json_of(slice_str(outcome));
    bool is_object = json_is_object(json);
    json_decref(json);
    if (!is_object)
      return fail(err, E_BAD_JSON, "--outcome '%s' is no object in JSON", outcome);
  }
  json_t *item = json_pack("{ss?,so}", "request_id", request, "outcome",
                           cell_json(slice_str(outcome)));
  if (!item) return fail(err, E_INVALID_ARGUMENT, "the request id is not UTF-8");
  if (at) json_object_set_new(item, "at", cell_json(slice_str(at)));
  if (weight) json_object_set_new(item, "weight", cell_json(slice_str(weight)));
  json_array_append_new(teller->items, item);
  return batch_send(teller, err);
}

static void summary_print(const struct teller *teller)
{
  const char *separator = ": ";
  printf("%llu %s told", (unsigned long long)teller->told,
         teller->told == 1 ? "outcome" : "outcomes");
  for (int i = 0; i < STATES; i++) {
    if (!teller->counts[i]) continue;
    printf("%s%llu %s", separator, (unsigned long long)teller->counts[i], states[i]);
    separator = ", ";
  }
  putchar('\n');
  if (teller->counts[STATE_PENDING])
    fprintf(stderr,
           "pending: not written yet, or unknown; it is joined when it comes, and awaited for a "
           "day. Predictions are\nkept where the model's slipway.yaml says "
           "`feedback: {window: 7d}`, and while a release runs whose plan has\na `metric`; an "
           "answer's id is its header x-request-id\n");
  if (teller->counts[STATE_UNKNOWN])
    fprintf(stderr, "unknown: no prediction is kept under this id, and none will come any more\n");
}

static json_t *summary_json(const struct teller *teller)
{
  json_t *json = json_pack("{sI}", "told", (json_int_t)teller->told);
  for (int i = 0; i < STATES; i++)
    json_object_set_new(json, states[i], json_integer((json_int_t)teller->counts[i]));
  return json;
}

/* --- what is known so far --------------------------------------------------------------------- */

static void share_add(struct table *table, const json_t *share)
{
  if (json_is_number(share))
    table_add(table, "%.2f %%", 100 * json_number_value(share));
  else
    table_add(table, "-");
}

static void arm_add(struct table *table, const json_t *row)
{
  const json_t *ece = json_object_get(row, "ece");
  const json_t *mean = json_object_get(json_object_get(row, "metric"), "mean");
  table_add_json(table, json_object_get(row, "name"));
  table_add(table, "%llu", (unsigned long long)get_u64(row, "version"));
  table_add(table, "%llu", (unsigned long long)get_u64(row, "requests"));
  table_add(table, "%llu", (unsigned long long)get_u64(row, "with_outcome"));
  share_add(table, json_object_get(row, "accuracy"));
  table_add(table, json_is_number(ece) ? "%.4f" : "-", json_number_value(ece));
  table_add(table, json_is_number(mean) ? "%.6g" : "-", json_number_value(mean));
}

static void known_print(const json_t *json)
{
  static const char *const heads[] = {"ARM", ">VERSION", ">ANSWERS", ">WITH OUTCOME",
                                      ">ACCURACY", ">ECE", ">MEAN", NULL};
  const json_t *arms = json_object_get(json, "arms"), *window = json_object_get(json, "window_s");
  char kept[OUT_NUMBER_MAX];
  struct table table;
  size_t i;
  const json_t *arm;
  if (json_is_number(window))
    printf("predictions are kept for %s\n",
           out_seconds((uint64_t)json_number_value(window), kept));
  else
    puts("predictions are kept while a release with a `metric` runs; `feedback: {window: 7d}` in "
         "the model's\nslipway.yaml keeps them at any time");
  if (json_array_size(arms) == 0) {
    puts("none is kept yet");
    return;
  }
  if (get_u64(json, "release"))
    printf("release %llu\n", (unsigned long long)get_u64(json, "release"));
  table_init(&table, heads);
  json_array_foreach((json_t *)(uintptr_t)arms, i, arm) arm_add(&table, arm);
  table_print(&table);
  table_deinit(&table);
}

static int known_show(struct cli *cli)
{
  struct err err;
  struct client *client = NULL;
  struct answer answer = {0};
  char path[CLIENT_PATH_MAX];
  int rc = 0;
  if (client_path(path, &err, "/api/v1/models/%s/feedback", cli->args.words[0]) != OK ||
      client_new(&client, cli, &err) != OK)
    return cli_fail(cli, &err);
  if (client_call(client, "GET", path, SLICE_NONE, BATCH_SECONDS, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(answer.json);
  else
    known_print(answer.json);
  answer_free(&answer);
  client_free(client);
  return rc;
}

int command_feedback(struct cli *cli)
{
  static const struct opt opts[] = {
      {"request", 0, OPT_TEXT, "ID", "whose outcome it is: the x-request-id of the answer"},
      {"outcome", 0, OPT_TEXT, "JSON", "a number, a text, true or false, or an object"},
      {"at", 0, OPT_TEXT, "TIME", "when it happened, as 2026-01-31T18:00Z [now]"},
      {"weight", 0, OPT_TEXT, "W", "how much it counts [1]"},
      {"file", 'f', OPT_TEXT, "FILE|-",
       "many outcomes: CSV with a first line request_id,outcome; or lines of JSON such as "
       "{\"request_id\":\"018f2c1a-7\",\"outcome\":1}"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct teller teller = {.cli = cli, .began_us = clock_us()};
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  const char *file = args_text(&cli->args, "file"), *request = args_text(&cli->args, "request");
  if (!file && !request && !args_text(&cli->args, "outcome")) return known_show(cli);
  if (!file == !request) {
    fail(&err, E_INVALID_ARGUMENT, "say --request ID and --outcome JSON, or --file FILE");
    return cli_fail(cli, &err);
  }
  if (client_new(&teller.client, cli, &err) != OK) return cli_fail(cli, &err);
  teller.items = json_array();
  rc = 0;
  if ((file ? file_tell(&teller, file, &err) : one_tell(&teller, request, &err)) != OK)
    rc = cli_fail(cli, &err);
  if (cli->args.json && !rc) {
    json_t *json = summary_json(&teller);
    out_json(json);
    json_decref(json);
  } else if (!cli->args.json && (!rc || teller.told)) {
    summary_print(&teller);
  }
  json_decref(teller.items);
  client_free(teller.client);
  return rc;
}
