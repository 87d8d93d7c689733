"""triton.py - what the tests with tritonclient share. Needs build/deps/venv.
SPDX-License-Identifier: MIT
"""
import asyncio

import tritonclient.http as http
import tritonclient.http.aio as aio
from tritonclient.utils import InferenceServerException

from slipway import expect, expect_eq, expect_in


def client(d, **kw):
    return http.InferenceServerClient("127.0.0.1:%d" % d.port, **kw)


def run_aio(d, fn):
    """Runs fn(client) with the aio client."""
    async def go():
        async with aio.InferenceServerClient("127.0.0.1:%d" % d.port) as c:
            return await fn(c)
    return asyncio.run(go())


def tensor(name, datatype, value, binary=True, kind=http):
    t = kind.InferInput(name, list(value.shape), datatype)
    t.set_data_from_numpy(value, binary_data=binary)
    return t


def same(got, wanted, what):
    expect(got is not None, "%s: no such output" % what)
    expect_eq(list(got.shape), list(wanted.shape), what)
    if wanted.dtype == object:
        texts = [v.encode() if isinstance(v, str) else v for v in got.ravel()]
        expect_eq(texts, list(wanted.ravel()), what)
        return
    expect_eq(got.dtype, wanted.dtype, what)
    expect_eq(got.tobytes(), wanted.tobytes(),
              "%s, bit for bit: %s, expected %s" % (what, got, wanted))


def refused(fn, status, *parts):
    """fn must raise InferenceServerException with our status and text."""
    try:
        fn()
    except InferenceServerException as e:
        text = e.message() or ""
        expect_eq(e.status(), str(status), text)
        for part in parts:
            expect_in(part, text)
        return text
    expect(False, "no exception")
