/* notify.c - the notifier: letters in, tries, letters home.
 * Thread: job; one of its own.
 * SPDX-License-Identifier: MIT */
#include "jobs/notify.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/text.h"

enum {
  FIRST_US = 1000000,
  MOST_US = 120000000,
  ALL_US = 600000000,
  TRY_US = 10000000,
  CONNECT_MS = 5000,
  STOP_US = 2000000,
  RETRY_AFTER_MAX_S = 120,
  ANSWER_MAX = 64 << 10,
  HOST_MAX = 256,
};

struct delivery {
  struct link link; /* notifier->waiting or ->running */
  struct letter_notify *letter;
  struct notifier *notifier;
  CURL *curl; /* while it runs */
  struct curl_slist *headers, *resolve;
  uint32_t tries;
  int64_t came_us, next_us;
  size_t answered;
  bool forbidden; /* an address was refused: not public */
  char id[NOTIFY_ID_MAX + 1], host[HOST_MAX];
};

struct notifier {
  struct mailbox box;
  struct notifier_opts opts;
  struct hmac hmac;
  struct rand rand;
  CURLM *multi;
  struct link waiting, running;
  uint32_t n_waiting, n_running;
  int64_t stop_by_us; /* 0: goes on */
};

/* ---- what is configured ---- */

static enum code url_part(CURLU *parts, CURLUPart part, char *to, size_t cap)
{
  char *text = NULL;
  to[0] = '\0';
  if (curl_url_get(parts, part, &text, 0) != CURLUE_OK) return E_INVALID_ARGUMENT;
  bool fits = slice_to_str(slice_str(text), to, cap);
  curl_free(text);
  return fits ? OK : E_INVALID_ARGUMENT;
}

