"""Drives a headless Chromium through a pipe, with its DevTools protocol, to look at pages as a reader does.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium; on Debian: apt install chromium")

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--no-first-run",
)
_PROBLEMS = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")


class Page:
    """One page of a browser, with what it has requested and every error and message of its console."""

    def __init__(self, to_browser, from_browser):
        self._to, self._from = to_browser, from_browser
        self._numbers, self._session, self._rest = itertools.count(1), None, b""
        self._loaded, self._runs_scripts = False, True
        self.requested, self.problems = [], []  # URLs; events of the protocol
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, path, *, width=1000, height=800, dark=False, media="", mobile=False):
        """Load the file at `path` and wait until its scripts have run. width, height: in CSS pixels."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", media=media, features=features)
        self._loaded = False
        self._call("Page.navigate", url=Path(path).resolve().as_uri())
        while not self._loaded:
            self._read()
        if self._runs_scripts:
            self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def allow_scripts(self, is_allowed):
        """Whether pages that are opened from now on run their scripts."""
        self._call("Emulation.setScriptExecutionDisabled", value=not is_allowed)
        self._runs_scripts = is_allowed

    def run(self, expression):
        """The value of `expression` in JavaScript; a promise is awaited."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, condition):
        """Wait until `condition` holds, an expression in JavaScript: 10 s at most."""
        last = time.monotonic() + 10
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < last, f"still false after 10 s: {condition}"
            time.sleep(0.02)

    def type(self, text):
        """Type `text` where the cursor is."""
        self._call("Input.insertText", text=text)

    def press_enter(self):
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        self._call("Input.dispatchKeyEvent", type="rawKeyDown", **key)
        self._call("Input.dispatchKeyEvent", type="keyUp", **key)

    def move_mouse(self, x, y):
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def touch(self, x, y):
        self._call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self._call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def screenshot(self, *, whole=False):
        """What is visible, or the whole page, as bytes of a PNG."""
        return base64.b64decode(
            self._call("Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole))["data"]
        )

    def pdf(self):
        """The page as it is printed on A4."""
        size = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": False}
        return base64.b64decode(self._call("Page.printToPDF", **size)["data"])

    def _clip(self, whole):
        if not whole:
            return {}
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _call(self, method, **parameters):
        message = {"id": next(self._numbers), "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != message["id"]:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self):
        """The next message; events are noted."""
        while b"\0" not in self._rest:
            piece = os.read(self._from, 1 << 20)
            assert piece, "Chromium has ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(line)
        method = message.get("method")
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        elif method in _PROBLEMS:
            self.problems.append(message["params"])
        return message


@contextlib.contextmanager
def chromium() -> Iterator[Page]:
    """A page of a new browser."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        commands, answers = os.pipe(), os.pipe()
        # The browser reads commands from descriptor 3 and writes answers to 4.
        script = f'exec "$@" 3<&{commands[0]} 4>&{answers[1]}'
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(commands[0], answers[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands[0])
        os.close(answers[1])
        try:
            yield Page(commands[1], answers[0])
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(commands[1])
            os.close(answers[0])
