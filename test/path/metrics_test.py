#!/usr/bin/env python3
"""metrics_test.py - what must be visible of load and who caused it (overload rules, section 13).
SPDX-License-Identifier: MIT
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import Daemon, expect, expect_eq, main, test, wait_for  # noqa: E402
import models  # noqa: E402
from tenants import As, operator, tenant  # noqa: E402

FAMILIES = """slipway_requests_total slipway_request_duration_seconds slipway_refusals_total
slipway_inflight slipway_limit slipway_queue_seconds slipway_batch_rows_sum
slipway_batch_rows_count slipway_batch_delay_us slipway_cache_hits slipway_cache_misses
slipway_cache_key_mismatch slipway_cache_bytes slipway_cache_evictions
slipway_tenant_cost_seconds_total slipway_model_memory_bytes slipway_pressure
slipway_breaker_state slipway_deadline_missed_total""".split()
BUSY_US = 4000
BODY = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}


def busy(who):
    """A model of the caller's that takes BUSY_US of a core for each row."""
    models.serve(who, "m", models.echo([models.spec("x", shape=(-1, 1))], busy_us=BUSY_US))


def costs(who):
    """Seconds by tenant, as this one sees them."""
    text = who.get("/metrics").body.decode()
    rows = re.findall(r'^slipway_tenant_cost_seconds_total\{tenant="([^"]+)"\} (\S+)$', text, re.M)
    return {name: float(seconds) for name, seconds in rows}


@test
def every_family_of_load_is_there():
    with Daemon() as d:
        busy(d)
        expect_eq(d.post("/v2/models/m/infer", BODY).status, 200)
        said = set(re.findall(r"^# TYPE (\S+)", d.get("/metrics").body.decode(), re.M))
        expect_eq([name for name in FAMILIES if name not in said], [])


@test
def cost_is_measured_time_and_each_tenants_own():
    with Daemon("--keys-only") as d:
        ann, bob = (As(d, tenant(d, name)) for name in ("acme", "bank"))
        for who in (ann, bob):
            busy(who)
        for _ in range(50):
            expect_eq(ann.post("/v2/models/m/infer", BODY).status, 200)
        # at least what the engine burns; at most half a second more for a busy machine
        wait_for(lambda: costs(ann)["acme"] >= 50 * BUSY_US / 1e6)
        expect(costs(ann)["acme"] < 50 * BUSY_US / 1e6 + 0.5, costs(ann))
        expect_eq(set(costs(ann)), {"acme"})
        expect(costs(bob)["bank"] < 0.1, costs(bob))
        whole = costs(As(d, operator(d)))
        expect({"acme", "bank"} <= set(whole), whole)
        expect(whole["acme"] >= 50 * BUSY_US / 1e6 > whole["bank"], whole)


main()
