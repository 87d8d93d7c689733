/* upload.c - uploads that may be resumed, in the words of draft-ietf-httpbis-resumable-upload.
 * Thread: desk.
 *
 *   POST   /api/v1/uploads          201, Location, Upload-Offset
 *   GET    Location (or HEAD)       Upload-Offset: what has arrived for good
 *   PATCH  Location                 Upload-Offset: from where; 409 with the true one when it is not
 *   DELETE Location
 *
 * Upload-Complete: ?1 says that these are the last bytes; the answer is then what PUT /blobs
 * answers. A client that goes away leaves what it sent; who declares ?sha256= and Upload-Length
 * finds that again without the Location. Nothing of it can be named in a manifest before its end.
 * SPDX-License-Identifier: MIT */
#include "api/registry/registry_int.h"
#include "api/tenant/quota_int.h"
#include "base/mem.h"
#include "store/held.h"
#include "store/parcel.h"

enum { LOCATION_MAX = sizeof "/api/v1/uploads/" + PARCEL_ID_LEN };

struct resume {
  struct parcel *upload; /* NULL once ended */
  bool last;             /* Upload-Complete: ?1 */
  bool begun;            /* by this request */
  char id[PARCEL_ID_LEN + 1];
};

static void resume_free(void *state)
{
  struct resume *resume = state;
  parcel_close(resume->upload);
  ungrab(resume);
}

/* ---- reading the head ---- */

/* "?1" or "?0"; where it is absent, `otherwise`. */
static bool complete_read(struct ask *ask, bool otherwise, bool *complete)
{
  struct slice text = ask->letter->headers[ASK_UPLOAD_COMPLETE];
  *complete = text.at ? slice_eq(text, SLICE("?1")) : otherwise;
  if (!text.at || *complete || slice_eq(text, SLICE("?0"))) return true;
  fail(&ask->err, E_INVALID_ARGUMENT, "Upload-Complete is ?1 or ?0, not '%.*s'", SLICE_ARG(text));
  fail_at(&ask->err, "Upload-Complete");
  return false;
}

static bool number_read(struct ask *ask, enum ask_header header, const char *name, uint64_t *value)
{
  struct slice text = ask->letter->headers[header];
  if (!text.at || text_read_u64(text, INT64_MAX, value)) return true;
  fail(&ask->err, E_INVALID_ARGUMENT, "%s is a number of bytes, not '%.*s'", name,
       SLICE_ARG(text));
  fail_at(&ask->err, "%s", name);
  return false;
}

static bool want_read(struct ask *ask, struct parcel_want *want)
{
  struct slice hex;
  *want = (struct parcel_want){.bytes = UINT64_MAX};
  if (!number_read(ask, ASK_UPLOAD_LENGTH, "Upload-Length", &want->bytes) ||
      !ask_query(ask, "sha256", &hex))
    return false;
  want->has_digest = hex.at != NULL;
  if (!hex.at || digest_from_hex(hex, &want->digest)) return true;
  fail(&ask->err, E_INVALID_ARGUMENT, "?sha256= is not 64 lower-case hex digits");
  fail_at(&ask->err, "sha256");
  return false;
}

/* ---- answers ---- */

static void head_set(struct ask *ask, const char *id, uint64_t offset, bool complete, bool location)
{
  char *to = ask->letter->reply.fields, line[LOCATION_MAX + 16] = "";
  if (location) snprintf(line, sizeof line, "Location: /api/v1/uploads/%s\r\n", id);
  snprintf(to, REPLY_FIELDS_MAX,
           "%sUpload-Offset: %llu\r\nUpload-Complete: ?%d\r\nCache-Control: no-store\r\n", line,
           (unsigned long long)offset, complete);
}

static enum desk_step offset_answer(struct ask *ask, int status, const char *id, uint64_t offset,
                                    const struct parcel_want *want, bool location)
{
  head_set(ask, id, offset, false, location);
  return ask_json(ask, status,
                  json_pack("{ss,so,so,so,sb}", "upload", id, "offset", json_u64(offset), "bytes",
                            want->bytes == UINT64_MAX ? json_null() : json_u64(want->bytes),
                            "sha256", want->has_digest ? json_digest(&want->digest) : json_null(),
                            "complete", 0));
}

static enum desk_step upload_ended(struct ask *ask, struct resume *resume)
{
  struct digest digest;
  uint64_t bytes;
  struct parcel *upload = resume->upload;
  resume->upload = NULL; /* the end frees it in any case */
  enum code code = parcel_end(upload, &digest, &bytes, &ask->err);
  if (code == E_INVALID_ARGUMENT) quota_upload_give(ask, bytes); /* gone */
  if (code ||
      held_wait(ask->desk->opts->datadir, ask->letter->tenant, &digest, bytes, quota_meter_of(ask),
                &ask->err) != OK ||
      held_add(ask->desk->opts->datadir, ask->letter->tenant, &digest,
               ask->letter->headers[ASK_IDEMPOTENCY_KEY], quota_meter_of(ask),
               &ask->err) != OK)
    return ask_fail(ask);
  head_set(ask, resume->id, bytes, true, resume->begun);
  return ask_json(ask, 201,
                  json_pack("{ss,so,so,so,sb}", "upload", resume->id, "offset", json_u64(bytes),
                            "sha256", json_digest(&digest), "bytes", json_u64(bytes), "complete",
                            1));
}

