/* net_loop_test.c - a loop from socket to socket: what it answers, and in which order.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <sys/resource.h>

#include "net_rig.h"
#include "version_table.h"
#include "wire/zip.h"

static struct rig rig;
static struct client client;

TEST(health_is_answered_by_the_loop)
{
  rig_start(&rig, 1, NULL);
  client_open(&client, &rig);
  EXPECT_INT(client_ask(&client, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  EXPECT_STR(client.body, "{\"status\":\"alive\"}\n");
  EXPECT_STR(client_field(&client, "Content-Type"), "application/json");
  EXPECT_INT(client_ask(&client, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), 503);
  EXPECT_INT(client_ask(&client, "GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  EXPECT_STR(client.body, "{\"live\":true}\n");
  rig_publish(&rig, RIG_MODELS);
  for (int i = 0; i < 100 && client_ask(&client, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n") != 200;
       i++)
    usleep(10000);
  EXPECT_STR(client.body, "{\"ready\":true}\n");
  EXPECT_INT(client_ask(&client, "GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"), 200);
  EXPECT_STR(client.body, "{\"status\":\"alive\"}\n");
  client_close(&client);
  rig_down(&rig);
}

TEST(a_request_to_a_resident_is_answered)
{
  static char text[4096];
  rig_up(&rig);
  client_open(&client, &rig);
  for (int i = 0; i < 3; i++) {
    client_send(&client, text, rig_post(text, sizeof text, "/v2/models/digits/infer", "", INFER16));
    EXPECT_INT(client_read(&client), 200);
    EXPECT_STR(client.body,
               "{\"model_name\":\"digits\",\"model_version\":\"2\",\"outputs\":[{\"name\":\"x\","
               "\"datatype\":\"FP32\",\"shape\":[1,16],\"data\":[" ROW16 "]}]}");
    EXPECT_STR(client_field(&client, "x-slipway-model"), "digits");
    EXPECT_STR(client_field(&client, "x-slipway-version"), "2");
    EXPECT_STR(client_field(&client, "x-slipway-arm"), "stable");
  }
  client_close(&client);
  rig_down(&rig);
}

/* ---- inference */

static int infer(const char *path, const char *extra, const char *body)
{
  return client_infer(&client, path, extra, body);
}

TEST(a_request_to_another_thread_is_answered)
{
  rig_up(&rig);
  client_open(&client, &rig);
  for (int i = 0; i < 20; i++) {
    EXPECT_INT(infer("/v2/models/hop/infer", "", INFER16), 200);
    EXPECT(strstr(client.body, "[" ROW16 "]") != NULL);
  }
  client_close(&client);
  rig_down(&rig);
}

TEST(two_loops_share_one_port)
{
  static struct client many[16];
  rig_start(&rig, 2, NULL);
  rig_publish(&rig, RIG_MODELS);
  for (int i = 0; i < 16; i++) client_open(&many[i], &rig);
  static char text[4096];
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 16; i++)
      client_send(
          &many[i], text,
          rig_post(text, sizeof text, i % 2 ? "/v2/models/digits/infer" : "/v2/models/hop/infer",
                   "", INFER16));
    for (int i = 0; i < 16; i++) EXPECT_INT(client_read(&many[i]), 200);
  }
  for (int i = 0; i < 16; i++) client_close(&many[i]);
  rig_pulse(&rig);
  EXPECT_INT(rig.sums->connections, 16);
  EXPECT_INT(rig.sums->requests, 320);
  EXPECT_INT(rig.sums->slots[1].success.count + rig.sums->slots[2].success.count, 320);
  rig_down(&rig);
}

