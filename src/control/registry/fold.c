/* fold.c - events of the registry into the catalog: checked first, changed after.
 * Thread: control (main before it starts). Pure.
 * SPDX-License-Identifier: MIT */
#include "control/registry/fold.h"

#include "base/blob.h"
#include "control/catalog_int.h"
#include "control/quota.h"
#include "control/registry/card.h"
#include "control/registry/owned.h"

bool registry_event_is(enum event_kind kind)
{
  return kind >= EVENT_MODEL_SET && kind <= EVENT_VERSION_CLEARED;
}

const struct catalog_alias *catalog_alias(const struct catalog_model *model, struct slice name)
{
  for (uint32_t i = 0; i < model->n_aliases; i++)
    if (slice_eq(model->aliases[i].name, name)) return &model->aliases[i];
  return NULL;
}

enum code version_may_run(const struct catalog_model *model, uint32_t number, struct err *err)
{
  const struct catalog_version *version = catalog_version(model, number);
  if (!version || !version->quarantined) return OK;
  return fail(err, E_QUARANTINED,
              "version %u of '%.*s' is quarantined: %.*s (slipway model clear %.*s@%u)", number,
              SLICE_ARG(model->name), (int)version->quarantine.len, version->quarantine.at,
              SLICE_ARG(model->name), number);
}

uint32_t catalog_newest(const struct catalog_model *model)
{
  for (uint32_t number = model->n_versions; number > 0; number--)
    if (catalog_version(model, number)) return number;
  return 0;
}

/* --- cards ------------------------------------------------------------------------------------ */

static void card_set(struct blob **card, const struct event *event)
{
  struct slice text = event_fact(event, "card");
  blob_drop(*card);
  *card = text.len ? blob_copy(text) : NULL;
}

void version_dress(struct catalog_model *model, struct catalog_version *version,
                   const struct event *event)
{
  bool held = event_fact(event, "hold").len != 0;
  card_set(&version->card, event);
  model->n_held += held;
  model->n_held -= version->held;
  version->held = held;
}

uint64_t registry_asked(const struct event *event)
{
  struct slice patch = event_fact(event, "patch"), alias = event_fact(event, "alias");
  struct sha256 sha;
  uint64_t asked = 0;
  struct slice quotas = event_fact(event, "quotas");
  if (!patch.len && !alias.len && !quotas.len) return 0;
  sha256_init(&sha);
  digest_text(&sha, patch);
  digest_text(&sha, alias);
  if (quotas.len) digest_text(&sha, quotas);
  struct digest digest = sha256_end(&sha);
  for (int i = 0; i < 8; i++) asked = asked << 8 | digest.at[i];
  return asked;
}

/* The same event says the card or the limits of a model, not both. */
static void model_limit(struct catalog *catalog, struct catalog_model *model,
                        const struct event *event)
{
  struct err err;
  must(quota_fold(catalog, &model->quotas, QUOTA_MODEL, event_fact(event, "quotas"), &err) == OK);
  if (!model->meter) model->meter = quota_meter(catalog);
}

/* --- aliases ---------------------------------------------------------------------------------- */

/* Ascending by name. */
static void alias_set(struct catalog *catalog, struct catalog_model *model,
                      const struct event *event)
{
  struct slice name = event_fact(event, "alias");
  uint32_t at = 0;
  while (at < model->n_aliases && slice_order(model->aliases[at].name, name) < 0) at++;
  if (at == model->n_aliases || !slice_eq(model->aliases[at].name, name)) {
    model->aliases = catalog_grow(catalog, model->aliases, model->n_aliases, &model->aliases_cap,
                                  sizeof *model->aliases);
    memmove(&model->aliases[at + 1], &model->aliases[at],
            (model->n_aliases - at) * sizeof *model->aliases);
    model->aliases[at] = (struct catalog_alias){.name = catalog_keep(catalog, name)};
    model->n_aliases++;
  }
  struct catalog_alias *alias = &model->aliases[at];
  alias->version = event->version;
  alias->seq = event->seq;
  alias->set_ms = event->wall_ms;
  if (!slice_eq(alias->set_by, event->actor)) alias->set_by = catalog_keep(catalog, event->actor);
}

static void alias_remove(struct catalog_model *model, const struct catalog_alias *alias)
{
  size_t at = (size_t)(alias - model->aliases);
  memmove(&model->aliases[at], &model->aliases[at + 1],
          (model->n_aliases - at - 1) * sizeof *model->aliases);
  model->n_aliases--;
}

/* --- removing --------------------------------------------------------------------------------- */

static void version_remove(struct catalog_model *model, struct catalog_version *version,
                           uint64_t seq)
{
  uint32_t kept = 0;
  model->n_held -= version->held;
  version->held = false;
  blob_drop(version->card);
  version->card = NULL;
  version->removed = seq;
  version->corrupt = 0;
  model->n_live--;
  model->tenant->n_versions_live--;
  model->tenant->bytes_live -= version->bytes;
  owned_take(model->tenant, version);
  for (uint32_t i = 0; i < model->n_backs; i++)
    if (model->backs[i] != version->number) model->backs[kept++] = model->backs[i];
  model->n_backs = kept;
}

