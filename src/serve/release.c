/* release.c - a request among the arms of a release: its lot, and what this loop may decide alone.
 * Thread: its loop.
 *
 * Evidence is what the lot gave out. A request that chose its arm, has no key, or went to stable
 * because the candidate had enough (unjudged_max) or was killed here is answered, not counted.
 * SPDX-License-Identifier: MIT */
#include "serve/release_int.h"

#include "base/hash.h"
#include "stat/assign.h"

enum { KILL_ANSWERS = 20 };
enum { COSTED = 64, COST_BITS_MAX = 16 };
_Static_assert(KILL_ANSWERS <= 32, "the last answers are bits of one word");

/* --- what a request says ---------------------------------------------------------------------- */

static struct slice header_value(const struct call *call, struct slice name)
{
  uint16_t from = 0;
  return http_head_find(call->came.head, name, &from);
}

static struct slice parameter_value(const struct call *call, struct slice name)
{
  const struct infer_request *request = &call->request;
  for (uint32_t i = 0; i < request->n_others; i++)
    if (slice_eq(request->others[i].key, name)) return request->others[i].value;
  return SLICE_NONE;
}

struct slice release_field(const struct call *call, struct slice field)
{
  struct slice header = SLICE("header:"), parameter = SLICE("parameter:");
  if (slice_starts(field, header)) return header_value(call, slice_from(field, header.len));
  if (slice_starts(field, parameter))
    return parameter_value(call, slice_from(field, parameter.len));
  return slice_eq(field, SLICE("tenant")) ? call->came.tenant->name : SLICE_NONE;
}

static struct slice sticky_key(const struct call *call, const struct split *split)
{
  switch (split->sticky) {
    case STICKY_REQUEST: return slice_of((const char *)&call->lot, sizeof call->lot);
    case STICKY_HEADER: return header_value(call, split->sticky_name);
    case STICKY_PARAMETER: return parameter_value(call, split->sticky_name);
    case STICKY_TENANT: return call->came.tenant->name;
  }
  return SLICE_NONE;
}

/* --- where it is counted ---------------------------------------------------------------------- */

static uint64_t release_name(const struct model *model, const struct split *split)
{
  return (uint64_t)model->slot << 32 | split->number;
}

bool release_runs(const struct serve *serve, const struct release_ref *ref)
{
  if (ref->lease == serve->newest) return true;
  const struct world *world = serve_newest(serve);
  const struct tenant *tenant = world ? world_tenant(world, ref->tenant->name) : NULL;
  const struct model *model = tenant ? world_model(world, tenant, ref->model->name) : NULL;
  const struct split *split = model ? model->release : NULL;
  return split && model->slot == ref->model->slot && split->number == ref->split->number &&
         split->slot == ref->split->slot;
}

bool release_here(struct serve *serve, const struct release_ref *ref, struct release_place *place)
{
  struct tally *tally = serve->tally;
  const struct split *split = ref->split;
  if (!release_runs(serve, ref)) return false;
  must(split->slot < tally->n_releases); /* serve_world sees to it */
  place->tally = &tally->releases[split->slot];
  place->local = &tally->locals[split->slot];
  place->tally->touched = true;
  uint64_t name = release_name(ref->model, split);
  if (place->local->of != name) *place->local = (struct release_local){.of = name};
  return true;
}

/* --- units ------------------------------------------------------------------------------------ */

uint64_t unit_hash(struct slice key)
{
  static const unsigned char fixed[16] = "slipway units 1";
  return siphash(fixed, key);
}

/* Which of two keys it is, cheaply: to see that a unit comes again, nothing more. */
static uint64_t key_mark(struct slice key, uint64_t of)
{
  uint64_t mark = key.len ^ of * 0x9e3779b97f4a7c15u;
  while (key.len) {
    uint64_t word = 0;
    size_t n = key.len < sizeof word ? key.len : sizeof word;
    for (size_t i = 0; i < n; i++) word = word << 8 | (unsigned char)key.at[i];
    mark = (mark ^ word) * 0x9e3779b97f4a7c15u;
    mark ^= mark >> 32;
    key = slice_from(key, n);
  }
  return mark;
}

/* A unit goes to control when this loop has not sent it lately; control counts it once. Its hash is
 * the same on every loop, and not the one the lot is drawn with. */
static void unit_note(struct serve *serve, const struct release_place *place, struct slice key,
                      uint32_t arm)
{
  struct release_tally *tally = place->tally;
  uint64_t mark = key_mark(key, place->local->of);
  uint64_t *seen = &serve->units_seen[mark & (UNITS_SEEN - 1)];
  if (*seen == mark || tally->n_units == UNITS_KEPT) return;
  *seen = mark;
  tally->units[tally->n_units] = unit_hash(key);
  tally->unit_arm[tally->n_units++] = (uint8_t)arm;
}

