"""receiver.py - a receiver of webhooks.
SPDX-License-Identifier: MIT
"""
import http.server
import json
import threading
import time

from slipway import wait_for


class Receiver:
    """Answers the i-th request with answers[i] (the last from then on); keeps what came."""
    def __init__(self, *answers, pause=0):
        self.answers, self.pause, self.seen = answers or (204,), pause, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                i = len(outer.seen)
                outer.seen.append((self.path, dict(self.headers), body, time.monotonic()))
                time.sleep(outer.pause)
                status = outer.answers[min(i, len(outer.answers) - 1)]
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, n, seconds=20):
        wait_for(lambda: len(self.seen) >= n, seconds, "%d requests" % n)
        return self.seen

    def told(self, kind, seconds=30):
        """The first message of a type."""
        return wait_for(lambda: [m for m in self.messages() if m["type"] == kind], seconds, kind)[0]

    def messages(self):
        return [json.loads(body) for _, _, body, _ in self.seen]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
