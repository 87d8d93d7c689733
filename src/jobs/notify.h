/* notify.h - messages to other people's webhooks: signed, tried again, never to an address that is
 * not public.
 *
 *   control --NOTIFY--> notifier --NOTIFY_HOME--> control      when it was taken, or given up
 *
 * A thread of its own, so that a receiver that is slow or dead keeps nobody else waiting, least of
 * all who loads models; and among receivers, none gets more than NOTIFY_PER_URL at once.
 *
 * Sending: POST, JSON, no redirects, no proxy, no cookies, no credentials in the URL; 5 s to
 * connect, 10 s in all, at most 64 KiB of the answer are read. Whoever answers 2xx has taken it.
 * 3xx and 410 are final; all else is tried again after 1 s, 2 s, 4 s ... up to 2 min, each between
 * half and all of that by chance, or after what Retry-After says, for 10 min in all. What waits
 * when the process ends comes home with E_DRAINING; control tells it after the next start, under
 * the same id (store/outbox.h).
 *
 * Headers, by the Standard Webhooks specification 1.0.0 (standardwebhooks.com), without the last
 * where there is no secret:
 *   webhook-id          the letter's, the same for each try: receivers take each message once
 *   webhook-timestamp   Unix seconds of this try
 *   webhook-signature   v1,BASE64(HMAC-SHA256(secret, id "." timestamp "." body))
 *
 * Addresses: whatever a name resolves to, by whatever answer of whatever server, is looked at when
 * the socket is made, and connected to as it is: there is no second look-up to rebind.
 * Source: robustness rules, sections 8 and 12 (AU-110).
 * Thread: job; one of its own.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_NOTIFY_H
#define JOBS_NOTIFY_H

#include "base/limit.h"
#include "world/letters.h"

enum {
  NOTIFY_URL_MAX = 2048,
  NOTIFY_ID_MAX = 36,
  NOTIFY_BODY_MAX = 256 << 10,
  NOTIFY_WAITING_MAX = 1024, /* messages not yet taken; more are given up at once */
  NOTIFY_URL_WAITING_MAX = 256, /* of one URL */
  NOTIFY_RUNNING_MAX = 16,
  NOTIFY_PER_URL = 2,
  NOTIFY_SECRET_MAX = 64,
};

struct notifier_opts { /* copied; zero is the default in the comment */
  unsigned char secret[NOTIFY_SECRET_MAX];
  size_t secret_len; /* 0: messages are not signed */
  /* URLs that the configuration names may be at addresses that are not public, too; never those of
   * plans: who may release a model may not look around in this network */
  bool private_too;
  const char *resolve; /* for tests: "name:port:address", lent; NULL: as the system does */
  int64_t first_us, most_us, all_us; /* of trying again: 1 s, 2 min, 10 min */
  int64_t try_us;                    /* one try: 10 s */
};

struct notifier;

struct notifier *notifier_new(const struct notifier_opts *opts);
void notifier_free(struct notifier *notifier); /* its thread has returned */
struct mailbox *notifier_mailbox(struct notifier *notifier);
/* The thread's main, until LETTER_STOP; then every letter goes home within 2 s. */
void notifier_main(void *notifier);
void notifier_limits_list(struct limits *to);

/* E_INVALID_ARGUMENT: not http or https, credentials in it, no host, too long. */
CHECKED enum code notify_url_check(struct slice url, struct err *err);
/* "whsec_" and the base64 of 24 to 64 bytes. */
CHECKED enum code notify_secret_read(struct slice text, struct notifier_opts *opts,
                                     struct err *err);

#endif
