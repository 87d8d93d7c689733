/* cache_test.c - three loops at one cache, with a fourth thread that switches versions: filling,
 * finding, leading, following, failing, leaving, sweeping. No key has two leaders at once, whoever
 * follows is told once, nobody gets another's answer, and nothing is left. CALLS: 300,000.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "serve/cache/flight.h"
#include "world/letters.h"

enum { LOOPS = 3, KEYS = 24, SLOTS = 64, WORLDS = 4, TENANTS = 2, TEXT = 64 };

enum slot_state { IDLE, RUNS, WAITS, LEFT };

struct slot {
  struct flight flight;
  enum slot_state state;
  char text[TEXT]; /* its key; in it the tenant, the version and the question */
  uint32_t tenant, question;
  uint64_t seq;
  uint32_t question_at; /* place in leaders[] */
  _Atomic bool gone;
  bool leads, left;
};

struct loop {
  struct thread thread;
  struct mailbox box;
  uint32_t number;
  struct rand rand;
  struct slot slots[SLOTS];
  uint64_t calls, hits, shared, led, alone, wrong;
};

static struct cache *cache;
static struct loop loops[LOOPS];
static struct world *worlds[WORLDS];
static _Atomic uint32_t newest; /* of worlds; its version has seq newest + 1 */
static _Atomic int leaders[TENANTS * WORLDS * KEYS];
static struct meter meters[TENANTS];
static _Atomic bool over;

static const char *const names[TENANTS] = {"acme", "zeta"};

static struct world *world_of(uint64_t seq)
{
  static struct tensor_spec spec = {.name = SLICE("x"), .dtype = DT_FP32};
  static struct seat seat;
  struct version version = {.number = 1,
                            .slot = SLOT_NONE,
                            .seq = seq,
                            .state = VERSION_READY,
                            .seats = &seat,
                            .n_seats = 1,
                            .cache_ttl_us = 1000,
                            .contract = {&spec, &spec, 1, 1, true}};
  struct model model = {.name = SLICE("m"), .planned = &version, .n_versions = 1};
  model_serve(&model, &version);
  struct tenant tenants[TENANTS];
  memset(tenants, 0, sizeof tenants);
  for (int i = 0; i < TENANTS; i++) {
    tenants[i].name = slice_str(names[i]);
    tenants[i].slot = (uint32_t)i;
    tenants[i].planned = &model;
    tenants[i].n_models = 1;
  }
  struct world_plan plan = {.tenants = tenants, .n_tenants = TENANTS};
  return world_build(&plan, seq);
}

static void answer_check(struct loop *loop, const struct slot *slot, const struct blob *blob)
{
  size_t n = slot->flight.key.bytes.len;
  loop->wrong += blob->len != 2 * n || memcmp(blob->bytes, slot->text, n) != 0 ||
                 memcmp(blob->bytes + n, slot->text, n) != 0;
}

/* The answer to a question is the question, once more. */
static struct blob *answer_of(const struct slot *slot)
{
  size_t n = slot->flight.key.bytes.len;
  struct blob *blob = blob_new(2 * n);
  memcpy(blob->bytes, slot->text, n);
  memcpy(blob->bytes + n, slot->text, n);
  return blob;
}

/* Its client is gone: if those who follow leave, too, another may lead the same key while this run
 * has not ended yet. So it is no longer counted. */
static void left(struct slot *slot)
{
  slot->left = true;
  atomic_fetch_sub(&leaders[slot->question_at], 1);
}

static void run_begin(struct loop *loop, struct slot *slot)
{
  slot->state = RUNS;
  slot->left = false;
  if (!slot->leads) return;
  loop->led++;
  loop->wrong += atomic_fetch_add(&leaders[slot->question_at], 1) != 0;
}

static void run_end(struct loop *loop, struct slot *slot, bool failed)
{
  uint32_t now = atomic_load(&newest);
  int64_t now_us = clock_us();
  struct blob *blob = failed ? NULL : answer_of(slot);
  struct cache_owner owner = {.tenant = slice_str(names[slot->tenant]),
                              .model = SLICE("m"),
                              .meter = &meters[slot->tenant],
                              .tenant_max = 4000,
                              .model_max = 4000,
                              .version = 1,
                              .seq = slot->seq};
  if (blob && now + 1 == slot->seq)
    cache_fill(cache, &slot->flight.key, &owner, blob, now_us, now_us + 1000, now + 1);
  if (slot->leads) {
    if (!slot->left) left(slot);
    if (blob) cache_land(cache, &slot->flight, blob);
    else cache_fail(cache, &slot->flight, rand_u64(&loop->rand) % 4 > 0, false);
  }
  slot->leads = false;
  slot->state = IDLE;
  blob_drop(blob);
}

static void letter_take(struct loop *loop, struct slot *slot)
{
  struct flight *flight = &slot->flight;
  must(slot->state == WAITS || slot->state == LEFT);
  slot->leads = flight->news == NEWS_LEAD;
  if (flight->news == NEWS_ANSWER) {
    answer_check(loop, slot, flight->blob);
    loop->shared++;
    blob_drop(flight->blob);
    slot->state = IDLE;
  } else if (slot->state == LEFT) {
    if (slot->leads) cache_fail(cache, flight, false, false);
    slot->leads = false;
    slot->state = IDLE;
  } else {
    loop->alone += !slot->leads;
    run_begin(loop, slot);
  }
}

