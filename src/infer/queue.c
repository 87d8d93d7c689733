/* queue.c - tasks in flows and subs.
 * Thread: the lane's owner: a worker, or the loop it lives on.
 * SPDX-License-Identifier: MIT */
#include "infer/queue.h"

#include "base/mem.h"

enum { IDLE_MAX = 8, SPARE_MAX = 32, SORT_STEPS = 64, MISFITS_MAX = 8 };

struct sub {
  struct link link; /* in its flow */
  struct link tasks;
  struct flow *flow;
  uint64_t signature;
  uint64_t rows;
  struct sub *next; /* among the spare */
};

struct flow {
  struct link link; /* in its queue: among those that wait in its class, or the idle */
  struct turn turn;
  struct link subs; /* that have tasks */
  struct queue *queue;
  uint32_t tenant;
  enum task_class class;
};

void queue_init(struct queue *queue, struct turns *turns)
{
  *queue = (struct queue){.turns = turns, .soonest_us = INT64_MAX};
  for (int c = 0; c < CLASSES; c++) {
    list_init(&queue->flows[c]);
    list_init(&queue->ages[c]);
  }
  list_init(&queue->idle);
  list_init(&queue->dead);
}

static void flow_free(struct flow *flow)
{
  if (flow->queue->next == flow) flow->queue->next = NULL;
  if (flow->queue->turns) turn_leave(flow->queue->turns, &flow->turn);
  list_remove(&flow->link);
  ungrab(flow);
}

void queue_deinit(struct queue *queue)
{
  must(queue->waiting == 0 && list_empty(&queue->dead));
  while (!list_empty(&queue->idle)) flow_free(LIST_OF(queue->idle.next, struct flow, link));
  for (struct sub *sub = queue->spare, *next; sub; sub = next) {
    next = sub->next;
    ungrab(sub);
  }
}

/* --- in --------------------------------------------------------------------------------------- */

bool task_alike(const struct task *a, const struct task *b)
{
  if (a->signature != b->signature || a->wanted != b->wanted) return false;
  const struct contract *contract = a->contract;
  uint32_t first = contract->batches ? 1 : 0;
  for (uint32_t i = 0; i < contract->n_inputs; i++) {
    const struct tensor *one = &a->inputs[i], *other = &b->inputs[i];
    if (one->dtype != other->dtype || one->shape.rank != other->shape.rank) return false;
    for (uint32_t d = first; d < one->shape.rank; d++)
      if (one->shape.dims[d] != other->shape.dims[d]) return false;
  }
  return true;
}

static struct flow *flow_among(struct link *flows, uint32_t tenant, enum task_class class)
{
  for (struct link *link = flows->next; link != flows; link = link->next) {
    struct flow *flow = LIST_OF(link, struct flow, link);
    if (flow->tenant == tenant && flow->class == class) return flow;
  }
  return NULL;
}

static struct flow *flow_of(struct queue *queue, const struct task *task)
{
  struct flow *flow = flow_among(&queue->flows[task->class], task->tenant, task->class);
  if (flow) return flow;
  flow = flow_among(&queue->idle, task->tenant, task->class);
  if (flow) {
    queue->n_idle--;
    list_remove(&flow->link);
  } else {
    flow = grab_zero(1, sizeof *flow);
    flow->queue = queue;
    flow->tenant = task->tenant;
    flow->class = task->class;
    list_init(&flow->subs);
    if (queue->turns) turn_join(queue->turns, &flow->turn, flow->class, flow->tenant);
  }
  list_push_back(&queue->flows[flow->class], &flow->link);
  return flow;
}

static struct sub *sub_among(struct flow *flow, const struct task *task)
{
  for (struct link *link = flow->subs.next; link != &flow->subs; link = link->next) {
    struct sub *sub = LIST_OF(link, struct sub, link);
    if (sub->signature == task->signature &&
        task_alike(task, LIST_OF(sub->tasks.next, struct task, turn)))
      return sub;
  }
  return NULL;
}

