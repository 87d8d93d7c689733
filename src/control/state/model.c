/* model.c - one model: made, its version, card, limits, aliases, what serves.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "base/blob.h"
#include "control/registry/card.h"
#include "control/registry/decide.h"
#include "control/registry/fold.h"
#include "control/release/decide.h"
#include "control/release/facts.h"
#include "control/release/fold.h"
#include "control/state/state_int.h"
#include "flag/value.h"

/* The declaration's entry of one model, on its way to lines and events. */
struct entry {
  struct diff *diff;
  const struct state_model *want;
  const struct catalog_model *model; /* NULL: it is to be made */
  const struct catalog_model *was;   /* the same, or one that was removed: whose numbers go on */
  uint32_t version;                  /* the one meant; 0: none is */
  bool pushed;                       /* it is to be made */
};

/* What err->field names is in this model: "models.fraud.aliases.champion". */
static bool wrong_inside(const struct entry *entry)
{
  fail_under(entry->diff->err, "models.%.*s", SLICE_ARG(entry->want->name));
  return false;
}

static bool wrong(const struct entry *entry, const char *member, struct slice name)
{
  fail_at(entry->diff->err, "%s%s%.*s", member, name.len ? "." : "", SLICE_ARG(name));
  return wrong_inside(entry);
}

static struct slice number_text(uint32_t number, char to[TEXT_NUMBER_MAX])
{
  return number ? slice_of(to, text_print_u64(to, number)) : SLICE_NONE;
}

/* --- there at all ----------------------------------------------------------------------------- */

static bool model_made(struct entry *entry)
{
  struct diff *diff = entry->diff;
  struct slice name = entry->want->name;
  const struct catalog_model *like = diff->tenant ? catalog_model_like(diff->tenant, name) : NULL;
  if (model_name_check(name, diff->err)) return wrong(entry, "", SLICE_NONE);
  if (like && !slice_eq(like->name, name)) {
    fail(diff->err, E_CONFLICT, "model '%.*s' differs from '%.*s' in case only; use that name",
         SLICE_ARG(name), SLICE_ARG(like->name));
    return wrong(entry, "", SLICE_NONE);
  }
  entry->was = like;
  entry->model = like && !like->removed ? like : NULL;
  if (entry->model) return true;
  diff->more.models++;
  return diff_edit(diff, "model", name, SLICE_NONE, SLICE_NONE, SLICE("made")) &&
         diff_event(diff, EVENT_MODEL_CREATED, name);
}

/* --- the version ------------------------------------------------------------------------------ */

static bool engine_fits(const struct catalog_version *version, struct slice engine)
{
  return !engine.len || slice_eq(version->engine, engine);
}

/* The one that serves before others with the same files, then the newest. */
static uint32_t version_find(const struct entry *entry)
{
  const struct catalog_model *model = entry->model;
  uint32_t found = 0;
  for (uint32_t i = 0; model && i < model->n_versions; i++) {
    const struct catalog_version *version = &model->versions[i];
    if (version->removed || !digest_same(&version->digest, &entry->want->digest) ||
        !engine_fits(version, entry->want->engine))
      continue;
    found = version->number;
    if (found == model->serving) break;
  }
  return found;
}

static bool version_pushed(struct entry *entry)
{
  struct diff *diff = entry->diff;
  const struct state_model *want = entry->want;
  char number[TEXT_NUMBER_MAX], hex[SHA256_HEX_LEN + 1];
  entry->version = entry->was ? entry->was->n_versions + 1 : 1;
  entry->pushed = true;
  digest_hex(&want->digest, hex);
  if (diff->state->apply && !want->may_push) {
    fail(diff->err, E_CONFLICT,
         "the version of model '%.*s' with these files was removed just now; apply again",
         SLICE_ARG(want->name));
    return wrong(entry, "files", SLICE_NONE);
  }
  struct state_edit *edit = diff_edit(
      diff, "version", want->name, number_text(entry->version, number), SLICE_NONE, slice_str(hex));
  struct event *event = edit ? diff_event(diff, EVENT_VERSION_PUSHED, want->name) : NULL;
  if (!event) return false;
  event->version = entry->version;
  event->engine = want->engine;
  event->note = want->note;
  event->files = want->files;
  event->n_files = want->n_files;
  event->facts = want->facts;
  event->n_facts = want->n_facts;
  for (uint32_t i = 0; i < want->n_files; i++) edit->bytes += want->files[i].bytes;
  diff->more.versions++;
  diff->more.bytes += edit->bytes;
  return true;
}

