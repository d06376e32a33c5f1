"""A web server on loopback that misbehaves on demand, for the tests of downloads.

Each request to a path takes the next step of its script, or answers as a good server does: whole
files, and ranges of them that honour If-Range.
"""

import hashlib
import re
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAUSE = 0.05


@dataclass
class Step:
    """How one request is answered. Bytes after `cut` are never sent."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    stall: bool = False  # after `cut`: keep the connection open and silent
    drip: int | None = None  # so many bytes at a time, with pauses of PAUSE seconds
    data: bytes | None = None  # in place of the file
    ranges: bool = True
    heed_if_range: bool = True
    framing: str = "length"  # or "chunked", "none"


def etag(data):
    return f'"{hashlib.sha256(data).hexdigest()[:16]}"'


class Site(ThreadingHTTPServer):
    """`files` by path; `scripts` by path; `asked` lists (path, Range, If-Range)."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.scripts, self.asked = {}, {}, []
        self.heads = {}  # by path: statuses of the next answers to HEAD
        self.validators = True
        self.hub_commit = None  # a commit: answer as a repository of the Hugging Face hub does
        self.awake = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def close(self):
        self.awake.set()
        self.shutdown()
        self.server_close()
        self.thread.join()

    def handle_error(self, request, client_address):
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        statuses = self.server.heads.get(urlsplit(self.path).path)
        if statuses:
            self.close_connection = True
            self._reply(statuses.pop(0), (), b"", Step(), body=False)
        else:
            self.do_GET(body=False)

    def do_GET(self, body=True):
        site = self.server
        path = urlsplit(self.path).path
        if body:
            site.asked.append((path, self.headers.get("Range"), self.headers.get("If-Range")))
        script = site.scripts.get(path, []) if body else []
        step = script.pop(0) if script else Step()
        data = step.data if step.data is not None else site.files.get(path)
        self.close_connection = True
        if step.status != 200 or data is None:
            self._reply(step.status if step.status != 200 else 404, step.headers, b"sorry", Step())
            return
        start = self._start(step, data)
        headers = [*step.headers, ("ETag", etag(data))] if site.validators else [*step.headers]
        if site.hub_commit:
            headers.append(("X-Repo-Commit", site.hub_commit))
        if start:
            headers.append(("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}"))
        self._reply(206 if start else 200, headers, data[start:], step, body)
        if step.stall:
            site.awake.wait(30)

    def _start(self, step, data):
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not asked or not step.ranges:
            return 0
        condition = self.headers.get("If-Range")
        if step.heed_if_range and condition and condition != etag(data):
            return 0
        return int(asked[1])

    def _reply(self, status, headers, data, step, body=True):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if step.framing == "length":
            self.send_header("Content-Length", str(len(data)))
        elif step.framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        if not body:
            return
        sent = data if step.cut is None else data[: step.cut]
        if step.framing == "chunked":
            end = b"\r\n0\r\n\r\n" if step.cut is None else b""
            sent = f"{len(data):x}\r\n".encode() + sent + end
        size = step.drip or max(len(sent), 1)
        for start in range(0, len(sent), size):
            self.wfile.write(sent[start : start + size])
            self.wfile.flush()
            if step.drip:
                time.sleep(PAUSE)