static struct sub *sub_of(struct flow *flow, const struct task *task)
{
  struct queue *queue = flow->queue;
  struct sub *sub = sub_among(flow, task);
  if (sub) return sub;
  sub = queue->spare;
  if (sub) {
    queue->spare = sub->next;
    queue->n_spare--;
  } else {
    sub = grab(sizeof *sub);
  }
  *sub = (struct sub){.flow = flow, .signature = task->signature};
  list_init(&sub->tasks);
  list_push_back(&flow->subs, &sub->link);
  return sub;
}

/* Deadlines mostly come in their order; where a tenant's do not, the search for a place ends after
 * some steps, and its order is that much less strict. */
static void sub_add(struct sub *sub, struct task *task)
{
  struct link *before = sub->tasks.prev;
  for (int i = 0; i < SORT_STEPS && before != &sub->tasks; i++, before = before->prev)
    if (LIST_OF(before, struct task, turn)->deadline_us <= task->deadline_us) break;
  task->turn.prev = before;
  task->turn.next = before->next;
  before->next->prev = &task->turn;
  before->next = &task->turn;
  sub->rows += task->rows;
}

/* What waits here, as a part of what waits on the worker. */
static void queue_count(struct queue *queue, enum task_class class)
{
  int64_t now_ns = (int64_t)queue->class_rows[class] * queue->row_ns;
  if (queue->turns) queue->turns->backlog_ns[class] += now_ns - queue->counted_ns[class];
  queue->counted_ns[class] = now_ns;
}

static void queue_wake(struct queue *queue)
{
  queue->resting = false;
  for (int c = 0; c < CLASSES; c++)
    for (struct link *link = queue->flows[c].next; link != &queue->flows[c]; link = link->next) {
      struct turn *turn = &LIST_OF(link, struct flow, link)->turn;
      turn_wait(queue->turns, turn, 0);
    }
}

void queue_push(struct queue *queue, struct task *task)
{
  must(task->class < CLASSES);
  struct flow *flow = flow_of(queue, task);
  struct sub *sub = sub_of(flow, task);
  task->sub = sub;
  task->err.code = OK;
  sub_add(sub, task);
  list_push_back(&queue->ages[flow->class], &task->age);
  queue->waiting++;
  queue->rows += task->rows;
  queue->class_rows[flow->class] += task->rows;
  queue_count(queue, flow->class);
  codel_came(&queue->codel[flow->class], task->deadline_us - task->queued_ns / 1000);
  if (task->deadline_us < queue->soonest_us) queue->soonest_us = task->deadline_us;
  if (!queue->turns) return;
  if (queue->resting) queue_wake(queue);
  turn_wait(queue->turns, &flow->turn, task->weight);
}

/* --- out -------------------------------------------------------------------------------------- */

static void flow_idle(struct flow *flow)
{
  struct queue *queue = flow->queue;
  list_remove(&flow->link);
  list_push_back(&queue->idle, &flow->link);
  if (queue->turns) turn_idle(queue->turns, &flow->turn);
  queue->n_idle++;
}

/* A task keeps its sub, and a sub its flow, until the next push: queue_charge asks for both. */
static void task_out(struct queue *queue, struct task *task)
{
  struct sub *sub = task->sub;
  struct flow *flow = sub->flow;
  list_remove(&task->turn);
  list_remove(&task->age);
  sub->rows -= task->rows;
  queue->rows -= task->rows;
  queue->class_rows[flow->class] -= task->rows;
  queue_count(queue, flow->class);
  if (list_empty(&queue->ages[flow->class])) codel_empty(&queue->codel[flow->class]);
  if (!list_empty(&sub->tasks)) return;
  list_remove(&sub->link);
  sub->next = queue->spare;
  queue->spare = sub;
  queue->n_spare++;
  if (list_empty(&flow->subs)) flow_idle(flow);
}

/* What is kept beyond a handful goes when nothing that was taken can still be charged. */
static void queue_tidy(struct queue *queue)
{
  while (queue->n_idle > IDLE_MAX) {
    flow_free(LIST_OF(queue->idle.next, struct flow, link));
    queue->n_idle--;
  }
  while (queue->n_spare > SPARE_MAX) {
    struct sub *sub = queue->spare;
    queue->spare = sub->next;
    queue->n_spare--;
    ungrab(sub);
  }
}

