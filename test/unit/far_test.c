/* far_test.c - the cache's second level without a socket: who is told what and when, what a strange
 * server may say, how long it is left alone; sealed values; answers that come from elsewhere.
 * SPDX-License-Identifier: MIT */
#include "serve/far/far.h"

#include "serve/cache/canon.h"
#include "serve/far/far_int.h"
#include "test.h"

enum { BUDGET = 20000, WALL_MS = 1700000000 };

static struct far_opts opts;
static struct far *far;
static struct far_ask asks[600];
static struct far_tally tally;
static int64_t now_us;
static char sent[4 << 20];
static size_t n_sent;

static void up(void)
{
  opts = (struct far_opts){.budget_us = BUDGET};
  seal_keys_init(&opts.keys, SLICE("0123456789abcdef0123456789abcdef"));
  far = far_new(&opts, 7);
  memset(asks, 0, sizeof asks);
  memset(&tally, 0, sizeof tally);
  now_us = 1000000;
}

static void down(void)
{
  far_down(far, "the end", now_us);
  while (far_told(far)) continue;
  far_free(far);
}

/* What there is to be sent is sent; its bytes. */
static struct slice flush(void)
{
  struct slice out;
  n_sent = 0;
  while ((out = far_out(far, now_us)).len) {
    memcpy(sent + n_sent, out.at, out.len);
    n_sent += out.len;
    far_sent(far);
  }
  return slice_of(sent, n_sent);
}

static void feed(struct slice bytes) { far_fed(far, bytes, now_us, WALL_MS); }
static void feed_text(const char *text) { feed(slice_str(text)); }

static const struct far_tally *counts(void)
{
  far_count(far, &tally);
  return &tally;
}

static void open_line(void)
{
  EXPECT(far_wants(far, now_us));
  far_connecting(far, now_us);
  EXPECT(flush().len == 0);
  far_up(far, now_us);
  EXPECT(flush().len > 0);
  feed_text(opts.password[0] ? "+OK\r\n$-1\r\n" : "$-1\r\n");
  EXPECT(far->state == FAR_OPEN);
}

static struct far_ask *get(int i, int64_t due_us)
{
  char text[32];
  int n = snprintf(text, sizeof text, "question %d", i);
  asks[i] = (struct far_ask){.canonical = SLICE("canonical")};
  asks[i].name = far_name(far, SLICE("acme"), slice_of(text, (size_t)n));
  return far_get(far, &asks[i], due_us, now_us) ? &asks[i] : NULL;
}

/* Time goes on, and as many turns as it takes. */
static void turns(int64_t us)
{
  now_us += us;
  for (int i = 0; i < 3; i++) far_turn(far, now_us);
}

static void feed_value(const struct far_ask *ask, struct slice answer, int64_t expires_ms, int flip)
{
  char text[600], value[500];
  size_t len = seal_len(answer.len);
  seal_write(&opts.keys, &ask->name, expires_ms, answer, value);
  if (flip >= 0) value[flip] = (char)(value[flip] ^ 1);
  int n = snprintf(text, sizeof text, "$%zu\r\n", len);
  memcpy(text + n, value, len);
  memcpy(text + (size_t)n + len, "\r\n", 2);
  feed(slice_of(text, (size_t)n + len + 2));
}

TEST(a_value_is_told_to_who_asked_for_it)
{
  up();
  open_line();
  struct far_ask *a = get(1, INT64_MAX), *b = get(2, INT64_MAX);
  struct slice out = flush();
  EXPECT(slice_starts(out, SLICE("*2\r\n$3\r\nGET\r\n$78\r\nslipway:cache:")));
  EXPECT_INT(out.len, 2 * (sizeof "*2\r\n$3\r\nGET\r\n$78\r\n\r\n" - 1 + 78));
  feed_value(a, SLICE("answer"), WALL_MS + 5, -1);
  EXPECT(far_told(far) == a && far_told(far) == NULL);
  EXPECT(a->blob && slice_eq(blob_lend(a->blob), SLICE("canonicalanswer")));
  EXPECT_INT(a->left_us, 5000);
  blob_drop(a->blob);
  feed_text("$-");
  EXPECT(far_told(far) == NULL);
  feed_text("1\r\n");
  EXPECT(far_told(far) == b && !b->blob);
  EXPECT_INT(counts()->hits, 1);
  EXPECT_INT(tally.misses, 1);
  EXPECT_INT(tally.lines, 1);
  EXPECT_INT(tally.errors + tally.forged + tally.failures, 0);
  down();
}

