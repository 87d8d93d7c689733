/* chain.c - writing the ledger as a file, and finding the first row of one that is not true.
 * Thread: any, pure.
 * Lines are compared byte for byte with the one way of writing them, so nothing can hide in a
 * second spelling.
 * SPDX-License-Identifier: MIT */
#include "wire/audit/chain.h"

#include <inttypes.h>

#include "base/text.h"

/* --- writing ---------------------------------------------------------------------------------- */

void chain_begin_write(struct buf *buf, struct slice tenant)
{
  buf_add(buf, SLICE("{\"audit\":1,\"tenant\":"));
  if (tenant.at)
    buf_json(buf, tenant);
  else
    buf_add(buf, SLICE("null"));
  buf_add(buf, SLICE("}\n"));
}

void chain_row_write(struct buf *buf, const struct chain_row *row)
{
  char hash[SHA256_HEX_LEN + 1], prev[SHA256_HEX_LEN + 1];
  digest_hex(&row->hash, hash);
  digest_hex(&row->prev, prev);
  buf_print(buf, "{\"hash\":\"%s\",\"prev\":\"%s\",\"row\":", hash, prev);
  buf_add(buf, row->canonical);
  buf_add(buf, SLICE("}\n"));
}

void chain_end_write(struct buf *buf, uint64_t rows, const struct chain_row *last)
{
  char hash[SHA256_HEX_LEN + 1];
  digest_hex(&last->hash, hash);
  buf_print(buf, "{\"end\":{\"hash\":\"%s\",\"rows\":%" PRIu64 ",\"seq\":%" PRIu64 "}}\n", hash,
            rows, last->seq);
}

void chain_more_write(struct buf *buf, uint64_t seq)
{
  buf_print(buf, "{\"more\":%" PRIu64 "}\n", seq);
}

/* --- reading what stands in one place --------------------------------------------------------- */

static bool eat(struct slice *from, struct slice literal)
{
  if (!slice_starts(*from, literal)) return false;
  *from = slice_from(*from, literal.len);
  return true;
}

static bool eat_digest(struct slice *from, struct digest *digest)
{
  if (from->len < SHA256_HEX_LEN || !digest_from_hex(slice_of(from->at, SHA256_HEX_LEN), digest))
    return false;
  *from = slice_from(*from, SHA256_HEX_LEN);
  return true;
}

static bool eat_number(struct slice *from, uint64_t *number)
{
  size_t n = 0;
  while (n < from->len && from->at[n] >= '0' && from->at[n] <= '9') n++;
  if (!text_read_u64(slice_of(from->at, n), INT64_MAX, number)) return false;
  *from = slice_from(*from, n);
  return true;
}

/* A JSON string as it stands, escapes and all: tenants' names have none. */
static bool eat_text(struct slice *from, char *to, size_t cap)
{
  if (!eat(from, SLICE("\""))) return false;
  const char *end = from->len ? memchr(from->at, '"', from->len) : NULL;
  if (!end || !slice_to_str(slice_of(from->at, (size_t)(end - from->at)), to, cap)) return false;
  *from = slice_from(*from, (size_t)(end - from->at) + 1);
  return !strchr(to, '\\');
}

/* Where a member that only the canonical row itself can have stands: quotes inside texts are
 * escaped, so the last one is it. */
static bool row_member(struct slice row, struct slice name, struct slice *rest)
{
  for (size_t at = row.len; at-- > 0;) {
    *rest = slice_from(row, at);
    if (row.at[at] == ',' && eat(rest, name)) return true;
  }
  return false;
}

