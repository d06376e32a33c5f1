"""Chromium without a window, driven over its DevTools pipe: no port, no package.

    with Browser() as browser:
        page = browser.open(folder / "index.html")
        page.wait("document.documentElement.dataset.ready")

Messages are JSON that ends with a NUL byte, on the descriptors 3 (to the browser) and 4 (from it).
No name is resolved in it (`--host-resolver-rules`), and every request of a page is kept in
`Page.requests`.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--allow-file-access-from-files=false",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
MODIFIERS = {"Shift": 8}
CODES = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowRight": 39, "ArrowDown": 40, "ArrowLeft": 37}


def chromium() -> str | None:
    """The program, or None where there is none (MILAN_CHROMIUM names another one)."""
    given = os.environ.get("MILAN_CHROMIUM")
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One browser process; it ends with the block."""

    def __enter__(self) -> Browser:
        self._profile = tempfile.mkdtemp(prefix="milan-atlas-")
        read, self._to = os.pipe()
        self._from, write = os.pipe()
        program = chromium()
        assert program

        def wire() -> None:  # the browser reads descriptor 3 and writes descriptor 4
            spare_read, spare_write = os.dup(read), os.dup(write)
            os.dup2(spare_read, 3)
            os.dup2(spare_write, 4)

        command = [program, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        self._process = subprocess.Popen(
            command,
            preexec_fn=wire,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._buffer, self._number = b"", 0
        self.events: list[dict[str, Any]] = []
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.call("Browser.close", limit=5)
        except Exception:  # it may be gone already
            self._process.kill()
        self._process.wait(20)
        os.close(self._to)
        os.close(self._from)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(
        self, method: str, session: str | None = None, limit: float = 120, **params: Any
    ) -> dict[str, Any]:
        """Send one command and wait for its answer; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + limit
        while True:
            answer = self._next(end)
            if answer is None:
                raise TimeoutError(f"{method}: no answer in {limit} s")
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self.events.append(answer)

    def _next(self, end: float) -> dict[str, Any] | None:
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], max(0, end - time.monotonic()))[0]:
                return None
            part = os.read(self._from, 1 << 20)
            if not part:
                raise RuntimeError("the browser ended")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(line))

    def open(self, path: Path, fragment: str = "", width: int = 1360, height: int = 900) -> Page:
        """A new page with the file, once its script says that it is ready."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.size(width, height)
        page.go(path.resolve().as_uri() + fragment)
        return page


class Page:
    """One page: scripts, keys, pictures."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser, self._session, self._target = browser, session, target

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the DevTools protocol."""
        return self._browser.call(method, self._session, **params)

    def go(self, url: str) -> None:
        """Open an address and wait until the atlas is drawn."""
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && document.documentElement.dataset.ready")

    def to(self, fragment: str) -> None:
        """Open an address within the atlas."""
        turn = self.value("Number(document.documentElement.dataset.ready)")
        self.value(f"void (location.hash = {json.dumps(fragment)})")
        self.wait(f"Number(document.documentElement.dataset.ready) > {turn}")

    def value(self, script: str) -> Any:
        """The value of an expression; promises are awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, condition: str, limit: float = 60) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + limit
        while not self.value(f"Boolean({condition})"):
            assert time.monotonic() < end, f"not true after {limit} s: {condition}"
            time.sleep(0.03)

    def text(self, selector: str = "main") -> str:
        """The text of the first element that a selector finds."""
        return str(self.value(f"document.querySelector({json.dumps(selector)}).innerText"))

    def count(self, selector: str) -> int:
        """The number of elements that a selector finds."""
        return int(self.value(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def click(self, selector: str) -> None:
        """Click the first element that a selector finds."""
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press one key."""
        code = CODES.get(key, ord(key.upper()) if len(key) == 1 else 0)
        facts: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code}
        text = {"text": key if len(key) == 1 else "\r"} if len(key) == 1 or key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **facts, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    def size(self, width: int, height: int, scale: float = 1, mobile: bool = False) -> None:
        """The size of the window in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=mobile,
        )

    def scheme(self, name: str) -> None:
        """Ask for light or dark."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, path: Path, whole: bool = False) -> None:
        """Save what the page shows as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(data["data"]))

    def events(self, method: str) -> list[dict[str, Any]]:
        """What the browser said of this page so far."""
        self.value("1")
        return [
            event["params"]
            for event in self._browser.events
            if event.get("method") == method and event.get("sessionId") == self._session
        ]

    @property
    def requests(self) -> list[str]:
        """Addresses of everything that the page asked for."""
        return [event["request"]["url"] for event in self.events("Network.requestWillBeSent")]

    @property
    def mistakes(self) -> list[str]:
        """Exceptions, and errors of the console."""
        thrown = [str(one["exceptionDetails"]) for one in self.events("Runtime.exceptionThrown")]
        logged = [one["entry"] for one in self.events("Log.entryAdded")]
        return thrown + [one["text"] for one in logged if one["level"] == "error"]

    def close(self) -> None:
        """Close the page."""
        self._browser.call("Target.closeTarget", targetId=self._target)
