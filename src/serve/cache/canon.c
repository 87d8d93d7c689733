/* canon.c - requests and answers as bytes.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "serve/cache/canon.h"

enum { CANON_FORMAT = 1 };

/* --- requests --------------------------------------------------------------------------------- */

struct pen { /* at NULL: it counts only */
  char *at;
  size_t len;
};

static void pen_put(struct pen *pen, const void *bytes, size_t n)
{
  if (pen->at && n) memcpy(pen->at + pen->len, bytes, n);
  pen->len += n;
}

static void pen_number(struct pen *pen, uint64_t value) { pen_put(pen, &value, sizeof value); }

static void pen_text(struct pen *pen, struct slice text)
{
  pen_number(pen, text.len);
  pen_put(pen, text.at, text.len);
}

static void input_put(struct pen *pen, const struct tensor *input, const struct tensor_spec *spec)
{
  pen_text(pen, spec->name);
  pen_number(pen, input->dtype);
  if (input->dtype == DT_NONE) return; /* left out */
  pen_number(pen, input->shape.rank);
  pen_put(pen, input->shape.dims, input->shape.rank * sizeof *input->shape.dims);
  pen_text(pen, slice_of(input->data, input->bytes));
}

static void canon_put(struct pen *pen, const struct canon *canon)
{
  const struct version *version = canon->version;
  const struct infer_request *request = canon->request;
  const struct contract *contract = &version->contract;
  pen_number(pen, version->number);
  pen_number(pen, version->seq);
  must(!pen->at || pen->len == CANON_OWN);
  pen_number(pen, CANON_FORMAT);
  pen_text(pen, canon->tenant);
  pen_text(pen, canon->model);
  pen_put(pen, version->digest.at, sizeof version->digest.at);
  pen_text(pen, version->engine);
  pen_text(pen, version->platform);
  pen_number(pen, request->n_outputs);
  for (uint32_t i = 0; i < request->n_outputs; i++) {
    pen_text(pen, request->outputs[i].name);
    pen_number(pen, request->outputs[i].classification);
  }
  pen_number(pen, contract->n_inputs);
  for (uint32_t i = 0; i < contract->n_inputs; i++)
    input_put(pen, &request->inputs[i], &contract->inputs[i]);
}

struct slice canon_write(struct arena *arena, const struct canon *canon, size_t max)
{
  struct pen pen = {0};
  canon_put(&pen, canon);
  if (pen.len > max) return SLICE_NONE;
  pen.at = arena_get(arena, pen.len);
  if (!pen.at) return SLICE_NONE;
  pen.len = 0;
  canon_put(&pen, canon);
  return slice_of(pen.at, pen.len);
}

/* --- answers ---------------------------------------------------------------------------------- */

struct packed {
  uint32_t index;
  enum dtype dtype;
  struct shape shape;
  uint64_t count, bytes;
};

size_t tensors_packed(const struct tensor *outputs, uint32_t n, uint64_t wanted)
{
  size_t len = 0;
  for (uint32_t i = 0; i < n; i++)
    if (wanted >> i & 1) len += sizeof(struct packed) + outputs[i].bytes;
  return len;
}

void tensors_pack(const struct tensor *outputs, uint32_t n, uint64_t wanted, char *to)
{
  for (uint32_t i = 0; i < n; i++) {
    const struct tensor *tensor = &outputs[i];
    if (!(wanted >> i & 1)) continue;
    struct packed packed;
    memset(&packed, 0, sizeof packed); /* no byte of another's between the members */
    packed.index = i;
    packed.dtype = tensor->dtype;
    packed.shape.rank = tensor->shape.rank;
    memcpy(packed.shape.dims, tensor->shape.dims, tensor->shape.rank * sizeof(int64_t));
    packed.count = tensor->count;
    packed.bytes = tensor->bytes;
    memcpy(to, &packed, sizeof packed);
    if (tensor->bytes) memcpy(to + sizeof packed, tensor->data, tensor->bytes);
    to += sizeof packed + tensor->bytes;
  }
}

/* The next tensor off the front of them, its bytes a view; false: that is none of this contract. */
static bool packed_next(struct slice *packed, const struct contract *contract, struct packed *head,
                        struct slice *data)
{
  if (packed->len < sizeof *head) return false;
  memcpy(head, packed->at, sizeof *head);
  *packed = slice_from(*packed, sizeof *head);
  if (head->index >= contract->n_outputs || head->bytes > packed->len) return false;
  *data = slice_of(packed->at, head->bytes);
  *packed = slice_from(*packed, head->bytes);
  return true;
}

bool tensors_unpack(struct slice packed, const struct contract *contract, uint64_t wanted,
                    struct arena *arena, struct tensor *outputs)
{
  uint64_t got = 0;
  while (packed.len) {
    struct packed head;
    struct slice data;
    if (!packed_next(&packed, contract, &head, &data)) return false;
    struct tensor *tensor = &outputs[head.index];
    *tensor = (struct tensor){.name = contract->outputs[head.index].name,
                              .dtype = head.dtype,
                              .shape = head.shape,
                              .count = head.count,
                              .bytes = head.bytes};
    if (head.bytes && !(tensor->data = arena_get(arena, head.bytes))) return false;
    if (head.bytes) memcpy(tensor->data, data.at, head.bytes);
    got |= UINT64_C(1) << head.index;
  }
  return got == wanted;
}

static bool tensor_fits(const struct packed *head, struct slice data,
                        const struct tensor_spec *spec)
{
  struct tensor tensor = {.dtype = head->dtype, .shape = head->shape, .count = head->count};
  uint64_t count;
  if (head->dtype != spec->dtype || head->shape.rank > TENSOR_RANK_MAX) return false;
  if (!shape_count(&head->shape, &count) || count != head->count) return false;
  if (spec_fits(spec, &tensor, NULL)) return false;
  size_t width = dtype_width(head->dtype);
  if (width) return count <= data.len / width && count * width == data.len;
  return count <= data.len && tensor_bytes_check(data.at, data.len, count, NULL) == OK;
}

bool tensors_fit(struct slice packed, const struct contract *contract, uint64_t wanted)
{
  uint64_t got = 0;
  while (packed.len) {
    struct packed head;
    struct slice data;
    if (!packed_next(&packed, contract, &head, &data)) return false;
    if (got >> head.index & 1) return false;
    if (!tensor_fits(&head, data, &contract->outputs[head.index])) return false;
    got |= UINT64_C(1) << head.index;
  }
  return got == wanted;
}
