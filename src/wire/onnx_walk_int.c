/* onnx_walk_int.c - what the walk stands on: who defines which value, which function
 * calls which.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/onnx_walk_int.h"

#include "base/hash.h"

/* ---- names ---- */

enum { PLACES_FIRST = 256 };

static uint64_t name_hash(const struct walk *w, uint32_t scope, struct slice name)
{
  return siphash(w->limits.hash_key, name) + scope * UINT64_C(0x9e3779b97f4a7c15);
}

static struct value *place_find(const struct values *values, uint64_t hash, uint32_t scope,
                                struct slice name)
{
  uint32_t mask = values->cap - 1;
  for (uint32_t i = (uint32_t)(hash >> 7) & mask;; i = (i + 1) & mask) {
    struct value *v = &values->places[i];
    if (!v->name.at || (v->hash == hash && v->scope == scope && slice_eq(v->name, name))) return v;
  }
}

static enum code values_room(struct walk *w)
{
  struct values *values = &w->values;
  if (values->n < values->cap / 4 * 3) return OK;
  if (values->n >= w->limits.values_max)
    return walk_fail(w, E_MODEL_REJECTED, "more than %u named values", w->limits.values_max);
  struct values more = {.cap = values->cap ? values->cap * 2 : PLACES_FIRST, .n = values->n};
  more.places = arena_zero(w->scratch, more.cap, sizeof *more.places);
  if (!more.places) return walk_fail(w, E_OUT_OF_MEMORY, "no memory for the names of a model");
  for (uint32_t i = 0; i < values->cap; i++) {
    const struct value *v = &values->places[i];
    if (v->name.at) *place_find(&more, v->hash, v->scope, v->name) = *v;
  }
  *values = more;
  return OK;
}

enum code value_define(struct walk *w, uint32_t scope, struct slice name, uint32_t defined,
                       uint32_t kind)
{
  if (values_room(w)) return w->err->code;
  uint64_t hash = name_hash(w, scope, name);
  struct value *v = place_find(&w->values, hash, scope, name);
  if (v->name.at) {
    bool input_too = kind != VALUE_NODE && v->kinds != VALUE_NODE && !(v->kinds & kind);
    if (!input_too)
      return walk_fail(w, E_MODEL_REJECTED, "value '%.*s' is defined twice", SLICE_ARG(name));
    v->kinds |= kind;
    return OK;
  }
  *v = (struct value){name, hash, scope, defined, kind};
  w->values.n++;
  return OK;
}

const struct value *value_find(const struct walk *w, uint32_t scope, struct slice name)
{
  if (!w->values.cap) return NULL;
  const struct value *v = place_find(&w->values, name_hash(w, scope, name), scope, name);
  return v->name.at ? v : NULL;
}

/* ---- functions ---- */

static uint64_t function_hash(const struct walk *w, struct slice domain, struct slice name,
                              struct slice overload)
{
  return name_hash(w, 1, domain) * 31 + name_hash(w, 2, name) + (name_hash(w, 3, overload) << 1);
}

uint32_t function_find(const struct walk *w, struct slice domain, struct slice name,
                       struct slice overload)
{
  if (!w->n_functions) return UINT32_MAX;
  uint64_t hash = function_hash(w, domain, name, overload);
  for (uint32_t i = (uint32_t)hash & w->function_mask;; i = (i + 1) & w->function_mask) {
    uint32_t place = w->function_places[i];
    if (!place) return UINT32_MAX;
    const struct function *f = &w->functions[place - 1];
    if (f->hash == hash && slice_eq(f->domain, domain) && slice_eq(f->name, name) &&
        slice_eq(f->overload, overload))
      return place - 1;
  }
}

static enum code function_add(struct walk *w, struct slice message)
{
  struct function f = {0};
  struct pb pb = pb_of(message);
  struct pb_field field;
  while (pb_next(&pb, &field)) {
    if (field.number == 1) f.name = field.bytes;
    if (field.number == 10) f.domain = field.bytes;
    if (field.number == 13) f.overload = field.bytes;
  }
  if (pb.at != pb.end) return walk_garbled(w, pb.at, "function");
  if (function_find(w, f.domain, f.name, f.overload) != UINT32_MAX)
    return walk_fail(w, E_MODEL_REJECTED, "function '%.*s' is defined twice", SLICE_ARG(f.name));
  f.hash = function_hash(w, f.domain, f.name, f.overload);
  uint32_t i = (uint32_t)f.hash & w->function_mask;
  while (w->function_places[i]) i = (i + 1) & w->function_mask;
  w->functions[w->n_functions++] = f;
  w->function_places[i] = w->n_functions;
  return OK;
}