static enum code url_host(struct slice url, char host[HOST_MAX], struct err *err)
{
  char text[NOTIFY_URL_MAX + 1], scheme[16];
  host[0] = '\0';
  if (!slice_to_str(url, text, sizeof text))
    return fail(err, E_INVALID_ARGUMENT, "a webhook's URL has at most %d bytes", NOTIFY_URL_MAX);
  CURLU *parts = curl_url();
  must(parts != NULL);
  CURLUcode rc = curl_url_set(parts, CURLUPART_URL, text, CURLU_DISALLOW_USER);
  bool good = rc == CURLUE_OK && url_part(parts, CURLUPART_SCHEME, scheme, sizeof scheme) == OK &&
              url_part(parts, CURLUPART_HOST, host, HOST_MAX) == OK;
  curl_url_cleanup(parts);
  if (rc == CURLUE_USER_NOT_ALLOWED)
    return fail(err, E_INVALID_ARGUMENT, "a webhook's URL may not hold a user or a password");
  if (!good || !host[0] || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
    return fail(err, E_INVALID_ARGUMENT, "a webhook's URL is one like https://example.com/hook");
  return OK;
}

enum code notify_url_check(struct slice url, struct err *err)
{
  char host[HOST_MAX];
  return url_host(url, host, err);
}

enum code notify_secret_read(struct slice text, struct notifier_opts *opts, struct err *err)
{
  bool good = slice_starts(text, SLICE("whsec_")) &&
              base64_read(slice_from(text, 6), opts->secret, NOTIFY_SECRET_MAX, &opts->secret_len);
  if (good && opts->secret_len >= 24) return OK;
  explicit_bzero(opts->secret, sizeof opts->secret);
  opts->secret_len = 0;
  return fail(err, E_BAD_CONFIG,
              "a webhook's secret is whsec_ and the base64 of 24 to 64 bytes; make one with: "
              "echo whsec_$(openssl rand -base64 32)");
}

/* ---- life ---- */

static void wake(void *arg) { curl_multi_wakeup(((struct notifier *)arg)->multi); }

struct notifier *notifier_new(const struct notifier_opts *opts)
{
  struct notifier *notifier = grab_zero(1, sizeof *notifier);
  struct notifier_opts *o = &notifier->opts;
  uint64_t seed;
  *o = *opts;
  if (!o->first_us) o->first_us = FIRST_US;
  if (!o->most_us) o->most_us = MOST_US;
  if (!o->all_us) o->all_us = ALL_US;
  if (!o->try_us) o->try_us = TRY_US;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  notifier->multi = curl_multi_init();
  must(notifier->multi != NULL);
  hmac_init(&notifier->hmac, slice_of((const char *)o->secret, o->secret_len));
  explicit_bzero(o->secret, sizeof o->secret);
  rand_secret(&seed, sizeof seed);
  rand_seed(&notifier->rand, seed);
  list_init(&notifier->waiting);
  list_init(&notifier->running);
  mailbox_init(&notifier->box, wake, notifier);
  return notifier;
}

void notifier_free(struct notifier *notifier)
{
  if (!notifier) return;
  must(mailbox_empty(&notifier->box) && !notifier->n_waiting && !notifier->n_running);
  mailbox_deinit(&notifier->box);
  curl_multi_cleanup(notifier->multi);
  hmac_deinit(&notifier->hmac);
  ungrab(notifier);
}

struct mailbox *notifier_mailbox(struct notifier *notifier) { return &notifier->box; }

void notifier_limits_list(struct limits *to)
{
  limit_add(to, (struct limit){"webhook messages that wait", NOTIFY_WAITING_MAX, "",
                               (uint64_t)NOTIFY_WAITING_MAX * NOTIFY_BODY_MAX, NULL, NULL});
}

/* ---- home ---- */

static void home(struct letter_notify *letter)
{
  letter->mail.kind = LETTER_NOTIFY_HOME;
  mail_send(letter->home, &letter->mail);
}

/* Off its list; the letter, with its err, is home. */
static void delivery_end(struct delivery *delivery)
{
  home(delivery->letter);
  list_remove(&delivery->link);
  ungrab(delivery);
}

static void delivery_given_up(struct delivery *delivery)
{
  log_event(LOG_WARN, "webhook_given_up", "host", delivery->host, "id", delivery->id, "tries",
            log_num(delivery->tries), "reason", delivery->letter->err.text, NULL);
  delivery_end(delivery);
}

/* ---- one try ---- */

/* Where it is about to connect to: the one look at the address. */
static curl_socket_t socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
  struct delivery *delivery = arg;
  struct ip ip = {{[10] = 0xff, 0xff}};
  (void)purpose;
  if (to->family == AF_INET)
    memcpy(ip.at + 12, &((struct sockaddr_in *)(void *)&to->addr)->sin_addr, 4);
  else if (to->family == AF_INET6)
    memcpy(ip.at, &((struct sockaddr_in6 *)(void *)&to->addr)->sin6_addr, 16);
  else
    return CURL_SOCKET_BAD;
  bool anywhere = delivery->notifier->opts.private_too && delivery->letter->ours;
  if (!anywhere && !ip_is_public(&ip)) {
    delivery->forbidden = true;
    return CURL_SOCKET_BAD;
  }
  return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t answer_came(char *bytes, size_t one, size_t n, void *arg)
{
  struct delivery *delivery = arg;
  (void)bytes;
  delivery->answered += one * n;
  return delivery->answered > ANSWER_MAX ? 0 : one * n;
}

static void header_add(struct delivery *delivery, const char *fmt, const char *value)
{
  char line[256];
  int len = snprintf(line, sizeof line, fmt, value);
  must(len > 0 && (size_t)len < sizeof line);
  delivery->headers = curl_slist_append(delivery->headers, line);
  must(delivery->headers != NULL);
}

static void headers_make(struct delivery *delivery)
{
  const struct notifier *notifier = delivery->notifier;
  struct slice body = delivery->letter->body;
  char seconds[24], base64[BASE64_LEN(SHA256_LEN) + 1];
  snprintf(seconds, sizeof seconds, "%lld", (long long)(clock_wall_ms() / 1000));
  header_add(delivery, "%s", "Content-Type: application/json");
  header_add(delivery, "%s", "Expect:");
  header_add(delivery, "webhook-id: %s", delivery->id);
  header_add(delivery, "webhook-timestamp: %s", seconds);
  if (!notifier->opts.secret_len) return;
  struct buf text;
  buf_init(&text, NOTIFY_BODY_MAX + 256);
  buf_print(&text, "%s.%s.", delivery->id, seconds);
  buf_add(&text, body);
  must(!text.full);
  struct digest digest = hmac_of(&notifier->hmac, buf_lend(&text));
  buf_deinit(&text);
  base64_write(slice_of((const char *)digest.at, SHA256_LEN), base64);
  header_add(delivery, "webhook-signature: v1,%s", base64);
}

static void try_begin(struct notifier *notifier, struct delivery *delivery)
{
  CURL *curl = curl_easy_init();
  char url[NOTIFY_URL_MAX + 1];
  must(curl != NULL && slice_to_str(delivery->letter->url, url, sizeof url));
  delivery->curl = curl;
  delivery->headers = delivery->resolve = NULL;
  delivery->answered = 0;
  delivery->forbidden = false;
  headers_make(delivery);
  if (notifier->opts.resolve)
    delivery->resolve = curl_slist_append(NULL, notifier->opts.resolve);
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, delivery->letter->body.at);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)delivery->letter->body.len);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, delivery->headers);
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "slipway-webhook");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(notifier->opts.try_us / 1000));
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, socket_open);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, delivery);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_came);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, delivery);
  curl_easy_setopt(curl, CURLOPT_PRIVATE, delivery);
  if (delivery->resolve) curl_easy_setopt(curl, CURLOPT_RESOLVE, delivery->resolve);
  delivery->tries++;
  list_remove(&delivery->link);
  list_push_back(&notifier->running, &delivery->link);
  notifier->n_waiting--;
  notifier->n_running++;
  must(curl_multi_add_handle(notifier->multi, curl) == CURLM_OK);
}