static bool version_diff(struct entry *entry)
{
  const struct state_model *want = entry->want;
  struct err *err = entry->diff->err;
  if (want->version) {
    entry->version = want->version;
    if (entry->model && catalog_version(entry->model, want->version)) return true;
    fail(err, E_VERSION_NOT_FOUND, "model '%.*s' has no version %u", SLICE_ARG(want->name),
         want->version);
    return wrong(entry, "version", SLICE_NONE);
  }
  if (!want->by_digest) return true;
  entry->version = version_find(entry);
  if (entry->version) return true;
  if (want->n_files) return version_pushed(entry);
  fail(err, E_VERSION_NOT_FOUND,
       "model '%.*s' has no version of that digest; a path to its files makes one",
       SLICE_ARG(want->name));
  return wrong(entry, "digest", SLICE_NONE);
}

/* --- the card --------------------------------------------------------------------------------- */

static struct slice text_said(const struct value *card, const char *name)
{
  const struct value *value = value_get(card, slice_str(name));
  return value && value->kind == VALUE_STRING ? value->text : SLICE_NONE;
}

static bool tag_edits(struct entry *entry, const struct value *old, const struct value *new)
{
  const struct value *was = value_get(old, SLICE("tags")), *is = value_get(new, SLICE("tags"));
  const struct value *a = was ? was->first : NULL, *b = is ? is->first : NULL;
  while (a || b) {
    int order = !a ? 1 : !b ? -1 : slice_order(a->key, b->key);
    const struct value *from = order <= 0 ? a : NULL, *to = order >= 0 ? b : NULL;
    if (from) a = a->next;
    if (to) b = b->next;
    if (from && to && slice_eq(from->text, to->text)) continue;
    if (!diff_edit(entry->diff, "tag", entry->want->name, (from ? from : to)->key,
                   from ? from->text : SLICE_NONE, to ? to->text : SLICE_NONE))
      return false;
  }
  return true;
}

static bool card_edits(struct entry *entry, struct slice card, struct slice next)
{
  static const char *const members[] = {"description", "hold", "pin"};
  struct diff *diff = entry->diff;
  struct value old = VALUE_OF_NULL, new = VALUE_OF_NULL;
  if ((card.len && value_read(card, VALUE_SORTED, &diff->scratch, &old, diff->err)) ||
      (next.len && value_read(next, VALUE_SORTED, &diff->scratch, &new, diff->err)))
    return false;
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    struct slice from = text_said(&old, members[i]), to = text_said(&new, members[i]);
    if (slice_eq(from, to)) continue;
    if (!diff_edit(diff, members[i], entry->want->name, SLICE_NONE, from, to)) return false;
  }
  return tag_edits(entry, &old, &new);
}

static bool card_next(struct entry *entry, struct slice card, struct slice *next,
                      struct card_said *said)
{
  struct diff *diff = entry->diff;
  bool afresh = diff->state->prune && entry->want->says_tags && card.len;
  if (afresh && card_patch(card, SLICE("{\"tags\":null}"), CARD_OF_MODEL, &diff->scratch, &card,
                           said, diff->err))
    return false;
  return card_patch(card, entry->want->card, CARD_OF_MODEL, &diff->scratch, next, said,
                    diff->err) == OK;
}

static bool card_diff(struct entry *entry)
{
  struct diff *diff = entry->diff;
  struct slice card = entry->model ? blob_lend(entry->model->card) : SLICE_NONE, next;
  struct card_said said;
  struct facts facts;
  if (!entry->want->card.len) return true;
  arena_reset(&diff->scratch);
  if (!card_next(entry, card, &next, &said)) return wrong_inside(entry);
  if (slice_eq(card, next)) return true;
  if (!card_edits(entry, card, next)) return false;
  struct event *event = diff_event(diff, EVENT_MODEL_SET, entry->want->name);
  if (!event || !diff_keep(diff, &next) || !diff_keep(diff, &said.hold) ||
      !diff_keep(diff, &said.pin))
    return false;
  facts_init(&facts, diff->arena);
  facts_add(&facts, "card", next);
  facts_add(&facts, "hold", said.hold);
  facts_add(&facts, "patch", entry->want->card);
  facts_add(&facts, "pin", said.pin);
  return facts_give(&facts, event) ? true : diff_full(diff);
}

/* --- limits ----------------------------------------------------------------------------------- */

