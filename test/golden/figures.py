#!/usr/bin/env python3
"""figures.py STATISTICS.json ASSIGNMENT.json - prints figures.h, the golden values as C tables.

The two files belong to the specification of releases: made with 50-digit arithmetic (statistics)
and with other implementations of the same hash (assignment). Only figures are carried over.
SPDX-License-Identifier: MIT
"""
import json
import sys
import textwrap

CAP_NONE = "0"


def number(x):
    return str(x) if not isinstance(x, bool) else str(int(x))


def row(*parts):
    return "{" + ", ".join(parts) + "}"


def table(shape, name, rows):
    """One array; rows are filled into lines."""
    text = ", ".join(rows)
    lines = textwrap.wrap(text, 96, break_long_words=False, break_on_hyphens=False)
    print("static const %s %s[] = {" % (shape, name))
    print("\n".join("  " + line for line in lines) + "};\n")


def values(xs):
    return row(*map(number, xs))


def text(x):
    return '"' + "".join(c if 32 < ord(c) < 127 and c not in '"\\' else "".join(
        "\\%03o" % b for b in c.encode()) for c in x) + '"'


def statistics(all_of):
    def cases(kind, what="cases"):
        return [(c["in"], c["out"]) for c in all_of[kind][what]]

    table("struct figure_count", "figures_count",
          [row(*(number(i[k]) for k in ("n_c", "n_b", "s", "m")), o["log_e_harm"], o["log_e_pass"])
           for i, o in cases("count")])
    table("struct figure_exceedance", "figures_exceedance",
          [row(row(*map(values, i["n_c_n_b"])), number(i["s"]), number(i["m"]),
               values(o["log_e_each"]), o["log_e"]) for i, o in cases("exceedance")])
    table("struct figure_detector", "figures_detector",
          [row(row(*(values((k["repeat"], k["n_c"], k["n_b"], k["s"])) for k in i["looks"])),
               number(i["N"]), number(i["m"]), number(i["phi"]),
               CAP_NONE if i["cap"] is None else number(i["cap"]),
               o["log_plain"], o["log_restarted"], o["log_e"]) for i, o in cases("detector")])
    table("struct figure_dispersion", "figures_dispersion",
          [row(values(i["blocks"]), number(len(i["blocks"])), number(i["s"]), o["phi"])
           for i, o in cases("dispersion")])
    table("struct figure_width", "figures_width",
          [row(*(number(i[k]) for k in ("n", "alpha", "N_star")), o["W"])
           for i, o in cases("block", "W")])
    says = {"inconclusive": "0", "harm": "1", "non_inferior": "2"}
    for at, (i, _) in enumerate(cases("block")):
        table("struct block_sums", "figures_block_%d" % at,
              [values(b) for b in i["blocks_xc_nc_xb_nb"]])
    table("struct figure_block", "figures_block",
          [row("figures_block_%d" % at, number(len(i["blocks_xc_nc_xb_nb"])), number(i["m"]),
               number(i["alpha_harm"]), number(i["alpha_pass"]),
               *(o[k] for k in ("mean", "sd", "lower", "upper")), says[o["verdict"]])
           for at, (i, o) in enumerate(cases("block"))])
    table("struct figure_multiplier", "figures_multiplier",
          [row(*(number(i[k]) for k in ("N", "alpha", "N_star")), o["multiplier_two_sided"],
               o["multiplier_one_sided"]) for i, o in cases("asymptotic", "multipliers")])
    table("struct figure_mean", "figures_mean",
          [row(*(number(i[k]) for k in ("n_c", "sum_c", "sumsq_c", "n_b", "sum_b", "sumsq_b",
                                        "alpha", "N_star")),
               *(o[k] for k in ("diff", "se", "lower", "upper"))) for i, o in cases("asymptotic")])
    table("struct figure_ratio", "figures_ratio",
          [row(*(number(i[k]) for k in ("n_c", "n", "p", "K")), o["log_e"])
           for i, o in cases("srm")])
    table("struct figure_arms", "figures_arms",
          [row(values(i["n"]), values(map(float, i["p"])), number(len(i["n"])), number(i["K"]),
               o["log_e"]) for i, o in cases("srm", "arms")])
    table("struct figure_shift", "figures_shift",
          [row(values(i["c"]), values(i["b"]), number(len(i["c"])), number(i["s"]), o["log_e"],
               o["psi"]) for i, o in cases("shift")])
    table("struct figure_agree", "figures_agree",
          [row("{" + ", ".join("[%s] = %d" % kv for kv in i["counts_by_64ths"].items()) + "}",
               number(i["q"]), o["log_e_harm"], o["log_e_pass"]) for i, o in cases("shadow")])
    table("struct figure_slope", "figures_slope",
          [row(values(i["kilo_requests"]), values(i["mib"]), number(len(i["mib"])),
               number(i["baseline_mib"]), o["slope_mib_per_kilo_request"], o["tau"],
               o["level_ratio"]) for i, o in cases("memory")])
    table("struct figure_quantile", "figures_quantile",
          [row(*(number(i[k]) for k in ("n", "p", "alpha")), number(o["k_lo"]), number(o["k_hi"]),
               o["log_m_at_k_lo"], o["log_m_at_k_hi"]) for i, o in cases("quantile")])


