/* api_fixture.h - a desk between a fake loop, a fake control and a fake store, for tests of api.
 * The test's own thread plays loop and control: it sends asks, takes commands, sends them home.
 * SPDX-License-Identifier: MIT */
#ifndef API_FIXTURE_H
#define API_FIXTURE_H

#include <jansson.h>

#include "api/desk.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/artifact.h"
#include "store/held.h"
#include "store/history.h"
#include "test.h"

enum { FX_WAIT_US = 5000000, FX_DIGITS_SLOT = 1, FX_SLOTS = 3 };

/* ---- a fake store: one stage at a time, one object known */

struct stage {
  struct sha256 sha;
  uint64_t bytes, bytes_max;
};
static int fx_stages_open;
static struct digest fx_known;
static uint64_t fx_known_bytes;
static enum code fx_stage_fails; /* OK, or what stage_add says */

enum code stage_new(struct stage **stage, const struct datadir *dir, uint64_t bytes_max,
                    struct err *err)
{
  (void)dir, (void)err;
  *stage = grab_zero(1, sizeof **stage);
  (*stage)->bytes_max = bytes_max ? bytes_max : ARTIFACT_BYTES_MAX;
  sha256_init(&(*stage)->sha);
  fx_stages_open++;
  return OK;
}

enum code stage_add(struct stage *stage, struct slice bytes, struct err *err)
{
  if (fx_stage_fails) return fail(err, fx_stage_fails, "the disk is full");
  sha256_add(&stage->sha, bytes);
  stage->bytes += bytes.len;
  return OK;
}

enum code stage_commit(struct stage *stage, struct digest *digest, uint64_t *bytes, struct err *err)
{
  (void)err;
  *digest = fx_known = sha256_end(&stage->sha);
  *bytes = fx_known_bytes = stage->bytes;
  ungrab(stage);
  fx_stages_open--;
  return OK;
}

void stage_abort(struct stage *stage)
{
  if (!stage) return;
  sha256_deinit(&stage->sha);
  ungrab(stage);
  fx_stages_open--;
}

enum code artifact_size(const struct datadir *dir, const struct digest *digest, uint64_t *bytes,
                        struct err *err)
{
  (void)dir;
  if (memcmp(digest, &fx_known, sizeof *digest) != 0) return fail(err, E_NOT_FOUND, "no object");
  *bytes = fx_known_bytes;
  return OK;
}

/* Versions here have no files. */
struct ask;
bool way_back_holds(struct ask *ask, const struct version *stable);
bool way_back_holds(struct ask *ask, const struct version *stable)
{
  (void)ask, (void)stable;
  return true;
}

enum code held_add(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                   struct slice key, struct meter *meter, struct err *err)
{
  (void)dir, (void)tenant, (void)digest, (void)key, (void)meter, (void)err;
  return OK;
}

enum code held_key(const struct datadir *dir, struct slice tenant, struct slice key,
                   const struct digest *digest, struct meter *meter, struct err *err)
{
  return held_add(dir, tenant, digest, key, meter, err);
}

enum code held_wait(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                    uint64_t bytes, struct meter *meter, struct err *err)
{
  (void)dir, (void)tenant, (void)digest, (void)bytes, (void)meter, (void)err;
  return OK;
}

bool held_waits(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                uint64_t bytes)
{
  (void)dir, (void)tenant, (void)digest, (void)bytes;
  return false;
}

void held_named(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                uint64_t bytes, struct meter *meter)
{
  (void)dir, (void)tenant, (void)digest, (void)bytes, (void)meter;
}

enum code held_look(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                    uint64_t *bytes, struct err *err)
{
  (void)tenant;
  return artifact_size(dir, digest, bytes, err);
}

enum code held_find(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                    uint64_t *bytes, struct err *err)
{
  (void)tenant;
  return artifact_size(dir, digest, bytes, err);
}

/* Only linked: uploads that resume are tested through a daemon (test/path/registry_test.py). */
int tenant_folder_open(int dir_fd, struct slice tenant, bool make)
{
  (void)dir_fd, (void)tenant, (void)make;
  return -1;
}

