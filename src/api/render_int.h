/* render_int.h - what a world looks like from outside: its nouns as JSON trees. Room-internal.
 * Thread: desk; pure but for memory. Each returns a new tree.
 * Source: sections 2 and 8 of the wire contract for the V2 forms; the others are our own.
 * SPDX-License-Identifier: MIT */
#ifndef API_RENDER_INT_H
#define API_RENDER_INT_H

#include <jansson.h>

#include "base/blob.h"
#include "world/tally.h"
#include "world/world.h"

/* V2: {"name","versions","platform","inputs","outputs"}; shapes hold the batch dimension as -1. */
json_t *metadata_json(const struct model *model, const struct version *version);
/* V2: Triton's ModelConfig; dims without the batch dimension where max_batch_size > 0. */
json_t *config_json(const struct model *model, const struct version *version);
/* V2: one element of model_stats. */
json_t *stats_json(const struct model *model, const struct version *version,
                   const struct version_tally *tally);
/* V2: one element of the repository index. */
json_t *index_json(const struct model *model, const struct version *version);

/* The control plane's own. */
json_t *model_json(const struct model *model);
json_t *version_json(const struct version *version);
/* The members of a card (control/registry/card.h); NULL: none. */
void card_set(json_t *tree, const struct blob *card);
const char *version_state_name(enum version_state state); /* "STORED" */
/* What a person calls the model's state: READY when something serves, else the newest news. The
 * version it is about; NULL: the model has none. */
const struct version *model_state_of(const struct model *model, enum version_state *state);

/* The route table as OpenAPI 3.1. */
json_t *openapi_tree(const char *version);

/* The most rows of one request that the configuration promises. */
enum { CONFIG_ROWS_MAX = 1024 };

#endif
