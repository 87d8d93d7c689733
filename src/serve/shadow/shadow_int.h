/* shadow_int.h - a shadow and its pair of answers, inside the room.
 * Thread: its loop. Only `task` crosses, while OUT.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_SHADOW_SHADOW_INT_H
#define SERVE_SHADOW_SHADOW_INT_H

#include "serve/shadow/shadow.h"

/* A release as the world of a call, or of a shadow, has it. */
struct release_ref {
  const struct lease *lease;
  const struct tenant *tenant;
  const struct model *model;
  const struct split *split;
};

enum shadow_state {
  SHADOW_FREE,
  SHADOW_PINNED,
  SHADOW_LOST, /* its memory is still with its connection */
  SHADOW_WAITING,
  SHADOW_OUT,
  SHADOW_HOME
};

struct shadow {
  enum shadow_state state;
  struct link link; /* shadows->free, pinned, waiting or home */
  struct serve *serve;
  struct lease *lease; /* NULL when LOST */
  struct release_ref ref;
  const struct version *stable;
  struct arena arena, scratch; /* of the call: inputs; stable's outputs */
  struct arena own;            /* of the shadow's task */
  struct task task;
  const struct tensor *inputs, *outputs; /* of stable's contract */
  uint64_t wanted, rows;
  int64_t stable_us;     /* queue and engine */
  int64_t stable_cpu_ns; /* -1: not measured */
  int64_t since_us;                 /* in this state */
  uint64_t held;                    /* bytes, while WAITING or later */
  char id[REQUEST_ID_MAX];
  uint8_t id_len;
};

/* Inputs that were compared lately, by hash. */
struct input_mark {
  uint64_t hash;
  int64_t at_us;
};

struct shadows {
  struct shadow *all;
  uint32_t n_max;
  struct link free, pinned, waiting, home;
  uint32_t in_use, n_out, n_out_elsewhere;
  uint64_t held, held_max;
  bool stopped;
  struct input_mark *inputs_seen; /* INPUTS_SEEN of them */
};
enum { INPUTS_SEEN = 1 << 12 };

/* At boot and at the end: boot memory for so many calls and body bytes. */
void shadows_init(struct shadows *shadows, uint32_t calls_max, uint64_t bodies_max);
void shadows_deinit(struct shadows *shadows);
uint64_t shadows_boot_bytes(uint32_t calls_max);

/* A shadow for a call that stable has answered; NULL: it gets none. Its memory comes next. */
struct shadow *shadow_begin(struct call *call);

/* Counts the pair, or that there is none. The task is home. */
void pair_count(struct shadow *shadow);

#endif
