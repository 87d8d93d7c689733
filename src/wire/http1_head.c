/* http1_head.c - the guard of request heads, and llhttp as the second reader.
 * Thread: any, pure.
 *
 * First h1_head_scan looks at raw bytes as they come and holds every limit, in byte order, so that
 * how the bytes were cut never matters. When the empty line is there, h1_head_parse splits the head
 * by the strict grammar, shows the same bytes to llhttp, and demands that each field and the
 * framing come out the same. Only then are the fields given a meaning.
 * SPDX-License-Identifier: MIT */
#include "wire/http1_int.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <llhttp.h>

_Static_assert(sizeof(llhttp_t) <= H1_PARSER_BYTES, "llhttp_t fits its place in struct h1");

/* ---- the second reader ---- */

static struct h1 *h1_of(llhttp_t *parser) { return parser->data; }

static int see_target(llhttp_t *parser, const char *at, size_t len)
{
  struct h1 *h1 = h1_of(parser);
  h1->agreed &= at == h1->head.target.at && len == h1->head.target.len;
  return 0;
}

static int see_name(llhttp_t *parser, const char *at, size_t len)
{
  struct h1 *h1 = h1_of(parser);
  uint32_t i = h1->n_seen++;
  h1->agreed &= i < h1->head.n_fields && at == h1->head.fields[i].name.at &&
                len == h1->head.fields[i].name.len;
  return 0;
}

/* llhttp leaves white space after a value on; an empty value comes with len 0 or not at all. */
static int see_value(llhttp_t *parser, const char *at, size_t len)
{
  struct h1 *h1 = h1_of(parser);
  while (len && (at[len - 1] == ' ' || at[len - 1] == '\t')) len--;
  if (!len) return 0;
  if (!h1->n_seen || h1->n_seen > h1->head.n_fields) {
    h1->agreed = false;
    return 0;
  }
  struct slice value = h1->head.fields[h1->n_seen - 1].value;
  h1->agreed &= at == value.at && len == value.len;
  return 0;
}

static int see_head_end(llhttp_t *parser)
{
  h1_of(parser)->head_done = true;
  return 0;
}

static int see_body(llhttp_t *parser, const char *at, size_t len)
{
  struct h1 *h1 = h1_of(parser);
  h1->agreed &= h1->body_piece == 0;
  h1->body_at = at;
  h1->body_piece = len;
  return 0;
}

static int see_message_end(llhttp_t *parser)
{
  h1_of(parser)->message_done = true;
  return 0;
}

static const llhttp_settings_t settings = {
    .on_url = see_target,
    .on_header_field = see_name,
    .on_header_value = see_value,
    .on_headers_complete = see_head_end,
    .on_body = see_body,
    .on_message_complete = see_message_end,
};

bool h1_parser_agrees(struct h1 *h1, struct slice bytes, bool body, bool done)
{
  llhttp_t *parser = (llhttp_t *)(void *)h1->parser;
  h1->agreed = true;
  h1->body_at = NULL;
  h1->body_piece = 0;
  parser->data = h1;
  llhttp_errno_t got = llhttp_execute(parser, bytes.at, bytes.len);
  bool upgrade = got == HPE_PAUSED_UPGRADE && done; /* CONNECT, Upgrade: we read on as HTTP/1 */
  if ((got != HPE_OK && !upgrade) || !h1->agreed || h1->message_done != done) return false;
  if (!body) return h1->body_piece == 0;
  return h1->body_at == bytes.at && h1->body_piece == bytes.len;
}

/* ---- the guard ---- */

size_t h1_control_find(const char *at, size_t i, size_t end)
{
#ifdef __SSE2__
  const __m128i top = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f);
  for (; i + 16 <= end; i += 16) {
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, top), x);
    unsigned hits = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(x, del)));
    if (hits) return i + (size_t)__builtin_ctz(hits);
  }
#endif
  for (; i < end; i++) {
    unsigned char c = (unsigned char)at[i];
    if (c < 0x20 || c == 0x7f) return i;
  }
  return end;
}

static enum code line_too_long(const struct h1 *h1, struct err *err)
{
  if (h1->lines == 0)
    return fail(err, E_URI_TOO_LONG, "request line is longer than %u bytes", h1->limits.line_max);
  return fail(err, E_HEADERS_TOO_LARGE,
              "header field %u is longer than %u bytes, or all are than %u", h1->lines,
              h1->limits.field_max, h1->limits.fields_max);
}