enum code task_end(struct task *task, int64_t now_us)
{
  if (atomic_load_explicit(&task->gone, memory_order_relaxed))
    return fail(&task->err, E_CANCELLED,
                "nobody waits for the answer any more: it was not computed");
  if (now_us > task->deadline_us)
    return fail(&task->err, E_DEADLINE_EXCEEDED,
                "the deadline passed while the request waited for its model; retry later or allow "
                "more time");
  return OK;
}

/* Whether it may run; if not, it is put aside. */
static bool task_lives(struct queue *queue, struct task *task, int64_t now_us)
{
  if (task_end(task, now_us) == OK) return true;
  task_out(queue, task);
  list_push_back(&queue->dead, &task->turn);
  return false;
}

/* Whether those who came last go first: where the queue stands and its last one would be shed
 * before its turn. While all of them come to their turn the order stays as it is, since whoever is
 * overtaken then is shed for nothing. */
static bool newest_first(const struct queue *queue, enum task_class class)
{
  const struct codel *codel = &queue->codel[class];
  return codel->stands && queue->counted_ns[class] / 1000 > codel_shed_us(codel);
}

/* The one that goes first of a sub, or next after another. */
static struct link *sub_next(const struct link *after, bool newest)
{
  return newest ? after->prev : after->next;
}

static struct task *sub_head(struct queue *queue, struct sub *sub, int64_t now_us)
{
  bool newest = newest_first(queue, sub->flow->class);
  while (!list_empty(&sub->tasks)) {
    struct task *task = LIST_OF(sub_next(&sub->tasks, newest), struct task, turn);
    bool last = sub_next(&task->turn, newest) == &sub->tasks;
    if (task_lives(queue, task, now_us)) return task;
    if (last) return NULL; /* the sub went with it */
  }
  return NULL;
}

static bool task_before(const struct task *a, const struct task *b)
{
  if (a->deadline_us != b->deadline_us) return a->deadline_us < b->deadline_us;
  return a->queued_ns < b->queued_ns;
}

static struct task *flow_head(struct queue *queue, struct flow *flow, int64_t now_us)
{
  struct task *best = NULL;
  bool newest = newest_first(queue, flow->class);
  for (struct link *link = flow->subs.next, *next; link != &flow->subs; link = next) {
    next = link->next;
    struct task *task = sub_head(queue, LIST_OF(link, struct sub, link), now_us);
    if (task && (!best || task_before(task, best) != newest)) best = task;
  }
  return best;
}

/* The flows of one class, the least served first: `after` NULL for the first of them. */
static struct flow *flow_after(const struct queue *queue, enum task_class class,
                               const struct flow *after)
{
  struct flow *best = NULL;
  bool passed = !after; /* among equals the order is that of the list */
  for (const struct link *link = queue->flows[class].next; link != &queue->flows[class];
       link = link->next) {
    struct flow *flow = LIST_OF(link, struct flow, link);
    if (flow == after) {
      passed = true;
      continue;
    }
    int64_t served = turn_served(&flow->turn);
    if (after && (served < turn_served(&after->turn) ||
                  (served == turn_served(&after->turn) && !passed)))
      continue;
    if (!best || served < turn_served(&best->turn)) best = flow;
  }
  return best;
}

struct task *queue_head(struct queue *queue, int64_t now_us)
{
  struct flow *flow = queue->next;
  if (flow && !list_empty(&flow->subs)) {
    struct task *task = flow_head(queue, flow, now_us);
    if (task) return task;
  }
  for (enum task_class class = 0; class < CLASSES; class++)
    while ((flow = flow_after(queue, class, NULL))) {
      struct task *task = flow_head(queue, flow, now_us);
      if (task) return task;
    }
  return NULL;
}

