/* state_test.c - declared states: what applying the difference leads to, and what is refused.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "control/state/state.h"

#include "base/blob.h"
#include "base/rand.h"
#include "control/registry/fold.h"
#include "control/release/fold.h"
#include "test.h"

enum { MODELS = 6, ROUNDS = 400, FACTS_MAX = 3 };

static const unsigned char hash_key[16] = {9};
static struct catalog *catalog;
static struct arena arena;
static struct decision decision;
static struct state state;
static struct err err;
static uint64_t chance;

static uint32_t roll(uint32_t n)
{
  chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(chance >> 33) % n;
}

static enum code fold(struct event event)
{
  event.seq = catalog->seq + 1;
  event.wall_ms = 1000 * (int64_t)event.seq;
  return catalog_apply(catalog, &event, &err);
}

static void begin(void)
{
  arena_init(&arena, 256 << 20, NULL);
  catalog = catalog_new(hash_key);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED, .tenant = SLICE("default")}), OK);
}

static void end(void)
{
  arena_deinit(&state.arena);
  catalog_free(catalog);
  arena_deinit(&arena);
}

static struct catalog_tenant *tenant(void) { return catalog_tenant(catalog, SLICE("default")); }

static struct catalog_model *model(const char *name)
{
  return catalog_model(tenant(), slice_str(name));
}

/* --- deciding --------------------------------------------------------------------------------- */

static struct slice whose;

/* Against the catalog as it is; wish's sections as they stand. */
static enum code decide(const struct state *wish, bool apply)
{
  arena_deinit(&state.arena);
  state = *wish;
  arena_init(&state.arena, STATE_ARENA_MAX, NULL);
  state.apply = apply;
  struct letter_command command = {.kind = COMMAND_STATE, .arena = &arena, .state = &state};
  command.event =
      (struct event){.tenant = whose.at ? whose : SLICE("default"), .actor = SLICE("ann")};
  command_decide(catalog, &command, &decision);
  EXPECT(state.decided || decision.err.code);
  EXPECT(apply || decision.kind == DECISION_ANSWER);
  return decision.err.code;
}

/* Decides, and folds everything that came of it: each event has to fit. */
static enum code applied(const struct state *wish)
{
  if (decide(wish, true)) return decision.err.code;
  if (decision.kind != DECISION_APPEND) return OK;
  EXPECT(state.n_edits > 0);
  for (uint32_t i = 0; i < decision.n_events; i++) {
    EXPECT_INT(fold(decision.many[i]), OK);
    if (err.code) printf("event %u of %u: %s\n", i, decision.n_events, err.text);
  }
  return OK;
}

/* --- wishes ----------------------------------------------------------------------------------- */

static struct event_file file_of(uint32_t n)
{
  char text[16];
  snprintf(text, sizeof text, "%u", n);
  return (struct event_file){
      .name = SLICE("model.json"), .bytes = n + 1, .digest = sha256_of(slice_str(text))};
}

static void files_set(struct state_model *want, uint32_t n)
{
  struct event_file *file = arena_zero(&arena, 1, sizeof *file);
  *file = file_of(n);
  struct event event = {.files = file, .n_files = 1};
  want->files = file;
  want->n_files = 1;
  want->digest = event_manifest(&event);
  want->by_digest = want->may_push = true;
}

static const struct state_alias *alias_this(const char *name, uint32_t version)
{
  struct state_alias *alias = arena_zero(&arena, 1, sizeof *alias);
  *alias = (struct state_alias){slice_str(name), version};
  return alias;
}

static struct state one(const struct state_model *want, uint32_t n)
{
  return (struct state){.says_models = true, .models = want, .n_models = n, .may_limit = true};
}

static struct slice picked(const char *const *texts, uint32_t n)
{
  return slice_str(texts[roll(n)]);
}

