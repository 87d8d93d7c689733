/* seat.c - one lane's place at an ONNX session: how a task becomes a call of the library.
 *
 * Idea: most requests to a model look like the last one. The first run of a set of shapes lets the
 * library choose where outputs go and copies them out; its shapes are remembered as a form. When
 * the same shapes come again
 *   - and again, and all is small, inputs are copied into buffers that are bound to the session
 *     once and for all, and outputs copied back: no object of the library is made (bound run);
 *   - else the inputs are wrapped where they lie and outputs are written straight into the task's
 *     scratch arena: nothing is copied (wrapped run with known shapes).
 * Where the values decide the shapes of the outputs (NonZero), a run into memory of the remembered
 * shapes fails; then it is run again the plain way and, after FORM_MISSES_MAX such surprises, the
 * seat remembers nothing any more.
 * Thread: worker, the lane's owner; onnx_cancel: the watch.
 * SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "base/mem.h"
#include "infer/onnx/onnx_int.h"

enum { FORMS = 4, FORM_MISSES_MAX = 3, FORM_HITS_BOUND = 3 };
enum { BOUND_BYTES_MAX = 32 << 10, BOUND_ALIGN = 64 };

struct form {
  bool known, fixed; /* fixed: no BYTES among inputs and outputs */
  uint32_t hits;     /* how often it fitted, lately */
  uint64_t given, wanted;
  struct shape in[TENSORS_MAX], out[TENSORS_MAX];
  /* Of a bound run; binding NULL: none yet. */
  struct ort_binding *binding;
  char *buffer; /* inputs, then outputs; BOUND_BYTES_MAX, kept when the form changes */
  size_t in_at[TENSORS_MAX], out_at[TENSORS_MAX], in_end, out_end;
};

struct onnx_seat {
  struct onnx *onnx;
  struct ort_run_options *options;
  _Atomic bool cancelled;
  uint32_t misses;
  struct ort_value *in[TENSORS_MAX], *out[TENSORS_MAX]; /* of a wrapped run */
  const char *in_names[TENSORS_MAX], *out_names[TENSORS_MAX];
  struct form forms[FORMS];
};

enum code onnx_sit(void *model, void **seat, struct err *err)
{
  struct onnx *onnx = model;
  struct onnx_seat *made = grab_zero(1, sizeof *made);
  made->onnx = onnx;
  struct ort_status *status = onnx->ort->CreateRunOptions(&made->options);
  if (status) {
    ungrab(made);
    return onnx_run_failed(onnx, status, err);
  }
  *seat = made;
  return OK;
}

static void form_forget(struct onnx_seat *seat, struct form *form)
{
  if (form->binding) seat->onnx->ort->ReleaseIoBinding(form->binding);
  form->binding = NULL;
  form->known = false;
  form->hits = 0;
}

void onnx_leave(void *seat)
{
  struct onnx_seat *left = seat;
  for (int i = 0; i < FORMS; i++) {
    form_forget(left, &left->forms[i]);
    ungrab(left->forms[i].buffer);
  }
  left->onnx->ort->ReleaseRunOptions(left->options);
  ungrab(left);
}

void onnx_cancel(void *seat)
{
  struct onnx_seat *stopped = seat;
  atomic_store(&stopped->cancelled, true);
  struct ort_status *status = stopped->onnx->ort->RunOptionsSetTerminate(stopped->options);
  if (status) stopped->onnx->ort->ReleaseStatus(status);
}

/* ---- forms */

static bool shape_same(const struct shape *a, const struct shape *b)
{
  if (a->rank != b->rank) return false;
  for (uint32_t i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i]) return false;
  return true;
}

static uint64_t task_given(const struct task *task)
{
  uint64_t given = 0;
  for (uint32_t i = 0; i < task->contract->n_inputs; i++)
    if (task->inputs[i].dtype != DT_NONE) given |= UINT64_C(1) << i;
  return given;
}

