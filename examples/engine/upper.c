/* upper.c - a toy engine to learn from: it answers every string in capitals.
 *
 *   {"engine": "upper"}                 the whole model.json
 *
 * To have it: copy this file to src/infer/engine/, add the row ENGINE(upper) to
 * src/infer/engines.def, make. CONTRIBUTING.md says what happens then.
 * Thread: job opens and closes, worker runs, as infer/engine.h says.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "infer/model_json.h"

/* Are these files ours? Asked when slipway.yaml names no engine. Look, do not load. */
static bool upper_claims(const struct model_source *source)
{
  return model_json_names(source, "upper");
}

/* Job thread, may take seconds. Says what the model takes and gives: everybody else believes it. */
static enum code upper_open(const struct model_source *source, struct arena *arena,
                            struct contract *contract, void **model, struct err *err)
{
  static const char *const known[] = {"engine", NULL};
  static const struct shape any = {1, {-1}}; /* -1: any number of rows */
  json_t *root;
  if (model_json_read(source, "upper", known, &root, err) != OK) return err->code;
  json_decref(root);
  /* The contract's memory comes from the arena: it outlives this call. */
  struct tensor_spec *in = arena_zero(arena, 1, sizeof *in);
  struct tensor_spec *out = arena_zero(arena, 1, sizeof *out);
  if (!in || !out) return fail(err, E_OUT_OF_MEMORY, "the contract does not fit into memory");
  *in = (struct tensor_spec){.name = SLICE("text"), .dtype = DT_BYTES, .shape = any};
  *out = (struct tensor_spec){.name = SLICE("upper"), .dtype = DT_BYTES, .shape = any};
  *contract = (struct contract){in, out, 1, 1, true};
  *model = grab_zero(1, 1); /* a real engine keeps its weights here */
  return OK;
}

/* Job thread: no seat is left, nobody runs. */
static void upper_close(void *model) { ungrab(model); }

/* What one lane needs of its own: scratch buffers, handles. We need none, so the model will do. */
static enum code upper_sit(void *model, void **seat, struct err *err)
{
  (void)err;
  *seat = model;
  return OK;
}

static void upper_leave(void *seat) { (void)seat; }

/* Worker thread, for every request. Inputs have been checked against the contract; memory for
 * outputs comes from the task's scratch; no lock, no file, no log line for each request. */
static enum code upper_run(void *seat, struct task *task, struct err *err)
{
  (void)seat;
  const struct tensor *in = &task->inputs[0];
  struct tensor *out = &task->outputs[0];
  if (!(task->wanted & 1)) return OK; /* bit i: output i was asked for */
  char *copy = arena_get(task->scratch, in->bytes + 1);
  if (!copy)
    return fail(err, E_OUT_OF_MEMORY,
                "the answer does not fit the request's memory: send fewer rows");
  if (in->bytes) memcpy(copy, in->data, in->bytes);
  size_t at = 0;
  for (uint64_t i = 0; i < in->count; i++) { /* each element: a 4-byte length, then its bytes */
    struct slice element = tensor_bytes_next(in, &at);
    char *text = copy + at - element.len;
    for (size_t k = 0; k < element.len; k++)
      if (text[k] >= 'a' && text[k] <= 'z') text[k] = (char)(text[k] - 'a' + 'A');
  }
  *out = *in;
  out->data = copy;
  return OK;
}

const struct engine engine_upper = {
    .name = "upper",
    .platform = "slipway_upper",
    .claims = upper_claims,
    .open = upper_open,
    .close = upper_close,
    .sit = upper_sit,
    .leave = upper_leave,
    .run = upper_run,
    /* .cancel: runs are short. .bytes: nothing worth counting. */
};
