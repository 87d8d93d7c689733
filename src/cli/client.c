/* client.c - libcurl, tamed.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/out.h"

enum {
  CONNECT_SECONDS = 5,
  CALL_SECONDS = 30,
  CHANGE_SECONDS = 900,
  STALL_SECONDS = 60,
  LIST_PAGE = 1000, /* the most that every list gives at once */
  WAIT_TOLD_US = 2000000
};

struct client {
  CURL *curl;
  struct curl_slist *headers;
  const char *const *fields; /* of the next upload; NULL: none */
  char key[KEY_TEXT_LEN + 1]; /* empty: none; it and its header are wiped with the client */
  char url[URL_MAX];
  char tenant[TENANT_MAX]; /* empty: the key's own */
  bool text;               /* the answer need not be JSON */
  const char *waits;
  int64_t began_us, told_us; /* told_us 0: nothing yet */
};

/* ---- where ---- */

static void key_set(struct client *client, const char *key)
{
  char header[sizeof "Authorization: Bearer " + KEY_TEXT_LEN];
  snprintf(header, sizeof header, "Authorization: Bearer %s", key);
  client->headers = curl_slist_append(client->headers, header);
  memcpy(client->key, key, sizeof client->key);
  explicit_bzero(header, sizeof header);
}

static void tenant_name(struct client *client, const char *name)
{
  char header[sizeof "x-slipway-tenant: " + TENANT_MAX];
  snprintf(header, sizeof header, "x-slipway-tenant: %s", name);
  client->headers = curl_slist_append(client->headers, header);
  snprintf(client->tenant, sizeof client->tenant, "%s", name);
}

enum code client_new_with(struct client **to, const struct settings *settings, struct err *err)
{
  struct client *client = grab_zero(1, sizeof *client);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  *to = client;
  client->curl = curl_easy_init();
  must(client->curl != NULL);
  client->headers = curl_slist_append(NULL, "Content-Type: application/json");
  client->headers = curl_slist_append(client->headers, "Expect:");
  memcpy(client->url, settings->url, sizeof client->url);
  if (settings->key[0]) key_set(client, settings->key);
  if (settings->tenant[0]) tenant_name(client, settings->tenant);
  err->code = OK;
  return OK;
}

enum code client_new(struct client **to, const struct cli *cli, struct err *err)
{
  struct settings settings;
  *to = NULL;
  if (settings_read(&settings, cli->args.url, cli->args.tenant, err) != OK) return err->code;
  enum code code = client_new_with(to, &settings, err);
  settings_wipe(&settings);
  return code;
}

/* A daemon on this machine that wants a key: the one it made at its first start, when it is this
 * user's to read. */
static bool key_found(struct client *client)
{
  char key[KEY_TEXT_LEN + 1];
  if (client->key[0] || !url_is_local(client->url) || !local_key_read(key)) return false;
  key_set(client, key);
  explicit_bzero(key, sizeof key);
  return true;
}

void client_free(struct client *client)
{
  if (!client) return;
  for (struct curl_slist *header = client->headers; header; header = header->next)
    explicit_bzero(header->data, strlen(header->data));
  explicit_bzero(client->key, sizeof client->key);
  curl_slist_free_all(client->headers);
  curl_easy_cleanup(client->curl);
  ungrab(client);
}

const char *client_key(const struct client *client) { return client->key[0] ? client->key : NULL; }

const char *client_tenant(const struct client *client)
{
  return client->tenant[0] ? client->tenant : NULL;
}

const char *client_url(const struct client *client) { return client->url; }

enum code client_path(char to[CLIENT_PATH_MAX], struct err *err, const char *fmt, const char *word)
{
  char *escaped = curl_easy_escape(NULL, word, 0);
  must(escaped != NULL);
  const char *hole = strstr(fmt, "%s");
  must(hole != NULL);
  int len = snprintf(to, CLIENT_PATH_MAX, "%.*s%s%s", (int)(hole - fmt), fmt, escaped, hole + 2);
  curl_free(escaped);
  if (!word[0] || len < 0 || len >= CLIENT_PATH_MAX)
    return fail(err, E_BAD_NAME, "'%.64s' is not a name", word);
  return OK;
}

/* ---- answers ---- */

void answer_free(struct answer *answer)
{
  if (answer->json) json_decref(answer->json);
  buf_deinit(&answer->body);
  answer->json = NULL;
}

