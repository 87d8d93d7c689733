/* infer_bytes.c - BYTES elements from JSON: strings, and base64 objects in V1; written in wire form.
 * Thread: any, pure.
 * Source: RFC 4648 section 4 (base64, with or without padding).
 * SPDX-License-Identifier: MIT */
#include "wire/infer_int.h"
#include "wire/json_int.h"

static bool bytes_room(struct data *data, size_t need)
{
  if (need <= data->cap - data->used) return true;
  size_t cap = data->cap * 2;
  if (cap < data->used + need) cap = data->used + need;
  char *at = arena_grow(data->arena, data->at, data->cap, cap);
  if (!at) {
    data_fail(data, E_OUT_OF_MEMORY, "its values need more memory than a call has");
    return false;
  }
  data->at = at;
  data->cap = cap;
  return true;
}

static void bytes_length(struct data *data, size_t len)
{
  uint32_t head = (uint32_t)len;
  memcpy(data->at + data->used, &head, sizeof head);
  data->used += sizeof head + len;
}

static int base64_value(char c)
{
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes text to `to`, which has text.len / 4 * 3 + 3 bytes; false when it is not base64. */
static bool base64_read(struct slice text, char *to, size_t *len)
{
  size_t n = text.len, at = 0;
  if (n && n % 4 == 0) {
    if (text.at[n - 1] == '=') n--;
    if (text.at[n - 1] == '=') n--;
  }
  if (n % 4 == 1) return false;
  uint32_t bits = 0;
  for (size_t i = 0; i < n; i++) {
    int value = base64_value(text.at[i]);
    if (value < 0) return false;
    bits = bits << 6 | (uint32_t)value;
    if (i % 4 != 3) continue;
    to[at++] = (char)(bits >> 16), to[at++] = (char)(bits >> 8), to[at++] = (char)bits;
    bits = 0;
  }
  if (n % 4 == 2) to[at++] = (char)(bits >> 4);
  if (n % 4 == 3) to[at++] = (char)(bits >> 10), to[at++] = (char)(bits >> 2);
  *len = at;
  return true;
}

static const char *bytes_wrong(struct data *data, const char *what)
{
  if (data->json->code == OK)
    data_fail(data, E_WRONG_TYPE, "element %llu is not %s",
              (unsigned long long)(data->n - data->from), what);
  return NULL;
}

static const char *b64_element(struct data *data, const char *p)
{
  struct json *json = data->json;
  json->at = p;
  json->state = JSON_WANT_VALUE;
  if (json_next(json) != JSON_OBJECT || json_next(json) != JSON_KEY || !json_key_is(json, "b64") ||
      json_next(json) != JSON_STRING)
    return bytes_wrong(data, "a string or {\"b64\":\"...\"}");
  struct slice text = json->text;
  if (json_next(json) != JSON_OBJECT_END)
    return bytes_wrong(data, "{\"b64\":\"...\"} alone: it has other members");
  size_t len;
  if (!bytes_room(data, text.len / 4 * 3 + 3 + sizeof(uint32_t))) return NULL;
  if (!base64_read(text, data->at + data->used + sizeof(uint32_t), &len))
    return bytes_wrong(data, "base64");
  bytes_length(data, len);
  return json->at;
}

const char *data_bytes_element(struct data *data, const char *p)
{
  if (*p == '{' && data->b64) return b64_element(data, p);
  if (*p != '"') {
    struct slice raw;
    data->json->at = p;
    data->json->state = JSON_WANT_VALUE;
    if (json_skip(data->json, &raw) != OK) return NULL;
    return bytes_wrong(data, "a string");
  }
  bool escaped;
  const char *close = json_string_scan(data->json, p, &escaped);
  if (!close) return NULL;
  struct slice raw = slice_of(p + 1, (size_t)(close - p - 1));
  if (!bytes_room(data, raw.len + sizeof(uint32_t))) return NULL;
  char *to = data->at + data->used + sizeof(uint32_t);
  size_t len = raw.len;
  if (escaped) len = json_unescape(raw, to);
  else if (len) memcpy(to, raw.at, len);
  bytes_length(data, len);
  return close + 1;
}