def assignment(all_of):
    table("struct figure_hash", "figures_hash",
          [row(text(h["text"]), "%du" % h["hash"]) for h in all_of["hash_only"]])
    table("struct figure_assign", "figures_assign",
          [row(text(v["seed_text"]), text(v["key"]), values(v["weights"]),
               number(len(v["weights"])), "%du" % v["hash"], number(v["total"]),
               number(v["bucket"]), number(v["index"])) for v in all_of["vectors"]])
    ramp = all_of["ramp"]
    print("#define FIGURES_RAMP_SEED %s\n" % text(ramp["seed_text"]))
    table("struct figure_ramp", "figures_ramp",
          [row(text(u["key"]), "%du" % u["hash"], number(u["bucket"]),
               number(u["smallest_candidate_weight"])) for u in ramp["users"]])


SHAPES = """\
/* figures.h - golden values of the specification of releases, as tables.
 * Made by test/golden/figures.py from release-statistics.json (50-digit arithmetic, ten digits
 * kept) and assignment.json (flagd's hash); change those, never this.
 * SPDX-License-Identifier: MIT */
#ifndef GOLDEN_FIGURES_H
#define GOLDEN_FIGURES_H

#include "stat/block.h"

/* clang-format off */
struct figure_count { unsigned n_c, n_b; double s, m, harm, pass; };
struct figure_exceedance { unsigned rows[4][2]; double s, m, each[4], log_e; };
struct figure_looks { unsigned repeat, n_c, n_b; double s; };
struct figure_detector { struct figure_looks looks[2]; unsigned restarts;
                         double m, phi, cap, plain, restarted, log_e; };
struct figure_dispersion { uint64_t blocks[12]; unsigned n; double s, phi; };
struct figure_width { double n, alpha, n_star, width; };
struct figure_block { const struct block_sums *blocks; unsigned n;
                      double m, a_harm, a_pass, mean, sd, lower, upper; unsigned says; };
struct figure_multiplier { double n, alpha, n_star, two_sided, one_sided; };
struct figure_mean { unsigned n_c, sum_c, sumsq_c, n_b, sum_b, sumsq_b;
                     double alpha, n_star, diff, se, lower, upper; };
struct figure_ratio { unsigned n_c, n; double p, k, log_e; };
struct figure_arms { uint64_t n[4]; double p[4]; unsigned arms; double k, log_e; };
struct figure_shift { uint64_t c[10], b[10]; unsigned bins; double s, log_e, psi; };
struct figure_agree { uint64_t at[65]; double q, harm, pass; };
struct figure_slope { double x[7], y[7]; unsigned n; double stable, slope, tau, level; };
struct figure_quantile { unsigned n; double p, alpha; unsigned least, greatest;
                         double at_least, at_greatest; };
struct figure_hash { const char *text; uint32_t hash; };
struct figure_assign { const char *seed, *key; uint32_t weights[4], n, hash, total, bucket, arm; };
struct figure_ramp { const char *key; uint32_t hash, bucket, weight_min; };
#define FIGURES(table) (sizeof(table) / sizeof *(table))
"""


def main():
    with open(sys.argv[1]) as f:
        of_statistics = json.load(f)["statistics"]
    with open(sys.argv[2]) as f:
        of_assignment = json.load(f)
    print(SHAPES)
    statistics(of_statistics)
    assignment(of_assignment)
    print("#endif")


main()