/* --- choosing --------------------------------------------------------------------------------- */

static const struct arm *stable_arm(const struct model *model) { return &model->arms[ARM_STABLE]; }

/* The arm that a request asks for, where the plan lets it; NULL: it asks for none. */
static const struct arm *arm_asked(const struct call *call, const struct split *split)
{
  const struct model *model = call->model;
  uint64_t number;
  uint32_t arm;
  if (!split->selector.len) return NULL;
  struct slice value = release_field(call, split->selector);
  if (!value.len) return NULL;
  if (!arm_named(value, &arm)) {
    if (!text_read_u64(value, ARMS_MAX, &number)) return NULL;
    arm = (uint32_t)number;
  }
  if (arm >= model->n_arms) return NULL;
  bool out = !model->arms[arm].version || split->closed & ARM_BIT(arm);
  return out ? stable_arm(model) : &model->arms[arm];
}

/* What a candidate may not have any more goes to stable. */
static const struct arm *arm_allowed(struct call *call, const struct split *split,
                                     const struct release_place *place, uint32_t drawn)
{
  const struct model *model = call->model;
  struct release_local *local = place->local;
  bool full = local->sent >= split->unjudged_max;
  place->tally->killed = local->killed;
  call->counts = !(full && stable_arm(model)->weight < WEIGHT_WHOLE);
  if (drawn == ARM_STABLE) return stable_arm(model);
  if (split->closed & ARM_BIT(drawn)) {
    call->counts = false;
    return stable_arm(model);
  }
  if (!full && !(local->killed & ARM_BIT(drawn))) {
    local->sent++;
    return &model->arms[drawn];
  }
  place->tally->unjudged++;
  call->counts = false;
  return stable_arm(model);
}

static bool arm_killed(const struct release_place *place, const struct model *model,
                       const struct arm *arm)
{
  return arm != stable_arm(model) && place->local->killed & ARM_BIT(arm - model->arms);
}

/* Measuring CPU time is dear (clock.h): of an arm's answers about COSTED a second are measured on
 * this loop, drawn by lot, or all where there are fewer. */
void release_local_carry(struct release_local *local, const struct release_tally *counted)
{
  local->sent = 0;
  for (uint32_t arm = 0; arm < ARMS_MAX; arm++) {
    uint8_t bits = 0;
    while (counted->assigned[arm] >> bits > COSTED && bits < COST_BITS_MAX) bits++;
    local->cost_bits[arm] = bits;
  }
}

static bool cost_drawn(const struct call *call, const struct release_local *local, uint32_t arm)
{
  return (call->lot & ((UINT64_C(1) << local->cost_bits[arm]) - 1)) == 0;
}

static struct release_ref call_ref(const struct call *call)
{
  return (struct release_ref){call->lease, call->came.tenant, call->model, call->split};
}

static const struct arm *arm_choose(struct call *call)
{
  const struct model *model = call->model;
  const struct split *split = call->split;
  struct release_ref ref = call_ref(call);
  struct release_place place;
  if (!release_here(call->serve, &ref, &place)) return stable_arm(model);
  const struct arm *asked = arm_asked(call, split);
  if (asked) return arm_killed(&place, model, asked) ? stable_arm(model) : asked;
  struct slice key = sticky_key(call, split);
  if (!key.len) {
    place.tally->keyless++;
    return stable_arm(model);
  }
  uint32_t drawn = model_arm_drawn(model, key);
  const struct arm *arm = arm_allowed(call, split, &place, drawn);
  if (!call->counts) return arm;
  place.tally->assigned[drawn]++;
  call->costs = cost_drawn(call, place.local, drawn);
  if (split->remember) call->unit = unit_hash(key);
  if (split->sticky != STICKY_REQUEST) unit_note(call->serve, &place, key, drawn);
  return arm;
}

/* Whether a shadow gets a copy: by a lot of its own, drawn with the same key. */
static bool copy_drawn(const struct call *call, const struct split *split)
{
  if (split->shadow_weight == WEIGHT_WHOLE) return true;
  struct slice key = sticky_key(call, split);
  if (!key.len) key = slice_of((const char *)&call->lot, sizeof call->lot);
  uint32_t hash = assign_again(assign_hash(split->seed, key));
  return assign_bucket(hash, WEIGHT_WHOLE) < split->shadow_weight;
}

