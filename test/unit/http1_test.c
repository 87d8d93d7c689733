/* http1_test.c - the HTTP/1 reader: the catalogue's rows, and the same events however bytes are
 * cut.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/http1.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

enum { LIMIT = 1 << 20 };

static struct h1_seen heads, *lately; /* NULL: nothing is remembered */

/* What the reader says about `bytes`, cut at the given places, as one line:
 *   "POST /x 1.1 len=3 keep|a: b|...|body(abc)|done|..."; "bad CODE" ends it.
 * Each piece lies in memory of exactly its size, so that reading past it is seen. */
static void trace(struct slice bytes, const size_t *cuts, size_t n_cuts, uint64_t body_max,
                  bool values, struct buf *to)
{
  struct h1 h1;
  struct arena arena;
  struct err err = {0};
  arena_init(&arena, 1 << 20, NULL);
  h1_init(&h1, NULL);
  h1_remember(&h1, lately);
  buf_reset(to);
  size_t at = 0;
  bool in_body = false, over = false;
  for (size_t c = 0; c <= n_cuts && !over; c++) {
    size_t end = c < n_cuts ? cuts[c] : bytes.len;
    char *piece = grab(end - at ? end - at : 1);
    memcpy(piece, bytes.at + at, end - at);
    struct slice in = {piece, end - at}, out;
    const char *piece_end = piece + in.len;
    at = end;
    for (;;) {
      enum h1_event event = h1_feed(&h1, &arena, &in, &out, &err);
      if (event != H1_BODY && event != H1_MORE && in_body) buf_print(to, ")|"), in_body = false;
      if (event == H1_MORE) break;
      if (event == H1_HEAD) {
        const struct http_head *h = &h1.head;
        buf_print(to, "%.*s %.*s 1.%d", (int)h->verb.len, h->verb.at, (int)h->target.len,
                  h->target.at, h->minor);
        if (h->chunked) buf_print(to, " chunked");
        if (h->content_length) buf_print(to, " len=%llu", (unsigned long long)h->content_length);
        if (h->expect_continue) buf_print(to, " expect");
        buf_print(to, " %s|", h->keep_alive ? "keep" : "close");
        for (int i = 0; values && i < h->n_fields; i++)
          buf_print(to, "%.*s=%.*s|", (int)h->fields[i].name.len, h->fields[i].name.at,
                    (int)h->fields[i].value.len, h->fields[i].value.at);
        if (h1_body_limit(&h1, body_max, &err)) event = H1_BAD;
      }
      if (event == H1_BODY) {
        if (!in_body) buf_print(to, "body("), in_body = true;
        EXPECT(out.len > 0);
        EXPECT(out.at >= piece && out.at + out.len <= piece_end);
        buf_add(to, out);
      }
      if (event == H1_DONE) {
        buf_print(to, "done|");
        h1_reset(&h1);
        arena_reset(&arena);
      }
      if (event == H1_BAD) {
        buf_print(to, "bad %s", code_name(err.code));
        over = true;
        break;
      }
    }
    ungrab(piece);
  }
  if (in_body) buf_print(to, ")");
  buf_add(to, slice_of("", 1));
  arena_deinit(&arena);
}

static const char *whole(struct slice bytes, uint64_t body_max)
{
  static struct buf b;
  if (!b.at) buf_init(&b, 8 << 20);
  trace(bytes, NULL, 0, body_max, true, &b);
  return b.at;
}