/* One whole line, its CRLF at `cr`. *end is set on the empty line. */
static enum code line_end(struct h1 *h1, const char *at, size_t cr, size_t *end, struct err *err)
{
  size_t len = cr - h1->line_at;
  if (h1->lines == 0) {
    if (!len) return fail(err, E_BAD_REQUEST, "empty request line");
    h1->fields_at = (uint32_t)cr + 2;
  } else if (!len) {
    *end = cr + 2;
    return OK;
  } else {
    char first = at[h1->line_at];
    if (first == ' ' || first == '\t')
      return fail(err, E_BAD_REQUEST, "header line %u begins with white space (line folding)",
                  h1->lines);
    if (h1->lines > h1->limits.fields_count_max)
      return fail(err, E_HEADERS_TOO_LARGE, "more than %u header fields",
                  h1->limits.fields_count_max);
    if (cr + 2 - h1->fields_at > h1->limits.fields_max) return line_too_long(h1, err);
  }
  h1->lines++;
  h1->line_at = h1->scanned = (uint32_t)cr + 2;
  return OK;
}

enum code h1_head_scan(struct h1 *h1, const char *at, size_t len, size_t *end, struct err *err)
{
  *end = 0;
  while (!*end) {
    size_t hard = h1->line_at + 2 +
                  (size_t)(h1->lines ? h1->limits.field_max : h1->limits.line_max);
    size_t all = h1->lines ? (size_t)h1->fields_at + h1->limits.fields_max + 2 : hard;
    size_t limit = hard < all ? hard : all;
    size_t stop = len < limit ? len : limit;
    size_t i = h1_control_find(at, h1->scanned, stop);
    h1->scanned = (uint32_t)i;
    if (i == limit) return line_too_long(h1, err);
    if (i == len) return OK;
    if (at[i] == '\t' && h1->lines) {
      h1->scanned++;
      continue;
    }
    if (at[i] != '\r')
      return fail(err, E_BAD_REQUEST,
                  at[i] == '\n' ? "bare LF at byte %zu of the request head"
                                : "control byte at byte %zu of the request head",
                  i);
    if (i + 1 == limit) return line_too_long(h1, err);
    if (i + 1 == len) return OK;
    if (at[i + 1] != '\n')
      return fail(err, E_BAD_REQUEST, "bare CR at byte %zu of the request head", i);
    if (line_end(h1, at, i, end, err)) return err->code;
  }
  return OK;
}

/* ---- a whole head ---- */

const unsigned char h1_token[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1,
    ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1,  ['~'] = 1,
    ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
};

static enum code verb_unknown(struct slice verb, struct err *err)
{
  bool tame = verb.len > 0 && verb.len <= 32;
  for (size_t i = 0; tame && i < verb.len; i++)
    tame = (verb.at[i] >= 'A' && verb.at[i] <= 'Z') || verb.at[i] == '-' || verb.at[i] == '_';
  if (!tame) return fail(err, E_BAD_REQUEST, "malformed method in the request line");
  return fail(err, E_NOT_IMPLEMENTED, "unknown method '%.*s'", SLICE_ARG(verb));
}