static bool quotas_diff(struct entry *entry)
{
  struct diff *diff = entry->diff;
  const struct state_model *want = entry->want;
  const struct quotas *said = entry->model ? entry->model->quotas : NULL;
  struct quotas next = said ? *said : (struct quotas){{0}};
  struct stock_more more = {.versions = entry->pushed};
  struct slice fact = SLICE_NONE;
  if (want->says_quotas &&
      !diff_quotas(diff, said, QUOTA_MODEL, want->quotas, want->name, &next, &fact)) {
    fail_under(diff->err, "quotas");
    return wrong_inside(entry);
  }
  for (uint32_t i = 0; entry->pushed && i < want->n_files; i++) more.bytes += want->files[i].bytes;
  if (entry->pushed && quota_model_stock(&next, entry->model, want->name, more, diff->err))
    return wrong(entry, "quotas", slice_str(diff->err->limit.name));
  if (!fact.len) return true;
  struct event *event = diff_event(diff, EVENT_MODEL_SET, want->name);
  return event && diff_fact(diff, event, "quotas", fact);
}

/* --- aliases ---------------------------------------------------------------------------------- */

static const struct state_alias *alias_wanted(const struct state_model *want, struct slice name)
{
  for (uint32_t i = 0; i < want->n_aliases; i++)
    if (slice_eq(want->aliases[i].name, name)) return &want->aliases[i];
  return NULL;
}

static bool aliases_prune(struct entry *entry, uint32_t *left)
{
  struct diff *diff = entry->diff;
  const struct catalog_model *model = entry->model;
  char number[TEXT_NUMBER_MAX];
  *left = model ? model->n_aliases : 0;
  for (uint32_t i = 0; diff->state->prune && model && i < model->n_aliases; i++) {
    const struct catalog_alias *alias = &model->aliases[i];
    if (alias_wanted(entry->want, alias->name)) continue;
    struct event *event = NULL;
    if (diff_edit(diff, "alias", entry->want->name, alias->name,
                  number_text(alias->version, number), SLICE_NONE))
      event = diff_event(diff, EVENT_ALIAS_REMOVED, entry->want->name);
    if (!event || !diff_fact(diff, event, "alias", alias->name)) return false;
    event->version = alias->version;
    --*left;
  }
  return true;
}

static bool alias_version(struct entry *entry, const struct state_alias *want, uint32_t *version)
{
  struct err *err = entry->diff->err;
  *version = want->version ? want->version : entry->version;
  bool there = *version && ((entry->pushed && *version == entry->version) ||
                            (entry->model && catalog_version(entry->model, *version)));
  if (there) return true;
  if (!*version)
    fail(err, E_INVALID_ARGUMENT,
         "alias '%.*s' says no version, and its model's entry means none: name a number, or give "
         "the model a path, a digest or a version",
         SLICE_ARG(want->name));
  else
    fail(err, E_VERSION_NOT_FOUND, "model '%.*s' has no version %u", SLICE_ARG(entry->want->name),
         *version);
  return wrong(entry, "aliases", want->name);
}

static bool alias_diff(struct entry *entry, const struct state_alias *want, uint32_t *left)
{
  struct diff *diff = entry->diff;
  const struct catalog_alias *alias = entry->model ? catalog_alias(entry->model, want->name) : NULL;
  char from[TEXT_NUMBER_MAX], to[TEXT_NUMBER_MAX];
  uint32_t version;
  if (alias_name_check(want->name, diff->err)) return wrong(entry, "aliases", want->name);
  if (!alias_version(entry, want, &version)) return false;
  if (alias && alias->version == version) return true;
  if (!alias && ++*left > ALIASES_MAX) {
    fail(diff->err, E_LIMIT_EXCEEDED, "model '%.*s' would have more than %d aliases",
         SLICE_ARG(entry->want->name), ALIASES_MAX);
    return wrong(entry, "aliases", want->name);
  }
  if (!diff_edit(diff, "alias", entry->want->name, want->name,
                 number_text(alias ? alias->version : 0, from), number_text(version, to)))
    return false;
  struct event *event = diff_event(diff, EVENT_ALIAS_SET, entry->want->name);
  if (!event || !diff_fact(diff, event, "alias", want->name)) return false;
  event->version = version;
  return true;
}

static bool aliases_diff(struct entry *entry)
{
  const struct state_model *want = entry->want;
  uint32_t left;
  if (!want->says_aliases) return true;
  if (!aliases_prune(entry, &left)) return false;
  for (uint32_t i = 0; i < want->n_aliases; i++)
    if (!alias_diff(entry, &want->aliases[i], &left)) return false;
  return true;
}