const struct arm *release_choose(struct call *call)
{
  call->split = call->model->release;
  call->lot = rand_u64(&call->serve->rand);
  call->costs = false;
  const struct arm *arm = arm_choose(call);
  if (call->split->shadow && arm == stable_arm(call->model))
    call->copied = copy_drawn(call, call->split);
  return arm;
}

/* --- what answers say ------------------------------------------------------------------------- */

static uint32_t failures(const struct release_local *local, uint32_t arm)
{
  uint32_t last = local->failed[arm] & (uint32_t)((UINT64_C(1) << KILL_ANSWERS) - 1);
  return (uint32_t)__builtin_popcount(last);
}

/* More than half of the last answers of a candidate are the server's failures, stable's are not:
 * this loop sends it nothing more, before control has seen a thing. */
static void kill_check(const struct release_place *place, uint32_t arm)
{
  struct release_local *local = place->local;
  if (local->answered[arm] < KILL_ANSWERS || failures(local, arm) * 2 <= KILL_ANSWERS) return;
  if (failures(local, ARM_STABLE) * 2 > local->answered[ARM_STABLE]) return;
  local->killed = place->tally->killed = local->killed | ARM_BIT(arm);
}

static void segment_name(struct segment_tally *to, uint64_t hash, struct slice field,
                         struct slice value)
{
  struct slice parts[] = {field, SLICE("="), value};
  to->hash = hash;
  for (size_t i = 0; i < field.len; i++)
    if (field.at[i] == ':') parts[0] = slice_from(field, i + 1);
  for (int k = 0; k < 3; k++) {
    size_t room = sizeof to->text - to->text_len, n = parts[k].len;
    if (n > room) n = room;
    if (n) memcpy(to->text + to->text_len, parts[k].at, n);
    to->text_len = (uint8_t)(to->text_len + n);
  }
}

/* The same on every loop, never 0. Most values are short ("de"): those are their own hash. */
static uint64_t segment_hash(uint32_t i, struct slice value)
{
  uint64_t bytes = 0;
  if (value.len > 7)
    return (uint64_t)(0x80 | i) << 56 | (value.len & 0xffffff) << 32 |
           assign_hash(value, SLICE_NONE);
  for (size_t k = 0; k < value.len; k++) bytes = bytes << 8 | (unsigned char)value.at[k];
  return (uint64_t)((i + 1) << 3 | value.len) << 56 | bytes;
}
_Static_assert((SEGMENT_FIELDS_MAX << 3 | 7) < 0x80, "short values and long ones are apart");

static void segment_add(struct release_tally *tally, uint64_t hash, struct slice field,
                        struct slice value, uint32_t arm, bool failed, bool slow)
{
  for (uint32_t i = 0; i < SEGMENTS_MAX; i++) {
    struct segment_tally *to = &tally->segments[i];
    if (to->hash && to->hash != hash) continue;
    if (!to->hash) segment_name(to, hash, field, value);
    to->requests[arm]++;
    to->errors[arm] += failed;
    to->slow[arm] += slow;
    return;
  }
}

/* A segment's header, first where it was the last time. */
static struct slice segment_value(const struct call *call, struct slice field, uint16_t *at)
{
  struct slice header = SLICE("header:");
  const struct http_head *head = call->came.head;
  if (!slice_starts(field, header)) return release_field(call, field);
  struct slice name = slice_from(field, header.len);
  if (*at < head->n_fields) {
    struct slice is = head->fields[*at].name;
    if (is.len == name.len && memcmp(is.at, name.at, name.len) == 0) return head->fields[*at].value;
  }
  uint16_t from = 0;
  struct slice value = http_head_find(head, name, &from);
  if (value.len) *at = (uint16_t)(from - 1);
  return value;
}

void release_answered(struct call *call, bool failed, bool slow)
{
  const struct split *split = call->split;
  struct release_ref ref = call_ref(call);
  struct release_place place;
  if (!release_here(call->serve, &ref, &place)) return;
  uint32_t arm = (uint32_t)(call->arm - call->model->arms);
  struct release_local *local = place.local;
  local->failed[arm] = local->failed[arm] << 1 | failed;
  if (local->answered[arm] < KILL_ANSWERS) local->answered[arm]++;
  if (failed && arm != ARM_STABLE && !(local->killed & ARM_BIT(arm))) kill_check(&place, arm);
  for (uint32_t i = 0; i < split->n_segments; i++) {
    struct slice value = segment_value(call, split->segments[i], &local->segment_at[i]);
    if (!value.len) continue;
    segment_add(place.tally, segment_hash(i, value), split->segments[i], value, arm, failed, slow);
  }
}
