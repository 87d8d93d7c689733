/* notify_test.c - messages to a receiver that is this test: signed, tried again, refused, slow,
 * gone.
 * Thread: main, the notifier's, the receiver's.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "jobs/notify.h"

#define SECRET "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3" /* 0123456789abcdef01234567 */
#define SECRET_BYTES "0123456789abcdef01234567"

enum { SEEN_MAX = 64, SEEN_BYTES = 8192 };

/* Answers the i-th request with answers[i], the last one from then on; "" says nothing at all. */
struct receiver {
  int fd;
  uint16_t port;
  const char *const *answers;
  _Atomic uint32_t n_seen;
  char seen[SEEN_MAX][SEEN_BYTES];
  int64_t at_us[SEEN_MAX];
  _Atomic bool stop;
  struct thread thread;
};

static void request_read(int fd, char *to)
{
  size_t len = 0, want = SIZE_MAX;
  while (len < want && len < SEEN_BYTES - 1) {
    ssize_t n = read(fd, to + len, SEEN_BYTES - 1 - len);
    if (n <= 0) break;
    len += (size_t)n;
    to[len] = '\0';
    const char *end = strstr(to, "\r\n\r\n"), *field = strstr(to, "Content-Length: ");
    if (end && field) want = (size_t)(end + 4 - to) + strtoul(field + 16, NULL, 10);
  }
}

static void receiver_main(void *arg)
{
  struct receiver *r = arg;
  int held[SEEN_MAX];
  uint32_t n_held = 0;
  while (!atomic_load(&r->stop)) {
    struct pollfd poll_fd = {.fd = r->fd, .events = POLLIN};
    if (poll(&poll_fd, 1, 20) <= 0) continue;
    int fd = accept(r->fd, NULL, NULL);
    uint32_t i = atomic_load(&r->n_seen), k = 0;
    if (fd < 0 || i == SEEN_MAX) continue;
    request_read(fd, r->seen[i]);
    r->at_us[i] = clock_us();
    while (k < i && r->answers[k + 1]) k++;
    size_t len = strlen(r->answers[k]);
    atomic_store(&r->n_seen, i + 1);
    if (len && write(fd, r->answers[k], len) == (ssize_t)len)
      close(fd);
    else
      held[n_held++] = fd;
  }
  while (n_held) close(held[--n_held]);
  close(r->fd);
}

static struct receiver *receiver_new(const char *const *answers)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  struct receiver *r = grab_zero(1, sizeof *r);
  r->answers = answers;
  r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT(bind(r->fd, (struct sockaddr *)&at, len) == 0 && listen(r->fd, 64) == 0);
  EXPECT(getsockname(r->fd, (struct sockaddr *)&at, &len) == 0);
  r->port = ntohs(at.sin_port);
  thread_start(&r->thread, "receiver", THREAD_STACK_ENGINE, receiver_main, r);
  return r;
}

static void receiver_free(struct receiver *r)
{
  atomic_store(&r->stop, true);
  thread_join(&r->thread);
  ungrab(r);
}

/* --- the other end ---------------------------------------------------------------------------- */

static struct notifier *notifier;
static struct thread notifier_thread;
static struct mailbox box;
static struct err err;

static void begin(struct notifier_opts opts)
{
  log_level_set(LOG_ERROR);
  if (!opts.first_us) opts.first_us = 20000;
  mailbox_init_bell(&box);
  notifier = notifier_new(&opts);
  thread_start(&notifier_thread, "notifier", THREAD_STACK_ENGINE, notifier_main, notifier);
}

static int64_t end(void)
{
  static struct letter_note stop;
  int64_t began_us = clock_us();
  stop.mail.kind = LETTER_STOP;
  mail_send(notifier_mailbox(notifier), &stop.mail);
  thread_join(&notifier_thread);
  return clock_us() - began_us;
}

static void gone(void)
{
  notifier_free(notifier);
  mailbox_deinit(&box);
}

static bool of_a_plan;

