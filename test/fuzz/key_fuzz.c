/* key_fuzz.c - any bytes as a key, as a list of networks: what is taken is written back the same.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ip.h"
#include "wire/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void key_look(struct slice text)
{
  static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
  unsigned char random[KEY_RANDOM];
  char again[KEY_TEXT_LEN + 1];
  struct key_text key;
  if (!key_text_read(text, &key)) return;
  must(text.len == KEY_TEXT_LEN && key.id.len == KEY_TEXT_ID);
  for (size_t i = 0; i < KEY_TEXT_ID; i++) {
    const char *at = strchr(letters, key.id.at[i]);
    if (!at) return; /* an id we would not give, but may read */
    random[i] = (unsigned char)(at - letters);
  }
  for (size_t i = 0; i < KEY_TEXT_SECRET; i += 2) {
    const char two[3] = {key.secret.at[i], key.secret.at[i + 1], 0};
    random[KEY_TEXT_ID + i / 2] = (unsigned char)strtoul(two, NULL, 16);
  }
  key_text_make(random, again);
  must(slice_eq(text, slice_str(again)));
}

static void head_look(struct slice text)
{
  struct http_field fields[2] = {{.value = text}, {.value = text}};
  struct http_head head = {.fields = fields, .n_fields = 2};
  struct slice key;
  must(!key_of_head(&head, &key));
  head.first[FIELD_AUTHORIZATION] = 1;
  must(key_of_head(&head, &key));
  if (key.at) must(key.at >= text.at + 7 && key.at + key.len == text.at + text.len);
  head.first[FIELD_AUTHORIZATION] = 0;
  head.first[FIELD_X_API_KEY] = 2;
  must(key_of_head(&head, &key) && slice_eq(key, text));
}

static void nets_look(struct slice text)
{
  struct cidr cidrs[CIDRS_MAX], back;
  struct err err;
  uint32_t n;
  if (cidrs_read(text, cidrs, &n, &err)) return;
  must(n >= 1 && n <= CIDRS_MAX);
  for (uint32_t i = 0; i < n; i++) {
    char line[IP_TEXT_MAX + 8];
    size_t len = ip_text(&cidrs[i].net, line);
    bool dots = !memchr(line, ':', len);
    unsigned bits = cidrs[i].bits;
    must(cidr_holds(&cidrs[i], &cidrs[i].net));
    if (dots && bits < 96) continue; /* ::ffff:0:0/90 and the like: written with dots, it is less */
    snprintf(line + len, sizeof line - len, "/%u", dots ? bits - 96 : bits);
    must(cidr_read(slice_str(line), &back) && back.bits == bits);
    must(memcmp(&back.net, &cidrs[i].net, sizeof back.net) == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct slice text = {(const char *)data, size};
  key_look(text);
  if (text.at) head_look(text);
  nets_look(text);
  return 0;
}
