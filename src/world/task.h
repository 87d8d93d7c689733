/* task.h - the part of a call that is lent to a lane: tensors in, tensors out.
 * Thread: the loop's until sent, the lane owner's until it is home again, then the loop's.
 * Invariant: between the two the loop touches nothing here but `gone`. A call whose client left or
 * whose deadline passed is answered (or dropped) at once, but its memory waits for the task.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_TASK_H
#define WORLD_TASK_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/contract.h"
#include "base/list.h"
#include "base/mail.h"

struct lane;
struct sub;

/* Who goes before whom where both wait. A client may ask for INTERACTIVE or BATCH; CONTROL is ours
 * alone, SHADOW is what a copy of a request is. */
enum task_class { CLASS_CONTROL, CLASS_INTERACTIVE, CLASS_BATCH, CLASS_SHADOW, CLASSES };

struct task {
  struct mail mail;                /* LETTER_TASK out, LETTER_ANSWER home */
  struct mailbox *home;            /* the loop's */
  struct lane *lane;               /* where it runs */
  const struct contract *contract; /* of the version; lives as long as the call's world lease */

  /* In. inputs[i] belongs to contract->inputs[i]; dtype DT_NONE: an optional input left out. Shapes
   * and sizes are checked. Views into the call's arena or body. */
  const struct tensor *inputs;
  uint64_t wanted;     /* bit i: output i of the contract is asked for */
  uint32_t rows;       /* dimension 0 when the contract batches, else 1 */
  int64_t deadline_us; /* clock_us; a task past it is answered E_DEADLINE_EXCEEDED and not run */
  bool costs; /* its CPU time is to be measured: it runs alone, so that arms can be compared */
  bool many;  /* not a caller's: the rows of a batch, made by infer/batch */
  _Atomic bool gone;   /* set by the loop: nobody waits any more; do not start it */
  uint8_t class;       /* enum task_class */
  uint32_t tenant;     /* whose turn it takes: tenant->slot */
  uint32_t weight;     /* of that tenant, 1 to WEIGHT_MAX; 0 counts as 1 */
  uint64_t signature;  /* tasks of one lane with unequal ones never share a batch (task_alike) */

  /* Out. The lane fills outputs[i] for each wanted i: memory from `scratch`, or a view of an
   * input. */
  struct tensor *outputs; /* contract->n_outputs of them, the loop's memory */
  struct arena *scratch;  /* lent with the task; a resident's is of its loop's blocks, else heap */
  struct err err;         /* code OK: the outputs are there */
  int64_t queued_ns;      /* clock_ns when the sender sent it: the sender fills this one */
  int64_t began_ns, input_ns, infer_ns, output_ns; /* clock_ns at each; infer_ns: engine back */
  int64_t cpu_ns;      /* what the run took on a core; -1: not asked for, or not known */
  uint32_t batch_rows; /* rows of the batch it ran in */
  uint32_t delay_us;   /* how long its lane waits for company at this time */
  bool leads;          /* it tells of the run: the others of its batch do not, so it counts once */
  uint64_t model_bytes; /* what the model holds after the run, as its engine measures it */
  uint64_t peak_bytes;  /* the most it held since the run before */
  int64_t backlog_ns;   /* how long one more task of this class and tenant would now wait there */

  /* The lane's, while it waits (infer/queue.h). */
  struct link turn; /* among those alike, earliest deadline first */
  struct link age;  /* among those of its class, eldest first */
  struct sub *sub;
};

/* What its run took; of a batch, by rows. */
static inline int64_t task_cost_ns(const struct task *task)
{
  int64_t run_ns = task->infer_ns - task->input_ns;
  if (task->batch_rows <= task->rows) return run_ns; /* alone; without rows, too */
  return (int64_t)((uint64_t)run_ns * task->rows / task->batch_rows);
}

/* What a row costs lately, after one more run: an eighth of it is new. No run raises it by more
 * than half, or one that lasted as long as its machine stood still would have all that come after
 * it refused for a wait that nobody has. kept_ns 0: none ran yet. */
static inline int64_t row_cost_ns(int64_t kept_ns, int64_t seen_ns)
{
  if (kept_ns <= 0) return seen_ns;
  return kept_ns + ((seen_ns < 5 * kept_ns ? seen_ns : 5 * kept_ns) - kept_ns) / 8;
}

enum { WEIGHT_MAX = 1000, WAIT_EASY_US = 5000 };

/* A wait that is no harm to a request with so long to its deadline: a tenth of that, and 5 ms at
 * least. Lanes shed who waited twice as long in a queue that stands (infer/codel.h), loops take no
 * shorter time for a jam (serve/limit). */
static inline int64_t wait_easy_us(int64_t span_us)
{
  return span_us / 10 > WAIT_EASY_US ? span_us / 10 : WAIT_EASY_US;
}

#endif
