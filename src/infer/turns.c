/* turns.c - accounts of who was served what, and a heap of those that wait.
 * Thread: the worker's own.
 * SPDX-License-Identifier: MIT */
#include "infer/turns.h"

#include "base/mem.h"

/* Served time is kept in 64ths of a nanosecond over the weight: 64 bits of it last for years. */
enum { SERVED_SCALE = 64, BATCH_SHARE = 19 }; /* 1/19 of the others' time is 1/20 of all */
static const int64_t owed_ns_max = 1000000000, expect_us = 1000000, light_ns = 1000000;

struct account {
  struct heap_node node; /* key: what it was served */
  struct heap lanes;     /* its turns that wait */
  int64_t floor;         /* as turns->floor, among its lanes */
  struct account *next;  /* in its bucket */
  uint32_t tenant, weight, n_turns;
  enum task_class class;
};

#define NODE_OF(node_, type) ((type *)(void *)((char *)(node_) - offsetof(type, node)))

/* --- a heap ---------------------------------------------------------------------------------- */

static void heap_set(struct heap *heap, uint32_t i, struct heap_node *node)
{
  heap->nodes[i] = node;
  node->at = i + 1;
}

static void heap_up(struct heap *heap, uint32_t i)
{
  struct heap_node *node = heap->nodes[i];
  for (; i && heap->nodes[(i - 1) / 2]->key > node->key; i = (i - 1) / 2)
    heap_set(heap, i, heap->nodes[(i - 1) / 2]);
  heap_set(heap, i, node);
}

/* Behind its equals: of two that were served alike, the one that waited goes first. */
static void heap_down(struct heap *heap, uint32_t i)
{
  struct heap_node *node = heap->nodes[i];
  for (uint32_t child; (child = 2 * i + 1) < heap->n; i = child) {
    if (child + 1 < heap->n && heap->nodes[child + 1]->key < heap->nodes[child]->key) child++;
    if (heap->nodes[child]->key > node->key) break;
    heap_set(heap, i, heap->nodes[child]);
  }
  heap_set(heap, i, node);
}

static void heap_add(struct heap *heap, struct heap_node *node)
{
  if (heap->n == heap->room) {
    heap->room = heap->room ? heap->room * 2 : 4;
    heap->nodes = grab_more(heap->nodes, heap->room * sizeof *heap->nodes);
  }
  heap_set(heap, heap->n++, node);
  heap_up(heap, heap->n - 1);
}

static void heap_drop(struct heap *heap, struct heap_node *node)
{
  uint32_t i = node->at - 1;
  node->at = 0;
  struct heap_node *last = heap->nodes[--heap->n];
  if (last == node) return;
  heap_set(heap, i, last);
  heap_up(heap, i);
  heap_down(heap, last->at - 1);
}

static void heap_later(struct heap *heap, struct heap_node *node, int64_t by)
{
  node->key += by;
  if (node->at) heap_down(heap, node->at - 1);
}

/* --- accounts -------------------------------------------------------------------------------- */

static uint32_t bucket_of(const struct turns *turns, uint32_t tenant, enum task_class class)
{
  return (tenant * CLASSES + class) * UINT32_C(2654435761) & (turns->n_buckets - 1);
}

void turns_init(struct turns *turns)
{
  *turns = (struct turns){.n_buckets = 16, .alarm_us = INT64_MAX};
  turns->buckets = grab_zero(turns->n_buckets, sizeof *turns->buckets);
  list_init(&turns->resting);
}

void turns_deinit(struct turns *turns)
{
  must(turns->n_accounts == 0 && list_empty(&turns->resting));
  for (int c = 0; c < CLASSES; c++) ungrab(turns->ready[c].nodes);
  ungrab(turns->buckets);
}

static void buckets_grow(struct turns *turns)
{
  struct account **old = turns->buckets;
  uint32_t n_old = turns->n_buckets;
  turns->n_buckets *= 2;
  turns->buckets = grab_zero(turns->n_buckets, sizeof *turns->buckets);
  for (uint32_t i = 0; i < n_old; i++)
    for (struct account *account = old[i], *next; account; account = next) {
      struct account **bucket =
          &turns->buckets[bucket_of(turns, account->tenant, account->class)];
      next = account->next;
      account->next = *bucket;
      *bucket = account;
    }
  ungrab(old);
}

void turn_join(struct turns *turns, struct turn *turn, enum task_class class, uint32_t tenant)
{
  *turn = (struct turn){0};
  struct account *account = turns->buckets[bucket_of(turns, tenant, class)];
  while (account && (account->tenant != tenant || account->class != class)) account = account->next;
  if (!account) {
    if (turns->n_accounts++ >= turns->n_buckets) buckets_grow(turns);
    account = grab_zero(1, sizeof *account);
    account->tenant = tenant;
    account->class = class;
    account->weight = 1;
    struct account **bucket = &turns->buckets[bucket_of(turns, tenant, class)];
    account->next = *bucket;
    *bucket = account;
  }
  account->n_turns++;
  turn->account = account;
}

void turn_leave(struct turns *turns, struct turn *turn)
{
  turn_idle(turns, turn);
  struct account *account = turn->account;
  turn->account = NULL;
  if (--account->n_turns) return;
  struct account **at = &turns->buckets[bucket_of(turns, account->tenant, account->class)];
  while (*at != account) at = &(*at)->next;
  *at = account->next;
  turns->n_accounts--;
  ungrab(account->lanes.nodes);
  ungrab(account);
}

/* --- who waits ------------------------------------------------------------------------------- */