TEST(a_value_that_was_tampered_with_is_nothing)
{
  up();
  open_line();
  int len = (int)seal_len(6);
  for (int flip = 0; flip < len; flip++) {
    struct far_ask *ask = get(1, INT64_MAX);
    flush();
    feed_value(ask, SLICE("answer"), WALL_MS + 5, flip);
    EXPECT(far_told(far) == ask && !ask->blob);
  }
  EXPECT_INT(counts()->forged, len);
  /* Genuine, but of another question; genuine, but over. */
  struct far_ask *a = get(1, INT64_MAX), *b = get(2, INT64_MAX);
  flush();
  feed_value(b, SLICE("answer"), WALL_MS + 5, -1);
  feed_value(b, SLICE("answer"), WALL_MS, -1);
  EXPECT(far_told(far) == a && !a->blob && far_told(far) == b && !b->blob);
  EXPECT_INT(counts()->forged, len + 1);
  EXPECT_INT(tally.misses, 1);
  EXPECT_INT(tally.hits + tally.failures, 0);
  down();
}

/* What it rests for, and that nobody waits while it does. */
static int64_t rested(void)
{
  EXPECT(far->state == FAR_RESTING && !far_wants(far, now_us) && !get(9, INT64_MAX));
  EXPECT(list_empty(&far->asked));
  return far->line.until_us - now_us;
}

TEST(a_late_answer_ends_the_line_for_all_and_longer_each_time)
{
  up();
  for (int64_t want_us = 5000000; want_us <= 60000000; want_us *= 2) {
    open_line();
    struct far_ask *a = get(1, INT64_MAX);
    flush();
    now_us += BUDGET / 2;
    struct far_ask *b = get(2, INT64_MAX);
    flush();
    EXPECT_INT(far_when(far), a->due_us);
    turns(BUDGET / 2 - 1);
    EXPECT(!far_told(far));
    turns(1);
    EXPECT(far_told(far) == a && !a->blob && far_told(far) == b && !b->blob);
    int64_t rest_us = rested();
    EXPECT(rest_us >= want_us * 8 / 10 - 1 && rest_us <= want_us * 12 / 10 + 1);
    now_us += rest_us;
  }
  EXPECT_INT(far->line.next_us, 60000000);
  open_line(); /* five that are answered, and a failure is the first one again */
  for (int i = 0; i < 5; i++) {
    get(1, INT64_MAX);
    flush();
    feed_text("$-1\r\n");
    EXPECT(far_told(far));
  }
  get(1, INT64_MAX);
  flush();
  turns(BUDGET);
  EXPECT(far_told(far) && rested() <= 6000001);
  EXPECT_INT(counts()->lines, 0);
  EXPECT_INT(tally.failures, 5);
  EXPECT_INT(tally.errors, 9);
  down();
}

TEST(who_stood_still_reads_before_it_blames_anybody)
{
  up();
  open_line();
  struct far_ask *a = get(1, INT64_MAX);
  flush();
  now_us += 50 * BUDGET;
  far_turn(far, now_us); /* late; but was the socket read? */
  EXPECT(far->state == FAR_OPEN && far_when(far) <= now_us);
  feed_text("$-1\r\n");
  far_turn(far, now_us);
  EXPECT(far->state == FAR_OPEN && far_told(far) == a);
  far_turn(far, now_us);
  EXPECT(far_when(far) == INT64_MAX);
  down();
}

