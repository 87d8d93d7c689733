/* text.c - whole numbers from text, hex and base64. Floats are in cxx.cc.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "base/text.h"

bool text_read_u64(struct slice text, uint64_t max, uint64_t *value)
{
  uint64_t sum = 0;
  if (text.len == 0 || (text.len > 1 && text.at[0] == '0')) return false;
  for (size_t i = 0; i < text.len; i++) {
    unsigned digit = (unsigned char)text.at[i] - (unsigned)'0';
    if (digit > 9 || __builtin_mul_overflow(sum, (uint64_t)10, &sum) ||
        __builtin_add_overflow(sum, digit, &sum))
      return false;
  }
  if (sum > max) return false;
  *value = sum;
  return true;
}

void hex_write(struct slice bytes, char *to)
{
  for (size_t i = 0; i < bytes.len; i++) {
    unsigned char byte = (unsigned char)bytes.at[i];
    *to++ = hex_digit(byte >> 4);
    *to++ = hex_digit(byte);
  }
  *to = '\0';
}

static int lower_value(char c) { return c >= 'A' && c <= 'F' ? -1 : hex_value(c); }

bool hex_read(struct slice hex, void *to)
{
  unsigned char *at = to;
  if (hex.len % 2) return false;
  for (size_t i = 0; i < hex.len; i += 2) {
    int high = lower_value(hex.at[i]), low = lower_value(hex.at[i + 1]);
    if (high < 0 || low < 0) return false;
    *at++ = (unsigned char)(high << 4 | low);
  }
  return true;
}

size_t base64_write(struct slice bytes, char *to)
{
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *from = (const unsigned char *)bytes.at;
  char *at = to;
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t left = bytes.len - i;
    uint32_t bits = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0u) |
                    (left > 2 ? from[i + 2] : 0u);
    *at++ = letters[bits >> 18];
    *at++ = letters[bits >> 12 & 63];
    *at++ = left > 1 ? letters[bits >> 6 & 63] : '=';
    *at++ = left > 2 ? letters[bits & 63] : '=';
  }
  *at = '\0';
  return (size_t)(at - to);
}

static int letter_value(char c)
{
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* text without its padding. *spare: the bits at its end that no byte has. */
static bool letters_read(struct slice text, unsigned char *to, size_t cap, size_t *len,
                         uint32_t *spare)
{
  uint32_t bits = 0, n = 0; /* the n lowest of bits are not in a byte yet, 0 to 6 of them */
  if (text.len % 4 == 1 || text.len / 4 * 3 + (text.len % 4) * 6 / 8 > cap) return false;
  for (size_t i = 0; i < text.len; i++) {
    int value = letter_value(text.at[i]);
    if (value < 0) return false;
    bits = bits << 6 | (uint32_t)value;
    n += 6;
    if (n < 8) continue;
    n -= 8;
    to[(*len)++] = (unsigned char)(bits >> n);
  }
  *spare = bits & ((1u << n) - 1);
  return true;
}

/* Takes the padding off a text that is whole groups of four. */
static struct slice unpadded(struct slice text)
{
  for (int i = 0; i < 2 && text.len && text.at[text.len - 1] == '='; i++) text.len--;
  return text;
}

bool base64_read(struct slice text, void *to, size_t cap, size_t *len)
{
  uint32_t spare;
  *len = 0;
  return text.len % 4 == 0 && letters_read(unpadded(text), to, cap, len, &spare) && !spare;
}

bool base64_read_loose(struct slice text, void *to, size_t cap, size_t *len)
{
  uint32_t spare;
  *len = 0;
  return letters_read(text.len % 4 ? text : unpadded(text), to, cap, len, &spare);
}
