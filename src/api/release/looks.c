/* looks.c - what the judge saw of a release, as it was journalled: for replay and the simulator.
 * Thread: desk.
 * Each row is the record that control wrote (judge/evidence.h) in hex. As one JSON object, or with
 * ?lines=1 a JSON object a line, so that a file of it can be read piece by piece.
 * SPDX-License-Identifier: MIT */
#include "api/release/release_int.h"
#include "base/clock.h"

enum { LOOKS_PAGE = 1000 };

struct looks {
  struct buf text;
  bool lines;
  uint32_t n;
  uint64_t next;
};

static enum code look_add(void *arg, const struct journal_row *row, struct err *err)
{
  struct looks *looks = arg;
  if (looks->n++ && !looks->lines) buf_add(&looks->text, SLICE(","));
  buf_print(&looks->text, "{\"look\":%llu,\"hex\":\"", (unsigned long long)row->look);
  buf_hex(&looks->text, row->bytes);
  buf_add(&looks->text, looks->lines ? SLICE("\"}\n") : SLICE("\"}"));
  looks->next = row->look + 1;
  if (looks->text.full)
    return fail(err, E_OUT_OF_MEMORY, "the answer is over %d MiB; ask for fewer looks with ?limit=",
                ASK_ANSWER_MAX >> 20);
  return OK;
}

static enum code looks_read(struct ask *ask, const struct journal_row *of, uint32_t limit,
                            struct looks *looks)
{
  struct history *history = ask_history(ask);
  if (!history) return ask->err.code;
  int64_t pruned_ms;
  if (history_pruned(history, of, &pruned_ms, &ask->err)) return ask->err.code;
  if (pruned_ms) {
    char at[25];
    clock_text(pruned_ms, at);
    return fail(&ask->err, E_NOT_FOUND,
                "the looks of release %.*s/%u were pruned at %s (--looks-releases, --looks-kept): "
                "it cannot be judged again; its verdicts are in 'slipway release show'",
                SLICE_ARG(of->model), of->release, at);
  }
  return history_looks(history, of, limit, clock_us() + LEDGER_WALK_US, look_add, looks,
                       &ask->err);
}

enum desk_step release_looks(struct ask *ask)
{
  struct looks looks = {0};
  int64_t from = 0, limit = LOOKS_PAGE, lines = 0;
  uint32_t number;
  if (!ask_model(ask, 0) || !release_number_read(ask, &number) ||
      !ask_query_int(ask, "from", 0, INT64_MAX, &from) ||
      !ask_query_int(ask, "limit", 1, LOOKS_PAGE, &limit) ||
      !ask_query_int(ask, "lines", 0, 1, &lines))
    return ask_fail(ask);
  looks.lines = lines == 1;
  buf_init(&looks.text, ASK_ANSWER_MAX);
  if (!looks.lines)
    buf_print(&looks.text, "{\"release\":%u,\"from\":%lld,\"looks\":[", number, (long long)from);
  const struct journal_row of = {.tenant = ask->letter->tenant,
                                 .model = ask->letter->params[0],
                                 .release = number,
                                 .look = (uint64_t)from};
  enum code code = looks_read(ask, &of, (uint32_t)limit, &looks);
  if (!looks.lines) {
    bool more = looks.n == (uint32_t)limit;
    buf_print(&looks.text, "],\"next\":");
    if (more)
      buf_print(&looks.text, "%llu}", (unsigned long long)looks.next);
    else
      buf_add(&looks.text, SLICE("null}"));
  }
  struct blob *body = code == OK ? blob_copy(buf_lend(&looks.text)) : NULL;
  buf_deinit(&looks.text);
  if (!body) return ask_fail(ask);
  return ask_text(ask, 200, looks.lines ? "application/x-ndjson" : "application/json", body);
}