/* Redis stalls while a large answer is on its way to it. */
TEST(who_asks_behind_a_write_that_stands_waits_no_longer_than_the_budget)
{
  static char large[200 << 10];
  up();
  open_line();
  struct digest name = far_name(far, SLICE("acme"), SLICE("x"));
  far_set(far, &name, slice_of(large, sizeof large), 60000000, now_us, WALL_MS);
  EXPECT(far_out(far, now_us).len > sizeof large); /* and far_sent is not said */
  struct far_ask *a = get(1, now_us + 100000), *b = get(2, now_us + BUDGET / 2);
  EXPECT(a && b && far_out(far, now_us).len == 0);
  EXPECT_INT(far_when(far), now_us + BUDGET / 2);
  turns(BUDGET / 2);
  EXPECT(far_told(far) == b && !b->blob && !far_told(far));
  turns(BUDGET / 2);
  EXPECT(far_told(far) == a && !a->blob && far->state == FAR_OPEN);
  turns(1000000); /* the write was late */
  EXPECT(far->state == FAR_RESTING);
  down();
}

TEST(a_deadline_of_ones_own_is_nobodys_failure)
{
  up();
  open_line();
  struct far_ask *a = get(1, now_us + 1000), *b = get(2, INT64_MAX);
  flush();
  turns(1000);
  EXPECT(far_told(far) == a && !a->blob && !far_told(far) && far->state == FAR_OPEN);
  feed_value(a, SLICE("answer"), WALL_MS + 5, -1); /* for nobody any more */
  EXPECT(!far_told(far));
  far_leave(far, b); /* a client that left */
  feed_text("$-1\r\n");
  EXPECT(!far_told(far) && far->state == FAR_OPEN);
  EXPECT_INT(counts()->hits + tally.misses, 0);
  struct far_ask *c = get(3, INT64_MAX);
  EXPECT(c != NULL); /* left before it was even sent */
  far_leave(far, c);
  flush();
  feed_text("$-1\r\n");
  EXPECT(far->state == FAR_OPEN);
  down();
}

/* CA-103: each is fed whole and byte by byte. */
static void hostile(struct slice says, bool told_first)
{
  for (int by_byte = 0; by_byte < 2; by_byte++) {
    up();
    open_line();
    struct far_ask *a = get(1, INT64_MAX);
    flush();
    if (!by_byte) feed(says);
    for (size_t i = 0; by_byte && i < says.len && far->state == FAR_OPEN; i++)
      feed((struct slice){says.at + i, 1});
    EXPECT(far->state == FAR_RESTING);
    EXPECT(far_told(far) == a && !a->blob);
    EXPECT_INT(counts()->errors, told_first ? 0 : 1);
    EXPECT(rested() > 0);
    feed(says); /* what still comes is for nobody */
    EXPECT(!far_told(far));
    down();
  }
}

TEST(what_makes_no_sense_ends_the_line)
{
  static char deep[40000];
  for (size_t i = 0; i + 4 <= sizeof deep; i += 4) memcpy(deep + i, "*1\r\n", 4);
  hostile(slice_of(deep, sizeof deep), false);
  hostile(SLICE("-LOADING Redis is loading the dataset in memory\r\n"), false);
  hostile(SLICE("-MOVED 3999 127.0.0.1:6381\r\n"), false);
  hostile(SLICE("-\r\n"), false);
  hostile(SLICE("$-2\r\n"), false);
  hostile(SLICE("$9223372036854775808\r\n"), false);
  hostile(SLICE("$18446744073709551615\r\n"), false);
  hostile(SLICE("$x\r\n"), false);
  hostile(SLICE("*2\r\n$1\r\na\r\n$1\r\nb\r\n"), false);
  hostile(SLICE("*2147483647\r\n"), false);
  hostile(SLICE("*0\r\n"), false);
  hostile(SLICE(":1\r\n"), false);
  hostile(SLICE("+OK\r\n"), false);
  hostile(SLICE("HTTP/1.1 400 Bad Request\r\n"), false);
  hostile(SLICE("\0\0\0\0"), false);
  hostile(SLICE("$-1\r\n$-1\r\n"), true);
  hostile(SLICE("$-1\r\n+"), true);
}