/* The property: cutting at every place, and at all places, changes nothing. */
static void cut_everywhere(const char *id, struct slice bytes, const char *want)
{
  struct buf b;
  buf_init(&b, 8 << 20);
  trace(bytes, NULL, 0, LIMIT, true, &b);
  if (want && strcmp(b.at, want) != 0) {
    printf("%s: got      %s\n%s: expected %s\n", id, b.at, id, want);
    test_failures++;
  }
  struct buf c;
  buf_init(&c, 8 << 20);
  size_t step = bytes.len > 2000 ? bytes.len / 500 : 1;
  for (size_t cut = 0; cut <= bytes.len; cut += step) {
    trace(bytes, &cut, 1, LIMIT, true, &c);
    if (strcmp(b.at, c.at) != 0) {
      printf("%s: cut at %zu: %s\n", id, cut, c.at);
      test_failures++;
      break;
    }
  }
  size_t *all = grab((bytes.len + 1) * sizeof *all);
  for (size_t i = 0; i < bytes.len; i++) all[i] = i;
  trace(bytes, all, bytes.len, LIMIT, true, &c);
  EXPECT_STR(c.at, b.at);
  struct rand rand;
  rand_seed(&rand, bytes.len);
  for (int round = 0; round < 20; round++) {
    size_t n = 0;
    for (size_t at = 0; at < bytes.len; at += 1 + rand_u64(&rand) % 40) all[n++] = at;
    trace(bytes, all, n, LIMIT, true, &c);
    if (strcmp(b.at, c.at) != 0) {
      printf("%s: random cuts, round %d: %s\n", id, round, c.at);
      test_failures++;
      break;
    }
  }
  ungrab(all);
  buf_deinit(&b);
  buf_deinit(&c);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define SEEN "POST /x 1.1 chunked keep|Host=a|Transfer-Encoding=chunked|"
#define NEXT "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
#define BAD "bad BAD_REQUEST"

struct sample {
  const char *id, *bytes, *want;
};

static void samples_run(const struct sample *samples, size_t n)
{
  for (size_t i = 0; i < n; i++)
    cut_everywhere(samples[i].id, slice_str(samples[i].bytes), samples[i].want);
}

TEST(h1_good_requests)
{
  static const struct sample samples[] = {
      {"get", GET "\r\n", "GET / 1.1 keep|Host=a|done|"},
      {"1.0", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 close|done|"},
      {"1.0 keep", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
       "GET / 1.0 keep|Connection=Keep-Alive|done|"},
      {"close", GET "Connection: foo, ClosE\r\n\r\n",
       "GET / 1.1 close|Host=a|Connection=foo, ClosE|done|"},
      {"close wins", GET "Connection: close\r\nConnection: keep-alive\r\n\r\n",
       "GET / 1.1 close|Host=a|Connection=close|Connection=keep-alive|done|"},
      {"body", POST "Content-Length: 3\r\n\r\nabc",
       "POST /x 1.1 len=3 keep|Host=a|Content-Length=3|body(abc)|done|"},
      {"zero", POST "Content-Length: 0\r\n\r\n", "POST /x 1.1 keep|Host=a|Content-Length=0|done|"},
      {"no length", POST "\r\n", "POST /x 1.1 keep|Host=a|done|"},
      {"18 digits", POST "Content-Length: 000000000000000003\r\n\r\nabc",
       "POST /x 1.1 len=3 keep|Host=a|Content-Length=000000000000000003|body(abc)|done|"},
      {"chunked", CHUNKED "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", SEEN "body(abcde)|done|"},
      {"chunked hex", CHUNKED "A\r\n0123456789\r\n000000000000000b;a;b=\"c d\"\r\n0123456789a\r\n0\r\n\r\n",
       SEEN "body(01234567890123456789a)|done|"},
      {"chunked empty", CHUNKED "0\r\n\r\n", SEEN "done|"},
      {"coding case", POST "Transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n",
       "POST /x 1.1 chunked keep|Host=a|Transfer-encoding=CHUNKED|done|"},
      {"pipelined", GET "\r\n" POST "Content-Length: 2\r\n\r\nhi" NEXT,
       "GET / 1.1 keep|Host=a|done|POST /x 1.1 len=2 keep|Host=a|Content-Length=2|body(hi)|done|"
       "GET /next 1.1 keep|Host=a|done|"},
      {"pipelined chunked", CHUNKED "1\r\nz\r\n0\r\n\r\n" NEXT,
       SEEN "body(z)|done|GET /next 1.1 keep|Host=a|done|"},
      {"empty line first", "\r\n" GET "\r\n\r\n" NEXT,
       "GET / 1.1 keep|Host=a|done|GET /next 1.1 keep|Host=a|done|"},
      {"white space", "GET / HTTP/1.1\r\nHost:\ta \t\r\nX:\r\nY: a\tb  c \r\nZ:  \r\n\r\n",
       "GET / 1.1 keep|Host=a|X=|Y=a\tb  c|Z=|done|"},
      {"obs-text", GET "X: \xc3\xa4\r\n\r\n", "GET / 1.1 keep|Host=a|X=\xc3\xa4|done|"},
      {"expect", POST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\nq",
       "POST /x 1.1 len=1 expect keep|Host=a|Content-Length=1|Expect=100-Continue|body(q)|done|"},
      {"expect without body", GET "Expect: 100-continue\r\n\r\n",
       "GET / 1.1 keep|Host=a|Expect=100-continue|done|"},
      {"expect in 1.0", "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nq",
       "POST / 1.0 len=1 close|Content-Length=1|Expect=100-continue|body(q)|done|"},
      {"absolute", "GET http://a:80/x HTTP/1.1\r\nHost: A:80\r\n\r\n",
       "GET http://a:80/x 1.1 keep|Host=A:80|done|"},
      {"hosts", "GET / HTTP/1.1\r\nHost: [::1]:65535\r\n\r\n" "GET / HTTP/1.1\r\nHost:\r\n\r\n"
       "GET / HTTP/1.1\r\nHost: a_b.c-d:\r\n\r\n",
       "GET / 1.1 keep|Host=[::1]:65535|done|GET / 1.1 keep|Host=|done|"
       "GET / 1.1 keep|Host=a_b.c-d:|done|"},
      {"H1-121 verbs", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
       "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
       "M-SEARCH /y HTTP/1.1\r\nHost: a\r\n\r\n",
       "TRACE / 1.1 keep|Host=a|done|OPTIONS * 1.1 keep|Host=a|done|"
       "HEAD / 1.1 len=2 keep|Host=a|Content-Length=2|body(hi)|done|"
       "M-SEARCH /y 1.1 keep|Host=a|done|"},
      {"H1-121 connect", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
       "CONNECT a:443 1.1 close|Host=a:443|done|"},
      {"H1-113 upgrade", POST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
       "Content-Length: 2\r\n\r\nhi" GET "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n" NEXT,
       "POST /x 1.1 len=2 keep|Host=a|Connection=Upgrade, HTTP2-Settings|Upgrade=h2c|"
       "Content-Length=2|body(hi)|done|"
       "GET / 1.1 keep|Host=a|Upgrade=websocket|Connection=upgrade|done|"
       "GET /next 1.1 keep|Host=a|done|"},
      {"H1-113 hop by hop", GET "Connection: authorization\r\nAuthorization: Bearer k\r\n\r\n",
       "GET / 1.1 keep|Host=a|Connection=authorization|Authorization=Bearer k|done|"},
      {"H1-115 trailers",
       CHUNKED "1\r\nz\r\n0\r\nContent-Length: 9\r\nHost: b\r\nAuthorization: x\r\n"
               "Transfer-Encoding: gzip\r\n\r\n" NEXT,
       SEEN "body(z)|done|GET /next 1.1 keep|Host=a|done|"},
  };
  samples_run(samples, sizeof samples / sizeof *samples);
}

TEST(h1_framing_has_one_reading)
{
  static const struct sample samples[] = {
      {"H1-101 CL TE", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
       "bad CONFLICTING_FRAMING"},
      {"H1-101 TE CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" NEXT,
       "bad CONFLICTING_FRAMING"},
      {"H1-101 CL CL", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" NEXT,
       "bad CONFLICTING_FRAMING"},
      {"H1-101 TE TE", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
       "bad CONFLICTING_FRAMING"},
      {"CL list", POST "Content-Length: 3, 3\r\n\r\nabc", BAD},
      {"CL plus", POST "Content-Length: +3\r\n\r\nabc", BAD},
      {"CL minus", POST "Content-Length: -3\r\n\r\nabc", BAD},
      {"CL hex", POST "Content-Length: 0x3\r\n\r\nabc", BAD},
      {"CL empty", POST "Content-Length:\r\n\r\nabc", BAD},
      {"CL space", POST "Content-Length: 1 2\r\n\r\nabc", BAD},
      {"CL 19 digits", POST "Content-Length: 0000000000000000003\r\n\r\nabc", BAD},
      {"CL 2^64+3", POST "Content-Length: 18446744073709551619\r\n\r\nabc", BAD},
      {"TE 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD},
      {"TE gzip", POST "Transfer-Encoding: gzip\r\n\r\n", BAD},
      {"TE gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD},
      {"TE chunked, chunked", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", BAD},
      {"TE identity", POST "Transfer-Encoding: identity\r\n\r\n", BAD},
      {"TE xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", BAD},
      {"TE chunked;q", POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", BAD},
      {"TE vertical tab", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", BAD},
      {"TE space", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", BAD},
      {"TE GET 1.1 empty", POST "Transfer-Encoding:\r\n\r\n", BAD},
      {"H1-102 0x5", CHUNKED "0x5\r\nabcde\r\n0\r\n\r\n", SEEN BAD},
      {"H1-102 +5", CHUNKED "+5\r\nabcde\r\n0\r\n\r\n", SEEN BAD},
      {"H1-102 5_0", CHUNKED "5_0\r\nabcde\r\n0\r\n\r\n", SEEN BAD},
      {"H1-102 17 digits", CHUNKED "10000000000000005\r\nabcde\r\n0\r\n\r\n", SEEN BAD},
      {"H1-102 16 f", CHUNKED "ffffffffffffffff\r\nabc", SEEN "bad BODY_TOO_LARGE"},
      {"H1-102 -1", CHUNKED "-1\r\nabcde\r\n0\r\n\r\n", SEEN BAD},
      {"H1-102 empty", CHUNKED "\r\nabcde\r\n0\r\n\r\n", SEEN BAD},
      {"H1-102 space before", CHUNKED " 5\r\nabcde\r\n0\r\n\r\n", SEEN BAD},
      {"H1-102 space after", CHUNKED "5 \r\nabcde\r\n0\r\n\r\n", SEEN BAD},
      {"H1-102 too short", CHUNKED "2\r\nabc\r\n0\r\n\r\n", SEEN "body(ab)|" BAD},
      {"H1-103 LF size", CHUNKED "3\nabc\r\n0\r\n\r\n", SEEN BAD},
      {"H1-103 LF data", CHUNKED "3\r\nabc\n0\r\n\r\n", SEEN "body(abc)|" BAD},
      {"H1-103 CR size", CHUNKED "3\rabc\r\n0\r\n\r\n", SEEN BAD},
      {"H1-103 ext LF", CHUNKED "3;a\nabc\r\n0\r\n\r\n", SEEN BAD},
      {"H1-103 ext CR", CHUNKED "3;a\rb\r\nabc\r\n0\r\n\r\n", SEEN BAD},
      {"H1-103 ext quoted CRLF", CHUNKED "3;a=\"\r\n\"\r\nabc\r\n0\r\n\r\n", SEEN BAD},
      {"H1-103 ext byte", CHUNKED "3;a=\x80\r\nabc\r\n0\r\n\r\n", SEEN BAD},
      {"H1-103 ext odd, then too large", CHUNKED "ffffff;a=\"b\"c: d\r\n\r\n", SEEN BAD},
      {"trailer LF", CHUNKED "0\r\nA: b\n\r\n", SEEN BAD},
      {"trailer name", CHUNKED "0\r\nA b: c\r\n\r\n", SEEN BAD},
      {"trailer fold", CHUNKED "0\r\nA: b\r\n c\r\n\r\n", SEEN BAD},
      {"trailer end", CHUNKED "0\r\n\rX", SEEN BAD},
  };
  samples_run(samples, sizeof samples / sizeof *samples);
}

TEST(h1_odd_heads_are_refused)
{
  static const struct sample samples[] = {
      {"H1-104 LF", "GET / HTTP/1.1\nHost: a\n\n", BAD},
      {"H1-104 LF in fields", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", BAD},
      {"H1-104 LF at end", GET "\n", BAD},
      {"H1-104 CR", "GET / HTTP/1.1\rHost: a\r\r", BAD},
      {"H1-104 CR in field", GET "X: a\rContent-Length: 9\r\n\r\n", BAD},
      {"H1-104 CR CR LF", GET "X: a\r\r\n\r\n", BAD},
      {"H1-104 fold", GET "X: a\r\n b\r\n\r\n", BAD},
      {"H1-104 fold tab", GET "X: a\r\n\tb\r\n\r\n", BAD},
      {"H1-105 CR value", GET "X: a\rb\r\n\r\n", BAD},
      {"H1-105 control", GET "X: a\001b\r\n\r\n", BAD},
      {"H1-105 DEL", GET "X: a\177b\r\n\r\n", BAD},
      {"H1-105 name (", GET "X(: a\r\n\r\n", BAD},
      {"H1-105 name high", GET "X\xc3\xa4: a\r\n\r\n", BAD},
      {"H1-105 name empty", GET ": a\r\n\r\n", BAD},
      {"H1-105 no colon", GET "X\r\n\r\n", BAD},
      {"H1-106 space colon", GET "X : a\r\n\r\n", BAD},
      {"H1-106 tab colon", GET "X\t: a\r\n\r\n", BAD},
      {"H1-106 Host space", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", BAD},
      {"H1-106 first space", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", BAD},
      {"H1-106 first tab", "GET / HTTP/1.1\r\n\tHost: a\r\nHost: b\r\n\r\n", BAD},
      {"no host", "GET / HTTP/1.1\r\n\r\n", BAD},
      {"two hosts", GET "Host: a\r\n\r\n", BAD},
      {"host comma", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", BAD},
      {"host user", "GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", BAD},
      {"host path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BAD},
      {"host space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", BAD},
      {"host bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", BAD},
      {"host port", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", BAD},
      {"host port word", "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", BAD},
      {"host differs", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"absolute no host", "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"0.9", "GET /\r\n\r\n", BAD},
      {"version 2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", BAD},
      {"version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", BAD},
      {"version 1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", BAD},
      {"version 01.1", "GET / HTTP/01.1\r\nHost: a\r\n\r\n", BAD},
      {"version http", "GET / http/1.1\r\nHost: a\r\n\r\n", BAD},
      {"h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"two spaces after", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"trailing space", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", BAD},
      {"tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"high target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"no slash", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"GET *", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"two empty lines", "\r\n\r\n" GET "\r\n", BAD},
      {"lower method", "get / HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "bad NOT_IMPLEMENTED"},
      {"bad method", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"TLS hello", "\026\003\001\002", BAD},
      {"417", POST "Content-Length: 1\r\nExpect: 200-ok\r\n\r\nq", "bad EXPECTATION_FAILED"},
      {"llhttp alone says no", "PLAY / HTTP/1.1\r\nHost: a\r\n\r\n", BAD},
      {"two keys", GET "X-Api-Key: a\r\nx-api-key: b\r\n\r\n", BAD},
  };
  samples_run(samples, sizeof samples / sizeof *samples);
  cut_everywhere("H1-105 NUL", SLICE(GET "X: a\0b\r\n\r\n"), BAD);
  cut_everywhere("H1-105 NUL in target", SLICE("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), BAD);
}

/* prefix, n times `fill`, suffix */
static struct slice stuffed(struct buf *b, const char *prefix, const char *fill, size_t n,
                            const char *suffix)
{
  buf_reset(b);
  buf_add(b, slice_str(prefix));
  for (size_t i = 0; i < n; i++) buf_add(b, slice_str(fill));
  buf_add(b, slice_str(suffix));
  return buf_lend(b);
}

static bool ends_with(const char *text, const char *tail)
{
  return slice_ends(slice_str(text), slice_str(tail));
}

TEST(h1_107_limits_of_heads)
{
  struct buf b;
  buf_init(&b, 4 << 20);
  static const char line[] = "GET / HTTP/1.1";
  enum { ROOM = 8192 - (sizeof line - 1) };
  const char *tail = " HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT(ends_with(whole(stuffed(&b, "GET /", "u", ROOM, tail), LIMIT), "done|"));
  EXPECT_STR(whole(stuffed(&b, "GET /", "u", ROOM + 1, tail), LIMIT), "bad URI_TOO_LONG");
  EXPECT_STR(whole(stuffed(&b, "GET /", "u", 9 << 10, ""), LIMIT), "bad URI_TOO_LONG");
  cut_everywhere("H1-107 414", stuffed(&b, "GET /", "u", ROOM + 1, tail), "bad URI_TOO_LONG");
  /* one field: "X: " and 8,189 bytes is just in */
  EXPECT(ends_with(whole(stuffed(&b, GET "X: ", "v", 8189, "\r\n\r\n"), LIMIT), "done|"));
  EXPECT_STR(whole(stuffed(&b, GET "X: ", "v", 8190, "\r\n\r\n"), LIMIT), "bad HEADERS_TOO_LARGE");
  EXPECT_STR(whole(stuffed(&b, GET "X: ", " ", 64 << 10, ""), LIMIT), "bad HEADERS_TOO_LARGE");
  cut_everywhere("H1-107 431", stuffed(&b, GET "X: ", "v", 64 << 10, "\r\n\r\n"),
                 "bad HEADERS_TOO_LARGE");
  /* 100 fields, Host included */
  EXPECT(ends_with(whole(stuffed(&b, GET, "X: y\r\n", 99, "\r\n"), LIMIT), "done|"));
  EXPECT_STR(whole(stuffed(&b, GET, "X: y\r\n", 100, "\r\n"), LIMIT), "bad HEADERS_TOO_LARGE");
  cut_everywhere("H1-107 101", stuffed(&b, GET, "X: y\r\n", 100, "\r\n"), "bad HEADERS_TOO_LARGE");
  /* all fields: "Host: a\r\n" is 9 bytes, 512 * 63 = 32,256, then one of 503 makes 32,768 */
  char big[513];
  memset(big, 'f', sizeof big);
  memcpy(big, "X: ", 3);
  memcpy(big + 510, "\r\n", 3);
  for (int over = 0; over < 2; over++) {
    stuffed(&b, GET, big, 63, "X: ");
    for (int i = 0; i < 32768 - 9 - 63 * 512 - 5 + over; i++) buf_add(&b, SLICE("g"));
    buf_add(&b, SLICE("\r\n\r\n" NEXT));
    if (over) cut_everywhere("H1-107 all", buf_lend(&b), "bad HEADERS_TOO_LARGE");
    else EXPECT(ends_with(whole(buf_lend(&b), LIMIT), "GET /next 1.1 keep|Host=a|done|"));
  }
  EXPECT_STR(whole(stuffed(&b, GET, big, 400, ""), LIMIT), "bad HEADERS_TOO_LARGE");
  buf_deinit(&b);
}

TEST(h1_102_103_108_limits_of_chunks)
{
  struct buf b;
  buf_init(&b, 4 << 20);
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED, "0", 10000, "5\r\nabcde\r\n0\r\n\r\n"), LIMIT),
                   "bad BAD_REQUEST"));
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED "1;", "e", 256, "\r\nz\r\n0\r\n\r\n"), LIMIT),
                   "body(z)|done|"));
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED "1;", "e", 257, "\r\nz\r\n0\r\n\r\n"), LIMIT),
                   "bad BAD_REQUEST"));
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED "1;", "e", 1 << 20, ""), LIMIT), "bad BAD_REQUEST"));
  char chunk[128]; /* 64 bytes of extension each: 64 fit into 4 KiB */
  memset(chunk, 'e', sizeof chunk);
  memcpy(chunk, "1;", 2);
  memcpy(chunk + 66, "\r\nz\r\n", 6);
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED, chunk, 64, "0\r\n\r\n"), LIMIT), "z)|done|"));
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED, chunk, 65, "0\r\n\r\n"), LIMIT), "bad BAD_REQUEST"));
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED, "1\r\nz\r\n", 65536, "0\r\n\r\n"), LIMIT),
                   "z)|done|"));
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED, "1\r\nz\r\n", 65537, "0\r\n\r\n"), LIMIT),
                   "bad BODY_TOO_LARGE"));
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED "0\r\nA: ", "t", 9000, "\r\n\r\n"), LIMIT),
                   "bad HEADERS_TOO_LARGE"));
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED "0\r\n", "A: b\r\n", 101, "\r\n"), LIMIT),
                   "bad HEADERS_TOO_LARGE"));
  char trailer[4097]; /* 4 KiB each: eight are 32 KiB, a ninth is too much */
  memset(trailer, 't', sizeof trailer);
  memcpy(trailer, "A: ", 3);
  memcpy(trailer + 4094, "\r\n", 3);
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED "0\r\n", trailer, 7, "\r\n"), LIMIT), "done|"));
  EXPECT(ends_with(whole(stuffed(&b, CHUNKED "0\r\n", trailer, 9, "\r\n"), LIMIT),
                   "bad HEADERS_TOO_LARGE"));
  cut_everywhere("H1-108", stuffed(&b, CHUNKED, "1\r\nz\r\n", 300, "0\r\n\r\n" NEXT), NULL);
  buf_deinit(&b);
}