/* ---- bytes ---- */

static enum desk_step resume_chunk(struct ask *ask, const struct letter_chunk *chunk)
{
  struct resume *resume = ask->state;
  struct slice bytes = slice_of(chunk->bytes, chunk->len);
  if (chunk->abort) { /* what came stays, synced or not: the next offset is what the file has */
    fail(&ask->err, E_CANCELLED, "the client went away");
    return ask_fail(ask);
  }
  if (!quota_upload(ask, chunk->len, 0)) return ask_fail(ask);
  uint64_t before = parcel_offset(resume->upload);
  if (chunk->len && parcel_add(resume->upload, bytes, &ask->err) != OK) {
    quota_upload_give(ask, chunk->len - (parcel_offset(resume->upload) - before));
    return ask_fail(ask);
  }
  if (!chunk->last) return DESK_LATER;
  if (resume->last) return upload_ended(ask, resume);
  if (parcel_sync(resume->upload, &ask->err) != OK) return ask_fail(ask);
  return offset_answer(ask, resume->begun ? 201 : 200, resume->id, parcel_offset(resume->upload),
                       parcel_wanted(resume->upload), resume->begun);
}

static struct resume *resume_new(struct ask *ask)
{
  struct resume *resume = grab_zero(1, sizeof *resume);
  ask->state = resume;
  ask->state_free = resume_free;
  ask->chunk = resume_chunk;
  return resume;
}

static bool resume_open(struct ask *ask, struct resume *resume, struct slice id)
{
  return parcel_open(&resume->upload, ask->desk->opts->datadir, ask->letter->tenant, id,
                     &ask->err) == OK;
}

/* Without Upload-Complete the request is a plain one, and its body the whole file. */
enum desk_step upload_begin(struct ask *ask)
{
  struct resume *resume = resume_new(ask);
  const struct datadir *dir = ask->desk->opts->datadir;
  struct slice key = ask->letter->headers[ASK_IDEMPOTENCY_KEY], tenant = ask->letter->tenant;
  struct parcel_want want;
  if (!ask_once_key(ask) || !complete_read(ask, true, &resume->last) || !want_read(ask, &want))
    return ask_fail(ask);
  if (key.len && want.has_digest &&
      held_key(dir, tenant, key, &want.digest, quota_meter_of(ask), &ask->err) != OK)
    return ask_fail(ask);
  resume->begun = true;
  if (!quota_upload(ask, 0, want.bytes == UINT64_MAX ? 0 : want.bytes)) return ask_fail(ask);
  if (parcel_make(dir, tenant, &want, resume->id, &ask->err) != OK ||
      !resume_open(ask, resume, slice_str(resume->id)))
    return ask_fail(ask);
  if (parcel_offset(resume->upload) == 0 || ask->letter->upload_bytes == 0) return DESK_LATER;
  uint64_t offset = parcel_offset(resume->upload);
  fail(&ask->err, E_CONFLICT, "%llu bytes of this upload are here; send the rest with PATCH to %s",
       (unsigned long long)offset, resume->id);
  head_set(ask, resume->id, offset, false, true);
  return ask_fail(ask);
}

enum desk_step upload_append(struct ask *ask)
{
  struct resume *resume = resume_new(ask);
  struct slice id = ask->letter->params[0];
  uint64_t from = UINT64_MAX;
  if (!complete_read(ask, false, &resume->last) ||
      !number_read(ask, ASK_UPLOAD_OFFSET, "Upload-Offset", &from))
    return ask_fail(ask);
  if (from == UINT64_MAX) {
    fail(&ask->err, E_INVALID_ARGUMENT, "Upload-Offset says where these bytes belong");
    fail_at(&ask->err, "Upload-Offset");
    return ask_fail(ask);
  }
  if (!resume_open(ask, resume, id)) return ask_fail(ask);
  snprintf(resume->id, sizeof resume->id, "%.*s", (int)id.len, id.at);
  uint64_t offset = parcel_offset(resume->upload);
  if (offset == from) return DESK_LATER;
  fail(&ask->err, E_CONFLICT, "the upload has %llu bytes, these begin at %llu; go on from there",
       (unsigned long long)offset, (unsigned long long)from);
  fail_at(&ask->err, "Upload-Offset");
  head_set(ask, resume->id, offset, false, false);
  return ask_fail(ask);
}

/* ---- no bytes ---- */

enum desk_step upload_show(struct ask *ask)
{
  struct slice id = ask->letter->params[0];
  struct resume *resume = resume_new(ask);
  if (!resume_open(ask, resume, id)) return ask_fail(ask);
  snprintf(resume->id, sizeof resume->id, "%.*s", (int)id.len, id.at);
  return offset_answer(ask, 200, resume->id, parcel_offset(resume->upload),
                       parcel_wanted(resume->upload), false);
}

enum desk_step upload_cancel(struct ask *ask)
{
  uint64_t bytes = 0;
  if (parcel_drop(ask->desk->opts->datadir, ask->letter->tenant, ask->letter->params[0], &bytes,
                  &ask->err) != OK)
    return ask_fail(ask);
  quota_upload_give(ask, bytes);
  return ask_json(ask, 200, json_pack("{so,sb}", "upload", json_slice(ask->letter->params[0]),
                                      "removed", 1));
}