struct taking {
  struct queue *queue;
  struct task **out;
  int64_t now_us;
  uint32_t n, max;
  uint64_t rows, rows_max;
};

static void take_one(struct taking *taking, struct task *task)
{
  task_out(taking->queue, task);
  taking->queue->waiting--;
  taking->rows += task->rows;
  taking->out[taking->n++] = task;
}

static void sub_take(struct taking *taking, struct sub *sub)
{
  uint32_t misfits = 0;
  bool last = false, newest = newest_first(taking->queue, sub->flow->class);
  for (struct link *link = sub_next(&sub->tasks, newest), *next; !last; link = next) {
    struct task *task = LIST_OF(link, struct task, turn);
    next = sub_next(link, newest);
    last = next == &sub->tasks;
    if (taking->n == taking->max || taking->rows >= taking->rows_max) return;
    if (!task_lives(taking->queue, task, taking->now_us)) continue;
    if (taking->rows + task->rows <= taking->rows_max)
      take_one(taking, task);
    else if (++misfits == MISFITS_MAX)
      return;
  }
}

/* The flow may idle with its last task: its neighbour is asked for before. */
static void class_take(struct taking *taking, enum task_class class, const struct task *like)
{
  struct queue *queue = taking->queue;
  for (struct flow *flow = flow_after(queue, class, NULL), *next; flow; flow = next) {
    next = flow_after(queue, class, flow);
    if (taking->n == taking->max || taking->rows >= taking->rows_max) return;
    struct sub *sub = sub_among(flow, like);
    if (sub) sub_take(taking, sub);
  }
}

static void queue_look(struct queue *queue, int64_t now_us)
{
  for (enum task_class class = 0; class < CLASSES; class++) {
    int64_t eldest_ns = queue_eldest_ns(queue, class);
    if (eldest_ns == INT64_MAX) continue;
    codel_look(&queue->codel[class], now_us - eldest_ns / 1000, now_us);
  }
}

uint32_t queue_take(struct queue *queue, const struct task *like, int64_t now_us, uint32_t rows_max,
                    struct task **out, uint32_t max)
{
  struct taking taking = {queue, out, now_us, 0, max, 0, rows_max};
  struct task *first = LIST_OF(&like->turn, struct task, turn);
  must(max > 0 && first->turn.next);
  queue_look(queue, now_us);
  take_one(&taking, first);
  for (enum task_class class = 0; class < CLASSES; class++) {
    if (taking.n == max || taking.rows >= rows_max) break;
    class_take(&taking, class, like);
  }
  if (!queue->waiting) queue->soonest_us = INT64_MAX;
  return taking.n;
}

uint32_t queue_rows_like(const struct queue *queue, const struct task *like, enum task_class last)
{
  uint64_t rows = 0;
  for (enum task_class c = 0; c <= last; c++)
    for (const struct link *link = queue->flows[c].next; link != &queue->flows[c];
         link = link->next) {
      const struct sub *sub = sub_among(LIST_OF(link, struct flow, link), like);
      if (sub) rows += sub->rows;
    }
  return rows < UINT32_MAX ? (uint32_t)rows : UINT32_MAX;
}

bool queue_expect(const struct queue *queue, const struct task *head, int64_t now_us)
{
  uint64_t rows = 0;
  const struct flow *flow = head->sub->flow;
  if (!queue->turns) return false;
  for (const struct link *link = flow->subs.next; link != &flow->subs; link = link->next)
    rows += LIST_OF(link, struct sub, link)->rows;
  return turns_expect(queue->turns, flow->class, flow->tenant, (int64_t)rows * queue->row_ns,
                      now_us);
}

int64_t queue_eldest_ns(const struct queue *queue, enum task_class class)
{
  const struct link *ages = &queue->ages[class];
  return list_empty(ages) ? INT64_MAX : LIST_OF(ages->next, struct task, age)->queued_ns;
}

int64_t queue_span_us(const struct queue *queue)
{
  int64_t least_us = INT64_MAX;
  for (int c = 0; c < CLASSES; c++) {
    int64_t span_us = queue->codel[c].span_us;
    if (span_us > 0 && span_us < least_us) least_us = span_us;
  }
  return least_us;
}