/* A daemon newer than this program may say codes we do not know: then the status decides. */
static enum code code_of_status(long status)
{
  for (int code = 1; code < CODE_COUNT; code++)
    if (code_http((enum code)code) == status) return (enum code)code;
  return status < 400 ? E_UNAVAILABLE : status < 500 ? E_INVALID_ARGUMENT : E_INTERNAL;
}

enum code answer_error(const struct answer *answer, struct err *err)
{
  const json_t *text = json_object_get(answer->json, "error");
  const json_t *name = json_object_get(answer->json, "code");
  const json_t *field = json_object_get(json_object_get(answer->json, "details"), "field");
  enum code code = CODE_COUNT;
  if (json_is_string(name))
    code = code_named(json_string_value(name), (uint32_t)json_string_length(name));
  if (code == CODE_COUNT || code == OK) code = code_of_status(answer->status);
  if (json_is_string(text))
    fail(err, code, "%s", json_string_value(text));
  else
    fail(err, code, "the server answered %ld without saying why; is it slipway?", answer->status);
  if (json_is_string(field)) fail_at(err, "%s", json_string_value(field));
  return err->code;
}

static size_t body_came(char *bytes, size_t one, size_t n, void *body)
{
  return buf_add(body, slice_of(bytes, one * n)) == OK ? n : 0;
}

static enum code transport_error(const struct client *client, CURLcode rc, struct err *err)
{
  switch (rc) {
    case CURLE_COULDNT_CONNECT:
      return fail(err, E_UNAVAILABLE,
                  "no slipway at %s; start one with: slipway serve, or say where it is: --url, "
                  "SLIPWAY_URL or slipway login URL",
                  client->url);
    case CURLE_COULDNT_RESOLVE_HOST:
      return fail(err, E_UNAVAILABLE, "the host of %s is not known", client->url);
    case CURLE_OPERATION_TIMEDOUT:
      return fail(err, E_UNAVAILABLE, "%s did not answer in time", client->url);
    case CURLE_WRITE_ERROR:
      return fail(err, E_LIMIT_EXCEEDED, "the answer of %s is over %d MiB", client->url,
                  CLIENT_ANSWER_MAX >> 20);
    default:
      return fail(err, E_UNAVAILABLE, "%s did not answer: %s", client->url, curl_easy_strerror(rc));
  }
}

/* The head's lines with those of this call alone; NULL: there are none. Keys are wiped after it. */
static struct curl_slist *fields_with(const struct client *client)
{
  struct curl_slist *all = NULL;
  if (!client->fields) return NULL;
  for (const struct curl_slist *line = client->headers; line; line = line->next)
    if (strncmp(line->data, "Content-Type:", 13) != 0) all = curl_slist_append(all, line->data);
  for (const char *const *line = client->fields; *line; line++)
    all = curl_slist_append(all, *line);
  return all;
}

static void fields_free(struct curl_slist *all)
{
  for (struct curl_slist *line = all; line; line = line->next)
    explicit_bzero(line->data, strlen(line->data));
  curl_slist_free_all(all);
}

/* After everything special has been set: runs the call and reads the answer. */
static enum code call_run(struct client *client, const char *path, struct answer *answer,
                          struct err *err)
{
  CURL *curl = client->curl;
  char url[URL_MAX + CLIENT_PATH_MAX];
  snprintf(url, sizeof url, "%s%s", client->url, path);
  buf_init(&answer->body, CLIENT_ANSWER_MAX);
  answer->json = NULL;
  curl_easy_setopt(curl, CURLOPT_URL, url);
  struct curl_slist *all = fields_with(client);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, all ? all : client->headers);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "slipway-cli");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_came);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
  if (url_is_local(client->url)) curl_easy_setopt(curl, CURLOPT_PROXY, "");
  CURLcode rc = curl_easy_perform(curl);
  fields_free(all);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
  /* A refusal that came before the whole upload was read is the answer, not a broken pipe. */
  bool answered = answer->status >= 400 && (rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR);
  if (rc != CURLE_OK && !answered) return transport_error(client, rc, err);
  answer->json =
      json_loadb(answer->body.at ? answer->body.at : "", answer->body.len, JSON_DECODE_ANY, NULL);
  if (answer->status < 200 || answer->status > 299) return answer_error(answer, err);
  if (!answer->json && !client->text)
    return fail(err, E_UNAVAILABLE, "%s answered something that is not JSON; is it slipway?",
                client->url);
  return OK;
}