static void try_close(struct notifier *notifier, struct delivery *delivery)
{
  curl_multi_remove_handle(notifier->multi, delivery->curl);
  curl_easy_cleanup(delivery->curl);
  curl_slist_free_all(delivery->headers);
  curl_slist_free_all(delivery->resolve);
  delivery->curl = NULL;
  notifier->n_running--;
}

/* ---- what came of it ---- */

/* Half to all of the time that doubles with each try. */
static int64_t delay_us(struct notifier *notifier, const struct delivery *delivery)
{
  const struct notifier_opts *o = &notifier->opts;
  uint32_t doublings = delivery->tries - 1 < 30 ? delivery->tries - 1 : 30;
  int64_t top = o->first_us << doublings;
  if (top > o->most_us || top < o->first_us) top = o->most_us;
  return top / 2 + (int64_t)(rand_u64(&notifier->rand) % (uint64_t)(top / 2 + 1));
}

/* OK: taken. *final: trying again would not help. */
static enum code try_judge(struct delivery *delivery, CURLcode rc, long status, bool *final,
                           struct err *err)
{
  *final = true;
  err->code = OK;
  if (status >= 200 && status < 300) return OK;
  if (delivery->forbidden)
    return fail(err, E_DENIED, "its host's address is not public; --webhook-private allows that");
  if (status >= 300 && status < 400)
    return fail(err, E_DENIED, "it answered with a redirect (%ld); none is followed", status);
  if (status == 410) return fail(err, E_NOT_FOUND, "it answered 410: gone for good");
  *final = false;
  if (status) return fail(err, E_UNAVAILABLE, "it answered %ld", status);
  return fail(err, E_UNAVAILABLE, "%s", curl_easy_strerror(rc));
}

