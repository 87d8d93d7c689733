/* json_fuzz.c - any bytes through the JSON reader: both ways of reading agree, what is read can be
 * written and reads back the same.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads text and writes every token again; the code of the reading. */
static enum code copy(struct arena *arena, struct slice text, struct json_out *out)
{
  struct json json;
  json_init(&json, arena, text, NULL);
  for (;;) {
    enum json_kind kind = json_next(&json);
    switch (kind) {
      case JSON_BAD:
      case JSON_DONE: return json.code;
      case JSON_OBJECT: json_out_open(out, '{'); break;
      case JSON_OBJECT_END: json_out_close(out, '}'); break;
      case JSON_ARRAY: json_out_open(out, '['); break;
      case JSON_ARRAY_END: json_out_close(out, ']'); break;
      case JSON_KEY:
        must(utf8_valid(json.text));
        json_out_key_of(out, json.text);
        break;
      case JSON_STRING:
        must(utf8_valid(json.text));
        json_out_str(out, json.text);
        break;
      case JSON_NUMBER: json_out_value(out, json.text); break;
      case JSON_TRUE: json_out_bool(out, true); break;
      case JSON_FALSE: json_out_bool(out, false); break;
      case JSON_NULL: json_out_null(out); break;
    }
  }
}

static void numbers_read(struct arena *arena, struct slice text)
{
  struct json json;
  double d;
  int64_t i;
  uint64_t u;
  bool over;
  json_init(&json, arena, text, NULL);
  if (json_read_f64(&json, &d) != OK) return;
  bool is_i = json_number_i64(json.text, &i, &over), is_u = json_number_u64(json.text, &u, &over);
  must(!is_i || (double)i == d);
  must(!is_u || (double)u == d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct arena arena, outs, again;
  struct slice text = slice_of((const char *)data, size);
  struct json_out first, second;
  struct json skipped;
  struct err err = {0};
  arena_init(&arena, 4 * size + (1 << 20), NULL);
  arena_init(&outs, 64 << 20, NULL);
  arena_init(&again, 64 << 20, NULL);
  json_out_init(&first, &outs, 0);
  json_out_init(&second, &again, 0);
  enum code code = copy(&arena, text, &first);
  json_init(&skipped, &arena, text, &err);
  if (json_skip(&skipped, NULL) == OK && json_end(&skipped) == OK) must(code == OK);
  must(skipped.code == code);
  if (code == OK) {
    must(copy(&arena, json_out_lend(&first), &second) == OK);
    must(slice_eq(json_out_lend(&first), json_out_lend(&second)));
  } else {
    must(err.code == code && err.text[0]);
  }
  numbers_read(&arena, text);
  arena_deinit(&arena);
  arena_deinit(&outs);
  arena_deinit(&again);
  return 0;
}
