/* account.c - the allocator that books.
 * Thread: any. Bookings are relaxed atomics: sums, not messages.
 * SPDX-License-Identifier: MIT */
#include "infer/onnx/account.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "base/throw.h"

struct account {
  _Atomic uint64_t bytes; /* blocks with their heads, and ACCOUNT_OPEN while it is open */
  _Atomic uint64_t peak;  /* of bytes, since account_peak */
  uint64_t max;
  _Atomic bool refused;
};

struct block_head {
  struct account *account; /* NULL: nobody's */
  uint64_t bytes;
};
enum { HEAD = THROW_ALIGN, ACCOUNT_OPEN = 1 };
_Static_assert(sizeof(struct block_head) <= HEAD, "the head fits before an aligned block");

static _Thread_local struct account *entered;
static const struct ort_memory *ort_memory;

struct account *account_new(uint64_t bytes_max)
{
  struct account *account = grab_zero(1, sizeof *account);
  atomic_init(&account->bytes, ACCOUNT_OPEN);
  account->max = bytes_max;
  return account;
}

static void account_unbook(struct account *account, uint64_t bytes)
{
  if (atomic_fetch_sub_explicit(&account->bytes, bytes, memory_order_acq_rel) == bytes)
    ungrab(account);
}

void account_free(struct account *account)
{
  if (account) account_unbook(account, ACCOUNT_OPEN);
}

void account_enter(struct account *account) { entered = account; }
void account_leave(void) { entered = NULL; }

uint64_t account_bytes(const struct account *account)
{
  return atomic_load_explicit(&account->bytes, memory_order_relaxed) - ACCOUNT_OPEN;
}

uint64_t account_peak(struct account *account)
{
  uint64_t now = atomic_load_explicit(&account->bytes, memory_order_relaxed);
  uint64_t peak = atomic_exchange_explicit(&account->peak, now, memory_order_relaxed);
  return (peak > now ? peak : now) - ACCOUNT_OPEN;
}

static void peak_raise(struct account *account, uint64_t bytes)
{
  uint64_t peak = atomic_load_explicit(&account->peak, memory_order_relaxed);
  while (bytes > peak &&
         !atomic_compare_exchange_weak_explicit(&account->peak, &peak, bytes, memory_order_relaxed,
                                                memory_order_relaxed))
    ;
}

uint64_t account_max(const struct account *account) { return account->max; }

bool account_refused(struct account *account) { return atomic_exchange(&account->refused, false); }

static void *block_alloc(struct ort_allocator *self, size_t bytes)
{
  (void)self;
  struct account *account = entered;
  if (bytes == 0) return NULL;
  if (bytes > SIZE_MAX - HEAD) throw_no_memory();
  uint64_t all = bytes + HEAD;
  if (account) {
    uint64_t before = atomic_fetch_add_explicit(&account->bytes, all, memory_order_relaxed);
    if (before > account->max || all > account->max - before) {
      atomic_fetch_sub_explicit(&account->bytes, all, memory_order_relaxed);
      atomic_store(&account->refused, true);
      throw_no_memory();
    }
    peak_raise(account, before + all);
  }
  struct block_head *head = throw_grab(all);
  head->account = account;
  head->bytes = all;
  return (char *)head + HEAD;
}

static void block_free(struct ort_allocator *self, void *p)
{
  (void)self;
  if (!p) return;
  struct block_head *head = (struct block_head *)(void *)((char *)p - HEAD);
  struct account *account = head->account;
  uint64_t bytes = head->bytes;
  throw_ungrab(head);
  if (account) account_unbook(account, bytes);
}

static const struct ort_memory *block_info(const struct ort_allocator *self)
{
  (void)self;
  return ort_memory;
}

struct ort_allocator *account_allocator(const struct ort_memory *memory)
{
  static struct ort_allocator allocator = {17, block_alloc, block_free, block_info};
  ort_memory = memory;
  return &allocator;
}
