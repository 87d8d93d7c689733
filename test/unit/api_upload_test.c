/* api_upload_test.c - files come in as chunks, become objects, and versions name them; a load
 * through the V2 repository is the same in one request.
 * SPDX-License-Identifier: MIT */
#include "api_fixture.h"

#define HELLO_SHA "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static void chunk_send(struct fx *fx, struct letter_ask *ask, struct letter_chunk *chunk,
                       const char *bytes, bool last, bool abort)
{
  *chunk = (struct letter_chunk){.mail = {.kind = LETTER_CHUNK},
                                 .ask = ask,
                                 .bytes = (char *)(uintptr_t)bytes,
                                 .len = (uint32_t)strlen(bytes),
                                 .last = last,
                                 .abort = abort};
  mail_send(desk_mailbox(fx->desk), &chunk->mail);
}

static void chunk_home(struct fx *fx, struct letter_chunk *chunk)
{
  struct mail *mail = mailbox_wait(&fx->home, clock_us() + FX_WAIT_US);
  EXPECT(mail == &chunk->mail && mail->kind == LETTER_CHUNK_HOME);
}

/* A whole upload of "hello" in two chunks; its answer's status and text. */
static int hello_upload(struct fx *fx, const char *target, const char **text)
{
  struct letter_chunk first, last;
  struct letter_ask *ask = fx_send(fx, "PUT", target, NULL);
  fx_post(fx, ask);
  chunk_send(fx, ask, &first, "hel", false, false);
  chunk_home(fx, &first);
  chunk_send(fx, ask, &last, "lo", true, false);
  struct mail *mail = mailbox_wait(&fx->home, clock_us() + FX_WAIT_US);
  must(mail == &last.mail);
  if (mail->next)
    mail = mail->next;
  else
    mail = fx_take(&fx->home);
  must(mail == &ask->mail);
  *text = arena_copy(&fx->arena, blob_lend(ask->reply.body)).at;
  blob_drop(ask->reply.body);
  return ask->reply.status;
}

TEST(an_upload_answers_its_digest)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  EXPECT_INT(hello_upload(&fx, "/api/v1/blobs", &text), 201);
  EXPECT_STR(text, "{\"sha256\":\"" HELLO_SHA "\",\"bytes\":5}");
  EXPECT_INT(hello_upload(&fx, "/api/v1/blobs?sha256=" HELLO_SHA, &text), 201);
  fx_stop(&fx);
}

TEST(an_upload_that_is_not_what_was_announced_is_refused)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  EXPECT_INT(hello_upload(&fx,
                          "/api/v1/blobs?sha256="
                          "0000000000000000000000000000000000000000000000000000000000000000",
                          &text),
             400);
  EXPECT(strstr(text, "\"field\":\"sha256\"") != NULL);
  fx_stop(&fx);
}

TEST(chunks_after_an_early_refusal_just_go_home)
{
  struct fx fx;
  const char *text;
  struct letter_chunk chunk;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "PUT", "/api/v1/blobs?sha256=zz", NULL);
  fx_post(&fx, ask);
  EXPECT_INT(fx_answer(&fx, ask, &text), 400);
  chunk_send(&fx, ask, &chunk, "hello", true, false);
  chunk_home(&fx, &chunk);
  ask = fx_send(&fx, "PUT", "/api/v1/blobs", NULL);
  ask->upload_bytes = ARTIFACT_BYTES_MAX + 1;
  fx_post(&fx, ask);
  EXPECT_INT(fx_answer(&fx, ask, &text), 413);
  fx_stop(&fx);
}

TEST(a_client_that_leaves_leaves_nothing)
{
  struct fx fx;
  struct letter_chunk chunk;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "PUT", "/api/v1/blobs", NULL);
  fx_post(&fx, ask);
  chunk_send(&fx, ask, &chunk, "hel", false, false);
  chunk_home(&fx, &chunk);
  chunk_send(&fx, ask, &chunk, "", false, true);
  struct mail *mail = mailbox_wait(&fx.home, clock_us() + FX_WAIT_US);
  EXPECT(mail == &chunk.mail);
  if (mail->next) {
    EXPECT(mail->next == &ask->mail);
    blob_drop(ask->reply.body);
  } else {
    fx_answer(&fx, ask, &text);
  }
  EXPECT_INT(ask->reply.status, 499);
  fx_stop(&fx); /* expects no stage open */
}

TEST(a_full_disk_is_507)
{
  struct fx fx;
  struct letter_chunk chunk;
  fx_begin(&fx);
  fx_stage_fails = E_STORAGE_FULL;
  struct letter_ask *ask = fx_send(&fx, "PUT", "/api/v1/blobs", NULL);
  fx_post(&fx, ask);
  chunk_send(&fx, ask, &chunk, "hel", false, false);
  struct mail *mail = mailbox_wait(&fx.home, clock_us() + FX_WAIT_US);
  EXPECT(mail == &chunk.mail);
  if (!mail->next) fx_take(&fx.home);
  EXPECT_INT(ask->reply.status, 507);
  blob_drop(ask->reply.body);
  fx_stage_fails = OK;
  fx_stop(&fx);
}

