/* tenant_sql_test.c - each `tenant = ?` of each SQL statement is taken out in turn, and somebody
 * sees it: two tenants with a model, releases and requests of the same names read what is theirs,
 * write and prune; any other answer than without the change kills the mutant.
 * This program stands between the store and SQLite: statements are changed as they are prepared.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <dlfcn.h>
#include <sqlite3.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "store.h"
#include "store/history.h"
#include "store/journal.h"
#include "store/outcome.h"
#include "store/prune.h"

enum { STATEMENTS_MAX = 64, TEXT_MAX = 1024, HOUR_MS = 3600000 };

static const int64_t begin_ms = 1700000000000;

/* --- between the store and SQLite ------------------------------------------------------------- */

static char seen[STATEMENTS_MAX][TEXT_MAX]; /* statements with such a condition */
static uint32_t n_seen;
static const char *mutated; /* NULL: none; else the statement, and which of its conditions */
static uint32_t mutated_at;

/* The next condition on the tenant from text on; NULL: none. */
static const char *condition(const char *text) { return strstr(text, "tenant = ?"); }

static uint32_t conditions(const char *text)
{
  uint32_t n = 0;
  for (const char *at = condition(text); at; at = condition(at + 1)) n++;
  return n;
}

static void statement_note(const char *text)
{
  for (uint32_t i = 0; i < n_seen; i++)
    if (strcmp(seen[i], text) == 0) return;
  must(n_seen < STATEMENTS_MAX && strlen(text) < TEXT_MAX);
  snprintf(seen[n_seen++], TEXT_MAX, "%s", text);
}

/* "tenant = ?1" becomes "?1 IS NOT NULL": as true, and the parameters keep their numbers. */
static void mutate(const char *text, char to[TEXT_MAX])
{
  const char *at = condition(text);
  for (uint32_t i = 0; i < mutated_at; i++) at = condition(at + 1);
  const char *value = at + strlen("tenant = ");
  size_t len = 1 + strspn(value + 1, "0123456789");
  int n = snprintf(to, TEXT_MAX, "%.*s%.*s IS NOT NULL%s", (int)(at - text), text, (int)len, value,
                   value + len);
  must(n > 0 && n < TEXT_MAX);
}

int sqlite3_prepare_v3(sqlite3 *db, const char *text, int bytes, unsigned flags,
                       sqlite3_stmt **stmt, const char **rest)
{
  typedef int (*prepare_fn)(sqlite3 *, const char *, int, unsigned, sqlite3_stmt **, const char **);
  static prepare_fn real;
  char changed[TEXT_MAX];
  if (!real) {
    void *symbol = dlsym(RTLD_NEXT, "sqlite3_prepare_v3");
    memcpy(&real, &symbol, sizeof real);
  }
  if (condition(text)) statement_note(text);
  bool change = mutated && strcmp(text, mutated) == 0;
  if (change) mutate(text, changed);
  return real(db, change ? changed : text, change ? -1 : bytes, flags, stmt, rest);
}

/* --- what two tenants do ---------------------------------------------------------------------- */

static struct datadir dir;
static struct ledger *ledger;
static struct history *history;
static struct outcomes *outcomes;
static struct sha256 sum; /* over all that anybody saw */
static struct err err;

static void add_text(struct slice text)
{
  char len[24];
  sha256_add(&sum, slice_of(len, (size_t)snprintf(len, sizeof len, "%zu;", text.len)));
  sha256_add(&sum, text);
}

static void add_number(int64_t number)
{
  char text[24];
  add_text(slice_of(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)number)));
}

static void event_add(const char *tenant, enum event_kind kind, uint32_t release, int64_t wall_ms)
{
  struct event_fact flags = {SLICE("flags"), SLICE("{}")};
  struct event event = event_made(kind, kind == EVENT_FLAGS_SET ? "" : "m", 1);
  event.tenant = slice_str(tenant);
  event.note = slice_str(tenant);
  event.release = release;
  event.wall_ms = wall_ms;
  if (kind == EVENT_FLAGS_SET) event.facts = &flags, event.n_facts = 1, event.version = 0;
  add_number(ledger_append(ledger, &event, 1, &err));
}

static void release_add(const char *tenant, uint32_t release, int64_t wall_ms)
{
  event_add(tenant, EVENT_RELEASE_STARTED, release, wall_ms);
  struct journal_row rows[8];
  for (uint32_t i = 0; i < 8; i++)
    rows[i] = (struct journal_row){.tenant = slice_str(tenant), .model = SLICE("m"),
                                   .release = release, .look = i, .bytes = slice_str(tenant)};
  EXPECT_INT(ledger_group_begin(ledger, &err), OK);
  EXPECT_INT(journal_add(ledger, rows, 8, &err), OK);
  EXPECT_INT(ledger_group_commit(ledger, &err), OK);
}

