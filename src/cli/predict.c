/* predict.c - `slipway predict MODEL`: one request over the V2 protocol, from a file or stdin.
 * Thread: main (own).
 * Input is a whole V2 request (an object with "inputs"), or just the values: an array for models of
 * one input, an object of arrays by input name for others. Shapes then follow from the nesting and
 * the model's metadata. A bare array goes out in the very digits that came in.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/tensor.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/file.h"
#include "cli/out.h"

enum { INPUT_MAX = 64 << 20, SHOWN_ROWS = 50, SHOWN_VALUES = 16, PREDICT_SECONDS = 120 };

/* ---- input ---- */

static enum code input_read(const char *name, struct buf *to, struct err *err)
{
  bool is_stdin = !name || strcmp(name, "-") == 0;
  if (!name && isatty(STDIN_FILENO) == 1)
    return fail(err, E_INVALID_ARGUMENT, "give the values with --input FILE, or on stdin");
  FILE *file = is_stdin ? stdin : fopen(name, "rbe");
  if (!file) return fail(err, E_NOT_FOUND, "'%s': %s", name, strerror(errno));
  if (!file_drain(file, to))
    return fail(err, E_UNAVAILABLE, "the input cannot be read: %s", strerror(errno));
  if (to->full) return fail(err, E_BODY_TOO_LARGE, "the input is over %d MiB", INPUT_MAX >> 20);
  return OK;
}

static bool is_blank(struct slice text)
{
  while (text.len && strchr(" \t\r\n", text.at[0])) text = slice_from(text, 1);
  return text.len == 0;
}

/* ---- shapes ---- */

/* Dimensions by looking at first elements; what is ragged the server finds. */
static struct shape nesting(const json_t *value)
{
  struct shape shape = {0};
  while (json_is_array(value) && shape.rank < TENSOR_RANK_MAX) {
    shape.dims[shape.rank++] = (int64_t)json_array_size(value);
    value = json_array_get(value, 0);
  }
  return shape;
}

/* The shape meant by values of one nesting for an input of the model's shape: a missing first
 * dimension is a batch of one, a flat list is cut into rows where the row's size is known. */
static struct shape shape_meant(struct shape got, const json_t *model_shape)
{
  uint32_t rank = (uint32_t)json_array_size(model_shape);
  struct shape meant = {.rank = rank};
  if (got.rank >= rank || rank > TENSOR_RANK_MAX) return got;
  if (got.rank + 1 == rank) {
    meant.dims[0] = 1;
    memcpy(meant.dims + 1, got.dims, got.rank * sizeof *got.dims);
    int64_t want = json_integer_value(json_array_get(model_shape, 1));
    if (got.rank != 1 || want <= 0 || got.dims[0] == want || got.dims[0] % want != 0) return meant;
    meant.dims[0] = got.dims[0] / want;
    meant.dims[1] = want;
    return meant;
  }
  if (got.rank > 1) return got;
  int64_t row = 1, n = got.rank ? got.dims[0] : 1;
  for (uint32_t i = 1; i < rank; i++) {
    meant.dims[i] = json_integer_value(json_array_get(model_shape, i));
    if (meant.dims[i] <= 0 || row > INT32_MAX) return got;
    row *= meant.dims[i];
  }
  if (n % row != 0) return got;
  meant.dims[0] = n / row;
  return meant;
}

/* ---- the request ---- */

static void input_write(struct buf *to, const json_t *spec, const json_t *values, struct slice text)
{
  char shape[SHAPE_TEXT_MAX];
  struct shape meant = shape_meant(nesting(values), json_object_get(spec, "shape"));
  buf_add(to, SLICE("{\"name\":"));
  buf_json(to, slice_str(get_str(spec, "name")));
  buf_print(to, ",\"datatype\":\"%s\",\"shape\":%s,\"data\":", get_str(spec, "datatype"),
            shape_text(&meant, shape, sizeof shape));
  bool bare = !json_is_array(values);
  if (bare) buf_add(to, SLICE("["));
  buf_add(to, text);
  if (bare) buf_add(to, SLICE("]"));
  buf_add(to, SLICE("}"));
}

static int dump_to_buf(const char *bytes, size_t len, void *buf)
{
  return buf_add(buf, slice_of(bytes, len)) == OK ? 0 : -1;
}

/* One input per member of `values`, in its order. */
static enum code named_write(struct buf *to, const json_t *inputs, json_t *values, struct err *err)
{
  const char *key;
  json_t *value, *spec;
  bool first = true;
  json_object_foreach(values, key, value)
  {
    const json_t *found = NULL;
    size_t i;
    json_array_foreach(inputs, i, spec) if (strcmp(get_str(spec, "name"), key) == 0) found = spec;
    if (!found) return fail(err, E_UNKNOWN_TENSOR, "the model has no input '%s'", key);
    struct buf text;
    buf_init(&text, INPUT_MAX);
    json_dump_callback(value, dump_to_buf, &text, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!first) buf_add(to, SLICE(","));
    input_write(to, found, value, buf_lend(&text));
    buf_deinit(&text);
    first = false;
  }
  return OK;
}

