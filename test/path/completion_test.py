#!/usr/bin/env python3
"""completion_test.py - TAB: what is offered, by the shells themselves where they are here.

SPDX-License-Identifier: MIT
"""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import BIN, ROOT, Daemon, expect, expect_eq, expect_in, main, skip, test
import models


def run(*words, env=None):
    return subprocess.run([BIN, *words], capture_output=True, text=True, timeout=30,
                          env=dict(os.environ, **(env or {})))


def offered(*words, env=None):
    done = run("completion", "words", *words, env=env)
    expect_eq(done.returncode, 0, done.stderr)
    expect_eq(done.stderr, "", "a person is typing")
    return done.stdout.split("\n")[:-1]


@test
def commands_are_those_of_help():
    built = [c["name"] for c in json.loads(run("help", "--json").stdout) if c["built"]]
    expect_eq(offered(""), built)
    expect_eq(offered("dep"), ["deploy"])
    expect_eq(offered("help", "rollb"), ["rollback"])
    expect_eq(offered("nonsense", ""), [])


@test
def every_command_offers_the_flags_of_its_help():
    for name in offered(""):
        if name in ("serve", "backup", "restore", "help"):  # the daemon's own have no table of flags
            continue
        text = run("help", name).stdout
        flags = offered(name, "-")
        expect(flags, name)
        for flag in flags:
            expect(flag in text, name, "offers", flag, "and its help does not know it")


@test
def words_of_a_command_that_has_some():
    expect_eq(offered("key", ""), ["add", "list", "rotate", "revoke"])
    expect_eq(offered("release", "re"), ["replay"])


@test
def models_are_the_servers():
    with Daemon() as d:
        models.serve(d, "fraud", models.echo([models.spec("x", "FP32", (-1, -1))]))
        expect_eq(offered("deploy", "", env={"SLIPWAY_URL": d.url()}), ["fraud"])
        expect_eq(offered("deploy", "x", env={"SLIPWAY_URL": d.url()}), [])
    expect_eq(offered("deploy", "", env={"SLIPWAY_URL": d.url()}), [], "nobody answers")


@test
def bash_completes():
    if not shutil.which("bash"):
        skip("there is no bash here")
    script = run("completion", "bash").stdout + """
COMP_WORDS=(%s deploy --str) COMP_CWORD=2
_slipway
printf '%%s\\n' "${COMPREPLY[@]}"
COMP_WORDS=(%s rel) COMP_CWORD=1
_slipway
printf '%%s\\n' "${COMPREPLY[@]}"
""" % (BIN, BIN)
    done = subprocess.run(["bash", "-eu"], input=script, capture_output=True, text=True, timeout=30)
    expect_eq((done.returncode, done.stderr), (0, ""))
    expect_eq(done.stdout.split(), ["--strategy", "release"])


def parses(shell):
    if not shutil.which(shell):
        skip("there is no %s here" % shell)
    done = subprocess.run([shell, "-n"], input=run("completion", shell).stdout,
                          capture_output=True, text=True, timeout=30)
    expect_eq((done.returncode, done.stderr), (0, ""))


@test
def zsh_reads_its_script():
    parses("zsh")


@test
def fish_reads_its_script():
    parses("fish")


@test
def an_unknown_shell_is_told_which_there_are():
    done = run("completion", "tcsh")
    expect_eq(done.returncode, 2)
    expect_in("bash, zsh or fish", done.stderr)


main()