/* "GET /path HTTP/1.1": exactly two spaces, a target of visible ASCII. */
static enum code request_line(struct http_head *head, struct slice line, struct err *err)
{
  const char *sp = memchr(line.at, ' ', line.len);
  size_t verb_len = sp ? (size_t)(sp - line.at) : line.len;
  static const char version[] = "HTTP/1.";
  enum { TAIL = sizeof version }; /* with the digit */
  if (!sp || line.len < verb_len + 1 + 1 + 1 + TAIL || line.at[line.len - TAIL - 1] != ' ')
    return fail(err, E_BAD_REQUEST, "request line is not 'METHOD target HTTP/1.1'");
  const char *v = line.at + line.len - TAIL;
  if (memcmp(v, version, TAIL - 1) != 0 || (v[TAIL - 1] != '0' && v[TAIL - 1] != '1'))
    return fail(err, E_BAD_REQUEST, "HTTP version is not 1.0 or 1.1");
  head->verb = slice_of(line.at, verb_len);
  head->target = slice_of(sp + 1, line.len - verb_len - 1 - TAIL - 1);
  head->minor = (uint8_t)(v[TAIL - 1] - '0');
  for (size_t i = 0; i < verb_len; i++)
    if (!h1_token[(unsigned char)line.at[i]]) return verb_unknown(SLICE_NONE, err);
  for (size_t i = 0; i < head->target.len; i++) {
    unsigned char c = (unsigned char)head->target.at[i];
    if (c <= 0x20 || c >= 0x7f)
      return fail(err, E_BAD_REQUEST, "byte 0x%02x in the request target", c);
  }
  head->method = http_method_named(head->verb);
  char t = head->target.at[0];
  if (t == '/' || head->method == METHOD_CONNECT) return OK;
  if (t == '*' && head->target.len == 1 && head->method == METHOD_OPTIONS) return OK;
  struct slice web = {head->target.at, head->target.len < 7 ? 0 : 7};
  struct slice tls = {head->target.at, head->target.len < 8 ? 0 : 8};
  if (slice_eq_nocase(web, SLICE("http://")) || slice_eq_nocase(tls, SLICE("https://"))) return OK;
  return fail(err, E_BAD_REQUEST, "request target begins with neither '/' nor 'http://'");
}

/* "Name: value": a token, no white space before the colon. */
static enum code field_split(struct slice line, uint32_t n, struct http_field *field,
                             struct err *err)
{
  size_t i = 0;
  while (i < line.len && h1_token[(unsigned char)line.at[i]]) i++;
  if (i == 0 || i == line.len || line.at[i] != ':')
    return fail(err, E_BAD_REQUEST, "header field %u has no proper name before ':'", n);
  field->name = slice_of(line.at, i++);
  size_t end = line.len;
  while (i < end && (line.at[i] == ' ' || line.at[i] == '\t')) i++;
  while (end > i && (line.at[end - 1] == ' ' || line.at[end - 1] == '\t')) end--;
  field->value = slice_of(line.at + i, end - i);
  return OK;
}

static enum code field_know(struct http_head *head, const struct http_field *field, uint32_t i,
                            struct err *err)
{
  enum http_field_id id = http_field_id(field->name);
  if (id == FIELD_NONE) return OK;
  if (!head->first[id]) {
    head->first[id] = (uint8_t)(i + 1);
    return OK;
  }
  if (id == FIELD_CONTENT_LENGTH || id == FIELD_TRANSFER_ENCODING)
    return fail(err, E_CONFLICTING_FRAMING, "'%.*s' comes twice", SLICE_ARG(field->name));
  if (http_field_once(id))
    return fail(err, E_BAD_REQUEST, "header field '%.*s' comes twice", SLICE_ARG(field->name));
  return OK;
}

/* host [":" port]: a registered name or IPv4 address of plain letters, or an address in brackets.
 * Empty is legal (RFC 9110 section 7.2) and has one reading. */
static bool host_fine(struct slice host)
{
  size_t i = 0;
  if (host.len && host.at[0] == '[') {
    for (i = 1; i < host.len && host.at[i] != ']'; i++) {
      char c = host.at[i];
      bool hex = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
      if (!hex && c != ':' && c != '.') return false;
    }
    if (i < 3 || i == host.len) return false;
    i++;
  } else {
    for (; i < host.len && host.at[i] != ':'; i++) {
      char c = host.at[i];
      bool word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
      if (!word && c != '.' && c != '-' && c != '_' && c != '~') return false;
    }
  }
  if (i == host.len) return true;
  if (host.at[i++] != ':' || host.len - i > 5) return false;
  unsigned port = 0;
  for (; i < host.len; i++) {
    if (host.at[i] < '0' || host.at[i] > '9') return false;
    port = port * 10 + (unsigned)(host.at[i] - '0');
  }
  return port <= 65535;
}