static bool form_fits(const struct form *form, const struct task *task, uint64_t given)
{
  if (!form->known || form->given != given || form->wanted != task->wanted) return false;
  for (uint32_t i = 0; i < task->contract->n_inputs; i++)
    if ((given >> i & 1) && !shape_same(&form->in[i], &task->inputs[i].shape)) return false;
  return true;
}

static struct form *form_find(struct onnx_seat *seat, const struct task *task, uint64_t given)
{
  for (int i = 0; i < FORMS; i++)
    if (form_fits(&seat->forms[i], task, given)) return &seat->forms[i];
  return NULL;
}

/* The form that was of least use lately makes room; all others age. */
static struct form *form_oldest(struct onnx_seat *seat)
{
  struct form *least = &seat->forms[0];
  for (int i = 0; i < FORMS; i++) {
    if (seat->forms[i].hits < least->hits) least = &seat->forms[i];
    seat->forms[i].hits /= 2;
  }
  return least;
}

/* Remembers the shapes of a run that went well. */
static void form_learn(struct onnx_seat *seat, const struct task *task, uint64_t given)
{
  const struct contract *contract = task->contract;
  if (seat->misses >= FORM_MISSES_MAX) return;
  struct form *form = form_oldest(seat);
  form_forget(seat, form);
  *form = (struct form){
      .known = true, .fixed = true, .given = given, .wanted = task->wanted, .buffer = form->buffer};
  for (uint32_t i = 0; i < contract->n_inputs; i++) {
    if (!(given >> i & 1)) continue;
    form->in[i] = task->inputs[i].shape;
    if (task->inputs[i].dtype == DT_BYTES) form->fixed = false;
    form->in_at[i] = form->in_end;
    form->in_end += (task->inputs[i].bytes + BOUND_ALIGN - 1) & ~(size_t)(BOUND_ALIGN - 1);
  }
  form->out_end = form->in_end;
  for (uint32_t i = 0; i < contract->n_outputs; i++) {
    if (!(task->wanted >> i & 1)) continue;
    form->out[i] = task->outputs[i].shape;
    if (task->outputs[i].dtype == DT_BYTES) form->fixed = false;
    form->out_at[i] = form->out_end;
    form->out_end += (task->outputs[i].bytes + BOUND_ALIGN - 1) & ~(size_t)(BOUND_ALIGN - 1);
  }
}

/* ---- values */

static struct ort_status *value_wrap(const struct ort *ort, enum dtype dtype,
                                     const struct shape *shape, void *data, size_t bytes,
                                     struct ort_value **value)
{
  static char nothing[8]; /* the library wants an address for no bytes too */
  return ort->CreateTensorWithDataAsOrtValue(ort->memory, bytes ? data : nothing, bytes,
                                             shape->dims, shape->rank, onnx_type(dtype), value);
}

static struct ort_status *value_strings(const struct ort *ort, const struct tensor *tensor,
                                        struct ort_value **value)
{
  struct ort_status *status = ort->CreateTensorAsOrtValue(ort->allocator, tensor->shape.dims,
                                                          tensor->shape.rank, ORT_STRING, value);
  size_t at = 0;
  for (uint64_t i = 0; !status && i < tensor->count; i++) {
    struct slice element = tensor_bytes_next(tensor, &at);
    char *to = NULL;
    if (!element.len) continue;
    status = ort->GetResizedStringTensorElementBuffer(*value, i, element.len, &to);
    if (!status) memcpy(to, element.at, element.len);
  }
  return status;
}

static enum code scratch_short(struct err *err)
{
  return fail(
      err, E_OUT_OF_MEMORY,
      "the answer does not fit the request's memory: send fewer rows or ask for fewer outputs");
}

/* The library's strings in wire form: the texts are put at the end of the block and move forward,
 * each behind its length. */