static void call_begin(struct loop *loop, struct slot *slot)
{
  struct blob *blob = NULL;
  uint32_t mismatches = 0;
  slot->tenant = (uint32_t)(rand_u64(&loop->rand) % TENANTS);
  slot->question = (uint32_t)(rand_u64(&loop->rand) % KEYS);
  slot->seq = atomic_load(&newest) + 1;
  slot->question_at =
      (slot->tenant * WORLDS + (uint32_t)slot->seq - 1) * KEYS + slot->question;
  int n = snprintf(slot->text, TEXT, "%s/%u/%u", names[slot->tenant], (unsigned)slot->seq,
                   slot->question);
  struct cache_key key = cache_key_of(cache, slice_str(names[slot->tenant]),
                                      slice_of(slot->text, (size_t)n));
  slot->flight.home = &loop->box;
  slot->flight.gone = &slot->gone;
  atomic_store(&slot->gone, false);
  loop->calls++;
  enum cache_asked asked =
      cache_ask(cache, &slot->flight, &key, clock_us(), &blob, &mismatches);
  slot->leads = asked == CACHE_LEADS;
  if (asked == CACHE_HIT) {
    answer_check(loop, slot, blob);
    loop->hits++;
    blob_drop(blob);
  } else if (asked == CACHE_FOLLOWS) {
    slot->state = WAITS;
  } else {
    run_begin(loop, slot);
  }
}

static void slot_step(struct loop *loop, struct slot *slot, bool ends)
{
  uint64_t die = rand_u64(&loop->rand);
  switch (slot->state) {
    case IDLE:
      if (!ends) call_begin(loop, slot);
      break;
    case RUNS:
      if (slot->leads && !slot->left && die % 16 == 0) {
        left(slot);
        if (!cache_abandon(cache, &slot->flight)) break;
        slot->leads = false;
        slot->state = IDLE;
      } else if (die % 3 == 0) {
        run_end(loop, slot, die % 7 == 0);
      }
      break;
    case WAITS:
      if (die % 32) break;
      slot->state = cache_leave(cache, &slot->flight) ? IDLE : LEFT;
      break;
    case LEFT: break;
  }
}

static void loop_main(void *arg)
{
  struct loop *loop = arg;
  bool busy = true;
  while (busy) {
    bool ends = atomic_load(&over);
    busy = !ends;
    for (struct mail *mail = mailbox_take(&loop->box), *next; mail; mail = next) {
      next = mail->next;
      struct flight *flight = LETTER_OF(mail, struct flight);
      letter_take(loop, (struct slot *)(void *)flight);
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
      slot_step(loop, &loop->slots[i], ends);
      busy = busy || loop->slots[i].state != IDLE;
    }
    if (rand_u64(&loop->rand) % 8 == 0)
      cache_sweep(cache, worlds[atomic_load(&newest)], loop->number, LOOPS, clock_us());
    sched_yield();
  }
}
_Static_assert(offsetof(struct slot, flight) == 0, "a slot is its flight");

TEST(loops_share_a_cache_without_sharing_answers)
{
  const char *text = getenv("CALLS");
  uint64_t wanted = text ? strtoull(text, NULL, 10) : 300000, calls = 0;
  cache = cache_new(6000); /* less than both tenants may have: they make room for each other */
  for (uint32_t i = 0; i < WORLDS; i++) worlds[i] = world_of(i + 1);
  for (uint32_t i = 0; i < LOOPS; i++) {
    loops[i] = (struct loop){.number = i};
    mailbox_init(&loops[i].box, NULL, NULL);
    rand_seed(&loops[i].rand, 40 + i);
  }
  for (uint32_t i = 0; i < LOOPS; i++)
    thread_start(&loops[i].thread, "loop", THREAD_STACK_PARSER, loop_main, &loops[i]);
  /* As many calls for each world; loops count theirs, and only the sum of time is known here. */
  int64_t began_us = clock_us(), span_us = (int64_t)wanted * 2;
  for (uint32_t i = 1; i < WORLDS; i++) {
    while (clock_us() - began_us < span_us * i / WORLDS) sched_yield();
    atomic_store(&newest, i);
  }
  while (clock_us() - began_us < span_us) sched_yield();
  atomic_store(&over, true);
  uint64_t hits = 0, shared = 0, led = 0, alone = 0, wrong = 0;
  for (uint32_t i = 0; i < LOOPS; i++) {
    thread_join(&loops[i].thread);
    calls += loops[i].calls, hits += loops[i].hits, shared += loops[i].shared;
    led += loops[i].led, alone += loops[i].alone, wrong += loops[i].wrong;
    EXPECT(mailbox_empty(&loops[i].box));
  }
  printf("%llu calls: %llu hits, %llu led, %llu shared, %llu by themselves\n",
         (unsigned long long)calls, (unsigned long long)hits, (unsigned long long)led,
         (unsigned long long)shared, (unsigned long long)alone);
  EXPECT_INT(wrong, 0);
  EXPECT(hits && led && shared && alone);
  for (uint32_t i = 0; i < TENANTS * WORLDS * KEYS; i++) EXPECT_INT(atomic_load(&leaders[i]), 0);
  cache_sweep(cache, worlds[WORLDS - 1], 0, 1, clock_us() + 10000000);
  EXPECT_INT(cache_bytes(cache), 0);
  EXPECT_INT(meters[0].cache_bytes + meters[1].cache_bytes, 0);
  cache_free(cache);
  for (uint32_t i = 0; i < LOOPS; i++) mailbox_deinit(&loops[i].box);
  for (uint32_t i = 0; i < WORLDS; i++) world_free(worlds[i]);
}