TEST(what_has_no_end_ends_the_line)
{
  static char more[64 << 10];
  const char *begins[] = {"+", "-", "$9223372036854775807\r\n", "$1000000\r\n", ":"};
  memset(more, '1', sizeof more);
  for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
    up();
    open_line();
    get(1, INT64_MAX);
    flush();
    feed_text(begins[i]);
    int n = 0;
    for (; far->state == FAR_OPEN && n < 100; n++) feed(slice_of(more, sizeof more));
    EXPECT(n > 1 && n <= FAR_VALUE_MAX / (int)sizeof more + 1);
    EXPECT(far_told(far));
    down();
  }
}

TEST(fills_are_sent_and_bounded_and_a_replica_is_still_read)
{
  static char big[200 << 10];
  up();
  open_line();
  struct digest name = far_name(far, SLICE("acme"), SLICE("q"));
  far_set(far, &name, SLICE("answer"), 60000000, now_us, WALL_MS);
  struct slice out = flush();
  EXPECT(slice_starts(out, SLICE("*5\r\n$3\r\nSET\r\n$78\r\nslipway:cache:")));
  EXPECT(slice_ends(out, SLICE("\r\n$2\r\nPX\r\n$5\r\n60000\r\n")));
  feed_text("+OK\r\n");
  int fills = 1;
  while (far->out[far->filling].len + sizeof big <= FAR_OUT_MAX) {
    far_set(far, &name, slice_of(big, sizeof big), 60000000, now_us, WALL_MS);
    fills++;
  }
  far_set(far, &name, slice_of(big, sizeof big), 60000000, now_us, WALL_MS);
  EXPECT(counts()->fills_left >= 1);
  EXPECT_INT(tally.fills + tally.fills_left, fills + 1);
  flush();
  for (uint64_t i = 1; i < tally.fills; i++) feed_text("-READONLY no\r\n");
  EXPECT(far->state == FAR_OPEN);
  EXPECT_INT(counts()->fills_failed, tally.fills - 1);
  uint64_t left = tally.fills_left;
  far_set(far, &name, SLICE("answer"), 60000000, now_us, WALL_MS);
  EXPECT_INT(counts()->fills_left, left + 1);
  EXPECT(flush().len == 0);
  struct far_ask *a = get(1, INT64_MAX);
  flush();
  feed_text("$-1\r\n");
  EXPECT(far_told(far) == a && far->state == FAR_OPEN);
  now_us += 6000001;
  far_set(far, &name, SLICE("answer"), 60000000, now_us, WALL_MS);
  EXPECT(flush().len > 0);
  down();
}

TEST(no_more_replies_are_owed_than_there_is_room_for)
{
  up();
  open_line();
  int n = 0;
  while (n < 600 && get(n, INT64_MAX)) n++;
  EXPECT_INT(n, FAR_WAITS_MAX);
  flush();
  for (int i = 0; i < n; i++) feed_text("$-1\r\n");
  for (int i = 0; i < n; i++) EXPECT(far_told(far) == &asks[i]);
  EXPECT(get(0, INT64_MAX) && far->state == FAR_OPEN);
  down();
}

TEST(the_greeting_shows_a_password_once_and_a_try)
{
  up();
  strcpy(opts.user, "me");
  strcpy(opts.password, "secret");
  far_connecting(far, now_us);
  far_up(far, now_us);
  EXPECT(slice_eq(flush(), SLICE("*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n"
                                 "*2\r\n$3\r\nGET\r\n$17\r\nslipway:cache:try\r\n")));
  feed_text("-WRONGPASS no\r\n");
  EXPECT(rested() > 0);
  EXPECT(strcmp(counts()->why, "the login was refused") == 0);
  EXPECT(strcmp(tally.said, "WRONGPASS") == 0 && tally.failed_us == now_us);
  now_us = far->line.until_us;
  open_line();
  EXPECT_INT(counts()->lines, 1);
  /* Nobody answers; the connection never comes. */
  far_down(far, "closed", now_us);
  EXPECT(rested() > 0); /* too soon to be a quiet end */
  now_us = far->line.until_us;
  far_connecting(far, now_us);
  turns(1000000);
  EXPECT(rested() > 0);
  down();
}

