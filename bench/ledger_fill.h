/* ledger_fill.h - what fills a data directory with events in seconds instead of through the API.
 * Written by the ledger itself, so it is what a daemon would have left. For a program of one file:
 * errors are told on stderr and end it.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#ifndef BENCH_LEDGER_FILL_H
#define BENCH_LEDGER_FILL_H

#include <stdio.h>
#include <stdlib.h>

#include "store/artifact.h"
#include "store/ledger.h"

enum { FILL_GROUP = 1000 }; /* events in one commit */

struct fill {
  struct datadir dir;
  struct ledger *ledger;
  struct err err;
  uint32_t in_group;
};

static void fill_check(const struct fill *fill, enum code code)
{
  if (code == OK) return;
  fprintf(stderr, "%s\n", fill->err.text);
  exit(1);
}

static void fill_begin(struct fill *fill, const char *dir)
{
  *fill = (struct fill){0};
  fill_check(fill, datadir_open(&fill->dir, dir, &fill->err));
  fill_check(fill, ledger_open(&fill->ledger, &fill->dir, NULL, &fill->err));
}

static void fill_add(struct fill *fill, struct event event)
{
  event.wall_ms = 1760000000000;
  event.actor = SLICE("bench");
  if (!fill->in_group) fill_check(fill, ledger_group_begin(fill->ledger, &fill->err));
  fill_check(fill, ledger_group_add(fill->ledger, &event, 1, &fill->err));
  if (++fill->in_group < FILL_GROUP) return;
  fill_check(fill, ledger_group_commit(fill->ledger, &fill->err));
  ledger_tidy(fill->ledger);
  fill->in_group = 0;
}

/* The one file of a model that answers at once, stored. */
static struct event_file fill_file(struct fill *fill)
{
  struct slice text = SLICE("{\"engine\":\"linear\",\"weights\":[[0]],\"bias\":[1]}");
  struct event_file file = {.name = SLICE("model.json")};
  struct stage *stage;
  fill_check(fill, stage_new(&stage, &fill->dir, 0, &fill->err));
  fill_check(fill, stage_add(stage, text, &fill->err));
  fill_check(fill, stage_commit(stage, &file.digest, &file.bytes, &fill->err));
  return file;
}

static void fill_tenant(struct fill *fill, const char *name)
{
  fill_add(fill, (struct event){.kind = EVENT_TENANT_CREATED, .tenant = slice_str(name)});
}

/* A model with `versions` versions of that file, none of them deployed. */
static void fill_model(struct fill *fill, const char *tenant, const char *name, long versions,
                       const struct event_file *file)
{
  struct event event = {
      .kind = EVENT_MODEL_CREATED, .tenant = slice_str(tenant), .model = slice_str(name)};
  fill_add(fill, event);
  event.kind = EVENT_VERSION_PUSHED;
  event.files = file;
  event.n_files = 1;
  for (long i = 1; i <= versions; i++) {
    event.version = (uint32_t)i;
    fill_add(fill, event);
  }
}

/* Commits what is left; returns the last event's number. */
static uint64_t fill_end(struct fill *fill)
{
  if (fill->in_group) fill_check(fill, ledger_group_commit(fill->ledger, &fill->err));
  uint64_t last_seq = ledger_last_seq(fill->ledger);
  ledger_close(fill->ledger);
  datadir_close(&fill->dir);
  return last_seq;
}

#endif