static enum code request_build(struct client *client, const char *base, struct slice input,
                               json_t *values, struct buf *to, struct err *err)
{
  struct answer metadata = {0};
  if (json_object_get(values, "inputs")) {
    buf_add(to, input);
    return OK;
  }
  if (client_call(client, "GET", base, SLICE_NONE, 0, &metadata, err) != OK) {
    answer_free(&metadata);
    return err->code;
  }
  const json_t *inputs = json_object_get(metadata.json, "inputs");
  enum code code = OK;
  buf_add(to, SLICE("{\"inputs\":["));
  if (json_is_object(values))
    code = named_write(to, inputs, values, err);
  else if (json_array_size(inputs) == 1)
    input_write(to, json_array_get(inputs, 0), values, input);
  else
    code = fail(err, E_INVALID_ARGUMENT,
                "the model has %zu inputs; give an object of arrays by input name",
                json_array_size(inputs));
  buf_add(to, SLICE("]}"));
  if (code == OK && to->full)
    code = fail(err, E_BODY_TOO_LARGE, "the request is over %d MiB", INPUT_MAX >> 20);
  answer_free(&metadata);
  return code;
}

/* ---- the answer ---- */

static void value_print(const json_t *value)
{
  if (json_is_real(value)) {
    char text[TEXT_NUMBER_MAX];
    size_t n = text_print_f64(text, json_real_value(value));
    fwrite(text, 1, n, stdout);
  } else if (json_is_string(value)) {
    out_text(slice_of(json_string_value(value), json_string_length(value)));
  } else {
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
  }
}

static void output_print(const json_t *output)
{
  const json_t *data = json_object_get(output, "data"), *shape = json_object_get(output, "shape");
  char text[128];
  size_t n = json_array_size(data), rank = json_array_size(shape);
  size_t rows = rank ? (size_t)json_integer_value(json_array_get(shape, 0)) : 1;
  size_t each = rows && n % rows == 0 ? n / rows : n;
  struct shape dims = {.rank = rank > TENSOR_RANK_MAX ? TENSOR_RANK_MAX : (uint32_t)rank};
  for (uint32_t i = 0; i < dims.rank; i++)
    dims.dims[i] = json_integer_value(json_array_get(shape, i));
  out_text(slice_str(get_str(output, "name")));
  printf(" %s%s", get_str(output, "datatype"), shape_text(&dims, text, sizeof text));
  for (size_t row = 0; row < rows && row < SHOWN_ROWS; row++) {
    printf(rows > 1 ? "\n  " : "  ");
    for (size_t i = 0; i < each && i < SHOWN_VALUES; i++) {
      if (i) putchar(' ');
      value_print(json_array_get(data, row * each + i));
    }
    if (each > SHOWN_VALUES) printf(" ... and %zu more", each - SHOWN_VALUES);
  }
  if (rows > SHOWN_ROWS) printf("\n  ... and %zu more rows; --json has all", rows - SHOWN_ROWS);
  putchar('\n');
}

static void answer_print(const json_t *answer)
{
  size_t i;
  json_t *output;
  out_text(slice_str(get_str(answer, "model_name")));
  printf(" version ");
  out_text(slice_str(get_str(answer, "model_version")));
  putchar('\n');
  json_array_foreach(json_object_get(answer, "outputs"), i, output) output_print(output);
}

/* ---- the command ---- */

static enum code predict(const struct cli *cli, struct client *client, struct buf *input,
                         struct buf *request, struct answer *answer, struct err *err)
{
  char base[CLIENT_PATH_MAX], path[CLIENT_PATH_MAX], model[MODEL_WORD_MAX], ref[REF_WORD_MAX];
  json_error_t error;
  const char *word = cli->args.words[0];
  if (model_word_read(word, model, ref, err) != OK) return err->code;
  int64_t version = ref_number(ref);
  if (ref[0] && !version) /* an alias is the server's to follow */
    snprintf(model, sizeof model, "%.*s", (int)sizeof model - 1, word);
  if (client_path(base, err, "/v2/models/%s", model) != OK) return err->code;
  size_t len = strlen(base);
  if (args_given(&cli->args, "version")) version = (int64_t)args_count(&cli->args, "version");
  if (version)
    snprintf(base + len, sizeof base - len, "/versions/%lld", (long long)version);
  if (snprintf(path, sizeof path, "%s/infer", base) >= (int)sizeof path)
    return fail(err, E_BAD_NAME, "the model's name is too long");
  if (input_read(args_text(&cli->args, "input"), input, err) != OK) return err->code;
  if (is_blank(buf_lend(input)))
    return fail(err, E_BAD_JSON, "the input is empty; say rows like [[1, 2]] on stdin, or a file "
                "of them with --input FILE");
  json_t *values = json_loadb(input->at ? input->at : "", input->len,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
  if (!values)
    return fail(err, E_BAD_JSON, "the input is not JSON at line %d, column %d: %s", error.line,
                error.column, error.text);
  enum code code = request_build(client, base, buf_lend(input), values, request, err);
  json_decref(values);
  if (code != OK) return code;
  return client_call(client, "POST", path, buf_lend(request), PREDICT_SECONDS, answer, err);
}

int command_predict(struct cli *cli)
{
  static const struct opt opts[] = {
      {"input", 'i', OPT_TEXT, "FILE|-", "a V2 request or just the values, as JSON [-]"},
      {"version", 0, OPT_COUNT, "V", "which version; else the one that serves"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct client *client;
  struct answer answer = {0};
  struct buf input, request;
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  buf_init(&input, INPUT_MAX);
  buf_init(&request, INPUT_MAX);
  rc = 0;
  if (predict(cli, client, &input, &request, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    printf("%.*s\n", (int)answer.body.len, answer.body.at);
  else
    answer_print(answer.json);
  answer_free(&answer);
  buf_deinit(&input);
  buf_deinit(&request);
  client_free(client);
  return rc;
}