/* --- what serves ------------------------------------------------------------------------------ */

/* It serves, or is on its way by a release or a promised switch: that is respected. */
static bool is_under_way(const struct entry *entry)
{
  const struct catalog_model *model = entry->model;
  if (entry->pushed || !model) return false;
  if (model->serving == entry->version || model->asked == entry->version) return true;
  return release_is_on(model) && release_has(model->release, entry->version);
}

/* Whoever declares a version again that a release, or a person in it, has taken back says nothing
 * new: it would be tried and taken back for ever. */
static bool was_taken_back(const struct entry *entry)
{
  const struct catalog_model *model = entry->model;
  const struct catalog_release *release = model ? model->release : NULL;
  if (entry->pushed || !release || release->rehearse.len || release_is_on(model) ||
      !release_has(release, entry->version) ||
      (release->rollout.state != ROLLOUT_ROLLED_BACK && release->rollout.state != ROLLOUT_ABORTED))
    return false;
  fail(entry->diff->err, E_ROLLED_BACK,
       "release %u of model '%.*s' took version %u back; declare another version, or deploy it by "
       "hand",
       release->number, SLICE_ARG(model->name), entry->version);
  return true;
}

static bool deploy_is_free(const struct entry *entry)
{
  const struct diff *diff = entry->diff;
  const struct catalog_model *model = entry->model;
  const struct catalog_model nobody = {.name = entry->want->name,
                                       .tenant = (struct catalog_tenant *)diff->tenant};
  struct letter_command deploy = {.kind = COMMAND_DEPLOY};
  deploy.event.version = entry->version;
  deploy.event.wall_ms = diff->command->event.wall_ms;
  if (deploy_frozen(diff->catalog, model ? model : &nobody, &deploy, diff->err)) return false;
  if (!model) return true;
  if (version_may_run(model, entry->version, diff->err)) return false;
  if (release_is_on(model) && model->release->rollout.state != ROLLOUT_COMPLETED) {
    fail(diff->err, E_CONFLICT,
         "release %u of model '%.*s' is running; wait for it, or end it with 'slipway abort'",
         model->release->number, SLICE_ARG(model->name));
    return false;
  }
  if (!model->asked) return true;
  fail(diff->err, E_CONFLICT, "version %u of model '%.*s' is being deployed; wait for it",
       model->asked, SLICE_ARG(model->name));
  return false;
}

static bool deploy_diff(struct entry *entry)
{
  struct diff *diff = entry->diff;
  const struct state_model *want = entry->want;
  bool now = want->deploy == STATE_DEPLOY_NOW;
  char from[TEXT_NUMBER_MAX], to[TEXT_NUMBER_MAX];
  if (want->deploy == STATE_DEPLOY_NONE || !entry->version || is_under_way(entry)) return true;
  if (was_taken_back(entry) || !deploy_is_free(entry)) return wrong(entry, "deploy", SLICE_NONE);
  if (!diff_edit(diff, now ? "deploy" : "release", want->name, SLICE_NONE,
                 number_text(entry->model ? entry->model->serving : 0, from),
                 number_text(entry->version, to)))
    return false;
  if (!now) return true;
  struct event *event = diff_event(diff, EVENT_DEPLOY_ASKED, want->name);
  if (!event) return false;
  event->version = entry->version;
  return true;
}

/* --- all -------------------------------------------------------------------------------------- */

bool diff_model(struct diff *diff, const struct state_model *want)
{
  struct entry entry = {.diff = diff, .want = want};
  return model_made(&entry) && version_diff(&entry) && card_diff(&entry) && quotas_diff(&entry) &&
         aliases_diff(&entry) && deploy_diff(&entry);
}

bool diff_model_removed(struct diff *diff, struct catalog_model *model)
{
  struct state_model want = {.name = model->name};
  struct entry entry = {.diff = diff, .want = &want, .model = model, .was = model};
  if (registry_model_needed(model, diff->err)) return wrong(&entry, "", SLICE_NONE);
  diff->gone.models++;
  diff->gone.versions += model->n_live;
  for (uint32_t i = 0; i < model->n_versions; i++)
    if (!model->versions[i].removed) diff->gone.bytes += model->versions[i].bytes;
  return diff_edit(diff, "model", model->name, SLICE_NONE, SLICE("there"), SLICE_NONE) &&
         diff_event(diff, EVENT_MODEL_REMOVED, model->name);
}