static void letter_send(struct letter_notify *letter, const char *url, const char *body)
{
  *letter = (struct letter_notify){.mail.kind = LETTER_NOTIFY, .home = &box, .ours = !of_a_plan};
  arena_init(&letter->arena, 1 << 20, NULL);
  static unsigned number;
  letter->id = slice_str(arena_print(&letter->arena, "msg_%032u", number++));
  letter->url = arena_copy(&letter->arena, slice_str(url));
  letter->body = arena_copy(&letter->arena, slice_str(body));
  mail_send(notifier_mailbox(notifier), &letter->mail);
}

static const char *url_of(const struct receiver *r, const char *host)
{
  static char url[128];
  snprintf(url, sizeof url, "http://%s:%u/hook", host, r->port);
  return url;
}

/* The next letter home within seconds; its arena is freed. NULL: none came. */
static struct letter_notify *letter_home(int seconds)
{
  struct mail *mail = mailbox_wait(&box, clock_us() + (int64_t)seconds * 1000000);
  if (!mail) return NULL;
  must(!mail->next && mail->kind == LETTER_NOTIFY_HOME);
  struct letter_notify *letter = LETTER_OF(mail, struct letter_notify);
  arena_deinit(&letter->arena);
  return letter;
}

static enum code one(struct notifier_opts opts, const char *url)
{
  struct letter_notify letter;
  begin(opts);
  letter_send(&letter, url, "{\"a\":1}");
  EXPECT(letter_home(20) == &letter);
  end();
  gone();
  err = letter.err;
  return err.code;
}

static bool field(const char *request, const char *name, char *to, size_t cap)
{
  const char *at = strstr(request, name), *stop = at ? strstr(at, "\r\n") : NULL;
  to[0] = '\0';
  if (!stop) return false;
  at += strlen(name);
  return slice_to_str(slice_of(at, (size_t)(stop - at)), to, cap);
}

#define OK_ANSWER "HTTP/1.1 204 No Content\r\n\r\n"
#define SORRY "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"

TEST(a_message_is_signed_as_the_standard_says)
{
  static const char *const answers[] = {OK_ANSWER, NULL};
  struct notifier_opts opts = {.private_too = true};
  char id[64], at[32], got[128], want[128], text[512];
  EXPECT_INT(notify_secret_read(SLICE(SECRET), &opts, &err), OK);
  struct receiver *r = receiver_new(answers);
  EXPECT_INT(one(opts, url_of(r, "127.0.0.1")), OK);
  EXPECT_INT(r->n_seen, 1);
  const char *seen = r->seen[0];
  EXPECT(strncmp(seen, "POST /hook HTTP/1.1\r\n", 21) == 0);
  EXPECT(strstr(seen, "\r\nContent-Type: application/json\r\n") && strstr(seen, "\r\n\r\n{\"a\":1}"));
  EXPECT(field(seen, "webhook-id: ", id, sizeof id) && strlen(id) == 36);
  EXPECT(field(seen, "webhook-timestamp: ", at, sizeof at));
  EXPECT(llabs(strtoll(at, NULL, 10) - clock_wall_ms() / 1000) <= 5);
  EXPECT(field(seen, "webhook-signature: v1,", got, sizeof got));
  struct hmac hmac;
  hmac_init(&hmac, SLICE(SECRET_BYTES));
  snprintf(text, sizeof text, "%s.%s.{\"a\":1}", id, at);
  struct digest digest = hmac_of(&hmac, slice_str(text));
  EVP_EncodeBlock((unsigned char *)want, digest.at, SHA256_LEN);
  EXPECT_STR(got, want);
  receiver_free(r);
}

TEST(without_a_secret_nothing_is_signed)
{
  static const char *const answers[] = {OK_ANSWER, NULL};
  struct receiver *r = receiver_new(answers);
  EXPECT_INT(one((struct notifier_opts){.private_too = true}, url_of(r, "localhost")), OK);
  EXPECT(!strstr(r->seen[0], "webhook-signature") && strstr(r->seen[0], "webhook-id: msg_"));
  receiver_free(r);
}