TEST(stopping_gives_up_an_upload)
{
  struct fx fx;
  const char *text;
  struct letter_chunk chunk;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "PUT", "/api/v1/blobs", NULL);
  fx_post(&fx, ask);
  chunk_send(&fx, ask, &chunk, "hel", false, false);
  chunk_home(&fx, &chunk);
  struct letter_note stop = {.mail = {.kind = LETTER_STOP}};
  mail_send(desk_mailbox(fx.desk), &stop.mail);
  EXPECT_INT(fx_answer(&fx, ask, &text), 503);
  fx_stop(&fx); /* its own STOP stays unread; the thread is gone */
}

TEST(a_version_names_uploaded_files)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  hello_upload(&fx, "/api/v1/blobs", &text);
  struct letter_ask *ask = fx_send(&fx, "POST", "/api/v1/models/new-model/versions",
                                   "{\"files\":[{\"name\":\"z.txt\",\"sha256\":\"" HELLO_SHA
                                   "\",\"bytes\":5},"
                                   "{\"name\":\"a.onnx\",\"sha256\":\"" HELLO_SHA
                                   "\"}],\"engine\":\"onnx\","
                                   "\"note\":\"gr\xc3\xbc\xc3\x9f\"}");
  fx_post(&fx, ask);
  struct letter_command *command = fx_command(&fx);
  EXPECT_INT(command->kind, COMMAND_PUSH);
  EXPECT_INT(command->event.n_files, 2);
  EXPECT(slice_eq(command->event.files[0].name, SLICE("a.onnx")));
  EXPECT_INT(command->event.files[1].bytes, 5);
  EXPECT(slice_eq(command->event.engine, SLICE("onnx")));
  EXPECT(slice_eq(command->event.note, SLICE("gr\xc3\xbc\xc3\x9f")));
  command->version = 1;
  command->seq = 4;
  fx_command_home(command, OK, "");
  EXPECT_INT(fx_answer(&fx, ask, &text), 201);
  EXPECT(strstr(text, "{\"model\":\"new-model\",\"version\":1,\"digest\":\"") == text);
  fx_stop(&fx);
}

TEST(manifests_that_no_version_can_have)
{
#define FILE_OF(name) "{\"name\":\"" name "\",\"sha256\":\"" HELLO_SHA "\"}"
  static const struct {
    const char *body, *code;
  } rows[] = {
      {"", "INVALID_ARGUMENT"},
      {"{\"files\":[]}", "INVALID_ARGUMENT"},
      {"{\"files\":{}}", "INVALID_ARGUMENT"},
      {"{\"files\":[1]}", "WRONG_TYPE"},
      {"{\"files\":[" FILE_OF("../x") "]}", "BAD_NAME"},
      {"{\"files\":[" FILE_OF("a/b") "]}", "BAD_NAME"},
      {"{\"files\":[" FILE_OF(".hidden") "]}", "BAD_NAME"},
      {"{\"files\":[" FILE_OF("") "]}", "BAD_NAME"},
      {"{\"files\":[" FILE_OF("a\\\\b") "]}", "BAD_NAME"},
      {"{\"files\":[" FILE_OF("a\\u0000b") "]}", "BAD_JSON"},
      {"{\"files\":[" FILE_OF("a") "," FILE_OF("a") "]}", "BAD_NAME"},
      {"{\"files\":[{\"name\":\"a\",\"sha256\":\"xyz\"}]}", "INVALID_ARGUMENT"},
      {"{\"files\":[{\"name\":\"a\",\"sha256\":\"" HELLO_SHA "\",\"bytes\":6}]}", "BAD_SIZE"},
      {"{\"files\":[{\"name\":\"a\",\"sha256\":\""
       "1111111111111111111111111111111111111111111111111111111111111111\"}]}",
       "INVALID_ARGUMENT"},
      {"{\"files\":[" FILE_OF("a") "],\"engine\":\"O N\"}", "BAD_NAME"},
      {"{\"files\":[" FILE_OF("a") "],\"tag\":1}", "INVALID_ARGUMENT"},
  };
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  hello_upload(&fx, "/api/v1/blobs", &text);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    FX_EXPECT_CODE(&fx, "POST", "/api/v1/models/m/versions", rows[i].body, 400, rows[i].code);
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/models/con/versions", "{}", 400, "BAD_NAME");
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/models/a..b/versions", "{}", 400, "BAD_NAME");
  fx_stop(&fx);
}

