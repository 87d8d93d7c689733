/* account.h - what a model's memory is: every block ONNX Runtime takes is booked on the model for
 * which it runs at that moment, and one past the model's limit is refused.
 *
 * How it is known for whom: the thread that calls into the library names the account before and
 * after (account_enter, account_leave); the block carries the account in a head of its own, so it
 * may be given back from any thread. Threads of the library's own pools book on nobody.
 * Weights and intermediate results are seen; the parsed graph is plain heap and is not.
 * Refusal is an exception (base/throw.h): a NULL would crash the library.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_ONNX_ACCOUNT_H
#define INFER_ONNX_ACCOUNT_H

#include "infer/onnx/ort.h"

struct account;

struct account *account_new(uint64_t bytes_max);
/* The account itself lives until its last block is given back. */
void account_free(struct account *account);

/* Around calls into the library: bookings of this thread go to `account`. */
void account_enter(struct account *account);
void account_leave(void);

uint64_t account_bytes(const struct account *account);
/* The most that was booked at once since this was asked last. */
uint64_t account_peak(struct account *account);
uint64_t account_max(const struct account *account);
/* Whether a block was refused since the last time this was asked. */
bool account_refused(struct account *account);

/* What is registered with the library. memory: what `info` answers. */
struct ort_allocator *account_allocator(const struct ort_memory *memory);

#endif
