#!/usr/bin/env python3
"""config_test.py - the configuration: its file, its sources, and what SIGHUP takes from it.

Rows CF-101 to CF-105 of the robustness rules; CF-106 (newer data) is in test/unit/ledger_test.c.
SPDX-License-Identifier: MIT
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import BIN, ROOT, Daemon, cases, expect, expect_eq, expect_in, main, test, wait_for


def write(folder, text):
    path = os.path.join(folder, "slipway.yaml")
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


def serve(*words, **env):
    """Runs `slipway serve` with words that make it end at once."""
    return subprocess.run([BIN, "serve", *words], capture_output=True, timeout=60, text=True,
                          env=dict(os.environ, HOME="/nonexistent", **env))


def checked(text):
    with tempfile.TemporaryDirectory() as folder:
        return serve("--check", "--config", write(folder, text))


def rows():
    """Every setting with its kind and range, from the table itself."""
    with open(os.path.join(ROOT, "src", "options.def")) as f:
        for line in f:
            m = re.match(r"OPTION\((\w+),\s*(\w+),\s*(\w+),\s*\"[^\"]*\",\s*(.+?),\s+(.+?),\s+\"", line)
            if m:
                kind, when, name, least, most = m.groups()
                number = lambda t: eval(re.sub(r"INT64_C\((\d+)\)", r"\1", t))  # noqa: our own table
                yield kind, when, name, number(least), number(most)


# --- CF-101: the file ---------------------------------------------------------------------------

@cases([
    ("unknown_key", "listn: 127.0.0.1:1\n", "1:1", "'listen'"),
    ("second_line", "loops: 2\nworker: 3\n", "2:1", "'workers'"),
    ("wrong_type", "loops: [1, 2]\n", "1:8", "whole number"),
    ("map_for_text", "listen: {host: a}\n", "1:9", "a text"),
    ("duplicate_key", "loops: 1\nloops: 2\n", "2:1", "loops"),
    ("empty", "", "1:1", "empty"),
    ("a_list", "- loops\n", "1:1", "map"),
    ("byte_order_mark", b"\xef\xbb\xbfloops: 1\n", "1:1", ""),
    ("tab", "loops:\n\t1\n", "2:", ""),
    ("not_utf8", b"listen: \xff\xfe\n", "1:", ""),
    ("two_documents", "loops: 1\n---\nloops: 2\n", "2:1", ""),
])
def cf_101_a_file_is_refused_with_line_and_column(text, at, says):
    done = checked(text)
    expect_eq(done.returncode, 2, done.stderr)
    line, column = at.split(":")
    expect_in("line %s, column %s" % (line, column), done.stderr)
    expect_in(says, done.stderr)


@test
def cf_101_a_huge_file_is_refused():
    done = checked(b"# " + b"x" * (100 << 20))
    expect_eq(done.returncode, 2, done.stderr)
    expect_in("1 MiB", done.stderr)


@test
def cf_101_a_file_that_is_not_there_is_named():
    done = serve("--check", "--config", "/nonexistent/slipway.yaml")
    expect_eq(done.returncode, 2, done.stderr)
    expect_in("configuration file", done.stderr)


# --- CF-103: numbers ----------------------------------------------------------------------------

@test
def cf_103_every_number_has_a_range_and_a_type():
    tried = 0
    for kind, _, name, least, most in rows():
        if kind not in ("COUNT", "BYTES", "TIME"):
            continue
        unit = "us" if kind == "TIME" else ""
        wrong = ["-1", "NaN", "10x", "1e3", "", " ", "0x10", "99999999999999999999"]
        if kind != "TIME":
            wrong.append("1.5")
        wrong += ["%d%s" % (most + 1, unit)] + (["%d%s" % (least - 1, unit)] if least > 0 else [])
        for value in wrong:
            done = checked("%s: %s\n" % (name, '"%s"' % value))
            expect_eq(done.returncode, 2, name, value, done.stdout + done.stderr)
            expect_in(name, done.stderr)
            tried += 1
        for value in (least, most):
            done = serve("--print-config", "--" + name.replace("_", "-"), "%d%s" % (value, unit))
            agrees = "must fit" in done.stderr  # right by itself, wrong with another: CF-104
            expect(done.returncode == 0 or agrees, name, value, done.stderr)
            tried += 1
    expect(tried > 100, "only %d values were tried" % tried)


# --- CF-104, CF-105 -----------------------------------------------------------------------------

@cases([
    ("body", "body_max: 1GiB\nbodies_max: 512MiB\n", ("body_max", "bodies_max")),
    ("bodies", "bodies_max: 512MiB\nmemory_max: 100MiB\n", ("bodies_max", "memory_max")),
    ("deadline", "deadline: 10m\n", ("deadline", "deadline_max")),
    ("who", "anonymous: true\nkeys_only: true\n", ("anonymous", "keys_only")),
])
def cf_104_settings_that_cannot_be_meant_together(text, names):
    done = checked(text)
    expect_eq(done.returncode, 2, done.stdout)
    for name in names:
        expect_in("'%s'" % name, done.stderr)


@test
def cf_105_flag_before_environment_before_file_before_default():
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "deadline: 7s\nidle_timeout: 8s\nhead_timeout: 9s\n"
                             "webhook: https://example.com/secret-path\n")
        done = serve("--print-config", "--config", path, "--deadline", "1s",
                     SLIPWAY_DEADLINE="2s", SLIPWAY_IDLE_TIMEOUT="3s")
        lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
        expect_eq(done.returncode, 0, done.stderr)
        expect(lines["deadline"].startswith("1s  # flag"), lines["deadline"])
        expect(lines["idle_timeout"].startswith("3s  # environment"), lines["idle_timeout"])
        expect(lines["head_timeout"].startswith("9s  # file"), lines["head_timeout"])
        expect(lines["write_timeout"].startswith("60s  # default"), lines["write_timeout"])
        expect("secret-path" not in done.stdout, "a webhook's URL is a secret")
        again = serve("--check", "--config", write(folder, done.stdout.replace('"***"', '""')))
        expect_eq(again.returncode, 0, "what is printed can be read again: " + again.stderr)


# --- CF-102: SIGHUP -----------------------------------------------------------------------------

def events(d, name):
    return [e for e in d.log() if e.get("event") == name]


def hang_up(d, name):
    """Sends SIGHUP; returns the new event of that name."""
    before = len(events(d, name))
    d.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: len(events(d, name)) > before, what=name)
    return events(d, name)[-1]


def limit_ms(d, name):
    return [r["value"] for r in d.get("/api/v1/doctor").json()["limits"] if r["name"] == name][0]


def head_timeout_ms(d):
    return limit_ms(d, "time for a request head")


@test
def sighup_takes_what_may_change_and_names_what_needs_a_restart():
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "head_timeout: 20s\n")
        with Daemon("--config", path) as d:
            expect_eq(head_timeout_ms(d), 20000)
            write(folder, "head_timeout: 400ms\nloops: 3\nlog_level: warn\n")
            d.proc.send_signal(signal.SIGHUP)
            wait_for(lambda: head_timeout_ms(d) == 400, what="the new head_timeout")
            wait_for(lambda: events(d, "setting_needs_restart"), what="the line about loops")
            expect_eq([e["setting"] for e in events(d, "setting_needs_restart")], ["loops"])
            expect_eq([e["setting"] for e in events(d, "setting_changed")], ["head_timeout", "log_level"],
                      "changes are told before the new log level holds")
            with d.conn() as conn:
                begun = time.monotonic()
                conn.send(b"GET /healthz HTTP/1.1\r\nhost: ")
                expect_eq(conn.reply().status, 408)
                expect(time.monotonic() - begun < 10, "the new timeout holds")


@test
def sighup_lets_anonymous_callers_in_or_out():
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "keys_only: false\n")
        with Daemon("--config", path) as d, d.conn() as conn:
            def asked():
                conn.send(b"GET /api/v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n")
                return conn.reply().status
            expect_eq(asked(), 200)
            write(folder, "keys_only: true\n")
            hang_up(d, "config_reread")
            expect_eq(asked(), 401, "on a connection that was open before, too")
            write(folder, "keys_only: false\n")
            hang_up(d, "config_reread")
            expect_eq(asked(), 200)


@cases([
    ("broken", "head_timeout: [", "line"),
    ("unknown_key", "head_timeot: 1s\n", "head_timeout"),
    ("contradiction", "anonymous: true\nkeys_only: true\n", "opposite"),
    ("gone", None, "configuration file"),
])
def cf_102_a_broken_file_changes_nothing_and_is_told_once(text, says):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "head_timeout: 20s\n")
        with Daemon("--config", path) as d:
            os.unlink(path)
            if text is not None:
                write(folder, text)
            event = hang_up(d, "config_refused")
            expect_in(says, event["reason"])
            expect_eq(event["level"], "error")
            expect_eq(len(events(d, "config_refused")), 1)
            expect_eq(head_timeout_ms(d), 20000)
            expect_eq(events(d, "setting_changed"), [])
            write(folder, "head_timeout: 5s\n")
            hang_up(d, "config_reread")
            expect_eq(head_timeout_ms(d), 5000)


@test
def a_hundred_hang_ups_under_traffic_lose_no_request():
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "deadline: 1s\n")
        with Daemon("--config", path) as d:
            for i in range(100):
                write(folder, "deadline: %dms\n" % (500 + i))
                d.proc.send_signal(signal.SIGHUP)
                expect_eq(d.get("/healthz").status, 200)
                expect_eq(d.get("/api/v1/version").status, 200)
            wait_for(lambda: limit_ms(d, "request deadline by default") == 599,
                     what="the last of them")


main()
