#!/usr/bin/env python3
"""catalogue_test.py - each row of the robustness catalogue is proved by a test that names it, or
says what it waits for; tools/catalogue finds what breaks that.
SPDX-License-Identifier: MIT
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import ROOT, cases, expect, expect_eq, expect_in, main, skip, test  # noqa: E402

TABLE = """| row | input or fault | what must come of it | tests | open |
|---|---|---|---|---|
| ST-199 | a pin | it holds | `test/path/a_test.py` | |
| ST-198 | a wire | it bends | | wires |
"""
TEST = '"""a_test.py - ST-198 and others."""\n\n\ndef st_199_a_pin():\n    pass\n'
THREADS = "| argo#1; b#2, #3 | what we do | `test/path/a_test.py` st_199_a_pin |\n"
ROBUST = "| ST-199 | a pin | it holds |\n| ST-198 | a wire | it bends |\n"
FEATURES = "## 2. Threads\n\n| b#2, #3; argo#1 | what |\n\n## 3. Others\n"


def catalogue(*args, **files):
    """Of a small tree with these differences: its exit status, what it said, its table."""
    with tempfile.TemporaryDirectory(prefix="slipway-catalogue-") as root:
        tree = {"docs/CATALOGUE.md": files.get("table", TABLE),
                "docs/release-complaints.md": files.get("threads", THREADS),
                "test/path/a_test.py": files.get("test", TEST),
                "specs/robustness.md": files.get("robust", ROBUST),
                "specs/release-features.md": files.get("features", FEATURES)}
        for path, text in tree.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w") as f:
                f.write(text)
        os.makedirs(os.path.join(root, "tools"))
        shutil.copy(os.path.join(ROOT, "tools", "catalogue"), os.path.join(root, "tools"))
        done = subprocess.run([sys.executable, os.path.join(root, "tools", "catalogue"),
                               *(args or [os.path.join(root, "specs")])],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        with open(os.path.join(root, "docs", "CATALOGUE.md")) as f:
            return done.returncode, done.stdout, f.read()


@test
def every_row_is_proved_or_waits():
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "catalogue")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect_eq(done.returncode, 0, done.stdout)
    expect(int(re.search(r"(\d+) with a test", done.stdout).group(1)) > 100, done.stdout)
    if "not here" in done.stdout:
        skip("the table is held to the tests; " + done.stdout.strip().split("; ")[-1])


@test
def a_small_tree_is_right():
    code, said, _ = catalogue()
    expect_eq((code, said), (0, "catalogue: 2 rows, 1 with a test; 2 threads, each with one; "
                                "all of the specification's\n"))


@test
def without_a_specification_it_says_so():
    code, said, _ = catalogue("nowhere")
    expect_eq(code, 0, said)
    expect_in("the specification is not here to compare with", said)


@cases([
    ("the test is gone", {"table": TABLE.replace("a_test", "b_test")},
     "ST-199: 'test/path/b_test.py' is no test"),
    ("the test names it no more", {"test": TEST.replace("199", "197")},
     "ST-199: 'test/path/a_test.py' does not name it"),
    ("only its opening names it", {"table": TABLE.replace("| | wires", "| `test/path/a_test.py` |")},
     "ST-198: 'test/path/a_test.py' does not name it"),
    ("it is skipped", {"test": TEST.replace("def st_199_a_pin():\n    pass",
                                            'not_built("ST_199_a_pin", "pins")')},
     "ST-199: 'test/path/a_test.py' does not name it"),
    ("neither test nor word", {"table": TABLE.replace("wires", "")},
     "ST-198 has no test and does not say what it waits for"),
    ("twice", {"table": TABLE + TABLE.splitlines()[2] + "\n"}, "ST-199 stands there twice"),
    ("a cell too few", {"table": TABLE.replace("it bends | ", "")}, "ST-198 has 4 cells, not 5"),
    ("a row is missing", {"robust": ROBUST + "| ST-197 | a | b |\n"},
     "ST-197 is a row of the specification and not here"),
    ("a row too many", {"robust": ROBUST.splitlines()[0] + "\n"},
     "ST-198 is no row of the specification"),
    ("a thread is missing", {"features": FEATURES.replace("argo#1", "argo#1; c PR#9")},
     "c PR#9 is a thread of the specification and not here"),
    ("a thread without a test", {"threads": THREADS + "| d#4 | what | nothing |\n",
                                 "features": FEATURES.replace("argo#1", "argo#1; d#4")},
     "d#4: has no test"),
    ("a thread whose test is gone", {"threads": THREADS.replace("_pin", "_needle")},
     "argo#1; b#2, #3: 'test/path/a_test.py' has no st_199_a_needle"),
])
def what_is_wrong_is_named(files, says):
    code, said, _ = catalogue(**files)
    expect_eq(code, 1, said)
    expect_in(says, said)


@test
def tests_that_name_a_row_are_added():
    code, said, table = catalogue("--write", "nowhere", table=TABLE.replace("`test/path/a_test.py`",
                                                                            ""))
    expect_eq((code, table), (0, TABLE), said)


main()