void client_waits(struct client *client, const char *what) { client->waits = what; }

static int wait_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                         curl_off_t up)
{
  struct client *client = arg;
  int64_t now_us = clock_us();
  (void)down_total, (void)down, (void)up_total, (void)up;
  if (now_us - client->began_us < WAIT_TOLD_US || now_us - client->told_us < WAIT_TOLD_US / 2)
    return 0;
  client->told_us = now_us;
  fprintf(stderr, "\r%s, %lld s  ", client->waits,
          (long long)((now_us - client->began_us) / 1000000));
  return 0;
}

static void wait_begin(struct client *client)
{
  client->began_us = clock_us();
  client->told_us = 0;
  if (!client->waits || isatty(STDERR_FILENO) != 1) return;
  curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, wait_progress);
  curl_easy_setopt(client->curl, CURLOPT_XFERINFODATA, client);
}

static void wait_end(const struct client *client)
{
  if (client->told_us) fprintf(stderr, "\r%60s\r", "");
}

enum code client_call(struct client *client, const char *method, const char *path,
                      struct slice body, long seconds_max, struct answer *answer, struct err *err)
{
  CURL *curl = client->curl;
  curl_easy_reset(curl);
  if (strcmp(method, "GET") != 0) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.at ? body.at : "");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, seconds_max ? seconds_max : (long)CALL_SECONDS);
  wait_begin(client);
  enum code code = call_run(client, path, answer, err);
  wait_end(client);
  if (answer->status != 401 || !key_found(client)) return code;
  answer_free(answer);
  return call_run(client, path, answer, err);
}

enum code client_text(struct client *client, const char *path, struct answer *answer,
                      struct err *err)
{
  client->text = true;
  enum code code = client_call(client, "GET", path, SLICE_NONE, CHANGE_SECONDS, answer, err);
  client->text = false;
  return code;
}

int client_once(const struct cli *cli, const char *method, const char *path, json_t *body,
                struct answer *answer)
{
  struct err err;
  struct client *client = NULL;
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  int rc = 0;
  json_decref(body);
  *answer = (struct answer){0};
  if (client_new(&client, cli, &err) != OK ||
      client_call(client, method, path, slice_str(text), text ? CHANGE_SECONDS : 0, answer, &err))
    rc = cli_fail(cli, &err);
  client_free(client);
  ungrab(text);
  return rc;
}

/* Adds every page's items to the list. */
enum code client_pages(struct client *client, const char *path, const char *member, json_t *list,
                       struct err *err)
{
  char page[CLIENT_PATH_MAX], more[CLIENT_PATH_MAX] = "";
  enum code code = OK;
  do {
    struct answer answer = {0};
    snprintf(page, sizeof page, "%s?limit=%d%s", path, LIST_PAGE, more);
    code = client_call(client, "GET", page, SLICE_NONE, 0, &answer, err);
    json_array_extend(list, json_object_get(answer.json, member));
    const char *next = get_str(answer.json, "next");
    more[0] = '\0';
    if (!code && next[0]) code = client_path(more, err, "&page=%s", next);
    answer_free(&answer);
  } while (!code && more[0]);
  return code;
}

int client_list(const struct cli *cli, const char *path, const char *member,
                void (*print)(const json_t *list))
{
  struct err err;
  struct client *client;
  int rc = 0;
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  json_t *list = json_array(), *tree = json_pack("{sO}", member, list);
  if (client_pages(client, path, member, list, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(tree);
  else
    print(list);
  json_decref(tree);
  json_decref(list);
  client_free(client);
  return rc;
}

/* ---- uploads ---- */

static int upload_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                           curl_off_t up)
{
  const struct upload *upload = arg;
  (void)down_total, (void)down, (void)up_total;
  if (upload->progress) upload->progress(upload->arg, (uint64_t)up, upload->bytes);
  return 0;
}

enum code client_send(struct client *client, const char *method, const char *path,
                      const struct upload *upload, struct answer *answer, struct err *err)
{
  CURL *curl = client->curl;
  off_t from = ftello(upload->file);
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_READDATA, upload->file);
  curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)upload->bytes);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, upload_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, upload);
  client->fields = upload->fields;
  enum code code = call_run(client, path, answer, err);
  if (answer->status == 401 && fseeko(upload->file, from, SEEK_SET) == 0 && key_found(client)) {
    answer_free(answer);
    code = call_run(client, path, answer, err);
  }
  client->fields = NULL;
  return code;
}