static void model_remove(struct catalog_model *model, const struct event *event)
{
  for (uint32_t i = 0; i < model->n_versions; i++)
    if (!model->versions[i].removed) version_remove(model, &model->versions[i], event->seq);
  blob_drop(model->card);
  model->card = NULL;
  model->held = model->pinned = false;
  model->n_aliases = 0;
  model->n_backs = 0;
  model->quotas = NULL; /* another model of that name begins without */
  model->removed = event->seq;
  model->tenant->n_models_live--;
}

void model_revive(struct catalog_model *model, const struct event *event)
{
  model->removed = 0;
  model->created_ms = event->wall_ms;
  model->changed_seq = event->seq;
  model->tenant->n_models_live++;
}

/* --- the fold --------------------------------------------------------------------------------- */

static enum code event_check(const struct catalog_model *model, const struct event *event,
                             struct err *err)
{
  const struct catalog_version *version = catalog_version(model, event->version);
  struct slice name = event_fact(event, "alias");
  const struct catalog_alias *alias = catalog_alias(model, name);
  if (event_fact(event, "card").len > CARD_BYTES_MAX)
    return catalog_misfit(event, err, "its card is too long");
  switch (event->kind) {
    case EVENT_MODEL_SET:
      return quota_fact_check(model->quotas, QUOTA_MODEL, event_fact(event, "quotas"), err)
                 ? catalog_misfit(event, err, "its quotas are none")
                 : OK;
    case EVENT_MODEL_REMOVED:
      return model->serving ? catalog_misfit(event, err, "it serves") : OK;
    case EVENT_ALIAS_REMOVED: return alias ? OK : catalog_misfit(event, err, "no such alias");
    case EVENT_ALIAS_SET:
      if (!name.len || (!alias && model->n_aliases >= ALIASES_MAX))
        return catalog_misfit(event, err, "no room for the alias");
      break;
    case EVENT_VERSION_REMOVED:
      if (model->serving && model->serving == event->version)
        return catalog_misfit(event, err, "it serves");
      break;
    default: break;
  }
  return version ? OK : catalog_misfit(event, err, "no such version");
}

enum code registry_fold(struct catalog *catalog, struct catalog_model *model,
                        const struct event *event, struct err *err)
{
  if (event_check(model, event, err)) return err->code;
  struct catalog_version *version = event->version ? &model->versions[event->version - 1] : NULL;
  model->changed_seq = event->seq;
  switch (event->kind) {
    case EVENT_MODEL_SET:
      if (event_says(event, "quotas")) {
        model_limit(catalog, model, event);
        break;
      }
      card_set(&model->card, event);
      model->held = event_fact(event, "hold").len != 0;
      model->pinned = event_fact(event, "pin").len != 0;
      break;
    case EVENT_VERSION_SET: version_dress(model, version, event); break;
    case EVENT_ALIAS_SET: alias_set(catalog, model, event); break;
    case EVENT_ALIAS_REMOVED:
      alias_remove(model, catalog_alias(model, event_fact(event, "alias")));
      break;
    case EVENT_MODEL_REMOVED: model_remove(model, event); break;
    case EVENT_VERSION_REMOVED: version_remove(model, version, event->seq); break;
    case EVENT_VERSION_CORRUPT: version->corrupt = event->seq; break;
    case EVENT_VERSION_SOUND: version->corrupt = 0; break;
    case EVENT_VERSION_QUARANTINED:
      version->quarantined = event->seq;
      version->suspected = false;
      version->quarantine = catalog_keep(catalog, event->reason);
      break;
    case EVENT_VERSION_CLEARED:
      version->quarantined = 0;
      version->quarantine = SLICE_NONE;
      break;
    default: must(!"an event of the registry without a fold");
  }
  return OK;
}

void registry_free(struct catalog *catalog)
{
  for (uint32_t i = 0; i < catalog->n_models; i++) {
    struct catalog_model *model = catalog->models[i];
    blob_drop(model->card);
    for (uint32_t k = 0; k < model->n_versions; k++) blob_drop(model->versions[k].card);
  }
}

/* --- one canonical form ----------------------------------------------------------------------- */

/* What is not there adds nothing, so that older ledgers keep theirs. */
void registry_version_digest(struct sha256 *sha, const struct catalog_version *version)
{
  if (version->card) digest_text(sha, blob_lend(version->card));
  if (version->removed) digest_number(sha, version->removed);
  if (version->corrupt) digest_number(sha, version->corrupt);
  if (!version->quarantined) return;
  digest_number(sha, version->quarantined);
  digest_text(sha, version->quarantine);
}

void registry_digest(struct sha256 *sha, const struct catalog_model *model)
{
  if (model->card) digest_text(sha, blob_lend(model->card));
  if (model->removed) digest_number(sha, model->removed);
  quota_digest(model->quotas, sha);
  for (uint32_t i = 0; i < model->n_aliases; i++) {
    digest_text(sha, model->aliases[i].name);
    digest_number(sha, model->aliases[i].version);
    digest_number(sha, model->aliases[i].seq);
    digest_text(sha, model->aliases[i].set_by);
  }
}
