/* notice_test.c - what control writes to webhooks, letter by letter; and the first key of a ledger.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <jansson.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/catalog.h"
#include "control/control.h"
#include "control/notify.h"

static struct mailbox scribe, notifier;
static struct post post;
static struct control *control;
static struct mail *waiting;

static void begin(const struct slice *urls, uint32_t n)
{
  log_level_set(LOG_ERROR);
  mailbox_init(&scribe, NULL, NULL);
  mailbox_init(&notifier, NULL, NULL);
  post = (struct post){.scribe = &scribe, .notifier = &notifier};
  struct control_opts opts = {.objects_fd = -1, .webhooks = urls, .n_webhooks = n};
  control = control_new(&opts, &post);
  waiting = NULL;
}

/* Told as what was written. */
static void say(const struct notice *notice)
{
  struct notes *notes = notes_new();
  notes_add(notes, control, notice);
  notes_send(control, notes);
  notes_free(notes);
}

/* The next letter's body as a tree, its URL, and the letter home. NULL: there is none. */
static json_t *next(char url[256])
{
  if (!waiting) waiting = mailbox_take(&notifier);
  if (!waiting) return NULL;
  struct letter_notify *letter = LETTER_OF(waiting, struct letter_notify);
  waiting = waiting->next;
  json_t *tree = json_loadb(letter->body.at, letter->body.len, JSON_REJECT_DUPLICATES, NULL);
  EXPECT(tree != NULL);
  EXPECT(slice_to_str(letter->url, url, 256));
  letter->mail.kind = LETTER_NOTIFY_HOME;
  mail_send(control_mailbox(control), &letter->mail);
  return tree;
}

static const char *text_at(const json_t *tree, const char *a, const char *b)
{
  tree = json_object_get(tree, a);
  if (b) tree = json_object_get(tree, b);
  return json_is_string(tree) ? json_string_value(tree) : NULL;
}

static void end(void)
{
  control_turn(control, 1000, 1000);
  for (struct mail *mail = mailbox_take(&scribe), *after; mail; mail = after) { /* owed no more */
    after = mail->next;
    if (mail->kind != LETTER_TOLD) continue;
    mail->kind = LETTER_TOLD_HOME;
    mail_send(control_mailbox(control), mail);
  }
  control_turn(control, 1000, 1000);
  control_free(control);
}

TEST(a_notice_goes_to_each_url_whole_and_whatever_it_quotes)
{
  static const struct slice urls[] = {SLICE("https://a.example/x"), SLICE("https://b.example/y")};
  char url[256];
  begin(urls, 2);
  struct notice notice = {.tenant = SLICE("default"),
                          .model = SLICE("m"),
                          .version = 3,
                          .release = 7,
                          .step = 0,
                          .state = "rolled_back",
                          .why = "gate",
                          .actor = SLICE("slipway"),
                          .person = SLICE("a\"nn\n"),
                          .sentence = SLICE("errors 4.1x \"stable's\"\x01\xff"),
                          .evidence = SLICE("{\"gates\":[{\"gate\":\"errors\"}]}"),
                          .bad = true,
                          .urls = {SLICE("https://c.example/z")},
                          .n_urls = 1};
  say(&notice);
  static const char *const want[] = {"https://a.example/x", "https://b.example/y",
                                     "https://c.example/z"};
  for (int i = 0; i < 3; i++) {
    json_t *tree = next(url);
    EXPECT_STR(url, want[i]);
    EXPECT_STR(text_at(tree, "type", NULL), "release.rolled_back");
    EXPECT_STR(text_at(tree, "data", "person"), "a\"nn\n");
    EXPECT_STR(text_at(tree, "data", "why"), "gate");
    EXPECT_INT(json_integer_value(json_object_get(json_object_get(tree, "data"), "step")), 0);
    EXPECT(json_is_integer(json_object_get(json_object_get(tree, "data"), "step")));
    EXPECT(strncmp(text_at(tree, "text", NULL), "default/m: version 3 rolled_back (gate) by ", 42) ==
           0);
    EXPECT(json_is_array(
        json_object_get(json_object_get(json_object_get(tree, "data"), "evidence"), "gates")));
    EXPECT(!json_object_get(tree, "routing_key"));
    json_decref(tree);
  }
  EXPECT(!next(url));
  end();
}

TEST(a_pager_is_sent_what_is_bad_or_over_and_its_key_apart_from_the_url)
{
  static const struct slice urls[] = {SLICE("https://p.example/v2/enqueue#K3Y")};
  char url[256];
  begin(urls, 1);
  struct notice notice = {.tenant = SLICE("t"), .model = SLICE("m"), .version = 2, .release = 4,
                          .state = "running", .why = "passed"};
  say(&notice);
  EXPECT(!next(url)); /* neither */
  notice.bad = true;
  notice.state = "rolled_back";
  say(&notice);
  json_t *tree = next(url);
  EXPECT_STR(url, "https://p.example/v2/enqueue");
  EXPECT_STR(text_at(tree, "routing_key", NULL), "K3Y");
  EXPECT_STR(text_at(tree, "event_action", NULL), "trigger");
  EXPECT_STR(text_at(tree, "dedup_key", NULL), "slipway/t/m/4");
  EXPECT_STR(text_at(tree, "payload", "severity"), "error");
  EXPECT_STR(text_at(tree, "payload", "summary"), "t/m: version 2 rolled_back (passed)");
  json_decref(tree);
  notice.bad = false, notice.over = true;
  notice.state = "completed";
  say(&notice);
  tree = next(url);
  EXPECT_STR(text_at(tree, "event_action", NULL), "resolve");
  EXPECT_STR(text_at(tree, "dedup_key", NULL), "slipway/t/m/4");
  json_decref(tree);
  end();
}

