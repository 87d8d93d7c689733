/* run.c - one release on simulated traffic, and many of them on all processors.
 * Thread: own.
 * SPDX-License-Identifier: MIT */
#include "sim/run.h"

#include "base/mem.h"

enum { BLOCK_S = PAST_BLOCK_MS / 1000, MINUTE_S = 60 };
#define PAIRS_DIFFER 0.001 /* share of shadow pairs that disagree */

/* What one thread works with; about half a megabyte. */
struct bench {
  const struct sim_case *of;
  const struct model *model;
  struct crowd crowd;
  struct past past;
  struct baseline baseline;
  struct trial trial;
  struct look look;
  struct verdict verdict;
  struct rollout rollout;
  struct rivals rivals;
  struct sketch sketch;
  struct crowd_seen undrained; /* stable's, since the last drain */
  uint32_t stable_weight;
  uint32_t undrained_s;
  double first_part[ARMS_MAX];
  uint32_t won; /* ARM_NONE: nobody yet */
};

/* ---- the release ---- */

static bool has_steps_left(const struct bench *bench)
{
  return bench->rollout.step + 1 < bench->of->plan.n_steps;
}

/* Latencies are drawn in full only for who wants them: the next baseline, the rivals' minute. */
static void bench_drain(struct bench *bench)
{
  bool past = has_steps_left(bench);
  if (!bench->undrained_s || (!past && !bench->of->rivals)) return;
  for (uint32_t arm = 0; arm < CROWD_ARMS; arm++) { /* rivals know these two */
    memset(&bench->sketch, 0, sizeof bench->sketch);
    crowd_drain(&bench->crowd, arm, &bench->sketch);
    if (bench->of->rivals) rivals_add(&bench->rivals, arm, &bench->sketch);
    if (arm == ARM_STABLE && past)
      past_add(&bench->past, &bench->sketch, bench->undrained.requests, bench->undrained.errors, 0,
               bench->stable_weight, bench->undrained_s * 1000u);
  }
  memset(&bench->undrained, 0, sizeof bench->undrained);
  bench->undrained_s = 0;
}

static void bench_step(struct bench *bench)
{
  bench_drain(bench);
  past_baseline(&bench->past, &bench->of->plan, bench->rollout.step, &bench->baseline);
  crowd_reference(&bench->crowd, &bench->baseline);
  trial_step_begin(&bench->trial, bench->rollout.step, &bench->baseline);
  crowd_cut(&bench->crowd, trial_slow(&bench->trial));
}

static void bench_event(struct bench *bench, const struct rollout_event *event)
{
  uint64_t now_ms = (uint64_t)bench->crowd.second * 1000;
  struct rollout_move move = rollout_step(&bench->rollout, &bench->of->plan, event, now_ms);
  bench->rollout = move.next;
  if (move.deeds & THEN_STEP) bench_step(bench);
}

