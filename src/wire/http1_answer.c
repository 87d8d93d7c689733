/* http1_answer.c - HTTP/1 answer heads as bytes. On every answer's way: no formatting functions.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/http1.h"

#include "base/text.h"
#include "wire/http1_int.h"

const struct slice h1_continue = {"HTTP/1.1 100 Continue\r\n\r\n", 25};

enum { ANSWER_FIXED = 192 }; /* status line, Content-Length, Connection, empty line */

size_t h1_answer_bound(const struct h1_answer *answer)
{
  size_t bytes = ANSWER_FIXED;
  for (uint32_t i = 0; i < answer->n_fields; i++)
    bytes += answer->fields[i].name.len + answer->fields[i].value.len + 4;
  return bytes;
}

static char *put(char *to, struct slice s)
{
  if (s.len) memcpy(to, s.at, s.len);
  return to + s.len;
}

/* Text of strangers (an echoed request id) must not be able to end a line. */
static char *put_tame(char *to, struct slice s)
{
  char *at = put(to, s);
  for (size_t i = 0; (i = h1_control_find(to, i, s.len)) < s.len; i++)
    if (to[i] != '\t') to[i] = '_';
  return at;
}

size_t h1_answer_write(char *to, size_t cap, const struct h1_answer *answer)
{
  must(answer->status >= 100 && answer->status <= 999);
  if (h1_answer_bound(answer) > cap) return 0;
  char *at = put(to, SLICE("HTTP/1.1 "));
  *at++ = (char)('0' + answer->status / 100);
  *at++ = (char)('0' + answer->status / 10 % 10);
  *at++ = (char)('0' + answer->status % 10);
  *at++ = ' ';
  at = put(at, slice_str(http_reason(answer->status)));
  at = put(at, SLICE("\r\n"));
  for (uint32_t i = 0; i < answer->n_fields; i++) {
    at = put_tame(at, answer->fields[i].name);
    at = put(at, SLICE(": "));
    at = put_tame(at, answer->fields[i].value);
    at = put(at, SLICE("\r\n"));
  }
  if (!answer->no_length) {
    at = put(at, SLICE("Content-Length: "));
    at += text_print_u64(at, answer->content_length);
    at = put(at, SLICE("\r\n"));
  }
  if (!answer->keep_alive) at = put(at, SLICE("Connection: close\r\n"));
  else if (answer->minor == 0) at = put(at, SLICE("Connection: keep-alive\r\n"));
  at = put(at, SLICE("\r\n"));
  return (size_t)(at - to);
}