/* Any of a few cards, limits, aliases, versions; valid all of them. */
static void model_drawn(struct state_model *want, const char *name)
{
  static const char *const cards[] = {"", "{\"description\":\"a\"}",
                                      "{\"description\":\"b\",\"tags\":{\"t\":\"1\"}}",
                                      "{\"tags\":{\"t\":\"2\",\"u\":\"3\"}}", "{\"tags\":{}}",
                                      "{\"pin\":\"needed\",\"tags\":{\"u\":\"4\"}}"};
  static const char *const quotas[] = {"", "requests_per_second=5", "versions=900 rows_burst=4",
                                       "requests_per_second=default"};
  static const char *const names[] = {"best", "champion", "old"};
  *want = (struct state_model){.name = slice_str(name)};
  want->card = picked(cards, 6);
  want->says_tags = strstr(want->card.at, "tags") != NULL;
  want->says_quotas = roll(2);
  if (want->says_quotas) want->quotas = picked(quotas, 4);
  if (roll(3)) files_set(want, roll(4));
  want->deploy = want->by_digest && roll(2) ? STATE_DEPLOY_NOW : STATE_DEPLOY_NONE;
  if (!want->by_digest || !roll(2)) return;
  struct state_alias *aliases = arena_zero(&arena, 3, sizeof *aliases);
  for (uint32_t i = 0; i < 3; i++)
    if (roll(2)) aliases[want->n_aliases++].name = slice_str(names[i]);
  want->aliases = aliases;
  want->says_aliases = true;
}

static struct state state_drawn(void)
{
  static const char *const names[MODELS] = {"a", "b", "c", "D", "e.x", "f"};
  static const char *const flags[] = {
      "{}", "{\"x\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true},\"defaultVariant\":\"on\"}}",
      "{\"x\":{\"state\":\"DISABLED\",\"variants\":{\"on\":1.50},\"defaultVariant\":\"on\"},"
      "\"y\":{\"state\":\"ENABLED\",\"variants\":{\"a\":\"b\"},\"defaultVariant\":\"a\"}}"};
  static const char *const abouts[] = {"", "us", "them"};
  struct state wish = {.may_limit = true, .prune = roll(4) == 0};
  struct state_model *models = arena_zero(&arena, MODELS, sizeof *models);
  for (uint32_t i = 0; i < MODELS; i++)
    if (roll(2)) model_drawn(&models[wish.n_models++], names[i]);
  wish.models = models;
  wish.says_models = wish.n_models > 0;
  wish.says_flags = roll(2);
  if (wish.says_flags) wish.flags = picked(flags, 3);
  wish.says_about = roll(2);
  if (wish.says_about) wish.about = picked(abouts, 3);
  wish.says_quotas = roll(2);
  if (wish.says_quotas) wish.quotas = SLICE("requests_per_second=9 models=50");
  return wish;
}

/* What was promised comes true, as control would have it. */
static void deploys_end(void)
{
  for (uint32_t i = 0; i < tenant()->n_models; i++) {
    const struct catalog_model *of = tenant()->models[i];
    if (!of->asked) continue;
    EXPECT_INT(fold((struct event){.kind = EVENT_VERSION_DEPLOYED,
                                   .tenant = SLICE("default"),
                                   .model = of->name,
                                   .version = of->asked}),
               OK);
  }
}

/* --- tests ------------------------------------------------------------------------------------ */

TEST(what_was_applied_differs_in_nothing)
{
  uint32_t wrote = 0, refused = 0, lines = 0;
  begin();
  chance = 5;
  for (int i = 0; i < ROUNDS; i++) {
    struct state wish = state_drawn();
    uint64_t seq = catalog->seq;
    EXPECT_INT(decide(&wish, false), decide(&wish, true));
    if (applied(&wish)) { /* pruning what serves, only */
      EXPECT(decision.err.code == E_CONFLICT && wish.prune && catalog->seq == seq);
      refused++;
      continue;
    }
    wrote += catalog->seq > seq;
    lines += state.n_edits;
    EXPECT_INT(decide(&wish, true), OK); /* while it loads */
    EXPECT_INT(state.n_edits, 0);
    EXPECT_INT(decision.kind, DECISION_ANSWER);
    deploys_end();
    EXPECT_INT(decide(&wish, true), OK);
    EXPECT_INT(state.n_edits, 0);
  }
  EXPECT(wrote > ROUNDS / 2 && refused > 5 && lines > 2 * ROUNDS);
  end();
}