enum code history_open(struct history **history, const struct datadir *dir, struct err *err)
{
  (void)dir, (void)err;
  *history = (struct history *)(void *)&fx_known;
  return OK;
}

void history_close(struct history *history) { (void)history; }

/* A ledger of the test's own, ascending by seq; NULL: events 1..3 of the model asked for. */
static const struct event *fx_events;
static uint32_t fx_n_events;

static inline enum code fx_events_read(struct slice model, uint64_t before, uint32_t limit,
                                       history_fn fn, void *arg, struct err *err)
{
  struct digest hash = {{0}};
  for (uint32_t i = fx_n_events; i-- > 0 && limit > 0;) {
    const struct event *event = &fx_events[i];
    if (before && event->seq >= before) continue;
    if (model.len && !slice_eq(model, event->model)) continue;
    if (fn(arg, event, &hash, err)) return err->code;
    limit--;
  }
  return OK;
}

enum code history_read(struct history *history, const struct history_range *range, history_fn fn,
                       void *arg, struct err *err)
{
  (void)history;
  uint32_t limit = range->limit;
  if (fx_events) return fx_events_read(range->model, range->before, limit, fn, arg, err);
  struct digest hash = {{0}};
  struct event_file file = {.name = SLICE("model.onnx"), .bytes = 7};
  for (uint64_t seq = 3; seq >= 1 && limit > 0; seq--) {
    if (range->before && seq >= range->before) continue;
    struct event event = {.seq = seq,
                          .wall_ms = 1700000000000,
                          .actor = SLICE("anonymous"),
                          .tenant = range->tenant,
                          .model = range->model,
                          .version = 1};
    event.kind = seq == 1   ? EVENT_MODEL_CREATED
                 : seq == 2 ? EVENT_VERSION_PUSHED
                            : EVENT_VERSION_DEPLOYED;
    if (seq == 2) event.files = &file, event.n_files = 1, event.note = SLICE("first");
    if (fn(arg, &event, &hash, err)) return err->code;
    limit--;
  }
  return OK;
}

enum code history_flags(struct history *history, const struct history_range *range, history_fn fn,
                        void *arg, struct err *err)
{
  (void)history;
  struct digest hash = {{0}};
  struct event event = {.seq = 1, .kind = EVENT_FLAGS_SET, .tenant = range->tenant};
  return fn(arg, &event, &hash, err);
}

enum code history_releases(struct history *history, const struct history_range *range,
                           history_fn fn, void *arg, struct err *err)
{
  (void)history;
  return fx_events_read(SLICE_NONE, range->before, range->limit, fn, arg, err);
}

enum code history_proofs(struct history *history, struct slice tenant, uint64_t from_seq,
                         uint32_t limit, int64_t deadline_us, history_proof_fn fn, void *arg,
                         struct err *err)
{
  (void)history, (void)tenant, (void)from_seq, (void)limit, (void)deadline_us, (void)fn, (void)arg;
  return fail(err, E_NOT_FOUND, "this ledger proves nothing");
}

enum code history_pruned(struct history *history, const struct journal_row *of, int64_t *wall_ms,
                         struct err *err)
{
  (void)history, (void)of, (void)err;
  *wall_ms = 0;
  return OK;
}

/* Three looks of any release that is asked for: the bytes are 0a, then the number. */
enum code history_looks(struct history *history, const struct journal_row *of, uint32_t limit,
                        int64_t deadline_us, journal_fn fn, void *arg, struct err *err)
{
  (void)history, (void)deadline_us;
  for (uint64_t look = of->look; look < 3 && limit > 0; look++, limit--) {
    const char bytes[2] = {10, (char)look};
    struct journal_row row = *of;
    row.look = look;
    row.bytes = slice_of(bytes, 2);
    if (fn(arg, &row, err)) return err->code;
  }
  return OK;
}

/* ---- a world: digits (1 stored, 2 serves, 3 refused), wine (serves), broken (refused) */

static const struct slice fx_labels[] = {SLICE("zero"), SLICE("one")};
static const struct tensor_spec fx_digits_in[] = {
    {.name = SLICE("x"), .dtype = DT_FP32, .shape = {2, {-1, 64}}}};