TEST(a_failure_is_tried_again_with_the_same_id_and_growing_pauses)
{
  static const char *const answers[] = {SORRY, "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", SORRY,
                                        SORRY, OK_ANSWER, NULL};
  char first[64], id[64];
  struct receiver *r = receiver_new(answers);
  EXPECT_INT(one((struct notifier_opts){.private_too = true}, url_of(r, "127.0.0.1")), OK);
  EXPECT_INT(r->n_seen, 5);
  EXPECT(field(r->seen[0], "webhook-id: ", first, sizeof first));
  for (uint32_t i = 1; i < r->n_seen; i++) {
    EXPECT(field(r->seen[i], "webhook-id: ", id, sizeof id));
    EXPECT_STR(id, first);
    EXPECT(r->at_us[i] - r->at_us[i - 1] >= (10000 << (i - 1))); /* half of 20, 40, 80, 160 ms */
  }
  receiver_free(r);
}

TEST(retry_after_is_waited_for)
{
  static const char *const answers[] = {
      "HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", OK_ANSWER, NULL};
  struct receiver *r = receiver_new(answers);
  EXPECT_INT(one((struct notifier_opts){.private_too = true}, url_of(r, "127.0.0.1")), OK);
  EXPECT_INT(r->n_seen, 2);
  EXPECT(r->at_us[1] - r->at_us[0] >= 1000000);
  receiver_free(r);
}

TEST(a_redirect_is_not_followed)
{
  static const char *const answers[] = {
      "HTTP/1.1 307 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", NULL};
  struct receiver *r = receiver_new(answers);
  EXPECT_INT(one((struct notifier_opts){.private_too = true}, url_of(r, "127.0.0.1")), E_DENIED);
  EXPECT(strstr(err.text, "redirect"));
  EXPECT_INT(r->n_seen, 1);
  receiver_free(r);
}

TEST(who_says_gone_is_believed)
{
  static const char *const answers[] = {"HTTP/1.1 410 X\r\nContent-Length: 0\r\n\r\n", NULL};
  struct receiver *r = receiver_new(answers);
  EXPECT_INT(one((struct notifier_opts){.private_too = true}, url_of(r, "127.0.0.1")), E_NOT_FOUND);
  EXPECT_INT(r->n_seen, 1);
  receiver_free(r);
}

TEST(after_a_while_it_is_given_up)
{
  static const char *const answers[] = {SORRY, NULL};
  struct receiver *r = receiver_new(answers);
  struct notifier_opts opts = {.private_too = true, .first_us = 10000, .most_us = 20000,
                               .all_us = 200000};
  EXPECT_INT(one(opts, url_of(r, "127.0.0.1")), E_UNAVAILABLE);
  EXPECT_STR(err.text, "it answered 500");
  EXPECT(r->n_seen > 5);
  receiver_free(r);
}

TEST(an_endless_answer_is_cut)
{
  static char large[200000];
  static const char *const answers[] = {large, NULL};
  snprintf(large, sizeof large, "HTTP/1.1 200 X\r\nContent-Length: 100000000\r\n\r\n");
  memset(large + strlen(large), 'x', sizeof large - strlen(large) - 1);
  struct receiver *r = receiver_new(answers);
  int64_t began_us = clock_us();
  EXPECT_INT(one((struct notifier_opts){.private_too = true}, url_of(r, "127.0.0.1")), OK);
  EXPECT(clock_us() - began_us < 5000000);
  EXPECT_INT(r->n_seen, 1);
  receiver_free(r);
}

/* --- addresses -------------------------------------------------------------------------------- */