static bool row_read(struct slice canonical, uint64_t *seq, char tenant[CHAIN_TENANT_MAX])
{
  struct slice rest;
  return row_member(canonical, SLICE(",\"seq\":"), &rest) && eat_number(&rest, seq) &&
         eat(&rest, SLICE(",\"tenant\":")) && eat_text(&rest, tenant, CHAIN_TENANT_MAX);
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static bool checkpoint_parse(struct slice inner, struct checkpoint *to)
{
  uint64_t at_ms;
  struct slice rest = inner;
  if (!eat(&rest, SLICE("{\"at_ms\":")) || !eat_number(&rest, &at_ms) ||
      !eat(&rest, SLICE(",\"hash\":\"")) || !eat_digest(&rest, &to->hash) ||
      !eat(&rest, SLICE("\",\"key\":\"")) || !eat_digest(&rest, &to->key) ||
      !eat(&rest, SLICE("\",\"seq\":")) || !eat_number(&rest, &to->seq) ||
      !eat(&rest, SLICE(",\"tenant\":")))
    return false;
  to->at_ms = (int64_t)at_ms;
  to->all = eat(&rest, SLICE("null"));
  if (!to->all && !eat_text(&rest, to->tenant, sizeof to->tenant)) return false;
  return eat(&rest, SLICE("}")) && !rest.len;
}

enum code checkpoint_read(struct slice line, struct checkpoint *to, struct err *err)
{
  static const size_t tail = sizeof "\"}" - 1 + BASE64_LEN(SIGN_LEN);
  unsigned char sign[SIGN_LEN];
  struct slice rest = line, inner;
  size_t len;
  *to = (struct checkpoint){0};
  if (!eat(&rest, SLICE("{\"checkpoint\":")) || rest.len <= tail + sizeof ",\"sign\":\"" - 1)
    return fail(err, E_BAD_JSON, "this line is no checkpoint");
  inner = slice_of(rest.at, rest.len - tail - (sizeof ",\"sign\":\"" - 1));
  rest = slice_from(rest, inner.len);
  if (!eat(&rest, SLICE(",\"sign\":\"")) || !checkpoint_parse(inner, to) ||
      !base64_read(slice_of(rest.at, BASE64_LEN(SIGN_LEN)), sign, sizeof sign, &len) ||
      len != SIGN_LEN || !slice_eq(slice_from(rest, BASE64_LEN(SIGN_LEN)), SLICE("\"}")))
    return fail(err, E_BAD_JSON, "this line is no checkpoint");
  if (!sign_holds(to->key.at, inner, sign))
    return fail(err, E_CHAIN_BROKEN, "the signature of the checkpoint of event %" PRIu64
                " does not hold", to->seq);
  return OK;
}

/* --- the chain -------------------------------------------------------------------------------- */

static const struct checkpoint *checkpoint_next(const struct chain_check *check)
{
  return check->met < check->n_checkpoints ? &check->checkpoints[check->met] : NULL;
}

static enum code rewritten(const struct chain_check *check, uint64_t first, uint64_t until,
                           struct err *err)
{
  return fail(err, E_CHAIN_BROKEN,
              "events %" PRIu64 " to %" PRIu64 " are not those that were signed: event %" PRIu64
              " is the first after the newest checkpoint that agrees (event %" PRIu64 ")",
              first, until, first, check->agreed_seq);
}

/* Checkpoints whose row would have to lie before this one, and the one of this row. */
static enum code checkpoints_meet(struct chain_check *check, uint64_t seq,
                                  const struct digest *hash, uint64_t first, struct err *err)
{
  const struct checkpoint *next;
  while ((next = checkpoint_next(check)) && next->seq <= seq) {
    bool before = next->seq < check->first_seq;
    if (!before && (next->seq < seq || memcmp(&next->hash, hash, sizeof *hash) != 0))
      return rewritten(check, first, next->seq < seq ? seq : next->seq, err);
    check->met++;
    if (before) continue;
    check->agreed++;
    check->agreed_seq = next->seq;
  }
  return OK;
}

static enum code row_check(struct chain_check *check, struct slice line, struct err *err)
{
  struct slice rest = line, canonical;
  struct digest hash, prev, got;
  char tenant[CHAIN_TENANT_MAX];
  uint64_t seq;
  if (!eat(&rest, SLICE("{\"hash\":\"")) || !eat_digest(&rest, &hash) ||
      !eat(&rest, SLICE("\",\"prev\":\"")) || !eat_digest(&rest, &prev) ||
      !eat(&rest, SLICE("\",\"row\":")) || rest.len < 2 || rest.at[rest.len - 1] != '}')
    return fail(err, E_CHAIN_BROKEN, "line %" PRIu64 " is no row of a ledger", check->line);
  canonical = slice_of(rest.at, rest.len - 1);
  if (!row_read(canonical, &seq, tenant))
    return fail(err, E_CHAIN_BROKEN, "line %" PRIu64 " has no number or no tenant", check->line);
  if (check->rows && memcmp(&prev, &check->hash, sizeof prev) != 0)
    return fail(err, E_CHAIN_BROKEN,
                "line %" PRIu64 ", event %" PRIu64 ", does not follow event %" PRIu64
                ": it was added or moved here, or what stood between them is gone",
                check->line, seq, check->seq);
  struct sha256 sha;
  sha256_init(&sha);
  sha256_add(&sha, slice_of((const char *)prev.at, SHA256_LEN));
  sha256_add(&sha, canonical);
  got = sha256_end(&sha);
  if (memcmp(&got, &hash, sizeof got) != 0)
    return fail(err, E_CHAIN_BROKEN,
                "line %" PRIu64 ", event %" PRIu64 ", is not what its hash says: it was changed",
                check->line, seq);
  bool in_order = check->all && check->rows ? seq == check->seq + 1 : seq > check->seq;
  if (!in_order || (!check->all && strcmp(tenant, check->tenant) != 0))
    return fail(err, E_CHAIN_BROKEN, "line %" PRIu64 ", event %" PRIu64 ", has no place here",
                check->line, seq);
  static const struct digest nothing;
  if (!check->rows) check->first_seq = seq;
  if (!check->rows) check->whole = memcmp(&prev, &nothing, sizeof prev) == 0;
  if (!check->rows || check->agreed_seq == check->seq) check->unsure = seq;
  enum code code = checkpoints_meet(check, seq, &hash, check->unsure, err);
  if (code) return code;
  check->rows++;
  check->seq = seq;
  check->hash = hash;
  return OK;
}

static bool is_end(struct chain_check *check, struct slice line, bool *right)
{
  struct digest hash;
  uint64_t rows, seq;
  if (!eat(&line, SLICE("{\"end\":{\"hash\":\""))) return false;
  *right = eat_digest(&line, &hash) && eat(&line, SLICE("\",\"rows\":")) &&
           eat_number(&line, &rows) && eat(&line, SLICE(",\"seq\":")) && eat_number(&line, &seq) &&
           slice_eq(line, SLICE("}}")) && rows == check->rows && seq == check->seq &&
           memcmp(&hash, &check->hash, sizeof hash) == 0;
  return true;
}

static enum code begin_check(struct chain_check *check, struct slice line, struct err *err)
{
  check->begun = eat(&line, SLICE("{\"audit\":1,\"tenant\":"));
  check->all = check->begun && eat(&line, SLICE("null"));
  if (!check->begun ||
      (!check->all && !eat_text(&line, check->tenant, sizeof check->tenant)) ||
      !slice_eq(line, SLICE("}")))
    return fail(err, E_BAD_JSON, "this is no exported ledger: it does not begin like one");
  return OK;
}

enum code chain_check_line(struct chain_check *check, struct slice line, struct err *err)
{
  bool right = false;
  check->line++;
  if (!check->begun) return begin_check(check, line, err);
  if (check->ended)
    return fail(err, E_CHAIN_BROKEN, "line %" PRIu64 " stands behind the end", check->line);
  if (!is_end(check, line, &right)) return row_check(check, line, err);
  check->ended = true;
  if (right) return OK;
  return fail(err, E_CHAIN_BROKEN,
              "the end does not fit: line %" PRIu64 " counts other rows than there are, or has "
              "another hash than event %" PRIu64,
              check->line, check->seq);
}

enum code chain_check_end(struct chain_check *check, struct err *err)
{
  if (!check->begun) return fail(err, E_BAD_JSON, "the file is empty");
  if (!check->ended)
    return fail(err, E_CHAIN_BROKEN, "the file was cut: nothing ends it after event %" PRIu64,
                check->seq);
  const struct checkpoint *last =
      check->n_checkpoints ? &check->checkpoints[check->n_checkpoints - 1] : NULL;
  if (last && checkpoint_next(check))
    return fail(err, E_CHAIN_BROKEN,
                "the file was cut: it ends with event %" PRIu64 ", and event %" PRIu64
                " was signed; the first that is missing comes after %" PRIu64,
                check->seq, last->seq, check->seq);
  return OK;
}