TEST(an_idle_line_that_is_closed_is_no_failure)
{
  up();
  open_line();
  now_us += 1000000;
  far_down(far, "closed", now_us);
  EXPECT(far_wants(far, now_us));
  EXPECT_INT(counts()->failures, 0);
  open_line();
  down();
}

/* --- answers from elsewhere ------------------------------------------------------------------- */

static const struct tensor_spec specs[2] = {
    {.name = SLICE("x"), .dtype = DT_FP32, .shape = {.rank = 2, .dims = {-1, 2}}},
    {.name = SLICE("s"), .dtype = DT_BYTES, .shape = {.rank = 1, .dims = {-1}}}};
static const struct contract contract = {specs, specs, 2, 2, true};

TEST(only_tensors_that_the_model_could_have_answered_fit)
{
  float x[4] = {1, 2, 3, 4};
  char text[] = "\3\0\0\0abc";
  struct tensor outputs[2] = {
      {.dtype = DT_FP32, .shape = {2, {2, 2}}, .count = 4, .data = x, .bytes = sizeof x},
      {.dtype = DT_BYTES, .shape = {1, {1}}, .count = 1, .data = text, .bytes = 7}};
  char packed[1024], bad[1024];
  size_t len = tensors_packed(outputs, 2, 3);
  EXPECT(len <= sizeof packed);
  tensors_pack(outputs, 2, 3, packed);
  EXPECT(tensors_fit(slice_of(packed, len), &contract, 3));
  EXPECT(!tensors_fit(slice_of(packed, len), &contract, 1));
  EXPECT(!tensors_fit(SLICE_NONE, &contract, 3));
  for (size_t n = 0; n < len; n++) EXPECT(!tensors_fit(slice_of(packed, n), &contract, 3));
  /* No byte that is changed makes one that unpacks to what is not there. */
  for (size_t i = 0; i < len; i++)
    for (int with = 1; with < 256; with += 127) {
      struct tensor got[2] = {{.count = 0}};
      struct arena arena;
      memcpy(bad, packed, len);
      bad[i] = (char)(bad[i] ^ with);
      if (!tensors_fit(slice_of(bad, len), &contract, 3)) continue;
      arena_init(&arena, 1 << 16, NULL);
      EXPECT(tensors_unpack(slice_of(bad, len), &contract, 3, &arena, got));
      EXPECT(got[0].count * 4 == got[0].bytes && got[0].shape.rank == 2);
      arena_deinit(&arena);
    }
  tensors_pack(outputs, 1, 1, bad); /* the same twice */
  tensors_pack(outputs, 1, 1, bad + tensors_packed(outputs, 1, 1));
  EXPECT(!tensors_fit(slice_of(bad, 2 * tensors_packed(outputs, 1, 1)), &contract, 1));
}

TEST(names_differ_by_tenant_secret_and_question)
{
  struct seal_keys one, two;
  seal_keys_init(&one, SLICE("0123456789abcdef0123456789abcdef"));
  seal_keys_init(&two, SLICE("0123456789abcdef0123456789abcdeg"));
  struct digest a = seal_name(&one, SLICE("a"), SLICE("bc")), all[] = {
      seal_name(&one, SLICE("ab"), SLICE("c")), seal_name(&one, SLICE("a"), SLICE("bd")),
      seal_name(&two, SLICE("a"), SLICE("bc")), seal_name(&one, SLICE("b"), SLICE("bc"))};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) EXPECT(!digest_same(&a, &all[i]));
  struct digest same = seal_name(&one, SLICE("a"), SLICE("bc"));
  EXPECT(digest_same(&a, &same));
  seal_keys_deinit(&one);
  seal_keys_deinit(&two);
}
