"""preload.py - libraries of test/fault that stand before libc, built when a test wants one.
SPDX-License-Identifier: MIT
"""
import os
import shutil
import subprocess

from slipway import ROOT, SANITIZED, expect, skip


def preload_or_skip():
    """Skips the test where none can be built, or would not be asked."""
    if SANITIZED:
        skip("a sanitizer's own library does not stand another one before it")
    if not shutil.which("cc"):
        skip("no C compiler here")


def preload(name, folder):
    """Builds test/fault/NAME.c into the folder; the path for LD_PRELOAD."""
    library = os.path.join(folder, name + ".so")
    made = subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o",
                           library, os.path.join(ROOT, "test", "fault", name + ".c"), "-ldl"],
                          stderr=subprocess.PIPE, text=True)
    expect(made.returncode == 0, made.stderr)
    return library
