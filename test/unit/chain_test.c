/* chain_test.c - an exported ledger proves itself: whatever is done to whichever row, the first bad
 * one is named; and what a file alone cannot tell, checkpoints do.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <inttypes.h>

#include "base/text.h"
#include "wire/audit/chain.h"

enum { ROWS = 12, LINES = ROWS + 2 };

static char lines[LINES + 1][512]; /* begin, rows, end; room for one more */
static int n_lines;
static struct err err;
static const unsigned char seed[SIGN_KEY_LEN] = {1, 2, 3};

static void keep(int at, struct buf *buf)
{
  must(buf->len && buf->len <= sizeof lines[0] && buf->at[buf->len - 1] == '\n');
  memcpy(lines[at], buf->at, buf->len - 1);
  lines[at][buf->len - 1] = '\0';
  buf_deinit(buf);
}

/* A tenant's rows have gaps, since others' stand between them. */
static uint64_t seq_of(int row, bool all) { return all ? (uint64_t)row : (uint64_t)row * 3; }

static struct chain_row row_made(char *text, int row, bool all, const char *actor,
                                 const struct digest *prev)
{
  int len = snprintf(text, 256,
                     "{\"actor\":\"%s\",\"body\":{\"note\":\"a \\\",\\\"seq\\\":7\"},\"seq\":%" PRIu64
                     ",\"tenant\":\"acme\",\"wall_ms\":%d}", actor, seq_of(row, all), row);
  struct chain_row made = {.seq = seq_of(row, all), .prev = *prev};
  struct sha256 sha;
  made.canonical = slice_of(text, (size_t)len);
  sha256_init(&sha);
  sha256_add(&sha, slice_of((const char *)prev->at, SHA256_LEN));
  sha256_add(&sha, made.canonical);
  made.hash = sha256_end(&sha);
  return made;
}

/* The file of rows 1 to ROWS; from row `anew` on by another actor, as one who rewrites it would. */
static void file_make(bool all, int anew)
{
  struct digest prev = {{0}};
  struct chain_row row = {0};
  struct buf buf;
  char text[256];
  buf_init(&buf, 4096);
  chain_begin_write(&buf, all ? SLICE_NONE : SLICE("acme"));
  keep(0, &buf);
  for (int i = 1; i <= ROWS; i++) {
    row = row_made(text, i, all, anew && i >= anew ? "mallory" : "ann", &prev);
    buf_init(&buf, 4096);
    chain_row_write(&buf, &row);
    keep(i, &buf);
    prev = row.hash;
  }
  buf_init(&buf, 4096);
  chain_end_write(&buf, ROWS, &row);
  keep(ROWS + 1, &buf);
  n_lines = LINES;
}

static enum code check_with(const struct checkpoint *checkpoints, uint32_t n)
{
  struct chain_check check = {.checkpoints = (struct checkpoint *)(uintptr_t)checkpoints,
                              .n_checkpoints = n};
  err = (struct err){.code = OK};
  for (int i = 0; i < n_lines; i++)
    if (chain_check_line(&check, slice_str(lines[i]), &err)) return err.code;
  return chain_check_end(&check, &err);
}

static bool says(const char *fmt, uint64_t seq)
{
  char want[64];
  snprintf(want, sizeof want, fmt, seq);
  bool found = strstr(err.text, want) != NULL;
  if (!found) fprintf(stderr, "wanted \"%s\", got \"%s\"\n", want, err.text);
  return found;
}

#define EXPECT_BROKEN(fmt, seq)                 \
  do {                                          \
    EXPECT_INT(check_with(NULL, 0), E_CHAIN_BROKEN); \
    EXPECT(says(fmt, seq));                     \
  } while (0)

static void line_remove(int at)
{
  for (int i = at; i + 1 < n_lines; i++) memcpy(lines[i], lines[i + 1], sizeof lines[0]);
  n_lines--;
}

static void line_insert(int at)
{
  for (int i = n_lines; i > at; i--) memcpy(lines[i], lines[i - 1], sizeof lines[0]);
  n_lines++;
}

TEST(what_was_written_holds)
{
  for (int all = 0; all < 2; all++) {
    file_make(all, 0);
    EXPECT_INT(check_with(NULL, 0), OK);
  }
}