TEST(h1_109_bodies_over_the_limit)
{
  EXPECT(ends_with(whole(SLICE(POST "Content-Length: 1099511627776\r\n\r\nabc"), 64 << 20),
                   "bad BODY_TOO_LARGE"));
  EXPECT(ends_with(whole(SLICE(POST "Content-Length: 3\r\n\r\nabc"), 3), "body(abc)|done|"));
  EXPECT(ends_with(whole(SLICE(POST "Content-Length: 4\r\n\r\nabcd"), 3), "bad BODY_TOO_LARGE"));
  EXPECT(ends_with(whole(SLICE(CHUNKED "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"), 3), "body(abc)|done|"));
  EXPECT(ends_with(whole(SLICE(CHUNKED "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"), 3),
                   "body(ab)|bad BODY_TOO_LARGE"));
}

TEST(h1_body_is_a_view_of_what_was_fed)
{
  struct h1 h1;
  struct arena arena;
  struct err err;
  arena_init(&arena, 1 << 20, NULL);
  h1_init(&h1, NULL);
  EXPECT(!h1_in_head(&h1));
  struct slice in = SLICE(POST "Content-Length: 1000\r\nX-Request-ID: r1\r\n\r\n"), out;
  EXPECT_INT(h1_feed(&h1, &arena, &in, &out, &err), H1_HEAD);
  EXPECT(slice_eq(http_head_get(&h1.head, FIELD_X_REQUEST_ID), SLICE("r1")));
  EXPECT(http_head_get(&h1.head, FIELD_ORIGIN).at == NULL);
  EXPECT_INT(h1_body_limit(&h1, 999, &err), E_BODY_TOO_LARGE);
  EXPECT_INT(h1_body_limit(&h1, 1000, &err), OK);
  EXPECT_INT(h1_body_left(&h1), 1000);
  EXPECT(!h1_in_head(&h1));
  size_t held = arena_held(&arena);
  static char place[1000];
  for (size_t at = 0; at < 1000; at += 250) {
    in = slice_of(place + at, 250);
    EXPECT_INT(h1_feed(&h1, &arena, &in, &out, &err), H1_BODY);
    EXPECT(out.at == place + at && out.len == 250 && in.len == 0);
    EXPECT_INT(h1_body_left(&h1), 750 - at);
  }
  EXPECT_INT(h1_feed(&h1, &arena, &in, &out, &err), H1_DONE);
  EXPECT_INT(arena_held(&arena), held);
  h1_reset(&h1);
  EXPECT(!h1_in_head(&h1));
  arena_deinit(&arena);
}