TEST(addresses_that_are_not_public_are_never_connected_to)
{
  static const char *const answers[] = {OK_ANSWER, NULL};
  static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]",
                                      "0.0.0.0", "127.1", "0x7f000001", "2130706433", "017700000001"};
  struct receiver *r = receiver_new(answers);
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    if (one((struct notifier_opts){0}, url_of(r, hosts[i])) != E_DENIED) printf("%s\n", hosts[i]);
    EXPECT_INT(err.code, E_DENIED);
    EXPECT(strstr(err.text, "not public"));
  }
  EXPECT_INT(one((struct notifier_opts){0}, "http://169.254.169.254/latest/meta-data"), E_DENIED);
  EXPECT_INT(one((struct notifier_opts){0}, "http://10.0.0.1:1/"), E_DENIED);
  EXPECT_INT(one((struct notifier_opts){0}, "http://[fe80::1]/"), E_DENIED);
  EXPECT_INT(one((struct notifier_opts){0}, "http://[64:ff9b::a9fe:a9fe]/"), E_DENIED);
  EXPECT_INT(r->n_seen, 0);
  receiver_free(r);
}

/* A name that looks public and is answered with an address that is not: by whatever trick, the
 * address is what counts, at the moment of connecting. */
TEST(a_name_that_is_rebound_leads_nowhere)
{
  static const char *const answers[] = {OK_ANSWER, NULL};
  char resolve[128];
  struct receiver *r = receiver_new(answers);
  snprintf(resolve, sizeof resolve, "hooks.example.com:%u:127.0.0.1", r->port);
  EXPECT_INT(one((struct notifier_opts){.resolve = resolve}, url_of(r, "hooks.example.com")),
             E_DENIED);
  EXPECT_INT(r->n_seen, 0);
  snprintf(resolve, sizeof resolve, "hooks.example.com:%u:::ffff:127.0.0.1", r->port);
  EXPECT_INT(one((struct notifier_opts){.resolve = resolve}, url_of(r, "hooks.example.com")),
             E_DENIED);
  EXPECT_INT(r->n_seen, 0);
  snprintf(resolve, sizeof resolve, "hooks.example.com:%u:127.0.0.1", r->port);
  EXPECT_INT(one((struct notifier_opts){.resolve = resolve, .private_too = true},
                 url_of(r, "hooks.example.com")),
             OK);
  receiver_free(r);
}

TEST(a_plan_may_not_send_to_private_addresses_even_where_the_configuration_may)
{
  static const char *const answers[] = {OK_ANSWER, NULL};
  struct receiver *r = receiver_new(answers);
  of_a_plan = true;
  EXPECT_INT(one((struct notifier_opts){.private_too = true}, url_of(r, "127.0.0.1")), E_DENIED);
  EXPECT_INT(r->n_seen, 0);
  of_a_plan = false;
  EXPECT_INT(one((struct notifier_opts){.private_too = true}, url_of(r, "127.0.0.1")), OK);
  receiver_free(r);
}

TEST(a_proxy_of_the_environment_is_not_asked)
{
  static const char *const answers[] = {OK_ANSWER, NULL};
  char proxy[64];
  struct receiver *r = receiver_new(answers);
  snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", r->port);
  setenv("http_proxy", proxy, 1);
  setenv("ALL_PROXY", proxy, 1);
  EXPECT_INT(one((struct notifier_opts){0}, "http://10.1.1.1/"), E_DENIED);
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
  EXPECT_INT(r->n_seen, 0);
  receiver_free(r);
}

/* --- others ----------------------------------------------------------------------------------- */