static const struct tensor_spec fx_digits_out[] = {
    {.name = SLICE("label"), .dtype = DT_INT64, .shape = {1, {-1}}},
    {.name = SLICE("p"),
     .dtype = DT_FP32,
     .shape = {2, {-1, 2}},
     .labels = fx_labels,
     .n_labels = 2}};

static const struct model *fx_models(void)
{
  static const struct tensor_spec wine_in[] = {
      {.name = SLICE("text"), .dtype = DT_BYTES, .shape = {1, {3}}},
      {.name = SLICE("hint"), .dtype = DT_BF16, .rank_free = true, .optional = true}};
  static struct seat seats[2];
  static const struct version digits[] = {
      {.number = 1, .slot = 0, .engine = SLICE("onnx"), .bytes = 10},
      {.number = 2,
       .slot = FX_DIGITS_SLOT,
       .state = VERSION_READY,
       .engine = SLICE("onnx"),
       .platform = SLICE("onnxruntime_onnx"),
       .note = SLICE("better"),
       .bytes = 20,
       .pushed_ms = 1700000000000,
       .seats = seats,
       .n_seats = 2,
       .memory_bytes = 4096,
       .load_us = 1500000,
       .run_ns = 2300,
       .deadline_us = 500000,
       .contract = {.inputs = fx_digits_in,
                    .n_inputs = 1,
                    .outputs = fx_digits_out,
                    .n_outputs = 2,
                    .batches = true}},
      {.number = 3,
       .slot = SLOT_NONE,
       .state = VERSION_FAILED,
       .engine = SLICE("onnx"),
       .reason = SLICE("golden example 2 differs")}};
  static const struct version wine[] = {
      {.number = 1,
       .slot = 2,
       .state = VERSION_READY,
       .engine = SLICE("echo"),
       .platform = SLICE("echo"),
       .seats = seats,
       .n_seats = 1,
       .contract = {.inputs = wine_in, .n_inputs = 2, .outputs = wine_in, .n_outputs = 1}}};
  static const struct version broken[] = {
      {.number = 1, .slot = SLOT_NONE, .state = VERSION_FAILED, .reason = SLICE("no such op")}};
  static const struct model models[] = {
      {.name = SLICE("broken"), .slot = 0, .planned = broken, .n_versions = 1},
      {.name = SLICE("digits"),
       .slot = 1,
       .planned = digits,
       .n_versions = 3,
       .stable = &digits[1],
       .previous = &digits[0],
       .n_arms = 2,
       .arms = {[ARM_STABLE] = {.version = &digits[1], .weight = WEIGHT_WHOLE}}},
      {.name = SLICE("wine"),
       .slot = 2,
       .planned = wine,
       .n_versions = 1,
       .stable = &wine[0],
       .n_arms = 2,
       .arms = {[ARM_STABLE] = {.version = &wine[0], .weight = WEIGHT_WHOLE}}}};
  return models;
}

static inline struct world *fx_world(uint64_t serial)
{
  const struct tenant tenants[] = {
      {.name = SLICE("default"), .planned = fx_models(), .n_models = 3}};
  struct world_plan plan = {.tenants = tenants, .n_tenants = 1, .n_slots = FX_SLOTS, .ready = true};
  return world_build(&plan, serial);
}

static struct stats fx_stats(void)
{
  struct stats stats = {.wall_ms = 1700000000000,
                        .uptime_us = 5000000,
                        .loops = 2,
                        .worlds_built = 3,
                        .worlds_freed = 2,
                        .world_serial = 1,
                        .tally = tally_new(FX_SLOTS, 0, 0)};
  struct version_tally *slot = tally_slot(stats.tally, FX_DIGITS_SLOT);
  slot->success = (struct span){10, 5000000};
  slot->fail = (struct span){1, 1000};
  slot->queue = (struct span){10, 1000000};
  slot->infer = (struct span){8, 3000000};
  slot->cache_hit = (struct span){2, 4000};
  slot->rows = 64, slot->runs = 4, slot->failed[FAIL_BACKEND] = 1;
  slot->last_wall_ms = 1700000000123;
  slot->batches[0] = (struct batch_tally){.rows = 16, .infer = {4, 3000000}};
  for (uint64_t us = 100; us <= 1000; us += 100) hist_add(&slot->total_us, us);
  stats.tally->requests = 12;
  stats.tally->by_status[2] = 11;
  stats.tally->refused[E_BAD_JSON] = 1;
  return stats;
}

