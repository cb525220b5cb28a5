"""A headless Chromium, driven over its DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None
)
"""Path of the browser, or None if it is not installed."""


class Browser:
    """One browser with one page; use it as a context manager."""

    def __init__(self) -> None:
        self.number = 0
        self.log: list[str] = []
        self.downloads = Path()

    def __enter__(self) -> "Browser":
        self.profile = tempfile.TemporaryDirectory()
        read_by_browser, self.requests = os.pipe()
        self.answers, written_by_browser = os.pipe()
        options = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
            *("--disable-dev-shm-usage", f"--user-data-dir={self.profile.name}"),
        ]
        # The browser reads requests from descriptor 3 and writes answers to descriptor 4.
        redirect = f'exec "$@" 3<&{read_by_browser} 4>&{written_by_browser}'
        self.process = subprocess.Popen(
            ["bash", "-c", redirect, "bash", str(PROGRAM), *options],
            pass_fds=[read_by_browser, written_by_browser],
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_browser)
        os.close(written_by_browser)
        self.pending = b""
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *details: object) -> None:
        os.close(self.requests)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.answers)
        self.profile.cleanup()

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self.pending:
            data = os.read(self.answers, 2**20)
            if not data:
                raise RuntimeError("the browser has ended")
            self.pending += data
        message, self.pending = self.pending.split(b"\0", 1)
        found = json.loads(message)
        if found.get("method") == "Runtime.exceptionThrown":
            self.log.append(json.dumps(found["params"]["exceptionDetails"]))
        elif found.get("method") == "Log.entryAdded":
            self.log.append(found["params"]["entry"]["text"])
        return found

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.requests, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self.number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, path: Path, width: int = 1200, height: int = 900) -> None:
        """Open a file in a window of this size, and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        self.log.clear()
        self.call("Page.navigate", url=path.absolute().as_uri())
        while self._receive().get("method") != "Page.loadEventFired":
            pass

    def run(self, program: str) -> Any:
        """Return the value of an expression in JavaScript; wait for it if it is a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=program, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        """Return the text of the first element that a selector finds."""
        return self.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def texts(self, selector: str) -> list[str]:
        """Return the text of all elements that a selector finds."""
        return self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)"
        )

    def click(self, selector: str) -> None:
        """Click on the middle of the first element that a selector finds."""
        place = self.run(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();"
            "return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            for kind in ("keyDown", "keyUp"):
                text = key if len(key) == 1 and kind == "keyDown" else ""
                self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text)

    def save(self) -> Path:
        """Click on the button that saves the verdicts and return the saved file."""
        path = self.downloads / "verdicts.csv"
        path.unlink(missing_ok=True)
        self.click("#save")
        for _ in range(500):
            if path.exists():
                return path
            self.run("new Promise(done => setTimeout(done, 20))")
        raise TimeoutError(f"the browser has not saved {path}")

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what the window shows, or the whole page, to a PNG file."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))
