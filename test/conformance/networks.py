"""networks.py - whole networks through a running daemon: ONNX's nine light ones, two of silero-vad.

They are not in Debian; $SLIPWAY_NETWORKS or ../shared/data/conformance-onnx holds them where they
are. Needs numpy and onnx (build/deps/venv). SPDX-License-Identifier: MIT
"""
import glob
import os
import sys
import wave

import numpy as np

from cases import ATOL, RTOL, difference, read
from served import HERE, Client, Refused

ROOT = os.path.dirname(os.path.dirname(HERE))
FOLDER = os.environ.get("SLIPWAY_NETWORKS",
                        os.path.join(ROOT, "..", "shared", "data", "conformance-onnx"))


def light(client, path):
    """None when right. The input is what ONNX's backend runner feeds its light models."""
    want = read(path.replace(".onnx", "_output_0.pb"))
    with open(path, "rb") as f:
        client.serve("light", f.read())
    meta = client.ask("GET", "/v2/models/light").json()["inputs"][0]
    n = int(np.prod(meta["shape"]))
    x = (np.arange(n).reshape(meta["shape"]) / n).astype(np.float32)
    got, = client.infer("light", [(meta["name"], x)])
    return difference(got, want)


def speech(client, path):
    """None when the network hears the speech in test.wav, frame by frame as ONNX Runtime does."""
    with wave.open(os.path.join(os.path.dirname(path), "test.wav")) as f:
        sound = np.frombuffer(f.readframes(16000 * 4), "<i2").astype(np.float32) / 32768
    with open(path, "rb") as f:
        client.serve("silero", f.read())
    state = np.zeros((2, 1, 128), np.float32)
    rate, before, heard = np.array(16000, np.int64), np.zeros((1, 64), np.float32), []
    reference = direct(path)
    for at in range(0, len(sound) - 512, 512):
        frame = np.concatenate([before, sound[None, at:at + 512]], axis=1)
        before = frame[:, -64:]
        feed = {"input": frame, "state": state, "sr": rate}
        p, state = client.infer("silero", list(feed.items()))
        heard.append(float(p[0, 0]))
        if reference:
            want = reference.run(None, feed)[0]
            if not np.allclose(p, want, rtol=RTOL, atol=ATOL):
                return "frame %d: %g, ONNX Runtime says %g" % (at // 512, p[0, 0], want[0, 0])
    if not max(heard) > 0.9:
        return "no speech heard: at most %g" % max(heard)
    return None


def direct(path):
    """A session of ONNX Runtime itself, or None where its Python package cannot be imported."""
    sys.path.append(os.path.join(ROOT, "build", "deps", "onnxruntime"))
    try:
        import onnxruntime
    except ImportError:
        return None
    finally:
        sys.path.pop()
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime.InferenceSession(path, None, ["CPUExecutionProvider"])


def run(daemon):
    """[(name, None or what is wrong)], empty where the files are not there."""
    client, rows = Client(daemon), []
    for pattern, check in (("light/*.onnx", light), ("silero-vad/*.onnx", speech)):
        for path in sorted(glob.glob(os.path.join(FOLDER, pattern))):
            try:
                wrong = check(client, path)
            except (Refused, ConnectionError) as e:
                wrong = str(e)
            rows.append((os.path.basename(path), wrong))
    client.close()
    return rows