/* Everybody who is asked says yes. */
static void bench_approve(struct bench *bench)
{
  static const char *const people[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  const struct plan *plan = &bench->of->plan;
  for (uint32_t i = 0; i < ROLLOUT_APPROVALS_MAX; i++) {
    if (bench->rollout.state != ROLLOUT_PENDING && bench->rollout.state != ROLLOUT_WAITING) return;
    struct rollout_event event = {.when = WHEN_APPROVE,
                                  .person = people[i],
                                  .role = PLAN_ADMIN,
                                  .step = bench->rollout.step,
                                  .spec = bench->rollout.spec,
                                  .winner = bench->won == ARM_NONE ? 0 : 1 + bench->won};
    if (rollout_approvals_wanted(&bench->rollout, plan) == 0) return;
    bench_event(bench, &event);
  }
}

static void bench_begin(struct bench *bench, uint32_t run)
{
  const struct sim_case *of = bench->of;
  struct digest spec = {0};
  crowd_init(&bench->crowd, bench->model, of->rps, of->seed, run);
  crowd_play(&bench->crowd, of->tape);
  bench->crowd.n_arms = plan_arms(&of->plan);
  bench->won = ARM_NONE;
  memset(&bench->past, 0, sizeof bench->past);
  crowd_history(&bench->crowd, &bench->past);
  rivals_init(&bench->rivals, of->scenario.errors != 1);
  memset(&bench->undrained, 0, sizeof bench->undrained);
  bench->undrained_s = 0;
  trial_begin(&bench->trial, &of->plan);
  rollout_init(&bench->rollout, &of->plan, &spec, "simulate", false, 0);
  bench_approve(bench);
  struct rollout_event loaded = {.when = WHEN_LOADED};
  bench_event(bench, &loaded);
  bench_approve(bench);
}

static void look_fill(struct bench *bench, const struct crowd_seen *seen, uint32_t copied)
{
  struct look *look = &bench->look;
  look_init(look, bench->trial.looks, bench->trial.n_arms);
  look->elapsed_ms = 1000;
  look->loaded_ms = (uint64_t)bench->crowd.second * 1000 + 3600000;
  look->copied = copied;
  for (uint32_t arm = 0; arm < look->n_arms; arm++) {
    if (bench->rollout.closed & ARM_BIT(arm)) continue;
    look->weights[arm] = rollout_share(&bench->rollout, &bench->of->plan, arm);
    crowd_fill(&bench->crowd, arm, &seen[arm], &look->arms[arm]);
    if (bench->of->plan.metric.name[0]) crowd_outcomes(&bench->crowd, arm, &look->arms[arm]);
  }
  if (!copied) crowd_inputs(&bench->crowd, look);
  if (!copied) return;
  uint64_t pairs = seen[ARM_CANDIDATE].timed < seen[ARM_STABLE].timed ? seen[ARM_CANDIDATE].timed
                                                                      : seen[ARM_STABLE].timed;
  uint64_t differ =
      draw_binomial(&bench->crowd.rand[ARM_CANDIDATE][CHANCE_PAIRS], pairs, PAIRS_DIFFER);
  look->agree.at[0] = pairs - differ;
  look->agree.at[AGREE_PARTS] = differ;
}

/* One second of traffic; in the judge's eyes as long as the release goes on. */
static void bench_second(struct bench *bench, bool judged, struct crowd_seen *seen)
{
  const struct plan *plan = &bench->of->plan;
  uint32_t copied = judged ? rollout_copied(&bench->rollout, plan) : 0;
  double part[ARMS_MAX];
  memcpy(part, bench->first_part, sizeof part);
  /* What stable does for arms that are closed is no evidence, so it is left out. */
  for (uint32_t arm = 0; judged && arm < plan_arms(plan); arm++) {
    uint32_t own =
        bench->rollout.closed & ARM_BIT(arm) ? 0 : rollout_share(&bench->rollout, plan, arm);
    part[arm] = (copied ? copied : own) / (double)PLAN_WHOLE;
  }
  if (bench->crowd.second == 0) memcpy(bench->first_part, part, sizeof part);
  if (judged) bench->stable_weight = rollout_weight(&bench->rollout, plan, ARM_STABLE);
  crowd_second(&bench->crowd, part, seen);
  bench->undrained.requests += seen[ARM_STABLE].requests;
  bench->undrained.errors += seen[ARM_STABLE].errors;
  if (++bench->undrained_s % BLOCK_S == 0 && has_steps_left(bench)) bench_drain(bench);
  if (bench->crowd.second % MINUTE_S == 0) bench_drain(bench);
  if (bench->of->rivals) rivals_second(&bench->rivals, seen);
  if (!judged) return;
  look_fill(bench, seen, copied);
  trial_look(&bench->trial, &bench->look, &bench->verdict);
  if (bench->won == ARM_NONE) bench->won = bench->verdict.winner;
  struct rollout_event event = rollout_event_of(&bench->verdict, false);
  bench_event(bench, &event);
  bench_approve(bench);
}

static void pauses_note(const struct verdict *verdict, struct sim_result *result)
{
  for (uint32_t gate = 0; gate < GATE_COUNT; gate++)
    if (verdict->gates[gate].state == GATE_HARM && verdict->gates[gate].act == ACT_PAUSE)
      result->paused |= 1u << gate;
}

static void result_end(const struct bench *bench, struct sim_result *result)
{
  result->state = bench->rollout.state;
  result->end_s = (uint32_t)bench->crowd.second;
  result->winner = bench->won;
  result->closed = bench->rollout.closed;
  if (bench->rollout.state != ROLLOUT_ROLLED_BACK) return;
  result->harm_s = result->end_s;
  result->gate = bench->verdict.by;
  result->lane = bench->verdict.gates[bench->verdict.by].lane;
}

static void bench_run(struct bench *bench, uint32_t run, struct sim_result *result)
{
  const struct sim_case *of = bench->of;
  struct crowd_seen seen[ARMS_MAX] = {0};
  *result = (struct sim_result){.harm_s = RUN_NEVER};
  bench_begin(bench, run);
  bool judged = true;
  while (bench->crowd.second < (int64_t)of->seconds) {
    bench_second(bench, judged, seen);
    if (judged) {
      if (bench->crowd.second > (int64_t)of->scenario.onset_s)
        result->harmed += seen[ARM_CANDIDATE].requests;
      result->last_look = seen[ARM_CANDIDATE].requests;
      result->spent = bench->verdict.harmed;
      pauses_note(&bench->verdict, result);
      judged = !rollout_is_final(&bench->rollout) && bench->rollout.state != ROLLOUT_COMPLETED;
      if (!judged) result_end(bench, result);
    }
    if (!judged && (!of->rivals || rivals_are_done(&bench->rivals))) break;
  }
  if (judged) result_end(bench, result);
  memcpy(result->said, bench->rivals.said, sizeof result->said);
}

/* ---- cases ---- */

void sim_case_init(struct sim_case *of, struct slice scenario, double rps, double share,
                   uint32_t seconds, uint32_t runs, uint64_t seed)
{
  *of =
      (struct sim_case){.p0 = MODEL_P0, .rps = rps, .seconds = seconds, .runs = runs, .seed = seed};
  must(scenario_read(&of->scenario, scenario, NULL) == OK);
  plan_default(&of->plan, STRATEGY_CANARY);
  of->plan.n_steps = 1;
  of->plan.steps[0].weight = (uint32_t)(share * PLAN_WHOLE + 0.5);
  of->plan.steps[0].for_ms = (uint64_t)seconds * 1000;
  of->plan.steps[0].deadline_ms = (uint64_t)seconds * 1000;
  of->plan.steps[0].requests_min = 0;
}

enum code sim_case_check(const struct sim_case *of, struct err *err)
{
  if (plan_check(&of->plan, err) != OK) return err->code;
  if (of->plan.n_steps == 0)
    return fail(err, E_INVALID_ARGUMENT, "the plan has no steps, so there is nothing to simulate");
  if (of->tape && plan_arms(&of->plan) != CROWD_ARMS)
    return fail(err, E_INVALID_ARGUMENT, "recorded traffic has two arms; the plan has %u",
                plan_arms(&of->plan));
  if (!(of->rps > 0 && of->rps <= 1e6))
    return fail(err, E_INVALID_ARGUMENT, "the rate must lie between 1 and 1000000 per second");
  return OK;
}

struct case_work {
  const struct sim_case *of;
  const struct model *model;
  struct sim_result *results;
};

static void case_run_one(void *arg, uint32_t i, void *scratch)
{
  const struct case_work *work = arg;
  struct bench *bench = scratch;
  bench->of = work->of;
  bench->model = work->model;
  bench_run(bench, i, &work->results[i]);
}

void sim_case_run(const struct sim_case *of, const struct crew *crew, struct sim_result *results)
{
  struct model *model = grab(sizeof *model);
  model_make(model, &of->scenario, of->p0);
  struct case_work work = {of, model, results};
  crew_run(crew, of->runs, case_run_one, &work, sizeof(struct bench));
  ungrab(model);
}
