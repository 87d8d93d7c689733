/* engine.c - the table of engines.
 * Thread: any; constant.
 * SPDX-License-Identifier: MIT */
#include "infer/engine.h"

#define ENGINE(name) extern const struct engine engine_##name;
#include "infer/engines.def"
#undef ENGINE

static const struct engine *const engines[] = {
#define ENGINE(name) &engine_##name,
#include "infer/engines.def"
#undef ENGINE
};

size_t engine_count(void) { return sizeof engines / sizeof *engines; }

const struct engine *engine_at(size_t i)
{
  must(i < engine_count());
  return engines[i];
}

const struct engine *engine_named(struct slice name)
{
  for (size_t i = 0; i < engine_count(); i++)
    if (slice_eq(name, slice_str(engines[i]->name))) return engines[i];
  return NULL;
}

const struct engine *engine_guess(const struct model_source *source)
{
  for (size_t i = 0; i < engine_count(); i++)
    if (engines[i]->claims(source)) return engines[i];
  return NULL;
}

const struct model_file *source_file(const struct model_source *source, struct slice name)
{
  for (uint32_t i = 0; i < source->n_files; i++)
    if (slice_eq(source->files[i].name, name)) return &source->files[i];
  return NULL;
}
