#!/bin/sh
# bars_test.sh - B1 to B12 with few runs each; `make bars` measures them in full.
# RO-114: B1, no change, a look every second: an always-valid bound rolls back next to never
out=$("$SLIPWAY_BIN" simulate --bars --quick)
rc=$?
printf '%s\n' "$out"
passed=$(printf '%s\n' "$out" | grep -Ec '^B[0-9]+ +holds ')
failed=$(printf '%s\n' "$out" | grep -Ec '^B[0-9]+ +FAILS ')
[ "$rc" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
[ "$passed" -gt 20 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