TEST(a_plan_is_applied_as_it_was_or_not_at_all)
{
  struct state_model want = {.name = SLICE("m"), .card = SLICE("{\"description\":\"d\"}")};
  struct state wish = one(&want, 1);
  begin();
  EXPECT_INT(decide(&wish, false), OK);
  wish.by_plan = true;
  wish.plan = state.digest;
  EXPECT_INT(decide(&wish, true), OK);
  EXPECT_INT(decision.n_events, 2);
  EXPECT_INT(fold((struct event){
                 .kind = EVENT_MODEL_CREATED, .tenant = SLICE("default"), .model = SLICE("other")}),
             OK);
  EXPECT_INT(decide(&wish, true), OK); /* that is another's */
  EXPECT_INT(fold((struct event){
                 .kind = EVENT_MODEL_CREATED, .tenant = SLICE("default"), .model = SLICE("m")}),
             OK);
  EXPECT_INT(decide(&wish, true), E_CONFLICT);
  EXPECT_STR(decision.err.field, "plan");
  end();
}

TEST(nothing_goes_that_is_not_pruned)
{
  static const struct event_fact flags[] = {
      {SLICE("flags"), SLICE("{\"flags\":{\"x\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},"
                             "\"defaultVariant\":\"on\"}}}")}};
  struct state_model want = {.name = SLICE("m"),
                             .card = SLICE("{\"tags\":{\"a\":\"1\",\"b\":\"2\"}}"),
                             .says_tags = true,
                             .quotas = SLICE("versions=4 rows_burst=9"),
                             .says_quotas = true,
                             .says_aliases = true};
  struct state_model models[2] = {want, {.name = SLICE("n")}};
  struct state wish = one(models, 2);
  begin();
  files_set(&models[0], 1);
  models[0].aliases = alias_this("champion", 0);
  models[0].n_aliases = 1;
  EXPECT_INT(applied(&wish), OK);
  EXPECT_INT(fold((struct event){.kind = EVENT_FLAGS_SET,
                                 .tenant = SLICE("default"),
                                 .facts = flags,
                                 .n_facts = 1}),
             OK);
  struct state_model less = {.name = SLICE("m"),
                             .card = SLICE("{\"tags\":{\"a\":\"1\"}}"),
                             .says_tags = true,
                             .quotas = SLICE("versions=4"),
                             .says_quotas = true,
                             .says_aliases = true};
  wish = one(&less, 1);
  wish.says_flags = true;
  wish.flags = SLICE("{}");
  EXPECT_INT(decide(&wish, true), OK);
  EXPECT_INT(state.n_edits, 0);
  wish.prune = true;
  EXPECT_INT(applied(&wish), OK);
  EXPECT_INT(state.n_edits, 5); /* model n, tag b, a limit, the alias, the flag */
  for (uint32_t i = 0; i < state.n_edits; i++) EXPECT_INT(state.edits[i].op, '-');
  EXPECT(!model("n") && model("m")->n_aliases == 0 && !model("m")->quotas->said[QUOTA_rows_burst]);
  EXPECT(slice_eq(blob_lend(model("m")->card), SLICE("{\"tags\":{\"a\":\"1\"}}")));
  EXPECT(slice_eq(tenant()->flags, SLICE("{\"flags\":{}}")));
  wish = (struct state){.prune = true}; /* no section, nothing to prune */
  EXPECT_INT(decide(&wish, true), OK);
  EXPECT_INT(state.n_edits, 0);
  end();
}

