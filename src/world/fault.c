/* fault.c - the words of a fault.
 * Thread: any; pure.
 * SPDX-License-Identifier: MIT */
#include "world/fault.h"

#include "base/text.h"

static struct slice trimmed(struct slice text)
{
  while (text.len && text.at[0] == ' ') text = slice_from(text, 1);
  while (text.len && text.at[text.len - 1] == ' ') text.len--;
  return text;
}

/* The next word, and what is left of text. */
static struct slice word_take(struct slice *text)
{
  *text = trimmed(*text);
  size_t n = 0;
  while (n < text->len && text->at[n] != ' ' && text->at[n] != '@') n++;
  struct slice word = slice_of(text->at, n);
  *text = trimmed(slice_from(*text, n));
  return word;
}

struct unit {
  const char *name;
  double times;
};

static const struct unit durations[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}, {0}};
static const struct unit sizes[] = {{"KiB", 1024}, {"MiB", 1 << 20}, {"B", 1}, {0}};
static const struct unit percent[] = {{"%", 0.01}, {0}};

/* A number with one of the units behind it, times that unit. */
static bool amount_read(struct slice text, const struct unit *units, double max, double *value)
{
  bool over = false;
  for (; units->name; units++) {
    struct slice tail = slice_str(units->name);
    if (!slice_ends(text, tail)) continue;
    size_t len = text.len - tail.len;
    if (!text_read_f64(text.at, len, value, &over) || over) continue;
    *value *= units->times;
    return *value >= 0 && *value <= max;
  }
  return false;
}

static bool slow_read(struct slice word, struct fault *fault)
{
  double value;
  bool over = false;
  fault->factor = 1;
  if (word.len && word.at[0] == 'x')
    return text_read_f64(word.at + 1, word.len - 1, &fault->factor, &over) && !over &&
           fault->factor >= 1 && fault->factor <= 1000;
  if (!amount_read(word, durations, 6e10, &value)) return false;
  fault->add_ns = (int64_t)value;
  return true;
}

static bool kind_read(struct slice kind, struct slice *rest, struct fault *fault)
{
  double bytes;
  if (slice_eq(kind, SLICE("slow"))) {
    fault->kind = FAULT_SLOW;
    return slow_read(word_take(rest), fault);
  }
  if (slice_eq(kind, SLICE("errors")) || slice_eq(kind, SLICE("wrong"))) {
    fault->kind = kind.at[0] == 'e' ? FAULT_ERRORS : FAULT_WRONG;
    return amount_read(word_take(rest), percent, 1, &fault->share);
  }
  if (slice_eq(kind, SLICE("crash"))) {
    fault->kind = FAULT_CRASH;
    return true;
  }
  if (!slice_eq(kind, SLICE("leak"))) return false;
  fault->kind = FAULT_LEAK;
  if (!amount_read(word_take(rest), sizes, LEAK_BYTES_MAX, &bytes)) return false;
  fault->bytes = (uint64_t)bytes;
  return true;
}

static bool after_read(struct slice rest, struct fault *fault)
{
  double ns;
  if (!rest.len) return true;
  if (rest.at[0] != '@' || !amount_read(trimmed(slice_from(rest, 1)), durations, 8.64e13, &ns))
    return false;
  fault->after_us = (int64_t)(ns / 1e3);
  return true;
}

enum code fault_read(struct slice text, struct fault *fault, struct err *err)
{
  struct slice rest = text, kind = word_take(&rest);
  *fault = (struct fault){0};
  if (text.len <= FAULT_TEXT_MAX && kind_read(kind, &rest, fault) && after_read(rest, fault))
    return OK;
  *fault = (struct fault){0};
  return fail(err, E_INVALID_ARGUMENT,
              "'%.*s' is no fault to rehearse; known are slow x2, slow 5ms, errors 10%%, wrong "
              "10%%, crash, leak 1MiB, each with @30s behind it to begin later",
              SLICE_ARG(text));
}