/* ---- the desk and its neighbours */

struct fx {
  struct mailbox control, home;
  struct mailbox *homes[1];
  struct post post;
  struct desk_opts opts;
  struct desk *desk;
  struct thread thread;
  struct letter_world lease;
  struct letter_note stop;
  struct arena arena; /* compiled routes, asks */
  const struct route_table *routes;
};

static inline void fx_start(struct fx *fx)
{
  static const struct limits limits = {
      .rows = {{"calls per loop", 1024, "", 64 << 20, "--calls", "models"},
               {"request head", 10000, "ms", 0, NULL, NULL}},
      .n = 2};
  static const char *const hosts[] = {"models.corp"};
  static struct hmac pepper;
  uint32_t n;
  hmac_init(&pepper, SLICE("pepper"));
  *fx = (struct fx){
      .opts = {.version = "9.9.9", .limits = &limits, .hosts = hosts, .n_hosts = 1,
               .pepper = &pepper}};
  mailbox_init_bell(&fx->control);
  mailbox_init_bell(&fx->home);
  fx->homes[0] = &fx->home;
  fx->post = (struct post){.control = &fx->control, .loops = fx->homes, .n_loops = 1};
  arena_init(&fx->arena, 64 << 20, NULL);
  const struct route *rows = routes_all(&n);
  fx->routes = route_compile(rows, n, &fx->arena);
  fx->desk = desk_new(&fx->opts, &fx->post, 0);
  thread_start(&fx->thread, "desk", THREAD_STACK_PARSER, desk_main, fx->desk);
}

static inline void fx_world_send(struct fx *fx)
{
  fx->lease = (struct letter_world){.mail = {.kind = LETTER_WORLD}, .world = fx_world(1)};
  mail_send(desk_mailbox(fx->desk), &fx->lease.mail);
}

static inline void fx_stop(struct fx *fx)
{
  fx->stop = (struct letter_note){.mail = {.kind = LETTER_STOP}};
  mail_send(desk_mailbox(fx->desk), &fx->stop.mail);
  thread_join(&fx->thread);
  if (fx->lease.world) {
    struct mail *mail = mailbox_take(&fx->control);
    EXPECT(mail == &fx->lease.mail && mail->kind == LETTER_WORLD_HOME);
    world_free((struct world *)(uintptr_t)fx->lease.world);
  }
  desk_free(fx->desk);
  arena_deinit(&fx->arena);
  mailbox_deinit(&fx->control);
  mailbox_deinit(&fx->home);
  EXPECT_INT(fx_stages_open, 0);
}

static inline void fx_begin(struct fx *fx)
{
  fx_start(fx);
  fx_world_send(fx);
}

/* Sends an ask: target is path and query; body may be NULL. */
static inline struct letter_ask *fx_send(struct fx *fx, const char *method, const char *target,
                                         const char *body)
{
  struct letter_ask *ask = arena_zero(&fx->arena, 1, sizeof *ask);
  struct url url;
  struct err err;
  uint32_t allow;
  must(url_parse(slice_str(target), &fx->arena, &url, &err) == OK);
  const struct route *row =
      route_match(fx->routes, http_method_named(slice_str(method)), &url, ask->params, &allow);
  must(row != NULL);
  ask->mail.kind = LETTER_ASK;
  ask->home = &fx->home;
  ask->route = row->id;
  ask->tenant = SLICE("default");
  ask->actor = SLICE("anonymous");
  ask->method = slice_str(method);
  ask->path = url.path;
  ask->query = url.query;
  ask->headers[ASK_HOST] = SLICE("127.0.0.1:8080");
  ask->request_id = SLICE("req-1");
  ask->loopback = true;
  ask->body = slice_str(body);
  ask->upload_bytes = UINT64_MAX;
  return ask;
}

static inline void fx_post(struct fx *fx, struct letter_ask *ask)
{
  mail_send(desk_mailbox(fx->desk), &ask->mail);
}