static void refused(const struct state *wish, enum code code, const char *field)
{
  uint64_t seq = catalog->seq;
  EXPECT_INT(decide(wish, false), code);
  EXPECT_INT(decide(wish, true), code);
  EXPECT_STR(decision.err.field, field);
  EXPECT(decision.kind == DECISION_ANSWER && catalog->seq == seq);
}

TEST(what_cannot_be_says_where_it_was_declared)
{
  struct state_model want = {.name = SLICE("m"), .version = 3};
  struct state wish = one(&want, 1);
  begin();
  refused(&wish, E_VERSION_NOT_FOUND, "models.m.version");
  want = (struct state_model){.name = SLICE("m"), .by_digest = true};
  refused(&wish, E_VERSION_NOT_FOUND, "models.m.digest");
  want = (struct state_model){.name = SLICE("no/name")};
  refused(&wish, E_BAD_NAME, "models.no/name");
  want = (struct state_model){.name = SLICE("m"),
                              .aliases = alias_this("champion", 7),
                              .n_aliases = 1,
                              .says_aliases = true};
  refused(&wish, E_VERSION_NOT_FOUND, "models.m.aliases.champion");
  want.aliases = alias_this("champion", 0);
  refused(&wish, E_INVALID_ARGUMENT, "models.m.aliases.champion");
  want.aliases = alias_this("3rd", 1);
  refused(&wish, E_BAD_NAME, "models.m.aliases.3rd");
  want = (struct state_model){.name = SLICE("m"), .card = SLICE("{\"tags\":{\"a\":1}}")};
  refused(&wish, E_WRONG_TYPE, "models.m.tags");
  want = (struct state_model){
      .name = SLICE("m"), .says_quotas = true, .quotas = SLICE("models=4")};
  refused(&wish, E_INVALID_ARGUMENT, "models.m.quotas.models");
  EXPECT_INT(fold((struct event){
                 .kind = EVENT_MODEL_CREATED, .tenant = SLICE("default"), .model = SLICE("m")}),
             OK);
  want = (struct state_model){.name = SLICE("M")};
  refused(&wish, E_CONFLICT, "models.M");
  wish = (struct state){.says_flags = true, .flags = SLICE("{\"x\":{\"state\":\"MAYBE\"}}")};
  EXPECT(decide(&wish, true) != OK);
  EXPECT_STR(decision.err.field, "flags.x");
  end();
}

TEST(what_serves_is_not_pruned_and_a_deploy_under_way_is_not_asked_twice)
{
  struct state_model want = {.name = SLICE("m"), .deploy = STATE_DEPLOY_NOW};
  struct state wish = one(&want, 1), nothing = one(NULL, 0);
  begin();
  files_set(&want, 1);
  EXPECT_INT(applied(&wish), OK);
  EXPECT_INT(model("m")->asked, 1);
  nothing.prune = true;
  refused(&nothing, E_CONFLICT, "models.m");
  files_set(&want, 2); /* another version while the first loads */
  refused(&wish, E_CONFLICT, "models.m.deploy");
  deploys_end();
  refused(&nothing, E_CONFLICT, "models.m");
  EXPECT_INT(applied(&wish), OK);
  deploys_end();
  EXPECT_INT(model("m")->serving, 2);
  files_set(&want, 1); /* back to the first: no new version */
  EXPECT_INT(applied(&wish), OK);
  deploys_end();
  EXPECT(model("m")->serving == 1 && model("m")->n_versions == 2);
  end();
}