/* Puts aside whose deadline has passed. */
static void queue_sift(struct queue *queue, int64_t now_us)
{
  int64_t soonest_us = INT64_MAX;
  for (int c = 0; c < CLASSES; c++)
    for (struct link *link = queue->ages[c].next, *next; link != &queue->ages[c]; link = next) {
      struct task *task = LIST_OF(link, struct task, age);
      next = link->next;
      if (task_lives(queue, task, now_us) && task->deadline_us < soonest_us)
        soonest_us = task->deadline_us;
    }
  queue->soonest_us = soonest_us;
}

/* Who waited too long in a queue that stands. */
static struct task *queue_shed(struct queue *queue, int64_t now_us)
{
  for (enum task_class class = 0; class < CLASSES; class++) {
    const struct codel *codel = &queue->codel[class];
    if (!codel->stands || list_empty(&queue->ages[class])) continue;
    struct task *task = LIST_OF(queue->ages[class].next, struct task, age);
    if (now_us - task->queued_ns / 1000 <= codel_shed_us(codel)) continue;
    task_out(queue, task);
    if (task_end(task, now_us) == OK)
      fail(&task->err, E_OVERLOADED,
           "more requests wait for this model than it can answer in time; retry later or send "
           "less");
    return task;
  }
  return NULL;
}

struct task *queue_dead(struct queue *queue, int64_t now_us)
{
  struct task *shed = queue_shed(queue, now_us);
  if (shed) queue->waiting--;
  if (shed) return shed;
  if (now_us > queue->soonest_us) queue_sift(queue, now_us);
  struct link *link = list_pop_front(&queue->dead);
  if (!link) return NULL;
  queue->waiting--;
  return LIST_OF(link, struct task, turn);
}

/* --- turns ------------------------------------------------------------------------------------ */

struct queue *queue_next(struct turns *turns, int64_t now_us)
{
  struct turn *turn = turns_next(turns, now_us);
  if (!turn) return NULL;
  struct flow *flow = LIST_OF(turn, struct flow, turn);
  flow->queue->next = flow;
  flow->queue->resting = false;
  return flow->queue;
}

void queue_rest(struct queue *queue, int64_t until_us)
{
  if (!queue->turns) return;
  queue->resting = true;
  for (int c = 0; c < CLASSES; c++)
    for (struct link *link = queue->flows[c].next; link != &queue->flows[c]; link = link->next)
      turn_rest(queue->turns, &LIST_OF(link, struct flow, link)->turn, until_us);
}

void queue_charge(struct queue *queue, struct task *const *tasks, uint32_t n, int64_t cost_ns)
{
  uint64_t rows = 0;
  for (uint32_t i = 0; i < n; i++) rows += tasks[i]->rows;
  queue->row_ns = row_cost_ns(queue->row_ns, rows ? cost_ns / (int64_t)rows : cost_ns);
  for (enum task_class class = 0; class < CLASSES; class++) queue_count(queue, class);
  if (queue->turns) {
    for (uint32_t i = 0; i < n; i++)
      turn_charge(queue->turns, &tasks[i]->sub->flow->turn,
                  rows ? (int64_t)((double)cost_ns * tasks[i]->rows / (double)rows) : cost_ns);
  }
  queue_tidy(queue);
}

int64_t queue_backlog_ns(const struct queue *queue, const struct task *task)
{
  const struct turns *turns = queue->turns;
  int64_t before_ns = 0, own_ns = queue->counted_ns[task->class];
  if (!turns) return own_ns;
  for (int class = 0; class < task->class; class++) before_ns += turns->backlog_ns[class];
  int64_t all_ns = turns->backlog_ns[task->class];
  double weight = task->weight ? task->weight : 1, all = (double)turns->weights[task->class];
  double fair_ns = all > weight ? (double)own_ns * all / weight : (double)own_ns;
  return before_ns + (fair_ns < (double)all_ns ? (int64_t)fair_ns : all_ns);
}