static enum code host_check(const struct http_head *head, struct err *err)
{
  struct slice host = http_head_get(head, FIELD_HOST);
  if (!host.at && head->minor == 1)
    return fail(err, E_BAD_REQUEST, "HTTP/1.1 request without a Host field");
  if (host.at && !host_fine(host)) return fail(err, E_BAD_REQUEST, "malformed Host field");
  if (head->target.at[0] == '/' || head->target.at[0] == '*' || head->method == METHOD_CONNECT)
    return OK;
  /* absolute-form: the target's authority counts, and a Host that says otherwise is a second
   * reading. */
  struct slice rest = slice_from(head->target, (head->target.at[4] | 0x20) == 's' ? 8 : 7);
  size_t n = 0;
  while (n < rest.len && rest.at[n] != '/' && rest.at[n] != '?' && rest.at[n] != '#') n++;
  struct slice authority = {rest.at, n};
  if (!n || !host_fine(authority)) return fail(err, E_BAD_REQUEST, "malformed host in the target");
  if (host.at && !slice_eq_nocase(host, authority))
    return fail(err, E_BAD_REQUEST, "Host differs from the host of the target");
  return OK;
}

static enum code length_read(struct slice text, uint64_t *to, struct err *err)
{
  uint64_t value = 0;
  for (size_t i = 0; i < text.len; i++) {
    unsigned digit = (unsigned char)text.at[i] - (unsigned)'0';
    if (digit > 9 || i >= 18)
      return fail(err, E_BAD_REQUEST, "Content-Length is not a number of 1 to 18 digits");
    value = value * 10 + digit;
  }
  if (!text.len) return fail(err, E_BAD_REQUEST, "Content-Length is empty");
  *to = value;
  return OK;
}

static enum code framing_read(struct http_head *head, struct err *err)
{
  struct slice length = http_head_get(head, FIELD_CONTENT_LENGTH);
  struct slice coding = http_head_get(head, FIELD_TRANSFER_ENCODING);
  if (length.at && coding.at)
    return fail(err, E_CONFLICTING_FRAMING,
                "Content-Length and Transfer-Encoding in one request; send one of them");
  if (length.at && length_read(length, &head->content_length, err)) return err->code;
  if (!coding.at) return OK;
  if (head->minor == 0)
    return fail(err, E_BAD_REQUEST, "Transfer-Encoding in an HTTP/1.0 request");
  if (!slice_eq_nocase(coding, SLICE("chunked")))
    return fail(err, E_BAD_REQUEST, "Transfer-Encoding is not exactly 'chunked'");
  head->chunked = true;
  return OK;
}

static enum code wishes_read(struct http_head *head, struct err *err)
{
  struct slice expect = http_head_get(head, FIELD_EXPECT);
  if (expect.at && !slice_eq_nocase(expect, SLICE("100-continue")))
    return fail(err, E_EXPECTATION_FAILED, "expectation '%.*s' is not '100-continue'",
                SLICE_ARG(expect));
  head->expect_continue = expect.at && head->minor == 1 && (head->chunked || head->content_length);
  head->keep_alive = head->minor == 1;
  if (!head->first[FIELD_CONNECTION]) return OK;
  bool stay = false, close = false;
  for (uint16_t i = 0; i < head->n_fields; i++) {
    if (http_field_id(head->fields[i].name) != FIELD_CONNECTION) continue;
    close |= http_list_has(head->fields[i].value, SLICE("close"));
    stay |= http_list_has(head->fields[i].value, SLICE("keep-alive"));
  }
  head->keep_alive = !close && (stay || head->minor == 1);
  return OK;
}

/* Not a keyed hash: whoever makes two heads collide has both read by llhttp, no more. All bytes are
 * hashed before any are compared, so that a comparison's time tells nothing of another's key. */
static uint64_t head_hash(struct slice raw)
{
  const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15), other = UINT64_C(0xe7037ed1a0b428db);
  uint64_t hash = raw.len, words[2] = {0, 0};
  size_t i = 0;
  for (; i + sizeof words <= raw.len; i += sizeof words) {
    memcpy(words, raw.at + i, sizeof words);
    unsigned __int128 both = (unsigned __int128)(words[0] ^ hash ^ odd) * (words[1] ^ other);
    hash = (uint64_t)both ^ (uint64_t)(both >> 64);
  }
  words[0] = words[1] = 0;
  memcpy(words, raw.at + i, raw.len - i);
  unsigned __int128 both = (unsigned __int128)(words[0] ^ hash ^ odd) * (words[1] ^ other);
  return (uint64_t)both ^ (uint64_t)(both >> 64);
}