TEST(a_load_with_files_pushes_then_deploys)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask =
      fx_send(&fx, "POST", "/v2/repository/models/fresh/load",
              "{\"parameters\":{\"config\":\"{\\\"backend\\\":\\\"onnxruntime\\\"}\","
              "\"file:7/model.onnx\":\"aGVsbG8=\"}}");
  ask->headers[ASK_IDEMPOTENCY_KEY] = SLICE("k");
  fx_post(&fx, ask);
  struct letter_command *command = fx_command(&fx);
  EXPECT_INT(command->kind, COMMAND_PUSH);
  EXPECT_INT(command->event.n_files, 1);
  EXPECT(slice_eq(command->event.files[0].name, SLICE("model.onnx")));
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(&command->event.files[0].digest, hex);
  EXPECT_STR(hex, HELLO_SHA);
  EXPECT(slice_eq(command->event.engine, SLICE("onnx")));
  EXPECT(slice_eq(command->event.idempotency, SLICE("k")));
  command->version = 4;
  fx_command_home(command, OK, "");
  command = fx_command(&fx);
  EXPECT_INT(command->kind, COMMAND_DEPLOY);
  EXPECT_INT(command->event.version, 4);
  EXPECT(command->wait);
  EXPECT_INT(command->event.idempotency.len, 0);
  fx_command_home(command, OK, "");
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  EXPECT_STR(text, "{\"name\":\"fresh\",\"load\":true}");
  fx_stop(&fx);
}

TEST(a_load_without_files_deploys_the_newest)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "POST", "/v2/repository/models/digits/load", "");
  fx_post(&fx, ask);
  struct letter_command *command = fx_command(&fx);
  EXPECT(command->kind == COMMAND_DEPLOY && command->event.version == 0 && command->wait);
  fx_command_home(command, E_GOLDEN_FAILED, "golden example 2 differs");
  EXPECT_INT(fx_answer(&fx, ask, &text), 422);
  fx_stop(&fx);
}

TEST(loads_that_cannot_be)
{
#define CONFIG "\"config\":\"{}\""
  static const struct {
    const char *body;
    int status;
    const char *code;
  } rows[] = {
      {"{\"parameters\":[]}", 400, "WRONG_TYPE"},
      {"{\"parameters\":{\"file:1/m\":\"aGVsbG8=\"}}", 400, "INVALID_ARGUMENT"},
      {"{\"parameters\":{" CONFIG ",\"file:1/m\":\"aGVsbG8\"}}", 400, "INVALID_ARGUMENT"},
      {"{\"parameters\":{" CONFIG ",\"file:1/m\":\"aGVsbG9=\"}}", 400, "INVALID_ARGUMENT"},
      {"{\"parameters\":{" CONFIG ",\"file:1/m\":\"aG=sbG8=\"}}", 400, "INVALID_ARGUMENT"},
      {"{\"parameters\":{" CONFIG ",\"file:1/m\":7}}", 400, "WRONG_TYPE"},
      {"{\"parameters\":{" CONFIG ",\"file:m\":\"\"}}", 400, "BAD_NAME"},
      {"{\"parameters\":{" CONFIG ",\"file:x/m\":\"\"}}", 400, "BAD_VERSION"},
      {"{\"parameters\":{" CONFIG ",\"file:1/a/b\":\"\"}}", 400, "BAD_NAME"},
      {"{\"parameters\":{" CONFIG ",\"file:1/../b\":\"\"}}", 400, "BAD_NAME"},
      {"{\"parameters\":{" CONFIG ",\"file:1/a\":\"\",\"file:2/b\":\"\"}}", 400,
       "INVALID_ARGUMENT"},
      {"{\"parameters\":{\"config\":\"nonsense\"}}", 400, "BAD_JSON"},
      {"{\"parameters\":{\"config\":\"[]\"}}", 400, "WRONG_TYPE"},
      {"{\"parameters\":{\"config\":\"{\\\"name\\\":\\\"other\\\"}\"}}", 400, "INVALID_ARGUMENT"},
      {"{\"parameters\":{\"config\":\"{\\\"max_batch_size\\\":3}\"}}", 501, "NOT_IMPLEMENTED"},
  };
  struct fx fx;
  fx_begin(&fx);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    FX_EXPECT_CODE(&fx, "POST", "/v2/repository/models/digits/load", rows[i].body, rows[i].status,
                   rows[i].code);
  fx_stop(&fx);
}

TEST(a_config_read_from_us_may_be_sent_back)
{
  struct fx fx;
  const char *text;
  int status;
  fx_begin(&fx);
  json_t *config = fx_ask(&fx, "GET", "/v2/models/digits/config", NULL, &status);
  char *dump = json_dumps(config, JSON_COMPACT);
  json_t *body = json_pack("{s{ss}}", "parameters", "config", dump);
  char *body_text = json_dumps(body, JSON_COMPACT);
  struct letter_ask *ask = fx_send(&fx, "POST", "/v2/repository/models/digits/load", body_text);
  fx_post(&fx, ask);
  fx_command_home(fx_command(&fx), OK, "");
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  json_decref(config);
  json_decref(body);
  ungrab(dump);
  ungrab(body_text);
  fx_stop(&fx);
}

TEST(an_unload_retires)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "POST", "/v2/repository/models/digits/unload",
                                   "{\"parameters\":{\"unload_dependents\":false}}");
  fx_post(&fx, ask);
  struct letter_command *command = fx_command(&fx);
  EXPECT_INT(command->kind, COMMAND_RETIRE);
  fx_command_home(command, OK, "");
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  EXPECT_STR(text, "{\"name\":\"digits\",\"unload\":true}");
  fx_stop(&fx);
}
