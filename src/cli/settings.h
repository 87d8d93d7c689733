/* settings.h - where slipway is and which key goes there.
 * Thread: main (own).
 *
 *   URL    --url, else $SLIPWAY_URL, else `url` of the configuration file, else 127.0.0.1:8080
 *   key    $SLIPWAY_KEY, else the file named by $SLIPWAY_KEY_FILE, else `key` of the configuration
 *          file, if the URL is the one it stands with. Never the command line, which others on the
 *          machine can read
 *   tenant --tenant, else $SLIPWAY_TENANT, else the key's own
 *
 * The configuration file is ~/.config/slipway/config.yaml ($XDG_CONFIG_HOME), written by
 * `slipway login`; one that others may read is refused. On this machine a daemon that wants a key
 * and got none is given the one of its first start, DATA/admin.key, where this user may read it.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "base/err.h"
#include "wire/key.h"

enum { URL_MAX = 512, TENANT_MAX = 64 };

struct settings {
  char url[URL_MAX]; /* without a slash at its end */
  char key[KEY_TEXT_LEN + 1]; /* empty: none */
  char tenant[TENANT_MAX];    /* whom an operator acts for; empty: the key's own */
};

/* The flags: NULL when not given. The caller wipes what it got: settings_wipe. */
CHECKED enum code settings_read(struct settings *settings, const char *url_flag,
                                const char *tenant_flag, struct err *err);
void settings_wipe(struct settings *settings);
/* Writes the configuration file, 0600. */
CHECKED enum code settings_write(const struct settings *settings, struct err *err);
/* A URL as above; E_INVALID_ARGUMENT. */
CHECKED enum code url_read(char to[URL_MAX], const char *text, struct err *err);
/* A key from a file, its first line; "-": standard input, without echo where it is a terminal. */
CHECKED enum code key_file_read(char to[KEY_TEXT_LEN + 1], const char *path, struct err *err);
/* DATA/admin.key; false when there is none that this user may read. */
bool local_key_read(char to[KEY_TEXT_LEN + 1]);
/* Whether a URL's host is this machine: localhost, 127.0.0.0/8 or ::1, and nothing that merely
 * begins like one. */
bool url_is_local(const char *url);

#endif