enum code functions_gather(struct walk *w)
{
  struct pb pb = pb_of(w->model);
  struct pb_field field;
  uint64_t n = 0;
  while (pb_next(&pb, &field)) n += field.number == 25;
  if (!n) return OK;
  if (n > w->limits.nodes_max)
    return walk_fail(w, E_MODEL_REJECTED, "more than %u functions", w->limits.nodes_max);
  uint32_t places = 4;
  while (places < 2 * n) places *= 2;
  w->functions = arena_zero(w->scratch, (size_t)n, sizeof *w->functions);
  w->function_places = arena_zero(w->scratch, places, sizeof *w->function_places);
  w->function_mask = places - 1;
  if (!w->functions || !w->function_places)
    return walk_fail(w, E_OUT_OF_MEMORY, "no memory for the functions of a model");
  pb = pb_of(w->model);
  while (pb_next(&pb, &field))
    if (field.number == 25 && function_add(w, field.bytes)) return w->err->code;
  return OK;
}

enum code function_called(struct walk *w, uint32_t callee)
{
  if (w->n_edges == w->edge_cap) {
    uint32_t cap = w->edge_cap ? w->edge_cap * 2 : 256;
    struct call_edge *edges =
        arena_grow(w->scratch, w->edges, w->edge_cap * sizeof *edges, cap * sizeof *edges);
    if (!edges) return walk_fail(w, E_OUT_OF_MEMORY, "no memory for the calls of a model");
    w->edges = edges;
    w->edge_cap = cap;
  }
  w->edges[w->n_edges++] = (struct call_edge){w->body_of, callee};
  return OK;
}

/* callee's size is known: its callers may now be. */
static void call_settle(struct walk *w, const struct call_edge *edge, struct function *whole,
                        uint32_t *ready, uint32_t *n_ready)
{
  const struct function *callee = &w->functions[edge->callee];
  struct function *caller = edge->caller < w->n_functions ? &w->functions[edge->caller] : whole;
  if (__builtin_add_overflow(caller->expanded, callee->expanded, &caller->expanded))
    caller->expanded = UINT64_MAX;
  if (caller->depth < callee->depth + 1) caller->depth = callee->depth + 1;
  if (--caller->waits == 0 && caller != whole) ready[(*n_ready)++] = edge->caller;
}

/* Sorts edges by callee (counting sort), so that each function's callers are together. */
static bool edges_sort(struct walk *w, struct call_edge **sorted, uint32_t **begin)
{
  uint32_t n = w->n_functions;
  *sorted = arena_zero(w->scratch, w->n_edges + 1u, sizeof **sorted);
  *begin = arena_zero(w->scratch, n + 2u, sizeof **begin);
  if (!*sorted || !*begin) return false;
  for (uint32_t i = 0; i < w->n_edges; i++) (*begin)[w->edges[i].callee + 2]++;
  for (uint32_t i = 2; i < n + 2; i++) (*begin)[i] += (*begin)[i - 1];
  for (uint32_t i = 0; i < w->n_edges; i++)
    (*sorted)[(*begin)[w->edges[i].callee + 1]++] = w->edges[i];
  return true;
}

enum code functions_expand(struct walk *w)
{
  uint32_t n = w->n_functions, n_ready = 0, done = 0, *begin;
  if (!n) return OK;
  struct call_edge *sorted;
  struct function whole = {0};
  uint32_t *ready = arena_zero(w->scratch, n, sizeof *ready);
  if (!ready || !edges_sort(w, &sorted, &begin))
    return walk_fail(w, E_OUT_OF_MEMORY, "no memory for the functions of a model");
  for (uint32_t i = 0; i < n; i++) {
    w->functions[i].expanded = w->functions[i].nodes;
    w->functions[i].depth = 1;
  }
  for (uint32_t i = 0; i < w->n_edges; i++)
    (w->edges[i].caller < n ? &w->functions[w->edges[i].caller] : &whole)->waits++;
  for (uint32_t i = 0; i < n; i++)
    if (!w->functions[i].waits) ready[n_ready++] = i;
  while (done < n_ready) {
    uint32_t callee = ready[done++];
    for (uint32_t e = begin[callee]; e < begin[callee + 1]; e++)
      call_settle(w, &sorted[e], &whole, ready, &n_ready);
  }
  if (done < n) return walk_fail(w, E_MODEL_REJECTED, "a function calls itself, directly or not");
  if (whole.depth > w->limits.depth_max)
    return walk_fail(w, E_MODEL_REJECTED, "functions call each other more than %u deep",
                     w->limits.depth_max);
  if (whole.expanded > w->limits.nodes_max)
    return walk_fail(w, E_MODEL_REJECTED,
                     "with its functions written out the model has more than %u nodes",
                     w->limits.nodes_max);
  return OK;
}