static void try_over(struct notifier *notifier, struct delivery *delivery, CURLcode rc)
{
  struct letter_notify *letter = delivery->letter;
  int64_t now_us = clock_us();
  long status = 0;
  curl_off_t after_s = 0;
  bool final;
  curl_easy_getinfo(delivery->curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(delivery->curl, CURLINFO_RETRY_AFTER, &after_s);
  try_close(notifier, delivery);
  if (try_judge(delivery, rc, status, &final, &letter->err) == OK) {
    log_event(LOG_DEBUG, "webhook_taken", "host", delivery->host, "id", delivery->id, "tries",
              log_num(delivery->tries), NULL);
    delivery_end(delivery);
    return;
  }
  int64_t wait_us = delay_us(notifier, delivery);
  if (after_s > RETRY_AFTER_MAX_S) after_s = RETRY_AFTER_MAX_S;
  if (after_s > 0 && after_s * 1000000 > wait_us) wait_us = after_s * 1000000;
  delivery->next_us = now_us + wait_us;
  if (final || notifier->stop_by_us ||
      delivery->next_us - delivery->came_us > notifier->opts.all_us) {
    delivery_given_up(delivery);
    return;
  }
  log_event(LOG_INFO, "webhook_failed", "host", delivery->host, "id", delivery->id, "tries",
            log_num(delivery->tries), "reason", letter->err.text, "again_in_ms",
            log_num(wait_us / 1000), NULL);
  list_remove(&delivery->link);
  list_push_back(&notifier->waiting, &delivery->link);
  notifier->n_waiting++;
}

/* ---- letters in ---- */

static uint32_t count_of(struct link *list, struct slice url)
{
  uint32_t n = 0;
  for (struct link *link = list->next; link != list; link = link->next)
    n += slice_eq(LIST_OF(link, struct delivery, link)->letter->url, url);
  return n;
}

static enum code letter_check(struct notifier *notifier, const struct letter_notify *letter,
                              char host[HOST_MAX], struct err *err)
{
  if (url_host(letter->url, host, err)) return err->code;
  if (letter->body.len > NOTIFY_BODY_MAX)
    return fail(err, E_INVALID_ARGUMENT, "the message has more than %d bytes", NOTIFY_BODY_MAX);
  if (notifier->n_waiting >= NOTIFY_WAITING_MAX ||
      count_of(&notifier->waiting, letter->url) >= NOTIFY_URL_WAITING_MAX)
    return fail(err, E_LIMIT_EXCEEDED, "too many messages wait already");
  if (notifier->stop_by_us) return fail(err, E_DRAINING, "the server is stopping");
  err->code = OK;
  return OK;
}

static void letter_take(struct notifier *notifier, struct letter_notify *letter)
{
  char host[HOST_MAX];
  if (letter_check(notifier, letter, host, &letter->err)) {
    log_event(LOG_WARN, "webhook_given_up", "host", host, "reason", letter->err.text, NULL);
    home(letter);
    return;
  }
  struct delivery *delivery = grab_zero(1, sizeof *delivery);
  delivery->letter = letter;
  delivery->notifier = notifier;
  delivery->came_us = delivery->next_us = clock_us();
  memcpy(delivery->host, host, sizeof host);
  must(slice_to_str(letter->id, delivery->id, sizeof delivery->id) && letter->id.len);
  list_push_back(&notifier->waiting, &delivery->link);
  notifier->n_waiting++;
}

static void mail_take(struct notifier *notifier)
{
  struct mail *next;
  for (struct mail *mail = mailbox_take(&notifier->box); mail; mail = next) {
    next = mail->next;
    switch (mail->kind) {
      case LETTER_NOTIFY: letter_take(notifier, LETTER_OF(mail, struct letter_notify)); break;
      case LETTER_STOP: notifier->stop_by_us = clock_us() + STOP_US; break;
      default: must(!"a letter notifiers do not get");
    }
  }
}

/* ---- the thread ---- */

/* Begins what is due; returns when the next one is. A message that was tried before does not hold
 * up the stop. */
static int64_t tries_begin(struct notifier *notifier, int64_t now_us)
{
  int64_t next_us = INT64_MAX;
  struct link *link, *next;
  for (link = notifier->waiting.next; link != &notifier->waiting; link = next) {
    struct delivery *delivery = LIST_OF(link, struct delivery, link);
    next = link->next;
    if (notifier->stop_by_us && delivery->tries) {
      notifier->n_waiting--;
      delivery_given_up(delivery);
    } else if (delivery->next_us > now_us) {
      if (delivery->next_us < next_us) next_us = delivery->next_us;
    } else if (notifier->n_running < NOTIFY_RUNNING_MAX &&
               count_of(&notifier->running, delivery->letter->url) < NOTIFY_PER_URL) {
      try_begin(notifier, delivery);
    }
  }
  return next_us;
}

/* Whether there were any: then others may begin. */
static bool tries_end(struct notifier *notifier)
{
  CURLMsg *said;
  int left;
  bool any = false;
  while ((said = curl_multi_info_read(notifier->multi, &left))) {
    struct delivery *delivery;
    if (said->msg != CURLMSG_DONE) continue;
    CURLcode rc = said->data.result; /* said goes with the handle */
    curl_easy_getinfo(said->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&delivery);
    try_over(notifier, delivery, rc);
    any = true;
  }
  return any;
}

static void all_give_up(struct notifier *notifier)
{
  while (!list_empty(&notifier->running)) {
    struct delivery *delivery = LIST_OF(notifier->running.next, struct delivery, link);
    try_close(notifier, delivery);
    fail(&delivery->letter->err, E_DRAINING, "the server is stopping");
    delivery_given_up(delivery);
  }
  while (!list_empty(&notifier->waiting)) {
    struct delivery *delivery = LIST_OF(notifier->waiting.next, struct delivery, link);
    notifier->n_waiting--;
    fail(&delivery->letter->err, E_DRAINING, "the server is stopping");
    delivery_given_up(delivery);
  }
}

void notifier_main(void *arg)
{
  struct notifier *notifier = arg;
  int running;
  for (;;) {
    mail_take(notifier);
    int64_t now_us = clock_us(), next_us = tries_begin(notifier, now_us);
    curl_multi_perform(notifier->multi, &running);
    if (tries_end(notifier)) continue;
    bool idle = !notifier->n_waiting && !notifier->n_running;
    if (notifier->stop_by_us && (idle || now_us >= notifier->stop_by_us)) break;
    if (notifier->stop_by_us && notifier->stop_by_us < next_us) next_us = notifier->stop_by_us;
    int64_t wait_ms = next_us == INT64_MAX ? 1000 : (next_us - now_us) / 1000 + 1;
    if (wait_ms > 1000) wait_ms = 1000;
    curl_multi_poll(notifier->multi, NULL, 0, (int)wait_ms, NULL);
  }
  all_give_up(notifier);
}