TEST(a_version_in_a_path_is_a_number_in_v2_and_v1)
{
  static const struct {
    const char *path, *body;
  } routes[] = {{"/v2/models/digits/versions/%s/infer", INFER16},
                {"/v1/models/big/versions/%s:predict", "{\"inputs\":[3]}"}};
  char path[128];
  rig_up(&rig);
  client_open(&client, &rig);
  for (size_t r = 0; r < sizeof routes / sizeof *routes; r++) {
    for (size_t i = 0; i < VERSION_ROWS; i++) {
      const struct version_row *row = &version_rows[i];
      snprintf(path, sizeof path, routes[r].path, row->text);
      int status = infer(path, "", routes[r].body);
      if (status != row->status) printf("%s: %s\n", path, client.body);
      EXPECT_INT(status, row->status);
      if (row->code) EXPECT(client_says_code(&client, row->code));
    }
  }
  client_close(&client);
  rig_down(&rig);
}

TEST(models_and_versions_are_found_or_named_missing)
{
  static const struct {
    const char *path;
    int status;
    const char *code;
  } cases[] = {
      {"/v2/models/digits/versions/2/infer", 200, NULL},
      {"/v2/models/nobody/infer", 404, "MODEL_NOT_FOUND"},
      {"/v2/models/Digits/infer", 404, "MODEL_NOT_FOUND"},
      {"/v2/models/digits/versions/1/infer", 404, "VERSION_NOT_FOUND"},
      {"/v2/models/digits/versions/3/infer", 404, "VERSION_NOT_FOUND"},
      {"/v2/models/idle/infer", 503, "NOT_READY"},
      {"/v2/models/nobody/versions/x/infer", 400, "BAD_VERSION"},
      {"/v2/models/digits/infer?a=b&version=9", 200, NULL},
      {"/v2/models/dig%69ts/infer", 200, NULL},
  };
  rig_up(&rig);
  client_open(&client, &rig);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int status = infer(cases[i].path, "", INFER16);
    if (status != cases[i].status) printf("%s: %s\n", cases[i].path, client.body);
    EXPECT_INT(status, cases[i].status);
    if (cases[i].code) EXPECT(client_says_code(&client, cases[i].code));
    if (status == 503) EXPECT_STR(client_field(&client, "Retry-After"), "1");
    if (status == 503) EXPECT(client_field(&client, "x-slipway-arm") == NULL);
  }
  client_close(&client);
  rig_down(&rig);
}

TEST(requests_that_do_not_fit_say_where)
{
  static const struct {
    const char *body, *code, *field;
  } cases[] = {
      {"", "BAD_JSON", NULL},
      {"[]", "WRONG_TYPE", NULL},
      {"{}", "INVALID_ARGUMENT", NULL},
      {"{\"inputs\":[{\"name\":\"x\",\"shape\":[1,16],\"datatype\":\"FP32\",\"data\":[1,2]}]}",
       "BAD_SHAPE", "inputs[0].data"},
      {"{\"inputs\":[{\"name\":\"y\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1]}]}",
       "UNKNOWN_TENSOR", "inputs[0].name"},
      {"{\"inputs\":[{\"name\":\"x\",\"shape\":[1,15],\"datatype\":\"FP32\",\"data\":[1,2,3,4,5,6,"
       "7,8,"
       "9,10,11,12,13,14,15]}]}",
       "BAD_SHAPE", "inputs[0].shape"},
      {"{\"inputs\":[{\"name\":\"x\",\"shape\":[0,16],\"datatype\":\"FP32\",\"data\":[]}],"
       "\"outputs\":"
       "[{\"name\":\"z\"}]}",
       "UNKNOWN_TENSOR", "outputs[0]"},
  };
  rig_up(&rig);
  client_open(&client, &rig);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    EXPECT_INT(infer("/v2/models/digits/infer", "", cases[i].body), 400);
    if (!client_says_code(&client, cases[i].code)) printf("%s: %s\n", cases[i].body, client.body);
    EXPECT(client_says_code(&client, cases[i].code));
    char field[64];
    snprintf(field, sizeof field, "\"field\":\"%s\"", cases[i].field ? cases[i].field : "");
    if (cases[i].field) EXPECT(strstr(client.body, field) != NULL);
  }
  EXPECT_INT(infer("/v2/models/digits/infer", "", INFER16), 200);
  client_close(&client);
  rig_pulse(&rig);
  EXPECT_INT(rig.sums->slots[1].success.count, 1);
  EXPECT_INT(rig.sums->slots[1].rows, 1);
  EXPECT_INT(rig.sums->slots[1].lent, 1);
  EXPECT_INT(rig.sums->slots[1].returned, 1);
  EXPECT_INT(rig.sums->refused[E_BAD_SHAPE], 2);
  EXPECT_INT(rig.sums->by_status[4], sizeof cases / sizeof *cases);
  EXPECT_INT(rig.sums->by_status[2], 1);
  rig_down(&rig);
}

