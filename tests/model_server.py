"""A chat-completions server on loopback that answers by rule and misbehaves on demand."""

import base64
import io
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

COLORS = {"red": (220, 20, 20), "green": (20, 160, 40), "blue": (30, 60, 220)}


def completion(text, logprobs=None, **more):
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": text, **more}}
    if logprobs is not None:
        choice["logprobs"] = {"content": logprobs}
    return {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


def token(text, logprob, top=()):
    listed = [{"token": name, "logprob": value} for name, value in top]
    return {"token": text, "logprob": logprob, "top_logprobs": listed}


class ModelServer(ThreadingHTTPServer):
    """`rule(request)` gives a reply; `faults` by text: faults of the next requests.

    A fault is a status, ("retry", status, header), "cut", "stall", "drip", "redirect", or a reply.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, rule=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rule = rule or (lambda request: completion("echo " + asked(request)))
        self.faults, self.bodies, self.headers = {}, Counter(), []
        self.always, self.delay, self.ended = None, 0.0, threading.Event()
        self.now, self.most, self.lock = 0, 0, threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def close(self):
        self.ended.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that hung up is no news."""


def asked(request):
    content = request["messages"][0]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def pictures(request):
    content = request["messages"][0]["content"]
    urls = [] if isinstance(content, str) else [p["image_url"]["url"] for p in content[:-1]]
    data = [base64.b64decode(url.partition(",")[2]) for url in urls]
    return [np.asarray(Image.open(io.BytesIO(item)).convert("RGB")) for item in data]


def capable(request):
    """A model that sees colors, gives log-probabilities and keeps to schemas."""
    if "response_format" in request:
        return completion('{"digit": 1}')
    seen = pictures(request)
    if seen:
        mean = seen[0].reshape(-1, 3).mean(0)
        near = min(COLORS, key=lambda name: np.abs(mean - COLORS[name]).sum())
        return completion(near.capitalize() + ".")
    top = [("1", -0.1), ("0", -2.4)]
    return completion("1", [token("1", -0.1, top)] if request.get("logprobs") else None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(body)
        with server.lock:
            server.bodies[body] += 1
            server.headers.append(dict(self.headers))
            server.now += 1
            server.most = max(server.most, server.now)
            listed = server.faults.get(asked(request), [])
            fault = listed.pop(0) if listed else server.always
        if server.delay:
            time.sleep(server.delay)
        try:
            self._answer(server, request, fault)
        finally:
            with server.lock:
                server.now -= 1

    def _answer(self, server, request, fault):
        self.close_connection = True
        headers = {}
        if isinstance(fault, tuple):
            _, fault, headers["Retry-After"] = fault
        if fault == "redirect":
            fault, headers["Location"] = 302, "http://127.0.0.1:9/elsewhere"
        status = fault if isinstance(fault, int) else 200
        reply = fault if isinstance(fault, dict | bytes) else server.rule(request)
        data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        if status != 200:
            data = b'{"error": {"message": "no"}}'
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault in ("cut", "stall", "drip"):
            half = len(data) // 2
            if fault == "drip":
                for place in range(half):
                    self.wfile.write(data[place : place + 1])
                    self.wfile.flush()
                    if server.ended.wait(0.1):
                        return
            self.wfile.write(data[:half])
            self.wfile.flush()
            if fault == "stall":
                server.ended.wait(30)
            return
        self.wfile.write(data)
