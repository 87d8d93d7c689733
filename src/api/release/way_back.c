/* way_back.c - before a release begins: are the files of the version to go back to there, and what
 * they were? It is in memory, but a restart in the middle of the release reads them again.
 * Thread: desk.
 * Source: robustness rule RO-105.
 * SPDX-License-Identifier: MIT */
#include "api/manifest_int.h"
#include "api/release/release_int.h"
#include "store/artifact.h"

enum { READ_BYTES_MAX = 64 << 20 }; /* of one version; of more only the sizes are looked at */

static enum code file_look(const struct datadir *dir, const struct event_file *file, bool read,
                           struct err *err)
{
  uint64_t bytes;
  enum code code = artifact_size(dir, &file->digest, &bytes, err);
  if (code == OK && bytes != file->bytes)
    code = fail(err, E_ARTIFACT_CORRUPT, "a stored object is not as long as it was");
  if (code == OK && read) code = artifact_verify(dir, &file->digest, err);
  return code;
}

bool way_back_holds(struct ask *ask, const struct version *stable)
{
  struct event event;
  struct err why = {.code = OK};
  if (!manifest_event_read(ask, stable, &event)) return false;
  for (uint32_t i = 0; i < event.n_files; i++) {
    bool read = stable->bytes <= READ_BYTES_MAX;
    if (file_look(ask->desk->opts->datadir, &event.files[i], read, &why) == OK) continue;
    bool lost = why.code == E_NOT_FOUND || why.code == E_ARTIFACT_CORRUPT;
    fail(&ask->err, lost ? E_ARTIFACT_CORRUPT : why.code,
         "version %u, which serves and would be gone back to, would not survive a restart: its "
         "file '%.*s' is lost or damaged in the store (%s); push these files again, then deploy",
         stable->number, SLICE_ARG(event.files[i].name), why.text);
    return false;
  }
  return true;
}