TEST(binary_raw_and_v1_requests_are_answered)
{
  static char text[4096];
  float row[16], back[16];
  for (int i = 0; i < 16; i++) row[i] = (float)i / 3;
  rig_up(&rig);
  client_open(&client, &rig);
  const char *json =
      "{\"id\":\"7\",\"parameters\":{\"binary_data_output\":true},\"inputs\":[{\"name\":"
      "\"x\",\"shape\":[1,16],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":"
      "64}}]}";
  int n = snprintf(text, sizeof text,
                   "POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\n"
                   "Inference-Header-Content-Length: %zu\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(json), strlen(json) + 64, json);
  client_send(&client, text, (size_t)n);
  client_send(&client, row, 64);
  EXPECT_INT(client_read(&client), 200);
  EXPECT_STR(client_field(&client, "Content-Type"), "application/octet-stream");
  size_t json_len = (size_t)atoi(client_field(&client, "Inference-Header-Content-Length"));
  EXPECT_INT(client.body_len, json_len + 64);
  memcpy(back, client.body + json_len, 64);
  EXPECT(memcmp(row, back, 64) == 0);
  EXPECT(strstr(client.body, "\"id\":\"7\"") != NULL);

  n = snprintf(text, sizeof text,
               "POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\n"
               "Inference-Header-Content-Length: 0\r\nContent-Length: 64\r\n\r\n");
  client_send(&client, text, (size_t)n);
  client_send(&client, row, 64);
  EXPECT_INT(client_read(&client), 200);
  json_len = (size_t)atoi(client_field(&client, "Inference-Header-Content-Length"));
  EXPECT(memcmp(row, client.body + json_len, 64) == 0);

  EXPECT_INT(infer("/v1/models/big:predict", "", "{\"instances\":[1,2.5]}"), 200);
  EXPECT_STR(client.body, "{\"predictions\":[1,2.5]}");
  EXPECT_STR(client_field(&client, "x-slipway-model"), "big");
  EXPECT_INT(infer("/v1/models/big/versions/2:predict", "", "{\"inputs\":[3]}"), 200);
  EXPECT_STR(client.body, "{\"outputs\":[3]}");
  EXPECT_INT(infer("/v1/models/big:predict", "", "{}"), 400);
  EXPECT_INT(
      infer("/v2/models/words/infer", "",
            "{\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"a\","
            "\"\\u00e9\"]}]}"),
      200);
  EXPECT(strstr(client.body, "\"data\":[\"a\",\"\xc3\xa9\"]") != NULL);
  EXPECT_INT(
      infer("/v2/models/pair/infer", "",
            "{\"inputs\":[{\"name\":\"b\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[0.5]},"
            "{\"name\":\"a\",\"shape\":[1],\"datatype\":\"INT64\",\"data\":[9007199254740993]}],"
            "\"outputs\":[{\"name\":\"a\"}]}"),
      200);
  EXPECT(strstr(client.body, "[9007199254740993]") != NULL);
  EXPECT(strstr(client.body, "0.5") == NULL);
  client_close(&client);
  rig_down(&rig);
}

TEST(media_types_decide_little)
{
  rig_up(&rig);
  client_open(&client, &rig);
  EXPECT_INT(
      infer("/v2/models/digits/infer", "Content-Type: application/octet-stream\r\n", INFER16), 200);
  EXPECT_INT(
      infer("/v2/models/digits/infer", "Content-Type: text/html; charset=\"UTF-8\"\r\n", INFER16),
      200);
  EXPECT_INT(infer("/v2/models/digits/infer", "Content-Type: multipart/form-data; boundary=x\r\n",
                   INFER16),
             415);
  EXPECT_INT(infer("/v2/models/digits/infer", "Content-Type: application/json; charset=utf-16\r\n",
                   INFER16),
             415);
  EXPECT_INT(infer("/v2/models/digits/infer", "Content-Encoding: br\r\n", INFER16), 415);
  EXPECT_STR(client_field(&client, "Accept-Encoding"), "gzip, deflate");
  EXPECT_INT(infer("/v2/models/digits/infer", "Content-Encoding: gzip\r\n", INFER16), 400);
  EXPECT_INT(infer("/v2/models/digits/infer", "x-slipway-deadline-ms: soon\r\n", INFER16), 400);
  EXPECT_INT(infer("/v2/repository/index", "Content-Encoding: gzip\r\n", INFER16), 415);
  EXPECT_INT(infer("/v2/models/digits/infer", "", INFER16), 200);
  client_close(&client);
  rig_down(&rig);
}

static size_t zip(enum zip_coding coding, const char *text, char *to, size_t cap)
{
  struct arena arena;
  struct slice part = slice_str(text), out;
  arena_init(&arena, 8 << 20, NULL);
  must(zip_deflate(coding, &part, 1, &arena, &out, NULL) == OK && out.at && out.len <= cap);
  memcpy(to, out.at, out.len);
  arena_deinit(&arena);
  return out.len;
}

TEST(bodies_travel_compressed_both_ways)
{
  static char body[32768], text[32768], packed[32768];
  size_t n = (size_t)sprintf(body,
                             "{\"inputs\":[{\"name\":\"x\",\"shape\":[1000],\"datatype\":\"FP32\","
                             "\"data\":[1");
  for (int i = 1; i < 1000; i++) n += (size_t)sprintf(body + n, ",%d", i);
  sprintf(body + n, "]}]}");
  rig_up(&rig);
  client_open(&client, &rig);
  static const char *const names[] = {"gzip", "deflate"};
  for (int i = 0; i < 2; i++) {
    enum zip_coding coding = i ? ZIP_DEFLATE : ZIP_GZIP;
    size_t packed_len = zip(coding, body, packed, sizeof packed);
    int head = snprintf(text, sizeof text,
                        "POST /v2/models/big/infer HTTP/1.1\r\nHost: x\r\nContent-Encoding: %s\r\n"
                        "Accept-Encoding: br, %s\r\nContent-Length: %zu\r\n\r\n",
                        names[i], names[i], packed_len);
    client_send(&client, text, (size_t)head);
    client_send(&client, packed, packed_len);
    EXPECT_INT(client_read(&client), 200);
    EXPECT_STR(client_field(&client, "Content-Encoding"), names[i]);
    struct arena arena;
    struct slice plain;
    arena_init(&arena, 8 << 20, NULL);
    EXPECT_INT(
        zip_inflate(coding, slice_of(client.body, client.body_len), 1 << 20, &arena, &plain, NULL),
        OK);
    EXPECT(plain.len > 3000 && memmem(plain.at, plain.len, ",998,999]", 9) != NULL);
    arena_deinit(&arena);
  }
  /* Errors and small answers stay plain. */
  EXPECT_INT(infer("/v2/models/nobody/infer", "Accept-Encoding: gzip\r\n", body), 404);
  EXPECT(client_field(&client, "Content-Encoding") == NULL);
  EXPECT_INT(infer("/v2/models/big/infer", "Accept-Encoding: gzip\r\n", INFER1), 200);
  EXPECT(client_field(&client, "Content-Encoding") == NULL);
  client_close(&client);
  rig_down(&rig);
}

TEST(a_gzip_bomb_is_refused_and_its_memory_given_back)
{
  static char zeros[4 << 20], packed[64 << 10], text[256];
  memset(zeros, ' ', sizeof zeros - 1);
  size_t n = zip(ZIP_GZIP, zeros, packed, sizeof packed);
  rig_up(&rig); /* H1-114 */
  client_open(&client, &rig);
  for (size_t cut = 0; cut < 2; cut++) {
    size_t len = cut ? n - 9 : n; /* truncated is another error */
    int head = snprintf(text, sizeof text,
                        "POST /v2/models/big/infer HTTP/1.1\r\nHost: x\r\n"
                        "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
                        len);
    client_send(&client, text, (size_t)head);
    client_send(&client, packed, len);
    EXPECT_INT(client_read(&client), 413);
  }
  EXPECT_INT(infer("/v2/models/big/infer", "", INFER1), 200);
  client_close(&client);
  rig_down(&rig);
}

TEST(request_ids_are_echoed_when_sane)
{
  rig_up(&rig);
  client_open(&client, &rig);
  EXPECT_INT(infer("/v2/models/big/infer", "x-request-id: Abc-1.2_3\r\n", INFER1), 200);
  EXPECT_STR(client_field(&client, "x-request-id"), "Abc-1.2_3");
  EXPECT_INT(infer("/v2/models/nobody/infer", "x-request-id: Abc-1.2_3\r\n", INFER1), 404);
  EXPECT(strstr(client.body, "\"request_id\":\"Abc-1.2_3\"") != NULL);
  char first[80] = "";
  EXPECT_INT(infer("/v2/models/big/infer", "x-request-id: a b\"c\r\n", INFER1), 200);
  snprintf(first, sizeof first, "%s", client_field(&client, "x-request-id"));
  EXPECT(strcmp(first, "a b\"c") != 0 && strlen(first) > 8);
  EXPECT_INT(infer("/v2/models/big/infer", "", INFER1), 200);
  EXPECT(strcmp(first, client_field(&client, "x-request-id")) != 0);
  client_close(&client);
  rig_down(&rig);
}

/* The default, which spares loopback: from an address of this machine that is none. */
TEST(one_address_gets_256_connections_unless_told_otherwise)
{
  enum { MOST = 256 };
  static int fds[MOST + 1];
  struct sockaddr_in to = {.sin_family = AF_INET};
  struct ifaddrs *all = NULL;
  struct rlimit files;
  EXPECT(getifaddrs(&all) == 0);
  for (struct ifaddrs *at = all; at; at = at->ifa_next) {
    const struct sockaddr_in *has = (const struct sockaddr_in *)(const void *)at->ifa_addr;
    if (has && has->sin_family == AF_INET && !(at->ifa_flags & IFF_LOOPBACK))
      to.sin_addr = has->sin_addr;
  }
  freeifaddrs(all);
  getrlimit(RLIMIT_NOFILE, &files);
  if (!to.sin_addr.s_addr || files.rlim_cur < 1024) {
    printf("SKIP only loopback here, or few descriptors\n");
    return;
  }
  struct loop_opts opts = {.host = "0.0.0.0"};
  rig_start(&rig, 1, &opts);
  to.sin_port = htons(rig.port);
  for (int i = 0; i <= MOST; i++) {
    fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(connect(fds[i], (struct sockaddr *)&to, sizeof to) == 0);
  }
  char text[64] = "";
  EXPECT(recv(fds[MOST], text, sizeof text - 1, 0) > 0);
  EXPECT(strncmp(text, "HTTP/1.1 429 ", 13) == 0);
  EXPECT(send(fds[MOST - 1], HEALTH, strlen(HEALTH), 0) > 0);
  EXPECT(recv(fds[MOST - 1], text, sizeof text - 1, 0) > 0);
  EXPECT(strncmp(text, "HTTP/1.1 200 ", 13) == 0);
  for (int i = 0; i <= MOST; i++) close(fds[i]);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* has no such limit */
  for (int i = 0; i <= MOST; i++) {
    fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(connect(fds[i], (struct sockaddr *)&to, sizeof to) == 0);
  }
  EXPECT(send(fds[MOST], HEALTH, strlen(HEALTH), 0) > 0);
  EXPECT(recv(fds[MOST], text, sizeof text - 1, 0) > 0);
  EXPECT(strncmp(text, "HTTP/1.1 200 ", 13) == 0);
  for (int i = 0; i <= MOST; i++) close(fds[i]);
  rig_down(&rig);
}