static void weigh(struct turns *turns, struct account *account, uint32_t weight)
{
  if (!weight || weight == account->weight) return;
  if (account->node.at) turns->weights[account->class] += weight;
  if (account->node.at) turns->weights[account->class] -= account->weight;
  account->weight = weight;
}

void turn_wait(struct turns *turns, struct turn *turn, uint32_t weight)
{
  struct account *account = turn->account;
  struct heap *ready = &turns->ready[account->class];
  list_remove(&turn->wakes);
  weigh(turns, account, weight);
  if (turn->node.at) return;
  if (turn->node.key < account->floor) turn->node.key = account->floor;
  heap_add(&account->lanes, &turn->node);
  if (account->node.at) return;
  int64_t floor = turns->floor[account->class];
  if (account->node.key < floor) account->node.key = floor;
  heap_add(ready, &account->node);
  turns->weights[account->class] += account->weight;
}

static void turn_stand_back(struct turns *turns, struct turn *turn)
{
  struct account *account = turn->account;
  if (!turn->node.at) return;
  heap_drop(&account->lanes, &turn->node);
  if (account->lanes.n) return;
  heap_drop(&turns->ready[account->class], &account->node);
  turns->weights[account->class] -= account->weight;
}

void turn_idle(struct turns *turns, struct turn *turn)
{
  list_remove(&turn->wakes);
  turn_stand_back(turns, turn);
}

void turn_rest(struct turns *turns, struct turn *turn, int64_t until_us)
{
  turn_stand_back(turns, turn);
  turn->wake_us = until_us;
  if (!turn->wakes.next) list_push_back(&turns->resting, &turn->wakes);
  if (until_us < turns->alarm_us) turns->alarm_us = until_us;
}

static void resting_wake(struct turns *turns, int64_t now_us)
{
  turns->alarm_us = INT64_MAX;
  for (struct link *link = turns->resting.next, *next; link != &turns->resting; link = next) {
    struct turn *turn = LIST_OF(link, struct turn, wakes);
    next = link->next;
    if (turn->wake_us <= now_us)
      turn_wait(turns, turn, turn->account->weight);
    else if (turn->wake_us < turns->alarm_us)
      turns->alarm_us = turn->wake_us;
  }
}

/* --- turns ----------------------------------------------------------------------------------- */

static struct turn *heap_first(const struct heap *ready)
{
  struct account *account = NODE_OF(ready->nodes[0], struct account);
  return NODE_OF(account->lanes.nodes[0], struct turn);
}

struct turn *turns_next(struct turns *turns, int64_t now_us)
{
  if (now_us >= turns->alarm_us) resting_wake(turns, now_us);
  const struct heap *batch = &turns->ready[CLASS_BATCH];
  int class = 0;
  while (class < CLASSES && !turns->ready[class].n) class++;
  if (class == CLASSES) return NULL;
  if (!batch->n) turns->owed_ns = 0;
  turns->owing = class < CLASS_BATCH && batch->n && turns->owed_ns > heap_first(batch)->cost_ns;
  if (turns->owing) class = CLASS_BATCH;
  const struct heap *ready = &turns->ready[class];
  struct turn *turn = heap_first(ready);
  if (ready->nodes[0]->key > turns->floor[class]) turns->floor[class] = ready->nodes[0]->key;
  if (turn->node.key > turn->account->floor) turn->account->floor = turn->node.key;
  struct seen *last = &turns->last[class];
  if (last->us && last->tenant != turn->account->tenant) turns->other[class] = *last;
  *last = (struct seen){turn->account->tenant, now_us};
  return turn;
}

bool turns_expect(const struct turns *turns, enum task_class class, uint32_t tenant,
                  int64_t own_ns, int64_t now_us)
{
  bool below = class >= CLASS_BATCH;
  int64_t others_ns = -own_ns;
  for (enum task_class c = 0; c < CLASS_BATCH; c++) others_ns += turns->backlog_ns[c];
  if (!below && others_ns > light_ns && others_ns > own_ns / 4) return false;
  for (enum task_class c = 0; c < CLASS_BATCH; c++) {
    bool own = !below && turns->last[c].tenant == tenant;
    const struct seen *seen = own ? &turns->other[c] : &turns->last[c];
    if (seen->us && now_us - seen->us < expect_us) return true;
  }
  return false;
}

void turn_charge(struct turns *turns, struct turn *turn, int64_t cost_ns)
{
  struct account *account = turn->account;
  if (cost_ns < 1) cost_ns = 1;
  turn->cost_ns += (cost_ns - turn->cost_ns) / 4;
  int64_t served = (cost_ns * SERVED_SCALE + account->weight / 2) / account->weight;
  heap_later(&account->lanes, &turn->node, cost_ns);
  heap_later(&turns->ready[account->class], &account->node, served ? served : 1);
  if (account->class < CLASS_BATCH && turns->ready[CLASS_BATCH].n)
    turns->owed_ns += (cost_ns + BATCH_SHARE / 2) / BATCH_SHARE;
  if (account->class == CLASS_BATCH && turns->owing) turns->owed_ns -= cost_ns;
  if (turns->owed_ns > owed_ns_max) turns->owed_ns = owed_ns_max;
}

int64_t turn_served(const struct turn *turn) { return turn->account ? turn->account->node.key : 0; }

bool turns_wait(const struct turns *turns)
{
  for (int class = 0; class < CLASSES; class++)
    if (turns->ready[class].n) return true;
  return !list_empty(&turns->resting);
}