static void predicted(const char *tenant, uint32_t slot, uint32_t release, float score)
{
  struct prediction_owner owner = {.slot = slot, .tenant = slice_str(tenant), .model = SLICE("m")};
  struct prediction row = {.id = "r-1", .id_len = 3, .model = slot, .release = release,
                           .version = 1, .weight = 1, .score = score, .label = slot,
                           .wall_ms = begin_ms, .unit = slot};
  uint32_t dropped = 0;
  add_number(outcomes_predicted(outcomes, &owner, &row, 1, &dropped, &err));
  add_number(dropped);
}

static void told(const char *tenant, double value)
{
  uint32_t bad = 0;
  struct feedback item = {.model = SLICE("m"), .id = SLICE("r-1"), .outcome = SLICE("1"),
                          .value = value, .label = LABEL_NONE, .weight = 1, .at_ms = begin_ms};
  add_number(outcomes_told(outcomes, slice_str(tenant), &item, 1, begin_ms + 1000, &bad, &err));
  add_number(item.state);
}

/* A third one was there and has been removed. */
static void gone_writes(void)
{
  event_add("gone", EVENT_TENANT_CREATED, 0, begin_ms);
  for (uint32_t n = 1; n <= 2; n++) release_add("gone", n, begin_ms + (90 + n) * HOUR_MS);
  predicted("gone", 3, 1, 0.25f);
  told("gone", 3);
  event_add("gone", EVENT_TENANT_REMOVED, 0, begin_ms + 2);
}

/* bank begins later: what of acme is old would be bank's without a condition. */
static void both_write(void)
{
  for (int i = 0; i < 2; i++) {
    const char *tenant = i ? "bank" : "acme";
    event_add(tenant, EVENT_TENANT_CREATED, 0, begin_ms);
    event_add(tenant, EVENT_MODEL_CREATED, 0, begin_ms);
    event_add(tenant, EVENT_FLAGS_SET, 0, begin_ms);
  }
  for (uint32_t n = 1; n <= 4; n++) release_add("acme", n, begin_ms + n * HOUR_MS);
  for (uint32_t n = 1; n <= 2; n++) release_add("bank", n, begin_ms + (90 + n) * HOUR_MS);
  predicted("acme", 1, 3, 0.5f);
  predicted("bank", 2, 1, 0.75f);
  told("acme", 1);
  told("bank", 2);
  gone_writes();
  event_add("acme", EVENT_FLAGS_SET, 0, begin_ms + 1);
}

static void prunes(uint32_t releases, int64_t keep_ms)
{
  struct prune prune = {.releases = releases, .keep_ms = keep_ms};
  int64_t steps = 0;
  bool more = false;
  for (int idle = 0; idle < 6; idle = more ? 0 : idle + 1, steps++) {
    add_number(prune_step(&prune, ledger, begin_ms + 93 * HOUR_MS, 3, &more, &err));
    if (steps == 200) break; /* for ever: another answer, too */
  }
  add_number(steps);
}

static bool is_gone(void *arg, struct slice tenant)
{
  bool gone = false;
  (void)arg;
  return ledger_tenant_gone(ledger, tenant, &gone, &err) == OK && gone;
}

/* At a time when nothing that anybody keeps is too old. */
static void sweeps(void)
{
  uint32_t gone;
  outcomes_ask_gone(outcomes, is_gone, NULL);
  for (int i = 0; i < 8; i++) {
    add_number(outcomes_sweep(outcomes, begin_ms + 2000, 10, &gone, &err));
    add_number(gone);
  }
}

/* --- what each reads -------------------------------------------------------------------------- */

static enum code event_seen(void *arg, const struct event *event, const struct digest *hash,
                            struct err *why)
{
  (void)arg, (void)hash, (void)why;
  add_number((int64_t)event->seq);
  add_text(event->tenant);
  return OK;
}

static enum code look_seen(void *arg, const struct journal_row *row, struct err *why)
{
  (void)arg, (void)why;
  add_number((int64_t)row->look);
  add_text(row->bytes);
  return OK;
}

static enum code look_count(void *arg, const struct journal_row *row, struct err *why)
{
  (void)row, (void)why;
  ++*(uint32_t *)arg;
  return OK;
}

static enum code proof_seen(void *arg, const struct history_proof *row, struct err *why)
{
  (void)arg, (void)why;
  add_text(row->line);
  add_text(slice_of((const char *)row->hash.at, SHA256_LEN));
  return OK;
}

static void looks_read(struct slice tenant, int64_t later)
{
  for (uint32_t n = 1; n <= 4; n++) {
    int64_t pruned_ms = -1;
    struct journal_row of = {.tenant = tenant, .model = SLICE("m"), .release = n};
    add_number(history_looks(history, &of, 100, later, look_seen, NULL, &err));
    add_number(journal_read(ledger, &of, look_seen, NULL, &err));
    add_number(history_pruned(history, &of, &pruned_ms, &err));
    add_number(pruned_ms);
  }
}

