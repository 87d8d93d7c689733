/* canon.h - a request in its one canonical form, and an answer's tensors as bytes.
 * Thread: any, pure.
 * The form is length-prefixed throughout, so that no two requests can be written alike by what
 * their texts hold. In it: a format number; tenant; model; content hash, number and event of the
 * version, so that neither another version nor the same files pushed again ever share; its engine;
 * the outputs asked for, in order, with classification; and of each input its name, datatype, rank,
 * dimensions, length and bytes. Not in it: id, priority, deadline, headers, and whether it came or
 * goes as JSON or binary, for answers are kept as tensors. Parameters that reach no model change no
 * answer.
 * Number and event are this node's own, and stand first: behind them is what every node writes
 * alike.
 * Source: overload rules, section 4, key.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_CACHE_CANON_H
#define SERVE_CACHE_CANON_H

#include "base/arena.h"
#include "base/blob.h"
#include "wire/infer/infer.h"
#include "world/version.h"

/* What is asked of whom. request: bound (wire/infer/infer.h). */
struct canon {
  struct slice tenant, model;
  const struct version *version;
  const struct infer_request *request;
};

enum { CANON_OWN = 16 }; /* bytes at the front that mean something on this node alone */

/* at NULL: it is longer than max, or the arena is full. */
struct slice canon_write(struct arena *arena, const struct canon *canon, size_t max);

/* Bytes that tensors_pack will write. */
size_t tensors_packed(const struct tensor *outputs, uint32_t n, uint64_t wanted);
/* outputs[i] for each bit i of wanted; to: so many bytes. */
void tensors_pack(const struct tensor *outputs, uint32_t n, uint64_t wanted, char *to);
/* Fills outputs[i] for each bit i of wanted, with memory of the arena and the contract's names.
 * False: they are not those, or the arena is full. */
bool tensors_unpack(struct slice packed, const struct contract *contract, uint64_t wanted,
                    struct arena *arena, struct tensor *outputs);
/* Whether tensors_unpack would take them, and they are what this contract's model could have
 * answered: for bytes that come from elsewhere. */
bool tensors_fit(struct slice packed, const struct contract *contract, uint64_t wanted);

#endif