/* Every byte of every row: 12 rows of some 250 bytes. */
TEST(a_flipped_byte_is_found_in_its_row)
{
  for (int row = 1; row <= ROWS; row++) {
    file_make(false, 0);
    size_t len = strlen(lines[row]);
    for (size_t at = 0; at < len; at++) {
      lines[row][at] ^= 1;
      EXPECT_INT(check_with(NULL, 0), E_CHAIN_BROKEN);
      char line[32];
      snprintf(line, sizeof line, "line %d", row + 1);
      EXPECT(strstr(err.text, line) != NULL);
      lines[row][at] ^= 1;
    }
  }
}

TEST(a_removed_row_is_missed_by_the_next)
{
  for (int row = 1; row <= ROWS; row++) {
    file_make(false, 0);
    line_remove(row);
    if (row == 1)
      /* the first row may be of the middle: an export can begin anywhere; the count tells */
      EXPECT_BROKEN("the end does not fit", 0);
    else if (row == ROWS)
      EXPECT_BROKEN("the end does not fit", 0);
    else
      EXPECT_BROKEN("event %" PRIu64 ", does not follow", seq_of(row + 1, false));
  }
}

TEST(a_row_that_was_added_or_moved_is_named)
{
  for (int row = 1; row < ROWS; row++) {
    char swap[sizeof lines[0]];
    file_make(false, 0);
    line_insert(row + 1); /* the next row twice */
    EXPECT_BROKEN("event %" PRIu64 ", does not follow", seq_of(row + 1, false));

    file_make(false, 0);
    memcpy(swap, lines[row], sizeof swap);
    memcpy(lines[row], lines[row + 1], sizeof swap);
    memcpy(lines[row + 1], swap, sizeof swap);
    EXPECT_BROKEN("event %" PRIu64 ", does not follow", seq_of(row == 1 ? row : row + 1, false));

    /* one that continues the chain by the book: what follows does not follow it */
    file_make(false, 0);
    struct chain_row forged;
    struct digest prev;
    struct buf buf;
    char text[256];
    EXPECT(digest_from_hex(slice_of(lines[row] + 9, SHA256_HEX_LEN), &prev));
    forged = row_made(text, row, false, "mallory", &prev);
    forged.seq++;
    line_insert(row + 1);
    buf_init(&buf, 4096);
    chain_row_write(&buf, &forged);
    keep(row + 1, &buf);
    EXPECT_INT(check_with(NULL, 0), E_CHAIN_BROKEN); /* its number is taken */
    EXPECT(says("line %" PRIu64, (uint64_t)row + 2));
  }
}

TEST(a_row_of_another_tenant_has_no_place)
{
  file_make(false, 0);
  memcpy(strstr(lines[0], "acme"), "acmx", 4);
  EXPECT_BROKEN("event %" PRIu64 ", has no place", seq_of(1, false));
}

TEST(a_file_without_its_end_was_cut)
{
  for (int left = 1; left < LINES; left++) {
    file_make(false, 0);
    n_lines = left;
    EXPECT_BROKEN("was cut", 0);
  }
  n_lines = 0;
  EXPECT_INT(check_with(NULL, 0), E_BAD_JSON);
}

/* --- with checkpoints ------------------------------------------------------------------------- */

static int checkpoint_line(char to[CHECKPOINT_LINE_MAX], uint64_t seq, const char *hash,
                           const char *tenant)
{
  unsigned char sign[SIGN_LEN];
  char key[SHA256_HEX_LEN + 1], text[BASE64_LEN(SIGN_LEN) + 1], inner[512];
  struct digest public_key;
  sign_public(seed, public_key.at);
  digest_hex(&public_key, key);
  int len = snprintf(inner, sizeof inner,
                     "{\"at_ms\":17,\"hash\":\"%.64s\",\"key\":\"%s\",\"seq\":%" PRIu64
                     ",\"tenant\":%s}", hash, key, seq, tenant);
  sign_bytes(seed, slice_of(inner, (size_t)len), sign);
  base64_write(slice_of((char *)sign, sizeof sign), text);
  return snprintf(to, CHECKPOINT_LINE_MAX, "{\"checkpoint\":%s,\"sign\":\"%s\"}", inner, text);
}

