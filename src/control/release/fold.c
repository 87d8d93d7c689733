/* fold.c - events of releases and freezes into the catalog: checked first, changed after.
 * Thread: control (main before it starts). Pure.
 * SPDX-License-Identifier: MIT */
#include "control/release/fold.h"

#include "base/mem.h"
#include "base/text.h"
#include "control/catalog_int.h"

/* --- the bytes of a rollout as a text --------------------------------------------------------- */

struct slice rollout_hex(struct arena *arena, const struct rollout *rollout)
{
  unsigned char bytes[ROLLOUT_BYTES_MAX];
  struct varint_out out = {.at = bytes, .cap = sizeof bytes};
  rollout_write(rollout, &out);
  must(!out.full);
  char *text = arena_get(arena, HEX_LEN(out.len) + 1);
  if (!text) return SLICE_NONE;
  hex_write(slice_of((const char *)bytes, out.len), text);
  return slice_of(text, HEX_LEN(out.len));
}

static enum code rollout_from_hex(struct slice hex, struct rollout *rollout, struct err *err)
{
  char bytes[ROLLOUT_BYTES_MAX];
  size_t n = hex.len / 2;
  if (n > sizeof bytes || !hex_read(hex, bytes))
    return fail(err, E_INVALID_ARGUMENT, "no rollout's bytes");
  struct slice left = slice_of(bytes, n);
  if (rollout_read(rollout, &left, err)) return err->code;
  return left.len ? fail(err, E_INVALID_ARGUMENT, "bytes after a rollout") : OK;
}

/* --- releases --------------------------------------------------------------------------------- */

bool release_is_on(const struct catalog_model *model)
{
  return model->release && !rollout_is_final(&model->release->rollout);
}

uint32_t release_version(const struct catalog_release *release, const struct rollout *rollout)
{
  return release->versions[rollout->chosen == ARM_STABLE ? ARM_CANDIDATE : rollout->chosen];
}

bool release_has(const struct catalog_release *release, uint32_t version)
{
  for (uint32_t arm = 0; arm < release->n_arms; arm++)
    if (release->versions[arm] == version) return true;
  return false;
}

/* The versions of all arms: two, or as the fact says. False: it says what cannot be. */
static bool versions_read(const struct catalog_model *model, const struct event *event,
                          struct catalog_release *release)
{
  struct slice text = event_fact(event, "versions");
  release->versions[ARM_CANDIDATE] = event->version;
  release->versions[ARM_STABLE] = (uint32_t)event_fact_int(event, "stable", 0);
  release->n_arms = ARM_MORE;
  for (uint32_t arm = 0; text.len; arm++) {
    const char *blank = memchr(text.at, ' ', text.len);
    struct slice word = slice_of(text.at, blank ? (size_t)(blank - text.at) : text.len);
    uint64_t number;
    if (arm == ARMS_MAX || !text_read_u64(word, UINT32_MAX, &number)) return false;
    if (!catalog_version(model, (uint32_t)number)) return false;
    if (arm < ARM_MORE && number != release->versions[arm]) return false;
    release->versions[arm] = (uint32_t)number;
    if (arm >= ARM_MORE) release->n_arms = arm + 1;
    text = slice_from(text, blank ? word.len + 1 : word.len);
  }
  return true;
}

static enum code started(struct catalog *catalog, struct catalog_model *model,
                         const struct event *event, const struct rollout *rollout, struct err *err)
{
  int64_t stable = event_fact_int(event, "stable", -1);
  if (event->release != model->n_releases + 1) return catalog_misfit(event, err, "wrong number");
  if (release_is_on(model)) return catalog_misfit(event, err, "another release runs");
  if (!catalog_version(model, event->version)) return catalog_misfit(event, err, "no candidate");
  if (stable < 1 || stable != model->serving)
    return catalog_misfit(event, err, "its stable version does not serve");
  struct catalog_release arms = {0}, *release = model->release;
  if (!versions_read(model, event, &arms)) return catalog_misfit(event, err, "no such arms");
  if (!release) release = model->release = catalog_room(catalog, 1, sizeof *release);
  *release =
      (struct catalog_release){.number = event->release,
                               .n_arms = arms.n_arms,
                               .plan = catalog_keep(catalog, event_fact(event, "plan")),
                               .seed = catalog_keep(catalog, event_fact(event, "seed")),
                               .actor = catalog_keep(catalog, event->actor),
                               .rehearse = catalog_keep(catalog, event_fact(event, "rehearse")),
                               .rollout = *rollout,
                               .started_seq = event->seq,
                               .seq = event->seq,
                               .started_ms = event->wall_ms,
                               .moved_ms = event->wall_ms};
  memcpy(release->versions, arms.versions, sizeof release->versions);
  model->n_releases++;
  return OK;
}