static enum code strings_take(struct onnx_seat *seat, struct ort_value *value, struct task *task,
                              struct tensor *to, struct err *err)
{
  const struct ort *ort = seat->onnx->ort;
  size_t text = 0, n = to->count;
  struct ort_status *status = ort->GetStringTensorDataLength(value, &text);
  if (status) return onnx_run_failed(seat->onnx, status, err);
  if (text >= SIZE_MAX / 2 || n >= SIZE_MAX / 32) return scratch_short(err);
  to->bytes = 4 * n + text;
  if (n == 0) return OK;
  char *wire = arena_get(task->scratch, to->bytes + 1);
  size_t *starts = arena_get(task->scratch, (n + 1) * sizeof *starts);
  if (!wire || !starts) return scratch_short(err);
  status = ort->GetStringTensorContent(value, wire + 4 * n, text, starts, n);
  if (status) return onnx_run_failed(seat->onnx, status, err);
  starts[n] = text;
  char *at = wire;
  for (size_t i = 0; i < n; i++) {
    size_t len = starts[i + 1] - starts[i];
    if (len > UINT32_MAX) return scratch_short(err);
    uint32_t len32 = (uint32_t)len;
    memmove(at + 4, wire + 4 * n + starts[i], len);
    memcpy(at, &len32, 4);
    at += 4 + len;
  }
  to->data = wire;
  return OK;
}

static struct ort_status *value_shape(const struct ort *ort, const struct ort_value *value,
                                      struct tensor *to, size_t *rank)
{
  struct ort_shape *shape = NULL;
  int type = 0;
  struct ort_status *status = ort->GetTensorTypeAndShape(value, &shape);
  if (!status) status = ort->GetTensorElementType(shape, &type);
  if (!status) status = ort->GetDimensionsCount(shape, rank);
  if (!status && *rank <= TENSOR_RANK_MAX)
    status = ort->GetDimensions(shape, to->shape.dims, *rank);
  if (shape) ort->ReleaseTensorTypeAndShapeInfo(shape);
  to->dtype = onnx_dtype(type);
  to->shape.rank = (uint32_t)*rank;
  return status;
}

/* Copies what the library made into the task's scratch. *own: its memory is its own, not an
 * input's. */
static enum code value_take(struct onnx_seat *seat, struct ort_value *value, struct task *task,
                            struct tensor *to, bool *own, struct err *err)
{
  const struct ort *ort = seat->onnx->ort;
  size_t rank = 0;
  int is = 0;
  void *data = NULL;
  *to = (struct tensor){0};
  struct ort_status *status = ort->IsTensor(value, &is);
  if (!status && is) status = value_shape(ort, value, to, &rank);
  if (status) return onnx_run_failed(seat->onnx, status, err);
  if (!is || to->dtype == DT_NONE || rank > TENSOR_RANK_MAX || !shape_count(&to->shape, &to->count))
    return fail(
        err, E_BAD_MODEL_OUTPUT,
        "an output is not a tensor of at most %d dimensions: export the model with plain tensors",
        TENSOR_RANK_MAX);
  if (to->dtype == DT_BYTES) return strings_take(seat, value, task, to, err);
  to->bytes = to->count * dtype_width(to->dtype);
  if (to->bytes == 0) return OK;
  status = ort->GetTensorMutableData(value, &data);
  if (status) return onnx_run_failed(seat->onnx, status, err);
  for (uint32_t i = 0; i < task->contract->n_inputs; i++)
    if (task->inputs[i].data == data) *own = false;
  to->data = arena_get(task->scratch, to->bytes);
  if (!to->data) return scratch_short(err);
  memcpy(to->data, data, to->bytes);
  return OK;
}

/* ---- a wrapped run */

static struct ort_status *inputs_wrap(struct onnx_seat *seat, const struct task *task, size_t *n)
{
  struct ort_status *status = NULL;
  for (uint32_t i = 0; !status && i < task->contract->n_inputs; i++) {
    const struct tensor *t = &task->inputs[i];
    if (t->dtype == DT_NONE) continue;
    seat->in_names[*n] = seat->onnx->input_names[i];
    seat->in[*n] = NULL;
    status = t->dtype == DT_BYTES ? value_strings(seat->onnx->ort, t, &seat->in[*n])
                                  : value_wrap(seat->onnx->ort, t->dtype, &t->shape, t->data,
                                               t->bytes, &seat->in[*n]);
    ++*n;
  }
  return status;
}

