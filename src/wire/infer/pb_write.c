/* pb_write.c - a ModelInferResponse: sizes first, then one head, then the raw entries.
 * Thread: any, pure.
 *
 * The heads of all parts lie in one piece of arena memory: that of names and shapes, then tag and
 * length of each raw entry. Tensors are not copied.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer_pb.h"

#include "wire/infer/infer_int.h"
#include "wire/json_int.h"
#include "wire/pb.h"

enum {
  RESPONSE_NAME = 1,
  RESPONSE_VERSION,
  RESPONSE_ID,
  RESPONSE_PARAMETER,
  RESPONSE_OUTPUT,
  RESPONSE_RAW
};
enum { OUTPUT_NAME = 1, OUTPUT_DATATYPE, OUTPUT_SHAPE };
enum { ENTRY_KEY = 1, ENTRY_VALUE };
enum { VALUE_BOOL = 1, VALUE_INT64 = 2, VALUE_STRING = 3, VALUE_DOUBLE = 4 };
enum { HEAD_MAX = PB_TAG_MAX + PB_VARINT_MAX };

/* ---- parameters: a flat JSON object of our own */

struct entry {
  struct slice key, text;
  uint32_t number; /* of the oneof */
  uint64_t bits;   /* BOOL, INT64 */
  double real;     /* DOUBLE */
};

static bool entry_next(struct json *json, struct entry *entry)
{
  bool over;
  if (json_next(json) != JSON_KEY) return false;
  *entry = (struct entry){.key = json->text};
  enum json_kind kind = json_next(json);
  entry->text = json->text;
  if (kind == JSON_TRUE || kind == JSON_FALSE) {
    entry->number = VALUE_BOOL;
    entry->bits = kind == JSON_TRUE;
  } else if (kind == JSON_STRING) {
    entry->number = VALUE_STRING;
  } else if (kind == JSON_NUMBER) {
    int64_t whole;
    entry->number = json_number_i64(entry->text, &whole, &over) ? VALUE_INT64 : VALUE_DOUBLE;
    if (entry->number == VALUE_INT64)
      entry->bits = (uint64_t)whole;
    else
      json_number_to_f64_slow(entry->text.at, entry->text.at + entry->text.len, &entry->real);
  }
  return entry->number != 0;
}

static size_t value_len(const struct entry *entry)
{
  if (entry->number == VALUE_STRING) return pb_bytes_len(VALUE_STRING, entry->text.len);
  if (entry->number == VALUE_DOUBLE) return 1 + sizeof entry->real;
  return 1 + pb_varint_len(entry->bits);
}

static size_t entry_len(const struct entry *entry)
{
  return pb_bytes_len(ENTRY_KEY, entry->key.len) + pb_bytes_len(ENTRY_VALUE, value_len(entry));
}

static char *entry_put(char *to, const struct entry *entry)
{
  to = pb_put_head(to, RESPONSE_PARAMETER, entry_len(entry));
  to = pb_put_bytes(to, ENTRY_KEY, entry->key);
  to = pb_put_head(to, ENTRY_VALUE, value_len(entry));
  if (entry->number == VALUE_STRING) return pb_put_bytes(to, VALUE_STRING, entry->text);
  if (entry->number == VALUE_DOUBLE) return pb_put_double(to, VALUE_DOUBLE, entry->real);
  return pb_put_number(to, entry->number, entry->bits);
}

/* To NULL: only how many bytes they take. */
static size_t parameters_put(struct arena *arena, struct slice text, char *to)
{
  struct json json;
  struct err err;
  struct entry entry;
  size_t bytes = 0;
  if (!text.len) return 0;
  json_init(&json, arena, text, &err);
  if (json_next(&json) != JSON_OBJECT) return 0;
  while (entry_next(&json, &entry)) {
    bytes += pb_bytes_len(RESPONSE_PARAMETER, entry_len(&entry));
    if (to) to = entry_put(to, &entry);
  }
  return bytes;
}

/* ---- outputs */

static size_t dims_len(const struct tensor *tensor)
{
  size_t bytes = 0;
  for (uint32_t i = 0; i < tensor->shape.rank; i++)
    bytes += pb_varint_len((uint64_t)tensor->shape.dims[i]);
  return bytes;
}