static void outcomes_read(struct slice tenant)
{
  struct outcome_sums arms[ARMS_MAX] = {0};
  struct outcome_found found = {0};
  struct arena arena;
  uint32_t release = 0;
  struct outcome_question of = {.tenant = tenant, .model = SLICE("m"), .release = 1,
                                .mature_ms = begin_ms + HOUR_MS, .maturity_ms = HOUR_MS};
  arena_init(&arena, 1 << 20, NULL);
  add_number(outcomes_find(outcomes, tenant, SLICE("m"), SLICE("r-1"), &arena, &found, &err));
  add_number((int64_t)(found.row.score * 1000));
  add_number(outcomes_newest(outcomes, tenant, SLICE("m"), &release, &err));
  add_number(release);
  add_number(outcomes_measured(outcomes, &of, arms, &err));
  add_text(slice_of((const char *)arms, sizeof arms));
  arena_deinit(&arena);
}

static void reads(const char *name)
{
  struct slice tenant = slice_str(name);
  int64_t later = clock_us() + 5000000;
  struct history_range all = {.tenant = tenant, .limit = 100, .deadline_us = later}, one = all;
  one.model = SLICE("m");
  add_number(history_read(history, &all, event_seen, NULL, &err));
  add_number(history_read(history, &one, event_seen, NULL, &err));
  add_number(history_flags(history, &all, event_seen, NULL, &err));
  add_number(history_releases(history, &all, event_seen, NULL, &err));
  add_number(history_proofs(history, tenant, 0, 100, later, proof_seen, NULL, &err));
  looks_read(tenant, later);
  outcomes_read(tenant);
}

/* One life of a store; what everybody saw. */
static struct digest life(void)
{
  const char *temp = temp_dir();
  uint64_t bad = 0;
  sha256_init(&sum);
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_INT(outcomes_open(&outcomes, &dir, NULL, true, &err), OK);
  both_write();
  EXPECT_INT(history_open(&history, &dir, &err), OK);
  reads("acme");
  prunes(2, 50 * HOUR_MS);
  reads("acme");
  reads("bank");
  prunes(1, 1000 * (int64_t)HOUR_MS);
  sweeps();
  reads("acme");
  reads("bank");
  reads("gone");
  add_number(ledger_verify(ledger, &bad, &err));
  history_close(history);
  outcomes_close(outcomes);
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
  return sha256_end(&sum);
}

/* robustness row TN-102 */
TEST(TN_102_every_condition_on_the_tenant_that_is_taken_out_is_missed)
{
  uint32_t mutants = 0, alive = 0;
  log_level_set(LOG_ERROR);
  struct digest want = life(), again = life();
  EXPECT(memcmp(&want, &again, sizeof want) == 0);
  uint32_t n = n_seen;
  for (uint32_t i = 0; i < n; i++)
    for (mutated_at = 0; mutated_at < conditions(seen[i]); mutated_at++) {
      mutated = seen[i];
      struct digest got = life();
      mutated = NULL;
      mutants++;
      if (memcmp(&want, &got, sizeof want) != 0) continue;
      printf("alive: condition %u of %s\n", mutated_at, seen[i]);
      alive++;
    }
  EXPECT_INT(alive, 0);
  EXPECT(mutants >= 15);
}

/* robustness row TN-107 */
TEST(TN_107_what_a_removed_tenant_stored_goes_and_nobody_elses_does)
{
  struct journal_row of = {.model = SLICE("m"), .release = 2};
  struct outcome_found found;
  struct arena arena;
  const char *temp = temp_dir();
  static const char *const names[] = {"acme", "bank", "gone"};
  static uint32_t n_looks[3];
  sha256_init(&sum);
  arena_init(&arena, 1 << 20, NULL);
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_INT(outcomes_open(&outcomes, &dir, NULL, true, &err), OK);
  both_write();
  prunes(9, 1000 * (int64_t)HOUR_MS);
  sweeps();
  for (int i = 0; i < 3; i++) {
    of.tenant = slice_str(names[i]);
    n_looks[i] = 0;
    EXPECT_INT(journal_read(ledger, &of, look_count, &n_looks[i], &err), OK);
    EXPECT_INT(n_looks[i], i < 2 ? 8 : 0);
    found = (struct outcome_found){.predicted = true};
    enum code code = outcomes_find(outcomes, of.tenant, of.model, SLICE("r-1"), &arena, &found,
                                   &err);
    EXPECT_INT(code == OK && found.predicted && found.told, i < 2);
  }
  arena_deinit(&arena);
  outcomes_close(outcomes);
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
  (void)sha256_end(&sum);
}