/* One of each `every`-th row of the true file; how many. */
static uint32_t checkpoints_make(struct checkpoint to[ROWS], int every)
{
  uint32_t n = 0;
  char line[CHECKPOINT_LINE_MAX];
  file_make(false, 0);
  for (int row = every; row <= ROWS; row += every) {
    int len = checkpoint_line(line, seq_of(row, false), lines[row] + 9, "\"acme\"");
    EXPECT_INT(checkpoint_read(slice_of(line, (size_t)len), &to[n], &err), OK);
    EXPECT(to[n].seq == seq_of(row, false) && !to[n].all && !strcmp(to[n].tenant, "acme"));
    EXPECT_INT(to[n].at_ms, 17);
    n++;
  }
  return n;
}

TEST(a_cut_tail_is_known_to_a_checkpoint)
{
  struct checkpoint checkpoints[ROWS];
  uint32_t n = checkpoints_make(checkpoints, 1);
  EXPECT_INT(check_with(checkpoints, n), OK);
  for (int left = 1; left < ROWS; left++) {
    struct chain_row last = {.seq = seq_of(left, false)};
    struct buf buf;
    file_make(false, 0);
    EXPECT(digest_from_hex(slice_of(lines[left] + 9, SHA256_HEX_LEN), &last.hash));
    buf_init(&buf, 4096);
    chain_end_write(&buf, (uint64_t)left, &last); /* a new end, by the book */
    keep(left + 1, &buf);
    n_lines = left + 2;
    EXPECT_INT(check_with(NULL, 0), OK);
    EXPECT_INT(check_with(checkpoints, n), E_CHAIN_BROKEN);
    EXPECT(says("the first that is missing comes after %" PRIu64, last.seq));
  }
}

TEST(a_rewritten_rest_is_named_by_its_first_row)
{
  struct checkpoint each[ROWS], some[ROWS];
  uint32_t n_each = checkpoints_make(each, 1), n_some = checkpoints_make(some, 4);
  for (int row = 1; row <= ROWS; row++) {
    file_make(false, row);
    EXPECT_INT(check_with(NULL, 0), OK); /* nobody can tell by the file alone */
    EXPECT_INT(check_with(each, n_each), E_CHAIN_BROKEN);
    EXPECT(says(": event %" PRIu64 " is the first", seq_of(row, false)));
    EXPECT_INT(check_with(some, n_some), E_CHAIN_BROKEN); /* the first that nobody vouches for */
    EXPECT(says(": event %" PRIu64 " is the first", seq_of((row - 1) / 4 * 4 + 1, false)));
  }
}

TEST(a_row_that_was_signed_and_is_not_there_is_missed)
{
  struct checkpoint ghost = {.seq = seq_of(5, false) + 1};
  file_make(false, 0);
  EXPECT_INT(check_with(&ghost, 1), E_CHAIN_BROKEN);
  EXPECT(says("events %" PRIu64 " to", seq_of(1, false)));
}

TEST(a_checkpoint_is_its_signature)
{
  char line[CHECKPOINT_LINE_MAX], hash[SHA256_HEX_LEN + 1];
  struct checkpoint got;
  struct digest digest = sha256_of(SLICE("x"));
  digest_hex(&digest, hash);
  int len = checkpoint_line(line, 42, hash, "null");
  EXPECT_INT(checkpoint_read(slice_of(line, (size_t)len), &got, &err), OK);
  EXPECT(got.all && got.seq == 42 && digest_same(&got.hash, &digest));
  for (int at = 0; at < len; at++) {
    line[at] ^= 1;
    EXPECT(checkpoint_read(slice_of(line, (size_t)at + 1), &got, &err) != OK);
    EXPECT(checkpoint_read(slice_of(line, (size_t)len), &got, &err) != OK);
    line[at] ^= 1;
  }
}

TEST(what_is_no_export_is_said_so)
{
  static const char *const first[] = {"", "{}", "{\"audit\":2,\"tenant\":\"a\"}", "{\"audit\":1}",
                                      "{\"audit\":1,\"tenant\":\"a\"} ", "hello"};
  for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
    struct chain_check check = {0};
    EXPECT_INT(chain_check_line(&check, slice_str(first[i]), &err), E_BAD_JSON);
  }
}