/* Whether llhttp has agreed to these very bytes before: then it is left as it was then. */
static bool head_recalled(struct h1 *h1, struct slice raw, uint64_t hash)
{
  const struct h1_seen *lately = h1->lately;
  uint32_t i = (uint32_t)(hash % H1_SEEN_HEADS);
  if (lately->heads[i].hash != hash || lately->heads[i].len != raw.len ||
      memcmp(lately->heads[i].bytes, raw.at, raw.len) != 0)
    return false;
  memcpy(h1->parser, lately->heads[i].parser, sizeof h1->parser);
  h1->n_seen = lately->heads[i].n_seen;
  h1->head_done = lately->heads[i].head_done;
  h1->message_done = lately->heads[i].message_done;
  h1->agreed = true;
  h1->body_at = NULL;
  h1->body_piece = 0;
  h1->lately->spared++;
  return true;
}

static void head_keep(struct h1 *h1, struct slice raw, uint64_t hash)
{
  struct h1_seen *lately = h1->lately;
  uint32_t i = (uint32_t)(hash % H1_SEEN_HEADS);
  bool again = lately->heads[i].hash == hash;
  lately->heads[i].hash = hash;
  lately->heads[i].len = 0;
  if (!again) return;
  lately->heads[i].len = (uint32_t)raw.len;
  lately->heads[i].n_seen = h1->n_seen;
  lately->heads[i].head_done = h1->head_done;
  lately->heads[i].message_done = h1->message_done;
  memcpy(lately->heads[i].parser, h1->parser, sizeof h1->parser);
  memcpy(lately->heads[i].bytes, raw.at, raw.len);
}

/* The same head, read by llhttp: it must find what we found. */
static enum code llhttp_reading(struct h1 *h1, struct slice raw, struct err *err)
{
  llhttp_t *parser = (llhttp_t *)(void *)h1->parser;
  llhttp_init(parser, HTTP_REQUEST, &settings);
  h1->n_seen = 0;
  h1->head_done = h1->message_done = false;
  bool body = h1->head.content_length || h1->head.chunked;
  bool connect = h1->head.method == METHOD_CONNECT; /* for llhttp it never has a body */
  bool agrees = h1_parser_agrees(h1, raw, false, connect || !body);
  if (llhttp_get_errno(parser) == HPE_INVALID_METHOD) return verb_unknown(h1->head.verb, err);
  if (!agrees || !h1->head_done || h1->n_seen != h1->head.n_fields)
    return fail(err, E_BAD_REQUEST, "request head can be read in two ways");
  return OK;
}

static enum code second_reading(struct h1 *h1, struct slice raw, struct err *err)
{
  if (!h1->lately || raw.len > H1_SEEN_BYTES) return llhttp_reading(h1, raw, err);
  uint64_t hash = head_hash(raw);
  if (head_recalled(h1, raw, hash)) return OK;
  if (llhttp_reading(h1, raw, err)) return err->code;
  head_keep(h1, raw, hash);
  return OK;
}

enum code h1_head_parse(struct h1 *h1, const char *at, size_t len, struct arena *arena,
                        struct err *err)
{
  struct http_head *head = &h1->head;
  uint32_t n = h1->lines - 1;
  struct http_field *fields = arena_get(arena, (n ? n : 1) * sizeof *fields);
  if (!fields) return fail(err, E_OUT_OF_MEMORY, "no memory for a request head");
  *head = (struct http_head){.fields = fields};
  const char *end = at + len - 2, *cr = memchr(at, '\r', len);
  if (request_line(head, slice_of(at, (size_t)(cr - at)), err)) return err->code;
  for (uint32_t i = 0; i < n; i++) {
    const char *line = cr + 2;
    cr = memchr(line, '\r', (size_t)(end + 1 - line));
    if (field_split(slice_of(line, (size_t)(cr - line)), i + 1, &fields[i], err)) return err->code;
    if (field_know(head, &fields[i], i, err)) return err->code;
  }
  head->n_fields = (uint16_t)n;
  if (framing_read(head, err) || host_check(head, err)) return err->code;
  if (second_reading(h1, slice_of(at, len), err)) return err->code;
  if (wishes_read(head, err)) return err->code;
  if (head->method == METHOD_CONNECT) { /* no tunnels: whatever follows is not read */
    head->keep_alive = head->chunked = head->expect_continue = false;
    head->content_length = 0;
  }
  h1->close = !head->keep_alive;
  return OK;
}
