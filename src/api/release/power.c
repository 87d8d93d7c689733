/* power.c - the forecast of a plan as text.
 * Thread: desk; pure.
 * SPDX-License-Identifier: MIT */
#include "api/release/power_int.h"

#include "base/mem.h"
#include "judge/forecast.h"

void power_report(const struct plan *plan, const struct power_traffic *traffic,
                  struct arena *arena, struct slice *json, struct slice *warnings)
{
  struct json_out out;
  struct forecast *forecast = grab_zero(1, sizeof *forecast);
  const struct traffic seen = {.rps = traffic->rps,
                               .error_rate = traffic->error_rate};
  forecast_make(forecast, plan, &seen);
  *warnings = forecast_warnings(forecast, plan, arena);
  json_out_init(&out, arena, 4096);
  forecast_json(forecast, plan, &out);
  *json = json_out_lend(&out);
  must(!out.full && warnings->at);
  ungrab(forecast);
}