TEST(h1_small_arena_is_an_answer)
{
  struct h1 h1;
  struct arena arena;
  struct err err;
  for (size_t max = 0; max < 2; max++) {
    arena_init(&arena, 64, NULL);
    h1_init(&h1, NULL);
    struct slice in = max ? SLICE(GET "\r\n") : SLICE("GET / HT"), out;
    EXPECT_INT(h1_feed(&h1, &arena, &in, &out, &err), H1_BAD);
    EXPECT_INT(err.code, E_OUT_OF_MEMORY);
    arena_deinit(&arena);
  }
}

TEST(h1_fields_are_known_by_id)
{
#define FIELD(id, name, once)                                       \
  EXPECT_INT(http_field_id(SLICE(name)), FIELD_##id);               \
  EXPECT_INT(http_field_once(FIELD_##id), once);
  HTTP_FIELDS(FIELD)
#undef FIELD
  EXPECT_INT(http_field_id(SLICE("INFERENCE-Header-Content-Length")), FIELD_INFERENCE_LENGTH);
  EXPECT_INT(http_field_id(SLICE("hosts")), FIELD_NONE);
  EXPECT_INT(http_field_id(SLICE("hosT")), FIELD_HOST);
  EXPECT_INT(http_field_id(SLICE("")), FIELD_NONE);
  EXPECT_INT(http_field_id(SLICE("content-lengtx")), FIELD_NONE);
  EXPECT_INT(http_field_id(SLICE("a-very-long-name-that-no-table-holds-for-sure")), FIELD_NONE);
  EXPECT(http_list_has(SLICE(" a ,\tClose"), SLICE("close")));
  EXPECT(!http_list_has(SLICE("a, closed"), SLICE("close")));
  EXPECT(!http_list_has(SLICE_NONE, SLICE("close")));
  for (int m = 0; m < METHOD_COUNT; m++)
    EXPECT_INT(http_method_named(slice_str(http_method_name((enum http_method)m))), m);
}

/* Each piece of text is read without a memory, then twice with one that all others share: what
 * others left in it must not show, nor what the first of the two did. */
static void read_the_same(struct slice bytes)
{
  struct buf plain, again;
  buf_init(&plain, 1 << 20);
  buf_init(&again, 1 << 20);
  lately = NULL;
  trace(bytes, NULL, 0, LIMIT, true, &plain);
  for (int i = 0; i < 3; i++) {
    lately = &heads;
    trace(bytes, NULL, 0, LIMIT, true, &again);
    EXPECT_STR(again.at, plain.at);
  }
  lately = NULL;
  buf_deinit(&plain);
  buf_deinit(&again);
}

static const char *const heads_usual[] = {
    "POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    "POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nabc\r\n0\r\n\r\n",
    "POST /m HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n",
    "PURGE / HTTP/1.1\r\nHost: a\r\n\r\n",
};

TEST(a_head_that_comes_again_is_read_as_if_it_were_the_first)
{
  static const char odd[] = "\r\n\t :;,0aZ/-\0\x7f\xff";
  struct rand rand;
  char text[256];
  rand_seed(&rand, 47);
  heads = (struct h1_seen){0};
  for (int round = 0; round < 20000; round++) {
    const char *usual = heads_usual[rand_u64(&rand) % (sizeof heads_usual / sizeof *heads_usual)];
    size_t len = strlen(usual);
    memcpy(text, usual, len);
    for (uint64_t i = rand_u64(&rand) % 3; i > 0; i--)
      text[rand_u64(&rand) % len] = odd[rand_u64(&rand) % (sizeof odd - 1)];
    if (rand_u64(&rand) % 8 == 0) len -= rand_u64(&rand) % len;
    read_the_same(slice_of(text, len));
  }
  EXPECT(heads.spared > 10000); /* it was asked, and knew */
}

TEST(a_head_is_kept_when_it_comes_twice_and_a_long_one_never)
{
  char text[H1_SEEN_BYTES + 100];
  heads = (struct h1_seen){0};
  for (int extra = 0; extra < 2; extra++) {
    int n = snprintf(text, sizeof text, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n",
                     H1_SEEN_BYTES - 27 + extra, 0);
    EXPECT_INT(n, H1_SEEN_BYTES + extra);
    struct buf to;
    buf_init(&to, 1 << 20);
    lately = &heads;
    for (int i = 0; i < 5; i++) trace(slice_of(text, (size_t)n), NULL, 0, LIMIT, false, &to);
    lately = NULL;
    buf_deinit(&to);
    EXPECT_INT((int)heads.spared, 3);
  }
}

TEST(h1_find_walks_repeated_fields)
{
  struct h1 h1;
  struct arena arena;
  struct err err;
  arena_init(&arena, 1 << 20, NULL);
  h1_init(&h1, NULL);
  struct slice in = SLICE(GET "Tag: a\r\nX: y\r\ntAG: b\r\n\r\n"), out;
  EXPECT_INT(h1_feed(&h1, &arena, &in, &out, &err), H1_HEAD);
  uint16_t from = 0;
  EXPECT(slice_eq(http_head_find(&h1.head, SLICE("tag"), &from), SLICE("a")));
  EXPECT(slice_eq(http_head_find(&h1.head, SLICE("tag"), &from), SLICE("b")));
  EXPECT(http_head_find(&h1.head, SLICE("tag"), &from).at == NULL);
  arena_deinit(&arena);
}

TEST(h1_has_a_word_for_every_answer)
{
  EXPECT(slice_eq(h1_continue, SLICE("HTTP/1.1 100 Continue\r\n\r\n")));
  for (int c = OK; c < CODE_COUNT; c++) EXPECT(http_reason(code_http((enum code)c))[0] != '\0');
}
