#!/bin/sh
# bars_test.sh - B1 to B12 with few runs each; `make bars` measures them in full.
out=$("$SLIPWAY_BIN" simulate --bars --quick)
rc=$?
printf '%s\n' "$out"
passed=$(printf '%s\n' "$out" | grep -Ec '^B[0-9]+ +holds ')
failed=$(printf '%s\n' "$out" | grep -Ec '^B[0-9]+ +FAILS ')
[ "$rc" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
[ "$passed" -gt 20 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