/* Memory for outputs of known shapes. */
static enum code outputs_wrap(struct onnx_seat *seat, struct task *task, const struct form *form,
                              struct err *err)
{
  size_t n = 0;
  for (uint32_t i = 0; i < task->contract->n_outputs; i++) {
    if (!(task->wanted >> i & 1)) continue;
    struct tensor *t = &task->outputs[i];
    *t = (struct tensor){.dtype = task->contract->outputs[i].dtype, .shape = form->out[i]};
    must(shape_count(&t->shape, &t->count));
    t->bytes = t->count * dtype_width(t->dtype);
    t->data = arena_get(task->scratch, t->bytes ? t->bytes : 1);
    if (!t->data) return scratch_short(err);
    struct ort_status *status =
        value_wrap(seat->onnx->ort, t->dtype, &t->shape, t->data, t->bytes, &seat->out[n++]);
    if (status) return onnx_run_failed(seat->onnx, status, err);
  }
  return OK;
}

static enum code outputs_take(struct onnx_seat *seat, struct task *task, bool *own, struct err *err)
{
  size_t n = 0;
  for (uint32_t i = 0; i < task->contract->n_outputs; i++) {
    if (!(task->wanted >> i & 1)) continue;
    if (value_take(seat, seat->out[n++], task, &task->outputs[i], own, err) != OK) return err->code;
  }
  return OK;
}

static size_t outputs_name(struct onnx_seat *seat, const struct task *task)
{
  size_t n = 0;
  for (uint32_t i = 0; i < task->contract->n_outputs; i++) {
    if (!(task->wanted >> i & 1)) continue;
    seat->out_names[n] = seat->onnx->output_names[i];
    seat->out[n++] = NULL;
  }
  return n;
}

/* form NULL: the library says where outputs go; *own as in value_take. */
static enum code run_wrapped(struct onnx_seat *seat, struct task *task, const struct form *form,
                             bool *own, struct err *err)
{
  struct onnx *onnx = seat->onnx;
  const struct ort *ort = onnx->ort;
  size_t n_in = 0, n_out = outputs_name(seat, task);
  struct ort_status *status = inputs_wrap(seat, task, &n_in);
  if (status)
    (void)onnx_run_failed(onnx, status, err);
  else if (!form || outputs_wrap(seat, task, form, err) == OK) {
    status = ort->Run(onnx->session, seat->options, seat->in_names,
                      (const struct ort_value *const *)seat->in, n_in, seat->out_names, n_out,
                      seat->out);
    if (status)
      (void)onnx_run_failed(onnx, status, err);
    else if (!form)
      (void)outputs_take(seat, task, own, err);
  }
  for (size_t i = 0; i < n_in; i++)
    if (seat->in[i]) ort->ReleaseValue(seat->in[i]);
  for (size_t i = 0; i < n_out; i++)
    if (seat->out[i]) ort->ReleaseValue(seat->out[i]);
  return err->code;
}

/* ---- a bound run */

static struct ort_status *form_bind_one(struct onnx_seat *seat, struct form *form, bool input,
                                        const char *name, enum dtype dtype,
                                        const struct shape *shape, size_t at)
{
  const struct ort *ort = seat->onnx->ort;
  struct ort_value *value = NULL;
  uint64_t count = 0;
  must(shape_count(shape, &count));
  struct ort_status *status =
      value_wrap(ort, dtype, shape, form->buffer + at, count * dtype_width(dtype), &value);
  if (!status) status = (input ? ort->BindInput : ort->BindOutput)(form->binding, name, value);
  if (value) ort->ReleaseValue(value); /* the binding has its own hold */
  return status;
}