static size_t output_len(const struct tensor *tensor)
{
  size_t dims = dims_len(tensor);
  return pb_bytes_len(OUTPUT_NAME, tensor->name.len) +
         pb_bytes_len(OUTPUT_DATATYPE, strlen(dtype_name(tensor->dtype))) +
         (dims ? pb_bytes_len(OUTPUT_SHAPE, dims) : 0);
}

static char *output_put(char *to, const struct tensor *tensor)
{
  size_t dims = dims_len(tensor);
  to = pb_put_head(to, RESPONSE_OUTPUT, output_len(tensor));
  to = pb_put_bytes(to, OUTPUT_NAME, tensor->name);
  to = pb_put_bytes(to, OUTPUT_DATATYPE, slice_str(dtype_name(tensor->dtype)));
  if (dims) to = pb_put_head(to, OUTPUT_SHAPE, dims);
  for (uint32_t i = 0; i < tensor->shape.rank; i++)
    to = pb_put_varint(to, (uint64_t)tensor->shape.dims[i]);
  return to;
}

/* ---- the whole */

static size_t text_len(uint32_t number, struct slice text)
{
  return text.len ? pb_bytes_len(number, text.len) : 0;
}

static char *text_put(char *to, uint32_t number, struct slice text)
{
  return text.len ? pb_put_bytes(to, number, text) : to;
}

static char *head_put(char *to, struct arena *arena, const struct infer_answer *answer,
                      const struct tensor *tensors)
{
  to = text_put(to, RESPONSE_NAME, answer->model_name);
  to = text_put(to, RESPONSE_VERSION, answer->model_version);
  to = text_put(to, RESPONSE_ID, answer->id);
  to += parameters_put(arena, answer->parameters, to);
  for (uint32_t i = 0; i < answer->n_outputs; i++) to = output_put(to, &tensors[i]);
  return to;
}

/* Of everything but the tensors' own bytes. */
static size_t heads_len(struct arena *arena, const struct infer_answer *answer,
                        const struct tensor *tensors)
{
  size_t bytes = text_len(RESPONSE_NAME, answer->model_name) +
                 text_len(RESPONSE_VERSION, answer->model_version) +
                 text_len(RESPONSE_ID, answer->id) +
                 parameters_put(arena, answer->parameters, NULL);
  for (uint32_t i = 0; i < answer->n_outputs; i++)
    bytes += pb_bytes_len(RESPONSE_OUTPUT, output_len(&tensors[i])) + HEAD_MAX;
  return bytes;
}

static void part_add(struct infer_pb_body *body, const void *at, size_t len)
{
  if (!len) return;
  body->parts[body->n_parts++] = slice_of(at, len);
  body->bytes += len;
}

static enum code outputs_pick(struct arena *arena, const struct infer_answer *answer,
                              struct tensor *tensors, struct err *err)
{
  for (uint32_t i = 0; i < answer->n_outputs; i++) {
    tensors[i] = *answer->outputs[i].tensor;
    if (!answer->outputs[i].classification) continue;
    if (classes_of(arena, &answer->outputs[i], &tensors[i], err))
      return fail_at(err, "outputs[%u]", i);
  }
  return OK;
}

enum code infer_pb_write(struct arena *arena, const struct infer_answer *answer, size_t front,
                         struct infer_pb_body *body, struct err *err)
{
  uint32_t n = answer->n_outputs;
  struct tensor *tensors = arena_get(arena, n * sizeof *tensors + 1);
  *body = (struct infer_pb_body){0};
  body->parts = arena_get(arena, (2 * n + 1) * sizeof *body->parts);
  if (tensors && outputs_pick(arena, answer, tensors, err)) return err->code;
  char *at = tensors ? arena_get(arena, front + heads_len(arena, answer, tensors)) : NULL;
  if (!at || !body->parts)
    return fail(err, E_OUT_OF_MEMORY, "the answer needs more memory than a call has");
  char *end = head_put(at + front, arena, answer, tensors);
  for (uint32_t i = 0; i < n; i++) {
    end = pb_put_head(end, RESPONSE_RAW, tensors[i].bytes);
    part_add(body, at, (size_t)(end - at));
    part_add(body, tensors[i].data, tensors[i].bytes);
    at = end;
  }
  part_add(body, at, (size_t)(end - at)); /* of an answer without outputs */
  body->bytes -= body->n_parts ? front : 0;
  return OK;
}
