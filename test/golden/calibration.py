#!/usr/bin/env python3
"""calibration.py - prints the golden rows of test/unit/calibration_test.c, answer by answer and in
50 digits: no sums, no parts, nothing shared with src/stat/calibration.c.
SPDX-License-Identifier: MIT
"""
from decimal import Decimal as D, getcontext

getcontext().prec = 50
LAMBDAS = [D("0.8")] + [D(1) / 2 ** k for k in range(1, 8)]


def side(pairs, low, high, bound, above):
    """ln of the capital of the bets that the gap is above (or below) the bound."""
    capital = D(0)
    for bet in LAMBDAS:
        psi = -(1 - bet).ln() - bet
        log = D(0)
        for p, y in pairs:
            d = y - p
            xi = (d - bound) / (high + bound) if above else (bound - d) / (1 - low - bound)
            assert xi >= -1
            log += bet * xi - psi * xi * xi
        capital += log.exp()
    return (capital / len(LAMBDAS)).ln()


def row(pairs, bin_, limit):
    low, high = D(bin_) / 10, D(bin_ + 1) / 10
    harm = ((side(pairs, low, high, limit, True).exp() +
             side(pairs, low, high, -limit, False).exp()) / 2).ln()
    passes = min(side(pairs, low, high, limit, False), side(pairs, low, high, -limit, True))
    gap = sum(y - p for p, y in pairs) / len(pairs)
    return harm, passes, gap


# bin, limit, then (score, how many, of these true)
ROWS = [
    (7, "0.05", [("0.75", 100, 75)]),
    (7, "0.05", [("0.75", 100, 50)]),
    (7, "0.05", [("0.75", 1000, 740)]),
    (1, "0.02", [("0.125", 400, 110), ("0.1875", 100, 30)]),
    (9, "0.05", [("0.9375", 300, 200), ("1", 50, 50)]),
    (0, "0.01", [("0", 2000, 0), ("0.0625", 500, 90)]),
    (5, "0.1", [("0.5", 20, 20)]),
]

if __name__ == "__main__":
    for bin_, limit, groups in ROWS:
        pairs = []
        for score, n, true in groups:
            pairs += [(D(score), D(1))] * true + [(D(score), D(0))] * (n - true)
        text = ", ".join("{%s, %d, %d}" % g for g in groups)
        print("    {%d, %s, {%s}, %.12g, %.12g, %.12g}," %
              ((bin_, limit, text) + row(pairs, bin_, D(limit))))