uint32_t release_serving(const struct catalog_release *release, const struct rollout *next)
{
  enum rollout_charge charge = rollout_charge(next);
  if (charge == CHARGE_CANDIDATE && !release->served) return release_version(release, next);
  if (charge == CHARGE_STABLE && release->served) return release->versions[ARM_STABLE];
  return 0;
}

static void release_switch(struct catalog_model *model, struct catalog_release *release,
                           uint32_t serving, const struct event *event)
{
  if (!serving) return;
  if (release->served)
    model_back_pop(model, serving);
  else
    model_back_push(model, model->serving);
  model_switch(model, serving, event);
  release->served = !release->served;
}

static enum code moved(struct catalog *catalog, struct catalog_model *model,
                       const struct event *event, const struct rollout *rollout, struct err *err)
{
  struct catalog_release *release = model->release;
  if (!release || release->number != event->release)
    return catalog_misfit(event, err, "it is not the newest release");
  if (rollout_is_final(&release->rollout)) return catalog_misfit(event, err, "the release is over");
  struct slice edges = event_fact(event, "edges");
  uint32_t serving = release_serving(release, rollout);
  /* What events said before there was this fact is what the state says. */
  if (event_fact_int(event, "serving", serving) != serving)
    return catalog_misfit(event, err, "another version answers than its state says");
  release->rollout = *rollout;
  release->looks = (uint64_t)event_fact_int(event, "looks", (int64_t)release->looks);
  release->seq = event->seq;
  release->moved_ms = event->wall_ms;
  if (edges.len && !slice_eq(edges, release->edges)) release->edges = catalog_keep(catalog, edges);
  release_switch(model, release, serving, event);
  if (rollout->state == ROLLOUT_FAILED && !release->rehearse.len) {
    if (!release_has(release, event->version)) return catalog_misfit(event, err, "no such arm");
    struct catalog_version *candidate = &model->versions[event->version - 1];
    candidate->refused = event->code ? event->code : E_MODEL_LOAD_FAILED;
    candidate->reason = catalog_keep(catalog, event->reason);
  }
  return OK;
}

enum code release_fold(struct catalog *catalog, struct catalog_model *model,
                       const struct event *event, struct err *err)
{
  struct rollout rollout;
  struct err why = {0};
  if (rollout_from_hex(event_fact(event, "rollout"), &rollout, &why))
    return catalog_misfit(event, err, why.text);
  if (event->kind == EVENT_RELEASE_STARTED) return started(catalog, model, event, &rollout, err);
  return moved(catalog, model, event, &rollout, err);
}

void release_overtaken(struct catalog_model *model)
{
  struct catalog_release *release = model->release;
  if (!release || release->rollout.state != ROLLOUT_COMPLETED) return;
  release->rollout.state = ROLLOUT_SETTLED;
  release->rollout.why = WHY_SUPERSEDED;
}

