/* upload.c - one file, streamed to disk under its SHA-256. Nothing is visible before its last byte.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/handlers_int.h"
#include "api/tenant/quota_int.h"
#include "base/mem.h"
#include "store/artifact.h"
#include "store/held.h"

struct put {
  struct stage *stage; /* NULL once committed */
  struct digest wanted;
  bool has_wanted;
  uint64_t counted; /* bytes of the tenant's quota */
};

static void upload_free(void *state)
{
  struct put *upload = state;
  stage_abort(upload->stage);
  ungrab(upload);
}

static enum desk_step blob_chunk(struct ask *ask, const struct letter_chunk *chunk);

enum desk_step blob_put(struct ask *ask)
{
  struct slice hex;
  struct put *upload = grab_zero(1, sizeof *upload);
  ask->state = upload;
  ask->state_free = upload_free;
  ask->chunk = blob_chunk;
  if (!ask_once_key(ask) || !ask_query(ask, "sha256", &hex)) return ask_fail(ask);
  upload->has_wanted = hex.at != NULL;
  if (upload->has_wanted && !digest_from_hex(hex, &upload->wanted)) {
    fail(&ask->err, E_INVALID_ARGUMENT, "?sha256= is not 64 lower-case hex digits");
    fail_at(&ask->err, "sha256");
    return ask_fail(ask);
  }
  uint64_t bytes = ask->letter->upload_bytes;
  if (bytes != UINT64_MAX && bytes > ARTIFACT_BYTES_MAX) {
    fail(&ask->err, E_BODY_TOO_LARGE, "the file has %llu bytes, the most is %llu",
         (unsigned long long)bytes, (unsigned long long)ARTIFACT_BYTES_MAX);
    return ask_fail(ask);
  }
  if (!quota_upload(ask, 0, bytes == UINT64_MAX ? 0 : bytes)) return ask_fail(ask);
  if (stage_new(&upload->stage, ask->desk->opts->datadir, 0, &ask->err) != OK) {
    upload->stage = NULL;
    return ask_fail(ask);
  }
  return DESK_LATER;
}

static enum desk_step upload_failed(struct ask *ask, struct put *upload)
{
  quota_upload_give(ask, upload->counted);
  return ask_fail(ask);
}

/* What was committed counts whatever is said of it: it lies there until it is collected. */
static enum desk_step upload_end(struct ask *ask, struct put *upload)
{
  struct digest digest;
  uint64_t bytes;
  struct stage *stage = upload->stage;
  upload->stage = NULL; /* commit frees it in any case */
  if (stage_commit(stage, &digest, &bytes, &ask->err) != OK) return upload_failed(ask, upload);
  if (held_wait(ask->desk->opts->datadir, ask->letter->tenant, &digest, bytes, quota_meter_of(ask),
                &ask->err) != OK)
    return ask_fail(ask);
  if (upload->has_wanted && memcmp(&digest, &upload->wanted, sizeof digest) != 0) {
    fail(&ask->err, E_INVALID_ARGUMENT, "the bytes are not those of ?sha256=; send them again");
    fail_at(&ask->err, "sha256");
    return ask_fail(ask);
  }
  if (held_add(ask->desk->opts->datadir, ask->letter->tenant, &digest,
               ask->letter->headers[ASK_IDEMPOTENCY_KEY], quota_meter_of(ask),
               &ask->err) != OK)
    return ask_fail(ask);
  return ask_json(ask, 201,
                  json_pack("{so,so}", "sha256", json_digest(&digest), "bytes", json_u64(bytes)));
}

static enum desk_step blob_chunk(struct ask *ask, const struct letter_chunk *chunk)
{
  struct put *upload = ask->state;
  if (chunk->abort) {
    fail(&ask->err, E_CANCELLED, "the client went away");
    return upload_failed(ask, upload);
  }
  if (!quota_upload(ask, chunk->len, 0)) return upload_failed(ask, upload);
  upload->counted += chunk->len;
  if (chunk->len && stage_add(upload->stage, slice_of(chunk->bytes, chunk->len), &ask->err) != OK)
    return upload_failed(ask, upload);
  return chunk->last ? upload_end(ask, upload) : DESK_LATER;
}
