/* onnx.c - the engine for ONNX models, through ONNX Runtime (onnx/ort.h).
 *
 * One session per model, run by any number of seats at once. Inside a run there is one thread
 * unless the model asks for more, no spinning, no arena of the library's own: memory is booked on
 * the model (onnx/account.h) and what is not needed goes back to the heap.
 * Files: onnx/contract.c asks the session what it takes and gives, onnx/seat.c runs it,
 * onnx/words.c says what went wrong.
 * Thread: job opens and closes, worker runs, as engine.h says.
 * SPDX-License-Identifier: MIT */
#include <malloc.h>

#include "base/mem.h"
#include "infer/onnx/onnx_int.h"
#include "infer/watch.h"

enum { THREADS_MAX = 64, GRAPH_SPARE = 4 << 20 };
#define MEMORY_SPARE (UINT64_C(512) << 20) /* default limit: three times the file and this */

/* model.onnx, or the one file that ends so. */
static const struct model_file *onnx_file(const struct model_source *source)
{
  const struct model_file *file = source_file(source, SLICE("model.onnx"));
  for (uint32_t i = 0, found = 0; !file && i < source->n_files; i++)
    if (slice_ends(source->files[i].name, SLICE(".onnx")) && found++ == 0) file = &source->files[i];
  return file;
}

static bool onnx_claims(const struct model_source *source) { return onnx_file(source) != NULL; }

static struct ort_status *options_make(const struct ort *ort, const struct model_config *config,
                                       struct ort_options **options)
{
  static const char *const entries[][2] = {
      {"session.load_model_format", "ONNX"}, /* what our walk has read, nothing else */
      {"session.use_env_allocators", "1"},
      {"session.intra_op.allow_spinning", "0"},
      {"session.inter_op.allow_spinning", "0"},
  };
  uint32_t threads = config->threads ? config->threads : 1;
  if (threads > THREADS_MAX) threads = THREADS_MAX;
  struct ort_status *status = ort->CreateSessionOptions(options);
  if (!status) status = ort->SetSessionLogSeverityLevel(*options, ORT_LOG_FATAL);
  if (!status) status = ort->SetSessionExecutionMode(*options, ORT_SEQUENTIAL);
  if (!status) status = ort->DisableMemPattern(*options);
  if (!status) status = ort->DisableCpuMemArena(*options);
  if (!status) status = ort->SetIntraOpNumThreads(*options, (int)threads);
  if (!status) status = ort->SetInterOpNumThreads(*options, 1);
  for (size_t i = 0; !status && i < sizeof entries / sizeof *entries; i++)
    status = ort->AddSessionConfigEntry(*options, entries[i][0], entries[i][1]);
  return status;
}

/* The watch's thread: a load that takes too long. */
struct load {
  const struct ort *ort;
  struct ort_options *options;
};

static void load_end(void *arg)
{
  struct load *load = arg;
  struct ort_status *status = load->ort->SessionOptionsSetLoadCancellationFlag(load->options, true);
  if (status) load->ort->ReleaseStatus(status);
}

/* The parsed graph is heap the account does not see: what the heap has grown by while loading, less
 * what was booked. Other threads blur it, so there is a bound to what is believed. */
static uint64_t heap_bytes(void)
{
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static uint64_t graph_bytes(uint64_t before, const struct onnx *onnx, uint64_t file_bytes)
{
  uint64_t now = heap_bytes(), booked = account_bytes(onnx->account) + before;
  uint64_t grown = now > booked ? now - booked : 0;
  uint64_t most = 8 * file_bytes + GRAPH_SPARE;
  return grown < most ? grown : most;
}

static enum code session_make(struct onnx *onnx, const struct model_source *source,
                              struct ort_options *options, struct err *err)
{
  struct slice bytes = onnx_file(source)->bytes;
  struct load load = {onnx->ort, options};
  struct watched watched;
  bool late = false, watching = source->watch && source->deadline_us > 0;
  if (watching) {
    watch_join(source->watch, &watched, load_end, NULL, &load);
    watch_begin(source->watch, &watched, source->deadline_us);
  }
  uint64_t before = heap_bytes();
  account_enter(onnx->account);
  struct ort_status *status = onnx->ort->CreateSessionFromArray(onnx->ort->env, bytes.at, bytes.len,
                                                                options, &onnx->session);
  account_leave();
  if (watching) {
    late = watch_end(&watched);
    watch_leave(source->watch, &watched);
  }
  if (!status) onnx->graph_bytes = graph_bytes(before, onnx, bytes.len);
  if (!status) return OK;
  if (!late) return onnx_load_failed(onnx, status, err);
  onnx->ort->ReleaseStatus(status);
  return fail(
      err, E_MODEL_LOAD_FAILED,
      "loading the model took too long and was stopped: make it smaller, or load it when the "
      "machine is less busy");
}

static void onnx_close(void *model)
{
  struct onnx *onnx = model;
  if (onnx->session) onnx->ort->ReleaseSession(onnx->session);
  account_free(onnx->account);
  ungrab(onnx);
}

static enum code onnx_open(const struct model_source *source, struct arena *arena,
                           struct contract *contract, void **model, struct err *err)
{
  const struct ort *ort;
  const struct model_file *file = onnx_file(source);
  err->code = OK;
  if (!file) return fail(err, E_MODEL_REJECTED, "there is no model.onnx: engine onnx needs one");
  if (ort_get(&ort, err) != OK) return err->code;
  struct onnx *onnx = grab_zero(1, sizeof *onnx);
  uint64_t bytes_max = source->config->memory_max;
  onnx->ort = ort;
  onnx->account = account_new(bytes_max ? bytes_max : 3 * (uint64_t)file->bytes.len + MEMORY_SPARE);
  struct ort_options *options = NULL;
  struct ort_status *status = options_make(ort, source->config, &options);
  enum code code =
      status ? onnx_load_failed(onnx, status, err) : session_make(onnx, source, options, err);
  if (code == OK) code = onnx_contract(onnx, arena, err);
  if (options) ort->ReleaseSessionOptions(options);
  if (code != OK) {
    onnx_close(onnx);
    return code;
  }
  *contract = onnx->contract;
  *model = onnx;
  return OK;
}

static uint64_t onnx_bytes(const void *model, uint64_t *peak)
{
  const struct onnx *onnx = model;
  uint64_t own = sizeof *onnx + onnx->graph_bytes;
  *peak = own + account_peak(onnx->account);
  return own + account_bytes(onnx->account);
}

const struct engine engine_onnx = {
    .name = "onnx",
    .platform = "onnxruntime_onnx",
    .claims = onnx_claims,
    .open = onnx_open,
    .close = onnx_close,
    .sit = onnx_sit,
    .leave = onnx_leave,
    .run = onnx_run,
    .cancel = onnx_cancel,
    .bytes = onnx_bytes,
};