/* One receiver says nothing for ever; the other one's messages do not wait for it. */
TEST(a_dead_receiver_holds_up_nobody_else)
{
  enum { N = 20 };
  static const char *const silent[] = {"", NULL}, *const answers[] = {OK_ANSWER, NULL};
  static struct letter_notify to_dead[N], to_good[N];
  struct receiver *dead = receiver_new(silent), *good = receiver_new(answers);
  begin((struct notifier_opts){.private_too = true, .try_us = 5000000});
  int64_t began_us = clock_us();
  for (int i = 0; i < N; i++) letter_send(&to_dead[i], url_of(dead, "127.0.0.1"), "{}");
  for (int i = 0; i < N; i++) letter_send(&to_good[i], url_of(good, "127.0.0.1"), "{}");
  uint32_t home = 0;
  while (home < N && clock_us() - began_us < 4000000) {
    struct mail *mail = mailbox_wait(&box, clock_us() + 100000);
    for (; mail; mail = mail->next) {
      struct letter_notify *letter = LETTER_OF(mail, struct letter_notify);
      EXPECT(letter >= to_good && letter < to_good + N);
      EXPECT_INT(letter->err.code, OK);
      arena_deinit(&letter->arena);
      home++;
    }
  }
  EXPECT_INT(home, N);
  EXPECT(dead->n_seen <= NOTIFY_PER_URL);
  EXPECT(end() < 4000000); /* stopping does not wait for it either */
  struct mail *mail = mailbox_take(&box);
  for (home = 0; mail; mail = mail->next, home++) {
    struct letter_notify *letter = LETTER_OF(mail, struct letter_notify);
    EXPECT_INT(letter->err.code, E_DRAINING);
    arena_deinit(&letter->arena);
  }
  EXPECT_INT(home, N);
  gone();
  receiver_free(dead);
  receiver_free(good);
}

TEST(what_waits_has_a_limit)
{
  enum { N = NOTIFY_URL_WAITING_MAX + 50 };
  static const char *const silent[] = {"", NULL};
  static struct letter_notify letters[N];
  struct receiver *dead = receiver_new(silent);
  begin((struct notifier_opts){.private_too = true});
  for (int i = 0; i < N; i++) letter_send(&letters[i], url_of(dead, "127.0.0.1"), "{}");
  uint32_t over = 0, stopped = 0;
  int64_t until_us = clock_us() + 3000000;
  while (over < 40 && clock_us() < until_us) {
    struct mail *mail = mailbox_wait(&box, until_us);
    for (; mail; mail = mail->next) {
      EXPECT_INT(LETTER_OF(mail, struct letter_notify)->err.code, E_LIMIT_EXCEEDED);
      over++;
    }
  }
  EXPECT(over >= 40 && over <= 50);
  end();
  for (struct mail *mail = mailbox_take(&box); mail; mail = mail->next) stopped++;
  EXPECT_INT(over + stopped, N);
  for (int i = 0; i < N; i++) arena_deinit(&letters[i].arena);
  gone();
  receiver_free(dead);
}

TEST(urls_and_secrets_are_checked_before_anything_is_sent)
{
  static const char *const bad[] = {"", "example.com", "ftp://example.com/", "file:///etc/passwd",
                                    "http://", "http://user@example.com/", "http://u:p@example.com/",
                                    "gopher://x/", "javascript:x", "http://a b/",
                                    "dict://127.0.0.1:11211/"};
  static const char *const good[] = {"http://example.com", "https://example.com:8443/a?b=c#d",
                                     "https://[2606:4700::1111]/x"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (notify_url_check(slice_str(bad[i]), &err) == OK) printf("%s\n", bad[i]);
    EXPECT_INT(notify_url_check(slice_str(bad[i]), &err), E_INVALID_ARGUMENT);
  }
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    EXPECT_INT(notify_url_check(slice_str(good[i]), &err), OK);
  struct notifier_opts opts = {0};
  EXPECT_INT(notify_secret_read(SLICE(SECRET), &opts, &err), OK);
  EXPECT(opts.secret_len == 24 && memcmp(opts.secret, SECRET_BYTES, 24) == 0);
  EXPECT_INT(notify_secret_read(SLICE("secret"), &opts, &err), E_BAD_CONFIG);
  EXPECT_INT(notify_secret_read(SLICE("whsec_"), &opts, &err), E_BAD_CONFIG);
  EXPECT_INT(notify_secret_read(SLICE("whsec_MDEy"), &opts, &err), E_BAD_CONFIG);
  EXPECT_INT(notify_secret_read(SLICE("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY"), &opts, &err),
             E_BAD_CONFIG);
  EXPECT_INT(notify_secret_read(SLICE("whsec_!!!!MzQ1Njc4OWFiY2RlZjAxMjM0NTY3"), &opts, &err),
             E_BAD_CONFIG);
}
