/* simulate_looks.c - `slipway simulate --recorded` on the looks of a release that was.
 * Thread: main (own).
 * Form: what `slipway release looks MODEL/N` prints, a line {"look": 0, "hex": "..."} for each, or
 * the API's {"looks": [...]}; each hex is records of judge/evidence.h.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/recall.h"
#include "cli/simulate/simulate_int.h"

static enum code row_judge(struct recall *recall, const json_t *row, struct buf *bytes,
                           struct err *err)
{
  enum code code = OK;
  buf_reset(bytes);
  if (buf_unhex(bytes, slice_str(get_str(row, "hex"))) || !bytes->len)
    return fail(err, E_INVALID_ARGUMENT, "look %llu of it: 'hex' is missing or not hex",
                (unsigned long long)get_u64(row, "look"));
  struct slice rest = buf_lend(bytes);
  while (code == OK && rest.len) code = recall_next(recall, &rest, err);
  return code;
}

/* One value of the file: a row, an array of rows, or an object with such an array. */
static enum code value_judge(struct recall *recall, const json_t *value, struct buf *bytes,
                             struct err *err)
{
  const json_t *rows = json_is_array(value) ? value : json_object_get(value, "looks");
  enum code code = OK;
  size_t i;
  json_t *row;
  if (!rows) return row_judge(recall, value, bytes, err);
  json_array_foreach(rows, i, row)
  {
    code = row_judge(recall, row, bytes, err);
    if (code != OK) break;
  }
  return code;
}

static struct slice blanks_skip(struct slice text)
{
  while (text.len && strchr(" \t\r\n", text.at[0])) text = slice_from(text, 1);
  return text;
}

static enum code file_judge(struct recall *recall, struct slice text, struct err *err)
{
  struct buf bytes;
  enum code code = OK;
  buf_init(&bytes, 4 << 20);
  for (text = blanks_skip(text); code == OK && text.len; text = blanks_skip(text)) {
    json_error_t where;
    json_t *value = json_loadb(text.at, text.len, JSON_DISABLE_EOF_CHECK, &where);
    if (!value)
      code = fail(err, E_INVALID_ARGUMENT, "it is not JSON: %.128s", where.text);
    else
      code = value_judge(recall, value, &bytes, err);
    text = slice_from(text, value ? (size_t)where.position : text.len);
    json_decref(value);
  }
  buf_deinit(&bytes);
  if (code == OK && recall_was(recall)->looks == 0)
    code = fail(err, E_INVALID_ARGUMENT, "there are no looks in it");
  return code;
}

static void says_print(const char *which, const struct recall_says *says)
{
  printf("%-12s %llu looks: ", which, (unsigned long long)says->looks);
  if (says->harm)
    printf("rolled back at look %llu (%.0f s) by %s, lane %s\n",
           (unsigned long long)says->harm_look, (double)says->harm_ms / 1000, gate_name(says->by),
           lane_name(says->lane));
  else
    printf("%s%s\n", verdict_kind_name(says->last), says->paused ? ", paused on the way" : "");
}

static json_t *says_json(const struct recall_says *says)
{
  json_t *tree =
      json_pack("{s:I,s:s,s:b,s:b}", "looks", (json_int_t)says->looks, "verdict",
                verdict_kind_name(says->last), "harm", says->harm, "paused", says->paused);
  if (says->harm)
    json_object_update_new(
        tree, json_pack("{s:I,s:f,s:s,s:s}", "harm_look", (json_int_t)says->harm_look, "harm_s",
                        (double)says->harm_ms / 1000, "gate", gate_name(says->by), "lane",
                        lane_name(says->lane)));
  return tree;
}

enum code simulate_looks(struct slice text, const struct plan *plan, const enum gate_lanes *lanes,
                         bool json, struct err *err)
{
  struct recall *recall = recall_new(plan);
  if (lanes) recall_lanes(recall, *lanes);
  enum code code = file_judge(recall, text, err);
  if (code == OK && json) {
    json_t *said = json_pack("{s:o,s:o}", "was", says_json(recall_was(recall)), "would",
                             says_json(recall_would(recall)));
    out_json(said);
    json_decref(said);
  } else if (code == OK) {
    says_print("as it was", recall_was(recall));
    says_print(plan || lanes ? "as asked for" : "again", recall_would(recall));
  }
  recall_free(recall);
  return code;
}
