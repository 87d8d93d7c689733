/* grpc_test.c - gRPC's framing at every cut, deadlines, statuses as other people's libraries write
 * them.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/grpc.h"

#include "test.h"

/* All events of a body fed in pieces of `cut` bytes, as text: H5, P3, E, M, B. */
static const char *events_of(struct slice body, size_t cut, struct err *err)
{
  static char text[512];
  struct grpc grpc;
  size_t n = 0;
  *err = (struct err){0};
  grpc_init(&grpc, 1000);
  for (size_t at = 0; at < body.len; at += cut) {
    struct slice in = slice_of(body.at + at, body.len - at < cut ? body.len - at : cut), piece;
    enum grpc_event event;
    while ((event = grpc_feed(&grpc, &in, &piece, err)) != GRPC_MORE && event != GRPC_BAD) {
      char flag = grpc.compressed ? 'C' : 'H';
      if (event == GRPC_HEAD) n += (size_t)sprintf(text + n, "%c%u ", flag, grpc.bytes);
      if (event == GRPC_PIECE) n += (size_t)sprintf(text + n, "%.*s", (int)piece.len, piece.at);
      if (event == GRPC_END) n += (size_t)sprintf(text + n, "; ");
    }
    if (event == GRPC_BAD) {
      strcpy(text + n, "BAD");
      return text;
    }
  }
  text[n] = '\0';
  if (grpc_ended(&grpc, err)) strcpy(text + n, "CUT");
  return text;
}

TEST(messages_are_the_same_however_they_are_cut)
{
  struct slice body = SLICE("\0\0\0\0\5hello\1\0\0\0\0\0\0\0\0\2ab");
  struct err err;
  for (size_t cut = 1; cut <= body.len; cut++)
    EXPECT_STR(events_of(body, cut, &err), "H5 hello; C0 ; H2 ab; ");
}

TEST(a_body_that_is_no_row_of_messages)
{
  struct err err;
  EXPECT_STR(events_of(SLICE("\2\0\0\0\1a"), 9, &err), "BAD");
  EXPECT_INT(err.code, E_INVALID_ARGUMENT);
  EXPECT_STR(events_of(SLICE("\0\0\0\3\xe9"), 9, &err), "BAD"); /* 1,001 bytes, at most 1,000 */
  EXPECT_INT(err.code, E_BODY_TOO_LARGE);
  EXPECT_STR(events_of(SLICE("\0\xff\xff\xff\xff"), 9, &err), "BAD");
  EXPECT_STR(events_of(SLICE("\0\0\0\0\2a"), 9, &err), "H2 aCUT");
  EXPECT_INT(err.code, E_INVALID_ARGUMENT);
  EXPECT_STR(events_of(SLICE("\0\0\0"), 9, &err), "CUT");
  EXPECT_STR(events_of(SLICE("\0\0\0\0\0"), 9, &err), "H0 ; ");
}

TEST(a_prefix_is_read_as_it_was_written)
{
  char bytes[GRPC_PREFIX];
  struct grpc grpc;
  struct err err;
  struct slice in = slice_of(bytes, sizeof bytes), piece;
  grpc_prefix_write(bytes, 0x01020304, true);
  grpc_init(&grpc, UINT32_MAX);
  EXPECT_INT(grpc_feed(&grpc, &in, &piece, &err), GRPC_HEAD);
  EXPECT(grpc.bytes == 0x01020304 && grpc.compressed);
}

/* GR-103. */
TEST(deadlines)
{
  static const struct {
    const char *text;
    int64_t us; /* -1: refused */
  } rows[] = {
      {"0n", 0},         {"1n", 1},          {"1000n", 1},     {"1001n", 2},  {"250u", 250},
      {"100m", 100000},  {"2S", 2000000},    {"3M", 180000000}, {"1H", 3600000000},
      {"99999999H", INT64_C(99999999) * 3600000000}, {"00000001S", 1000000},
      {"", -1},          {"S", -1},          {"1", -1},        {"-1S", -1},   {"1s", -1},
      {"100000000S", -1}, {"1.5S", -1},      {" 1S", -1},      {"1 S", -1},   {"+1S", -1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int64_t us = -1;
    bool read = grpc_timeout_read(slice_str(rows[i].text), &us);
    EXPECT_INT(read ? us : -1, rows[i].us);
  }
}

TEST(messages_of_statuses_are_percent_encoded_and_cut_at_characters)
{
  char to[64];
  size_t n = grpc_message_write(to, sizeof to, SLICE("100% \"h\xc3\xa9\"\n"));
  EXPECT(slice_eq(slice_of(to, n), SLICE("100%25 \"h%C3%A9\"%0A")));
  EXPECT_INT(grpc_message_write(to, 7, SLICE("a\xc3\xa9")), 7);
  for (size_t cap = 1; cap < 7; cap++)
    EXPECT_INT(grpc_message_write(to, cap, SLICE("a\xc3\xa9")), 1);
  EXPECT_INT(grpc_message_write(to, 2, SLICE("%")), 0);
}

/* Written by protobuf 6.33.6 with googleapis-common-protos 1.76.0. */
TEST(details_of_statuses)
{
  static const struct {
    const char *text, *want;
    uint32_t status;
    uint64_t retry_ms;
  } rows[] = {
      {"tenant acme is over 500 rows/s; retry in 0.4 s",
       "CAgSLnRlbmFudCBhY21lIGlzIG92ZXIgNTAwIHJvd3MvczsgcmV0cnkgaW4gMC40IHMaNAoodHlwZS5nb29nbGVh"
       "cGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIICgYQgIjevgE",
       8, 400},
      {"x", "CAgSAXgaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIAhCAyrXuAQ",
       8, 2500},
      {"x", "CAgSAXgaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAw", 8, 3000},
      {"no", "CAUSAm5v", 5, 0},
  };
  char to[GRPC_DETAILS_MAX];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    size_t n = grpc_details_write(to, rows[i].status, slice_str(rows[i].text), rows[i].retry_ms);
    to[n] = '\0';
    EXPECT_STR(to, rows[i].want);
  }
  static char longest[4000];
  memset(longest, 'x', sizeof longest);
  EXPECT(grpc_details_write(to, UINT32_MAX, slice_of(longest, sizeof longest), UINT64_MAX) <
         GRPC_DETAILS_MAX);
}