void release_digest(struct sha256 *sha, const struct catalog_model *model)
{
  const struct catalog_release *release = model->release;
  if (!release) return;
  unsigned char bytes[ROLLOUT_BYTES_MAX];
  struct varint_out out = {.at = bytes, .cap = sizeof bytes};
  rollout_write(&release->rollout, &out);
  digest_number(sha, release->number);
  for (uint32_t arm = 0; arm < release->n_arms; arm++) digest_number(sha, release->versions[arm]);
  digest_text(sha, release->plan);
  digest_text(sha, release->seed);
  digest_text(sha, release->actor);
  digest_text(sha, release->edges);
  digest_text(sha, slice_of((const char *)bytes, out.len));
  digest_number(sha, release->looks);
  digest_number(sha, release->started_seq);
  digest_number(sha, release->seq);
  digest_number(sha, (uint64_t)release->started_ms);
  digest_number(sha, (uint64_t)release->moved_ms);
  digest_number(sha, release->served);
  if (release->rehearse.len) digest_text(sha, release->rehearse);
}

/* --- freezes ---------------------------------------------------------------------------------- */

bool freeze_scope_read(struct slice text, enum freeze_scope *scope)
{
  static const char *const names[] = {"system", "tenant", "model"};
  for (int i = 0; i < 3; i++)
    if (slice_eq(text, slice_str(names[i]))) {
      *scope = (enum freeze_scope)i;
      return true;
    }
  return false;
}

bool freeze_is_of(const struct catalog_freeze *freeze, enum freeze_scope scope,
                  const struct catalog_tenant *tenant, struct slice model)
{
  if (freeze->scope != scope) return false;
  if (scope == FREEZE_SYSTEM) return true;
  return freeze->tenant == tenant && (scope == FREEZE_TENANT || slice_eq(freeze->model, model));
}

enum code freeze_fold(struct catalog *catalog, const struct catalog_tenant *tenant,
                      const struct event *event, struct err *err)
{
  enum freeze_scope scope;
  if (!freeze_scope_read(event_fact(event, "scope"), &scope))
    return catalog_misfit(event, err, "no such scope");
  if ((scope == FREEZE_MODEL) != (event->model.len != 0))
    return catalog_misfit(event, err, "scope and model do not agree");
  if (event->kind == EVENT_FREEZE_LIFTED) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < catalog->n_freezes; i++)
      if (!freeze_is_of(&catalog->freezes[i], scope, tenant, event->model))
        catalog->freezes[left++] = catalog->freezes[i];
    catalog->n_freezes = left;
    return OK;
  }
  if (catalog->n_freezes == FREEZES_MAX) return catalog_misfit(event, err, "too many freezes");
  catalog->freezes = catalog_grow(catalog, catalog->freezes, catalog->n_freezes,
                                  &catalog->freezes_cap, sizeof *catalog->freezes);
  catalog->freezes[catalog->n_freezes++] =
      (struct catalog_freeze){.scope = scope,
                              .tenant = tenant,
                              .model = catalog_keep(catalog, event->model),
                              .from_ms = event_fact_int(event, "from_ms", 0),
                              .until_ms = event_fact_int(event, "until_ms", 0),
                              .weekly = catalog_keep(catalog, event_fact(event, "weekly")),
                              .why = catalog_keep(catalog, event_fact(event, "why")),
                              .actor = catalog_keep(catalog, event->actor),
                              .seq = event->seq};
  return OK;
}

void freezes_drop(struct catalog *catalog, const struct catalog_tenant *tenant)
{
  uint32_t left = 0;
  for (uint32_t i = 0; i < catalog->n_freezes; i++) {
    const struct catalog_freeze *freeze = &catalog->freezes[i];
    if (freeze->tenant == tenant && freeze->scope != FREEZE_SYSTEM) continue;
    catalog->freezes[left++] = *freeze;
  }
  catalog->n_freezes = left;
}

void freeze_digest(struct sha256 *sha, const struct catalog *catalog)
{
  for (uint32_t i = 0; i < catalog->n_freezes; i++) {
    const struct catalog_freeze *freeze = &catalog->freezes[i];
    digest_number(sha, freeze->scope);
    digest_text(sha, freeze->tenant->name);
    digest_text(sha, freeze->model);
    digest_number(sha, (uint64_t)freeze->from_ms);
    digest_number(sha, (uint64_t)freeze->until_ms);
    digest_text(sha, freeze->weekly);
    digest_text(sha, freeze->why);
    digest_text(sha, freeze->actor);
    digest_number(sha, freeze->seq);
  }
}