TEST(evidence_too_large_for_a_message_is_left_out_and_the_rest_is_told)
{
  static const struct slice urls[] = {SLICE("https://a.example/x")};
  char url[256], *large = grab(400000);
  begin(urls, 1);
  memset(large, ' ', 400000);
  large[0] = '{', large[399999] = '}';
  struct notice notice = {.tenant = SLICE("t"), .model = SLICE("m"), .state = "failed",
                          .sentence = SLICE("why"), .evidence = slice_of(large, 400000)};
  say(&notice);
  json_t *tree = next(url);
  EXPECT(json_is_null(json_object_get(json_object_get(tree, "data"), "evidence")));
  EXPECT(json_is_null(json_object_get(json_object_get(tree, "data"), "release")));
  EXPECT_STR(text_at(tree, "data", "sentence"), "why");
  json_decref(tree);
  ungrab(large);
  end();
}

TEST(notices_that_nobody_takes_have_a_limit)
{
  static const struct slice urls[] = {SLICE("https://a.example/x")};
  char url[256];
  uint32_t n = 0;
  begin(urls, 1);
  struct notice notice = {.tenant = SLICE("t"), .model = SLICE("m"), .state = "deployed"};
  log_level_set(LOG_ERROR);
  for (int i = 0; i < NOTICES_OUT_MAX + 10; i++) say(&notice);
  for (json_t *tree; (tree = next(url)); n++) json_decref(tree);
  EXPECT_INT(n, NOTICES_OUT_MAX);
  end();
}

/* --- the first key ---------------------------------------------------------------------------- */

static const struct event_fact facts[] = {
    {SLICE("expires_ms"), SLICE("0")},
    {SLICE("hash"), SLICE("d7c4b743081e6ccdf263598ab3a94f5df38c9f2aec014973c0806819d7762f26")},
    {SLICE("key"), SLICE("0123456789ab")},
    {SLICE("person"), SLICE("admin")},
    {SLICE("role"), SLICE("operator")}};
static const struct event first_key = {.kind = EVENT_KEY_ADDED, .actor = SLICE("slipway"),
                                       .tenant = SLICE("default"), .facts = facts, .n_facts = 5};

static struct letter_append *append_take(void)
{
  struct mail *mail = mailbox_take(&scribe);
  return mail ? LETTER_OF(mail, struct letter_append) : NULL;
}

static void append_home(struct letter_append *letter, uint64_t seq, bool written)
{
  letter->err = (struct err){.code = written ? OK : E_STORAGE_FULL};
  for (uint32_t i = 0; i < letter->n_events; i++) letter->events[i].seq = seq + i;
  letter->mail.kind = LETTER_APPEND_HOME;
  mail_send(control_mailbox(control), &letter->mail);
}

TEST(a_new_ledger_gets_tenant_and_key_in_one_and_tries_again_until_it_has_them)
{
  begin(NULL, 0);
  EXPECT_INT(control_keys(control), 0);
  control_first_key(control, &first_key);
  control_turn(control, 1000, 1000);
  struct letter_append *letter = append_take();
  EXPECT(letter && letter->n_events == 2);
  EXPECT_INT(letter->events[0].kind, EVENT_TENANT_CREATED);
  EXPECT_INT(letter->events[1].kind, EVENT_KEY_ADDED);
  append_home(letter, 1, false);
  control_turn(control, 2000, 1000);
  EXPECT(!append_take());
  control_turn(control, 3000000, 1000); /* with the next pulse */
  letter = append_take();
  EXPECT(letter && letter->n_events == 2);
  append_home(letter, 1, true);
  control_turn(control, 3001000, 1000);
  EXPECT_INT(control_keys(control), 1);
  EXPECT_INT(control_catalog(control)->tenants[0]->keyring.n_live, 1);
  control_free(control);
}

TEST(a_ledger_from_before_there_were_keys_gets_one)
{
  struct err err;
  begin(NULL, 0);
  struct event tenant = {.kind = EVENT_TENANT_CREATED, .seq = 1, .tenant = SLICE("default")};
  EXPECT_INT(control_apply(control, &tenant, &err), OK);
  control_first_key(control, &first_key);
  control_turn(control, 1000, 1000);
  struct letter_append *letter = append_take();
  EXPECT(letter && letter->n_events == 1);
  EXPECT_INT(letter->events[0].kind, EVENT_KEY_ADDED);
  append_home(letter, 2, true);
  control_turn(control, 2000, 1000);
  EXPECT_INT(control_keys(control), 1);
  control_free(control);
}
