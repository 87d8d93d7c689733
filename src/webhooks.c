/* webhooks.c - from options to a notifier.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "webhooks.h"

#include "store/secret.h"

static enum code urls_read(struct webhooks *webhooks, struct slice text, struct err *err)
{
  while (text.len) {
    const char *comma = memchr(text.at, ',', text.len);
    struct slice url = comma ? slice_of(text.at, (size_t)(comma - text.at)) : text;
    text = comma ? slice_from(text, url.len + 1) : SLICE_NONE;
    while (url.len && url.at[0] == ' ') url = slice_from(url, 1);
    while (url.len && url.at[url.len - 1] == ' ') url.len--;
    if (webhooks->n == WEBHOOKS_MAX)
      return fail(err, E_BAD_CONFIG, "'webhook' names more than %d URLs", WEBHOOKS_MAX);
    struct err why;
    if (notify_url_check(url, &why)) return fail(err, E_BAD_CONFIG, "'webhook': %s", why.text);
    webhooks->urls[webhooks->n++] = url;
  }
  return OK;
}

enum code webhooks_open(struct webhooks *webhooks, const struct options *options, struct err *err)
{
  char secret[SECRET_MAX];
  size_t len;
  const char *path = option_text(options, OPTION_webhook_secret_file);
  struct notifier_opts opts = {.private_too = option_number(options, OPTION_webhook_private) != 0};
  *webhooks = (struct webhooks){.n = 0};
  if (urls_read(webhooks, slice_str(option_text(options, OPTION_webhook)), err)) return err->code;
  if (path[0]) {
    if (secret_read(NULL, path, secret, sizeof secret, &len, err)) return err->code;
    enum code code = notify_secret_read(slice_of(secret, len), &opts, err);
    explicit_bzero(secret, sizeof secret);
    if (code) return code;
  }
  webhooks->notifier = notifier_new(&opts);
  explicit_bzero(&opts, sizeof opts);
  return OK;
}
