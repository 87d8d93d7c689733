/* audit.c - the ledger as proof: lines that anybody can check without us (wire/audit/chain.h).
 * Thread: desk; reads through the desk's own handle.
 * A page is a whole file of its own: who wants more asks from its last line's number on.
 * SPDX-License-Identifier: MIT */
#include "wire/audit/chain.h"

#include "api/handlers_int.h"
#include "base/clock.h"
#include "store/history.h"

enum {
  AUDIT_PAGE = 1000,
  AUDIT_PAGE_MAX = 10000,
  AUDIT_BYTES_MAX = 16 << 20, /* of a page: the row that reaches it is its last */
  AUDIT_DEADLINE_US = 5000000,
};

struct page {
  struct buf text;
  uint64_t rows, limit;
  struct chain_row last;
  uint64_t more; /* the first row that found no room; 0: none */
};

static enum code row_add(void *arg, const struct history_proof *proof, struct err *err)
{
  struct page *page = arg;
  if (page->rows == page->limit || page->text.len > AUDIT_BYTES_MAX) {
    page->more = proof->seq;
    return fail(err, E_CANCELLED, "enough");
  }
  page->last = (struct chain_row){proof->seq, proof->prev, proof->hash, proof->line};
  chain_row_write(&page->text, &page->last);
  page->rows++;
  return OK;
}

/* Whose: the caller's tenant, or at NULL all. */
static bool whose_read(struct ask *ask, struct slice *tenant)
{
  struct slice want;
  *tenant = ask->letter->tenant;
  if (!ask_query(ask, "tenants", &want)) return false;
  if (!want.at) return true;
  *tenant = SLICE_NONE;
  if (!slice_eq(want, SLICE("all"))) {
    fail(&ask->err, E_INVALID_ARGUMENT, "'tenants' is \"%.*s\"; it can only be all",
         SLICE_ARG(want));
    fail_at(&ask->err, "tenants");
    return false;
  }
  if (role_may(ask->letter->role, ROLE_OPERATOR)) return true;
  fail(&ask->err, E_DENIED, "the ledger of all tenants needs the role %s; \"%.*s\" has %s",
       role_name(ROLE_OPERATOR), SLICE_ARG(ask->letter->actor), role_name(ask->letter->role));
  return false;
}

enum desk_step audit_export(struct ask *ask)
{
  int64_t from = 1, limit = AUDIT_PAGE;
  struct slice tenant;
  if (!whose_read(ask, &tenant) || !ask_query_int(ask, "from", 1, INT64_MAX, &from) ||
      !ask_query_int(ask, "limit", 1, AUDIT_PAGE_MAX, &limit))
    return ask_fail(ask);
  struct history *history = ask_history(ask);
  if (!history) return ask_fail(ask);
  struct page page = {.limit = (uint64_t)limit};
  buf_init(&page.text, ASK_ANSWER_MAX);
  chain_begin_write(&page.text, tenant);
  enum code code = history_proofs(history, tenant, (uint64_t)from, (uint32_t)limit + 1,
                                  clock_us() + AUDIT_DEADLINE_US, row_add, &page, &ask->err);
  if (code && !page.more) {
    buf_deinit(&page.text);
    return ask_fail(ask);
  }
  ask->err = (struct err){.code = OK};
  if (page.more)
    chain_more_write(&page.text, page.more);
  else
    chain_end_write(&page.text, page.rows, &page.last);
  struct blob *body = blob_copy(buf_lend(&page.text));
  buf_deinit(&page.text);
  return ask_text(ask, 200, "application/jsonl", body);
}

enum desk_step audit_key(struct ask *ask)
{
  const struct desk_opts *opts = ask->desk->opts;
  return ask_json(ask, 200,
                  json_pack("{so,ss}", "key",
                            opts->audits ? json_digest(&opts->audit_key) : json_null(),
                            "algorithm", "ed25519"));
}