/* Binds the buffers of a form; leaves binding NULL when the library will not. */
static void form_bind(struct onnx_seat *seat, struct form *form, const struct contract *contract)
{
  const struct ort *ort = seat->onnx->ort;
  if (!form->buffer) form->buffer = grab(BOUND_BYTES_MAX + BOUND_ALIGN);
  memset(form->buffer, 0, BOUND_BYTES_MAX + BOUND_ALIGN);
  struct ort_status *status = ort->CreateIoBinding(seat->onnx->session, &form->binding);
  for (uint32_t i = 0; !status && i < contract->n_inputs; i++)
    if (form->given >> i & 1)
      status = form_bind_one(seat, form, true, seat->onnx->input_names[i],
                             contract->inputs[i].dtype, &form->in[i], form->in_at[i]);
  for (uint32_t i = 0; !status && i < contract->n_outputs; i++)
    if (form->wanted >> i & 1)
      status = form_bind_one(seat, form, false, seat->onnx->output_names[i],
                             contract->outputs[i].dtype, &form->out[i], form->out_at[i]);
  if (!status) return;
  ort->ReleaseStatus(status);
  form->fixed = false;
  if (form->binding) ort->ReleaseIoBinding(form->binding);
  form->binding = NULL;
}

static enum code run_bound(struct onnx_seat *seat, struct task *task, const struct form *form,
                           struct err *err)
{
  const struct contract *contract = task->contract;
  struct onnx *onnx = seat->onnx;
  for (uint32_t i = 0; i < contract->n_inputs; i++)
    if ((form->given >> i & 1) && task->inputs[i].bytes)
      memcpy(form->buffer + form->in_at[i], task->inputs[i].data, task->inputs[i].bytes);
  struct ort_status *status =
      onnx->ort->RunWithBinding(onnx->session, seat->options, form->binding);
  if (status) return onnx_run_failed(onnx, status, err);
  size_t bytes = form->out_end - form->in_end;
  char *to = arena_get(task->scratch, bytes ? bytes : 1);
  if (!to) return scratch_short(err);
  memcpy(to, form->buffer + form->in_end, bytes);
  for (uint32_t i = 0; i < contract->n_outputs; i++) {
    if (!(form->wanted >> i & 1)) continue;
    struct tensor *t = &task->outputs[i];
    *t = (struct tensor){.dtype = contract->outputs[i].dtype,
                         .shape = form->out[i],
                         .data = to + (form->out_at[i] - form->in_end)};
    must(shape_count(&t->shape, &t->count));
    t->bytes = t->count * dtype_width(t->dtype);
  }
  return OK;
}

/* ---- */

/* True when it went as remembered, or failed for a reason that is not our remembering. */
static bool run_known(struct onnx_seat *seat, struct task *task, struct form *form, struct err *err)
{
  if (!form->fixed) return false;
  if (form->hits < UINT32_MAX) form->hits++;
  if (!form->binding && form->hits >= FORM_HITS_BOUND && form->out_end <= BOUND_BYTES_MAX)
    form_bind(seat, form, task->contract);
  enum code code =
      form->binding ? run_bound(seat, task, form, err) : run_wrapped(seat, task, form, NULL, err);
  if (code != E_MODEL_FAILED || atomic_load(&seat->cancelled)) return true;
  err->code = OK;
  return false;
}

enum code onnx_run(void *seat, struct task *task, struct err *err)
{
  struct onnx_seat *onnx = seat;
  uint64_t given = task_given(task);
  struct form *form = form_find(onnx, task, given);
  bool own = true;
  err->code = OK;
  account_enter(onnx->onnx->account);
  if (!form || !run_known(onnx, task, form, err)) {
    bool tried = form && form->fixed;
    if (run_wrapped(onnx, task, NULL, &own, err) == OK) {
      if (tried)
        form_forget(onnx, form), onnx->misses++;
      else if (!form && own)
        form_learn(onnx, task, given);
    }
  }
  account_leave();
  return err->code;
}
