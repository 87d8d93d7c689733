/* before.c - what is told and asked before the thread starts: the ledger, a snapshot, keys, looks,
 * what pends.
 * Thread: main, in place of control.
 * SPDX-License-Identifier: MIT */
#include "control/control_int.h"
#include "control/registry/owned.h"
#include "control/snapshot/snapshot.h"

enum code control_apply(void *arg, const struct event *event, struct err *err)
{
  struct control *control = arg;
  must(!control->started);
  return catalog_apply(control->catalog, event, err);
}

uint64_t control_form(void) { return snapshot_form(); }

enum code control_restore(struct control *control, struct slice snapshot, struct err *err)
{
  must(!control->started && control->catalog->seq == 0);
  enum code code = snapshot_read(control->catalog, snapshot, err);
  if (code == OK) {
    control->snapshot.seq = control->catalog->seq;
    return OK;
  }
  struct arena *meters = control->catalog->meters;
  catalog_free(control->catalog);
  control->catalog = catalog_new(control->opts.hash_key);
  control->catalog->meters = meters;
  return code;
}

uint32_t control_keys(const struct control *control) { return control->catalog->key_index.n; }

void control_first_key(struct control *control, const struct event *key)
{
  must(!control->started);
  control->first_key = key;
}

void control_owed(void *arg, const struct outbox_row *row)
{
  struct control *control = arg;
  must(!control->started);
  notify_owed(control, row);
}

enum code control_look(void *arg, const struct journal_row *row, struct err *err)
{
  struct control *control = arg;
  must(!control->started);
  return run_replay(control, row, err);
}

void control_suspect(struct control *control, struct slice tenant, struct slice model,
                     uint32_t version)
{
  must(!control->started);
  const struct catalog_tenant *is = catalog_tenant(control->catalog, tenant);
  const struct catalog_model *of = is ? catalog_model(is, model) : NULL;
  const struct catalog_version *there = of ? catalog_version(of, version) : NULL;
  if (there && !there->quarantined) of->versions[version - 1].suspected = true;
}

/* --- what tenants have on the disk ------------------------------------------------------------ */

bool control_stock_at(struct control *control, uint32_t *at, struct control_stock *of)
{
  must(!control->started);
  if (*at >= control->catalog->n_tenants) return false;
  struct catalog_tenant *tenant = control->catalog->tenants[(*at)++];
  *of = (struct control_stock){tenant->name, tenant->meter, tenant};
  return true;
}

bool control_stock_names(void *arg, const struct digest *digest)
{
  const struct control_stock *of = arg;
  return owned_has(of->tenant, digest);
}

void control_stock_done(struct control_stock *of) { owned_free(of->tenant); }

/* --- releases --------------------------------------------------------------------------------- */

bool control_release_at(const struct control *control, uint32_t *at, struct journal_row *of)
{
  for (; *at < control->catalog->n_models; ++*at) {
    const struct catalog_model *model = control->catalog->models[*at];
    if (!release_is_on(model)) continue;
    *of = (struct journal_row){
        .tenant = model->tenant->name, .model = model->name, .release = model->release->number};
    ++*at;
    return true;
  }
  return false;
}