TEST(limits_hold_for_all_of_it_together)
{
  struct state_model models[3] = {
      {.name = SLICE("a")}, {.name = SLICE("b")}, {.name = SLICE("c")}};
  struct state wish = one(models, 3);
  begin();
  wish.says_quotas = true;
  wish.quotas = SLICE("models=2");
  EXPECT_INT(decide(&wish, true), E_QUOTA_EXCEEDED);
  wish.quotas = SLICE("models=3 versions=2");
  for (uint32_t i = 0; i < 3; i++) files_set(&models[i], i);
  EXPECT_INT(decide(&wish, true), E_QUOTA_EXCEEDED);
  wish.quotas = SLICE("models=3 versions=3 stored_bytes=5");
  EXPECT_INT(decide(&wish, true), E_QUOTA_EXCEEDED);
  wish.quotas = SLICE("models=3 versions=3 stored_bytes=6");
  models[1].says_quotas = true;
  models[1].quotas = SLICE("stored_bytes=1");
  refused(&wish, E_QUOTA_EXCEEDED, "models.b.quotas.stored_bytes");
  models[1].quotas = SLICE("stored_bytes=2");
  wish.may_limit = false;
  EXPECT_INT(decide(&wish, false), OK); /* anybody may look */
  EXPECT_INT(decide(&wish, true), E_DENIED);
  EXPECT_STR(decision.err.field, "quotas");
  wish.may_limit = true;
  EXPECT_INT(applied(&wish), OK);
  struct state_model others[3] = {
      {.name = SLICE("d")}, {.name = SLICE("e")}, {.name = SLICE("f")}};
  struct state another = one(others, 3);
  for (uint32_t i = 0; i < 3; i++) files_set(&others[i], i);
  EXPECT_INT(decide(&another, true), E_QUOTA_EXCEEDED); /* beside the others */
  another.prune = true;                                 /* in their place */
  EXPECT_INT(decide(&another, true), OK);
  files_set(&others[2], 3); /* a byte more than goes */
  EXPECT_INT(decide(&another, true), E_QUOTA_EXCEEDED);
  wish.may_limit = false; /* saying what is so already needs nobody's leave */
  EXPECT_INT(decide(&wish, true), OK);
  EXPECT_INT(state.n_edits, 0);
  end();
}

TEST(a_tenant_is_made_with_everything)
{
  struct state_model want = {.name = SLICE("m"), .deploy = STATE_DEPLOY_NOW};
  struct state wish = one(&want, 1);
  begin();
  files_set(&want, 1);
  whose = SLICE("acme");
  wish.says_about = wish.says_quotas = true;
  wish.about = SLICE("the team");
  wish.quotas = SLICE("models=4");
  EXPECT_INT(applied(&wish), OK);
  struct catalog_tenant *made = catalog_tenant(catalog, SLICE("acme"));
  EXPECT(made && slice_eq(made->about, SLICE("the team")) && made->quotas->said[QUOTA_models] == 4);
  EXPECT(catalog_model(made, SLICE("m"))->asked == 1 && tenant()->n_models == 0);
  EXPECT_INT(decide(&wish, true), OK);
  EXPECT_INT(state.n_edits, 0);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED, .tenant = SLICE("gone")}), OK);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_REMOVED, .tenant = SLICE("gone")}), OK);
  whose = SLICE("gone");
  refused(&wish, E_CONFLICT, "tenant");
  whose = SLICE("No Name");
  refused(&wish, E_BAD_NAME, "tenant");
  whose = SLICE_NONE;
  end();
}

TEST(too_much_is_refused_with_the_limit)
{
  enum { MANY = STATE_EVENTS_MAX + 1 };
  begin();
  struct state_model *models = arena_zero(&arena, MANY, sizeof *models);
  for (uint32_t i = 0; i < MANY; i++)
    models[i].name = slice_str(arena_print(&arena, "m%05u", i));
  struct state wish = one(models, MANY);
  EXPECT_INT(decide(&wish, true), E_LIMIT_EXCEEDED);
  EXPECT(strstr(decision.err.text, "4096 changes in one apply") != NULL);
  wish.n_models = STATE_EVENTS_MAX;
  EXPECT_INT(applied(&wish), OK);
  EXPECT_INT(tenant()->n_models_live, STATE_EVENTS_MAX);
  end();
}
