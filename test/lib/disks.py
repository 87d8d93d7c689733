"""disks.py - file systems in memory that are soon full, in a mount namespace of the test's own.
SPDX-License-Identifier: MIT
"""
import contextlib
import os
import subprocess
import sys
import tempfile

from slipway import main, skip

INSIDE = "SLIPWAY_TEST_NAMESPACE"


@contextlib.contextmanager
def small_disk(options):
    """The path of a new tmpfs; options are mount's, such as size=8m. Where a test fails it goes
    with the namespace."""
    if INSIDE not in os.environ:
        skip("no mount namespace can be made here")
    path = tempfile.mkdtemp(prefix="slipway-full-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)
    os.rmdir(path)


def main_with_disks():
    """main, run again in a namespace where one can be made."""
    if INSIDE not in os.environ:
        probe = subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL)
        if probe.returncode == 0:
            os.environ[INSIDE] = "1"
            os.execvp("unshare", ["unshare", "-rm", sys.executable] + sys.argv)
    main()