/* The next letter in a box, alone; NULL (a failure) when none comes. */
static inline struct mail *fx_take(struct mailbox *box)
{
  struct mail *mail = mailbox_wait(box, clock_us() + FX_WAIT_US);
  EXPECT(mail != NULL && mail->next == NULL);
  return mail;
}

static inline struct letter_command *fx_command(struct fx *fx)
{
  struct mail *mail = fx_take(&fx->control);
  must(mail && mail->kind == LETTER_COMMAND);
  return LETTER_OF(mail, struct letter_command);
}

static inline void fx_command_home(struct letter_command *command, enum code code, const char *text)
{
  if (code) fail(&command->err, code, "%s", text);
  command->mail.kind = LETTER_COMMAND_HOME;
  mail_send(command->home, &command->mail);
}

static inline void fx_stats_home(struct fx *fx)
{
  struct mail *mail = fx_take(&fx->control);
  must(mail && mail->kind == LETTER_STATS);
  struct letter_stats *letter = LETTER_OF(mail, struct letter_stats);
  letter->stats = fx_stats();
  letter->mail.kind = LETTER_STATS_HOME;
  mail_send(letter->home, &letter->mail);
}

/* Answers a question for a release; NULL: there is none. */
static inline void fx_release_home(struct fx *fx, const char *json)
{
  struct mail *mail = fx_take(&fx->control);
  must(mail && mail->kind == LETTER_RELEASE);
  struct letter_release *letter = LETTER_OF(mail, struct letter_release);
  if (json)
    letter->json = blob_copy(slice_str(json));
  else
    fail(&letter->err, E_NOT_FOUND, "no release is running");
  letter->mail.kind = LETTER_RELEASE_HOME;
  mail_send(letter->home, &letter->mail);
}

/* Waits for the answer: its status; *text is a NUL-terminated copy in the arena. */
static inline int fx_answer(struct fx *fx, struct letter_ask *ask, const char **text)
{
  struct mail *mail = fx_take(&fx->home);
  must(mail == &ask->mail && mail->kind == LETTER_ASK_HOME && !ask->desk_state);
  *text = arena_copy(&fx->arena, blob_lend(ask->reply.body)).at;
  blob_drop(ask->reply.body);
  return ask->reply.status;
}

/* A whole exchange that needs no control. The tree is the caller's. */
static inline json_t *fx_ask(struct fx *fx, const char *method, const char *target,
                             const char *body, int *status)
{
  const char *text;
  struct letter_ask *ask = fx_send(fx, method, target, body);
  fx_post(fx, ask);
  *status = fx_answer(fx, ask, &text);
  EXPECT_STR(ask->reply.content_type, "application/json");
  json_t *tree = json_loads(text ? text : "", JSON_REJECT_DUPLICATES, NULL);
  EXPECT(tree != NULL);
  return tree;
}

/* The error's code of an exchange, and its status. */
static inline const char *fx_code(struct fx *fx, const char *method, const char *target,
                                  const char *body, int *status)
{
  static char code[64];
  json_t *tree = fx_ask(fx, method, target, body, status);
  const char *text = json_string_value(json_object_get(tree, "code"));
  EXPECT(json_is_string(json_object_get(tree, "error")) || *status < 400);
  snprintf(code, sizeof code, "%s", text ? text : "(none)");
  json_decref(tree);
  return code;
}

#define FX_EXPECT_CODE(fx, method, target, body, want_status, want_code)        \
  do {                                                                          \
    int status_;                                                                \
    EXPECT_STR(fx_code((fx), (method), (target), (body), &status_), want_code); \
    EXPECT_INT(status_, want_status);                                           \
  } while (0)

/* Compares a tree with JSON text. */
static inline void fx_expect_tree(const json_t *got, const char *want)
{
  json_t *tree = json_loads(want, JSON_DECODE_ANY, NULL);
  must(tree != NULL);
  if (!json_equal(got, tree)) {
    char *text = json_dumps(got, JSON_DECODE_ANY | JSON_ENCODE_ANY);
    printf("got  %s\nwant %s\n", text, want);
    ungrab(text);
  }
  EXPECT(json_equal(got, tree));
  json_decref(tree);
}

#endif
